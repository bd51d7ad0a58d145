/* test_openai.c - requests of the OpenAI API: what is taken, what is ignored, and what is refused
 * with which words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/openai.h"
#include "tests/support/check.h"

#define M    "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define P    "\"model\":\"m\",\"prompt\":\"go\""
#define TOOL "{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{}}}"

static void parse(enum openai_kind kind, const char *body, struct openai_request *r)
{
    struct openai_error e;

    if (!openai_parse(kind, body, strlen(body), r, &e))
        fail_msg("%s: %s (%s)", body, e.message, e.param);
}

static void chat_parameters(void **state)
{
    struct openai_request r;

    (void)state;
    parse(OPENAI_CHAT, "{" M "}", &r);
    assert_string_equal(r.model, "m");
    assert_int_equal(jv_size(r.messages), 1);
    assert_null(r.tools);
    assert_null(r.schema);
    assert_null(r.tool_choice);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.max_tokens, 0);
    assert_false(r.stream || r.has_seed || r.logprobs || r.include_usage || r.one_call);
    assert_true(r.sampling.temperature == 1 && r.sampling.top_p == 1);
    openai_request_deinit(&r);

    parse(OPENAI_CHAT,
          "{" M ",\"n\":3,\"max_completion_tokens\":50,\"max_tokens\":50,\"stop\":[\"a\",\"bc\"],"
          "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"seed\":-1,"
          "\"temperature\":0.5,\"top_p\":0.25,\"top_k\":7,\"min_p\":0.125,"
          "\"repetition_penalty\":2,\"frequency_penalty\":0,\"presence_penalty\":0.0,"
          "\"logit_bias\":{\"5\":-100,\"7\":1.5},\"logprobs\":true,\"top_logprobs\":0,"
          "\"tools\":[" TOOL "],\"tool_choice\":\"required\",\"parallel_tool_calls\":true,"
          "\"chat_template_kwargs\":{\"think\":true},\"modalities\":[\"text\"],"
          "\"verbosity\":\"medium\",\"user\":\"u\",\"metadata\":{},\"store\":false,"
          "\"service_tier\":\"auto\",\"prediction\":{\"x\":1},\"suffix\":null,\"audio\":null}",
          &r);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.max_tokens, 50);
    assert_int_equal(r.n_stop, 2);
    assert_string_equal(r.stop[1], "bc");
    assert_true(r.stream && r.include_usage && r.has_seed && r.logprobs);
    assert_true(r.seed == UINT64_MAX);
    assert_true(r.sampling.temperature == 0.5f && r.sampling.top_p == 0.25f &&
                r.sampling.top_k == 7 && r.sampling.min_p == 0.125f &&
                r.sampling.repetition_penalty == 2);
    assert_int_equal(r.sampling.n_bias, 2);
    assert_int_equal(r.sampling.bias_id[1], 7);
    assert_true(r.sampling.bias[0] == -100 && r.sampling.bias[1] == 1.5f);
    assert_int_equal(jv_size(r.tools), 1);
    assert_string_equal(r.tool_choice, "required");
    assert_true(jv_get_bool(jv_get(r.template_more, "think"), false));
    assert_false(r.one_call);
    openai_request_deinit(&r);

    parse(OPENAI_CHAT,
          "{" M ",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":"
          "{\"name\":\"add\"}},\"stop\":\"x\",\"temperature\":0,\"top_k\":-1,"
          "\"parallel_tool_calls\":false}",
          &r);
    assert_true(r.one_call);
    assert_string_equal(r.tool_choice, "add");
    assert_int_equal(r.n_stop, 1);
    assert_true(r.sampling.temperature == 0 && r.sampling.top_k == 0);
    openai_request_deinit(&r);

    /* null is as if it was not given; no tools are no tools */
    parse(OPENAI_CHAT,
          "{" M ",\"n\":null,\"stop\":null,\"tools\":[],\"tool_choice\":\"auto\","
          "\"temperature\":null,\"reasoning_effort\":null,\"response_format\":{\"type\":\"text\"}}",
          &r);
    assert_null(r.tools);
    assert_null(r.tool_choice);
    assert_null(r.schema);
    assert_int_equal(r.n_stop, 0);
    openai_request_deinit(&r);
}

