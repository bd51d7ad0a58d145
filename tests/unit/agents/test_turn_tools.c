/* test_turn_tools.c - tools beside an environment's: asynchronous ones, mistakes, and effects that
 * must not happen twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/wait.h>

#include "agents/question.h"
#include "agents/tool_step.h"
#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"

/* A tool that does what the test says. */
struct test_tool {
    struct tool *tool;
    struct tool_call *open; /* started, not finished */
    int32_t n_starts, n_asked;
    bool finish_at_once, die;
    enum tool_outcome outcome, known; /* known: what status says */
    char idem[65];
    struct store *store;
    const char *uuid;
    bool intent_was_durable;
    int64_t repaired_ms;
};

static bool see_step(void *ctx, const struct step_row *s)
{
    struct test_tool *t = ctx;

    if (strcmp(s->kind, "tool") == 0 && s->state == STEP_STARTED)
        t->intent_was_durable = true;
    return true;
}

static void finish(struct test_tool *t, struct tool_call *c)
{
    struct json *v = jv_object();

    if (t->outcome == TOOL_ERROR)
        jv_set_string(v, "error", "no such account");
    else
        jv_set_string(v, "paid", jv_get_string(jv_get(c->arguments, "to"), "?"));
    t->open = NULL;
    tool_call_finish(c, t->outcome, v);
}

static void start(struct tool *tool, struct tool_call *c)
{
    struct test_tool *t = tool->ctx;
    struct store_reader *q = NULL;

    t->n_starts++;
    (void)snprintf(t->idem, sizeof(t->idem), "%s", c->idem ? c->idem : "");
    if (t->store) {
        assert_ok(store_reader_open(t->store, &q, why));
        assert_ok(query_steps(q, t->uuid, NULL, -1, false, see_step, t, why));
        store_reader_close(q);
    }
    if (t->die)
        kill(getpid(), SIGKILL);
    t->open = c;
    if (t->finish_at_once)
        finish(t, c);
}

static void cancel(struct tool *tool, struct tool_call *c)
{
    struct test_tool *t = tool->ctx;

    t->outcome = TOOL_CANCELLED;
    finish(t, c);
}

static void ask(struct tool *tool, struct tool_call *c)
{
    struct test_tool *t = tool->ctx;

    t->n_asked++;
    tool_call_finish(c, t->known, jv_string("found in the books"));
}

static const struct tool_ops plain_ops = {.start = start, .cancel = cancel, .free = tool_release};
static const struct tool_ops asked_ops = {
    .start = start, .cancel = cancel, .status = ask, .free = tool_release};

static void make_tool(struct test_tool *t, enum effect effect, const struct tool_ops *ops)
{
    struct tool_declaration d = {.name = "pay",
                                 .description = "Pays.",
                                 .source = "test",
                                 .input_schema = "{\"type\":\"object\",\"required\":[\"to\"],"
                                                 "\"properties\":{\"to\":{\"type\":\"string\"}}}",
                                 .effect = effect};

    assert_ok(tool_new(&d, ops, t, &t->tool, why));
}

/* Calls pay once, then says what came back. */
static struct json *talk_pay(struct fake_model *m, const struct model_call *c)
{
    size_t n = jv_size(c->messages);
    const struct json *last = jv_at(c->messages, n - 1);
    struct json *v = jv_object();

    (void)m;
    if (strcmp(jv_get_string(jv_get(last, "role"), ""), "tool") == 0)
        jv_set_string(v, "content", jv_get_string(jv_get(last, "content"), ""));
    else
        jv_set_adopt(v, "tool_calls",
                     fixture_json("[{\"name\":\"pay\",\"arguments\":{\"to\":\"Ann\"}}]"));
    return v;
}

static void finish_open(struct play *p)
{
    struct test_tool *t = p->ctx;

    if (p->run)
        store_drain_replies(store_reply_box(t->store));
    if (t->open)
        finish(t, t->open);
}

static void open_pay(struct scene *s, struct test_tool *t, fake_talk talk)
{
    scene_text(s, talk);
    scene_ask(s, "pay", "Pay Ann.");
    scene_tool(s, t->tool);
    s->p.ctx = t;
}

