/* test_chat_call.c - one chat completion: on a model that says what a test wants, on the embedded
 * model in the engine, and on models that take messages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/chat_call.h"
#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "models/script/script_model.h"
#include "runtime/base/unicode.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agents/agent_fixture.h"

/* A call, what it streamed, and a copy of its end. */
struct talk {
    struct agent_host *host;
    struct chat_call *call;
    struct chat_call_spec spec;
    struct str content, reasoning; /* pieces */
    int32_t n_pieces, cancel_at;   /* 0: never */
    bool over;
    struct chat_result r; /* its pointers are those of the call, which talk_end frees */
};

static void on_piece(void *ctx, enum chat_piece kind, const char *text, size_t n)
{
    struct talk *t = ctx;

    assert_false(t->over);
    assert_true(n > 0);
    assert_int_equal(utf8_valid_prefix(text, n), n);
    str_append(kind == CHAT_CONTENT ? &t->content : &t->reasoning, text, n);
    if (++t->n_pieces == t->cancel_at)
        chat_call_cancel(t->call);
}

static void on_done(void *ctx, struct chat_call *c)
{
    struct talk *t = ctx;

    assert_ptr_equal(c, t->call);
    assert_false(t->over);
    t->over = true;
    t->r = *chat_call_result(c);
}

static void talk_start(struct talk *t, bool stream)
{
    t->content = t->reasoning = STR_INIT;
    t->spec.ctx = t;
    t->spec.on_piece = stream ? on_piece : NULL;
    t->spec.on_done = on_done;
    t->over = false;
    t->n_pieces = 0;
    assert_ok(chat_call_start(t->host, &t->spec, &t->call, why));
    assert_false(t->over);
}

static void talk_wait(struct talk *t)
{
    for (int i = 0; !t->over; i++) {
        agent_host_poll(t->host, 10);
        assert_in_range(i, 0, 60000);
    }
}

static void talk_run(struct talk *t, bool stream)
{
    talk_start(t, stream);
    talk_wait(t);
    if (stream && !t->r.status) {
        assert_string_equal(str_cstr(&t->content), t->r.content ? t->r.content : "");
        assert_string_equal(str_cstr(&t->reasoning), t->r.reasoning ? t->r.reasoning : "");
    }
}

static void talk_end(struct talk *t)
{
    chat_call_free(t->call);
    t->call = NULL;
    str_deinit(&t->content);
    str_deinit(&t->reasoning);
}

static struct agent_host *new_host(void)
{
    struct agent_host_options o = {.seams = seams_real()};
    struct agent_host *h;

    assert_ok(agent_host_new(&o, &h, why));
    return h;
}

/* ---- a model that says what the test wants */

#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\"}}" \
    "}]"
#define HELLO "[{\"role\":\"user\",\"content\":\"hello\"}]"
#define CALL  "<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":1}}</tool_call>"

/* Puts a special token before each turn, and opens reasoning when asked. */
static const char template_text[] =
    "{%- if tools %}TOOLS {{ tools | tojson }}\n{% endif %}"
    "{%- for m in messages %}<|bos|>{{ m.role }}\n{{ m.content }}<|end|>\n{%- endfor %}"
    "<|bos|>assistant\n{% if think %}<think>\n{% endif %}";

/* What the fake says next, and what it was asked. */
static const char *says;
static struct str asked;
static int32_t n_special;

static void say(struct fake_model *m, const char *context, const struct model_call *c,
                struct str *out)
{
    str_clear(&asked);
    str_puts(&asked, context);
    n_special = 0;
    for (int32_t i = 0; i < c->n_delta; i++)
        n_special += tokenizer_is_special(m->tokenizer, c->delta[i]);
    str_puts(out, says);
}

struct bench {
    struct fake_model m;
    struct talk t;
    struct json *messages, *tools, *more;
};

