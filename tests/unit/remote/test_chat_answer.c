/* test_chat_answer.c - answers of servers: captured streams cut everywhere, and each way in which
 * servers differ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/remote/answer_bench.h"

/* What each captured answer says, read by hand from the file. */
static const struct {
    const char *file, *text;
    int32_t prompt, cached, completion;
    enum model_finish finish;
    bool streams, is_prefix;
} wire[] = {
    {"litellm-mock-stream.sse", "hello from litellm", 8, 0, 5, FINISH_STOP, true, false},
    {"litellm-to-llama-server-tool.sse",
     "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}", 170, 0, 17, FINISH_STOP,
     true, false},
    {"llama-server-chat-stream-logprobs.sse", "Hello! How can I assist", 31, 18, 6, FINISH_LENGTH,
     true, false},
    {"llama-server-json-schema-stream.sse", "{\n  \"ok\": true\n}", 31, 18, 13, FINISH_STOP, true,
     false},
    {"llama-server-tool-stream.sse",
     "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}", 170, 0, 17, FINISH_STOP,
     true, false},
    {"llama-server-tool-required-stream.sse",
     "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}.json", 170, 169, 64,
     FINISH_LENGTH, true, true},
    {"llama-server-tool-required.json",
     "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}.json", 170, 169, 64,
     FINISH_LENGTH, false, true},
    {"llama-server-tool-nonstream-logprobs.json",
     "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}", 170, 169, 17, FINISH_STOP,
     false, false},
};

/* Every byte of a short file; the long one has nothing in it that these lack. */
static size_t step_of(size_t n)
{
    return n < 6000 ? 1 : 13;
}

static void check_wire(size_t i, const struct answer_bench *b)
{
    const char *text = wire[i].text;
    size_t n = wire[i].is_prefix ? strlen(text) : b->call.text ? strlen(b->call.text) : 0;

    if (b->status)
        fail_msg("%s: %s", wire[i].file, b->err.message);
    if (strncmp(b->call.text, text, n) != 0 || n < strlen(text))
        fail_msg("%s: \"%s\"", wire[i].file, b->call.text);
    if (wire[i].streams)
        assert_string_equal(str_cstr(&b->news), b->call.text);
    assert_null(b->call.tool_calls);
    if (b->call.usage.prompt != wire[i].prompt || b->call.usage.cached != wire[i].cached ||
        b->call.usage.completion != wire[i].completion)
        fail_msg("%s: usage %d %d %d", wire[i].file, (int)b->call.usage.prompt,
                 (int)b->call.usage.cached, (int)b->call.usage.completion);
    assert_false(b->call.usage.estimated);
    assert_int_equal(b->call.finish, wire[i].finish);
}

static void captured_answers_read_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wire); i++) {
        size_t n = 0;
        char *bytes = bench_wire(wire[i].file, &n);
        struct answer_bench b;

        if (!wire[i].streams) {
            bench_body(&b, bytes, n);
            check_wire(i, &b);
            bench_free(&b);
            free(bytes);
            continue;
        }
        for (size_t piece = 0; piece < 9; piece++) {
            bench_stream(&b, bytes, n, piece);
            check_wire(i, &b);
            assert_true(b.done);
            bench_free(&b);
        }
        for (size_t at = 1; at < n; at += step_of(n)) {
            bench_stream_cut(&b, bytes, n, at);
            check_wire(i, &b);
            bench_free(&b);
        }
        free(bytes);
    }
}

/* Whatever is missing at the end is noticed, unless only the end of the stream is missing. */
static void a_captured_stream_that_is_cut_off_is_an_error_until_its_finish_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wire); i++) {
        size_t n = 0;
        char *bytes = bench_wire(wire[i].file, &n);
        const char *finish;

        finish = strstr(bytes, wire[i].finish == FINISH_LENGTH ? "\"finish_reason\":\"length\""
                                                               : "\"finish_reason\":\"stop\"");
        assert_non_null(finish);
        finish = strstr(finish, "\n\n");
        for (size_t at = 0; wire[i].streams && at < n; at += step_of(n)) {
            struct answer_bench b;

            bench_stream(&b, bytes, at, 0);
            if (at < (size_t)(finish - bytes) + 2) {
                if (b.status != STATUS_IO)
                    fail_msg("%s cut at %zu: %s", wire[i].file, at, status_name(b.status));
                assert_true(b.fault.passes);
                assert_null(b.call.text);
            } else if (b.status) {
                fail_msg("%s cut at %zu: %s", wire[i].file, at, b.err.message);
            }
            bench_free(&b);
        }
        free(bytes);
    }
}