static void pay(struct test_tool *t, struct run *run, struct scene *s)
{
    open_pay(s, t, talk_pay);
    scene_journal(s, run);
    s->t.scope.repaired_ms = t->repaired_ms;
    s->p.each_poll = finish_open;
    scene_play(s);
}

static void test_asynchronous_and_immediate_tools(void **state)
{
    (void)state;
    for (int at_once = 0; at_once < 2; at_once++) {
        struct test_tool t = {.finish_at_once = at_once};
        struct scene s;

        make_tool(&t, EFFECT_NONE, &plain_ops);
        pay(&t, NULL, &s);
        assert_int_equal(s.p.result.state, STEP_OK);
        assert_string_equal(jv_get_string(s.p.result.output, ""), "{\"paid\":\"Ann\"}");
        assert_int_equal(t.n_starts, 1);
        assert_int_equal(s.p.result.calls, 1);
        scene_close(&s);
        tool_release(t.tool);
    }
}

static void test_outcomes(void **state)
{
    static const struct {
        enum tool_outcome outcome;
        enum step_state state;
        const char *said;
    } cases[] = {
        {TOOL_ERROR, STEP_OK, "{\"error\":\"no such account\"}"},
        {TOOL_TIMEOUT, STEP_TIMEOUT, NULL},
        {TOOL_CANCELLED, STEP_CANCELLED, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_tool t = {.outcome = cases[i].outcome};
        struct scene s;

        make_tool(&t, EFFECT_NONE, &plain_ops);
        pay(&t, NULL, &s);
        assert_int_equal(s.p.result.state, cases[i].state);
        if (cases[i].said)
            assert_string_equal(jv_get_string(s.p.result.output, ""), cases[i].said);
        scene_close(&s);
        tool_release(t.tool);
    }
}

static void cancel_open(struct play *p)
{
    struct test_tool *t = p->ctx;

    if (t->open)
        agent_cancel(p->agent);
}

static void test_cancel_reaches_a_tool(void **state)
{
    struct test_tool t = {.outcome = TOOL_OK};
    struct scene s;

    (void)state;
    make_tool(&t, EFFECT_NONE, &plain_ops);
    open_pay(&s, &t, talk_pay);
    s.p.each_poll = cancel_open;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_CANCELLED);
    assert_int_equal(s.m.n_calls, 1);
    scene_close(&s);
    tool_release(t.tool);
}

static struct json *talk_mistaken(struct fake_model *m, const struct model_call *c)
{
    static const char *const calls[] = {"[{\"name\":\"pax\",\"arguments\":{\"to\":\"Ann\"}}]",
                                        "[{\"name\":\"pay\",\"arguments\":{\"to\":7}}]",
                                        "[{\"name\":\"pay\",\"arguments\":[]}]"};
    static const char *const expected[] = {"did you mean \\\"pay\\\"", "arguments.to",
                                           "object of arguments"};
    size_t n = jv_size(c->messages), i = (size_t)m->n_calls - 1;
    const char *last = jv_get_string(jv_get(jv_at(c->messages, n - 1), "content"), "");
    struct json *v = jv_object();

    if (i > 0)
        assert_non_null(strstr(last, expected[i - 1]));
    if (i < 3)
        jv_set_adopt(v, "tool_calls", fixture_json(calls[i]));
    else
        jv_set_string(v, "content", "I give up.");
    return v;
}

static void test_mistakes_never_reach_a_tool(void **state)
{
    struct test_tool t = {.finish_at_once = true};
    struct scene s;

    (void)state;
    make_tool(&t, EFFECT_NONE, &plain_ops);
    open_pay(&s, &t, talk_mistaken);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_int_equal(t.n_starts, 0);
    assert_int_equal(s.p.result.calls, 3);
    scene_close(&s);
    tool_release(t.tool);
}