static void bench_init(struct bench *b, const char *messages, const char *tools)
{
    memset(b, 0, sizeof(*b));
    fake_model_init(&b->m, NULL, say);
    b->m.model.info.chat_template = template_text;
    b->messages = fixture_json(messages);
    b->tools = tools ? fixture_json(tools) : NULL;
    b->more = fixture_json("{\"think\": true}");
    b->t.host = new_host();
    b->t.spec = (struct chat_call_spec){.model = &b->m.model,
                                        .messages = b->messages,
                                        .tools = b->tools,
                                        .sampling = SAMPLING_DEFAULT,
                                        .call_id = 0xab,
                                        .seed = 7};
}

static void bench_deinit(struct bench *b)
{
    agent_host_free(b->t.host);
    fake_model_deinit(&b->m);
    jv_unref(b->messages);
    jv_unref(b->tools);
    jv_unref(b->more);
    str_deinit(&asked);
    asked = STR_INIT;
}

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
            struct bench b;
            struct json *calls = jv_array();
            char *text;

            bench_init(&b, HELLO, cases[i].tools ? TOOLS : NULL);
            b.t.spec.template_more = cases[i].think ? b.more : NULL;
            says = cases[i].says;
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
            bench_deinit(&b);
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
            struct bench b;

            bench_init(&b, HELLO, NULL);
            says = cases[i].says;
            b.t.spec.stop = cases[i].stop;
            b.t.spec.n_stop = cases[i].stop[1] ? 2 : 1;
            talk_run(&b.t, stream);
            assert_string_equal(b.t.r.content, cases[i].content);
            assert_int_equal(b.t.r.finish, cases[i].finish);
            talk_end(&b.t);
            bench_deinit(&b);
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
        struct bench b;

        bench_init(&b, messages[i],
                   i ? "[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                       "\"description\":\"<|end|>\"}}]"
                     : NULL);
        says = "ok<|end|>";
        talk_run(&b.t, false);
        assert_int_equal(b.t.r.status, STATUS_OK);
        n[i] = n_special;
        talk_end(&b.t);
        if (i) /* they are there, as text */
            assert_non_null(strstr(str_cstr(&asked), "<|bos|>user\n<|bos|>u<|end|><|end|>"));
        bench_deinit(&b);
    }
    assert_int_equal(n[0], 9); /* of the template alone */
    assert_int_equal(n[1], n[0]);
}

static void messages_that_templates_do_not_know(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b,
               "[{\"role\":\"developer\",\"content\":\"d\"},{\"role\":\"assistant\",\"content\":"
               "null},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},"
               "{\"type\":\"text\",\"text\":\"y\"}]}]",
               NULL);
    says = "ok<|end|>";
    talk_run(&b.t, false);
    assert_string_equal(str_cstr(&asked), "<|bos|>system\nd<|end|><|bos|>assistant\n<|end|>"
                                          "<|bos|>user\nxy<|end|><|bos|>assistant\n");
    talk_end(&b.t);
    bench_deinit(&b);
    bench_init(&b,
               "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
               "\"x\"}}]}]",
               NULL);
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    assert_non_null(strstr(b.t.r.err.message, "image_url"));
    assert_int_equal(b.m.n_calls, 0);
    talk_end(&b.t);
    bench_deinit(&b);
}

static void a_prompt_that_does_not_fit(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    b.m.model.info.context = 20;
    says = "x<|end|>";
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
    bench_deinit(&b);
}

static void max_tokens_limits_the_reply(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = "abcdef<|end|>";
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
    bench_deinit(&b);
}

