/* test_ledger_policies.c - the ceiling and what lies above it: scripted policies over many
 * episodes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

static void who_never_looks_lies_on_the_ceiling(void **state)
{
    struct env_params p = {.horizon = 30, .noise = 0.01};
    struct play_score s = play_many(ledger(), p, "plain", ENV_SEED_REPORTED, 20000);

    (void)state;
    assert_wilson(s.successes, s.episodes, ledger()->ceiling(&p));
    assert_int_equal(s.calls, 3 * s.steps); /* get, set, next */
    assert_int_equal(s.steps - s.steps_right, s.faults);
    assert_int_equal(s.own_slips, 0);
    assert_int_equal(s.at_risk, s.faults);
    assert_int_equal(s.recovered, 0);
    assert_int_equal(s.mismatch_shown + s.match_shown, 0);
}

static void the_ceiling_of_profile_hard_holds(void **state)
{
    struct env_params p = {.horizon = 30, .noise = 0.01, .profile = ENV_HARD};
    struct play_score s = play_many(ledger(), p, "plain", ENV_SEED_REPORTED, 5000);

    (void)state;
    /* A retry after a visible error draws again: a little below the bound, never above. */
    assert_true((double)s.successes / (double)s.episodes < ledger()->ceiling(&p) + 0.02);
    assert_true((double)s.successes / (double)s.episodes > ledger()->ceiling(&p) - 0.04);
    assert_true(s.calls > 3 * s.steps);
}

static void who_always_looks_gets_through(void **state)
{
    struct env_params p = {.horizon = 100, .noise = 0.01};
    struct play_score s = play_many(ledger(), p, "check", ENV_SEED_REPORTED, 2000);
    double calls = (double)s.calls / (double)s.steps;

    (void)state;
    assert_true(s.successes > s.episodes * 99 / 100);
    assert_true(calls > 4.02 && calls < 4.04);
    assert_int_equal(s.repaired, s.mismatch_shown);
    assert_int_equal(s.false_alarms, 0);
    assert_true(s.recovered * 1000 > s.at_risk * 995);
    assert_int_equal(s.capped, 0);
}

static void without_noise_all_is_right(void **state)
{
    struct env_params p = {.horizon = 100, .noise = 0};
    struct play_score s = play_many(ledger(), p, "plain", ENV_SEED_REPORTED, 50);

    (void)state;
    assert_int_equal(s.successes, 50);
    s = play_many(ledger(), p, "check", ENV_SEED_REPORTED, 50);
    assert_int_equal(s.successes, 50);
    assert_int_equal(s.calls, 4 * s.steps);
    assert_int_equal(s.match_shown, s.steps);
}

/* Without its tools or its eyes the checking policy falls to where it began, on the same faults. */
static void ablations_bring_it_down_to_the_ceiling(void **state)
{
    struct env_params p = {.horizon = 30, .noise = 0.01};
    struct play_score plain = play_many(ledger(), p, "plain", ENV_SEED_REPORTED, 3000);
    struct play_score s;

    (void)state;
    p.ablation = ENV_ABLATE_MASK;
    s = play_many(ledger(), p, "check", ENV_SEED_REPORTED, 3000);
    assert_int_equal(s.successes, plain.successes);
    assert_int_equal(s.steps_right, plain.steps_right);
    assert_int_equal(s.repaired, s.mismatch_shown);
    for (int a = ENV_ABLATE_MUTE; a <= ENV_ABLATE_ECHO; a++) {
        p.ablation = (enum env_ablation)a;
        s = play_many(ledger(), p, "check", ENV_SEED_REPORTED, 3000);
        assert_int_equal(s.successes, plain.successes);
        assert_int_equal(s.mismatch_shown + s.match_shown, 0);
    }
}

/* A false alarm half of the time costs calls; what is written stays right. */
static void alarms_are_answered(void **state)
{
    struct env_params p = {.horizon = 100, .noise = 0, .ablation = ENV_ABLATE_ALARM};
    struct play_score s = play_many(ledger(), p, "check", ENV_SEED_REPORTED, 300);

    (void)state;
    assert_wilson(s.mismatch_shown, s.mismatch_shown + s.match_shown, 0.5);
    assert_int_equal(s.faults, 0);
    assert_int_equal(s.steps_right, s.steps);
    assert_int_equal(s.capped, 0);
    assert_true(s.calls > 5 * s.steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_never_looks_lies_on_the_ceiling),
        cmocka_unit_test(the_ceiling_of_profile_hard_holds),
        cmocka_unit_test(who_always_looks_gets_through),
        cmocka_unit_test(without_noise_all_is_right),
        cmocka_unit_test(ablations_bring_it_down_to_the_ceiling),
        cmocka_unit_test(alarms_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