#define CALL(body)  "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[" body "]}}]}"
#define FINISH(why) "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" why "\"}]}"

static const struct {
    const char *what, *event[6], *calls;
} call_cases[] = {
    {"in parts, as OpenAI sends them",
     {CALL("{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
           "\"arguments\":\"\"}}"),
      CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}"),
      CALL("{\"index\":0,\"function\":{\"arguments\":\":1}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{\"x\":1},\"id\":\"a\"}]"},
    {"whole, two in one delta",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
           "{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"},"
     "{\"name\":\"g\",\"arguments\":{},\"id\":\"b\"}]"},
    {"arguments as an object",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":[1]}}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{\"x\":[1]},\"id\":\"a\"}]"},
    {"an empty name first",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"\",\"arguments\":\"\"}}"),
      CALL("{\"index\":0,\"function\":{\"name\":\"f\"}}"),
      CALL("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"the name in parts",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"get_\"}}"),
      CALL("{\"index\":0,\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"get_x\",\"arguments\":{},\"id\":\"a\"}]"},
    {"the name in every delta",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}"),
      CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"the id late",
     {CALL("{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}"),
      CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"arguments\":\"}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"a new id with every delta",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}"),
      CALL("{\"index\":0,\"id\":\"b\",\"function\":{\"arguments\":\"}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"one id for two calls",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
      CALL("{\"index\":1,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"},{\"name\":\"f\",\"arguments\":{}}]"},
    {"a wrong index in the middle",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}"),
      CALL("{\"index\":7,\"function\":{\"arguments\":\"}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"whole calls without ids, always index 0",
     {CALL("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}"
           "\"}}"),
      CALL("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":2}"
           "\"}}"),
      FINISH("stop")},
     "[{\"name\":\"f\",\"arguments\":{\"x\":1}},{\"name\":\"f\",\"arguments\":{\"x\":2}}]"},
    {"two deltas of two calls in lists without index and id",
     {CALL("{\"function\":{\"name\":\"f\"}},{\"function\":{\"name\":\"g\"}}"),
      CALL("{\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}},"
           "{\"function\":{\"arguments\":\"{}\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{\"x\":1}},{\"name\":\"g\",\"arguments\":{}}]"},
    {"the whole arguments once more at the end",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":"
           "\"}}"),
      CALL("{\"index\":0,\"function\":{\"arguments\":\"1}\"}}"),
      CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{\"x\":1},\"id\":\"a\"}]"},
    {"no arguments at all",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}"), FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"one call that is not in a list",
     {"{\"choices\":[{\"delta\":{\"tool_calls\":{\"id\":\"a\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"{}\"}}}}]}",
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]"},
    {"the older function_call",
     {"{\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"}}}]}",
      "{\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\"}\"}}}]}",
      FINISH("function_call")},
     "[{\"name\":\"f\",\"arguments\":{}}]"},
    {"arguments that are not JSON stay text",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{x\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":\"{x\",\"id\":\"a\"}]"},
    {"arguments that are not an object stay text",
     {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"[1]\"}}"),
      FINISH("tool_calls")},
     "[{\"name\":\"f\",\"arguments\":\"[1]\",\"id\":\"a\"}]"},
    {"null and what is not a call",
     {CALL("null,3"), "{\"choices\":[{\"delta\":{\"tool_calls\":null,\"content\":\"hi\"}}]}",
      FINISH("stop")},
     "null"},
};

