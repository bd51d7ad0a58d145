/* advantage.h - from rewards of a group to advantages, by a named convention.
 *
 * A group is the rollouts of one prompt (for step credit: of one anchor). Conventions differ in
 * their baseline, their standard deviation (n-1 or n) and what is added to it; each is named
 * after the library or paper whose numbers it gives, and tested against them. References: TRL 1.16
 * GRPOTrainer, verl 0.7, NeMo RL 0.6, TorchTitan, prime-rl (max_rl); RLOO: Ahmadian et al. 2024;
 * Dr.GRPO: Liu et al. 2025; GiGPO: Feng et al. 2025 (arXiv 2505.10978).
 *
 * A reward that is NaN is missing: it is left out of the statistics and its advantage is 0. A group
 * with fewer than two rewards has no baseline: all its advantages are 0 (verl would give r itself).
 *
 * Rewards of a group that differ by rounding alone (ADVANTAGE_SAME) are equal: a group of equal
 * rewards gives exactly 0 in every convention, and no reward is divided by a deviation that comes
 * from rounding (NVIDIA-NeMo/RL issue 4158: -0.95 / (1e-16 + 1e-6)).
 *
 * Division by the deviation of the whole group bounds an advantage by sqrt(n). Division by the
 * deviation of the others bounds nothing. So the leave-one-out form does not divide when the others
 * differ from each other by less than 1/n of their distance to r (the costs of a few calls among
 * seven successes). No advantage is then larger than n. Rewards 0 and 1 never cause this.
 *
 * max_rl is derived for rewards 0 and 1, where the mean is the share of successes (huggingface/trl
 * issue 5026). It divides by the mean or by (largest - smallest reward) / n, whichever is larger.
 * Among rewards of at least 0 that is always the mean; when costs made some negative, it keeps the
 * sign of r - mean and the bound n - 1 of binary rewards. A group without any reward above
 * 0 has no success and gives 0, as a group of zeros does.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_ADVANTAGE_H
#define TROUPE_MODELS_TRAIN_ADVANTAGE_H

#include <stdbool.h>
#include <stdint.h>

#define ADVANTAGE_SAME 1e-9 /* of the largest reward's size: less than this apart is equal */

enum advantage_kind {
    ADVANTAGE_TRL,      /* (r - mean) / (std n-1 + 1e-4) */
    ADVANTAGE_VERL,     /* (r - mean) / (std n-1 + 1e-6); NeMo without leave-one-out */
    ADVANTAGE_NEMO_LOO, /* baseline and std n-1 of the others, 1e-6; undivided where they are equal
                         */
    ADVANTAGE_TORCHTITAN, /* (r - mean) / (std n + 1e-6) */
    ADVANTAGE_DR_GRPO,    /* r - mean */
    ADVANTAGE_RLOO,       /* r - mean of the others */
    ADVANTAGE_MAX_RL,     /* (r - mean) / mean; see above for rewards below 0 */
    ADVANTAGE_N
};
const char *advantage_name(enum advantage_kind kind); /* "trl", "verl", ... as in options */
bool advantage_of_name(const char *name, enum advantage_kind *out);

/* out (n), not reward itself. */
void advantage_group(enum advantage_kind kind, const double *reward, int32_t n, double *out);

/* Do the rewards of a group (without NaN) differ by more than ADVANTAGE_SAME? Groups without spread
 * give no gradient and are counted. */
bool advantage_has_spread(const double *reward, int32_t n);

/* Divides by the standard deviation (n-1) over a whole batch, plus eps: advantages that were
 * centred by group keep the relation of a call's cost to its gain, which dividing by the group's
 * own std would not. Values at NaN rewards are 0 already and do not count (valid says which do). */
void advantage_scale_batch(double *advantage, const uint8_t *valid, int64_t n, double eps);

#endif
