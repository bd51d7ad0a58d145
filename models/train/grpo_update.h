/* grpo_update.h - one update of the policy from one set of rollouts: chains, minibatches, AdamW.
 *
 * Chains without advantage are left out (they would add 0). The first minibatch of an update is
 * trained with the weights that sampled, so its log-probs must equal the recorded ones: bit for bit
 * on an exact backend; the largest gap is reported. Order depends on (seed, update) alone.
 *
 * A loss or a gradient that is not finite changes nothing: STATUS_FAILED names the chains.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_GRPO_UPDATE_H
#define TROUPE_MODELS_TRAIN_GRPO_UPDATE_H

#include "models/train/optimizer.h"
#include "models/train/policy_loss.h"
#include "models/train/rollout_source.h"
#include "models/train/sharded_pass.h"

struct grpo_update_options {
    struct policy_options policy;
    struct optimizer_step step; /* lr of this update */
    int32_t minibatch_chains;   /* 512 */
    int32_t max_chains;         /* 2048: a random subset beyond; 0: all */
    int32_t epochs;
    float temperature;
    uint64_t seed;
    int64_t update;
    struct weights *reference; /* lent, for policy.kl; NULL: no KL term */
};

struct grpo_update_stats {
    struct policy_stats policy; /* summed over minibatches */
    double first_gap;           /* max |logp_train - logp_rollout| before the first step */
    int32_t n_chains, n_without_advantage, n_over_cap, n_steps;
    int64_t n_tokens; /* trained, i.e. sampled tokens of the chains taken, over epochs */
    int64_t n_rows;   /* through forward and backward */
    double grad_norm; /* the largest of its steps */
};

/* w: a version that only the trainer holds; its values follow the optimiser's after each step.
 * advantage (n_chains). grad (n_params) is scratch. */
MUST_CHECK enum status grpo_update(struct sharded_pass *pass, struct weights *w,
                                   struct optimizer *opt, const struct lane *lane,
                                   struct pool *pool, const struct rollout_set *rollouts,
                                   const double *advantage, const struct grpo_update_options *o,
                                   float *grad, struct grpo_update_stats *stats, struct error *err);

#endif
