/* node_blueprint.c - blueprint: runs the steps of another file inside this run, with their own
 * names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/block.h"
#include "blueprints/frame_vars.h"

/* It reads its complete inputs. */
static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    struct json *given = NULL;
    enum status st = vars_eval(f->vars, f->step->in, &given, err);

    if (!st)
        st = plan_inputs(f->step->sub, jv_kind(given) == JV_NULL ? NULL : given, in, err);
    jv_unref(given);
    return st;
}

static void begin(struct frame *f)
{
    const struct plan *sub = f->step->sub;

    jv_unref(f->inner);
    f->inner = vars_new(f->in);
    block_begin(f, sub, sub->step, sub->n_steps, sub->output);
}

const struct node_ops node_blueprint_ops = {
    .prepare = prepare, .begin = begin, .child_ended = block_child_ended, .release = block_release};
