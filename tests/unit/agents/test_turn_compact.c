/* test_turn_compact.c - an agent with the compact codec in the ledger: right, recorded, bounded,
 * stopped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/agents/agent_fixture.h"

static struct agent_host *new_host(void)
{
    struct agent_host_options o = {.seams = seams_real()};
    struct agent_host *h = NULL;

    assert_ok(agent_host_new(&o, &h, why));
    return h;
}

static void test_plays_an_episode_right(void **state)
{
    struct fake_model m;
    struct play p = {.host = new_host()};
    struct agent_role role;
    struct agent_task t;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 12, 0);
    play_agent(&p, &t);
    assert_int_equal(p.result.state, STEP_OK);
    assert_true(p.result.has_verdict);
    assert_true(p.result.verdict.success);
    assert_int_equal(p.result.verdict.steps, 12);
    assert_int_equal(p.result.calls, 36);
    assert_int_equal(p.result.turns, 36);
    assert_int_equal(m.n_calls, 36);
    /* ORDk+n| is 5 tokens, >nn| and >OK| 4 and 3; calls GETk; 3, SETknn; 5, NEXT; 2. */
    assert_int_equal(p.result.tok_in, 12 * (5 + 4 + 3));
    assert_int_equal(p.result.tok_out, 12 * (3 + 5 + 2));
    assert_int_equal(m.n_fed, p.result.tok_in);
    assert_true(jv_get_bool(jv_get(jv_get(p.result.output, "verdict"), "success"), false));
    play_deinit(&p);
    fake_model_deinit(&m);
}

static void test_who_looks_repairs(void **state)
{
    fake_policy policy[2] = {policy_plain, policy_check};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fake_model m;
        struct play p = {.host = new_host()};
        struct agent_role role;
        struct agent_task t;

        fake_model_init(&m, "compact", policy[i]);
        role = fake_role(&m);
        t = ledger_task(&role, "play", 200, 0.1);
        play_agent(&p, &t);
        assert_int_equal(p.result.state, STEP_OK);
        assert_int_equal(p.result.verdict.success, i == 1);
        assert_true(p.result.verdict.faults > 5);
        play_deinit(&p);
        fake_model_deinit(&m);
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
        struct fake_model m;
        struct play p = {.host = new_host()};
        struct agent_role role;
        struct agent_task t;

        fake_model_init(&m, "compact", policy[i]);
        role = fake_role(&m);
        t = ledger_task(&role, "play", 3, 0);
        play_agent(&p, &t);
        assert_int_equal(p.result.state, STEP_OK);
        assert_false(p.result.verdict.success);
        assert_true(p.result.verdict.capped);
        assert_int_equal(p.result.calls, t.env_ops->max_calls_per_step + 1);
        play_deinit(&p);
        fake_model_deinit(&m);
    }
}

static void play_budget(struct budget *b, struct agent_result *out)
{
    struct fake_model m;
    struct play p = {.host = new_host()};
    struct agent_role role;
    struct agent_task t;

    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 50, 0);
    t.scope.budget = b;
    play_agent(&p, &t);
    *out = p.result;
    out->output = NULL;
    play_deinit(&p);
    fake_model_deinit(&m);
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
    struct fake_model m;
    struct play p = {.host = new_host(), .each_poll = cancel_when_held, .ctx = &m};
    struct agent_role role;
    struct agent_task t;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    m.hold = 10;
    role = fake_role(&m);
    t = ledger_task(&role, "play", 50, 0);
    play_agent(&p, &t);
    assert_int_equal(p.result.state, STEP_CANCELLED);
    assert_int_equal(m.n_calls, 10);
    assert_null(p.result.output);
    play_deinit(&p);
    fake_model_deinit(&m);
}

static void test_deadline_reaches_a_call_in_flight(void **state)
{
    struct fake_model m;
    struct play p = {.host = new_host()};
    struct agent_role role;
    struct agent_task t;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    m.hold = 10;
    role = fake_role(&m);
    t = ledger_task(&role, "play", 50, 0);
    t.scope.deadline_ms = seams_wall_ms(seams_real()) + 100;
    play_agent(&p, &t);
    assert_int_equal(p.result.state, STEP_TIMEOUT);
    assert_int_equal(m.n_calls, 10);
    play_deinit(&p);
    fake_model_deinit(&m);
}

