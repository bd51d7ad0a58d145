/* eval_horizon.c - see eval_horizon.h.
 *
 * Both curves are generalised linear models of two parameters in x = ln H, so one solver serves:
 * Fisher scoring on c + s (x - mean x), each step halved until the likelihood does not fall. Both
 * log-likelihoods are concave, so this ends at their only optimum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/eval_horizon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z95        1.959963984540054 /* two-sided 95 % of the normal distribution */
#define ROUNDS     200
#define HALVINGS   40
#define CONVERGED  1e-12
#define LEAST_MEAN 1e-300 /* keeps logarithms finite far from the optimum */

static const double horizon_share[HORIZON_SHARES] = {.5, .8, .95};

/* Counts of the event by x: successes for the logistic, failures for the Weibull. */
struct sample {
    int32_t n;
    double x[HORIZON_MAX_POINTS], total[HORIZON_MAX_POINTS], event[HORIZON_MAX_POINTS];
    double mean_x;
    bool is_weibull;
};

/* The chance of the event and of its opposite, and the slope of the first. */
struct chance {
    double p, q, slope;
};

static struct chance chance_at(bool is_weibull, double eta)
{
    struct chance c;

    if (is_weibull) {
        double hazard = exp(fmin(eta, 300));

        c.q = exp(-hazard);
        c.p = -expm1(-hazard);
        c.slope = hazard * c.q;
    } else {
        c.p = 1 / (1 + exp(-eta));
        c.q = 1 / (1 + exp(eta));
        c.slope = c.p * c.q;
    }
    return c;
}

static double log_likelihood(const struct sample *s, const double b[2])
{
    double sum = 0;

    for (int32_t i = 0; i < s->n; i++) {
        struct chance c = chance_at(s->is_weibull, b[0] + b[1] * (s->x[i] - s->mean_x));

        sum += s->event[i] * log(fmax(c.p, LEAST_MEAN)) +
               (s->total[i] - s->event[i]) * log(fmax(c.q, LEAST_MEAN));
    }
    return sum;
}

/* The gradient and the expected information (m[0], m[1], m[2]: cc, cs, ss). */
static void score(const struct sample *s, const double b[2], double u[2], double m[3])
{
    u[0] = u[1] = m[0] = m[1] = m[2] = 0;
    for (int32_t i = 0; i < s->n; i++) {
        double x = s->x[i] - s->mean_x;
        struct chance c = chance_at(s->is_weibull, b[0] + b[1] * x);
        double variance = fmax(c.p * c.q, LEAST_MEAN);
        double pull = (s->event[i] - s->total[i] * c.p) * c.slope / variance;
        double weight = s->total[i] * c.slope * c.slope / variance;

        u[0] += pull;
        u[1] += pull * x;
        m[0] += weight;
        m[1] += weight * x;
        m[2] += weight * x * x;
    }
}

/* b at the optimum and its covariance v (cc, cs, ss); false: not found. */
static bool solve(const struct sample *s, double b[2], double v[3])
{
    double u[2], m[3], det, now = log_likelihood(s, b);

    for (int round = 0; round < ROUNDS; round++) {
        double step[2], next[2], then = now - 1;

        score(s, b, u, m);
        det = m[0] * m[2] - m[1] * m[1];
        if (!(det > 0))
            return false;
        step[0] = (m[2] * u[0] - m[1] * u[1]) / det;
        step[1] = (m[0] * u[1] - m[1] * u[0]) / det;
        v[0] = m[2] / det;
        v[1] = -m[1] / det;
        v[2] = m[0] / det;
        if (fabs(step[0]) + fabs(step[1]) < CONVERGED * (1 + fabs(b[0]) + fabs(b[1])))
            return true;
        for (int half = 0; half < HALVINGS && !(then >= now); half++) {
            double share = ldexp(1, -half);

            next[0] = b[0] + share * step[0];
            next[1] = b[1] + share * step[1];
            then = log_likelihood(s, next);
        }
        if (!(then >= now)) /* only rounding error remains */
            return true;
        memcpy(b, next, sizeof(next));
        now = then;
    }
    return true;
}

/* The x where c + s (x - mean x) is `eta`, and its confidence interval. */
static void invert(const struct sample *s, const double b[2], const double v[3], double eta,
                   double *at, double *low, double *high)
{
    double d = eta - b[0], z2 = Z95 * Z95;
    double a = b[1] * b[1] - z2 * v[2], h = -(d * b[1] + z2 * v[1]), c = d * d - z2 * v[0];
    double under = h * h - a * c;

    *at = exp(s->mean_x + d / b[1]);
    *low = *high = (double)NAN;
    if (a <= 0 || under < 0) /* the slope itself may be 0 */
        return;
    *low = exp(s->mean_x + (-h - sqrt(under)) / a);
    *high = exp(s->mean_x + (-h + sqrt(under)) / a);
}

