/* block.c - see block.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/block.h"

#include <assert.h>

#include "blueprints/frame_vars.h"

static void begin_next(struct block *b, struct frame *f)
{
    struct str base = STR_INIT;
    struct str path = STR_INIT;
    int32_t i = b->next++;

    frame_base(f, &base);
    path_child(&path, str_cstr(&base), b->step[i].id);
    frame_new(f, b->plan, &b->step[i], str_cstr(&path), i);
    str_deinit(&path);
    str_deinit(&base);
}

void block_begin(struct block *b, struct frame *f, const struct plan *plan,
                 const struct plan_step *step, int32_t n)
{
    *b = (struct block){.plan = plan, .step = step, .n = n};
    if (!f->inner)
        frame_open_scope(f);
    begin_next(b, f);
}

bool block_is_computed(const struct block *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!plan_step_is_computed(&b->step[i]))
            return false;
    return true;
}

bool block_child_ended(struct block *b, struct frame *f, struct frame *child)
{
    assert(b->next > 0 && b->next <= b->n && child->step == &b->step[b->next - 1]);
    if (!child->value) {
        f->not_retryable = child->not_retryable && block_is_computed(b, b->next - 1);
        frame_end_like(f, child);
        return false;
    }
    frame_bind_child(f, child->step->id, child);
    jv_unref(b->last);
    b->last = jv_ref(child->value);
    if (b->next == b->n)
        return true;
    begin_next(b, f);
    return false;
}

void block_deinit(struct block *b)
{
    jv_unref(b->last);
    b->last = NULL;
}