static void formats_of_answers(void **state)
{
    struct openai_request r;

    (void)state;
    parse(OPENAI_CHAT, "{" M ",\"response_format\":{\"type\":\"json_object\"}}", &r);
    assert_string_equal(jv_get_string(jv_get(r.schema, "type"), ""), "object");
    openai_request_deinit(&r);
    parse(OPENAI_CHAT,
          "{" M ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\","
          "\"strict\":false,\"schema\":{\"type\":\"array\",\"contains\":1}}}}",
          &r);
    assert_string_equal(jv_get_string(jv_get(r.schema, "type"), ""), "array");
    openai_request_deinit(&r);
}

static void prompts_of_completions(void **state)
{
    struct openai_request r;

    (void)state;
    parse(OPENAI_COMPLETIONS, "{" P ",\"echo\":true}", &r);
    assert_int_equal(r.n_prompts, 1);
    assert_string_equal(r.prompt[0].text, "go");
    assert_int_equal(r.prompt[0].text_bytes, 2);
    assert_int_equal(r.max_tokens, 16);
    assert_true(r.echo);
    openai_request_deinit(&r);
    parse(OPENAI_COMPLETIONS,
          "{\"model\":\"m\",\"prompt\":[\"a\",\"b\"],\"n\":2,\"best_of\":2,"
          "\"logprobs\":0,\"max_tokens\":5}",
          &r);
    assert_int_equal(r.n_prompts, 2);
    assert_string_equal(r.prompt[1].text, "b");
    assert_true(r.logprobs);
    assert_int_equal(r.max_tokens, 5);
    openai_request_deinit(&r);
    parse(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,2,3]}", &r);
    assert_int_equal(r.n_prompts, 1);
    assert_null(r.prompt[0].text);
    assert_int_equal(r.prompt[0].n_ids, 3);
    assert_int_equal(r.prompt[0].ids[2], 3);
    openai_request_deinit(&r);
    parse(OPENAI_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[1,2],[3]]}", &r);
    assert_int_equal(r.n_prompts, 2);
    assert_int_equal(r.prompt[1].ids[0], 3);
    openai_request_deinit(&r);
}

static void messages(void **state)
{
    static const char *const good[] = {
        "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"developer\",\"content\":\"d\"},"
        "{\"role\":\"user\",\"content\":\"\",\"name\":\"Ann\"}]",
        "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
        "\"image_url\",\"image_url\":{\"url\":\"data:x\",\"detail\":\"low\"}}]}]",
        "[{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"annotations\":[],"
        "\"audio\":null,\"reasoning_content\":\"r\",\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"3\"}]",
        "[{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":null}]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct openai_request r;
        struct str body = STR_INIT;

        str_printf(&body, "{\"model\":\"m\",\"messages\":%s}", good[i]);
        parse(OPENAI_CHAT, str_cstr(&body), &r);
        openai_request_deinit(&r);
        str_deinit(&body);
    }
}

struct bad {
    const char *body, *param, *code;
};

