/* group.h - runs steps at once, at most `limit` at a time, and collects their values in order.
 *
 * After the first failure no other step begins, and the running ones are cancelled. The group then
 * fails like the first step (by index) that failed by itself. In a replay all steps begin: those
 * that did not begin or were cancelled are held, and group_cancel ends them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_GROUP_H
#define TROUPE_BLUEPRINTS_GROUP_H

#include "blueprints/frame.h"

struct group {
    int32_t n, next, n_active, limit;
    struct json **value;        /* (n) */
    bool failed, not_retryable; /* another attempt of one of them would fail the same way */
    int32_t failed_index;
    enum step_state failed_end;
    char *failed_error;
    struct frame *(*make)(struct frame *f, int32_t i);
};
void group_begin(struct group *g, struct frame *f, int32_t n, int32_t limit,
                 struct frame *(*make)(struct frame *f, int32_t i));
/* True when all have ended ok and the values are complete. Ends f after a failure. */
bool group_child_ended(struct group *g, struct frame *f, struct frame *child);
void group_cancel(struct frame *f); /* after a failure: all that are left */
void group_deinit(struct group *g);

#endif
