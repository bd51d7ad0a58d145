/* group.c - see group.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/group.h"

#include <assert.h>
#include <stdlib.h>

static void fill(struct group *g, struct frame *f)
{
    bool begins = !g->failed || f->host->replay;

    while (begins && g->next < g->n && g->n_active < g->limit) {
        g->n_active++;
        g->make(f, g->next++);
    }
}

void group_begin(struct group *g, struct frame *f, int32_t n, int32_t limit,
                 struct frame *(*make)(struct frame *f, int32_t i))
{
    *g = (struct group){
        .n = n, .limit = f->host->at_once ? n : limit, .make = make, .failed_index = n};
    g->value = xcalloc((size_t)n + 1, sizeof(*g->value)); /* n is at most PLAN_MAX_ITEMS */
    fill(g, f);
}

static void cancel_all_but(struct frame *f, const struct frame *child)
{
    for (struct frame *c = f->child; c; c = c->next) {
        if (c != child)
            frame_cancel(c);
    }
}

void group_cancel(struct frame *f)
{
    cancel_all_but(f, NULL);
}

static void note_failure(struct group *g, struct frame *f, struct frame *child)
{
    struct str words = STR_INIT;

    if (!g->failed && !f->host->replay)
        cancel_all_but(f, child);
    g->failed = true;
    if (child->stop >= STOP_CANCEL)
        return;
    g->not_retryable = g->not_retryable || (child->end == STEP_ERROR && child->not_retryable);
    if (child->index >= g->failed_index)
        return;
    g->failed_index = child->index;
    g->failed_end = child->end;
    if (!child->error_has_path)
        str_printf(&words, "%s: ", child->path);
    str_puts(&words, child->error ? child->error : step_state_name(child->end));
    free(g->failed_error);
    g->failed_error = str_take(&words);
    str_deinit(&words);
}

bool group_child_ended(struct group *g, struct frame *f, struct frame *child)
{
    assert(g->n_active > 0 && g->n_active <= g->limit && child->index < g->next);
    g->n_active--;
    if (child->value)
        g->value[child->index] = jv_ref(child->value);
    else
        note_failure(g, f, child);
    fill(g, f);
    if (g->n_active > 0)
        return false;
    if (!g->failed)
        return true;
    f->not_retryable = g->not_retryable;
    if (!g->failed_error) { /* a record in which none failed by itself */
        frame_end(f, STEP_CANCELLED, NULL, NULL);
        return false;
    }
    frame_end(f, g->failed_end, NULL, "%s", g->failed_error);
    f->error_has_path = true;
    return false;
}

void group_deinit(struct group *g)
{
    for (int32_t i = 0; g->value && i < g->n; i++)
        jv_unref(g->value[i]);
    free(g->value);
    free(g->failed_error);
    g->value = NULL;
    g->failed_error = NULL;
}
