/* eval_stats.c - what the table says of a row: rates over its episodes, and how sure they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "agents/eval_internal.h"

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
    /* At the ends the bound is the end itself; rounding would leave it a hair beside. */
    *low = successes <= 0 || centre < half ? 0 : centre - half;
    *high = successes >= n || centre + half > 1 ? 1 : centre + half;
}

void eval_tally_add(struct eval_tally *t, const struct env_verdict *v)
{
    t->n++;
    t->n_success += v->success;
    t->steps += v->steps;
    t->steps_right += v->steps_right;
    t->calls += v->calls;
    t->own_slips += v->own_slips;
    t->at_risk += v->at_risk;
    t->recovered += v->recovered;
    t->mismatch_shown += v->mismatch_shown;
    t->repaired += v->repaired;
    t->match_shown += v->match_shown;
    t->false_alarms += v->false_alarms;
}

static double rate(int64_t of, int64_t n)
{
    return n > 0 ? (double)of / (double)n : (double)NAN;
}

void eval_tally_row(const struct eval_tally *t, struct eval_row *row)
{
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
    jv_set_int(v, "tokens_in", r->tok_in);
    jv_set_int(v, "tokens_out", r->tok_out);
    jv_set_real(v, "tokens_per_s", r->tokens_per_s);
    jv_set_real(v, "wall_s", r->wall_s);
    return v;
}
