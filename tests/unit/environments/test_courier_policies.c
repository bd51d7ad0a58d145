/* test_courier_policies.c - the ceiling and what lies above it: scripted policies over many
 * episodes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/courier.h"

static const struct env_ops *courier(void)
{
    return env_find("courier");
}

/* At a horizon of 100, as "OffCourse" estimates them: never looking .03, the best policy blind to
 * the weather .2, looking on gusty legs .9; looking on every leg is beyond the budget. */
static void looking_where_the_cue_says_is_worth_it(void **state)
{
    const int32_t n = 2000;
    struct env_params p = {.horizon = 100, .noise = -1};
    struct play_score s[COURIER_N_EXPERTS];
    double success[COURIER_N_EXPERTS];

    (void)state;
    for (int32_t i = 0; i < COURIER_N_EXPERTS; i++) {
        s[i] = play_many(courier(), p, courier_experts[i], ENV_SEED_REPORTED, n);
        success[i] = play_share(s[i].successes, n);
        print_message("courier H=100 %-14s success %.3f  calls/leg %.3f  over budget %.3f\n",
                      courier_experts[i], success[i], play_share(s[i].calls, s[i].steps),
                      play_share(s[i].over_budget, n));
    }
    print_message("courier H=100 mean ceiling %.3f\n", s[0].ceiling);
    assert_between(success[0], 0.02, 0.07); /* plain */
    assert_int_equal(s[1].successes, 0);    /* check */
    assert_between(success[2], 0.17, 0.26); /* blind */
    assert_between(success[3], 0.90, 0.97); /* cue */
    assert_between(success[4], 0.12, 0.22); /* blind_rolling */
    assert_between(success[5], 0.89, 0.97); /* cue_rolling */
    assert_int_equal(s[0].over_budget, 0);
    assert_true(s[2].over_budget <= n / 50 && s[3].over_budget <= n / 50);
}

/* The ceiling is exact: walls that undo an error and errors that cancel are in it. */
static void who_never_looks_lies_on_the_ceiling(void **state)
{
    static const char *const names[] = {"courier", "courier_plain"};
    struct env_params p = {.horizon = 30, .noise = -1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct env_ops *ops = env_find(names[i]);
        struct play_score s = play_many(ops, p, "plain", ENV_SEED_REPORTED, 5000);

        print_message("%s H=30 plain %.3f, mean ceiling %.3f\n", names[i],
                      play_share(s.successes, s.episodes), s.ceiling);
        assert_wilson(s.successes, s.episodes, s.ceiling);
        assert_int_equal(s.own_slips, 0);
        assert_int_equal(s.mismatch_shown + s.match_shown, 0);
        assert_int_equal(s.capped, 0);
    }
}

/* And not far above the product over the moves, which "OffCourse" names. */
static void the_ceiling_is_close_to_the_product(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct env_params p = {.horizon = 100, .noise = -1, .task_seed = seed};
        double product = 1, ceiling = courier()->ceiling(&p);

        for (int32_t i = 0; i < p.horizon; i++)
            product *=
                pow(courier_leg_at(seed, i).gusty ? 0.95 : 0.9998, courier_leg_moves(seed, i));
        assert_between(ceiling, product, product * 1.6);
        assert_between(ceiling, 0.001, 0.25);
    }
}

static void without_noise_all_is_right(void **state)
{
    struct env_params p = {.horizon = 100, .noise = 0};
    struct play_score s = play_many(courier(), p, "plain", ENV_SEED_REPORTED, 50);

    (void)state;
    assert_int_equal(s.successes, 50);
    s = play_many(env_find("courier_plain"), p, "check", ENV_SEED_REPORTED, 50);
    assert_int_equal(s.successes, 50);
    assert_int_equal(s.match_shown, s.steps);
    assert_int_equal(s.false_alarms, 0);
}

static void who_always_looks_gets_through_where_calls_allow_it(void **state)
{
    struct env_params p = {.horizon = 100, .noise = -1};
    struct play_score s = play_many(env_find("courier_plain"), p, "check", ENV_SEED_REPORTED, 1000);

    (void)state;
    assert_true(s.successes > s.episodes * 99 / 100);
    assert_int_equal(s.repaired, s.mismatch_shown);
    assert_int_equal(s.false_alarms, 0);
    assert_int_equal(s.over_budget + s.capped, 0);
    assert_true(s.recovered * 1000 > s.at_risk * 995);
}

/* Without its tools or its eyes the looking policy falls to where it began, on the same faults. */
static void ablations_bring_it_down_to_the_ceiling(void **state)
{
    struct env_params p = {.horizon = 30, .noise = -1};
    struct play_score plain = play_many(courier(), p, "plain", ENV_SEED_REPORTED, 1500), s;

    (void)state;
    for (int a = ENV_ABLATE_MUTE; a <= ENV_ABLATE_ECHO; a++) {
        p.ablation = (enum env_ablation)a;
        s = play_many(courier(), p, "cue", ENV_SEED_REPORTED, 1500);
        assert_int_equal(s.successes, plain.successes);
        assert_int_equal(s.steps_right, plain.steps_right);
    }
    p.ablation = ENV_ABLATE_MASK;
    s = play_many(courier(), p, "cue", ENV_SEED_REPORTED, 1500);
    /* It still learns where it is, so later legs come right; the parcel stays lost. */
    assert_int_equal(s.successes, plain.successes);
    assert_true(s.steps_right > plain.steps_right);
    assert_int_equal(s.repaired, s.mismatch_shown); /* the attempt counts */
}

/* A false alarm leads astray; who looks again finds back. */
static void alarms_are_answered(void **state)
{
    struct env_params p = {.horizon = 50, .noise = 0, .ablation = ENV_ABLATE_ALARM};
    struct play_score s = play_many(env_find("courier_plain"), p, "check", ENV_SEED_REPORTED, 100);

    (void)state;
    assert_int_equal(s.faults, 0);
    assert_true(s.mismatch_shown > s.steps / 4);
    assert_true(s.steps_right * 100 > s.steps * 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looking_where_the_cue_says_is_worth_it),
        cmocka_unit_test(who_never_looks_lies_on_the_ceiling),
        cmocka_unit_test(the_ceiling_is_close_to_the_product),
        cmocka_unit_test(without_noise_all_is_right),
        cmocka_unit_test(who_always_looks_gets_through_where_calls_allow_it),
        cmocka_unit_test(ablations_bring_it_down_to_the_ceiling),
        cmocka_unit_test(alarms_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
