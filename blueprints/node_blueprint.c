/* node_blueprint.c - blueprint: runs the steps of another file inside this run, with their own
 * names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

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

    f->node = xcalloc(1, sizeof(struct block));
    jv_unref(f->inner);
    f->inner = vars_new(f->in);
    block_begin(f->node, f, sub, sub->step, sub->n_steps);
}

static void child_ended(struct frame *f, struct frame *child)
{
    const struct plan *sub = f->step->sub;
    struct block *b = f->node;
    struct error err = ERROR_INIT;
    struct json *out = NULL;
    enum status st;

    if (!block_child_ended(b, f, child))
        return;
    if (!sub->output) {
        frame_end(f, STEP_OK, jv_ref(b->last), NULL);
        return;
    }
    st = vars_eval(f->inner, sub->output, &out, &err);
    f->not_retryable = st && block_is_computed(b, b->n);
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

const struct node_ops node_blueprint_ops = {
    .prepare = prepare, .begin = begin, .child_ended = child_ended, .release = release};
