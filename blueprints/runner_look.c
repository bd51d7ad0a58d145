/* runner_look.c - counts the open steps of a run, and finds when it goes on by itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/runner_state.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void look(const struct frame *f, struct runner_open *out)
{
    int64_t due = earlier(f->due_ms, f->deadline_ms);

    for (const struct frame *c = f->child; c; c = c->next)
        look(c, out);
    if (!frame_is_leaf(f) && f->state != FRAME_BACKOFF)
        return;
    if (f->state == FRAME_WAITING && due == 0)
        out->n_unlimited++;
    else if (f->state == FRAME_WAITING && f->step->kind == PLAN_WAIT)
        out->n_waits++;
    else if (f->state == FRAME_WAITING)
        out->n_questions++;
    else
        out->n_working++;
    out->next_due_ms = earlier(out->next_due_ms, due);
}

void runner_look(const struct runner *r, struct runner_open *out)
{
    *out = (struct runner_open){0};
    look(r->root, out);
}