/* False: no optimum, or the success rate does not fall with the horizon. */
static bool fit_curve(const struct horizon_point *p, int32_t n, bool is_weibull,
                      struct horizon_curve *out)
{
    struct sample s = {.n = n, .is_weibull = is_weibull};
    double b[2] = {0, 0}, v[3] = {0}, events = 0, total = 0, sign = is_weibull ? 1 : -1;

    for (int32_t i = 0; i < n; i++) {
        s.x[i] = log(p[i].horizon);
        s.total[i] = (double)p[i].n;
        s.event[i] = (double)(is_weibull ? p[i].n - p[i].n_success : p[i].n_success);
        s.mean_x += s.x[i] * s.total[i];
        events += s.event[i];
        total += s.total[i];
    }
    s.mean_x /= total;
    b[0] = is_weibull ? log(-log1p(-events / total)) : log(events / (total - events));
    if (!solve(&s, b, v) || !(b[1] * sign > 0))
        return false;
    for (int i = 0; i < HORIZON_SHARES; i++) {
        double q = horizon_share[i];

        invert(&s, b, v, is_weibull ? log(-log(q)) : log(q / (1 - q)), &out->at[i], &out->low[i],
               &out->high[i]);
    }
    out->slope = b[1] * sign;
    out->slope_low = out->slope - Z95 * sqrt(v[2]);
    out->slope_high = out->slope + Z95 * sqrt(v[2]);
    out->scale = is_weibull ? exp(s.mean_x - b[0] / b[1]) : out->at[0];
    return true;
}

/* ---- points */

static int by_horizon(const void *a, const void *b)
{
    double x = ((const struct horizon_point *)a)->horizon;
    double y = ((const struct horizon_point *)b)->horizon;

    return (x > y) - (x < y);
}

/* Sorts and merges by horizon, leaves out those without episodes; returns their number. */
static int32_t gather(const struct horizon_point *p, int32_t n, struct horizon_point *out)
{
    int32_t kept = 0, distinct = 0;

    for (int32_t i = 0; i < n && kept < HORIZON_MAX_POINTS; i++)
        if (p[i].n > 0)
            out[kept++] = p[i];
    qsort(out, (size_t)kept, sizeof(*out), by_horizon);
    for (int32_t i = 0; i < kept; i++) {
        if (distinct > 0 && out[distinct - 1].horizon >= out[i].horizon) {
            out[distinct - 1].n += out[i].n;
            out[distinct - 1].n_success += out[i].n_success;
        } else {
            out[distinct++] = out[i];
        }
    }
    return distinct;
}

static void bracket(const struct horizon_point *p, int32_t n, struct horizon_fit *out)
{
    for (int k = 0; k < HORIZON_SHARES; k++) {
        int32_t i = 0;

        while (i < n && (double)p[i].n_success >= horizon_share[k] * (double)p[i].n)
            out->passed[k] = p[i++].horizon;
        out->missed[k] = i < n ? p[i].horizon : 0;
    }
}

static const char *not_determined(const struct horizon_point *p, int32_t n)
{
    int64_t successes = 0, total = 0;
    int32_t mixed = 0;

    for (int32_t i = 0; i < n; i++) {
        successes += p[i].n_success;
        total += p[i].n;
        mixed += p[i].n_success > 0 && p[i].n_success < p[i].n;
    }
    if (total == 0)
        return "there are no episodes to count";
    if (successes == total)
        return "all episodes succeeded";
    if (successes == 0)
        return "no episode succeeded";
    return mixed < 2 ? "a fit needs two horizons with both successes and failures" : NULL;
}

void horizon_fit(const struct horizon_point *point, int32_t n, struct horizon_fit *out)
{
    struct horizon_point p[HORIZON_MAX_POINTS];
    int32_t count = gather(point, n, p);

    *out = (struct horizon_fit){.why = not_determined(p, count)};
    if (count > 0) {
        out->least = p[0].horizon;
        out->most = p[count - 1].horizon;
    }
    bracket(p, count, out);
    if (!out->why &&
        (!fit_curve(p, count, false, &out->logistic) || !fit_curve(p, count, true, &out->weibull)))
        out->why = "the success rate does not fall with the horizon";
    out->determined = !out->why;
}
