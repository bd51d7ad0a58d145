/* test_ledger_cue.c - the class of an order shows its risk, calls are rationed, and between never
 * looking and looking where it matters there is a gap that only a policy with eyes can close.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/ledger.h"

static const struct env_ops *cue(void)
{
    return env_find("ledger_cue");
}

static void orders_are_the_ledgers_and_a_fifth_is_risky(void **state)
{
    const int32_t n = 100000;
    int64_t risky = 0;

    (void)state;
    for (int32_t i = 0; i < n; i++)
        risky += ledger_order_at(77, i).risky;
    assert_rate(risky, n, 0.2);
}

/* The same task in all three: only the letter differs. */
static void texts_are_as_documented(void **state)
{
    static const char *const names[] = {"ledger", "ledger_cue", "ledger_cue_swapped"};
    struct env_params p = {.horizon = 40, .task_seed = 12};
    struct env *e[3];
    int32_t seen[2] = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        e[i] = play_new(env_find(names[i]), p);
    for (int32_t step = 0; step < 40; step++) {
        bool risky = ledger_order_at(12, step).risky;
        struct str text[3] = {STR_INIT, STR_INIT, STR_INIT};

        seen[risky]++;
        for (int i = 0; i < 3; i++) {
            struct env_call next = {.tool = LEDGER_NEXT};
            struct env_effect fx;
            struct json *v = env_find(names[i])->observe(e[i]);

            if (i > 0)
                assert_string_equal(jv_get_string(jv_get(v, "class"), ""),
                                    risky == (i == 1) ? "b" : "a");
            else
                assert_null(jv_get(v, "class"));
            jv_unref(v);
            env_find(names[i])->observe_compact(e[i], &text[i]);
            jv_unref(env_find(names[i])->call(e[i], &next, &fx));
        }
        assert_int_equal(text[0].len, 7); /* ORDd+7| */
        assert_int_equal(text[1].len, 8); /* ORDd+7b| */
        assert_memory_equal(text[0].data, text[1].data, 6);
        assert_memory_equal(text[0].data, text[2].data, 6);
        assert_int_equal(text[1].data[6], risky ? 'b' : 'a');
        assert_int_equal(text[2].data[6], risky ? 'a' : 'b');
        for (int i = 0; i < 3; i++)
            str_deinit(&text[i]);
    }
    assert_true(seen[0] > 20 && seen[1] > 3);
    for (int i = 0; i < 3; i++)
        env_find(names[i])->free(e[i]);
}

static void rates_follow_the_class_and_scale(void **state)
{
    static const struct {
        double noise, risky, calm;
    } cases[] = {{-1, 0.05, 0.001}, {0, 0, 0}, {0.05, 0.05, 0.001}, {0.2, 0.2, 0.004}};
    const int32_t n = 100000;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct env *e = play_new(
            cue(), (struct env_params){.horizon = n, .noise = cases[i].noise, .fault_seed = 3});
        struct ledger *l = ledger_of(e);
        int64_t hits[2] = {0};

        for (int32_t step = 0; step < n; step++) {
            l->base.step = step;
            for (int risky = 0; risky < 2; risky++) {
                l->order.risky = risky;
                hits[risky] += ledger_write_fault(l, 0).kind != LEDGER_NO_FAULT;
            }
        }
        assert_rate(hits[0], n, cases[i].calm);
        assert_rate(hits[1], n, cases[i].risky);
        cue()->free(e);
    }
}

static void the_budget_is_33_calls_for_ten_orders(void **state)
{
    struct env *e = play_new(cue(), (struct env_params){.horizon = 10, .task_seed = 1});
    struct env_effect fx;
    struct env_verdict v;

    (void)state;
    assert_int_equal(e->budget, 33);
    for (int i = 0; i < 33; i++) {
        struct env_call call;
        struct json *reply;

        cue()->expert(e, "check", &call); /* four an order */
        reply = cue()->call(e, &call, &fx);
        assert_null(jv_get(reply, "error"));
        assert_false(fx.done);
        jv_unref(reply);
    }
    fx = play_say(cue(), e, "NEXT;", ">ERR|");
    assert_true(fx.done);
    v = play_verdict(cue(), e);
    assert_int_equal(v.steps, 9); /* eight, and the one that was cut */
    assert_int_equal(v.steps_right, 8);
    assert_int_equal(v.calls, 34);
    assert_true(v.over_budget && !v.capped && !v.success);
    (void)play_say(cue(), e, "GETa;", ">ERR|");
    assert_int_equal(cue()->calls_made(e), 34);
    cue()->free(e);
}

/* Exact for the task: the product over its own orders. */
static void the_ceiling_is_that_of_the_task(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct env_params p = {.horizon = 50, .noise = -1, .task_seed = seed};
        double want = 1;

        for (int32_t i = 0; i < p.horizon; i++)
            want *= ledger_order_at(seed, i).risky ? 0.95 : 0.999;
        assert_true(fabs(cue()->ceiling(&p) - want) < 1e-12);
        assert_true(fabs(env_find("ledger_cue_swapped")->ceiling(&p) - want) < 1e-12);
    }
}

/* At a horizon of 100, as "OffCourse" estimates them: never .34, the best blind policy .46, with
 * the cue .92; looking always fails. A context that begins again at every order cannot count its
 * calls: for it blind .41 and cue .83. */
