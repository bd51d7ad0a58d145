/* node_value.c - value: evaluates an expression.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame_vars.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    return vars_eval(f->vars, f->step->value, in, err);
}

static void begin(struct frame *f)
{
    frame_end(f, STEP_OK, jv_ref(f->in), NULL);
}

const struct node_ops node_value_ops = {.prepare = prepare, .begin = begin};
