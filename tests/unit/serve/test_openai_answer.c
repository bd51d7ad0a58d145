/* test_openai_answer.c - answers and chunks, read back as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/openai.h"
#include "tests/unit/agents/agent_fixture.h"

static struct openai_head head_of(enum openai_kind kind)
{
    struct openai_head h = {.kind = kind, .model = "m \"1\"", .created_s = 1700000000};
    struct model_info info = {.hash = {{0xab, 0xcd, 0xef, 1, 2, 3}}};

    openai_make_id(&h, 0x12, 0xff);
    openai_make_fingerprint(&h, &info);
    return h;
}

/* The same JSON, whatever the order of members and blanks. */
static void assert_json(struct str *got, const char *want)
{
    struct json *a = NULL, *b = fixture_json(want);
    struct error err = ERROR_INIT;

    assert_true(str_ok(got));
    if (jv_parse(str_cstr(got), got->len, "answer", &a, &err))
        fail_msg("%s: %s in %s", err.where, err.message, str_cstr(got));
    if (!jv_equal(a, b))
        fail_msg("%s\nis not\n%s", str_cstr(got), want);
    jv_unref(a);
    jv_unref(b);
    str_deinit(got);
}

#define ID   "\"id\":\"chatcmpl-000000000000001200000000000000ff\","
#define T_ID "\"id\":\"cmpl-000000000000001200000000000000ff\",\"object\":\"text_completion\","
#define REST                                                                                       \
    "\"created\":1700000000,\"model\":\"m \\\"1\\\"\",\"system_fingerprint\":\"fp_abcdef0102\","