static void looking_where_the_cue_says_is_worth_it(void **state)
{
    const int32_t n = 3000;
    struct env_params p = {.horizon = 100, .noise = -1};
    struct play_score s[LEDGER_N_EXPERTS];
    double success[LEDGER_N_EXPERTS];

    (void)state;
    for (int32_t i = 0; i < LEDGER_N_EXPERTS; i++) {
        s[i] = play_many(cue(), p, ledger_experts[i], ENV_SEED_REPORTED, n);
        success[i] = play_share(s[i].successes, n);
        print_message("ledger_cue H=100 %-14s success %.3f  calls/order %.3f  over budget %.3f\n",
                      ledger_experts[i], success[i], play_share(s[i].calls, s[i].steps),
                      play_share(s[i].over_budget, n));
    }
    print_message("ledger_cue H=100 mean ceiling %.3f\n", s[0].ceiling);
    assert_wilson(s[0].successes, n, s[0].ceiling);
    assert_between(success[0], 0.30, 0.38); /* plain */
    assert_int_equal(s[1].successes, 0);    /* check */
    assert_between(success[2], 0.41, 0.51); /* blind */
    assert_between(success[3], 0.86, 0.94); /* cue */
    assert_between(success[4], 0.36, 0.46); /* blind_rolling */
    assert_between(success[5], 0.78, 0.88); /* cue_rolling */
    assert_int_equal(s[2].over_budget, 0);
    assert_true(s[3].over_budget <= n / 100);
}

/* Who learned that b is risky looks at the wrong orders when the letters are exchanged. */
static void swapped_letters_mislead(void **state)
{
    const struct env_ops *swapped = env_find("ledger_cue_swapped");
    struct env_params p = {.horizon = 100, .noise = -1};
    struct play_score a = play_many(cue(), p, "cue", ENV_SEED_REPORTED, 300);
    struct play_score b = play_many(swapped, p, "cue", ENV_SEED_REPORTED, 300);

    (void)state;
    /* The script knows which is which; under it all is the same. */
    assert_int_equal(a.successes, b.successes);
    assert_int_equal(a.calls, b.calls);
}

static void ablations_bring_it_down_to_the_ceiling(void **state)
{
    struct env_params p = {.horizon = 60, .noise = -1};
    struct play_score plain = play_many(cue(), p, "plain", ENV_SEED_REPORTED, 800), s;

    (void)state;
    p.ablation = ENV_ABLATE_MASK;
    s = play_many(cue(), p, "cue", ENV_SEED_REPORTED, 800);
    assert_int_equal(s.successes, plain.successes);
    p.ablation = ENV_ABLATE_MUTE;
    s = play_many(cue(), p, "cue", ENV_SEED_REPORTED, 800);
    assert_int_equal(s.successes, plain.successes);
}

/* Looks of demonstrations whose decision is trained, by class. */
static void count_looks(const char *name, const char *kind, double progress, int64_t looks[2],
                        int64_t n[2])
{
    const struct env_ops *ops = env_find(name);

    looks[0] = looks[1] = n[0] = n[1] = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        struct env_demo_spec spec = {.seed = 8, .index = i, .progress = progress, .kind = kind};
        struct env_piece piece[ENV_MAX_PIECES];
        int32_t n_pieces = ops->demo(&spec, piece, ENV_MAX_PIECES), gets = 0;
        bool masked = false, is_b = piece[0].text[6] == 'b';

        for (int32_t k = 0; k < n_pieces; k++) {
            gets += memcmp(piece[k].text, "GET", 3) == 0;
            masked |= piece[k].masked;
        }
        if (masked)
            continue;
        n[is_b]++;
        looks[is_b] += gets > 1;
    }
}

static void the_mixture_says_nothing_of_the_class(void **state)
{
    int64_t looks[2], n[2];

    (void)state;
    count_looks("ledger_cue", "mix", 0.9, looks, n);
    assert_rate(looks[0], n[0], LEDGER_BLIND_LOOKS);
    assert_rate(looks[1], n[1], LEDGER_BLIND_LOOKS);
    assert_rate(n[1], n[0] + n[1], 0.2);
    count_looks("ledger_cue", NULL, 0.3, looks, n);
    assert_int_equal(looks[0] + looks[1], 0);
    count_looks("ledger_cue", "blind", 0.3, looks, n);
    assert_rate(looks[0], n[0], LEDGER_BLIND_LOOKS);
    assert_rate(looks[1], n[1], LEDGER_BLIND_LOOKS);
}

static void controls_do_what_they_are_called(void **state)
{
    int64_t looks[2], n[2];

    (void)state;
    count_looks("ledger_cue", "cue", 0.3, looks, n);
    assert_int_equal(looks[0], 0);
    assert_int_equal(looks[1], n[1]);
    count_looks("ledger_cue_swapped", "cue", 0.3, looks, n);
    assert_int_equal(looks[0], n[0]);
    assert_int_equal(looks[1], 0);
    count_looks("ledger_cue", "check", 0.3, looks, n);
    assert_int_equal(looks[0] + looks[1], n[0] + n[1]);
    count_looks("ledger_cue", "plain", 0.3, looks, n);
    assert_int_equal(looks[0] + looks[1], 0);
    count_looks("ledger_cue", "skill", 0.3, looks, n);
    assert_int_equal(n[0] + n[1], 0); /* each is masked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_the_ledgers_and_a_fifth_is_risky),
        cmocka_unit_test(texts_are_as_documented),
        cmocka_unit_test(rates_follow_the_class_and_scale),
        cmocka_unit_test(the_budget_is_33_calls_for_ten_orders),
        cmocka_unit_test(the_ceiling_is_that_of_the_task),
        cmocka_unit_test(looking_where_the_cue_says_is_worth_it),
        cmocka_unit_test(swapped_letters_mislead),
        cmocka_unit_test(ablations_bring_it_down_to_the_ceiling),
        cmocka_unit_test(the_mixture_says_nothing_of_the_class),
        cmocka_unit_test(controls_do_what_they_are_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