static void calls_come_whole_or_in_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(call_cases); i++) {
        struct answer_bench b;
        size_t n = 0;

        while (n < ARRAY_LEN(call_cases[i].event) && call_cases[i].event[n])
            n++;
        bench_events(&b, call_cases[i].event, n);
        if (b.status)
            fail_msg("%s: %s", call_cases[i].what, b.err.message);
        if (strcmp(bench_calls(&b), call_cases[i].calls) != 0)
            fail_msg("%s: %s", call_cases[i].what, bench_calls(&b));
        assert_int_equal(b.call.finish, FINISH_STOP);
        bench_free(&b);
    }
}

/* openai/openai-python#2806 */
static void deltas_without_an_index_belong_to_the_call_before(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, CALL("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}"),
                 CALL("{\"function\":{\"arguments\":\"{\\\"x\\\":\"}}"),
                 CALL("{\"function\":{\"arguments\":\"1}\"}}"),
                 CALL("{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}"),
                 CALL("{\"function\":{\"arguments\":\"{}\"}}"), FINISH("tool_calls"));
    assert_int_equal(b.status, STATUS_OK);
    assert_string_equal(bench_calls(&b), "[{\"name\":\"f\",\"arguments\":{\"x\":1},\"id\":\"a\"},"
                                         "{\"name\":\"g\",\"arguments\":{},\"id\":\"b\"}]");
    bench_free(&b);
    /* without ids too, and without arguments */
    BENCH_EVENTS(&b, CALL("{\"function\":{\"name\":\"f\",\"arguments\":\"\"}}"),
                 CALL("{\"function\":{\"name\":\"g\",\"arguments\":\"\"}}"), FINISH("tool_calls"));
    assert_string_equal(bench_calls(&b),
                        "[{\"name\":\"f\",\"arguments\":{}},{\"name\":\"g\",\"arguments\":{}}]");
    bench_free(&b);
}

/* apache/maka#1976 */
#define CALL_F                                                                                     \
    "{\"choices\":[{\"finish_reason\":\"tool_calls\",\"message\":{\"content\":\"\",\"tool_"        \
    "calls\":[{"                                                                                   \
    "\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}"
#define SAID(finish)                                                                               \
    "{\"choices\":[{\"finish_reason\":\"" finish "\",\"message\":{\"content\":\"no\"}}]}"

static void an_answer_keeps_the_choice_of_tools(void **state)
{
    static const struct {
        const char *choice, *body, *words; /* words NULL: it is right */
    } rows[] = {
        {NULL, SAID("stop"), NULL},
        {NULL, CALL_F, NULL},
        {"none", SAID("stop"), NULL},
        {"none", CALL_F, "calls \"f\", although no call was allowed"},
        {"required", CALL_F, NULL},
        {"required", SAID("stop"), "is text, although a tool call was required"},
        {"required", SAID("tool_calls"), "is text, although a tool call was required"},
        {"required", SAID("length"), NULL},
        {"f", CALL_F, NULL},
        {"f", SAID("stop"), "was required (tool_choice \"f\")"},
        {"g", CALL_F, "calls \"f\", although only a call of \"g\" was allowed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer_bench b;

        bench_choice_body(&b, rows[i].choice, rows[i].body);
        assert_int_equal(b.status, rows[i].words ? STATUS_FAILED : STATUS_OK);
        if (rows[i].words) {
            assert_non_null(strstr(b.err.message, rows[i].words));
            assert_true(b.fault.passes);
            assert_null(b.call.text);
        }
        bench_free(&b);
    }
}

static void two_calls_that_share_index_0_are_two(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(
        &b, CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}"),
        CALL("{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":2}\"}}"), FINISH("tool_calls"));
    assert_int_equal(b.status, STATUS_OK);
    assert_string_equal(bench_calls(&b), "[{\"name\":\"f\",\"arguments\":{\"x\":1},\"id\":\"a\"},"
                                         "{\"name\":\"f\",\"arguments\":{\"x\":2},\"id\":\"b\"}]");
    bench_free(&b);
}

/* cline/cline#8384 */
static void choices_may_be_null_or_empty_and_usage_in_any_chunk(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0}}",
                 "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}",
                 "{\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}", FINISH("stop"),
                 "{\"choices\":null,\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":4},"
                 "\"completion_tokens_details\":{\"reasoning_tokens\":1}}}",
                 "[DONE]");
    assert_int_equal(b.status, STATUS_OK);
    assert_string_equal(b.call.text, "hi");
    assert_int_equal(b.call.usage.prompt, 7);
    assert_int_equal(b.call.usage.cached, 4);
    assert_int_equal(b.call.usage.completion, 2);
    assert_int_equal(b.call.usage.reasoning, 1);
    bench_free(&b);
}

