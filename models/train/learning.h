/* learning.h - the steps of a training: AdamW's options, and the learning rate of each update.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_LEARNING_H
#define TROUPE_MODELS_TRAIN_LEARNING_H

#include "models/train/fixed_options.h"
#include "models/train/optimizer.h"

struct learning {
    struct optimizer_step step; /* lr: the highest; each update sets scale */
    double lr_min;              /* linear warm-up, then cosine from lr to lr_min */
    int64_t warmup;
    /* Keeps the schedule that the run in the folder began with, which has fewer updates than now;
     * later updates are trained at lr_min. No effect without a checkpoint there. */
    bool continues;
};

MUST_CHECK enum status learning_check(const struct learning *l, struct error *err);
void learning_fix(const struct learning *l, struct fixed_options *f);
/* *schedule: the number of updates, changed as fixed_schedule does. */
MUST_CHECK enum status learning_schedule(const struct learning *l, const char *out,
                                         int64_t *schedule, struct error *err);
/* The cosine reaches lr_min at the update `end`. */
double learning_rate(const struct learning *l, int64_t update, int64_t schedule, int64_t end);

#endif