static void tools_may_be_left_out_but_not_forced(void **state)
{
    static const char *const choices[] = {NULL, "none", "required", "add"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct bench b;

        bench_init(&b, HELLO, TOOLS);
        says = CALL "<|end|>";
        b.t.spec.tool_choice = choices[i];
        talk_run(&b.t, false);
        if (i < 2) {
            assert_int_equal(b.t.r.status, STATUS_OK);
            assert_int_equal(b.t.r.has_calls, i == 0);
            assert_int_equal(strstr(str_cstr(&asked), "TOOLS") != NULL, i == 0);
        } else {
            assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
            assert_non_null(strstr(b.t.r.err.message, choices[i]));
            assert_int_equal(b.m.n_calls, 0);
        }
        talk_end(&b.t);
        bench_deinit(&b);
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
        struct bench b;

        bench_init(&b, HELLO, NULL);
        says = cases[i].says;
        b.t.spec.schema = schema;
        b.t.spec.max_tokens = cases[i].max_tokens;
        talk_run(&b.t, true);
        assert_non_null(strstr(str_cstr(&asked), "hello\n\nThe final answer must be one JSON"));
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
        bench_deinit(&b);
    }
    jv_unref(schema);
}

static void a_prompt_is_continued(void **state)
{
    static const int32_t ids[] = {'h', 'i'};
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = " <think>x</think> <tool_call> \n<|end|>"; /* nothing is split, nothing trimmed */
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "<|bos|>go";
    b.t.spec.prompt_bytes = 9;
    talk_run(&b.t, true);
    assert_int_equal(n_special, 1);
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
    assert_string_equal(str_cstr(&asked), "hi");
    assert_string_equal(b.t.r.content, "hi <think>x</think> <tool_call> \n");
    talk_end(&b.t);
    b.t.spec.n_prompt_ids = 0;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_INVALID);
    talk_end(&b.t);
    bench_deinit(&b);
}

static void the_tokens_of_a_reply(void **state)
{
    struct bench b;
    struct str text = STR_INIT;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = "<think>a</think>bc<|end|>";
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
    bench_deinit(&b);
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
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = "abc<|end|>";
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
    bench_deinit(&b);
}

static void a_failed_call(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = "x<|end|>";
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
    b.t.host = new_host();
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_INVALID);
    assert_non_null(strstr(b.t.r.err.message, "roles must alternate"));
    talk_end(&b.t);
    bench_deinit(&b);
}

static void a_call_in_flight_is_stopped(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, HELLO, NULL);
    says = "x<|end|>";
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
    bench_deinit(&b);
}

/* ---- models that take messages */

static struct json *talk_text(struct fake_model *m, const struct model_call *c)
{
    (void)m;
    assert_int_equal(jv_size(c->messages), 1);
    assert_string_equal(c->tool_choice, "required");
    return fixture_json("{\"content\": \"so\", \"reasoning\": \"why\", \"tool_calls\": [{\"name\": "
                        "\"add\", \"arguments\": {\"a\": 1}, \"id\": \"own\"}, {\"name\": \"sub\","
                        "\"arguments\": \"{broken\"}]}");
}

static void a_text_model_gets_messages(void **state)
{
    struct bench b;
    struct fake_model m;
    const struct json *call;

    (void)state;
    bench_init(&b, HELLO, TOOLS);
    fake_text_model_init(&m, talk_text);
    b.t.spec.model = &m.model;
    b.t.spec.tool_choice = "required";
    for (int stream = 0; stream < 2; stream++) {
        talk_run(&b.t, stream);
        assert_int_equal(b.t.r.status, STATUS_OK);
        assert_string_equal(b.t.r.content, "so");
        assert_string_equal(b.t.r.reasoning, "why");
        assert_true(b.t.r.usage.estimated);
        assert_int_equal(jv_size(b.t.r.tool_calls), 2);
        call = jv_at(b.t.r.tool_calls, 0);
        assert_string_equal(jv_get_string(jv_get(call, "id"), ""), "own");
        call = jv_at(b.t.r.tool_calls, 1);
        assert_string_equal(jv_get_string(jv_get(call, "id"), ""), "call_00000000000000ab_1");
        call = jv_get(call, "function");
        assert_string_equal(jv_get_string(jv_get(call, "arguments"), ""), "{broken");
        talk_end(&b.t);
    }
    b.t.spec.wants_logprobs = true;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    talk_end(&b.t);
    b.t.spec.wants_logprobs = false;
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "x";
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    talk_end(&b.t);
    fake_model_deinit(&m);
    bench_deinit(&b);
}

