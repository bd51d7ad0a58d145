/* frame.c - the tree of frames, their states, and the queue of those that have something to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/text.h"

/* ---- states */

#define TO(state) (1u << FRAME_##state)

/* For each state, the states that may follow. */
static const unsigned may_follow[FRAME_N_STATES] = {
    [FRAME_QUEUED] = TO(WORKING) | TO(HELD) | TO(ENDED) | TO(INTERRUPTED),
    [FRAME_BACKOFF] = TO(QUEUED) | TO(ENDED) | TO(INTERRUPTED),
    [FRAME_WORKING] = TO(WAITING) | TO(STOPPING) | TO(ENDED) | TO(INTERRUPTED),
    /* An answer may let the work go on, end the step, or lead to another attempt. */
    [FRAME_WAITING] = TO(WORKING) | TO(QUEUED) | TO(STOPPING) | TO(ENDED) | TO(INTERRUPTED),
    [FRAME_HELD] = TO(ENDED) | TO(INTERRUPTED),
    [FRAME_STOPPING] = TO(ENDED) | TO(INTERRUPTED),
    /* Another attempt, or the question whether a call happened. */
    [FRAME_ENDED] = TO(BACKOFF) | TO(WORKING) | TO(INTERRUPTED),
    [FRAME_INTERRUPTED] = 0,
};

bool frame_is_leaf(const struct frame *f)
{
    return f->ops->child_ended == NULL;
}

/* Containers work as long as their children do, so only these are counted. */
static bool is_counted(const struct frame *f, enum frame_state state)
{
    return frame_is_leaf(f) || (state != FRAME_WORKING && state != FRAME_STOPPING);
}

void frame_set_state(struct frame *f, enum frame_state state)
{
    struct frame_host *h = f->host;

    if (f->state == state)
        return;
    assert(may_follow[f->state] & (1u << state));
    (void)may_follow; /* without asserts nothing reads it */
    h->n_in[f->state] -= is_counted(f, f->state);
    h->n_in[state] += is_counted(f, state);
    assert(h->n_in[f->state] >= 0);
    f->state = state;
}

/* ---- the tree */

static struct frame *make(struct frame_host *h, const struct plan *plan, const struct node_ops *ops,
                          enum frame_state state, const char *path)
{
    struct frame *f = xcalloc(1, sizeof(*f));

    f->host = h;
    f->plan = plan;
    f->ops = ops;
    f->state = state;
    f->path = xstrdup(path);
    h->n_in[state] += is_counted(f, state);
    return f;
}

struct frame *frame_new_root(struct frame_host *h, const struct plan *plan,
                             const struct node_ops *ops)
{
    return make(h, plan, ops, FRAME_WORKING, "");
}

static void enqueue(struct frame *f)
{
    struct frame_host *h = f->host;

    if (f->is_queued)
        return;
    f->is_queued = true;
    f->ready_next = NULL;
    if (h->ready_last)
        h->ready_last->ready_next = f;
    else
        h->ready_first = f;
    h->ready_last = f;
    h->ops->wake(h);
}

struct frame *frame_new(struct frame *parent, const struct plan *plan, const struct plan_step *step,
                        const char *path, int32_t index)
{
    struct frame *f = make(parent->host, plan, parent->host->nodes[step->kind], FRAME_QUEUED, path);

    assert(parent->state == FRAME_WORKING && !frame_is_leaf(parent));
    f->parent = parent;
    f->step = step;
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
    f->host->n_frames++;
    enqueue(f);
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
    if (f->ops->release)
        f->ops->release(f);
    frame_drop_timer(f);
    f->host->n_in[f->state] -= is_counted(f, f->state);
    while (f->cancelled) {
        struct cancelled_step *c = f->cancelled;

        f->cancelled = c->next;
        free(c->path);
        free(c);
    }
    jv_unref(f->vars);
    jv_unref(f->inner);
    jv_unref(f->in);
    jv_unref(f->out);
    jv_unref(f->value);
    step_record_deinit(&f->was);
    free(f->error);
    free(f->time_words);
    free(f->path);
    free(f);
}

/* ---- the queue */

struct frame *frame_take_ready(struct frame_host *h)
{
    struct frame *f = h->ready_first;

    if (!f)
        return NULL;
    assert(f->is_queued);
    h->ready_first = f->ready_next;
    if (!h->ready_first)
        h->ready_last = NULL;
    f->ready_next = NULL;
    f->is_queued = false;
    return f;
}

void frame_enqueue_begin(struct frame *f)
{
    frame_set_state(f, FRAME_QUEUED);
    enqueue(f);
}

/* ---- the end */

static bool has_ended(const struct frame *f)
{
    return f->state == FRAME_ENDED || f->state == FRAME_INTERRUPTED;
}