/* anomalyco/opencode#14972 */
static void the_calls_decide_not_the_finish_reason(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(
        &b, CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
        FINISH("stop"), "[DONE]");
    assert_int_equal(b.status, STATUS_OK);
    assert_string_equal(bench_calls(&b), "[{\"name\":\"f\",\"arguments\":{},\"id\":\"a\"}]");
    bench_free(&b);
    BENCH_EVENTS(&b, "{\"choices\":[{\"delta\":{\"content\":\"no call\"}}]}", FINISH("tool_calls"));
    assert_int_equal(b.status, STATUS_OK);
    assert_string_equal(b.call.text, "no call");
    assert_null(b.call.tool_calls);
    bench_free(&b);
}

/* mnfst/llm-gateway#2053 */
static void comments_and_empty_events_are_skipped(void **state)
{
    static const char stream[] =
        ": comment\r\n\r\n"
        "data: : keepalive\r\n\r\n"
        "data:\r\n\r\n"
        "data: \r\n\r\n"
        "event: ping\r\n\r\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"h\xc3\xa9\"}}]}\r\n\r\n"
        "data:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n"
        "data: [DONE]\r\n\r\n"
        "data: after the end\r\n\r\n";

    (void)state;
    for (size_t piece = 0; piece < 6; piece++) {
        struct answer_bench b;

        bench_stream(&b, stream, sizeof(stream) - 1, piece);
        if (b.status)
            fail_msg("%s", b.err.message);
        assert_string_equal(b.call.text, "h\xc3\xa9");
        bench_free(&b);
    }
}

static void a_stream_ends_by_any_of_its_ends(void **state)
{
#define TEXT "{\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}"
#define WHOLE                                                                                      \
    CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}" \
         "}")
    static const struct {
        const char *what, *event[3];
        enum status status;
    } cases[] = {
        {"a finish reason", {TEXT, FINISH("stop")}, STATUS_OK},
        {"[DONE] alone", {TEXT, "[DONE]"}, STATUS_OK},
        {"both", {TEXT, FINISH("stop"), "[DONE]"}, STATUS_OK},
        {"neither", {TEXT}, STATUS_IO},
        {"neither, but a whole call", {WHOLE}, STATUS_OK},
        {"neither, and half a call",
         {CALL(
             "{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\"}}")},
         STATUS_IO},
        {"neither, and a call that has no arguments yet",
         {CALL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}")},
         STATUS_IO},
        {"nothing", {": x"}, STATUS_IO},
        {"[DONE] and nothing else", {"[DONE]"}, STATUS_INVALID},
        {"an empty text", {FINISH("stop")}, STATUS_OK},
        {"the filter", {TEXT, FINISH("content_filter")}, STATUS_FAILED},
        {"an abort", {TEXT, FINISH("abort")}, STATUS_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer_bench b;
        size_t n = 0;

        while (n < ARRAY_LEN(cases[i].event) && cases[i].event[n])
            n++;
        bench_events(&b, cases[i].event, n);
        if (b.status != cases[i].status)
            fail_msg("%s: %s %s", cases[i].what, status_name(b.status), b.err.message);
        bench_free(&b);
    }
}

static void an_error_inside_a_stream_is_an_error(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, TEXT,
                 "{\"error\":{\"message\":\"engine is\\ndead\",\"type\":\"server_error\","
                 "\"code\":500}}");
    assert_int_equal(b.status, STATUS_FAILED);
    assert_string_equal(b.err.message, "inside the answer: the server failed (500 Internal Server "
                                       "Error): engine is dead");
    assert_true(b.fault.passes);
    assert_false(b.fault.is_outage);
    assert_null(b.call.text);
    bench_free(&b);
    BENCH_EVENTS(&b, "{\"error\":\"slow down\",\"choices\":[]}");
    assert_int_equal(b.status, STATUS_FAILED);
    assert_non_null(strstr(b.err.message, "slow down"));
    bench_free(&b);
    BENCH_EVENTS(&b, "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"too many\"}}");
    assert_int_equal(b.status, STATUS_BUSY);
    bench_free(&b);
    BENCH_EVENTS(&b, "{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"fine\"},"
                     "\"finish_reason\":\"stop\"}]}");
    assert_int_equal(b.status, STATUS_OK);
    bench_free(&b);
}

