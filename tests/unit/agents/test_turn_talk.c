/* test_turn_talk.c - an agent that talks with a person: messages, a reply or a call that is cut
 * short, a model that fails, and the same talk from its record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"

#define PATH "talk"

struct bench {
    struct scene s;
    struct store_fixture *f;
    char uuid[37];
    const char *const *say; /* the person's messages, as the agent asks for them; ends with NULL */
    int32_t n_said;
    bool ends;       /* then an empty message ends the talk; else the process ends */
    bool asking;     /* the agent waits for a message */
    bool cuts;       /* the person cuts short what is held, or the open call of the tool */
    bool *tool_open; /* lent; may be NULL */
};

/* ---- models */

/* The roles of all messages, how many are the person's, and the last one. */
static struct json *reply(struct fake_model *m, const struct model_call *c)
{
    struct json *v = jv_object();
    struct str text = STR_INIT;
    const char *last = "";
    int n = 0;

    (void)m;
    for (size_t i = 0; i < jv_size(c->messages); i++) {
        const struct json *one = jv_at(c->messages, i);
        const char *role = jv_get_string(jv_get(one, "role"), "?");

        str_putc(&text, role[0]);
        last = jv_get_string(jv_get(one, "content"), "");
        n += strcmp(role, "user") == 0;
    }
    str_printf(&text, " %d %s", n, last);
    jv_set_string(v, "content", str_cstr(&text));
    str_deinit(&text);
    return v;
}

static const char template_text[] =
    "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content or '' }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|bos|>assistant\n{% endif %}";

static void policy_count(struct fake_model *m, const char *context, const struct model_call *c,
                         struct str *out)
{
    int n = 0;

    (void)m;
    (void)c;
    for (const char *at = context; (at = strstr(at, "user\n")); at++)
        n++;
    str_printf(out, "That makes %d.<|end|>", n);
}

static void make_ids(struct bench *b)
{
    scene_ids(&b->s, NULL, policy_count);
    b->s.m.model.info.chat_template = template_text;
    b->s.role.max_reply_tokens = 64;
}

/* ---- the person */

static void on_asking(void *ctx, bool asking, int64_t due_ms)
{
    struct bench *b = CONTAINER_OF(ctx, struct bench, s.p);

    assert_int_equal(due_ms, 0);
    b->asking = asking;
}

struct open_question {
    char path[64];
    char text[128];
    int n;
};

static bool see_wait(void *ctx, const struct wait_row *w)
{
    struct open_question *q = ctx;

    if (!w->is_open)
        return true;
    assert_string_equal(w->kind, "message");
    (void)snprintf(q->path, sizeof(q->path), "%s", w->path);
    (void)snprintf(q->text, sizeof(q->text), "%s",
                   jv_get_string(jv_get(w->prompt, "text"), "(none)"));
    q->n++;
    return true;
}

static struct open_question open_question(struct bench *b)
{
    struct open_question q = {.n = 0};
    struct store_reader *r = NULL;

    assert_ok(journal_sync(b->s.p.run, why));
    assert_ok(store_reader_open(b->f->store, &r, why));
    assert_ok(query_waits(r, b->uuid, see_wait, &q, why));
    store_reader_close(r);
    assert_int_equal(q.n, 1);
    return q;
}

static void answer(struct bench *b, const char *text)
{
    struct open_question q = open_question(b);
    struct json *v = jv_string(text);

    assert_ok(store_answer(b->f->store, b->uuid, q.path, v, why));
    jv_unref(v);
    b->asking = false; /* until it asks again */
}

static void each_poll(struct play *p)
{
    struct bench *b = CONTAINER_OF(p, struct bench, s.p);

    if (b->cuts && p->agent && (b->s.m.held || (b->tool_open && *b->tool_open))) {
        b->cuts = false;
        b->s.m.hold = 0;
        agent_cut_short(p->agent);
    }
    if (!b->asking || !p->agent)
        return;
    agent_cut_short(p->agent); /* does nothing while it asks */
    if (b->say[b->n_said])
        answer(b, b->say[b->n_said++]);
    else if (b->ends)
        answer(b, "");
    else
        agent_interrupt(p->agent);
}

/* ---- one process */

static void open_bench(struct bench *b)
{
    struct run_spec spec = {.kind = "run", .name = "talk", .seed = 7};

    fixture_open(b->f);
    if (b->uuid[0])
        assert_ok(run_take(b->f->store, b->uuid, &b->s.p.run, why));
    else
        assert_ok(run_create(b->f->store, &spec, &b->s.p.run, why));
    (void)snprintf(b->uuid, sizeof(b->uuid), "%s", run_uuid(b->s.p.run));
    b->s.p.each_poll = each_poll;
    scene_ask(&b->s, PATH, "one");
    b->s.t.talks = true;
    b->s.t.may_be_cut = true;
    b->s.t.on_asking = on_asking;
    scene_journal(&b->s, b->s.p.run);
}

