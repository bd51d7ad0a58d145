/* test_eval_horizon.c - horizons from data that known parameters made, and none from data that do
 * not say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "agents/eval_horizon.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

#define ROWS 5
static const double horizon[ROWS] = {10, 30, 100, 300, 1000};

static double weibull(double h, double a, double k)
{
    return exp(-pow(h / a, k));
}

static double logistic(double h, double h50, double slope)
{
    return 1 / (1 + exp(slope * log(h / h50)));
}

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got / want - 1) <= tolerance))
        fail_msg("%g is not %g", got, want);
}

/* So many episodes that counts are the chances themselves: the optimum is then the truth. */
static void test_exact_data_give_the_parameters_back(void **state)
{
    static const double share[HORIZON_SHARES] = {.5, .8, .95};
    static const struct {
        double scale, slope;
    } cases[] = {{70, 1}, {1700, .6}, {25, 1.7}, {300, .35}};
    const int64_t n = 1000000000;

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        double a = cases[c].scale, k = cases[c].slope;
        struct horizon_point w[ROWS], l[ROWS];
        struct horizon_fit f;

        for (int i = 0; i < ROWS; i++) {
            w[i] = (struct horizon_point){horizon[i], n,
                                          llround((double)n * weibull(horizon[i], a, k))};
            l[i] = (struct horizon_point){horizon[i], n,
                                          llround((double)n * logistic(horizon[i], a, 2 * k))};
        }
        horizon_fit(w, ROWS, &f);
        assert_true(f.determined);
        assert_null(f.why);
        close_to(f.weibull.slope, k, 1e-4);
        close_to(f.weibull.scale, a, 1e-4);
        for (int q = 0; q < HORIZON_SHARES; q++)
            close_to(f.weibull.at[q], a * pow(-log(share[q]), 1 / k), 1e-3);
        horizon_fit(l, ROWS, &f);
        assert_true(f.determined);
        close_to(f.logistic.slope, 2 * k, 1e-4);
        close_to(f.logistic.at[0], a, 1e-4);
        close_to(f.logistic.scale, a, 1e-4);
        close_to(f.logistic.at[1], a * pow(.25, 1 / (2 * k)), 1e-3);
        close_to(f.logistic.at[2], a * pow(.05 / .95, 1 / (2 * k)), 1e-3);
    }
}

/* A fault of one in a hundred a step that nobody mends: a half-life of ln 2 / -ln .99 = 69 steps,
 * and H80, H95 by Ord's rule: about a third and a fourteenth of it. */
static void test_a_constant_hazard_has_a_half_life(void **state)
{
    struct horizon_point p[3];
    struct horizon_fit f;

    (void)state;
    for (int i = 0; i < 3; i++)
        p[i] = (struct horizon_point){horizon[i], 100000000, llround(1e8 * pow(.99, horizon[i]))};
    horizon_fit(p, 3, &f);
    close_to(f.weibull.slope, 1, 1e-4);
    close_to(f.weibull.at[0], 68.97, 1e-3);
    close_to(f.weibull.at[0] / f.weibull.at[1], log(2) / -log(.8), 1e-3);
    close_to(f.weibull.at[2], 5.104, 1e-3);
    assert_true(f.least == 10 && f.most == 100);
    /* As measured: .904, .740, .366. */
    assert_true(f.passed[0] == 30 && f.missed[0] == 100);
    assert_true(f.passed[1] == 10 && f.missed[1] == 30);
    assert_true(f.passed[2] == 0 && f.missed[2] == 10);
}

/* Drawn data: in 400 draws the interval of 95 % holds the truth in about 380. */
static void test_intervals_hold_the_truth_as_often_as_they_say(void **state)
{
    const double a = 180, k = .8;
    const double h80 = a * pow(-log(.8), 1 / k);
    int holds_at = 0, holds_k = 0;
    uint32_t draw = 0;

    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        struct horizon_point p[4];
        struct horizon_fit f;

        for (int i = 0; i < 4; i++) {
            p[i] = (struct horizon_point){horizon[i], 200, 0};
            for (int e = 0; e < 200; e++)
                p[i].n_success += (double)rng_philox(17, draw++, 0, 0, 0).word[0] / 4294967296.0 <
                                  weibull(horizon[i], a, k);
        }
        horizon_fit(p, 4, &f);
        assert_true(f.determined);
        holds_at += f.weibull.low[1] <= h80 && h80 <= f.weibull.high[1];
        holds_k += f.weibull.slope_low <= k && k <= f.weibull.slope_high;
        for (int q = 0; q < HORIZON_SHARES; q++) {
            assert_true(f.weibull.low[q] < f.weibull.at[q]);
            assert_true(f.weibull.at[q] < f.weibull.high[q]);
        }
    }
    assert_in_range(holds_at, 365, 395);
    assert_in_range(holds_k, 365, 395);
}

static void test_what_the_data_do_not_say_is_no_number(void **state)
{
    static const struct {
        struct horizon_point p[3];
        int32_t n;
        const char *why;
        double passed, missed; /* for one half */
    } cases[] = {
        {{{0}}, 0, "no episode", 0, 0},
        {{{10, 0, 0}, {30, 0, 0}}, 2, "no episodes to count", 0, 0},
        {{{10, 50, 50}, {30, 50, 50}, {100, 50, 50}}, 3, "all episodes succeeded", 100, 0},
        {{{100, 50, 0}, {10, 50, 0}}, 2, "no episode succeeded", 0, 10},
        {{{10, 50, 50}, {30, 50, 40}, {100, 50, 0}}, 3, "two horizons", 30, 100},
        {{{100, 50, 20}, {100, 50, 40}}, 2, "two horizons", 100, 0}, /* one horizon, 60 % */
        {{{10, 50, 50}, {100, 50, 0}}, 2, "two horizons", 10, 100},
        {{{10, 50, 20}, {30, 50, 30}, {100, 50, 45}}, 3, "does not fall", 0, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct horizon_fit f;

        horizon_fit(cases[i].p, cases[i].n, &f);
        assert_false(f.determined);
        assert_non_null(strstr(f.why, cases[i].why));
        assert_true(f.passed[0] == cases[i].passed);
        assert_true(f.missed[0] == cases[i].missed);
    }
}

/* Two horizons that differ by one success in twenty: a slope, but nobody knows its sign. */
static void test_a_slope_that_may_be_none_leaves_the_interval_open(void **state)
{
    static const struct horizon_point p[] = {{10, 20, 11}, {30, 20, 10}};
    struct horizon_fit f;

    (void)state;
    horizon_fit(p, 2, &f);
    assert_true(f.determined);
    close_to(f.logistic.at[0], 30, 1e-6); /* two points are met exactly */
    assert_true(isnan(f.logistic.low[0]) && isnan(f.logistic.high[0]));
    assert_true(f.logistic.slope_low < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_data_give_the_parameters_back),
        cmocka_unit_test(test_a_constant_hazard_has_a_half_life),
        cmocka_unit_test(test_intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(test_what_the_data_do_not_say_is_no_number),
        cmocka_unit_test(test_a_slope_that_may_be_none_leaves_the_interval_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
