/* runner_root.c - the frame of the run itself: the blueprint's steps, then its output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/runner_root.h"

#include <stdlib.h>

#include "blueprints/block.h"
#include "blueprints/frame_vars.h"

static void begin(struct frame *f)
{
    f->node = xcalloc(1, sizeof(struct block));
    block_begin(f->node, f, f->plan, f->plan->step, f->plan->n_steps);
}

static void child_ended(struct frame *f, struct frame *child)
{
    struct block *b = f->node;
    struct error err = ERROR_INIT;
    struct json *out = NULL;
    enum status st;

    if (!block_child_ended(b, f, child))
        return;
    if (!f->plan->output) {
        frame_end(f, STEP_OK, jv_ref(b->last), NULL);
        return;
    }
    st = vars_eval(f->inner, f->plan->output, &out, &err);
    if (st)
        frame_end_error(f, st, &err);
    else
        frame_end(f, STEP_OK, out, NULL);
}

static void release(struct frame *f)
{
    if (f->node)
        block_deinit(f->node);
    free(f->node);
}

static const struct node_ops root_ops = {
    .begin = begin, .child_ended = child_ended, .release = release};

struct frame *runner_root_new(struct frame_host *h, const struct plan *plan,
                              const struct json *inputs)
{
    struct frame *f = frame_new_root(h, plan, &root_ops);

    f->vars = vars_new(inputs);
    f->spends = &h->budget->live;
    f->record = RECORD_INTENT; /* the run's row */
    return f;
}