static void test_flag_of_the_scope_cancels(void **state)
{
    struct fake_model m;
    struct play p = {.host = new_host()};
    struct agent_role role;
    struct agent_task t;
    bool cancelled = true;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 50, 0);
    t.scope.cancelled = &cancelled;
    play_agent(&p, &t);
    assert_int_equal(p.result.state, STEP_CANCELLED);
    assert_int_equal(m.n_calls, 0);
    play_deinit(&p);
    fake_model_deinit(&m);
}

static void test_a_model_that_fails_ends_the_agent(void **state)
{
    static const struct {
        enum status as;
        enum step_state state;
    } cases[] = {{STATUS_FAILED, STEP_ERROR}, {STATUS_TIMEOUT, STEP_TIMEOUT}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fake_model m;
        struct play p = {.host = new_host()};
        struct agent_role role;
        struct agent_task t;

        fake_model_init(&m, "compact", policy_plain);
        m.fail_at = 5;
        m.fail_as = cases[i].as;
        role = fake_role(&m);
        t = ledger_task(&role, "play", 50, 0);
        play_agent(&p, &t);
        assert_int_equal(p.result.state, cases[i].state);
        assert_non_null(strstr(p.result.err.message, "made to fail"));
        assert_false(p.result.has_verdict);
        play_deinit(&p);
        fake_model_deinit(&m);
    }
}

static void test_refuses_what_cannot_begin(void **state)
{
    struct fake_model m;
    struct agent_host *h = new_host();
    struct agent_role role;
    struct agent_task t;
    struct agent *a = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 50, 0);
    t.env_ops = NULL;
    assert_int_equal(agent_start(h, &t, play_done, NULL, &a, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "fake"));
    t = ledger_task(&role, "play", 0, 0);
    assert_int_equal(agent_start(h, &t, play_done, NULL, &a, &err), STATUS_INVALID);
    m.model.info.codec = "klingon";
    t = ledger_task(&role, "play", 50, 0);
    assert_int_equal(agent_start(h, &t, play_done, NULL, &a, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "klingon"));
    assert_null(a);
    agent_host_free(h);
    fake_model_deinit(&m);
}

static void collect(void *ctx, const char *path, const char *text, size_t n)
{
    struct str *s = ((struct play *)ctx)->ctx;

    if (strcmp(path, "play/turn:0/model:0") == 0)
        str_append(s, text, n);
}

static void test_streams_text_by_path(void **state)
{
    struct fake_model m;
    struct str said = STR_INIT;
    struct agent_host_options o = {.seams = seams_real()};
    struct play p = {.ctx = &said};
    struct agent_role role;
    struct agent_task t;

    (void)state;
    assert_ok(agent_host_new(&o, &p.host, why));
    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 4, 0);
    t.on_text = collect;
    play_agent(&p, &t);
    assert_true(p.result.verdict.success);
    assert_int_equal(said.len, 5);
    assert_memory_equal(str_cstr(&said), "GET", 3);
    str_deinit(&said);
    play_deinit(&p);
    fake_model_deinit(&m);
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
    struct fake_model m;
    struct play p = {.host = NULL};
    struct agent_host_options o = {.seams = seams_real()};
    struct agent_role role;
    struct agent_task t;

    (void)state;
    assert_ok(loop_new(seams_real(), &loop, why));
    o.loop = loop;
    p.ctx = loop;
    assert_ok(agent_host_new(&o, &p.host, why));
    fake_model_init(&m, "compact", policy_plain);
    role = fake_role(&m);
    t = ledger_task(&role, "play", 30, 0);
    t.scope.deadline_ms = seams_wall_ms(seams_real()) + 60000;
    assert_ok(agent_start(p.host, &t, stop_loop, &p, &p.agent, why));
    loop_run(loop);
    assert_true(p.over);
    assert_true(p.result.verdict.success);
    play_deinit(&p);
    loop_free(loop);
    fake_model_deinit(&m);
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
