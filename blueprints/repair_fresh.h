/* repair_fresh.h - which values may be new in a repaired run, because a step is done again.
 *
 * A step may have a new value when it is done again, when it reads a value that may be new, or when
 * that is so of a step inside it. Frames are those of the comparison (repair.c), which comes to
 * each step after those that it can read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_REPAIR_FRESH_H
#define TROUPE_BLUEPRINTS_REPAIR_FRESH_H

#include "blueprints/frame.h"
#include "runtime/base/map.h"

struct fresh {
    struct map *names; /* paths of steps, and of names that a step binds for those inside it */
};

/* f and the steps around it may have new values. */
void fresh_mark(struct fresh *v, const struct frame *f);
/* A name that the step reads and whose value may be new; lent by the plan. NULL: none. */
const char *fresh_read(const struct fresh *v, const struct frame *f);
/* The same for f and all steps of the blueprint in it. */
const char *fresh_read_within(const struct fresh *v, const struct frame *f);
/* The names that f binds for the steps in it from what it reads. */
void fresh_mark_names(struct fresh *v, const struct frame *f);

#endif
