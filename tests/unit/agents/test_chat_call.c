/* test_chat_call.c - one chat completion on a model that takes ids and says what the test wants:
 * prompts, and what becomes of a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/agents/chat_bench.h"

#define CALL "<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":1}}</tool_call>"

static void a_reply_is_split(void **state)
{
    static const struct {
        const char *says, *content, *reasoning, *calls;
        bool tools, think;
    } cases[] = {
        {"hello<|end|>", "hello", NULL, NULL, false, false},
        {" caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \n<|end|>",
         "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", NULL, NULL, false, false},
        {"a\xff z\xe2\x82<|end|>", "a\xef\xbf\xbd z\xef\xbf\xbd", NULL, NULL, false, false},
        {"<think>\nso\n</think>\n\nyes<|end|>", "yes", "so", NULL, false, false},
        {"so\n</think>\n\nyes<|end|>", "yes", "so", NULL, false, true},
        {"<think></think>yes<|end|>", "yes", NULL, NULL, false, false},
        {"a</think>b<|end|>", "ab", NULL, NULL, false, false},
        {"I add. " CALL "<|end|>", "I add.", NULL, "[\"add\",\"{\\\"a\\\":1}\"]", true, false},
        {CALL "<|end|>", NULL, NULL, "[\"add\",\"{\\\"a\\\":1}\"]", true, false},
        {"x</think>" CALL "\n" CALL "<|end|>", NULL, "x",
         "[\"add\",\"{\\\"a\\\":1}\",\"add\",\"{\\\"a\\\":1}\"]", true, true},
        {CALL "<|end|>", CALL, NULL, NULL, false, false}, /* no tools: it is text */
        {"so <tool_call>{\"name\":</tool_call>.<|end|>", "so .\n<tool_call>{\"name\":</tool_call>",
         NULL, NULL, true, false},
        {"<|end|>", "", NULL, NULL, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int stream = 0; stream < 2; stream++) {
            struct chat_bench b;
            struct json *calls = jv_array();
            char *text;

            chat_bench_init(&b, HELLO, cases[i].tools ? TOOLS : NULL);
            b.t.spec.template_more = cases[i].think ? b.more : NULL;
            b.says = cases[i].says;
            talk_run(&b.t, stream);
            if (b.t.r.status)
                fail_msg("case %zu: %s", i, b.t.r.err.message);
            for (size_t k = 0; k < jv_size(b.t.r.tool_calls); k++) {
                const struct json *call = jv_at(b.t.r.tool_calls, k);
                char id[48];

                (void)snprintf(id, sizeof(id), "call_00000000000000ab_%zu", k);
                assert_string_equal(jv_get_string(jv_get(call, "id"), ""), id);
                assert_string_equal(jv_get_string(jv_get(call, "type"), ""), "function");
                call = jv_get(call, "function");
                jv_append_adopt(calls, jv_ref(jv_get(call, "name")));
                jv_append_adopt(calls, jv_ref(jv_get(call, "arguments")));
            }
            text = jv_dump(calls);
            assert_string_equal(text, cases[i].calls ? cases[i].calls : "[]");
            assert_int_equal(b.t.r.has_calls, cases[i].calls != NULL);
            assert_int_equal(b.t.r.content == NULL, cases[i].content == NULL);
            assert_string_equal(b.t.r.content ? b.t.r.content : "",
                                cases[i].content ? cases[i].content : "");
            assert_int_equal(b.t.r.reasoning == NULL, cases[i].reasoning == NULL);
            assert_string_equal(b.t.r.reasoning ? b.t.r.reasoning : "",
                                cases[i].reasoning ? cases[i].reasoning : "");
            assert_int_equal(b.t.r.finish, FINISH_STOP);
            free(text);
            jv_unref(calls);
            talk_end(&b.t);
            chat_bench_deinit(&b);
        }
}