static void test_keyed_effects_wait_for_their_intent(void **state)
{
    struct store_fixture *f = *state;
    struct test_tool t = {.store = fixture_open(f)};
    struct run *run = fixture_run(t.store);
    struct sha256 key = journal_idem(run, "pay/turn:0/tool:0:pay", 0);
    struct scene s;
    char hex[65];

    make_tool(&t, EFFECT_IDEMPOTENT, &plain_ops);
    t.uuid = run_uuid(run);
    pay(&t, run, &s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_true(t.intent_was_durable);
    sha256_hex(&key, hex);
    assert_string_equal(t.idem, hex);
    scene_close(&s);
    run_close(run);
    tool_release(t.tool);
}

/* Dies inside the tool, after its intent is on disk. */
static void die_paying(struct store_fixture *f, enum effect effect, const struct tool_ops *ops,
                       char uuid[37])
{
    int pipe_fd[2], status;
    pid_t pid;

    assert_int_equal(pipe(pipe_fd), 0);
    pid = fork();
    if (pid == 0) {
        struct test_tool t = {.store = fixture_open(f)};
        struct run *run = fixture_run(t.store);
        struct scene s;

        t.uuid = run_uuid(run);
        if (write(pipe_fd[1], t.uuid, 37) != 37)
            _exit(3);
        make_tool(&t, effect, ops);
        t.die = true;
        pay(&t, run, &s);
        _exit(2);
    }
    assert_int_equal(read(pipe_fd[0], uuid, 37), 37);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void resume(struct store_fixture *f, struct test_tool *t, const char *uuid,
                   struct agent_result *out, char said[64])
{
    struct run *run = NULL;
    struct scene s;

    t->store = fixture_open(f);
    t->uuid = uuid;
    assert_ok(run_take(t->store, uuid, &run, why));
    pay(t, run, &s);
    *out = s.p.result;
    (void)snprintf(said, 64, "%s", jv_get_string(s.p.result.output, ""));
    scene_close(&s);
    run_close(run);
    fixture_close(f);
}

static void test_idempotent_effect_is_repeated_under_its_key(void **state)
{
    struct store_fixture *f = *state;
    struct test_tool t = {.finish_at_once = true};
    struct agent_result r;
    char uuid[37], said[64];

    die_paying(f, EFFECT_IDEMPOTENT, &plain_ops, uuid);
    make_tool(&t, EFFECT_IDEMPOTENT, &plain_ops);
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_OK);
    assert_int_equal(t.n_starts, 1);
    assert_int_equal(strlen(t.idem), 64);
    tool_release(t.tool);
}

static void test_once_asks_its_tool(void **state)
{
    static const struct {
        enum tool_outcome known; /* TOOL_TIMEOUT: it does not know */
        enum step_state state;
        int32_t n_starts;
    } cases[] = {{TOOL_OK, STEP_OK, 0}, {TOOL_ERROR, STEP_OK, 1}, {TOOL_TIMEOUT, STEP_WAITING, 0}};
    struct store_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_tool t = {.known = cases[i].known, .finish_at_once = true};
        struct agent_result r;
        char uuid[37], said[64];

        die_paying(f, EFFECT_ONCE, &asked_ops, uuid);
        make_tool(&t, EFFECT_ONCE, &asked_ops);
        resume(f, &t, uuid, &r, said);
        assert_int_equal(t.n_asked, 1);
        assert_int_equal(r.state, cases[i].state);
        assert_int_equal(t.n_starts, cases[i].n_starts);
        if (cases[i].known == TOOL_OK)
            assert_non_null(strstr(said, "found in the books"));
        tool_release(t.tool);
    }
}

struct found_wait {
    const char *path;
    struct json *prompt;
};

static bool find_wait(void *ctx, const struct wait_row *w)
{
    struct found_wait *found = ctx;

    if (strcmp(w->path, found->path) == 0 && !w->answer)
        found->prompt = jv_deep_copy(w->prompt);
    return true;
}

static void answer_with(struct store_fixture *f, const char *uuid, const char *path,
                        const struct json *answer)
{
    assert_ok(store_answer(fixture_open(f), uuid, path, answer, why));
    fixture_close(f);
}

