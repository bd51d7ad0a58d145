/* node_do.c - do: runs a list of steps as one step; its value is that of the last one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "blueprints/block.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    (void)f;
    (void)err;
    *in = jv_null();
    return STATUS_OK;
}

static void begin(struct frame *f)
{
    f->node = xcalloc(1, sizeof(struct block));
    block_begin(f->node, f, f->plan, f->step->child, f->step->n_children);
}

static void child_ended(struct frame *f, struct frame *child)
{
    struct block *b = f->node;

    if (block_child_ended(b, f, child))
        frame_end(f, STEP_OK, jv_ref(b->last), NULL);
}

static void release(struct frame *f)
{
    if (f->node)
        block_deinit(f->node);
    free(f->node);
}

const struct node_ops node_do_ops = {
    .prepare = prepare, .begin = begin, .child_ended = child_ended, .release = release};
