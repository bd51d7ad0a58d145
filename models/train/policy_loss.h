/* policy_loss.h - the policy-gradient objective per token, and its derivative.
 *
 * Losses are minimised; all in double, from recorded float log-probs. lp = log pi of the weights
 * being trained, old = the same before the update, gen = as recorded by the rollout (equal to old,
 * bit for bit, when policy version and backend agree), ref = a reference policy. rho = exp(lp -
 * old). The gradient is given as d loss / d lp: the head multiplies it by d lp / d logits.
 *
 * Conventions differ between references and are named (grpo tables in tests/unit/train):
 * PPO clip: Schulman et al. 2017; clip-higher: DAPO 2025; dual clip: Ye et al. 2020; CISPO:
 * MiniMax-M1 2025; GSPO: Zheng et al. 2025; k1, k2, k3: Schulman's note of 2020.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_POLICY_LOSS_H
#define TROUPE_MODELS_TRAIN_POLICY_LOSS_H

#include <stdbool.h>
#include <stdint.h>

enum policy_objective {
    POLICY_PPO,       /* max(-A rho, -A clip(rho, 1-e_l, 1+e_h)) */
    POLICY_REINFORCE, /* -A lp */
    POLICY_CISPO,     /* -sg(clip(rho, 1-e_l, 1+e_h)) A lp (NeMo, verl) */
    POLICY_CISPO_TRL, /* -sg(min(rho, clip_high)) A lp: clip_high is the absolute cap */
    POLICY_GSPO,      /* PPO on the sequence's ratio, differentiated through it (NeMo, TRL) */
    POLICY_N
};
const char *policy_objective_name(enum policy_objective o);
bool policy_objective_of_name(const char *name, enum policy_objective *out);

enum policy_kl { POLICY_KL_NONE, POLICY_KL_K1, POLICY_KL_K2, POLICY_KL_K3, POLICY_KL_K3_NEMO };

/* How token losses are aggregated. */
enum policy_aggregation {
    POLICY_TOKEN, /* sum / tokens of the whole batch (NeMo token level, TRL dapo, verl token-mean)
                   */
    POLICY_SEQUENCE, /* mean over sequences of their token means (TRL grpo, verl
                        seq-mean-token-mean) */
    POLICY_CONSTANT, /* sum / (sequences * max completion length) (Dr.GRPO) */
};

struct policy_options {
    enum policy_objective objective;
    enum policy_aggregation aggregation;
    double clip_low, clip_high; /* .2 and .28: clip-higher */
    double dual_clip;           /* c for A < 0; 0: off */
    enum policy_kl kl;
    double kl_beta;
    double importance_max;  /* truncated w = exp(old - gen) for rows of another backend or version;
                               0: off */
    int32_t max_completion; /* for POLICY_CONSTANT */
};

/* One sequence's sampled tokens (masked tokens are not in these arrays). */
struct policy_sequence {
    int32_t n;
    const float *lp, *old, *gen, *ref; /* (n); gen NULL: old; ref NULL: no KL */
    const float *advantage;            /* (n): per token, so turns may differ */
};

struct policy_stats {
    double loss; /* sum over tokens, before the normaliser */
    double kl;
    int64_t n_tokens, n_clipped_low, n_clipped_high;
    double ratio_sum, ratio_max;
    double abs_lp_gap_max; /* max |lp - gen|: 0 before the first step of an update */
};

/* d (n): derivative of the sequence's loss with respect to each lp, before the normaliser. Adds to
 * stats. */
void policy_sequence_loss(const struct policy_options *o, const struct policy_sequence *s,
                          double *d, struct policy_stats *stats);
/* The factor of a sequence's derivatives, given the batch's totals (which exclude masked
 * sequences). */
double policy_weight(const struct policy_options *o, int32_t n_tokens_of_sequence,
                     int64_t n_tokens_of_batch, int64_t n_sequences_of_batch);

/* Reward shaping for long replies. TRL: 0 up to max - soft, then linear down to -1, -1 beyond max.
 */
double policy_overlong_trl(int32_t length, int32_t max, int32_t soft);

#endif
