/* frame_vars.c - see frame_vars.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame_vars.h"

#include <assert.h>

struct json *vars_new(const struct json *inputs)
{
    struct json *v = jv_object();

    jv_set_adopt(v, "inputs", jv_deep_copy(inputs));
    jv_set_adopt(v, "state", jv_object());
    jv_set_adopt(v, "exhausted", jv_object());
    return v;
}

struct json *vars_copy(const struct json *vars)
{
    struct json *copy = jv_object();
    struct json *value;
    const char *name;

    for (void *it = NULL; (it = jv_next(vars, it, &name, &value)) != NULL;)
        jv_set_adopt(copy, name, jv_ref(value));
    jv_set_adopt(copy, "state", jv_deep_copy(jv_get(vars, "state")));
    jv_set_adopt(copy, "exhausted", jv_deep_copy(jv_get(vars, "exhausted")));
    return copy;
}

void frame_open_scope(struct frame *f)
{
    jv_unref(f->inner);
    f->inner = vars_copy(f->vars);
}

void frame_bind(struct frame *f, const char *name, struct json *adopt_value)
{
    assert(f->inner); /* else the names of the parent would change */
    jv_set_adopt(f->inner, name, adopt_value);
}

void frame_bind_child(struct frame *f, const char *name, const struct frame *child)
{
    frame_bind(f, name, jv_ref(child->value));
    jv_set_string(jv_get(f->inner, "state"), name, frame_state_word(child));
    if (child->step->kind == PLAN_LOOP)
        jv_set_bool(jv_get(f->inner, "exhausted"), name, frame_is_exhausted(child));
}

enum status vars_eval(const struct json *vars, const struct plan_value *v, struct json **out,
                      struct error *err)
{
    if (v)
        return plan_value_eval(v, vars, out, err);
    *out = jv_null();
    return STATUS_OK;
}

enum status vars_eval_bool(const struct json *vars, const struct plan_value *v, const char *what,
                           bool *out, struct error *err)
{
    struct json *value = NULL;
    enum status st = vars_eval(vars, v, &value, err);

    if (!st && jv_kind(value) != JV_BOOL)
        st = plan_value_not_bool(v, what, (int)jv_kind(value), err);
    if (!st)
        *out = jv_get_bool(value, false);
    jv_unref(value);
    return st;
}