static void refused(enum openai_kind kind, const struct bad *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct openai_request r;
        struct openai_error e = {.http = 0};
        struct str body = STR_INIT;
        struct json *v = NULL, *error;

        if (openai_parse(kind, b[i].body, strlen(b[i].body), &r, &e))
            fail_msg("%s was taken", b[i].body);
        if (e.http != 400 || strcmp(e.type, "invalid_request_error") != 0 ||
            strcmp(e.param, b[i].param) != 0 || !e.code || strcmp(e.code, b[i].code) != 0 ||
            !e.message[0])
            fail_msg("%s: %d %s, param \"%s\", code %s: %s", b[i].body, e.http, e.type, e.param,
                     e.code ? e.code : "-", e.message);
        openai_error_body(&e, &body);
        assert_int_equal(jv_parse(str_cstr(&body), body.len, "body", &v, NULL), STATUS_OK);
        error = jv_get(v, "error");
        assert_string_equal(jv_get_string(jv_get(error, "message"), ""), e.message);
        assert_string_equal(jv_get_string(jv_get(error, "param"), ""), e.param);
        assert_string_equal(jv_get_string(jv_get(error, "code"), ""), e.code);
        assert_int_equal(jv_kind(jv_get(error, "param")), e.param[0] ? JV_STRING : JV_NULL);
        jv_unref(v);
        str_deinit(&body);
    }
}

#define TYPE      "invalid_type"
#define VALUE     "invalid_value"
#define MISSING   "missing_required_parameter"
#define UNKNOWN   "unknown_parameter"
#define NOT       "unsupported_parameter"
#define NOT_VALUE "unsupported_value"
#define LONG      "array_above_max_length"
#define EMPTY     "empty_array"
#define ONE(m)    "{\"model\":\"m\",\"messages\":[" m "]}"
#define USER      "{\"role\":\"user\",\"content\":\"u\"}"
#define WITH(p)   "{" M "," p "}"
#define FORMAT(f) WITH("\"response_format\":" f)
#define SEVENTEEN                                                                                  \
    "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","   \
    "\"a\",\"a\""

static void chat_requests_that_are_refused(void **state)
{
    static const struct bad bad[] = {
        {"", "", "invalid_json"},
        {"{", "", "invalid_json"},
        {"[]", "", TYPE},
        {"{\"model\":\"m\",\"model\":\"m\"}", "", "invalid_json"},
        {"{\"model\":\"m\"}", "messages", MISSING},
        {"{\"messages\":[" USER "]}", "model", MISSING},
        {"{\"model\":7,\"messages\":[" USER "]}", "model", TYPE},
        {"{\"model\":\"\",\"messages\":[" USER "]}", "model", VALUE},
        {WITH("\"mesages\":1"), "mesages", UNKNOWN},
        {WITH("\"prompt\":\"x\""), "prompt", UNKNOWN},
        {WITH("\"echo\":true"), "echo", UNKNOWN},
        {WITH("\"n\":0"), "n", VALUE},
        {WITH("\"n\":17"), "n", VALUE},
        {WITH("\"n\":1.0"), "n", TYPE},
        {WITH("\"max_tokens\":0"), "max_tokens", VALUE},
        {WITH("\"max_tokens\":\"5\""), "max_tokens", TYPE},
        {WITH("\"max_tokens\":5,\"max_completion_tokens\":6"), "max_completion_tokens", VALUE},
        {WITH("\"temperature\":2.5"), "temperature", VALUE},
        {WITH("\"temperature\":-0.5"), "temperature", VALUE},
        {WITH("\"temperature\":0.00001"), "temperature", VALUE},
        {WITH("\"temperature\":\"1\""), "temperature", TYPE},
        {WITH("\"top_p\":0"), "top_p", VALUE},
        {WITH("\"top_p\":1.5"), "top_p", VALUE},
        {WITH("\"top_k\":-2"), "top_k", VALUE},
        {WITH("\"min_p\":2"), "min_p", VALUE},
        {WITH("\"repetition_penalty\":0"), "repetition_penalty", VALUE},
        {WITH("\"frequency_penalty\":0.5"), "frequency_penalty", NOT},
        {WITH("\"presence_penalty\":-0.5"), "presence_penalty", NOT},
        {WITH("\"presence_penalty\":3"), "presence_penalty", VALUE},
        {WITH("\"logit_bias\":[]"), "logit_bias", TYPE},
        {WITH("\"logit_bias\":{\"x\":1}"), "logit_bias.x", VALUE},
        {WITH("\"logit_bias\":{\"-1\":1}"), "logit_bias.-1", VALUE},
        {WITH("\"logit_bias\":{\"1\":101}"), "logit_bias.1", VALUE},
        {WITH("\"logprobs\":1"), "logprobs", TYPE},
        {WITH("\"logprobs\":true,\"top_logprobs\":2"), "top_logprobs", NOT},
        {WITH("\"top_logprobs\":21"), "top_logprobs", VALUE},
        {WITH("\"seed\":1.5"), "seed", TYPE},
        {WITH("\"stop\":7"), "stop", TYPE},
        {WITH("\"stop\":\"\""), "stop", VALUE},
        {WITH("\"stop\":[\"a\",1]"), "stop[1]", TYPE},
        {WITH("\"stop\":[" SEVENTEEN "]"), "stop", LONG},
        {WITH("\"stream\":1"), "stream", TYPE},
        {WITH("\"stream_options\":{\"include_usage\":true}"), "stream_options", VALUE},
        {WITH("\"stream\":true,\"stream_options\":{\"x\":1}"), "stream_options.x", UNKNOWN},
        {WITH("\"stream\":true,\"stream_options\":{\"include_usage\":1}"),
         "stream_options.include_usage", TYPE},
        {WITH("\"parallel_tool_calls\":0"), "parallel_tool_calls", TYPE},
        {WITH("\"reasoning_effort\":\"low\""), "reasoning_effort", NOT},
        {WITH("\"functions\":[]"), "functions", NOT},
        {WITH("\"modalities\":[\"audio\"]"), "modalities", NOT},
        {WITH("\"verbosity\":\"low\""), "verbosity", NOT},
        {WITH("\"chat_template_kwargs\":1"), "chat_template_kwargs", TYPE},
    };

    (void)state;
    refused(OPENAI_CHAT, bad, ARRAY_LEN(bad));
}