void frame_end(struct frame *f, enum step_state end, struct json *adopt_out, const char *fmt, ...)
{
    struct str text;
    va_list ap;

    if (has_ended(f)) { /* a late result after a cancel */
        jv_unref(adopt_out);
        return;
    }
    assert(end != STEP_STARTED && end != STEP_WAITING);
    jv_unref(f->out);
    f->out = adopt_out;
    free(f->error);
    f->error = NULL;
    f->error_has_path = false;
    if (fmt) {
        str_init(&text, (size_t)64 << 10);
        va_start(ap, fmt);
        str_vprintf(&text, fmt, ap);
        va_end(ap);
        f->error = str_take(&text);
    }
    if (f->stop == STOP_INTERRUPT && end != STEP_OK) {
        frame_set_state(f, FRAME_INTERRUPTED);
    } else {
        f->end = end;
        frame_set_state(f, FRAME_ENDED);
    }
    enqueue(f); /* or it is queued already: then it ends before it begins */
}

void frame_end_error(struct frame *f, enum status status, const struct error *err)
{
    frame_end(f, step_state_of(status), NULL, "%s%s%s", err->where, *err->where ? ": " : "",
              err->message);
}

void frame_end_like(struct frame *f, const struct frame *child)
{
    const char *words = child->error ? child->error : step_state_name(child->end);

    if (child->error_has_path)
        frame_end(f, child->end, NULL, "%s", words);
    else
        frame_end(f, child->end, NULL, "%s: %s", child->path, words);
    f->error_has_path = true;
}

/* ---- asked to end early */

static void stop_children(struct frame *f)
{
    for (struct frame *c = f->child; c; c = c->next) {
        if (f->stop == STOP_INTERRUPT)
            frame_interrupt(c);
        else
            frame_cancel(c);
    }
}

static void ask_to_end(struct frame *f)
{
    if (has_ended(f))
        return;
    if (f->state == FRAME_QUEUED || f->state == FRAME_BACKOFF || f->state == FRAME_HELD) {
        frame_drop_timer(f);
        frame_end(f, STEP_CANCELLED, NULL, NULL);
        return;
    }
    if (frame_is_leaf(f)) {
        if (f->state == FRAME_STOPPING) /* it has been asked */
            return;
        frame_set_state(f, FRAME_STOPPING);
        if (f->ops->cancel)
            f->ops->cancel(f);
        else
            frame_end(f, STEP_CANCELLED, NULL, NULL);
        return;
    }
    frame_set_state(f, FRAME_STOPPING);
    stop_children(f);
    if (!f->child)
        frame_end(f, STEP_CANCELLED, NULL, NULL);
}

static void stop(struct frame *f, enum frame_stop why)
{
    if (f->stop >= why)
        return;
    f->stop = why;
    /* It failed, but the pump has not handled it: the resume does. */
    if (why == STOP_INTERRUPT && f->state == FRAME_ENDED && f->end != STEP_OK) {
        f->end = STEP_STARTED;
        frame_set_state(f, FRAME_INTERRUPTED);
    }
    ask_to_end(f);
}

void frame_cancel(struct frame *f)
{
    stop(f, STOP_CANCEL);
}

void frame_time_out(struct frame *f)
{
    if (!has_ended(f))
        stop(f, STOP_TIMEOUT);
}

void frame_time_out_as(struct frame *f, const char *words)
{
    free(f->time_words);
    f->time_words = words ? xstrdup(words) : NULL;
    frame_time_out(f);
}

void frame_interrupt(struct frame *f)
{
    stop(f, STOP_INTERRUPT);
}

void frame_interrupt_all(struct frame *f)
{
    while (f->parent)
        f = f->parent;
    frame_interrupt(f);
}

bool frame_is_stopping(const struct frame *f)
{
    return f->stop != STOP_NONE;
}

void frame_fatal(struct frame *f, const struct error *err)
{
    f->host->ops->fatal(f->host, err);
}

void frame_misfit(struct frame *f, const struct error *err)
{
    struct error named = *err;
    struct str word = STR_INIT;

    text_put_shell_word(f->path, &word);
    error_hint(&named, "`troupe resume %s --from-failed --redo %.80s` does the step again",
               run_uuid(f->host->run), str_cstr(&word));
    str_deinit(&word);
    f->host->ops->fail(f->host, &named);
}

const struct replay_end *frame_replayed(const struct frame *f)
{
    const struct replay *r = f->host->replay;

    if (!r)
        return NULL;
    return f->step ? replay_find(r, f->path, f->attempt) : &r->run;
}

bool frame_is_exhausted(const struct frame *f)
{
    return f->end == STEP_OK && f->error && f->step && f->step->kind == PLAN_LOOP;
}

const char *frame_state_word(const struct frame *f)
{
    bool is_agent = f->step && f->step->kind == PLAN_AGENT;

    return is_agent && f->error && strncmp(f->error, AGENT_CUT, strlen(AGENT_CUT)) == 0
               ? "length"
               : step_state_name(f->end);
}

int64_t frame_now(const struct frame *f)
{
    return seams_wall_ms(f->host->seams);
}

void frame_base(const struct frame *f, struct str *out)
{
    path_attempt(out, f->path, f->attempt);
}
