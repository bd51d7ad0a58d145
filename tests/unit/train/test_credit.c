/* test_credit.c - which reward reaches which chain, with hand-made rollouts and known numbers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/credit.h"
#include "tests/support/check.h"

#define NEAR(a, b, eps)                                                                            \
    do {                                                                                           \
        if (!(fabs((double)(a) - (double)(b)) <= (eps)))                                           \
            fail_msg("%s:%d: %.9f is not %.9f", __FILE__, __LINE__, (double)(a), (double)(b));     \
    } while (0)

#define STEPS 2
#define SIZE  4

/* One group of four rollouts of two steps; verdicts and outcomes as given, one call a step. */
static void fill(struct rollout_set *s, int32_t group, const double verdict[SIZE][STEPS],
                 const double outcome[SIZE])
{
    for (int32_t m = 0; m < SIZE; m++) {
        struct rollout_member member = {
            .group = group, .member = m, .reward = outcome[m], .calls = STEPS};

        assert_ok(rollout_set_add_member(s, &member, why));
        for (int32_t i = 0; i < STEPS; i++) {
            static const int32_t ids[3] = {1, 2, 3};
            static const float logp[2] = {-1, -2};
            struct rollout_chain *c;

            assert_ok(rollout_set_open_chain(s, i, why));
            assert_ok(rollout_set_put(s, ids, NULL, 1, why));
            assert_ok(rollout_set_put(s, ids + 1, logp, 2, why));
            c = &s->chain[s->n_chains - 1];
            c->calls = 1;
            c->step_reward = verdict[m][i];
        }
    }
}

/* Chains of member m, step i of a set that `fill` made. */
static double of(const double *advantage, int32_t m, int32_t i)
{
    return advantage[m * STEPS + i];
}

static const double verdicts[SIZE][STEPS] = {{1, 1}, {1, 0}, {0, 0}, {1, 0}};
static const double outcomes[SIZE] = {1, 0, 0, 0};

static struct credit_options group_norm(enum credit_kind kind, enum advantage_kind advantage)
{
    return (struct credit_options){.kind = kind,
                                   .norm = CREDIT_NORM_GROUP,
                                   .advantage = advantage,
                                   .gamma = .5,
                                   .gigpo_weight = 2};
}

static void assign(const struct credit_options *o, const struct rollout_set *s, int32_t n_groups,
                   double *advantage, struct credit_stats *stats)
{
    assert_ok(credit_assign(o, s, n_groups, SIZE, advantage, stats, why));
}

static void steps_are_compared_at_the_same_index(void **state)
{
    struct credit_options o = group_norm(CREDIT_STEP, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS];

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    assign(&o, &s, 1, a, &stats);
    for (int32_t m = 0; m < SIZE; m++) {
        NEAR(of(a, m, 0), verdicts[m][0] - .75, 1e-12);
        NEAR(of(a, m, 1), verdicts[m][1] - .25, 1e-12);
    }
    assert_int_equal(stats.n_groups, 2);
    assert_int_equal(stats.n_groups_without_spread, 0);
    NEAR(stats.reward_mean, .25, 1e-12);
    rollout_set_deinit(&s);
}

static void an_outcome_reaches_every_chain_of_its_rollout(void **state)
{
    struct credit_options o = group_norm(CREDIT_OUTCOME, ADVANTAGE_TRL);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS];

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    assign(&o, &s, 1, a, &stats);
    for (int32_t i = 0; i < STEPS; i++) {
        NEAR(of(a, 0, i), 1.4997, 6e-5); /* rewards 1, 0, 0, 0: the reference's table */
        for (int32_t m = 1; m < SIZE; m++)
            NEAR(of(a, m, i), -.4999, 6e-5);
    }
    assert_int_equal(stats.n_groups, 1);
    rollout_set_deinit(&s);
}

/* GiGPO (arXiv 2505.10978): the episode's advantage plus w times that of the discounted return
 * among equal states. */
