/* node_if.c - if: runs one of two lists of steps; its value is that of the last step, or null.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/block.h"
#include "blueprints/frame_vars.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    bool yes = false;
    enum status st = vars_eval_bool(f->vars, f->step->cond, "cond", &yes, err);

    if (!st)
        *in = jv_bool(yes);
    return st;
}

static void begin(struct frame *f)
{
    bool yes = jv_get_bool(f->in, false);
    const struct plan_step *taken = yes ? f->step->child : f->step->otherwise;
    int32_t n = yes ? f->step->n_children : f->step->n_otherwise;

    if (n == 0) {
        frame_end(f, STEP_OK, jv_null(), NULL);
        return;
    }
    block_begin(f, f->plan, taken, n, NULL);
}

const struct node_ops node_if_ops = {
    .prepare = prepare, .begin = begin, .child_ended = block_child_ended, .release = block_release};