static struct model *script(const char *text)
{
    struct model *m;
    char dir[64], path[128];

    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/script.json", dir);
    temp_put(path, text, strlen(text));
    assert_ok(script_model_open(path, &m, why));
    temp_dir_remove(dir);
    return m;
}

static void a_script_streams(void **state)
{
    const char *stop[] = {" z"};
    struct bench b;
    struct model *m = script("{\"model\": \"script\", \"replies\": [{\"path\": \"v1\", \"text\": "
                             "\"h\u00e9llo \u20ac and more z end\"}, {\"path\": \"slow\", \"text\":"
                             "\"late\", \"delay_ms\": 60000}]}");

    (void)state;
    bench_init(&b, HELLO, NULL);
    b.t.spec.model = m;
    b.t.spec.path = "v1";
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "h\u00e9llo \u20ac and more z end");
    talk_end(&b.t);
    b.t.spec.stop = stop;
    b.t.spec.n_stop = 1;
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "h\u00e9llo \u20ac and more");
    talk_end(&b.t);
    b.t.spec.path = "slow";
    talk_start(&b.t, true);
    agent_host_poll(b.t.host, 0);
    chat_call_cancel(b.t.call);
    talk_wait(&b.t);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED);
    talk_end(&b.t);
    b.t.spec.path = "nothing";
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_NOT_FOUND);
    talk_end(&b.t);
    bench_deinit(&b);
    m->ops->close(m);
}

/* ---- the embedded model in the engine */

static struct engine *open_engine(bool cache)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    struct engine *e;

    o.model = "embedded";
    o.embedded = embedded_file_at;
    o.backend = cpu_backend(cpu_isa_best());
    o.n_threads = 1;
    o.no_prefix_cache = !cache;
    assert_ok(engine_open(&o, &e, why));
    return e;
}

static void engine_bench(struct bench *b, struct engine *e)
{
    bench_init(b, HELLO, NULL);
    b->t.spec.model = engine_model(e);
    b->t.spec.max_tokens = 60;
}

static void the_engine_streams_what_it_says(void **state)
{
    struct engine *e = open_engine(true);
    struct str first = STR_INIT;
    int32_t n_prompt;
    struct bench b;

    (void)state;
    engine_bench(&b, e);
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_OK);
    assert_int_equal(b.t.r.usage.completion, b.t.r.n_ids);
    assert_int_equal(b.t.r.finish == FINISH_LENGTH, b.t.r.n_ids == 60);
    assert_false(b.t.r.usage.estimated);
    n_prompt = b.t.r.usage.prompt;
    assert_true(n_prompt > (int32_t)strlen("hello"));
    str_puts(&first, b.t.r.content);
    talk_end(&b.t);
    talk_run(&b.t, false); /* the same call says the same, streamed or not */
    assert_string_equal(b.t.r.content, str_cstr(&first));
    assert_int_equal(b.t.r.usage.prompt, n_prompt);
    talk_end(&b.t);
    b.t.spec.call_id++;
    talk_run(&b.t, false);
    assert_string_not_equal(b.t.r.content, str_cstr(&first));
    talk_end(&b.t);
    str_deinit(&first);
    bench_deinit(&b);
    engine_close(e);
}

/* Any part of what it says, as a stop text: it ends there, wherever tokens begin. */
static void the_engine_stops_at_any_text(void **state)
{
    struct engine *e = open_engine(true);
    struct bench b;
    char *whole;

    (void)state;
    engine_bench(&b, e);
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "one";
    b.t.spec.prompt_bytes = 3;
    b.t.spec.max_tokens = 24;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_OK);
    whole = xstrdup(b.t.r.content);
    talk_end(&b.t);
    assert_true(strlen(whole) > 8);
    for (size_t from = 0; from + 3 <= strlen(whole); from++) {
        char *stop = xstrndup(whole + from, 3);
        const char *const stops[] = {stop};

        if (utf8_valid_prefix(stop, 3) == 3) {
            size_t want = (size_t)(strstr(whole, stop) - whole);

            b.t.spec.stop = stops;
            b.t.spec.n_stop = 1;
            talk_run(&b.t, true);
            assert_int_equal(b.t.r.finish, FINISH_STOP);
            assert_int_equal(strlen(b.t.r.content), want);
            assert_memory_equal(b.t.r.content, whole, want);
            talk_end(&b.t);
        }
        free(stop);
    }
    free(whole);
    bench_deinit(&b);
    engine_close(e);
}

