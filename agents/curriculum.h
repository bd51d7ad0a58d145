/* curriculum.h - the noise and the horizon of the episodes of each update of a training.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CURRICULUM_H
#define TROUPE_AGENTS_CURRICULUM_H

#include "models/train/fixed_options.h"

#define CURRICULUM_MAX_PHASES 8
#define CURRICULUM_MAX_TASKS  8 /* environments of a mixed training */

/* From update `from` on, this noise and horizon. */
struct curriculum_phase {
    int64_t from;
    double noise[CURRICULUM_MAX_TASKS]; /* of each environment; below 0: its default */
    int32_t horizon;
};

struct curriculum {
    struct curriculum_phase phase[CURRICULUM_MAX_PHASES];
    int32_t n_phases; /* at least 1, the first from 0, ascending */
};

/* STATUS_USAGE says what is wrong. */
MUST_CHECK enum status curriculum_check(const struct curriculum *c, struct error *err);
const struct curriculum_phase *curriculum_at(const struct curriculum *c, int64_t update);
/* As an option that a resumed training must repeat, with the noise of n_tasks environments. */
void curriculum_fix(const struct curriculum *c, int32_t n_tasks, struct fixed_options *f);

#endif