static void close_bench(struct bench *b)
{
    assert_ok(journal_sync(b->s.p.run, why));
    run_close(b->s.p.run);
    fixture_close(b->f);
    scene_close(&b->s);
}

static const char *output(const struct bench *b)
{
    return jv_get_string(b->s.p.result.output, "(none)");
}

/* ---- the record */

static bool put_step(void *ctx, const struct step_row *s)
{
    struct str *out = ctx;

    str_printf(out, "%s %s", s->path, step_state_name(s->state));
    if (s->tokens)
        str_printf(out, " %d+%d>%d", s->tokens->prefix_len, s->tokens->n_delta, s->tokens->n_ids);
    str_putc(out, '\n');
    return true;
}

static void steps(struct bench *b, struct str *out)
{
    struct store_reader *r = NULL;

    assert_ok(journal_sync(b->s.p.run, why));
    assert_ok(store_reader_open(b->f->store, &r, why));
    assert_ok(query_steps(r, b->uuid, NULL, -1, true, put_step, out, why));
    store_reader_close(r);
}

/* ---- tests */

static void test_each_message_is_answered_in_the_same_conversation(void **state)
{
    static const char *const say[] = {"two", "three", NULL};
    struct bench b = {.f = *state, .say = say, .ends = true};
    struct str record = STR_INIT;

    scene_text(&b.s, reply);
    open_bench(&b);
    scene_play(&b.s);
    assert_int_equal(b.s.p.result.state, STEP_OK);
    assert_string_equal(output(&b), "uauau 3 three");
    steps(&b, &record);
    assert_string_equal(str_cstr(&record), "talk/turn:0/model:0 ok\n"
                                           "talk/turn:1/message ok\n"
                                           "talk/turn:1/model:0 ok\n"
                                           "talk/turn:2/message ok\n"
                                           "talk/turn:2/model:0 ok\n"
                                           "talk/turn:3/message ok\n");
    str_deinit(&record);
    close_bench(&b);
}

static void test_the_question_is_the_answer(void **state)
{
    static const char *const say[] = {NULL};
    struct bench b = {.f = *state, .say = say};

    scene_text(&b.s, reply);
    open_bench(&b);
    scene_play(&b.s); /* the process ends while it asks */
    assert_int_equal(b.s.p.result.state, STEP_STARTED);
    assert_string_equal(open_question(&b).text, "u 1 one");
    close_bench(&b);
}

/* Each process reads the record, hears one message and ends. */
static void test_a_talk_goes_on_in_another_process(void **state)
{
    static const char *const say[][2] = {{"two", NULL}, {"three", NULL}, {NULL}};
    struct bench b = {.f = *state};

    for (int i = 0; i < 3; i++) {
        char uuid[37];

        memcpy(uuid, b.uuid, sizeof(uuid));
        b = (struct bench){.f = *state, .say = say[i], .ends = i == 2};
        memcpy(b.uuid, uuid, sizeof(uuid));
        make_ids(&b);
        open_bench(&b);
        scene_play(&b.s);
        assert_int_equal(b.s.m.n_calls, i == 0 ? 2 : i == 1 ? 1 : 0);
        if (i < 2)
            close_bench(&b);
    }
    assert_string_equal(output(&b), "That makes 3.");
    close_bench(&b);
}

/* The ids of a message follow those of the reply; nothing is encoded again. */
static void test_ids_of_a_talk_are_one_chain(void **state)
{
    static const char *const say[] = {"two", NULL};
    struct bench b = {.f = *state, .say = say, .ends = true};
    struct str record = STR_INIT;

    make_ids(&b);
    open_bench(&b);
    scene_play(&b.s);
    steps(&b, &record);
    assert_string_equal(str_cstr(&record), "talk/turn:0/model:0 ok 0+22>14\n"
                                           "talk/turn:1/message ok\n"
                                           "talk/turn:1/model:0 ok 36+23>14\n"
                                           "talk/turn:2/message ok\n");
    assert_int_equal(b.s.m.n_fed, 22 + 23);
    str_deinit(&record);
    close_bench(&b);
}

/* What was sampled until then is the reply, in the record and in the next prompt. */
static void test_a_reply_is_cut_short(void **state)
{
    static const char *const say[] = {"two", NULL};
    struct bench b = {.f = *state, .say = say, .cuts = true};
    struct str record = STR_INIT;

    make_ids(&b);
    b.s.m.hold = 1;
    b.s.m.partial = 4; /* "That" */
    open_bench(&b);
    scene_play(&b.s);
    steps(&b, &record);
    assert_string_equal(str_cstr(&record), "talk/turn:0/model:0 ok 0+22>4\n"
                                           "talk/turn:1/message ok\n"
                                           "talk/turn:1/model:0 ok 26+24>14\n"
                                           "talk/turn:2/message waiting\n");
    str_clear(&record);
    close_bench(&b);

    b.ends = true; /* and from the record */
    b.n_said = 1;
    b.asking = false;
    memset(&b.s, 0, sizeof(b.s));
    make_ids(&b);
    open_bench(&b);
    scene_play(&b.s);
    assert_int_equal(b.s.m.n_calls, 0);
    assert_string_equal(output(&b), "That makes 2.");
    str_deinit(&record);
    close_bench(&b);
}

