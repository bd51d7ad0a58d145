/* group.h - steps at once: at most `limit` under way, values joined in order.
 *
 * After the first failure nothing more begins and what is under way is cancelled. The group then
 * fails like the first of those (by index) that failed of itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_GROUP_H
#define TROUPE_BLUEPRINTS_GROUP_H

#include "blueprints/frame.h"

struct group {
    int32_t n, next, n_active, limit;
    struct json **value;        /* (n) */
    bool failed, not_retryable; /* one of them would fail alike in another attempt */
    int32_t failed_index;
    enum step_state failed_end;
    char *failed_error;
    struct frame *(*make)(struct frame *f, int32_t i);
};
void group_begin(struct group *g, struct frame *f, int32_t n, int32_t limit,
                 struct frame *(*make)(struct frame *f, int32_t i));
/* True when all are done and none failed: the values are there. Ends f after a failure. */
bool group_child_ended(struct group *g, struct frame *f, struct frame *child);
void group_deinit(struct group *g);

#endif
