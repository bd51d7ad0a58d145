/* step_end.c - how a step ends: its status, its record, another attempt, its value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/run_budget.h"
#include "blueprints/step.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MOST_MS  60000

static void take_words(struct frame *f, const char *words)
{
    free(f->error);
    f->error = xstrdup(words);
    f->error_has_path = false;
}

/* The work may notice the deadline of its step before the step's own timer does. */
static bool is_over(const struct frame *f)
{
    return f->end == STEP_TIMEOUT && f->ends_ms > 0 && frame_now(f) >= f->ends_ms;
}

static bool has_words(const struct frame *f, const char *words)
{
    return f->error && words && strcmp(f->error, words) == 0;
}

/* In a replay, the step ended early when it was recorded, unless it had just ended ok. */
static void end_early_as_recorded(struct frame *f)
{
    const struct replay_end *e = frame_replayed(f);

    if (!e || f->end == STEP_OK || f->stop != STOP_NONE)
        return;
    if (e->state == STEP_CANCELLED) {
        f->stop = STOP_CANCEL;
    } else if (e->state == STEP_TIMEOUT && !has_words(f, e->error)) {
        f->stop = STOP_TIMEOUT;
        frame_time_out_as(f, e->error); /* only the message: it has ended */
    }
}

/* The final status of the attempt. */
static void decide_end(struct frame *f)
{
    assert(f->state == FRAME_ENDED);
    if (f->record == RECORD_END)
        return;
    if (f->end == STEP_OK && f->out && !plan_value_fits(f->out)) {
        f->end = STEP_ERROR;
        jv_unref(f->out);
        f->out = NULL;
        take_words(f, "the result is larger or deeper than a value may be");
    }
    end_early_as_recorded(f);
    if (f->end == STEP_OK)
        return;
    if (f->stop == STOP_CANCEL) {
        f->end = STEP_CANCELLED;
    } else if (f->stop == STOP_TIMEOUT || is_over(f)) {
        f->end = STEP_TIMEOUT;
        take_words(f, f->time_words ? f->time_words : "the step ran out of time");
    }
    if (f->end != STEP_CANCELLED && !f->error)
        take_words(f, step_state_name(f->end));
}

/* ---- the record */

/* Is there a `retry` on the step, or on one around it? */
static bool has_retry(const struct frame *f)
{
    for (; f; f = f->parent)
        if (f->step && f->step->retry.max > 0)
            return true;
    return false;
}

/* Recorded with the end, so that a resumed run does not repeat an attempt that must fail again. */
static void note_not_retryable(struct frame *f)
{
    if (f->end != STEP_ERROR || !f->not_retryable || f->out || !has_retry(f))
        return;
    f->out = jv_object();
    jv_set_bool(f->out, "not_retryable", true);
}

/* A run without a process was cancelled: its steps stayed as they were. */
static bool was_left_open(const struct frame *f)
{
    const struct replay_end *e = frame_replayed(f);

    return e && e->ended_ms == 0;
}

/* The parent records a cancelled frame and the frames below it. */
static void propagate_cancelled(struct frame *f)
{
    struct cancelled_step **end = &f->cancelled;

    assert(f->end == STEP_CANCELLED && f->stop >= STOP_CANCEL);
    if (f->record == RECORD_INTENT && f->step && !was_left_open(f)) {
        struct cancelled_step *c = xcalloc(1, sizeof(*c));

        c->path = xstrdup(f->path);
        c->attempt = f->attempt;
        c->next = f->cancelled;
        f->cancelled = c;
    }
    if (!f->parent)
        return;
    while (*end)
        end = &(*end)->next;
    *end = f->parent->cancelled;
    f->parent->cancelled = f->cancelled;
    f->cancelled = NULL;
}

/* Records the end, or hands it to the parent. A known result is recorded even when the process
 * ends; an interrupted step is not. */
static void put_record(struct frame *f)
{
    bool was_cancelled = f->end == STEP_CANCELLED && f->stop >= STOP_CANCEL;

    if (f->host->broken || f->state == FRAME_INTERRUPTED)
        return;
    if (was_cancelled) {
        propagate_cancelled(f);
    } else if (f->record == RECORD_INTENT && f->step) {
        note_not_retryable(f);
        step_record_cancelled(f);
        step_record_end(f);
    }
    if (!f->parent)
        step_record_cancelled(f);
    if (f->record != RECORD_END)
        run_budget_add(f);
    run_budget_close(f);
}

