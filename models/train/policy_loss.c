/* policy_loss.c - the policy-gradient objective per token, and its derivative.
 *
 * The log-ratio is clamped to +-20 before exp, as NeMo and verl do: beyond it the weights are far
 * from the sampled policy, and the KL warning reports that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/policy_loss.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define LOG_RATIO_MAX 20.0

static const char *const names[POLICY_N] = {[POLICY_PPO] = "ppo",
                                            [POLICY_REINFORCE] = "reinforce",
                                            [POLICY_CISPO] = "cispo",
                                            [POLICY_CISPO_TRL] = "cispo_trl",
                                            [POLICY_GSPO] = "gspo"};

const char *policy_objective_name(enum policy_objective o)
{
    return names[o];
}

bool policy_objective_of_name(const char *name, enum policy_objective *out)
{
    for (int i = 0; i < POLICY_N; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum policy_objective)i;
            return true;
        }
    return false;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Clipped surrogate on one ratio; *slope is its derivative with respect to log(ratio). */
static double surrogate(const struct policy_options *o, double ratio, double advantage,
                        double *slope, struct policy_stats *stats)
{
    double clipped = clamp(ratio, 1 - o->clip_low, 1 + o->clip_high);
    double free_loss = -advantage * ratio, clip_loss = -advantage * clipped;
    double loss = free_loss;

    *slope = free_loss;
    if (clip_loss > free_loss) {
        loss = clip_loss;
        *slope = 0;
        stats->n_clipped_low += ratio < clipped;
        stats->n_clipped_high += ratio > clipped;
    }
    if (advantage < 0 && o->dual_clip > 0 && loss > -advantage * o->dual_clip) {
        loss = -advantage * o->dual_clip;
        *slope = 0;
    }
    return loss;
}

static double token_loss(const struct policy_options *o, double lp, double ratio, double advantage,
                         double *slope, struct policy_stats *stats)
{
    double weight;

    switch (o->objective) {
    case POLICY_REINFORCE:
        *slope = -advantage;
        return -advantage * lp;
    case POLICY_CISPO:
    case POLICY_CISPO_TRL:
        weight = o->objective == POLICY_CISPO ? clamp(ratio, 1 - o->clip_low, 1 + o->clip_high)
                                              : fmin(ratio, o->clip_high);
        stats->n_clipped_low += ratio < weight;
        stats->n_clipped_high += ratio > weight;
        *slope = -weight * advantage;
        return -weight * advantage * lp;
    default:
        return surrogate(o, ratio, advantage, slope, stats);
    }
}

/* Value of the KL estimate at d = ref - lp, and its derivative with respect to lp. */
static double kl_term(enum policy_kl kind, double d, double *slope)
{
    switch (kind) {
    case POLICY_KL_K1:
        *slope = 1;
        return -d;
    case POLICY_KL_K2:
        *slope = -d;
        return d * d / 2;
    case POLICY_KL_K3:
        *slope = 1 - exp(d);
        return exp(d) - 1 - d;
    case POLICY_KL_K3_NEMO: /* the value of k3, the gradient of k2 (arXiv 2506.09477) */
        *slope = -d;
        return exp(d) - 1 - d;
    default:
        *slope = 0;
        return 0;
    }
}

static double importance(const struct policy_options *o, const struct policy_sequence *s, int32_t t)
{
    if (o->importance_max <= 0 || !s->gen)
        return 1;
    return clamp(exp(clamp((double)s->old[t] - (double)s->gen[t], -LOG_RATIO_MAX, LOG_RATIO_MAX)),
                 0, o->importance_max);
}

static void add_kl(const struct policy_options *o, const struct policy_sequence *s, double *d,
                   struct policy_stats *stats)
{
    if (!s->ref || o->kl == POLICY_KL_NONE)
        return;
    for (int32_t t = 0; t < s->n; t++) {
        double slope,
            gap = clamp((double)s->ref[t] - (double)s->lp[t], -LOG_RATIO_MAX, LOG_RATIO_MAX);
        double kl = kl_term(o->kl, gap, &slope);
        stats->kl += kl;
        stats->loss += o->kl_beta * kl;
        d[t] += o->kl_beta * slope;
    }
}

static void count_ratio(const struct policy_sequence *s, int32_t t, double ratio,
                        struct policy_stats *stats)
{
    const float *recorded = s->gen ? s->gen : s->old;
    double gap = fabs((double)s->lp[t] - (double)recorded[t]);

    stats->n_tokens++;
    stats->ratio_sum += ratio;
    if (ratio > stats->ratio_max)
        stats->ratio_max = ratio;
    if (gap > stats->abs_lp_gap_max)
        stats->abs_lp_gap_max = gap;
}

/* One ratio for the sequence, exp of the mean log-ratio, against each token's advantage; every lp
 * moves it by ratio / n, so every token gets the mean of the slopes. */
static void gspo_loss(const struct policy_options *o, const struct policy_sequence *s, double *d,
                      struct policy_stats *stats)
{
    double log_ratio = 0, log_weight = 0, weight = 1, slopes = 0, slope;

    for (int32_t t = 0; t < s->n; t++) {
        log_ratio += (double)s->lp[t] - (double)s->old[t];
        log_weight += s->gen ? (double)s->old[t] - (double)s->gen[t] : 0;
    }
    double ratio = exp(clamp(log_ratio / s->n, -LOG_RATIO_MAX, LOG_RATIO_MAX));
    if (o->importance_max > 0 && s->gen)
        weight = clamp(exp(clamp(log_weight, -LOG_RATIO_MAX, LOG_RATIO_MAX)), 0, o->importance_max);
    for (int32_t t = 0; t < s->n; t++) {
        stats->loss += weight * surrogate(o, ratio, (double)s->advantage[t], &slope, stats);
        slopes += slope;
        count_ratio(s, t, ratio, stats);
    }
    for (int32_t t = 0; t < s->n; t++)
        d[t] = weight * slopes / s->n;
}

void policy_sequence_loss(const struct policy_options *o, const struct policy_sequence *s,
                          double *d, struct policy_stats *stats)
{
    if (s->n == 0)
        return;
    if (o->objective == POLICY_GSPO) {
        gspo_loss(o, s, d, stats);
    } else {
        for (int32_t t = 0; t < s->n; t++) {
            double ratio =
                exp(clamp((double)s->lp[t] - (double)s->old[t], -LOG_RATIO_MAX, LOG_RATIO_MAX));
            double w = importance(o, s, t), slope;
            stats->loss +=
                w * token_loss(o, (double)s->lp[t], ratio, (double)s->advantage[t], &slope, stats);
            d[t] = w * slope;
            count_ratio(s, t, ratio, stats);
        }
    }
    add_kl(o, s, d, stats);
}

double policy_weight(const struct policy_options *o, int32_t n_tokens_of_sequence,
                     int64_t n_tokens_of_batch, int64_t n_sequences_of_batch)
{
    switch (o->aggregation) {
    case POLICY_SEQUENCE:
        return 1.0 / ((double)n_tokens_of_sequence * (double)n_sequences_of_batch);
    case POLICY_CONSTANT:
        return 1.0 / ((double)n_sequences_of_batch * (double)o->max_completion);
    default:
        return 1.0 / (double)n_tokens_of_batch;
    }
}

double policy_overlong_trl(int32_t length, int32_t max, int32_t soft)
{
    if (length <= max - soft)
        return 0;
    if (length > max)
        return -1;
    return (double)(max - soft - length) / soft;
}
