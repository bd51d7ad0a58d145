/* test_turn_compact.c - an agent with the compact codec in the ledger: right, recorded, bounded,
 * stopped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/agents/agent_fixture.h"

static void test_plays_an_episode_right(void **state)
{
    struct scene s;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    scene_ledger(&s, 12, 0);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_true(s.p.result.has_verdict);
    assert_true(s.p.result.verdict.success);
    assert_int_equal(s.p.result.verdict.steps, 12);
    assert_int_equal(s.p.result.calls, 36);
    assert_int_equal(s.p.result.turns, 36);
    assert_int_equal(s.m.n_calls, 36);
    /* ORDk+n| is 5 tokens, >nn| and >OK| 4 and 3; calls GETk; 3, SETknn; 5, NEXT; 2. */
    assert_int_equal(s.p.result.tok_in, 12 * (5 + 4 + 3));
    assert_int_equal(s.p.result.tok_out, 12 * (3 + 5 + 2));
    assert_int_equal(s.m.n_fed, s.p.result.tok_in);
    assert_true(jv_get_bool(jv_get(jv_get(s.p.result.output, "verdict"), "success"), false));
    scene_close(&s);
}

static void test_who_looks_repairs(void **state)
{
    fake_policy policy[2] = {policy_plain, policy_check};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s;

        scene_ids(&s, "compact", policy[i]);
        scene_ledger(&s, 200, 0.1);
        scene_play(&s);
        assert_int_equal(s.p.result.state, STEP_OK);
        assert_int_equal(s.p.result.verdict.success, i == 1);
        assert_true(s.p.result.verdict.faults > 5);
        scene_close(&s);
    }
}

static void policy_babble(struct fake_model *m, const char *context, const struct model_call *c,
                          struct str *out)
{
    (void)m;
    (void)context;
    (void)c;
    str_puts(out, "GETz;");
}

static void policy_endless(struct fake_model *m, const char *context, const struct model_call *c,
                           struct str *out)
{
    (void)m;
    (void)context;
    for (int32_t i = 0; i < c->max_tokens + 3; i++)
        str_putc(out, 'x');
}

/* A reply that is not a call counts, and the cap of the step ends the episode as a normal result.
 */
static void test_babble_is_the_policys_own_fault(void **state)
{
    fake_policy policy[2] = {policy_babble, policy_endless};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s;

        scene_ids(&s, "compact", policy[i]);
        scene_ledger(&s, 3, 0);
        scene_play(&s);
        assert_int_equal(s.p.result.state, STEP_OK);
        assert_false(s.p.result.verdict.success);
        assert_true(s.p.result.verdict.capped);
        assert_int_equal(s.p.result.calls, s.t.env_ops->max_calls_per_step + 1);
        scene_close(&s);
    }
}

static void play_budget(struct budget *b, struct agent_result *out)
{
    struct scene s;

    scene_ids(&s, "compact", policy_plain);
    scene_ledger(&s, 50, 0);
    s.t.scope.budget = b;
    scene_play(&s);
    *out = s.p.result;
    out->output = NULL;
    scene_close(&s);
}

static void test_budgets_end_an_agent_by_name(void **state)
{
    struct budget parent = {.steps_limit = 20};
    struct budget b = {.parent = &parent};
    struct agent_result r;

    (void)state;
    play_budget(&b, &r);
    assert_int_equal(r.state, STEP_BUDGET);
    assert_non_null(strstr(r.err.message, "20 steps"));
    assert_int_equal(r.turns, 20);
    assert_int_equal(parent.steps, 20);

    b = (struct budget){.calls_limit = 7};
    play_budget(&b, &r);
    assert_int_equal(r.state, STEP_BUDGET);
    assert_non_null(strstr(r.err.message, "7 tool calls"));
    assert_int_equal(r.calls, 7);

    b = (struct budget){.tokens_limit = 100};
    play_budget(&b, &r);
    assert_int_equal(r.state, STEP_BUDGET);
    assert_non_null(strstr(r.err.message, "100 tokens"));
    assert_in_range(b.tokens, 90, 100);
    assert_int_equal(b.tokens, r.tok_in + r.tok_out);

    b = (struct budget){.started_ms = seams_wall_ms(seams_real()) - 10, .wall_ms_limit = 5};
    play_budget(&b, &r);
    assert_int_equal(r.state, STEP_TIMEOUT);
}

/* Reservations are given back: what is spent is what was used. */
static void test_budget_settles_to_what_was_used(void **state)
{
    struct budget parent = {.started_ms = 0};
    struct budget b = {.parent = &parent, .tokens_limit = 1000000};
    struct agent_result r;

    (void)state;
    play_budget(&b, &r);
    assert_int_equal(r.state, STEP_OK);
    assert_int_equal(b.tokens, r.tok_in + r.tok_out);
    assert_int_equal(parent.tokens, b.tokens);
    assert_int_equal(b.steps, 150);
    assert_int_equal(b.calls, 150);
}

static void cancel_when_held(struct play *p)
{
    struct fake_model *m = p->ctx;

    if (m->held)
        agent_cancel(p->agent);
}