static void stop_texts_end_the_text(void **state)
{
    static const struct {
        const char *says, *stop[2], *content;
        enum model_finish finish;
    } cases[] = {
        {"one two\n\nUser: x", {"\n\nUser:", NULL}, "one two", FINISH_STOP},
        {"one two\n\nUse no", {"\n\nUser:", NULL}, "one two\n\nUse no", FINISH_LENGTH},
        {"\xe2\x82\xac\xe2\x82\xad!", {"\xe2\x82\xad", NULL}, "\xe2\x82\xac", FINISH_STOP},
        {"<think>a STOP b</think>c", {"STOP", NULL}, "", FINISH_STOP},
        {"aab", {"b", "ab"}, "a", FINISH_STOP},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int stream = 0; stream < 2; stream++) {
            struct chat_bench b;

            chat_bench_init(&b, HELLO, NULL);
            b.says = cases[i].says;
            b.t.spec.stop = cases[i].stop;
            b.t.spec.n_stop = cases[i].stop[1] ? 2 : 1;
            talk_run(&b.t, stream);
            assert_string_equal(b.t.r.content, cases[i].content);
            assert_int_equal(b.t.r.finish, cases[i].finish);
            talk_end(&b.t);
            chat_bench_deinit(&b);
        }
}

/* Neither users, tools nor the system text of a request end a turn. */
static void special_tokens_of_users_are_text(void **state)
{
    static const char *const messages[] = {
        "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"},"
        "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"t\"}]",
        "[{\"role\":\"system\",\"content\":\"s<|end|>\"},{\"role\":\"user\",\"content\":"
        "\"<|bos|>u<|end|>\"},{\"role\":\"assistant\",\"content\":\"a<|end|>\"},"
        "{\"role\":\"tool\",\"content\":[{\"type\":\"text\",\"text\":\"<|end|><|\"},"
        "{\"type\":\"text\",\"text\":\"bos|>\"}]}]"};
    int32_t n[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct chat_bench b;

        chat_bench_init(&b, messages[i],
                        i ? "[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                            "\"description\":\"<|end|>\"}}]"
                          : NULL);
        b.says = "ok<|end|>";
        talk_run(&b.t, false);
        assert_int_equal(b.t.r.status, STATUS_OK);
        n[i] = b.n_special;
        talk_end(&b.t);
        if (i) /* they are there, as text */
            assert_non_null(strstr(str_cstr(&b.asked), "<|bos|>user\n<|bos|>u<|end|><|end|>"));
        chat_bench_deinit(&b);
    }
    assert_int_equal(n[0], 9); /* of the template alone */
    assert_int_equal(n[1], n[0]);
}

static void messages_that_templates_do_not_know(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(
        &b,
        "[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"assistant\",\"content\":"
        "null},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},"
        "{\"type\":\"text\",\"text\":\"y\"}]}]",
        NULL);
    b.says = "ok<|end|>";
    talk_run(&b.t, false);
    assert_string_equal(str_cstr(&b.asked), "<|bos|>system\nd<|end|><|bos|>assistant\n<|end|>"
                                            "<|bos|>user\nxy<|end|><|bos|>assistant\n");
    talk_end(&b.t);
    chat_bench_deinit(&b);
    chat_bench_init(
        &b,
        "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"x\"}}]}]",
        NULL);
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    assert_non_null(strstr(b.t.r.err.message, "image_url"));
    assert_int_equal(b.m.n_calls, 0);
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void a_prompt_that_does_not_fit(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.m.model.info.context = 20;
    b.says = "x<|end|>";
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_LIMIT);
    assert_int_equal(b.t.r.n_prompt, 23);
    assert_int_equal(b.t.r.n_context, 20);
    assert_true(b.t.r.not_retryable);
    assert_int_equal(b.m.n_calls, 0);
    talk_end(&b.t);
    /* One place is left for the reply. */
    b.m.model.info.context = 24;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_OK);
    assert_int_equal(b.t.r.finish, FINISH_LENGTH);
    assert_string_equal(b.t.r.content, "x");
    assert_int_equal(b.t.r.n_prompt, 0);
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void max_tokens_limits_the_reply(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = "abcdef<|end|>";
    b.t.spec.max_tokens = 3;
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "abc");
    assert_int_equal(b.t.r.finish, FINISH_LENGTH);
    assert_int_equal(b.t.r.n_ids, 3);
    talk_end(&b.t);
    b.t.spec.max_tokens = 1 << 30; /* more than fits */
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "abcdef");
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void tools_may_be_left_out_but_not_forced(void **state)
{
    static const char *const choices[] = {NULL, "none", "required", "add"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct chat_bench b;

        chat_bench_init(&b, HELLO, TOOLS);
        b.says = CALL "<|end|>";
        b.t.spec.tool_choice = choices[i];
        talk_run(&b.t, false);
        if (i < 2) {
            assert_int_equal(b.t.r.status, STATUS_OK);
            assert_int_equal(b.t.r.has_calls, i == 0);
            assert_int_equal(strstr(str_cstr(&b.asked), "TOOLS") != NULL, i == 0);
        } else {
            assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
            assert_non_null(strstr(b.t.r.err.message, choices[i]));
            assert_int_equal(b.m.n_calls, 0);
        }
        talk_end(&b.t);
        chat_bench_deinit(&b);
    }
}

