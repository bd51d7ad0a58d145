/* The bodies of requests, byte by byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/remote/chat_request.h"
#include "runtime/base/memory.h"

struct bench {
    struct remote_spec spec;
    struct model_call call;
    struct json *owned[4];
    int32_t ids[8];
    float logp[8];
};

static struct json *parse(struct bench *b, const char *text)
{
    struct error err = ERROR_INIT;
    size_t i = 0;

    while (b->owned[i])
        i++;
    if (jv_parse(text, strlen(text), "test", &b->owned[i], &err))
        fail_msg("%s", err.message);
    return b->owned[i];
}

static void begin(struct bench *b)
{
    static char model[] = "m";

    *b = (struct bench){.spec = {.model = model, .stream = true},
                        .call = {.max_tokens = 100, .sampling = SAMPLING_DEFAULT}};
    b->call.messages = parse(b, "[{\"role\":\"user\",\"content\":\"hi\"}]");
}

static void end(struct bench *b)
{
    for (size_t i = 0; i < ARRAY_LEN(b->owned); i++)
        jv_unref(b->owned[i]);
}

static void expect(struct bench *b, bool no_ids, const char *body)
{
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;

    if (chat_request_write(&b->spec, &b->call, no_ids, &out, &err))
        fail_msg("%s", err.message);
    assert_string_equal(str_cstr(&out), body);
    str_deinit(&out);
}

#define HEAD   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
#define STREAM "\"stream\":true,\"stream_options\":{\"include_usage\":true},"

static void the_least(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    expect(&b, false, HEAD STREAM "\"max_tokens\":100}");
    b.spec.stream = false;
    b.spec.max_completion_tokens = true;
    expect(&b, false, HEAD "\"stream\":false,\"max_completion_tokens\":100}");
    end(&b);
}

static void messages_in_the_shape_of_openai(void **state)
{
    static const char said[] =
        "[{\"role\":\"system\",\"content\":\"be\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":"
        "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}]},"
        "{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"hm\",\"tool_calls\":[{"
        "\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"content\":\"3\",\"tool_call_id\":\"a\",\"name\":\"f\"},"
        "{\"role\":\"assistant\",\"content\":\"\"}]";
    static const char plain[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"be\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":"
        "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}]},"
        "{\"role\":\"assistant\",\"content\":null,%s\"tool_calls\":[{"
        "\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"content\":\"3\",\"tool_call_id\":\"a\",\"name\":\"f\"},"
        "{\"role\":\"assistant\",\"content\":\"\"}]," STREAM "\"max_tokens\":100}";
    static const char *const given[] = {
        [REMOTE_REASONING_NONE] = "",
        [REMOTE_REASONING_CONTENT] = "\"reasoning_content\":\"hm\",",
        [REMOTE_REASONING_PLAIN] = "\"reasoning\":\"hm\",",
    };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct str body = STR_INIT;
        const char *at = strstr(plain, "%s");
        struct bench b;

        begin(&b);
        b.call.messages = parse(&b, said);
        b.spec.reasoning = (enum remote_reasoning)i;
        str_append(&body, plain, (size_t)(at - plain));
        str_puts(&body, given[i]);
        str_puts(&body, at + 2);
        expect(&b, false, str_cstr(&body));
        str_deinit(&body);
        end(&b);
    }
}

#define TOOL(parameters, more)                                                                     \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":" parameters more "}}"
#define OPEN "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}}}"
#define CLOSED                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}},\"required\":[\"x\"],"     \
    "\"additionalProperties\":false}"

static void tools_and_what_is_asked_of_them(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    b.call.tools = parse(&b, "[" TOOL(OPEN, "") "," TOOL(CLOSED, "") "]");
    expect(&b, false,
           HEAD "\"tools\":[" TOOL(OPEN, "") "," TOOL(CLOSED, "") "]," STREAM
                                                                  "\"max_tokens\":100}");
    b.call.tool_choice = "required";
    b.spec.strict_schema = true;
    expect(&b, false,
           HEAD "\"tools\":[" TOOL(OPEN, "") "," TOOL(
               CLOSED, ",\"strict\":true") "],\"tool_choice\":\"required\"," STREAM
                                           "\"max_tokens\":100}");
    b.call.tool_choice = "f";
    b.spec.strict_schema = false;
    expect(&b, false,
           HEAD "\"tools\":[" TOOL(OPEN, "") "," TOOL(
               CLOSED,
               "") "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}," STREAM
                   "\"max_tokens\":100}");
    end(&b);
}

static void a_schema_is_sent_where_the_server_enforces_it(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    b.call.response_schema = parse(&b, CLOSED);
    expect(&b, false, HEAD STREAM "\"max_tokens\":100}"); /* else the agent checks */
    b.spec.strict_schema = true;
    expect(&b, false,
           HEAD "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
                "\"answer\",\"schema\":" CLOSED ",\"strict\":true}}," STREAM "\"max_tokens\":100}");
    b.call.response_schema = parse(&b, OPEN);
    expect(&b, false,
           HEAD "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
                "\"answer\",\"schema\":" OPEN ",\"strict\":false}}," STREAM "\"max_tokens\":100}");
    end(&b);
}

