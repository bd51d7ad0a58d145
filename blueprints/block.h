/* block.h - runs steps one after the other; each sees those before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_BLOCK_H
#define TROUPE_BLUEPRINTS_BLOCK_H

#include "blueprints/frame.h"

struct block {
    const struct plan *plan;
    const struct plan_step *step;
    int32_t n, next;
    struct json *last; /* of the step before, owned */
};
/* Opens a scope in f unless there is one, and begins the first step as child of f. */
void block_begin(struct block *b, struct frame *f, const struct plan *plan,
                 const struct plan_step *step, int32_t n);
/* True: the block is over, and b->last is its value; a failed step has ended f already. */
bool block_child_ended(struct block *b, struct frame *f, struct frame *child);
/* Are its first n steps computed (plan_step_is_computed)? Then another attempt gives the same
 * result. */
bool block_is_computed(const struct block *b, int32_t n);
void block_deinit(struct block *b);

#endif