static void equal_states_are_compared_by_their_returns(void **state)
{
    struct credit_options o = group_norm(CREDIT_GIGPO, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS], returns[SIZE][STEPS];
    /* All begin alike; at step 1 members 0 and 1 are on course, 3 is next to it, and 2 is alone. */
    static const uint8_t anchor[SIZE][STEPS] = {{1, 2}, {1, 2}, {1, 3}, {1, 4}};

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    for (int32_t m = 0; m < SIZE; m++) {
        for (int32_t i = 0; i < STEPS; i++)
            memset(s.chain[m * STEPS + i].anchor, anchor[m][i], 16);
        returns[m][1] = verdicts[m][1];
        returns[m][0] = verdicts[m][0] + .5 * verdicts[m][1];
    }
    assign(&o, &s, 1, a, &stats);
    for (int32_t m = 0; m < SIZE; m++) {
        double episode = outcomes[m] - .25;

        NEAR(of(a, m, 0), episode + 2 * (returns[m][0] - (1.5 + 1 + 0 + 1) / 4), 1e-12);
        NEAR(of(a, m, 1), episode + (m < 2 ? 2 * (returns[m][1] - .5) : 0), 1e-12);
    }
    rollout_set_deinit(&s);
}

/* r - cost * calls: what divides by the group's own deviation would blow a cost up to a unit. */
static void a_batch_norm_keeps_a_cost_small(void **state)
{
    static const double right[SIZE][STEPS] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}};
    static const double success[SIZE] = {1, 1, 1, 1};
    struct credit_options o = {.kind = CREDIT_STEP, .norm = CREDIT_NORM_BATCH, .call_cost = .01};
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[2 * SIZE * STEPS], sum = 0, squares = 0;
    int32_t n = 2 * SIZE * STEPS;

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    fill(&s, 1, right, success);
    s.chain[SIZE * STEPS].calls = 2; /* group 1, member 0, step 0: one call more */
    assign(&o, &s, 2, a, &stats);
    for (int32_t i = 0; i < n; i++) {
        sum += a[i];
        squares += a[i] * a[i];
    }
    NEAR(sum, 0, 1e-9);
    NEAR(squares / (n - 1), 1, 1e-4); /* over the batch's deviation */
    assert_true(a[SIZE * STEPS] < 0 && a[SIZE * STEPS] > -.05);
    NEAR(a[SIZE * STEPS] / of(a, 2, 0), -.0075 / -.75, 1e-9); /* the relation of cost and gain */
    assert_int_equal(stats.n_groups, 4);
    assert_int_equal(stats.n_groups_without_spread, 1);
    o.norm = CREDIT_NORM_GROUP;
    o.advantage = ADVANTAGE_VERL;
    assign(&o, &s, 2, a, &stats);
    assert_true(a[SIZE * STEPS] < -1.4);
    rollout_set_deinit(&s);
}

/* The price at which the advantages do not depend on how often was called, on the whole. */
static void a_price_is_found_that_favours_nobody(void **state)
{
    struct credit_options o = {.kind = CREDIT_STEP,
                               .norm = CREDIT_NORM_GROUP,
                               .advantage = ADVANTAGE_DR_GRPO,
                               .call_cost = 9, /* not used */
                               .call_target = 1,
                               .call_price_rate = 0};
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS], both = 0, calls = 0, steps = 0;

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    for (int32_t m = 0; m < SIZE;
         m++) /* members that were right called more, and one called in vain */
        for (int32_t i = 0; i < STEPS; i++)
            s.chain[m * STEPS + i].calls = 3 + (verdicts[m][i] > 0 || m == 2);
    assign(&o, &s, 1, a, &stats);
    assert_true(stats.call_cost > .2 && stats.call_cost < 1);
    for (int32_t i = 0; i < STEPS; i++) {
        double mean = 0;
        for (int32_t m = 0; m < SIZE; m++)
            mean += s.chain[m * STEPS + i].calls / (double)SIZE;
        for (int32_t m = 0; m < SIZE; m++)
            both += (s.chain[m * STEPS + i].calls - mean) * of(a, m, i);
    }
    NEAR(both, 0, 1e-12);
    for (int32_t m = 0; m < SIZE; m++) {
        calls += s.member[m].calls = 6 + m;
        steps += s.member[m].steps = STEPS;
    }
    both = stats.call_cost;
    o.call_price_rate = .1;
    assign(&o, &s, 1, a, &stats);
    NEAR(stats.call_cost, both + .1 * (calls / steps - 1), 1e-12);
    o.call_target = 1000; /* no member gets a reward for calls */
    assign(&o, &s, 1, a, &stats);
    NEAR(stats.call_cost, 0, 0);
    rollout_set_deinit(&s);
}

/* Calls that are equal but for rounding have no slope: 1 + .1 * 2 and .1 * 12 differ in the last
 * bit, and a verdict over that would be a price of 1e15. */