#define USAGE                                                                                      \
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"                 \
    "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"               \
    "{\"reasoning_tokens\":2}}"
#define CALLS                                                                                      \
    "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"

static const struct model_usage usage = {
    .prompt = 10, .cached = 4, .completion = 5, .reasoning = 2};

static void whole_answers(void **state)
{
    struct json *calls = fixture_json(CALLS);
    struct openai_choice c[2] = {
        {.content = "a\n\"\x01\xe2\x82\xac", .content_bytes = 7, .finish = FINISH_LENGTH},
        {.index = 1,
         .reasoning = "why",
         .reasoning_bytes = 3,
         .tool_calls = calls,
         .has_calls = true,
         .finish = FINISH_STOP}};
    struct openai_head h = head_of(OPENAI_CHAT);
    struct str out = STR_INIT;

    (void)state;
    openai_answer(&h, c, 2, &usage, &out);
    assert_json(&out,
                "{" ID "\"object\":\"chat.completion\"," REST
                "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
                "\"a\\n\\\"\\u0001\u20ac\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":"
                "\"length\"},{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":null,"
                "\"refusal\":null,\"reasoning_content\":\"why\",\"tool_calls\":" CALLS
                "},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]," USAGE "}");
    h = head_of(OPENAI_COMPLETIONS);
    c[0].finish = FINISH_STOP;
    openai_answer(&h, c, 1, &usage, &out);
    assert_json(&out, "{" T_ID REST "\"choices\":[{\"index\":0,\"text\":\"a\\n\\\"\\u0001\u20ac\","
                      "\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE "}");
    jv_unref(calls);
}

static void chunks_of_a_stream_begin_as_others_do(void **state)
{
    struct openai_choice c = {.content = "x", .content_bytes = 1};

    (void)state;
    for (int kind = OPENAI_CHAT; kind <= OPENAI_COMPLETIONS; kind++) {
        struct openai_head h = head_of((enum openai_kind)kind);
        struct str alone = STR_INIT, ready = STR_INIT;

        h.chunk = STR_INIT;
        openai_chunk(&h, &c, &alone);
        openai_usage_chunk(&h, &usage, &alone);
        openai_head_ready(&h);
        openai_chunk(&h, &c, &ready);
        openai_usage_chunk(&h, &usage, &ready);
        assert_string_equal(str_cstr(&ready), str_cstr(&alone));
        openai_head_deinit(&h);
        str_deinit(&alone);
        str_deinit(&ready);
    }
}

/* parallel_tool_calls is false: a client that asked for one call gets one. */
static void of_two_calls_one_can_be_given(void **state)
{
    struct json *calls = fixture_json(
        "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
        "{\"id\":\"d\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]");
    struct openai_choice c = {
        .tool_calls = calls, .has_calls = true, .ends = true, .finish = FINISH_STOP};
    struct openai_head h = head_of(OPENAI_CHAT);

    (void)state;
    for (int chunk = 0; chunk < 2; chunk++) {
        struct str both = STR_INIT, one = STR_INIT;

        for (int i = 0; i < 2; i++) {
            c.one_call = i == 1;
            if (chunk)
                openai_chunk(&h, &c, i == 0 ? &both : &one);
            else
                openai_answer(&h, &c, 1, &usage, i == 0 ? &both : &one);
        }
        assert_non_null(strstr(str_cstr(&both), "\"name\":\"g\""));
        assert_non_null(strstr(str_cstr(&one), "\"name\":\"f\""));
        assert_null(strstr(str_cstr(&one), "\"name\":\"g\""));
        str_deinit(&both);
        str_deinit(&one);
    }
    jv_unref(calls);
}

#define CHUNK "{" ID "\"object\":\"chat.completion.chunk\"," REST "\"choices\":["

static void chunks(void **state)
{
    struct json *calls = fixture_json(CALLS);
    struct openai_choice c = {.begins = true};
    struct openai_head h = head_of(OPENAI_CHAT);
    struct str out = STR_INIT;

    (void)state;
    openai_chunk(&h, &c, &out);
    assert_json(&out, CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                            "\"logprobs\":null,\"finish_reason\":null}]}");
    h.include_usage = true;
    c = (struct openai_choice){.index = 2, .content = "xyz", .content_bytes = 2};
    openai_chunk(&h, &c, &out);
    assert_json(&out, CHUNK "{\"index\":2,\"delta\":{\"content\":\"xy\"},\"logprobs\":null,"
                            "\"finish_reason\":null}],\"usage\":null}");
    c = (struct openai_choice){.reasoning = "so", .reasoning_bytes = 2};
    openai_chunk(&h, &c, &out);
    assert_json(&out, CHUNK "{\"index\":0,\"delta\":{\"reasoning_content\":\"so\"},"
                            "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}");
    c = (struct openai_choice){
        .tool_calls = calls, .ends = true, .has_calls = true, .finish = FINISH_STOP};
    openai_chunk(&h, &c, &out);
    assert_json(&out, CHUNK "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","
                            "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                            "\"{}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],"
                            "\"usage\":null}");
    c = (struct openai_choice){.ends = true, .finish = FINISH_STOP};
    openai_chunk(&h, &c, &out);
    assert_json(&out, CHUNK "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
                            "\"stop\"}],\"usage\":null}");
    openai_usage_chunk(&h, &usage, &out);
    assert_json(&out, CHUNK "]," USAGE "}");
    h = head_of(OPENAI_COMPLETIONS);
    c = (struct openai_choice){.content = "t", .content_bytes = 1};
    openai_chunk(&h, &c, &out);
    assert_json(&out, "{" T_ID REST "\"choices\":[{\"index\":0,\"text\":\"t\",\"logprobs\":null,"
                      "\"finish_reason\":null}]}");
    jv_unref(calls);
}

/* ---- log-probs, of a call that was played */

static void say(struct fake_model *m, const char *context, const struct model_call *c,
                struct str *out)
{
    (void)m;
    (void)context;
    (void)c;
    str_puts(out, "a\xe2\x82\xac<|end|>");
}

static void on_done(void *ctx, struct chat_call *c)
{
    *(struct chat_call **)ctx = c;
}

/* Lists of numbers are compared with those of the call. */
static void assert_numbers(const struct json *list, const float *want, size_t n)
{
    assert_int_equal(jv_size(list), n);
    for (size_t i = 0; i < n; i++)
        assert_true((float)jv_get_number(jv_at(list, i), 1) == want[i]);
}

static void check_chat_logprobs(const struct json *answer, const struct chat_result *r)
{
    static const char *const token[] = {"a", "\xef\xbf\xbd", "\xef\xbf\xbd", "\xef\xbf\xbd"};
    static const int byte[] = {'a', 0xe2, 0x82, 0xac};
    const struct json *list =
        jv_get(jv_get(jv_at(jv_get(answer, "choices"), 0), "logprobs"), "content");

    assert_int_equal(jv_size(list), 4); /* without the end token */
    for (size_t i = 0; i < 4; i++) {
        const struct json *t = jv_at(list, i);

        assert_string_equal(jv_get_string(jv_get(t, "token"), ""), token[i]);
        assert_int_equal(jv_size(jv_get(t, "bytes")), 1);
        assert_int_equal(jv_get_int(jv_at(jv_get(t, "bytes"), 0), -1), byte[i]);
        assert_true((float)jv_get_number(jv_get(t, "logprob"), 1) == r->logp[i]);
        assert_int_equal(jv_kind(jv_get(t, "top_logprobs")), JV_ARRAY);
    }
}

static void check_text_logprobs(const struct json *answer, const struct chat_result *r)
{
    static const int64_t offset[] = {0, 1, 2, 2};
    const struct json *v = jv_get(jv_at(jv_get(answer, "choices"), 0), "logprobs");

    assert_int_equal(jv_size(jv_get(v, "tokens")), 4);
    assert_numbers(jv_get(v, "token_logprobs"), r->logp, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(jv_get_int(jv_at(jv_get(v, "text_offset"), i), -1), offset[i]);
}

static void log_probs(void **state)
{
    struct agent_host_options o = {.seams = seams_real()};
    struct json *messages = fixture_json("[{\"role\":\"user\",\"content\":\"hi\"}]"), *v;
    struct chat_call *c = NULL, *done = NULL;
    struct openai_choice choice;
    struct agent_host *host;
    struct fake_model m;
    struct chat_call_spec spec = {.model = &m.model,
                                  .messages = messages,
                                  .sampling = SAMPLING_DEFAULT,
                                  .ctx = &done,
                                  .on_done = on_done};

    (void)state;
    fake_model_init(&m, NULL, say);
    assert_ok(agent_host_new(&o, &host, why));
    assert_ok(chat_call_start(host, &spec, &c, why));
    while (!done)
        agent_host_poll(host, 10);
    openai_choice_of(c, 3, true, &choice);
    assert_int_equal(choice.index, 3);
    assert_string_equal(choice.content, "a\xe2\x82\xac");
    for (int kind = OPENAI_CHAT; kind <= OPENAI_COMPLETIONS; kind++) {
        struct openai_head h = head_of((enum openai_kind)kind);
        struct str out = STR_INIT;

        openai_answer(&h, &choice, 1, &usage, &out);
        assert_ok(jv_parse(str_cstr(&out), out.len, "answer", &v, why));
        if (kind == OPENAI_CHAT)
            check_chat_logprobs(v, chat_call_result(c));
        else
            check_text_logprobs(v, chat_call_result(c));
        jv_unref(v);
        str_deinit(&out);
    }
    chat_call_free(c);
    agent_host_free(host);
    fake_model_deinit(&m);
    jv_unref(messages);
}

static void usage_of_several_choices(void **state)
{
    struct model_usage sum = {0};

    (void)state;
    openai_usage_add(&sum, &usage, false);
    openai_usage_add(&sum, &usage, true);
    assert_int_equal(sum.prompt, 10);
    assert_int_equal(sum.cached, 4);
    assert_int_equal(sum.completion, 10);
    assert_int_equal(sum.reasoning, 4);
    assert_string_equal(openai_finish(FINISH_LENGTH, true), "length");
    assert_string_equal(openai_finish(FINISH_STOP, true), "tool_calls");
    assert_string_equal(openai_finish(FINISH_STOP, false), "stop");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(chunks_of_a_stream_begin_as_others_do),
        cmocka_unit_test(of_two_calls_one_can_be_given),
        cmocka_unit_test(chunks),
        cmocka_unit_test(log_probs),
        cmocka_unit_test(usage_of_several_choices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
