/* test_courier_tuning.c - tunes the policies that ignore the weather on training seeds, prints what
 * it finds, and holds the committed constants to it: the opponent must not be a straw man.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/courier.h"

#define EPISODES 1000
#define HORIZON  100

/* The same seeds for every policy, so that differences are of the policies. */
static double play(struct courier_policy policy, double *over_budget)
{
    const struct env_ops *ops = env_find("courier");
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
            courier_policy_call(courier_of(e), &policy, &call);
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

static void assert_best(const struct courier_policy *grid, size_t n,
                        struct courier_policy committed)
{
    double best = 0, ours, over;

    for (size_t i = 0; i < n; i++) {
        double success = play(grid[i], &over);

        print_message("%s %d moves, %.2f of %d: success %.3f, over budget %.3f\n",
                      grid[i].counts ? "counts " : "rolling", grid[i].min_moves, grid[i].share,
                      grid[i].min_moves - 1, success, over);
        best = fmax(best, success);
    }
    ours = play(committed, &over);
    print_message("best %.3f; committed %d moves, %.2f of %d: %.3f\n", best, committed.min_moves,
                  committed.share, committed.min_moves - 1, ours);
    assert_true(ours > best - 0.02);
}

static void the_length_of_who_counts_its_calls(void **state)
{
    static const struct courier_policy grid[] = {
        {.min_moves = 0, .counts = true},
        {.min_moves = 3, .counts = true},
        {.min_moves = 4, .share = 0.25, .counts = true},
        {.min_moves = 4, .counts = true},
        {.min_moves = 5, .share = 0.75, .counts = true},
        {.min_moves = 5, .share = 0.5, .counts = true},
        {.min_moves = 5, .counts = true},
    };

    (void)state;
    assert_best(
        grid, sizeof(grid) / sizeof(grid[0]),
        (struct courier_policy){
            .min_moves = COURIER_BLIND_MOVES, .share = COURIER_BLIND_SHARE, .counts = true});
}

static void the_length_of_who_cannot(void **state)
{
    static const struct courier_policy grid[] = {
        {.min_moves = 4},
        {.min_moves = 5, .share = 0.6},
        {.min_moves = 5, .share = 0.5},
        {.min_moves = 5, .share = 0.4},
        {.min_moves = 5, .share = 0.3},
        {.min_moves = 5},
        {.min_moves = 6, .share = 0.5},
    };

    (void)state;
    assert_best(grid, sizeof(grid) / sizeof(grid[0]),
                (struct courier_policy){.min_moves = COURIER_BLIND_ROLLING_MOVES,
                                        .share = COURIER_BLIND_ROLLING_SHARE});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_of_who_counts_its_calls),
        cmocka_unit_test(the_length_of_who_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