static void a_schema_is_asked_for_and_checked(void **state)
{
    static const struct {
        const char *says, *content; /* NULL: it does not fit */
        int32_t max_tokens;
    } cases[] = {
        {" {\"a\": 1} <|end|>", "{\"a\": 1}", 0},
        {"Here:\n```json\n{\"a\": 2}\n```\n<|end|>", "{\"a\": 2}", 0},
        {"{\"a\": 3, \"b\": \"```\\n```\"}<|end|>", "{\"a\": 3, \"b\": \"```\\n```\"}", 0},
        {"{\"a\": \"one\"}<|end|>", NULL, 0},
        {"no JSON<|end|>", NULL, 0},
        {"{\"a\": 1}", "{\"a\"", 4}, /* cut: as it is */
    };
    struct json *schema = fixture_json("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                                       "\"integer\"}},\"required\":[\"a\"],\"unknown\":1}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chat_bench b;

        chat_bench_init(&b, HELLO, NULL);
        b.says = cases[i].says;
        b.t.spec.schema = schema;
        b.t.spec.max_tokens = cases[i].max_tokens;
        talk_run(&b.t, true);
        assert_non_null(strstr(str_cstr(&b.asked), "hello\n\nThe final answer must be one JSON"));
        if (cases[i].content) {
            assert_int_equal(b.t.r.status, STATUS_OK);
            assert_string_equal(b.t.r.content, cases[i].content);
            assert_int_equal(b.t.n_pieces, 1);
        } else {
            assert_int_equal(b.t.r.status, STATUS_INVALID);
            assert_true(b.t.r.unfit);
            assert_non_null(strstr(b.t.r.err.message, "does not fit the schema"));
            assert_int_equal(b.t.n_pieces, 0);
        }
        talk_end(&b.t);
        chat_bench_deinit(&b);
    }
    jv_unref(schema);
}

static void a_prompt_is_continued(void **state)
{
    static const int32_t ids[] = {'h', 'i'};
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = " <think>x</think> <tool_call> \n<|end|>"; /* nothing is split, nothing trimmed */
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "<|bos|>go";
    b.t.spec.prompt_bytes = 9;
    talk_run(&b.t, true);
    assert_int_equal(b.n_special, 1);
    assert_string_equal(b.t.r.content, " <think>x</think> <tool_call> \n");
    talk_end(&b.t);
    b.t.spec.echo = true;
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "<|bos|>go <think>x</think> <tool_call> \n");
    talk_end(&b.t);
    b.t.spec.prompt = NULL;
    b.t.spec.prompt_ids = ids;
    b.t.spec.n_prompt_ids = 2;
    talk_run(&b.t, false);
    assert_string_equal(str_cstr(&b.asked), "hi");
    assert_string_equal(b.t.r.content, "hi <think>x</think> <tool_call> \n");
    talk_end(&b.t);
    b.t.spec.n_prompt_ids = 0;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_INVALID);
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void the_tokens_of_a_reply(void **state)
{
    struct chat_bench b;
    struct str text = STR_INIT;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = "<think>a</think>bc<|end|>";
    b.t.spec.wants_logprobs = true;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.n_ids, strlen("<think>a</think>bc") + 1);
    assert_int_equal(b.t.r.usage.reasoning, strlen("<think>a</think>"));
    for (int32_t i = 0; i < b.t.r.n_ids; i++) {
        size_t n;
        const char *bytes = chat_call_token(b.t.call, i, &n);

        str_append(&text, bytes, n);
        assert_true(b.t.r.logp[i] < 0);
    }
    assert_string_equal(str_cstr(&text), "<think>a</think>bc");
    str_deinit(&text);
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