static void calls_that_are_alike_have_no_price(void **state)
{
    struct credit_options o = group_norm(CREDIT_GIGPO, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS];

    (void)state;
    o.gamma = .1;
    o.call_target = 1;
    fill(&s, 0, verdicts, outcomes);
    for (int32_t m = 0; m < SIZE; m++) {
        s.chain[m * STEPS].calls = m % 2 ? 1 : 0;
        s.chain[m * STEPS + 1].calls = m % 2 ? 2 : 12;
        s.chain[m * STEPS + 1].anchor[0] = (uint8_t)(1 + m); /* alone in its state */
        s.member[m].steps = STEPS;
    }
    assign(&o, &s, 1, a, &stats);
    NEAR(stats.call_cost, 0, 0);
    for (int32_t c = 0; c < SIZE * STEPS; c++)
        assert_true(fabs(a[c]) < 5);
    rollout_set_deinit(&s);
}

/* Equal verdicts are dropped, although one member made more calls; the deviation is still that of
 * the batch. */
static void verdicts_that_agree_teach_nothing(void **state)
{
    static const double right[SIZE][STEPS] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}};
    static const double success[SIZE] = {1, 1, 1, 1};
    struct credit_options o = {.kind = CREDIT_STEP,
                               .norm = CREDIT_NORM_BATCH,
                               .call_cost = .01,
                               .gamma = 1,
                               .gigpo_weight = 1,
                               .drop_agreed = true};
    static const int32_t agreed[CREDIT_N] = {
        [CREDIT_STEP] = 2, [CREDIT_OUTCOME] = 1, [CREDIT_GIGPO] = 3};
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[2 * SIZE * STEPS];

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    fill(&s, 1, right, success);
    for (int32_t c = 0; c < s.n_chains; c++)
        s.chain[c].anchor[0] = (uint8_t)s.chain[c].step;
    s.chain[SIZE * STEPS].calls = 2; /* group 1, member 0, step 0 */
    s.chain[0].calls = 3; /* group 0, member 0, step 0: where verdicts differ it counts */
    for (int kind = 0; kind < CREDIT_N; kind++) {
        o.kind = (enum credit_kind)kind;
        assign(&o, &s, 2, a, &stats);
        for (int32_t c = SIZE * STEPS; c < 2 * SIZE * STEPS; c++)
            assert_true(a[c] == 0);
        assert_true(of(a, 0, 1) > 0 && of(a, 2, 0) < 0);
        assert_int_equal(stats.n_groups_without_spread, agreed[kind]);
    }
    o.kind = CREDIT_STEP;
    assign(&o, &s, 2, a, &stats);
    assert_true(of(a, 0, 0) < of(a, 1, 0)); /* also right, but with a higher cost */
    rollout_set_deinit(&s);
}

static void who_failed_outside_leaves_the_baseline_to_the_rest(void **state)
{
    struct credit_options o = group_norm(CREDIT_STEP, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS];

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    s.member[2].status = ROLLOUT_OUTSIDE;
    s.chain[0 * STEPS + 1].step_reward = (double)NAN;
    s.member[0].reward = (double)NAN;
    assign(&o, &s, 1, a, &stats);
    NEAR(of(a, 0, 0), 0, 1e-12); /* the other three were all right */
    assert_true(of(a, 2, 0) == 0 && of(a, 2, 1) == 0);
    assert_true(of(a, 0, 1) == 0);                     /* no verdict, no advantage */
    assert_true(of(a, 1, 1) == 0 && of(a, 3, 1) == 0); /* 0 and 0 */
    assert_int_equal(stats.n_outside, 1);
    assert_int_equal(stats.n_groups_without_spread, 2);
    NEAR(stats.reward_mean, 0, 1e-12); /* of members 1 and 3 */
    o.kind = CREDIT_OUTCOME;
    assign(&o, &s, 1, a, &stats);
    for (int32_t c = 0; c < SIZE * STEPS; c++)
        assert_true(a[c] == 0);
    /* Truncated ones are scored, or left out when that is asked for. */
    s.member[2].status = ROLLOUT_TRUNCATED;
    o.kind = CREDIT_STEP;
    assign(&o, &s, 1, a, &stats);
    assert_true(of(a, 2, 0) < 0);
    o.mask_truncated = true;
    assign(&o, &s, 1, a, &stats);
    assert_true(of(a, 2, 0) == 0);
    assert_int_equal(stats.n_truncated, 1);
    rollout_set_deinit(&s);
}

