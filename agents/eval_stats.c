/* eval_stats.c - the statistics of a row: rates over its episodes, and their intervals.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agents/eval_internal.h"
#include "runtime/base/memory.h"

#define Z95 1.959963984540054 /* two-sided 95 % of the normal distribution */

/* Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927. */
void wilson_interval(int64_t successes, int64_t n, double *low, double *high)
{
    double p, centre, half, scale;

    *low = 0;
    *high = 1;
    if (n <= 0)
        return;
    p = (double)successes / (double)n;
    scale = 1 + Z95 * Z95 / (double)n;
    centre = (p + Z95 * Z95 / (2 * (double)n)) / scale;
    half = Z95 / scale * sqrt(p * (1 - p) / (double)n + Z95 * Z95 / (4 * (double)n * (double)n));
    /* At 0 and n the bound is exactly 0 or 1; rounding would miss it slightly. */
    *low = successes <= 0 || centre < half ? 0 : centre - half;
    *high = successes >= n || centre + half > 1 ? 1 : centre + half;
}

void eval_after_of(const struct env_ops *ops, const struct env *env, struct eval_after *out)
{
    int32_t n = ops->steps_done(env);

    *out = (struct eval_after){0};
    for (int32_t i = 1; i < n; i++) {
        bool was = ops->step_right(env, i - 1), is = ops->step_right(env, i);

        out->wrong += !was;
        out->wrong_right += !was && is;
        out->right += was;
        out->right_right += was && is;
    }
}

struct json *eval_verdict_json(const struct env_verdict *v, const struct eval_after *after)
{
    struct json *o = env_verdict_json(v);

    jv_set_int(o, "after_wrong", after->wrong);
    jv_set_int(o, "after_wrong_right", after->wrong_right);
    jv_set_int(o, "after_right", after->right);
    jv_set_int(o, "after_right_right", after->right_right);
    return o;
}

void eval_tally_add(struct eval_tally *t, const struct env_verdict *v,
                    const struct eval_after *after)
{
    t->after.wrong += after->wrong;
    t->after.wrong_right += after->wrong_right;
    t->after.right += after->right;
    t->after.right_right += after->right_right;
    t->n++;
    t->n_success += v->success;
    t->steps += v->steps;
#define COUNTER(name) t->name += v->name;
#include "tools/environments/counters.def"
#undef COUNTER
}

static double rate(int64_t of, int64_t n)
{
    return n > 0 ? (double)of / (double)n : (double)NAN;
}

/* The interval of a difference of two shares: Newcombe, Statistics in Medicine 17 (1998), method 10
 * (from the two Wilson intervals). Steps of one episode are treated as independent. */
static void self_conditioning(const struct eval_after *a, struct eval_row *row)
{
    double l1, u1, l2, u2, p1 = rate(a->wrong_right, a->wrong), p2 = rate(a->right_right, a->right);

    row->after_wrong = p1;
    row->after_right = p2;
    row->self_conditioning = p1 - p2;
    wilson_interval(a->wrong_right, a->wrong, &l1, &u1);
    wilson_interval(a->right_right, a->right, &l2, &u2);
    row->self_low = p1 - p2 - sqrt((p1 - l1) * (p1 - l1) + (u2 - p2) * (u2 - p2));
    row->self_high = p1 - p2 + sqrt((u1 - p1) * (u1 - p1) + (p2 - l2) * (p2 - l2));
}

void eval_tally_row(const struct eval_tally *t, struct eval_row *row)
{
    self_conditioning(&t->after, row);
    row->n = t->n;
    row->n_success = t->n_success;
    row->n_failed_outside = t->n_failed_outside;
    row->success = rate(t->n_success, t->n);
    wilson_interval(t->n_success, t->n, &row->success_low, &row->success_high);
    row->step_accuracy = rate(t->steps_right, t->steps);
    row->recovered = rate(t->recovered, t->at_risk);
    row->detection = rate(t->repaired, t->mismatch_shown);
    row->false_alarm = rate(t->false_alarms, t->match_shown);
    row->own_slips = rate(t->own_slips, t->steps);
    row->calls_per_step = rate(t->calls, t->steps);
    row->steps = t->steps;
    row->tok_in = t->tok_in;
    row->tok_out = t->tok_out;
}

struct json *eval_row_json(const struct eval_options *o, const struct eval_row *r)
{
    struct json *v = jv_object();

