/* runner_root.c - the frame of the run itself: the blueprint's steps, then its output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/runner_root.h"

#include "blueprints/block.h"
#include "blueprints/frame_vars.h"

static void begin(struct frame *f)
{
    block_begin(f, f->plan, f->plan->step, f->plan->n_steps, f->plan->output);
}

static const struct node_ops root_ops = {
    .begin = begin, .child_ended = block_child_ended, .release = block_release};

struct frame *runner_root_new(struct frame_host *h, const struct plan *plan,
                              const struct json *inputs)
{
    struct frame *f = frame_new_root(h, plan, &root_ops);

    f->vars = vars_new(inputs);
    f->spends = &h->budget->live;
    f->record = RECORD_INTENT; /* the run's row */
    return f;
}