/* Pieces come with the tokens that were read for them. */
static void on_counted_piece(void *ctx, enum chat_piece kind, const char *text, size_t n)
{
    struct talk *t = ctx;
    const struct chat_result *r = chat_call_result(t->call);
    size_t n_token;

    (void)kind;
    str_append(&t->content, text, n);
    assert_int_equal(r->n_ids, t->content.len); /* every token is one byte */
    assert_true(r->logp[r->n_ids - 1] < 0);
    assert_memory_equal(chat_call_token(t->call, r->n_ids - 1, &n_token), text + n - 1, 1);
    assert_int_equal(n_token, 1);
    t->n_pieces++;
}

static void tokens_come_with_the_pieces(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = "abc<|end|>";
    talk_start(&b.t, true);
    chat_call_cancel(b.t.call);
    talk_wait(&b.t);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED); /* though the reply was there */
    talk_end(&b.t);
    talk_start(&b.t, true);
    talk_wait(&b.t);
    talk_end(&b.t);
    b.t.content = STR_INIT;
    b.t.spec.on_piece = on_counted_piece;
    b.t.over = false;
    b.t.n_pieces = 0;
    assert_ok(chat_call_start(b.t.host, &b.t.spec, &b.t.call, why));
    talk_wait(&b.t);
    assert_int_equal(b.t.n_pieces, 3);
    assert_string_equal(str_cstr(&b.t.content), "abc");
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void a_failed_call(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = "x<|end|>";
    b.m.fail_at = 1;
    b.m.fail_as = STATUS_FAILED;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_FAILED);
    assert_string_equal(b.t.r.err.message, "made to fail");
    assert_int_equal(b.t.r.finish, FINISH_ERROR);
    assert_null(b.t.r.content);
    talk_end(&b.t);
    b.m.model.info.chat_template = "{{ raise_exception('roles must alternate') }}";
    agent_host_free(b.t.host); /* it keeps parsed templates */
    b.t.host = talk_host();
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_INVALID);
    assert_non_null(strstr(b.t.r.err.message, "roles must alternate"));
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

static void a_call_in_flight_is_stopped(void **state)
{
    struct chat_bench b;

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.says = "x<|end|>";
    b.m.hold = 1;
    talk_start(&b.t, true);
    agent_host_poll(b.t.host, 1);
    assert_false(b.t.over);
    assert_int_equal(b.m.n_sessions, 1);
    chat_call_cancel(b.t.call);
    assert_false(b.t.over);
    talk_wait(&b.t);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED);
    assert_int_equal(b.t.r.finish, FINISH_CANCELLED);
    assert_int_equal(b.m.n_sessions, 0);
    talk_end(&b.t);
    b.t.spec.deadline_ms = seams_wall_ms(seams_real()) + 30;
    talk_start(&b.t, true);
    talk_wait(&b.t);
    assert_int_equal(b.t.r.status, STATUS_TIMEOUT);
    assert_int_equal(b.m.n_sessions, 0);
    talk_end(&b.t);
    chat_bench_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_split),
        cmocka_unit_test(stop_texts_end_the_text),
        cmocka_unit_test(special_tokens_of_users_are_text),
        cmocka_unit_test(messages_that_templates_do_not_know),
        cmocka_unit_test(a_prompt_that_does_not_fit),
        cmocka_unit_test(max_tokens_limits_the_reply),
        cmocka_unit_test(tools_may_be_left_out_but_not_forced),
        cmocka_unit_test(a_schema_is_asked_for_and_checked),
        cmocka_unit_test(a_prompt_is_continued),
        cmocka_unit_test(the_tokens_of_a_reply),
        cmocka_unit_test(tokens_come_with_the_pieces),
        cmocka_unit_test(a_failed_call),
        cmocka_unit_test(a_call_in_flight_is_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
