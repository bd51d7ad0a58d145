/* credit.h - credit assignment: step, outcome, GiGPO.
 *
 *  - outcome: one reward a rollout, the same advantage on all its sampled tokens (GRPO);
 *  - step: the verifier's verdict on each step, minus a cost per call, compared within the group at
 * the same step index (verifiable process reward, arXiv 2605.10325);
 *  - gigpo: outcome advantage plus w times the advantage among steps of the group whose state was
 *    equal (anchor), on discounted step rewards (arXiv 2505.10978).
 *
 * Rollouts that failed outside the policy, and rewards that are NaN, get no advantage and do not
 * count for the baseline. Groups without spread are counted. Statistics are per rollout, not per
 * row. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_CREDIT_H
#define TROUPE_MODELS_TRAIN_CREDIT_H

#include "models/train/advantage.h"
#include "models/train/rollout_source.h"

enum credit_kind { CREDIT_STEP, CREDIT_OUTCOME, CREDIT_GIGPO, CREDIT_N };
const char *credit_name(enum credit_kind k);
bool credit_of_name(const char *name, enum credit_kind *out);

enum credit_norm { CREDIT_NORM_GROUP, CREDIT_NORM_BATCH };

struct credit_options {
    enum credit_kind kind;
    enum credit_norm norm;
    enum advantage_kind
        advantage; /* CREDIT_NORM_GROUP: whose convention; BATCH: centred, over the batch's std */
    double call_cost; /* subtracted from a step's (or the outcome's) reward, per call */
    /* Above 0: instead of call_cost the price of a call is found in each batch,
     *   slope + call_price_rate * (calls a step - call_target), at least 0,
     * where slope is that of verdicts on calls within the groups (least squares). At this price
     * more calls have no effect on the reward on average, so the policy learns *where* calls pay. A
     * fixed price would end all checks, or lead to a check of every step, before that. The
     * second term keeps the average at the target (a proportional form of the Lagrangian
     * of a budget; Stooke et al., arXiv 2007.03964). */
    double call_target, call_price_rate;
    double gamma;        /* GiGPO */
    double gigpo_weight; /* w */
    /* Drops steps (or outcomes) whose verdicts all agree, even if their costs differ: NeMo's
     * dynamic sampling by the reward before shaping. */
    bool drop_agreed;
    bool mask_truncated;
    int32_t overlong_max, overlong_soft; /* a chain's sampled ids beyond max - soft cost up to 1; 0:
                                          * off (policy_overlong_trl) */
    bool shuffle; /* control: advantages of the wrong chains; must not improve the policy */
    uint64_t shuffle_seed;
};

struct credit_stats {
    int32_t n_groups, n_groups_without_spread; /* step groups, or groups of rollouts */
    int32_t n_outside, n_truncated, n_cut;
    double reward_mean, reward_std;
    double call_cost; /* the price of a call; for GiGPO that of steps, not that of outcomes */
};

/* advantage (n_chains), one value a chain. STATUS_INVALID when a group has fewer than two members.
 */
MUST_CHECK enum status credit_assign(const struct credit_options *o, const struct rollout_set *s,
                                     int32_t n_groups, int32_t group_size, double *advantage,
                                     struct credit_stats *stats, struct error *err);

#endif
