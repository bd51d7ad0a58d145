/* toy_rollouts.h - a rollout source that samples from a tiny model itself: two steps a rollout,
 * each right when the id drawn is below half of the vocabulary.
 *
 * A chain is [prompt, drawn, answer, drawn]: the answer is not sampled. Draws are keyed by path and
 * position as those of the engine are, and log-probs come from the training pass, so that the first
 * gap of an update must be 0. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_TRAIN_TOY_ROLLOUTS_H
#define TROUPE_TESTS_UNIT_TRAIN_TOY_ROLLOUTS_H

#include "models/train/grpo.h"

struct toy_rollouts {
    struct rollout_source source;
    struct weights *served; /* as published */
    int64_t n_plays, n_published;
    int64_t last_version;
    int64_t interrupt_at, kill_at; /* play number; 0: never */
    volatile int *flag;
    bool all_equal;  /* every step is right */
    bool infinite;   /* verdicts of right steps are infinite */
    bool no_verdict; /* the second member of each group has NaN for every verdict */
    bool fail_first; /* all members of the first group fail: it is empty */
    bool fail_some;  /* the first member of each group fails outside of the policy */
    const char *task_name[2];
    double level[2]; /* of each task: it decides no bits, but a resumed run must repeat it */
    int32_t first_group;
    float add_to_logp; /* what is recorded is wrong by this */
};

void toy_rollouts_init(struct toy_rollouts *t);
void toy_rollouts_deinit(struct toy_rollouts *t);
void toy_publish(void *ctx, struct weights *w); /* ctx: the toy */

#endif
