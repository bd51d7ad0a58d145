/* test_tool_step.c - one call of a tool against the clock: time-outs, tools that do not end,
 * questions that nobody answers. The clock is the test's, and moves only when it says so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/tool_step.h"
#include "runtime/base/memory.h"
#include "tests/unit/store/store_fixture.h"

/* What the tool does with a call. */
enum manner { HANG, FINISH, CANCELS, FINISHES_WHEN_CANCELLED };

struct scene {
    struct seams seams;
    int64_t now;
    struct tool *tool;
    struct tool_ops ops;
    enum manner manner;
    struct tool_call *open, *asked; /* started, and asked for its status; not finished */
    int32_t n_starts, n_asked, n_done, n_cancels, n_asking;
    bool asking;
    struct tool_step *step;
    enum step_state state; /* once n_done is 1 */
    char out[64];
    char notes[128];
};

static int64_t wall_ms(void *ctx)
{
    return ((struct scene *)ctx)->now;
}

static struct json *value(const char *text)
{
    struct json *v = jv_object();

    jv_set_string(v, "is", text);
    return v;
}

static void start(struct tool *t, struct tool_call *c)
{
    struct scene *s = t->ctx;

    s->n_starts++;
    c->host->progress(c, 1, 2, "begun");
    c->host->log(c, "info", "at work");
    if (s->manner == FINISH)
        tool_call_finish(c, TOOL_OK, value("paid"));
    else
        s->open = c;
}

static void cancel(struct tool *t, struct tool_call *c)
{
    struct scene *s = t->ctx;

    s->n_cancels++;
    if (s->manner == HANG)
        return;
    if (c == s->open)
        s->open = NULL;
    tool_call_finish(c, s->manner == CANCELS ? TOOL_CANCELLED : TOOL_OK, value("paid after all"));
}

static void status(struct tool *t, struct tool_call *c)
{
    struct scene *s = t->ctx;

    s->n_asked++;
    s->asked = c;
}

static void on_done(void *ctx, struct tool_step *step)
{
    struct scene *s = ctx;
    const struct tool_step_result *r = tool_step_result(step);

    assert_true(tool_step_has_ended(step));
    s->n_done++;
    s->state = r->state;
    (void)snprintf(s->out, sizeof(s->out), "%s",
                   jv_get_string(jv_get(r->out, "is"), r->error ? r->error : ""));
}

static void on_asking(void *ctx, struct tool_step *step, bool asking, int64_t due_ms)
{
    struct scene *s = ctx;

    (void)step;
    assert_true(asking != s->asking);
    assert_true(!asking || due_ms > s->now);
    s->asking = asking;
    s->n_asking += asking;
}

static void on_note(void *ctx, const char *text)
{
    struct scene *s = ctx;
    size_t n = strlen(s->notes);

    (void)snprintf(s->notes + n, sizeof(s->notes) - n, "%s\n", text);
}

static void open_scene(struct scene *s, enum manner manner, struct tool_ops ops)
{
    struct tool_declaration d = {
        .name = "pay", .description = "Pays.", .source = "test", .input_schema = "{}"};

    *s = (struct scene){
        .seams = *seams_real(), .now = seams_wall_ms(seams_real()), .manner = manner, .ops = ops};
    s->ops.free = tool_release;
    s->seams.clock.ctx = s;
    s->seams.clock.wall_ms = wall_ms;
    assert_int_equal(tool_new(&d, &s->ops, s, &s->tool, NULL), STATUS_OK);
}

static void begin(struct scene *s, struct tool_step_spec spec)
{
    spec.tool = s->tool;
    spec.seams = &s->seams;
    spec.done = on_done;
    spec.asking = on_asking;
    spec.note = on_note;
    spec.ctx = s;
    s->step = tool_step_new(&spec);
    tool_step_start(s->step);
}

static void pass(struct scene *s, int64_t ms)
{
    s->now += ms;
    tool_step_poll(s->step);
}

static void close_scene(struct scene *s)
{
    tool_step_free(s->step);
    if (s->open)
        tool_call_finish(s->open, TOOL_OK, value("late"));
    if (s->asked)
        tool_call_finish(s->asked, TOOL_OK, value("late"));
    tool_unref(s->tool);
}

static void what_a_tool_says_is_passed_on(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s, FINISH, (struct tool_ops){.start = start});
    begin(&s, (struct tool_step_spec){.path = "p"});
    assert_int_equal(s.n_done, 1);
    assert_int_equal(s.state, STEP_OK);
    assert_string_equal(s.notes, "pay: 1 of 2, begun\npay: info: at work\n");
    close_scene(&s);
}

