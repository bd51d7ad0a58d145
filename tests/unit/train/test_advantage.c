/* test_advantage.c - the numbers of the reference implementations, group by group.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/advantage.h"
#include "tests/support/check.h"

#define NEAR(a, b, eps)                                                                            \
    do {                                                                                           \
        if (!(fabs((double)(a) - (double)(b)) <= (eps)))                                           \
            fail_msg("%s:%d: %.9f is not %.9f", __FILE__, __LINE__, (double)(a), (double)(b));     \
    } while (0)

static const double rewards[4][4] = {{1, 0, 0, 0}, {1, 1, 0, 0}, {.2, .5, .9, .4}, {1, 1, 1, 1}};

/* Table (b) of the reference notes: six decimals as printed there. */
static const double oracle[ADVANTAGE_N][4][4] = {
    [ADVANTAGE_NEMO_LOO] = {{1.0, -.577349, -.577349, -.577349},
                            {1.154699, 1.154699, -1.154699, -1.154699},
                            {-1.511852, 0, 3.491463, -.379662},
                            {0}},
    [ADVANTAGE_VERL] = {{1.499997, -.499999, -.499999, -.499999},
                        {.866024, .866024, -.866024, -.866024},
                        {-1.019046, 0, 1.358728, -.339682},
                        {0}},
    [ADVANTAGE_TRL] = {{1.4997, -.4999, -.4999, -.4999},
                       {.865875, .865875, -.865875, -.865875},
                       {-1.018703, 0, 1.358271, -.339568},
                       {0}},
    [ADVANTAGE_TORCHTITAN] = {{1.732047, -.577349, -.577349, -.577349},
                              {.999998, .999998, -.999998, -.999998},
                              {-1.176692, 0, 1.568923, -.392231},
                              {0}},
    [ADVANTAGE_RLOO] = {{1, -.333333, -.333333, -.333333},
                        {.666667, .666667, -.666667, -.666667},
                        {-.4, 0, .533333, -.133333},
                        {0}},
    [ADVANTAGE_DR_GRPO] = {{.75, -.25, -.25, -.25}, {.5, .5, -.5, -.5}, {-.3, 0, .4, -.1}, {0}},
    [ADVANTAGE_MAX_RL] = {{3, -1, -1, -1}, {1, 1, -1, -1}, {-.6, 0, .8, -.2}, {0}},
};

static void every_convention_gives_its_references_numbers(void **state)
{
    (void)state;
    for (int kind = 0; kind < ADVANTAGE_N; kind++)
        for (int g = 0; g < 4; g++) {
            double a[4];
            advantage_group((enum advantage_kind)kind, rewards[g], 4, a);
            for (int i = 0; i < 4; i++)
                NEAR(a[i], oracle[kind][g][i], kind == ADVANTAGE_TRL ? 6e-5 : 2e-6);
        }
}

static void a_missing_reward_is_left_out_and_gets_nothing(void **state)
{
    const double r[5] = {1, NAN, 0, 0, 0}, without[4] = {1, 0, 0, 0};

    (void)state;
    for (int kind = 0; kind < ADVANTAGE_N; kind++) {
        double a[5], b[4];
        advantage_group((enum advantage_kind)kind, r, 5, a);
        advantage_group((enum advantage_kind)kind, without, 4, b);
        assert_true(a[1] == 0);
        assert_true(a[0] == b[0] && a[2] == b[1] && a[4] == b[3]);
    }
}