static void tools_and_formats_that_are_refused(void **state)
{
    static const struct bad bad[] = {
        {WITH("\"tool_choice\":\"required\""), "tool_choice", VALUE},
        {WITH("\"tool_choice\":\"any\""), "tool_choice", VALUE},
        {WITH("\"tool_choice\":1"), "tool_choice", TYPE},
        {WITH("\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":"
              "{\"name\":\"sub\"}}"),
         "tool_choice.function.name", VALUE},
        {WITH("\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"allowed_tools\"}"),
         "tool_choice.type", NOT_VALUE},
        {WITH("\"tools\":{}"), "tools", TYPE},
        {WITH("\"tools\":[" TOOL "," TOOL "]"), "tools[1].function.name", VALUE},
        {WITH("\"tools\":[{\"type\":\"custom\"}]"), "tools[0].type", NOT_VALUE},
        {WITH("\"tools\":[{\"function\":{\"name\":\"x\"}}]"), "tools[0].type", MISSING},
        {WITH("\"tools\":[{\"type\":\"function\"}]"), "tools[0].function", MISSING},
        {WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]"),
         "tools[0].function.name", VALUE},
        {WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":1}}]"),
         "tools[0].function.parameters", TYPE},
        {WITH("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"x\":1}}]"),
         "tools[0].function.x", UNKNOWN},
        {FORMAT("\"json\""), "response_format", TYPE},
        {FORMAT("{}"), "response_format.type", MISSING},
        {FORMAT("{\"type\":\"xml\"}"), "response_format.type", VALUE},
        {FORMAT("{\"type\":\"json_schema\"}"), "response_format.json_schema", MISSING},
        {FORMAT("{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}"),
         "response_format.json_schema.name", MISSING},
        {FORMAT("{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\"}}"),
         "response_format.json_schema.schema", MISSING},
        {FORMAT("{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"strict\":true,"
                "\"schema\":{\"contains\":1}}}"),
         "response_format.json_schema.schema", NOT_VALUE},
    };

    (void)state;
    refused(OPENAI_CHAT, bad, ARRAY_LEN(bad));
}

