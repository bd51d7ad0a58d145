/* node_note.c - note: a text that is kept with the run; its value is {note: TEXT}.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame_vars.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    return vars_eval(f->vars, f->step->value, in, err);
}

static void begin(struct frame *f)
{
    struct json *out = jv_object();

    jv_set_adopt(out, "note", jv_ref(f->in));
    frame_end(f, STEP_OK, out, NULL);
}

const struct node_ops node_note_ops = {.prepare = prepare, .begin = begin};