/* ---- another attempt */

static bool is_tool_with(const struct frame *f, enum effect effect)
{
    return f->step && f->step->kind == PLAN_TOOL && step_effect(f) == effect;
}

/* Tries after the first; a repair gives all of them again. */
static int32_t tries_again(const struct frame *f)
{
    return f->attempt - f->first_attempt + f->n_again;
}

/* May the step be tried again? *same: under the same key. */
static bool may_retry(const struct frame *f, bool *same)
{
    *same = f->end == STEP_TIMEOUT && is_tool_with(f, EFFECT_IDEMPOTENT);
    if (!f->step || f->state != FRAME_ENDED || f->stop > STOP_TIMEOUT || f->not_retryable ||
        tries_again(f) >= f->step->retry.max)
        return false;
    return f->end == STEP_ERROR ||
           (f->end == STEP_TIMEOUT && (step_effect(f) <= EFFECT_READ || *same));
}

static void on_backoff(void *ctx)
{
    struct frame *f = ctx;

    assert(f->state == FRAME_BACKOFF);
    frame_drop_timer(f);
    frame_enqueue_begin(f);
}

static void retry(struct frame *f, bool same)
{
    double ms = BACKOFF_FIRST_MS;

    for (int32_t i = 0; i < tries_again(f) && ms < BACKOFF_MOST_MS; i++)
        ms *= f->step->retry.backoff;
    ms = ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
    if ((double)f->retry_after_ms > ms)
        ms = (double)f->retry_after_ms;
    if (f->host->replay)
        ms = 0;
    f->retry_after_ms = 0;
    step_reset(f);
    f->attempt += same ? 0 : 1;
    f->n_again += same ? 1 : 0;
    f->due_ms = frame_now(f) + (int64_t)ms;
    frame_set_state(f, FRAME_BACKOFF);
    f->timer = loop_timer_new(f->host->loop, (int64_t)ms, on_backoff, f);
}

/* A `once` call that timed out: it is not known whether it happened. */
static bool must_ask(const struct frame *f)
{
    return f->state == FRAME_ENDED && f->end == STEP_TIMEOUT && f->stop <= STOP_TIMEOUT &&
           f->record == RECORD_INTENT && is_tool_with(f, EFFECT_ONCE);
}

static void ask_what_happened(struct frame *f)
{
    step_reset(f);
    f->record = RECORD_INTENT;
    f->recovered = true;
    frame_set_state(f, FRAME_WORKING);
    f->ops->begin(f);
}

/* ---- what the parent sees */

void step_set_value(struct frame *f)
{
    bool goes_on = f->step && strcmp(f->step->on_error, "continue") == 0;

    assert(!f->value);
    if (f->end == STEP_OK) {
        f->value = f->out ? jv_ref(f->out) : jv_null();
    } else if (goes_on && f->stop < STOP_CANCEL) {
        f->value = jv_object();
        jv_set_string(f->value, "status", frame_state_word(f));
        jv_set_string(f->value, "error", f->error ? f->error : "");
    }
}

static void propagate_end(struct frame *f)
{
    struct frame *parent = f->parent;
    bool stopping = frame_is_stopping(parent);

    assert(!f->child);
    if (!stopping)
        parent->ops->child_ended(parent, f);
    frame_free_tree(f);
    if (stopping && !parent->child)
        frame_end(parent, STEP_CANCELLED, NULL, NULL);
}

void step_finish(struct frame *f)
{
    bool same = false;

    assert(f->state == FRAME_ENDED || f->state == FRAME_INTERRUPTED);
    frame_drop_timer(f);
    if (f->state == FRAME_ENDED)
        decide_end(f);
    if (must_ask(f)) {
        ask_what_happened(f);
        return;
    }
    put_record(f);
    if (may_retry(f, &same)) {
        retry(f, same);
        return;
    }
    if (f->state == FRAME_ENDED && f->record == RECORD_INTENT && f->step)
        step_report(f, f->end);
    step_set_value(f);
    if (f->parent)
        propagate_end(f);
}