#define CALLS(c) ONE("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":" c "}")

static void messages_that_are_refused(void **state)
{
    static const struct bad bad[] = {
        {"{\"model\":\"m\",\"messages\":{}}", "messages", TYPE},
        {"{\"model\":\"m\",\"messages\":[]}", "messages", EMPTY},
        {ONE("7"), "messages[0]", TYPE},
        {ONE("{\"content\":\"x\"}"), "messages[0].role", MISSING},
        {ONE("{\"role\":\"function\",\"content\":\"x\"}"), "messages[0].role", VALUE},
        {ONE(USER ",{\"role\":\"user\"}"), "messages[1].content", MISSING},
        {ONE("{\"role\":\"user\",\"content\":null}"), "messages[0].content", TYPE},
        {ONE("{\"role\":\"user\",\"content\":7}"), "messages[0].content", TYPE},
        {ONE("{\"role\":\"user\",\"content\":[]}"), "messages[0].content", EMPTY},
        {ONE("{\"role\":\"user\",\"content\":\"x\",\"extra\":1}"), "messages[0].extra", UNKNOWN},
        {ONE("{\"role\":\"user\",\"content\":\"x\",\"name\":\"\"}"), "messages[0].name", VALUE},
        {ONE("{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}"),
         "messages[0].content[0].text", MISSING},
        {ONE("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}"),
         "messages[0].content[0].type", NOT_VALUE},
        {ONE("{\"role\":\"system\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
             "\"x\"}}]}"),
         "messages[0].content[0].type", VALUE},
        {ONE("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"x\"}]}"),
         "messages[0].content[0].image_url", TYPE},
        {ONE("{\"role\":\"assistant\",\"content\":null}"), "messages[0].content", VALUE},
        {ONE("{\"role\":\"assistant\",\"content\":\"x\",\"function_call\":{}}"),
         "messages[0].function_call", NOT},
        {CALLS("{}"), "messages[0].tool_calls", TYPE},
        {CALLS("[7]"), "messages[0].tool_calls[0]", TYPE},
        {CALLS("[{}]"), "messages[0].tool_calls[0].id", MISSING},
        {CALLS("[{\"id\":\"a\",\"type\":\"custom\"}]"), "messages[0].tool_calls[0].type",
         NOT_VALUE},
        {CALLS("[{\"id\":\"a\",\"type\":\"function\"}]"), "messages[0].tool_calls[0].function",
         MISSING},
        {CALLS("[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]"),
         "messages[0].tool_calls[0].function.arguments", TYPE},
        {ONE("{\"role\":\"tool\",\"content\":\"x\"}"), "messages[0].tool_call_id", MISSING},
        {ONE("{\"role\":\"tool\",\"content\":\"x\",\"tool_call_id\":\"c\"}"),
         "messages[0].tool_call_id", VALUE},
    };

    (void)state;
    refused(OPENAI_CHAT, bad, ARRAY_LEN(bad));
}

static void completions_that_are_refused(void **state)
{
    static const struct bad bad[] = {
        {"{\"model\":\"m\"}", "prompt", MISSING},
        {"{\"model\":\"m\",\"prompt\":7}", "prompt", TYPE},
        {"{\"model\":\"m\",\"prompt\":[]}", "prompt", EMPTY},
        {"{\"model\":\"m\",\"prompt\":[[]]}", "prompt[0]", EMPTY},
        {"{\"model\":\"m\",\"prompt\":[\"a\",7]}", "prompt[1]", TYPE},
        {"{\"model\":\"m\",\"prompt\":[1,\"a\"]}", "prompt", TYPE},
        {"{\"model\":\"m\",\"prompt\":[1,-1]}", "prompt", VALUE},
        {"{\"model\":\"m\",\"prompt\":[[1],[2,3.5]]}", "prompt[1]", TYPE},
        {"{" P ",\"messages\":[]}", "messages", UNKNOWN},
        {"{" P ",\"suffix\":\"x\"}", "suffix", NOT},
        {"{" P ",\"best_of\":2}", "best_of", NOT},
        {"{" P ",\"logprobs\":2}", "logprobs", NOT},
        {"{" P ",\"logprobs\":true}", "logprobs", TYPE},
        {"{" P ",\"logprobs\":0,\"echo\":true}", "logprobs", NOT},
        {"{" P ",\"tools\":[]}", "tools", UNKNOWN},
        {"{\"model\":\"m\",\"n\":16,\"prompt\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
         "\"9\"]}",
         "n", VALUE},
    };

    (void)state;
    refused(OPENAI_COMPLETIONS, bad, ARRAY_LEN(bad));
}