static void test_cancel_reaches_a_call_in_flight(void **state)
{
    struct scene s;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    s.p.each_poll = cancel_when_held;
    s.p.ctx = &s.m;
    s.m.hold = 10;
    scene_ledger(&s, 50, 0);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_CANCELLED);
    assert_int_equal(s.m.n_calls, 10);
    assert_null(s.p.result.output);
    scene_close(&s);
}

static void test_deadline_reaches_a_call_in_flight(void **state)
{
    struct scene s;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    s.m.hold = 10;
    scene_ledger(&s, 50, 0);
    s.t.scope.deadline_ms = seams_wall_ms(seams_real()) + 100;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_TIMEOUT);
    assert_int_equal(s.m.n_calls, 10);
    scene_close(&s);
}

static void test_flag_of_the_scope_cancels(void **state)
{
    struct scene s;
    bool cancelled = true;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    scene_ledger(&s, 50, 0);
    s.t.scope.cancelled = &cancelled;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_CANCELLED);
    assert_int_equal(s.m.n_calls, 0);
    scene_close(&s);
}

static void test_a_model_that_fails_ends_the_agent(void **state)
{
    static const struct {
        enum status as;
        enum step_state state;
    } cases[] = {{STATUS_FAILED, STEP_ERROR}, {STATUS_TIMEOUT, STEP_TIMEOUT}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;

        scene_ids(&s, "compact", policy_plain);
        s.m.fail_at = 5;
        s.m.fail_as = cases[i].as;
        scene_ledger(&s, 50, 0);
        scene_play(&s);
        assert_int_equal(s.p.result.state, cases[i].state);
        assert_non_null(strstr(s.p.result.err.message, "made to fail"));
        assert_false(s.p.result.has_verdict);
        scene_close(&s);
    }
}

static void test_refuses_what_cannot_begin(void **state)
{
    struct scene s;
    struct agent *a = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    scene_ledger(&s, 50, 0);
    s.t.env_ops = NULL;
    assert_int_equal(agent_start(s.p.host, &s.t, play_done, NULL, &a, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "fake"));
    scene_ledger(&s, 0, 0);
    assert_int_equal(agent_start(s.p.host, &s.t, play_done, NULL, &a, &err), STATUS_INVALID);
    s.m.model.info.codec = "klingon";
    scene_ledger(&s, 50, 0);
    assert_int_equal(agent_start(s.p.host, &s.t, play_done, NULL, &a, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "klingon"));
    assert_null(a);
    scene_close(&s);
}

static void collect(void *ctx, const char *path, const char *text, size_t n)
{
    struct str *s = ((struct play *)ctx)->ctx;

    if (strcmp(path, "play/turn:0/model:0") == 0)
        str_append(s, text, n);
}

static void test_streams_text_by_path(void **state)
{
    struct str said = STR_INIT;
    struct scene s;

    (void)state;
    scene_ids(&s, "compact", policy_plain);
    s.p.ctx = &said;
    scene_ledger(&s, 4, 0);
    s.t.on_text = collect;
    scene_play(&s);
    assert_true(s.p.result.verdict.success);
    assert_int_equal(said.len, 5);
    assert_memory_equal(str_cstr(&said), "GET", 3);
    str_deinit(&said);
    scene_close(&s);
}

static void stop_loop(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct play *p = ctx;

    play_done(ctx, a, r);
    loop_stop(p->ctx);
}

static void test_plays_on_a_loop(void **state)
{
    struct loop *loop = NULL;
    struct scene s;
    struct agent_host_options o = {.seams = seams_real()};

    (void)state;
    assert_ok(loop_new(seams_real(), &loop, why));
    o.loop = loop;
    scene_ids(&s, "compact", policy_plain);
    agent_host_free(s.p.host);
    assert_ok(agent_host_new(&o, &s.p.host, why));
    s.p.ctx = loop;
    scene_ledger(&s, 30, 0);
    s.t.scope.deadline_ms = seams_wall_ms(seams_real()) + 60000;
    assert_ok(agent_start(s.p.host, &s.t, stop_loop, &s.p, &s.p.agent, why));
    loop_run(loop);
    assert_true(s.p.over);
    assert_true(s.p.result.verdict.success);
    scene_close(&s);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plays_an_episode_right),
        cmocka_unit_test(test_who_looks_repairs),
        cmocka_unit_test(test_babble_is_the_policys_own_fault),
        cmocka_unit_test(test_budgets_end_an_agent_by_name),
        cmocka_unit_test(test_budget_settles_to_what_was_used),
        cmocka_unit_test(test_cancel_reaches_a_call_in_flight),
        cmocka_unit_test(test_deadline_reaches_a_call_in_flight),
        cmocka_unit_test(test_flag_of_the_scope_cancels),
        cmocka_unit_test(test_a_model_that_fails_ends_the_agent),
        cmocka_unit_test(test_refuses_what_cannot_begin),
        cmocka_unit_test(test_streams_text_by_path),
        cmocka_unit_test(test_plays_on_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