static void wait_for_free_pages(struct engine *e)
{
    struct engine_stats s;

    for (int i = 0; i < 20000; i++) {
        engine_stats(e, &s);
        if (s.sessions == 0 && s.running == 0 && s.pages_free == s.pages_total)
            return;
        usleep(500);
    }
    fail_msg("%d of %d pages are free, %d sessions", s.pages_free, s.pages_total, s.sessions);
}

static void cancelling_frees_the_pages(void **state)
{
    struct engine *e = open_engine(false);
    struct bench b;

    (void)state;
    engine_bench(&b, e);
    b.t.spec.max_tokens = 0;
    b.t.cancel_at = 2;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED);
    wait_for_free_pages(e);
    talk_end(&b.t);
    b.t.cancel_at = 0;
    b.t.spec.max_tokens = 5;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_OK);
    wait_for_free_pages(e);
    talk_end(&b.t);
    bench_deinit(&b);
    engine_close(e);
}

/* Several at once on a loop, as a server runs them; each is freed in on_done. */
struct party {
    struct loop *loop;
    struct talk t[8];
    int32_t n_left;
};

static void on_guest_done(void *ctx, struct chat_call *c)
{
    struct talk *t = ctx;
    const struct chat_result *r = chat_call_result(c);

    t->over = true;
    t->r.status = r->status;
    assert_string_equal(str_cstr(&t->content), r->content);
    chat_call_free(c);
    t->call = NULL;
}

static void many_calls_on_a_loop(void **state)
{
    struct engine *e = open_engine(true);
    struct agent_host_options o = {.seams = seams_real()};
    struct party p = {.n_left = 0};
    struct bench b;

    (void)state;
    engine_bench(&b, e);
    assert_ok(loop_new(seams_real(), &p.loop, why));
    o.loop = p.loop;
    agent_host_free(b.t.host);
    assert_ok(agent_host_new(&o, &b.t.host, why));
    for (int i = 0; i < 8; i++) {
        p.t[i] = b.t;
        p.t[i].spec.call_id = (uint64_t)i;
        p.t[i].spec.deadline_ms = i == 7 ? 1 : seams_wall_ms(seams_real()) + 600000;
        p.t[i].content = p.t[i].reasoning = STR_INIT;
        p.t[i].spec.ctx = &p.t[i];
        p.t[i].spec.on_piece = on_piece;
        p.t[i].spec.on_done = i == 7 ? on_done : on_guest_done;
        assert_ok(chat_call_start(b.t.host, &p.t[i].spec, &p.t[i].call, why));
    }
    loop_run(p.loop); /* until nothing is expected any more */
    for (int i = 0; i < 8; i++) {
        assert_true(p.t[i].over);
        assert_int_equal(p.t[i].r.status, i == 7 ? STATUS_TIMEOUT : STATUS_OK);
        talk_end(&p.t[i]);
    }
    bench_deinit(&b);
    loop_free(p.loop);
    engine_close(e);
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
        cmocka_unit_test(a_text_model_gets_messages),
        cmocka_unit_test(a_script_streams),
        cmocka_unit_test(the_engine_streams_what_it_says),
        cmocka_unit_test(the_engine_stops_at_any_text),
        cmocka_unit_test(cancelling_frees_the_pages),
        cmocka_unit_test(many_calls_on_a_loop),
    };

    asked = STR_INIT;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