/* Names and texts of the request in an error never make the answer invalid. */
static void errors_quote_any_text(void **state)
{
    struct str body = STR_INIT, answer = STR_INIT;
    struct openai_request r;
    struct openai_error e;
    struct json *v = NULL;

    (void)state;
    str_puts(&body, "{" M ",\"");
    for (int i = 0; i < 50; i++)
        str_puts(&body, "\xe2\x82\xac\\\"");
    str_puts(&body, "\":1}");
    assert_false(openai_parse(OPENAI_CHAT, str_cstr(&body), body.len, &r, &e));
    assert_string_equal(e.code, UNKNOWN);
    openai_error_body(&e, &answer);
    assert_int_equal(jv_parse(str_cstr(&answer), answer.len, "answer", &v, NULL), STATUS_OK);
    jv_unref(v);
    str_deinit(&body);
    str_deinit(&answer);
}

static void a_body_has_a_limit(void **state)
{
    char *body = xmalloc(JSON_MAX_BYTES + 1);
    struct openai_request r;
    struct openai_error e;

    (void)state;
    memset(body, ' ', JSON_MAX_BYTES + 1);
    assert_false(openai_parse(OPENAI_CHAT, body, JSON_MAX_BYTES + 1, &r, &e));
    assert_int_equal(e.http, 413);
    free(body);
}

/* is_own: the message is about the request, so every caller sees it. */
static const struct call_error {
    enum status status;
    enum model_fault fault;
    bool lasting, unfit;
    int http;
    const char *type, *code;
    bool is_own;
} call_errors[] = {
    {STATUS_INVALID, 0, true, false, 400, "invalid_request_error", "invalid_value", true},
    {STATUS_INVALID, 0, true, true, 400, "invalid_request_error", "json_validate_failed", true},
    {STATUS_UNSUPPORTED, 0, true, false, 400, "invalid_request_error", "unsupported_value", true},
    {STATUS_LIMIT, 0, true, false, 400, "invalid_request_error", "context_length_exceeded", true},
    {STATUS_LIMIT, 0, false, false, 503, "server_error", "overloaded", false},
    {STATUS_BUSY, 0, false, false, 503, "server_error", "overloaded", false},
    {STATUS_NO_MEMORY, 0, false, false, 503, "server_error", "overloaded", false},
    {STATUS_CANCELLED, 0, false, false, 503, "server_error", "cancelled", false},
    {STATUS_TIMEOUT, 0, false, false, 504, "server_error", "timeout", false},
    {STATUS_DISK_FULL, 0, false, false, 507, "server_error", "disk_full", false},
    {STATUS_FAILED, 0, false, false, 500, "server_error", "internal_error", false},
    {STATUS_NOT_FOUND, 0, false, false, 500, "server_error", "internal_error", false},
    {STATUS_CONFIG, 0, true, false, 500, "server_error", "internal_error", false},
    /* of another server the fault counts, whatever the status */
    {STATUS_LIMIT, MODEL_FAULT_PROMPT, true, false, 400, "invalid_request_error",
     "context_length_exceeded", true},
    {STATUS_INVALID, MODEL_FAULT_REQUEST, true, false, 400, "invalid_request_error",
     "invalid_value", true},
    {STATUS_FAILED, MODEL_FAULT_FILTER, true, false, 400, "invalid_request_error", "content_filter",
     true},
    {STATUS_BUSY, MODEL_FAULT_RATE, false, false, 429, "rate_limit_error", "rate_limit_exceeded",
     false},
    {STATUS_NOT_FOUND, MODEL_FAULT_SETUP, true, false, 502, "server_error", "upstream_error",
     false},
    {STATUS_LIMIT, MODEL_FAULT_ANSWER, true, false, 502, "server_error", "upstream_error", false},
    {STATUS_INVALID, MODEL_FAULT_ANSWER, false, false, 502, "server_error", "upstream_error",
     false},
    {STATUS_BUSY, MODEL_FAULT_DOWN, false, false, 503, "server_error", "upstream_unavailable",
     false},
    {STATUS_TIMEOUT, MODEL_FAULT_LATE, false, false, 504, "server_error", "upstream_timeout",
     false},
};