/* Answers as `troupe answer` does; false: the words are refused. */
static bool answer_in_words(struct store_fixture *f, const char *uuid, const char *path,
                            const char *words)
{
    struct found_wait found = {.path = path};
    struct store_reader *q = NULL;
    struct json *answer = NULL;
    struct error err = ERROR_INIT;
    bool taken;

    (void)fixture_open(f);
    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_waits(q, uuid, find_wait, &found, why));
    store_reader_close(q);
    assert_non_null(found.prompt);
    taken = question_read_answer(found.prompt, words, &answer, &err) == STATUS_OK;
    if (taken)
        assert_ok(store_answer(f->store, uuid, path, answer, why));
    else
        assert_non_null(strstr(err.message, "done, repeat, fail"));
    fixture_close(f);
    jv_unref(answer);
    jv_unref(found.prompt);
    return taken;
}

/* Only a person can answer: for a tool without a status, and for one that does not know. */
static void test_once_asks_a_human(void **state)
{
    static const struct {
        const char *answer;
        int32_t n_starts;
        const char *said;
    } cases[] = {{"done", 0, "{\"ok\":true}"},
                 {"repeat", 1, "{\"paid\":\"Ann\"}"},
                 {"fail", 0, "{\"error\":\"the call was abandoned\"}"}};
    static const char path[] = "pay/turn:0/tool:0:pay";
    struct store_fixture *f = *state;

    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const struct tool_ops *ops = i < ARRAY_LEN(cases) ? &plain_ops : &asked_ops;
        const char *answer = cases[i % ARRAY_LEN(cases)].answer;
        const char *words = cases[i % ARRAY_LEN(cases)].said;
        int32_t n_starts = cases[i % ARRAY_LEN(cases)].n_starts;
        struct test_tool t = {.finish_at_once = true, .known = TOOL_TIMEOUT};
        struct agent_result r;
        char uuid[37], said[64];

        die_paying(f, EFFECT_ONCE, ops, uuid);
        make_tool(&t, EFFECT_ONCE, ops);
        for (int again = 0; again < 2; again++) {
            resume(f, &t, uuid, &r, said);
            assert_int_equal(r.state, STEP_WAITING);
        }
        assert_int_equal(t.n_starts, 0);
        assert_false(answer_in_words(f, uuid, path, "Done"));
        assert_true(answer_in_words(f, uuid, path, answer));
        for (int again = 0; again < 2; again++) { /* the second time it is in the journal */
            resume(f, &t, uuid, &r, said);
            assert_int_equal(r.state, STEP_OK);
            assert_string_equal(said, words);
            assert_int_equal(t.n_starts, n_starts);
        }
        tool_release(t.tool);
    }
}

static bool take_deadline(void *ctx, const struct wait_row *w)
{
    *(int64_t *)ctx = w->deadline_ms;
    return true;
}

static int64_t asked_until(struct store_fixture *f, const char *uuid)
{
    struct store_reader *q = NULL;
    int64_t deadline_ms = 0;

    (void)fixture_open(f);
    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_waits(q, uuid, take_deadline, &deadline_ms, why));
    store_reader_close(q);
    fixture_close(f);
    return deadline_ms;
}

/* A repair is later than the call that began before it, and earlier than one that begins after. */
static void test_the_time_to_answer_counts_from_a_repair(void **state)
{
    static const int64_t day_ms = 24 * 3600 * 1000;
    struct store_fixture *f = *state;
    int64_t now_ms = seams_wall_ms(seams_real());
    int64_t repaired_ms[] = {now_ms + 30 * day_ms, now_ms - 30 * day_ms};

    for (size_t i = 0; i < ARRAY_LEN(repaired_ms); i++) {
        int64_t from_ms = repaired_ms[i] > now_ms ? repaired_ms[i] : now_ms;
        struct test_tool t = {.repaired_ms = repaired_ms[i]};
        struct agent_result r;
        char uuid[37], said[64];

        die_paying(f, EFFECT_ONCE, &plain_ops, uuid);
        make_tool(&t, EFFECT_ONCE, &plain_ops);
        resume(f, &t, uuid, &r, said);
        assert_int_equal(r.state, STEP_WAITING);
        assert_in_range(asked_until(f, uuid) - from_ms, 7 * day_ms, 7 * day_ms + 3600 * 1000);
        tool_release(t.tool);
    }
}

