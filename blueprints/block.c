/* block.c - see block.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/block.h"

#include <assert.h>
#include <stdlib.h>

#include "blueprints/frame_vars.h"

struct block {
    const struct plan *plan;
    const struct plan_step *step;
    int32_t n, next;
    const struct plan_value *output; /* or NULL */
};

static void begin_next(struct frame *f)
{
    struct block *b = f->node;
    struct str base = STR_INIT;
    struct str path = STR_INIT;
    int32_t i = b->next++;

    frame_base(f, &base);
    path_child(&path, str_cstr(&base), b->step[i].id);
    frame_new(f, b->plan, &b->step[i], str_cstr(&path), i);
    str_deinit(&path);
    str_deinit(&base);
}

void block_begin(struct frame *f, const struct plan *plan, const struct plan_step *step, int32_t n,
                 const struct plan_value *output)
{
    struct block *b = f->node = xcalloc(1, sizeof(*b));

    *b = (struct block){.plan = plan, .step = step, .n = n, .output = output};
    if (!f->inner)
        frame_open_scope(f);
    begin_next(f);
}

/* Are its first n steps computed (plan_step_is_computed)? Then another attempt gives the same
 * result. */
static bool is_computed(const struct block *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!plan_step_is_computed(&b->step[i]))
            return false;
    return true;
}

void block_child_ended(struct frame *f, struct frame *child)
{
    struct block *b = f->node;
    struct error err = ERROR_INIT;
    struct json *out = NULL;
    enum status st;

    assert(b->next > 0 && b->next <= b->n && child->step == &b->step[b->next - 1]);
    if (!child->value) {
        f->not_retryable = child->not_retryable && is_computed(b, b->next - 1);
        frame_end_like(f, child);
        return;
    }
    frame_bind_child(f, child->step->id, child);
    if (b->next < b->n) {
        begin_next(f);
        return;
    }
    if (!b->output) {
        frame_end(f, STEP_OK, jv_ref(child->value), NULL);
        return;
    }
    st = vars_eval(f->inner, b->output, &out, &err);
    f->not_retryable = st && is_computed(b, b->n);
    if (st)
        frame_end_error(f, st, &err);
    else
        frame_end(f, STEP_OK, out, NULL);
}

void block_release(struct frame *f)
{
    free(f->node);
}
