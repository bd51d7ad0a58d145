/* node_do.c - do: runs a list of steps as one step; its value is that of the last one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
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
    block_begin(f, f->plan, f->step->child, f->step->n_children, NULL);
}

const struct node_ops node_do_ops = {
    .prepare = prepare, .begin = begin, .child_ended = block_child_ended, .release = block_release};