/* Stored by somebody who did not look at the options: it decides nothing, and it is asked again. */
static void test_other_words_decide_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct test_tool t = {.finish_at_once = true};
    struct json *wrong = jv_string("Done");
    struct agent_result r;
    char uuid[37], said[64];

    die_paying(f, EFFECT_ONCE, &plain_ops, uuid);
    make_tool(&t, EFFECT_ONCE, &plain_ops);
    resume(f, &t, uuid, &r, said);
    answer_with(f, uuid, "pay/turn:0/tool:0:pay", wrong);
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_WAITING);
    assert_int_equal(t.n_starts, 0);
    assert_true(answer_in_words(f, uuid, "pay/turn:0/tool:0:pay", "done"));
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_OK);
    assert_string_equal(said, "{\"ok\":true}");
    jv_unref(wrong);
    tool_release(t.tool);
}

/* Takes the run up in a process that dies inside the tool again. */
static void die_repeating(struct store_fixture *f, const char *uuid)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct test_tool t = {.die = true};
        struct agent_result r;
        char said[64];

        make_tool(&t, EFFECT_ONCE, &plain_ops);
        resume(f, &t, uuid, &r, said);
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* "repeat" is said of one time, not of all. */
static void test_a_repeat_that_is_interrupted_asks_again(void **state)
{
    struct store_fixture *f = *state;
    struct test_tool t = {.finish_at_once = true};
    struct agent_result r;
    char uuid[37], said[64];

    die_paying(f, EFFECT_ONCE, &plain_ops, uuid);
    make_tool(&t, EFFECT_ONCE, &plain_ops);
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_WAITING);
    assert_true(answer_in_words(f, uuid, "pay/turn:0/tool:0:pay", "repeat"));
    die_repeating(f, uuid);
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_WAITING);
    assert_int_equal(t.n_starts, 0);
    assert_true(answer_in_words(f, uuid, "pay/turn:0/tool:0:pay", "done"));
    resume(f, &t, uuid, &r, said);
    assert_int_equal(r.state, STEP_OK);
    assert_string_equal(said, "{\"ok\":true}");
    assert_int_equal(t.n_starts, 0);
    tool_release(t.tool);
}

/* ---- a tool that asks while it has the call */

static void asker_answered(struct tool_call *c, const struct json *answer)
{
    struct test_tool *t = c->tool->ctx;
    struct json *v = jv_object();

    t->open = NULL;
    jv_set_string(v, "paid", jv_get_string(answer, "nobody answered"));
    tool_call_finish(c, TOOL_OK, v);
}

static void asker_start(struct tool *tool, struct tool_call *c)
{
    struct test_tool *t = tool->ctx;
    struct json *prompt = fixture_json("{\"text\":\"Pay Ann?\",\"options\":[\"yes\",\"no\"]}");

    t->n_starts++;
    c->host->ask(c, prompt, 0, asker_answered);
    jv_unref(prompt);
}

static void test_the_answer_reaches_the_tool_that_asked(void **state)
{
    static const struct tool_ops ops = {.start = asker_start, .free = tool_release};
    static const enum effect effects[] = {EFFECT_NONE, EFFECT_IDEMPOTENT, EFFECT_ONCE};
    static const char path[] = "pay/turn:0/tool:0:pay/ask:1";
    struct store_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
        struct test_tool t = {.n_asked = 0};
        struct json *wrong = jv_string("Yes"), *right = jv_string("yes");
        struct agent_result r;
        char uuid[37], said[64];
        struct run *run;
        struct scene s;

        make_tool(&t, effects[i], &ops);
        t.store = fixture_open(f);
        run = fixture_run(t.store);
        (void)snprintf(uuid, sizeof(uuid), "%s", run_uuid(run));
        pay(&t, run, &s);
        assert_int_equal(s.p.result.state, STEP_WAITING);
        scene_close(&s);
        run_close(run);
        fixture_close(f);
        resume(f, &t, uuid, &r, said);
        assert_int_equal(r.state, STEP_WAITING);
        answer_with(f, uuid, path, wrong);
        resume(f, &t, uuid, &r, said); /* none of the options: it stays open */
        assert_int_equal(r.state, STEP_WAITING);
        answer_with(f, uuid, path, right);
        resume(f, &t, uuid, &r, said);
        assert_int_equal(r.state, STEP_OK);
        assert_string_equal(said, "{\"paid\":\"yes\"}");
        assert_int_equal(t.n_starts, 4);
        resume(f, &t, uuid, &r, said);
        assert_int_equal(t.n_starts, 4);
        jv_unref(wrong);
        jv_unref(right);
        tool_release(t.tool);
    }
}

