/* block.h - runs steps one after the other; each sees those before it. A block is the node of its
 * frame; block_child_ended and block_release are for its node_ops.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_BLOCK_H
#define TROUPE_BLUEPRINTS_BLOCK_H

#include "blueprints/frame.h"

/* Opens a scope in f unless there is one, and begins the first step as child of f. f ends with a
 * failed step, or with the value of `output`; NULL: with that of the last step. */
void block_begin(struct frame *f, const struct plan *plan, const struct plan_step *step, int32_t n,
                 const struct plan_value *output);
void block_child_ended(struct frame *f, struct frame *child);
void block_release(struct frame *f);

#endif
