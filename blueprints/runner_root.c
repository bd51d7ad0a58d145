/* runner_root.c - the frame of the run itself: the blueprint's steps, then its output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "blueprints/block.h"
#include "blueprints/frame_vars.h"
#include "blueprints/runner_state.h"

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

static const struct node_ops root_ops = {.child_ended = child_ended, .release = release};

static void on_wall(void *ctx)
{
    struct frame *f = ctx;

    frame_drop_timer(f);
    frame_time_out(f);
}

void runner_root_new(struct runner *r)
{
    const struct plan *p = r->plan;
    struct frame *f = frame_new_root(&r->frames, p, &root_ops);
    int64_t left = p->budget.wall_ms - r->budget.wall_before_ms;

    f->vars = vars_new(r->inputs);
    f->spends = &r->budget.live;
    f->record = RECORD_INTENT; /* the run's row */
    f->node = xcalloc(1, sizeof(struct block));
    r->root = f;
    if (p->budget.wall_ms > 0) {
        left = left > 0 ? left : 0;
        f->deadline_ms = f->ends_ms = r->budget.began_ms + left;
        f->time_words = run_budget_wall_words(p->budget.wall_ms);
        f->timer = loop_timer_new(r->host.loop, left, on_wall, f);
    }
    block_begin(f->node, f, p, p->step, p->n_steps);
}