    (void)o;
    jv_set_int(v, "horizon", r->spec.horizon);
    jv_set_real(v, "p", r->spec.noise);
    jv_set_real(v, "temperature", (double)r->spec.temperature);
    jv_set_int(v, "episodes", r->n);
    jv_set_int(v, "successes", r->n_success);
    jv_set_int(v, "failed_outside", r->n_failed_outside);
    jv_set_real(v, "success", r->success);
    jv_set_real(v, "success_low", r->success_low);
    jv_set_real(v, "success_high", r->success_high);
    jv_set_real(v, "ceiling", r->ceiling);
    jv_set_real(v, "lift", r->success - r->ceiling);
    jv_set_real(v, "step_accuracy", r->step_accuracy);
    jv_set_real(v, "recovered", r->recovered);
    jv_set_real(v, "detection", r->detection);
    jv_set_real(v, "false_alarm", r->false_alarm);
    jv_set_real(v, "own_slips", r->own_slips);
    jv_set_real(v, "calls_per_step", r->calls_per_step);
    jv_set_real(v, "accuracy_after_wrong", r->after_wrong);
    jv_set_real(v, "accuracy_after_right", r->after_right);
    jv_set_real(v, "self_conditioning", r->self_conditioning);
    jv_set_real(v, "self_conditioning_low", r->self_low);
    jv_set_real(v, "self_conditioning_high", r->self_high);
    jv_set_int(v, "steps", r->steps);
    jv_set_int(v, "tokens_in", r->tok_in);
    jv_set_int(v, "tokens_out", r->tok_out);
    jv_set_real(v, "tokens_per_s", r->tokens_per_s);
    jv_set_real(v, "wall_s", r->wall_s);
    return v;
}

/* ---- horizons */

static bool is_same(const struct eval_horizons *h, const struct eval_row *r)
{
    return h->temperature == r->spec.temperature && h->noise == r->spec.noise;
}

int32_t eval_horizons(const struct eval_row *rows, int32_t n, struct eval_horizons *out)
{
    int32_t count = 0;

    for (int32_t i = 0; i < n; i++) {
        struct horizon_point p[HORIZON_MAX_POINTS];
        int32_t k = 0, n_points = 0;

        while (k < count && !is_same(&out[k], &rows[i]))
            k++;
        if (k < count)
            continue;
        out[k].temperature = rows[i].spec.temperature;
        out[k].noise = rows[i].spec.noise;
        for (int32_t j = i; j < n && n_points < HORIZON_MAX_POINTS; j++)
            if (is_same(&out[k], &rows[j]))
                p[n_points++] = (struct horizon_point){(double)rows[j].spec.horizon, rows[j].n,
                                                       rows[j].n_success};
        horizon_fit(p, n_points, &out[k].fit);
        count++;
    }
    return count;
}

static void put_share(struct json *o, int k, const char *suffix, double value)
{
    static const char *const name[HORIZON_SHARES] = {"h50", "h80", "h95"};
    char key[24];

    (void)snprintf(key, sizeof(key), "%s%s", name[k], suffix);
    jv_set_real(o, key, value);
}

static struct json *curve_json(const struct horizon_curve *c)
{
    struct json *o = jv_object();

    for (int k = 0; k < HORIZON_SHARES; k++) {
        put_share(o, k, "", c->at[k]);
        put_share(o, k, "_low", c->low[k]);
        put_share(o, k, "_high", c->high[k]);
    }
    return o;
}

static struct json *fit_json(const struct eval_horizons *h)
{
    const struct horizon_fit *f = &h->fit;
    struct json *o = jv_object(), *logistic = NULL, *weibull = NULL;

    jv_set_real(o, "temperature", (double)h->temperature);
    jv_set_real(o, "p", h->noise);
    jv_set_real(o, "horizon_min", f->least);
    jv_set_real(o, "horizon_max", f->most);
    for (int k = 0; k < HORIZON_SHARES; k++) {
        put_share(o, k, "_above", f->passed[k] > 0 ? f->passed[k] : (double)NAN);
        put_share(o, k, "_below", f->missed[k] > 0 ? f->missed[k] : (double)NAN);
    }
    jv_set_bool(o, "determined", f->determined);
    jv_set_adopt(o, "why", f->why ? jv_string(f->why) : jv_null());
    if (f->determined) {
        logistic = curve_json(&f->logistic);
        jv_set_real(logistic, "slope", f->logistic.slope);
        weibull = curve_json(&f->weibull);
        jv_set_real(weibull, "k", f->weibull.slope);
        jv_set_real(weibull, "k_low", f->weibull.slope_low);
        jv_set_real(weibull, "k_high", f->weibull.slope_high);
        jv_set_real(weibull, "a", f->weibull.scale);
    }
    jv_set_adopt(o, "logistic", logistic ? logistic : jv_null());
    jv_set_adopt(o, "weibull", weibull ? weibull : jv_null());
    return o;
}

struct json *eval_horizons_json(const struct eval_row *rows, int32_t n)
{
    struct json *list = jv_array();
    struct eval_horizons *h = xcalloc((size_t)(n > 0 ? n : 1), sizeof(*h));
    int32_t count = eval_horizons(rows, n, h);

    for (int32_t i = 0; i < count; i++)
        jv_append_adopt(list, fit_json(&h[i]));
    free(h);
    return list;
}