static void test_without_a_journal_nobody_answers(void **state)
{
    static const struct tool_ops ops = {.start = asker_start, .free = tool_release};
    struct test_tool t = {.n_asked = 0};
    struct scene s;

    (void)state;
    make_tool(&t, EFFECT_NONE, &ops);
    pay(&t, NULL, &s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_string_equal(jv_get_string(s.p.result.output, ""), "{\"paid\":\"nobody answered\"}");
    scene_close(&s);
    tool_release(t.tool);
}

/* ---- a tool that hangs and cannot be cancelled */

static void test_a_hanging_call_is_left_at_the_deadline(void **state)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};
    struct store_fixture *f = *state;
    struct test_tool t = {.store = fixture_open(f)};
    struct run *run = fixture_run(t.store);
    struct scene s;
    struct step_record rec;
    int64_t began = seams_wall_ms(seams_real());
    bool found = false;

    make_tool(&t, EFFECT_NONE, &ops);
    t.uuid = run_uuid(run);
    open_pay(&s, &t, talk_pay);
    scene_journal(&s, run);
    s.t.scope.deadline_ms = began + 200;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_TIMEOUT);
    assert_in_range(seams_wall_ms(seams_real()) - began, 200, 5000);
    assert_non_null(t.open); /* the tool still has it */
    assert_ok(journal_find(run, "pay/turn:0/tool:0:pay", &found, &rec, why));
    assert_int_equal(rec.state, STEP_TIMEOUT);
    step_record_deinit(&rec);
    finish(&t, t.open);
    assert_ok(journal_find(run, "pay/turn:0/tool:0:pay/late", &found, &rec, why));
    assert_true(found);
    assert_int_equal(rec.state, STEP_OK);
    assert_string_equal(jv_get_string(jv_get(rec.out, "paid"), ""), "Ann");
    step_record_deinit(&rec);
    scene_close(&s);
    run_close(run);
    fixture_close(f);
    tool_release(t.tool);
}

/* A result that comes when the run is closed is dropped. */
static void test_a_call_may_outlive_its_run(void **state)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};
    struct store_fixture *f = *state;
    struct test_tool t = {.store = fixture_open(f)};
    struct run *run = fixture_run(t.store);
    struct tool_step *s;
    struct json *arguments = fixture_json("{\"to\":\"Ann\"}");

    make_tool(&t, EFFECT_NONE, &ops);
    t.uuid = run_uuid(run);
    s = tool_step_new(&(struct tool_step_spec){.tool = t.tool,
                                               .arguments = arguments,
                                               .run = run,
                                               .path = "pay",
                                               .records = true,
                                               .seams = seams_real()});
    tool_step_start(s);
    assert_non_null(t.open);
    tool_step_free(s);
    run_close(run);
    finish(&t, t.open);
    jv_unref(arguments);
    tool_release(t.tool);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asynchronous_and_immediate_tools),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_cancel_reaches_a_tool),
        cmocka_unit_test(test_mistakes_never_reach_a_tool),
        STORE_TEST(test_keyed_effects_wait_for_their_intent),
        STORE_TEST(test_idempotent_effect_is_repeated_under_its_key),
        STORE_TEST(test_once_asks_its_tool),
        STORE_TEST(test_once_asks_a_human),
        STORE_TEST(test_the_time_to_answer_counts_from_a_repair),
        STORE_TEST(test_other_words_decide_nothing),
        STORE_TEST(test_a_repeat_that_is_interrupted_asks_again),
        STORE_TEST(test_the_answer_reaches_the_tool_that_asked),
        cmocka_unit_test(test_without_a_journal_nobody_answers),
        STORE_TEST(test_a_hanging_call_is_left_at_the_deadline),
        STORE_TEST(test_a_call_may_outlive_its_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