/* timeout_ms holds whether the tool can be cancelled, obeys late, or not at all. */
static void a_call_ends_when_its_time_is_over(void **state)
{
    static const struct {
        enum manner manner;
        bool cancels;
        int64_t grace_ms; /* how long after the time-out it may take */
        enum step_state state;
        const char *out;
    } cases[] = {
        {HANG, false, 0, STEP_TIMEOUT, "the tool did not answer in time"},
        {CANCELS, true, 0, STEP_TIMEOUT, "the tool did not answer in time"},
        {HANG, true, 1000, STEP_TIMEOUT, "the tool did not answer in time"},
        {FINISHES_WHEN_CANCELLED, true, 0, STEP_OK, "paid after all"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        struct tool_ops ops = {.start = start, .cancel = cases[i].cancels ? cancel : NULL};

        open_scene(&s, cases[i].manner, ops);
        begin(&s, (struct tool_step_spec){.path = "p", .timeout_ms = 200});
        pass(&s, 199);
        assert_int_equal(s.n_done, 0);
        pass(&s, 1);
        assert_int_equal(s.n_cancels, cases[i].cancels);
        if (cases[i].grace_ms) {
            pass(&s, cases[i].grace_ms - 1);
            assert_int_equal(s.n_done, 0);
            pass(&s, 1);
        }
        assert_int_equal(s.n_done, 1);
        assert_int_equal(s.state, cases[i].state);
        assert_string_equal(s.out, cases[i].out);
        pass(&s, 100000);
        assert_int_equal(s.n_done, 1);
        close_scene(&s);
    }
}

static void a_call_that_is_stopped_ends_as_it_was_told(void **state)
{
    static const enum step_state whys[] = {STEP_CANCELLED, STEP_TIMEOUT};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
        struct scene s;

        open_scene(&s, HANG, (struct tool_ops){.start = start});
        begin(&s, (struct tool_step_spec){.path = "p"});
        tool_step_stop(s.step, whys[i]);
        assert_int_equal(s.n_done, 1);
        assert_int_equal(s.state, whys[i]);
        tool_step_stop(s.step, STEP_CANCELLED);
        assert_int_equal(s.n_done, 1);
        close_scene(&s);
    }
}

/* Freed by its owner in every state that it can wait in: no callback, no leak. */
static void a_step_may_be_left_at_any_time(void **state)
{
    static const struct tool_step_spec specs[] = {
        {.effect = EFFECT_NONE},                     /* the tool has it */
        {.effect = EFFECT_IDEMPOTENT},               /* on its way to the disk */
        {.effect = EFFECT_ONCE, .recovered = true}}; /* the tool is asked, or a person */
    struct store_fixture *f = *state;

    for (size_t i = 0; i < 2 * ARRAY_LEN(specs); i++) {
        struct run *run = fixture_run(fixture_open(f));
        struct tool_step_spec spec = specs[i / 2];
        struct scene s;

        open_scene(&s, HANG, (struct tool_ops){.start = start, .status = i % 2 ? status : NULL});
        spec.run = run;
        spec.path = "p";
        spec.records = true;
        if (spec.recovered)
            journal_intend(
                run, &(struct step_intent){.path = "p", .kind = "tool", .effect = EFFECT_ONCE});
        begin(&s, spec);
        tool_step_free(s.step);
        s.step = NULL;
        assert_int_equal(s.n_done, 0);
        run_close(run);
        store_drain_replies(store_reply_box(f->store));
        close_scene(&s);
        fixture_close(f);
    }
}

/* ---- a `once` call that was begun before */

static void begin_recovered(struct scene *s, struct run *run)
{
    journal_intend(run, &(struct step_intent){.path = "p", .kind = "tool", .effect = EFFECT_ONCE});
    begin(s, (struct tool_step_spec){.run = run,
                                     .path = "p",
                                     .effect = EFFECT_ONCE,
                                     .records = true,
                                     .recovered = true,
                                     .started_ms = s->now});
}

/* If a tool does not answer a status query, a person is asked, and after a week without an answer
 * the call is abandoned. A late answer of the tool changes nothing. */
static void silence_is_not_waited_for(void **state)
{
    struct store_fixture *f = *state;
    struct run *run = fixture_run(fixture_open(f));
    struct scene s;

    open_scene(&s, FINISH, (struct tool_ops){.start = start, .status = status});
    begin_recovered(&s, run);
    assert_int_equal(s.n_asked, 1);
    pass(&s, 29999);
    assert_false(tool_step_is_asking(s.step));
    pass(&s, 1);
    assert_true(tool_step_is_asking(s.step));
    assert_true(s.asking);
    tool_call_finish(s.asked, TOOL_ERROR, NULL); /* too late */
    s.asked = NULL;
    assert_true(tool_step_is_asking(s.step));
    pass(&s, (int64_t)7 * 24 * 3600 * 1000 - 30001);
    assert_int_equal(s.n_done, 0);
    pass(&s, 1);
    assert_int_equal(s.n_done, 1);
    assert_false(s.asking);
    assert_int_equal(s.state, STEP_ERROR);
    assert_string_equal(s.out, "the call was abandoned");
    assert_true(tool_step_result(s.step)->not_retryable);
    assert_int_equal(s.n_starts, 0);
    close_scene(&s);
    run_close(run);
}

static void an_answer_is_noticed_when_somebody_looks(void **state)
{
    struct store_fixture *f = *state;
    struct run *run = fixture_run(fixture_open(f));
    struct json *answer = jv_string("repeat");
    struct scene s;

    open_scene(&s, FINISH, (struct tool_ops){.start = start});
    begin_recovered(&s, run);
    assert_true(s.asking);
    assert_int_equal(journal_sync(run, NULL), STATUS_OK);
    assert_int_equal(store_answer(f->store, run_uuid(run), "p", answer, NULL), STATUS_OK);
    assert_int_equal(s.n_starts, 0);
    tool_step_poll(s.step);
    assert_false(s.asking);
    for (int i = 0; i < 500 && s.n_done == 0; i++) { /* the repeat is on disk first */
        usleep(10000);
        store_drain_replies(store_reply_box(f->store));
    }
    assert_int_equal(s.n_done, 1);
    assert_int_equal(s.n_starts, 1);
    assert_string_equal(s.out, "paid");
    jv_unref(answer);
    close_scene(&s);
    run_close(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_tool_says_is_passed_on),
        cmocka_unit_test(a_call_ends_when_its_time_is_over),
        cmocka_unit_test(a_call_that_is_stopped_ends_as_it_was_told),
        STORE_TEST(a_step_may_be_left_at_any_time),
        STORE_TEST(silence_is_not_waited_for),
        STORE_TEST(an_answer_is_noticed_when_somebody_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