static void long_chains_cost(void **state)
{
    static const double right[SIZE][STEPS] = {{1, 1}, {1, 1}, {1, 1}, {1, 1}};
    struct credit_options o = group_norm(CREDIT_STEP, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS];

    (void)state;
    fill(&s, 0, right, outcomes);
    o.overlong_max = 8;
    o.overlong_soft = 4;
    s.chain[0].n_sampled = 4; /* free */
    s.chain[2].n_sampled = 6; /* half */
    s.chain[4].n_sampled = 9; /* beyond: all */
    s.chain[6].n_sampled = 1;
    assign(&o, &s, 1, a, &stats);
    NEAR(a[0], 1 - (1 + .5 + 0 + 1) / 4., 1e-12);
    NEAR(a[2], .5 - (1 + .5 + 0 + 1) / 4., 1e-12);
    NEAR(a[4], 0 - (1 + .5 + 0 + 1) / 4., 1e-12);
    rollout_set_deinit(&s);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return a < b ? -1 : a > b;
}

static void dealt_by_lot_they_are_the_same_advantages(void **state)
{
    struct credit_options o = group_norm(CREDIT_STEP, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[SIZE * STEPS], b[SIZE * STEPS], again[SIZE * STEPS];

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    assign(&o, &s, 1, a, &stats);
    o.shuffle = true;
    o.shuffle_seed = 7;
    assign(&o, &s, 1, b, &stats);
    assign(&o, &s, 1, again, &stats);
    assert_memory_equal(b, again, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    qsort(a, SIZE * STEPS, sizeof(*a), by_value);
    qsort(b, SIZE * STEPS, sizeof(*b), by_value);
    assert_memory_equal(a, b, sizeof(a));
    rollout_set_deinit(&s);
}

static void a_group_of_one_is_refused(void **state)
{
    struct error err = ERROR_INIT;
    struct credit_options o = group_norm(CREDIT_STEP, ADVANTAGE_DR_GRPO);
    struct rollout_set s = {0};
    struct credit_stats stats;
    double a[1];

    (void)state;
    assert_int_equal(credit_assign(&o, &s, 1, 1, a, &stats, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "baseline"));
}

static void sets_are_joined_in_order(void **state)
{
    struct error err = ERROR_INIT;
    struct rollout_set s = {0}, more = {0};

    (void)state;
    fill(&s, 0, verdicts, outcomes);
    fill(&more, 0, verdicts, outcomes);
    s.policy_version = more.policy_version = 3;
    more.chain[1].cut = true;
    memset(more.chain[1].anchor, 9, 16);
    assert_ok(rollout_set_append(&s, &more, 1, why));
    assert_int_equal(s.n_members, 2 * SIZE);
    assert_int_equal(s.n_chains, 2 * SIZE * STEPS);
    assert_int_equal(s.n_tokens, 2 * more.n_tokens);
    assert_int_equal(s.n_sampled, 2 * more.n_sampled);
    assert_int_equal(s.member[SIZE].group, 1);
    assert_int_equal(s.member[SIZE].first_chain, SIZE * STEPS);
    assert_int_equal(s.chain[SIZE * STEPS + 1].member, SIZE);
    assert_true(s.chain[SIZE * STEPS + 1].cut && s.chain[SIZE * STEPS + 1].anchor[15] == 9);
    assert_memory_equal(s.ids + more.n_tokens, more.ids, (size_t)more.n_tokens * 4);
    assert_memory_equal(s.logp + more.n_tokens, more.logp, (size_t)more.n_tokens * 4);
    assert_memory_equal(s.train + more.n_tokens, more.train, (size_t)more.n_tokens);
    more.policy_version = 4;
    assert_int_equal(rollout_set_append(&s, &more, 2, &err), STATUS_INVALID);
    rollout_set_deinit(&s);
    rollout_set_deinit(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_compared_at_the_same_index),
        cmocka_unit_test(an_outcome_reaches_every_chain_of_its_rollout),
        cmocka_unit_test(equal_states_are_compared_by_their_returns),
        cmocka_unit_test(a_batch_norm_keeps_a_cost_small),
        cmocka_unit_test(a_price_is_found_that_favours_nobody),
        cmocka_unit_test(calls_that_are_alike_have_no_price),
        cmocka_unit_test(verdicts_that_agree_teach_nothing),
        cmocka_unit_test(who_failed_outside_leaves_the_baseline_to_the_rest),
        cmocka_unit_test(long_chains_cost),
        cmocka_unit_test(dealt_by_lot_they_are_the_same_advantages),
        cmocka_unit_test(a_group_of_one_is_refused),
        cmocka_unit_test(sets_are_joined_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