static void reasoning_comes_under_two_names(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, "{\"choices\":[{\"delta\":{\"reasoning_content\":\"I \"}}]}",
                 "{\"choices\":[{\"delta\":{\"reasoning_content\":\"think\"}}]}", TEXT,
                 FINISH("stop"));
    assert_string_equal(b.call.reasoning, "I think");
    assert_string_equal(b.call.text, "hi");
    assert_string_equal(str_cstr(&b.news), "hi"); /* reasoning is not streamed as text */
    bench_free(&b);
    BENCH_EVENTS(&b,
                 "{\"choices\":[{\"delta\":{\"reasoning\":\"so\",\"reasoning_content\":\"so\"}}]}",
                 TEXT, FINISH("stop"));
    assert_string_equal(b.call.reasoning, "so");
    bench_free(&b);
    BENCH_EVENTS(&b, TEXT, FINISH("stop"));
    assert_null(b.call.reasoning);
    bench_free(&b);
}

static void text_that_is_not_quite_unicode_is_cleaned(void **state)
{
    static const char half[] = "{\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}",
                      other[] = "{\"choices\":[{\"delta\":{\"content\":\"\\ude00b\\u0000c\xff"
                                "\"}}]}",
                      pair[] = "{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\\ude00\\\\ud83d\"}"
                               "}]}";
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, half, other, pair, FINISH("stop"));
    if (b.status)
        fail_msg("%s", b.err.message);
    assert_string_equal(b.call.text, "a\xef\xbf\xbd\xef\xbf\xbd"
                                     "b\xef\xbf\xbd"
                                     "c\xef\xbf\xbd\xf0\x9f\x98\x80\\ud83d");
    assert_string_equal(str_cstr(&b.news), b.call.text);
    bench_free(&b);
}