static void errors_of_calls(void **state)
{
    struct chat_result r;
    struct openai_error e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(call_errors); i++) {
        const struct call_error *c = &call_errors[i];

        memset(&r, 0, sizeof(r));
        r.status = error_set(&r.err, c->status, "at /home/me/model");
        r.fault = c->fault;
        r.not_retryable = c->lasting;
        r.unfit = c->unfit;
        r.retry_after_ms = 1500;
        openai_error_of(&r, NULL, &e);
        assert_int_equal(e.http, c->http);
        assert_string_equal(e.type, c->type);
        assert_string_equal(e.code, c->code);
        assert_string_equal(e.message, "at /home/me/model");
        assert_int_equal(e.retry_after_ms, c->http == 429 || c->http >= 500 ? 1500 : 0);
        assert_int_equal(e.lasts, c->http >= 500 && c->lasting);
        openai_error_of(&r, "12ab", &e);
        assert_int_equal(e.http, c->http);
        assert_string_equal(e.code, c->code);
        assert_int_equal(strstr(e.message, "/home/me") != NULL, c->is_own);
        assert_int_equal(strstr(e.message, "(request 12ab)") != NULL, !c->is_own);
    }
}

static void other_errors(void **state)
{
    struct chat_result r;
    struct openai_error e;

    (void)state;
    memset(&r, 0, sizeof(r));
    r.status = STATUS_LIMIT;
    r.not_retryable = true;
    r.n_prompt = 6030;
    r.n_context = 2048;
    openai_error_of(&r, "12ab", &e);
    assert_int_equal(e.http, 400);
    assert_string_equal(e.code, "context_length_exceeded");
    assert_non_null(strstr(e.message, "6030"));
    /* the words by which clients know this error when they do not read its code */
    assert_non_null(strstr(e.message, "maximum context length is"));
    assert_non_null(strstr(e.message, "2048"));
    assert_false(openai_fail(&e, 401, "invalid_api_key", NULL, "wrong key"));
    assert_string_equal(e.type, "authentication_error");
    assert_false(openai_fail(&e, 404, "model_not_found", "model", "there is no model %s", "x"));
    assert_string_equal(e.type, "invalid_request_error");
    assert_string_equal(e.param, "model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_parameters),
        cmocka_unit_test(formats_of_answers),
        cmocka_unit_test(prompts_of_completions),
        cmocka_unit_test(messages),
        cmocka_unit_test(chat_requests_that_are_refused),
        cmocka_unit_test(tools_and_formats_that_are_refused),
        cmocka_unit_test(messages_that_are_refused),
        cmocka_unit_test(completions_that_are_refused),
        cmocka_unit_test(errors_quote_any_text),
        cmocka_unit_test(a_body_has_a_limit),
        cmocka_unit_test(errors_of_calls),
        cmocka_unit_test(other_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
