/* eval_horizon.h - the horizon H at which a policy still succeeds with probability q.
 *
 * Two curves are fitted to the successes of n episodes at several horizons, by maximum likelihood
 * of the binomial:
 *
 *   logistic  P(H) = 1 / (1 + exp(-(c + s ln H)))   ln H_q = (ln(q / (1 - q)) - c) / s,  s < 0
 *   Weibull   S(H) = exp(-(H / a)^k)                ln H_q = ln a + ln(-ln q) / k,       k > 0
 *
 * The logistic in log length, and H50 and H80 from it: METR, "Measuring AI Ability to Complete Long
 * Tasks", 2025 (arXiv 2503.14499). The Weibull is survival under a hazard that changes with the
 * steps done: k = 1 is a constant chance of failure a step, so that H50 is a half-life (T. Ord, "Is
 * there a half-life for the success rates of AI agents?", 2025); k < 1, it falls; k > 1, it rises.
 * It is linear in ln H too: ln(-ln S) = k ln H - k ln a, the complementary log-log link of
 * failures.
 *
 * Both have one optimum, which is finite if two horizons have both successes and failures. With
 * less data there is no fit, and only the measured horizons around each share are reported.
 * Intervals (95 %) are Fieller's, as for a median dose (D. Finney, "Probit Analysis", 1971); an
 * unbounded end is NaN. They treat rows as independent, although rows of one evaluation share their
 * tasks: the slope is a little more certain than they say, the level a little less.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EVAL_HORIZON_H
#define TROUPE_AGENTS_EVAL_HORIZON_H

#include <stdbool.h>
#include <stdint.h>

#define HORIZON_SHARES 3 /* .5, .8, .95 */

struct horizon_point {
    double horizon; /* above 0 */
    int64_t n, n_success;
};
struct horizon_curve {
    double at[HORIZON_SHARES], low[HORIZON_SHARES], high[HORIZON_SHARES]; /* low, high: or NaN */
    double slope, slope_low, slope_high; /* logistic: -s; Weibull: k */
    double scale;                        /* logistic: H50; Weibull: a */
};
struct horizon_fit {
    bool determined;
    const char *why;                        /* not determined: why, a static text; else NULL */
    double least, most;                     /* the measured horizons */
    struct horizon_curve logistic, weibull; /* when determined */
    /* As measured: at or above the share up to `passed`, below it from `missed` on; 0: none. */
    double passed[HORIZON_SHARES], missed[HORIZON_SHARES];
};

/* Points of one policy in any order; equal horizons are merged. At most HORIZON_MAX_POINTS. */
#define HORIZON_MAX_POINTS 64
void horizon_fit(const struct horizon_point *point, int32_t n, struct horizon_fit *out);

#endif