static void other_forms_of_an_answer_are_read(void **state)
{
    static const char parts[] = "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\","
                                "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
                                "\"finish_reason\":\"end_turn\"}]}",
                      refusal[] = "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I "
                                  "cannot\"},\"finish_reason\":\"stop\"}]}",
                      calls[] = "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":["
                                "{\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
                                "{\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]},"
                                "\"finish_reason\":\"tool_calls\"}]}",
                      second[] = "{\"choices\":[{\"index\":1,\"message\":{\"content\":\"no\"}},"
                                 "{\"index\":0,\"message\":{\"content\":\"yes\"}}]}";
    struct answer_bench b;

    (void)state;
    bench_body(&b, parts, sizeof(parts) - 1);
    assert_string_equal(b.call.text, "ab");
    assert_true(b.call.usage.estimated);
    bench_free(&b);
    bench_body(&b, refusal, sizeof(refusal) - 1);
    assert_string_equal(b.call.text, "I cannot");
    bench_free(&b);
    bench_body(&b, calls, sizeof(calls) - 1);
    assert_string_equal(bench_calls(&b), "[{\"name\":\"f\",\"arguments\":{},\"id\":\"x\"},"
                                         "{\"name\":\"f\",\"arguments\":{}}]");
    bench_free(&b);
    bench_body(&b, second, sizeof(second) - 1);
    assert_string_equal(b.call.text, "yes");
    bench_free(&b);
    /* a whole message after the deltas repeats them; alone it counts */
    BENCH_EVENTS(&b, TEXT,
                 "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":"
                 "\"stop\"}]}");
    assert_string_equal(b.call.text, "hi");
    bench_free(&b);
    BENCH_EVENTS(&b, "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":"
                     "\"stop\"}]}");
    assert_string_equal(b.call.text, "hi");
    bench_free(&b);
}

static void what_is_not_an_answer_is_an_error(void **state)
{
    static const struct {
        const char *body;
        enum status status;
        bool passes;
        const char *word;
    } cases[] = {
        {"", STATUS_INVALID, true, "not a JSON object"},
        {"[]", STATUS_INVALID, true, "not a JSON object"},
        {"{}", STATUS_INVALID, true, "no choices"},
        {"{\"choices\":[]}", STATUS_INVALID, true, "no choices"},
        {"{\"choices\":{}}", STATUS_INVALID, true, "no choices"},
        {"<html><title>Sign in</title></html>", STATUS_INVALID, false, "<html>"},
        {"{\"choices\":[{\"message\":{\"content\":\"x\"}}", STATUS_INVALID, true, "JSON"},
        {"{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}", STATUS_INVALID,
         false, "no"},
        {"{\"detail\":\"Not Found\"}", STATUS_FAILED, true, "Not Found"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer_bench b;

        bench_body(&b, cases[i].body, strlen(cases[i].body));
        if (b.status != cases[i].status || b.fault.passes != cases[i].passes ||
            !strstr(b.err.message, cases[i].word))
            fail_msg("%s: %s, %s", cases[i].body, status_name(b.status), b.err.message);
        assert_null(b.call.text);
        bench_free(&b);
    }
    {
        struct answer_bench b;

        BENCH_EVENTS(&b, TEXT, "not json");
        assert_int_equal(b.status, STATUS_INVALID);
        assert_true(b.fault.passes);
        bench_free(&b);
    }
}

/* The content of one event; what is given of it is appended to `out`. */
static void feed(struct chat_answer *a, const char *content, struct str *out)
{
    struct str event = STR_INIT;
    size_t n;
    const char *text;

    str_printf(&event, "{\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}", content);
    assert_int_equal(chat_answer_event(a, str_cstr(&event), event.len, NULL), STATUS_OK);
    text = chat_answer_news(a, false, &n);
    str_append(out, text, n);
    str_deinit(&event);
}

static void a_secret_that_the_server_repeats_is_hidden(void **state)
{
    static const char secret[] = "sk-0123456789";
    static const char last[] =
        "{\"choices\":[{\"delta\":{\"reasoning_content\":\"a "
        "sk-0123456789\",\"tool_calls\":[{\"id\":"
        "\"sk-0123456789\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"k\\\": "
        "\\\"sk-0123456789\\\"}\"}}]}}]}";
    struct remote_spec spec = {.model = NULL};
    struct chat_answer *a = chat_answer_new(&spec, 8);
    struct model_call c = {.max_tokens = 8};
    struct str out = STR_INIT;
    char one[2] = "", *calls;
    size_t n;
    const char *rest;

    (void)state;
    chat_answer_hide(a, secret);
    chat_answer_hide(a, "short"); /* could be a word */
    feed(a, "short sk-01 sk-0123456789, ", &out);
    assert_string_equal(str_cstr(&out), "short sk-01 *************, ");
    str_clear(&out);
    for (const char *p = secret; *p; p++) {
        assert_int_equal(out.len, 0); /* all but its end is nothing yet */
        one[0] = *p;
        feed(a, one, &out);
    }
    assert_string_equal(str_cstr(&out), "*************");
    str_clear(&out);
    feed(a, "and sk-", &out);
    assert_string_equal(str_cstr(&out), "and ");
    feed(a, "s", &out);
    assert_string_equal(str_cstr(&out), "and sk-");
    assert_int_equal(chat_answer_event(a, last, strlen(last), NULL), STATUS_OK);
    rest = chat_answer_news(a, true, &n);
    assert_int_equal(n, 1);
    assert_memory_equal(rest, "s", 1);
    assert_int_equal(chat_answer_end(a, &c, NULL), STATUS_OK);
    assert_string_equal(c.text, "short sk-01 *************, *************and sk-s");
    assert_string_equal(c.reasoning, "a *************");
    calls = jv_dump(c.tool_calls);
    assert_null(strstr(calls, secret));
    assert_non_null(strstr(calls, "*************"));
    free(calls);
    model_call_clear_text(&c);
    chat_answer_free(a);
    str_deinit(&out);
}

static void a_flood_ends_at_a_limit(void **state)
{
    struct str event = STR_INIT;
    struct answer_bench b;
    struct remote_spec spec = {.model = NULL};
    struct chat_answer *a = chat_answer_new(&spec, 8);
    struct error err = ERROR_INIT;
    enum status st = STATUS_OK;
    int n = 0;

    (void)state;
    str_puts(&event, "{\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 0; i < 1000; i++)
        str_puts(&event, "0123456789");
    str_puts(&event, "\"}}]}");
    while (!st && n++ < 100)
        st = chat_answer_event(a, str_cstr(&event), event.len, &err);
    assert_int_equal(st, STATUS_LIMIT);
    assert_in_range(n, 6, 8); /* 64 KiB and 256 bytes a token */
    assert_false(chat_answer_fault(a)->passes);
    chat_answer_free(a);
    str_clear(&event);
    str_puts(&event, "{\"choices\":[{\"delta\":{\"tool_calls\":[");
    for (int i = 0; i < 300; i++)
        str_printf(&event, "%s{\"id\":\"c%d\",\"function\":{\"name\":\"f\"}}", i ? "," : "", i);
    str_puts(&event, "]}}]}");
    BENCH_EVENTS(&b, str_cstr(&event));
    assert_int_equal(b.status, STATUS_LIMIT);
    assert_non_null(strstr(b.err.message, "256 tool calls"));
    bench_free(&b);
    str_deinit(&event);
}

#define USAGE(p, c) "\"usage\":{\"prompt_tokens\":" #p ",\"completion_tokens\":" #c "}"
#define IDS(ids, logp, more)                                                                       \
    "{\"prompt_token_ids\":[5,6,7],\"choices\":[{\"message\":{\"content\":\"hi\"},\"token_ids\":"  \
    "[" ids "],\"logprobs\":{\"content\":[" logp "]},\"finish_reason\":\"stop\"}]," more "}"

static void token_ids_count_only_when_all_of_them_fit(void **state)
{
    static const struct {
        const char *what, *body;
        int32_t n;
    } cases[] = {
        {"right", IDS("1,2", "{\"logprob\":-0.5},{\"logprob\":0}", USAGE(3, 2)), 2},
        {"a log-prob above 0 by rounding",
         IDS("1,2", "{\"logprob\":-0.5},{\"logprob\":0.00001}", USAGE(3, 2)), 2},
        {"no usage", IDS("1,2", "{\"logprob\":-0.5},{\"logprob\":0}", "\"x\":1"), 2},
        {"fewer log-probs", IDS("1,2", "{\"logprob\":-0.5}", USAGE(3, 2)), 0},
        {"another number of tokens", IDS("1,2", "{\"logprob\":-1},{\"logprob\":-1}", USAGE(3, 5)),
         0},
        {"another number of the prompt",
         IDS("1,2", "{\"logprob\":-1},{\"logprob\":-1}", USAGE(4, 2)), 0},
        {"a negative id", IDS("1,-2", "{\"logprob\":-1},{\"logprob\":-1}", USAGE(3, 2)), 0},
        {"an id of 40 bits",
         IDS("1,1099511627776", "{\"logprob\":-1},{\"logprob\":-1}", USAGE(3, 2)), 0},
        {"a text for an id", IDS("1,\"2\"", "{\"logprob\":-1},{\"logprob\":-1}", USAGE(3, 2)), 0},
        {"a log-prob above 0", IDS("1,2", "{\"logprob\":-1},{\"logprob\":1}", USAGE(3, 2)), 0},
        {"a log-prob of null", IDS("1,2", "{\"logprob\":-1},{\"logprob\":null}", USAGE(3, 2)), 0},
        {"no prompt",
         "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"token_ids\":[1],\"logprobs\":{"
         "\"content\":[{\"logprob\":-1}]},\"finish_reason\":\"stop\"}]}",
         0},
        {"the prompt in the choice",
         "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"prompt_token_ids\":[5,6,7],"
         "\"token_ids\":[1],\"logprobs\":{\"content\":[{\"logprob\":-1}]},\"finish_reason\":"
         "\"stop\"}]}",
         1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer_bench b;

        bench_body(&b, cases[i].body, strlen(cases[i].body));
        if (b.status)
            fail_msg("%s: %s", cases[i].what, b.err.message);
        assert_string_equal(b.call.text, "hi"); /* the text counts anyway */
        if (b.call.n_ids != cases[i].n || b.call.n_prompt_ids != (cases[i].n ? 3 : 0))
            fail_msg("%s: %d ids", cases[i].what, (int)b.call.n_ids);
        if (cases[i].n > 1) {
            assert_int_equal(b.call.ids[1], 2);
            assert_true(b.call.logp[0] == -0.5f && b.call.logp[1] == 0);
            assert_int_equal(b.call.prompt_ids[2], 7);
        }
        bench_free(&b);
    }
}

static void token_ids_come_in_parts_of_a_stream(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b,
                 "{\"prompt_token_ids\":[5,6],\"choices\":[{\"delta\":{\"role\":\"assistant\","
                 "\"content\":\"\"},\"token_ids\":null}]}",
                 "{\"choices\":[{\"delta\":{\"content\":\"a\"},\"token_ids\":[1,2],\"logprobs\":{"
                 "\"content\":[{\"logprob\":-1},{\"logprob\":-2}]}}]}",
                 "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"token_ids\":[3],\"logprobs\":{"
                 "\"content\":[{\"logprob\":-3}]},\"finish_reason\":\"stop\"}]}",
                 "{\"choices\":[]," USAGE(2, 3) "}");
    assert_int_equal(b.status, STATUS_OK);
    assert_int_equal(b.call.n_ids, 3);
    assert_int_equal(b.call.ids[2], 3);
    assert_true(b.call.logp[2] == -3);
    assert_int_equal(b.call.n_prompt_ids, 2);
    bench_free(&b);
}

static void a_usage_that_cannot_be_true_is_not_used(void **state)
{
    struct answer_bench b;

    (void)state;
    BENCH_EVENTS(&b, TEXT, FINISH("stop"), "{\"choices\":[]," USAGE(-5, 3) "}");
    assert_true(b.call.usage.estimated);
    bench_free(&b);
    BENCH_EVENTS(&b, TEXT, FINISH("stop"), "{\"choices\":[]," USAGE(99999999999999, 3) "}");
    assert_true(b.call.usage.estimated);
    bench_free(&b);
    BENCH_EVENTS(&b, TEXT, FINISH("stop"),
                 "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,"
                 "\"prompt_tokens_details\":{\"cached_tokens\":900}}}");
    assert_int_equal(b.call.usage.cached, 5);
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_answers_read_the_same_however_they_are_cut),
        cmocka_unit_test(a_captured_stream_that_is_cut_off_is_an_error_until_its_finish_reason),
        cmocka_unit_test(calls_come_whole_or_in_parts),
        cmocka_unit_test(deltas_without_an_index_belong_to_the_call_before),
        cmocka_unit_test(an_answer_keeps_the_choice_of_tools),
        cmocka_unit_test(two_calls_that_share_index_0_are_two),
        cmocka_unit_test(choices_may_be_null_or_empty_and_usage_in_any_chunk),
        cmocka_unit_test(the_calls_decide_not_the_finish_reason),
        cmocka_unit_test(comments_and_empty_events_are_skipped),
        cmocka_unit_test(a_stream_ends_by_any_of_its_ends),
        cmocka_unit_test(an_error_inside_a_stream_is_an_error),
        cmocka_unit_test(reasoning_comes_under_two_names),
        cmocka_unit_test(text_that_is_not_quite_unicode_is_cleaned),
        cmocka_unit_test(other_forms_of_an_answer_are_read),
        cmocka_unit_test(what_is_not_an_answer_is_an_error),
        cmocka_unit_test(a_secret_that_the_server_repeats_is_hidden),
        cmocka_unit_test(a_flood_ends_at_a_limit),
        cmocka_unit_test(token_ids_count_only_when_all_of_them_fit),
        cmocka_unit_test(token_ids_come_in_parts_of_a_stream),
        cmocka_unit_test(a_usage_that_cannot_be_true_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