static void groups_that_cannot_teach_give_zero(void **state)
{
    const double one[1] = {1}, equal[3] = {.5, .5, .5}, nothing[2] = {NAN, NAN},
                 alone[3] = {NAN, 1, NAN};
    double a[3];

    (void)state;
    for (int kind = 0; kind < ADVANTAGE_N; kind++) {
        advantage_group((enum advantage_kind)kind, one, 1, a);
        assert_true(a[0] == 0);
        advantage_group((enum advantage_kind)kind, nothing, 2, a);
        assert_true(a[0] == 0 && a[1] == 0);
        advantage_group((enum advantage_kind)kind, alone, 3, a);
        assert_true(a[0] == 0 && a[1] == 0 && a[2] == 0);
        advantage_group((enum advantage_kind)kind, equal, 3, a);
        assert_true(a[0] == 0 && a[2] == 0);
        advantage_group((enum advantage_kind)kind, equal, 0, a);
    }
    assert_false(advantage_has_spread(equal, 3));
    assert_false(advantage_has_spread(alone, 3));
    assert_false(advantage_has_spread(nothing, 2));
    assert_true(advantage_has_spread(rewards[0], 4));
}

/* Seven rewards of .95 and none: the mean of the seven is not .95 in its last bit, nor their
 * deviation 0 (NVIDIA-NeMo/RL issue 4158). Numbers by numpy, float64. */
static void equal_others_divide_nothing(void **state)
{
    const double r[8] = {0, .95, .95, .95, .95, .95, .95, .95};
    static const struct {
        enum advantage_kind kind;
        double first, others;
    } want[] = {
        {ADVANTAGE_NEMO_LOO, -.95, .377963},         {ADVANTAGE_RLOO, -.95, .135714},
        {ADVANTAGE_DR_GRPO, -.83125, .11875},        {ADVANTAGE_VERL, -2.474866, .353552},
        {ADVANTAGE_TRL, -2.474137, .353448},         {ADVANTAGE_TORCHTITAN, -2.645743, .377963},
        {ADVANTAGE_MAX_RL, -1, .142857142857142857},
    };

    (void)state;
    for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++) {
        double a[8], small[8], b[8];

        advantage_group(want[k].kind, r, 8, a);
        NEAR(a[0], want[k].first, 2e-6);
        for (int i = 1; i < 8; i++)
            NEAR(a[i], want[k].others, 2e-6);
        for (int i = 0; i < 8; i++) /* the floor goes with the size of the rewards */
            small[i] = 1e-7 * r[i] * (1 + i * 1e-15);
        advantage_group(want[k].kind, small, 8, b);
        for (int i = 0; i < 8; i++)
            assert_true(fabs(b[i]) <= fabs(a[i]) + 1e-9);
    }
}

/* Seven successes that differ by the cost of a call: next to a failure they are equal. */
static void nearly_equal_others_divide_nothing(void **state)
{
    const double r[8] = {-.009, .991, .988, .991, .991, .994, .991, .988};
    double a[8], mean = (.991 * 4 + .988 * 2 + .994) / 7;

    (void)state;
    advantage_group(ADVANTAGE_NEMO_LOO, r, 8, a);
    NEAR(a[0], -.009 - mean, 1e-9);
    for (int i = 1; i < 8; i++)
        assert_true(a[i] > .3 && a[i] < .45);
    /* For zeros and ones the formula holds, whatever their number. */
    for (int n = 3; n <= 64; n++)
        for (int k = 1; k < n; k++) {
            double b[64], out[64];

            for (int i = 0; i < n; i++)
                b[i] = i < k;
            advantage_group(ADVANTAGE_NEMO_LOO, b, n, out);
            for (int i = 0; i < n; i++) {
                double p = (double)(k - (i < k)) / (n - 1);
                double std = sqrt(p * (1 - p) * (n - 1) / (n - 2));

                NEAR(out[i], std > 0 ? (b[i] - p) / (std + 1e-6) : b[i] - p, 1e-9);
            }
        }
}

