/* test_ledger_cue_tuning.c - tunes the policies that ignore the class on training seeds, prints
 * what it finds, and holds the committed constants to it: the opponent must not be a straw man.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/ledger.h"

#define EPISODES 1500
#define HORIZON  100

/* The same seeds for every policy, so that differences are of the policies. */
static double play(struct ledger_policy policy, double *over_budget)
{
    const struct env_ops *ops = env_find("ledger_cue");
    struct play_score s = {0};
    struct str out = STR_INIT;

    for (uint64_t i = 0; i < EPISODES; i++) {
        struct env *e = play_new(
            ops, (struct env_params){
                     .horizon = HORIZON, .noise = -1, .task_seed = i, .fault_seed = i + 500000});
        struct env_effect fx = {0};
        struct env_verdict v;
        struct env_call call;

        while (!fx.done) {
            ledger_policy_call(ledger_of(e), &policy, &call);
            str_clear(&out);
            ops->call_compact(e, &call, &fx, &out);
        }
        v = play_verdict(ops, e);
        play_add(&s, &v);
        ops->free(e);
    }
    str_deinit(&out);
    *over_budget = play_share(s.over_budget, s.episodes);
    return play_share(s.successes, s.episodes);
}

static void assert_best(const double *shares, size_t n, struct ledger_policy policy,
                        double committed)
{
    double best = 0, best_share = 0, ours, over;

    for (size_t i = 0; i < n; i++) {
        double success;

        policy.share = shares[i];
        success = play(policy, &over);
        print_message("%s %.2f: success %.3f, over budget %.3f\n",
                      policy.counts ? "counts " : "rolling", shares[i], success, over);
        if (success > best) {
            best = success;
            best_share = shares[i];
        }
    }
    policy.share = committed;
    ours = play(policy, &over);
    print_message("best share %.2f: %.3f; committed %.2f: %.3f\n", best_share, best, committed,
                  ours);
    assert_true(ours > best - 0.02);
}

static void the_share_of_who_counts_its_calls(void **state)
{
    static const double shares[] = {0.21, 0.27, 0.33, 0.45, 1.0};

    (void)state;
    assert_best(shares, sizeof(shares) / sizeof(shares[0]), (struct ledger_policy){.counts = true},
                LEDGER_BLIND_SHARE);
}

static void the_share_of_who_cannot(void **state)
{
    static const double shares[] = {0.14, 0.17, 0.20, 0.23, 0.26};

    (void)state;
    assert_best(shares, sizeof(shares) / sizeof(shares[0]),
                (struct ledger_policy){.at_random = true}, LEDGER_BLIND_LOOKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_of_who_counts_its_calls),
        cmocka_unit_test(the_share_of_who_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