static void sampling_is_sent_where_it_is_not_the_default(void **state)
{
    static const char *const stop[] = {"\n\n", "END"};
    static const int32_t id[] = {5, 70};
    static const float bias[] = {-1.5f, 2};
    struct bench b;

    (void)state;
    begin(&b);
    b.call.sampling = (struct sampling){.temperature = 0.7f,
                                        .top_p = 0.9f,
                                        .min_p = 0.05f,
                                        .top_k = 40,
                                        .repetition_penalty = 1.1f,
                                        .n_bias = 2,
                                        .bias_id = id,
                                        .bias = bias};
    b.call.stop_text = stop;
    b.call.n_stop_text = 2;
    expect(&b, false,
           HEAD STREAM "\"max_tokens\":100,\"temperature\":0.7,\"top_p\":0.9,\"top_k\":40,"
                       "\"min_p\":0.05,\"repetition_penalty\":1.1,\"logit_bias\":{\"5\":-1.5,"
                       "\"70\":2.0},\"stop\":[\"\\n\\n\",\"END\"]}");
    b.call.sampling = SAMPLING_DEFAULT;
    b.call.sampling.temperature = 0;
    b.call.n_stop_text = 0;
    expect(&b, false, HEAD STREAM "\"max_tokens\":100,\"temperature\":0.0}");
    end(&b);
}

static int64_t seed_in(struct bench *b)
{
    struct str out = STR_INIT;
    struct json *v = NULL;
    int64_t seed;

    assert_int_equal(chat_request_write(&b->spec, &b->call, false, &out, NULL), STATUS_OK);
    assert_int_equal(jv_parse(str_cstr(&out), out.len, "body", &v, NULL), STATUS_OK);
    seed = jv_get_int(jv_get(v, "seed"), -1);
    jv_unref(v);
    str_deinit(&out);
    return seed;
}

static void a_seed_is_of_the_call(void **state)
{
    struct bench b;
    int64_t first;

    (void)state;
    begin(&b);
    assert_int_equal(seed_in(&b), -1);
    b.call.seed = UINT64_MAX;
    b.call.call_id = 1;
    first = seed_in(&b);
    assert_in_range(first, 0, INT32_MAX);
    assert_int_equal(seed_in(&b), first);
    b.call.call_id = 2;
    assert_int_not_equal(seed_in(&b), first);
    end(&b);
}

static void the_operators_members_replace_and_remove(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    b.spec.body = parse(&b, "{\"max_tokens\":null,\"stream_options\":null,\"temperature\":1.0,"
                            "\"chat_template_kwargs\":{\"enable_thinking\":false}}");
    expect(&b, false,
           HEAD "\"stream\":true,\"temperature\":1.0,\"chat_template_kwargs\":{"
                "\"enable_thinking\":false}}");
    b.spec.body = NULL;
    end(&b);
}

#define ALL                                                                                        \
    "\"max_tokens\":100,\"temperature\":1.0,\"top_p\":1.0,\"top_k\":-1,\"min_p\":0.0,"             \
    "\"repetition_penalty\":1.0,\"logprobs\":true,\"return_token_ids\":true"

static void token_ids_are_asked_for_with_all_of_the_sampling(void **state)
{
    struct bench b;

    (void)state;
    begin(&b);
    b.spec.ids = REMOTE_IDS_VLLM;
    expect(&b, false, HEAD STREAM "\"max_tokens\":100}"); /* the call has no buffers */
    b.call.ids = b.ids;
    b.call.logp = b.logp;
    expect(&b, false, HEAD STREAM ALL "}");
    expect(&b, true, HEAD STREAM "\"max_tokens\":100}");
    b.spec.ids = REMOTE_IDS_SGLANG;
    expect(&b, false, HEAD "\"stream\":false," ALL ",\"return_prompt_token_ids\":true}");
    b.spec.ids = REMOTE_IDS_VLLM; /* vLLM loses ids of streamed tool calls */
    b.call.tools = parse(&b, "[" TOOL(OPEN, "") "]");
    expect(&b, false, HEAD "\"tools\":[" TOOL(OPEN, "") "],\"stream\":false," ALL "}");
    b.call.tools = NULL;
    b.call.sampling.temperature = 0.5f; /* the log-probs would be of temperature 1 */
    expect(&b, false, HEAD STREAM "\"max_tokens\":100,\"temperature\":0.5}");
    end(&b);
}

static void what_cannot_be_asked_is_an_error(void **state)
{
    static const int32_t id[] = {1};
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    struct bench b;

    (void)state;
    begin(&b);
    b.call.stop_id = id;
    b.call.n_stop_id = 1;
    assert_int_equal(chat_request_write(&b.spec, &b.call, false, &out, &err), STATUS_UNSUPPORTED);
    b.call.n_stop_id = 0;
    b.call.tool_choice = "required";
    assert_int_equal(chat_request_write(&b.spec, &b.call, false, &out, &err), STATUS_INVALID);
    b.call.tool_choice = NULL;
    b.call.messages = NULL;
    assert_int_equal(chat_request_write(&b.spec, &b.call, false, &out, &err), STATUS_INVALID);
    assert_int_equal(out.len, 0);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least),
        cmocka_unit_test(messages_in_the_shape_of_openai),
        cmocka_unit_test(tools_and_what_is_asked_of_them),
        cmocka_unit_test(a_schema_is_sent_where_the_server_enforces_it),
        cmocka_unit_test(sampling_is_sent_where_it_is_not_the_default),
        cmocka_unit_test(a_seed_is_of_the_call),
        cmocka_unit_test(the_operators_members_replace_and_remove),
        cmocka_unit_test(token_ids_are_asked_for_with_all_of_the_sampling),
        cmocka_unit_test(what_cannot_be_asked_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