static void test_a_reply_of_a_text_model_is_cut_short(void **state)
{
    static const char *const say[] = {"two", NULL};
    struct bench b = {.f = *state, .say = say, .cuts = true, .ends = true};

    scene_text(&b.s, reply);
    b.s.m.hold = 1;
    open_bench(&b);
    scene_play(&b.s);
    assert_string_equal(output(&b), "uau 2 two"); /* the cut reply is there, and is empty */
    close_bench(&b);
}

static void test_a_message_is_taken_back_when_the_model_fails(void **state)
{
    static const char *const say[] = {"two", "three", NULL};
    struct bench b = {.f = *state, .say = say};

    scene_text(&b.s, reply);
    b.s.m.fail_at = 2;
    b.s.m.fail_as = STATUS_FAILED;
    open_bench(&b);
    scene_play(&b.s);
    assert_string_equal(open_question(&b).text, "uau 2 three"); /* "two" is not there */
    close_bench(&b);
}

static void test_the_failure_is_the_question(void **state)
{
    static const char *const say[] = {NULL};
    struct bench b = {.f = *state, .say = say};

    scene_text(&b.s, reply);
    b.s.m.fail_at = 1;
    b.s.m.fail_as = STATUS_FAILED;
    open_bench(&b);
    scene_play(&b.s);
    assert_string_equal(open_question(&b).text, "made to fail");
    close_bench(&b);
}

/* ---- with a tool */

struct held_tool {
    struct tool *tool;
    struct tool_call *call;
    bool open;
};

static void tool_start(struct tool *tool, struct tool_call *c)
{
    struct held_tool *t = tool->ctx;

    t->call = c;
    t->open = true;
}

static void tool_cancel(struct tool *tool, struct tool_call *c)
{
    struct held_tool *t = tool->ctx;

    t->open = false;
    tool_call_finish(c, TOOL_CANCELLED, NULL);
}

/* Calls twice for the first message, and says what came back for others. */
static struct json *reply_calls(struct fake_model *m, const struct model_call *c)
{
    struct json *v;

    if (m->n_calls > 1)
        return reply(m, c);
    v = jv_object();
    jv_set_adopt(v, "tool_calls",
                 fixture_json("[{\"name\":\"wait\",\"arguments\":{}},"
                              "{\"name\":\"wait\",\"arguments\":{}}]"));
    return v;
}

static void test_tool_calls_are_cut_short(void **state)
{
    static const char *const say[] = {"two", NULL};
    static const struct tool_ops ops = {
        .start = tool_start, .cancel = tool_cancel, .free = tool_release};
    const struct tool_declaration d = {
        .name = "wait", .description = "Waits.", .source = "test", .input_schema = "{}"};
    struct held_tool t = {.open = false};

    for (int i = 0; i < 2; i++) { /* then from the record */
        struct bench b = {.f = *state, .say = say + i, .ends = i == 1, .tool_open = &t.open};
        static char uuid[37];
        struct str record = STR_INIT;

        b.cuts = i == 0;
        memcpy(b.uuid, uuid, sizeof(uuid));
        scene_text(&b.s, reply_calls);
        assert_ok(tool_new(&d, &ops, &t, &t.tool, why));
        scene_tool(&b.s, t.tool);
        open_bench(&b);
        scene_play(&b.s);
        assert_int_equal(b.s.m.n_calls, i == 0 ? 2 : 0);
        memcpy(uuid, b.uuid, sizeof(uuid));
        steps(&b, &record);
        assert_non_null(strstr(str_cstr(&record), "turn:0/tool:0:wait error\n"
                                                  "talk/turn:0/tool:1:wait error\n"
                                                  "talk/turn:1/message ok\n"
                                                  "talk/turn:1/model:0 ok\n"));
        if (i == 1)
            assert_string_equal(output(&b), "uattu 2 two");
        str_deinit(&record);
        close_bench(&b);
        tool_unref(t.tool);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each_message_is_answered_in_the_same_conversation),
        TEST(test_the_question_is_the_answer),
        TEST(test_a_talk_goes_on_in_another_process),
        TEST(test_ids_of_a_talk_are_one_chain),
        TEST(test_a_reply_is_cut_short),
        TEST(test_a_reply_of_a_text_model_is_cut_short),
        TEST(test_a_message_is_taken_back_when_the_model_fails),
        TEST(test_the_failure_is_the_question),
        TEST(test_tool_calls_are_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