/* Each of these is one reward, added up in several ways. */
static void rounding_alone_is_no_spread(void **state)
{
    static const double flat[][7] = {
        {.95, .95, .95, .95, .95, .95, .95},
        {-.6, -.6, -.6, -.6, -.6, -.6, -.6},
        {.1 + .2, .3, .3, .1 + .2, .3, .3, .3},
        {1e9, 1e9 + 1e-7, 1e9, 1e9, 1e9, 1e9, 1e9 - 1e-7},
        {1e-30, 1e-30, 1e-30, 1e-30, 1e-30, 1e-30, 1e-30},
        {1 - 3 * .003, .991, .991, .991, .991, .991, 1 - (.003 + .003 + .003)},
    };

    (void)state;
    for (size_t g = 0; g < sizeof(flat) / sizeof(flat[0]); g++) {
        double a[7];

        assert_false(advantage_has_spread(flat[g], 7));
        for (int kind = 0; kind < ADVANTAGE_N; kind++) {
            advantage_group((enum advantage_kind)kind, flat[g], 7, a);
            for (int i = 0; i < 7; i++)
                assert_true(a[i] == 0);
        }
    }
}

/* What costs make negative (huggingface/trl issue 5026): the sign is that of r - mean, and no
 * advantage is larger than binary rewards can give. */
static void max_rl_keeps_its_sign_below_zero(void **state)
{
    static const double group[][4] = {
        {.4, -.6, -.6, -.6},      /* mean below 0 */
        {1, -1, 1e-9, -1e-9},     /* mean 0 */
        {.5, -.49, .001, -.0109}, /* near 0 */
        {.994, -.006, -.009, -.003}, {.2, .1, .3, -.05},
    };
    const double failed[4] = {-.006, -.009, 0, -.003};
    double a[8];

    (void)state;
    for (size_t g = 0; g < sizeof(group) / sizeof(group[0]); g++) {
        double mean = (group[g][0] + group[g][1] + group[g][2] + group[g][3]) / 4;

        advantage_group(ADVANTAGE_MAX_RL, group[g], 4, a);
        for (int i = 0; i < 4; i++) {
            assert_true(a[i] * (group[g][i] - mean) >= 0);
            assert_true(fabs(a[i]) <= 3 + 1e-9);
        }
        assert_true(a[0] != 0);
    }
    advantage_group(ADVANTAGE_MAX_RL, failed, 4, a);
    for (int i = 0; i < 4; i++)
        assert_true(a[i] == 0); /* no success, as in a group of zeros */
    const double one_of_eight[8] = {.4, -.6, -.6, -.6, -.6, -.6, -.6, -.6};
    advantage_group(ADVANTAGE_MAX_RL, one_of_eight, 8, a);
    NEAR(a[0], 7, 1e-9); /* as 1 and seven 0 */
    NEAR(a[1], -1, 1e-9);
}

static void batch_scaling_keeps_proportions_between_groups(void **state)
{
    double a[5] = {.75, -.25, .003, -.003, 9};
    const uint8_t valid[5] = {1, 1, 1, 1, 0};

    (void)state;
    advantage_scale_batch(a, valid, 4, 1e-6);
    NEAR(a[0] / a[2], 250, 1e-6);
    NEAR(a[0] / a[1], -3, 1e-9);
    assert_true(a[4] == 9);
}

static void names_go_both_ways(void **state)
{
    enum advantage_kind k;

    (void)state;
    for (int i = 0; i < ADVANTAGE_N; i++) {
        assert_true(advantage_of_name(advantage_name((enum advantage_kind)i), &k));
        assert_int_equal(k, i);
    }
    assert_false(advantage_of_name("ppo", &k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_convention_gives_its_references_numbers),
        cmocka_unit_test(a_missing_reward_is_left_out_and_gets_nothing),
        cmocka_unit_test(groups_that_cannot_teach_give_zero),
        cmocka_unit_test(equal_others_divide_nothing),
        cmocka_unit_test(nearly_equal_others_divide_nothing),
        cmocka_unit_test(rounding_alone_is_no_spread),
        cmocka_unit_test(max_rl_keeps_its_sign_below_zero),
        cmocka_unit_test(batch_scaling_keeps_proportions_between_groups),
        cmocka_unit_test(names_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
