/* frame.c - the tree of frames and the queue of those that have something to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame.h"

#include <stdlib.h>
#include <string.h>

static const struct node_ops *ops_of(enum plan_kind kind)
{
    static const struct node_ops *const ops[] = {
#define KIND(id, word, keys) [PLAN_##id] = &node_##word##_ops,
#include "blueprints/kinds.def"
#undef KIND
    };

    return ops[kind];
}

struct frame *frame_new(struct frame *parent, const struct plan *plan, const struct plan_step *step,
                        const char *path, int32_t index)
{
    struct frame *f = xcalloc(1, sizeof(*f));

    f->r = parent->r;
    f->parent = parent;
    f->step = step;
    f->plan = plan;
    f->ops = ops_of(step->kind);
    f->path = xstrdup(path);
    f->index = index;
    f->vars = jv_ref(parent->inner ? parent->inner : parent->vars);
    f->spends = parent->spends;
    f->deadline_ms = parent->deadline_ms;
    f->n_items_around = parent->n_items_around;
    f->item_around = parent->item_around;
    f->next = parent->child;
    if (parent->child)
        parent->child->prev = f;
    parent->child = f;
    f->r->n_frames++;
    frame_enqueue(f, FRAME_BEGIN);
    return f;
}

void frame_drop_timer(struct frame *f)
{
    loop_timer_free(f->timer);
    f->timer = NULL;
}

static void unlink_frame(struct frame *f)
{
    if (f->prev)
        f->prev->next = f->next;
    else if (f->parent)
        f->parent->child = f->next;
    if (f->next)
        f->next->prev = f->prev;
}

void frame_free_tree(struct frame *f)
{
    if (!f)
        return;
    while (f->child)
        frame_free_tree(f->child);
    unlink_frame(f);
    if (f->ops && f->ops->release)
        f->ops->release(f);
    frame_drop_timer(f);
    question_end(f);
    frame_set_busy(f, false);
    while (f->lost) {
        struct lost_step *l = f->lost;

        f->lost = l->next;
        free(l->path);
        free(l);
    }
    jv_unref(f->vars);
    jv_unref(f->inner);
    jv_unref(f->in);
    jv_unref(f->out);
    jv_unref(f->value);
    free(f->error);
    free(f->path);
    free(f);
}

void frame_enqueue(struct frame *f, enum frame_event event)
{
    struct runner *r = f->r;
    bool queued = f->event != FRAME_IDLE;

    f->event = event; /* an end overtakes a begin that has not come yet */
    if (queued)
        return;
    f->ready_next = NULL;
    if (r->ready_last)
        r->ready_last->ready_next = f;
    else
        r->ready_first = f;
    r->ready_last = f;
    runner_wake(r);
}

void frame_end(struct frame *f, enum step_state end, struct json *adopt_out, const char *fmt, ...)
{
    struct str text;
    va_list ap;

    if (f->event == FRAME_END) { /* a late word after a cancel that was not waited for */
        jv_unref(adopt_out);
        return;
    }
    f->end = end;
    jv_unref(f->out);
    f->out = adopt_out;
    free(f->error);
    f->error = NULL;
    f->error_is_of_child = false;
    if (fmt) {
        str_init(&text, (size_t)64 << 10);
        va_start(ap, fmt);
        str_vprintf(&text, fmt, ap);
        va_end(ap);
        f->error = str_take(&text);
    }
    frame_enqueue(f, FRAME_END);
}

void frame_end_error(struct frame *f, enum status status, const struct error *err)
{
    frame_end(f, step_state_of(status), NULL, "%s%s%s", err->where, *err->where ? ": " : "",
              err->message);
}

void frame_end_like(struct frame *f, const struct frame *child)
{
    const char *words = child->error ? child->error : step_state_name(child->end);

    if (child->error_is_of_child)
        frame_end(f, child->end, NULL, "%s", words);
    else
        frame_end(f, child->end, NULL, "%s: %s", child->path, words);
    f->error_is_of_child = true;
}

static void ask_to_end(struct frame *f)
{
    bool between = f->event == FRAME_IDLE && !f->intended; /* two attempts */

    if (f->event == FRAME_END)
        return;
    if (f->event == FRAME_BEGIN || between) {
        frame_drop_timer(f);
        frame_end(f, STEP_CANCELLED, NULL, NULL);
    } else if (f->ops->cancel) {
        f->ops->cancel(f);
    } else {
        for (struct frame *c = f->child; c; c = c->next)
            frame_cancel(c);
        if (!f->child)
            frame_end(f, STEP_CANCELLED, NULL, NULL);
    }
}

void frame_cancel(struct frame *f)
{
    if (f->cancelled)
        return;
    f->cancelled = true;
    if (!f->timed_out)
        ask_to_end(f);
}

void frame_time_out(struct frame *f)
{
    if (f->cancelled || f->timed_out || f->event == FRAME_END)
        return;
    f->timed_out = true;
    ask_to_end(f);
}

void frame_set_busy(struct frame *f, bool busy)
{
    if (f->busy != busy)
        f->r->n_busy += busy ? 1 : -1;
    f->busy = busy;
}

void frame_set_asking(struct frame *f, bool asking)
{
    if (f->asking != asking)
        f->r->n_asking += asking ? 1 : -1;
    f->asking = asking;
    if (!asking && f->suspended) {
        f->suspended = false;
        f->r->n_suspended--;
    }
}

int64_t frame_now(const struct frame *f)
{
    return seams_wall_ms(f->r->host.seams);
}

void frame_base(const struct frame *f, struct str *out)
{
    path_attempt(out, f->path, f->attempt);
}
