/* step_record.c - records a step and calls on_step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/step.h"

enum effect step_effect(const struct frame *f)
{
    return f->step ? plan_step_effect(f->plan, f->step, f->host->tools) : EFFECT_NONE;
}

const char *step_name(const struct frame *f)
{
    return f->step->agent ? f->step->agent : f->step->tool ? f->step->tool : f->step->blueprint;
}

void step_report(const struct frame *f, enum step_state state)
{
    f->host->ops->on_step(f->host, f, state);
}

static void write_intent(struct frame *f)
{
    enum plan_kind kind = f->step->kind;
    bool shows_input =
        kind == PLAN_AGENT || kind == PLAN_TOOL || kind == PLAN_HUMAN || kind == PLAN_BLUEPRINT;

    journal_intend(f->host->run, &(struct step_intent){.path = f->path,
                                                       .attempt = f->attempt,
                                                       .kind = plan_kind_name(kind),
                                                       .name = step_name(f),
                                                       .effect = step_effect(f),
                                                       .args = shows_input ? f->in : NULL,
                                                       .in_hash = f->in_hash});
}

void step_intend(struct frame *f)
{
    assert(f->record == RECORD_NONE);
    write_intent(f);
    f->record = RECORD_INTENT;
    step_report(f, STEP_STARTED);
}

static void write_state(struct frame *f, enum step_state state)
{
    assert(f->record == RECORD_INTENT);
    journal_finish(f->host->run, &(struct step_result){.path = f->path,
                                                       .attempt = f->attempt,
                                                       .state = state,
                                                       .out = f->out,
                                                       .err = f->error,
                                                       .tok_in = f->used.tok_in,
                                                       .tok_out = f->used.tok_out,
                                                       .began_ms = f->started_ms});
}

/* A finished container of a repaired run: its row was not begun again (journal_intend). */
static bool ends_as_before(const struct frame *f)
{
    const struct json *was = f->was.out, *out = f->out;
    const char *was_error = f->was.err ? f->was.err : "", *error = f->error ? f->error : "";

    return f->had_ended && f->end == STEP_OK && f->was.state == STEP_OK &&
           (was && out ? jv_equal(was, out) : was == out) && strcmp(was_error, error) == 0;
}

void step_record_end(struct frame *f)
{
    assert(f->end != STEP_STARTED && f->end != STEP_WAITING);
    if (ends_as_before(f)) /* it keeps its times */
        return;
    write_state(f, f->end);
}

void step_record_cancelled(struct frame *f)
{
    while (f->cancelled) {
        struct cancelled_step *c = f->cancelled;

        f->cancelled = c->next;
        journal_finish(
            f->host->run,
            &(struct step_result){.path = c->path, .attempt = c->attempt, .state = STEP_CANCELLED});
        free(c->path);
        free(c);
    }
}

void step_wait(struct frame *f, int64_t due_ms)
{
    f->due_ms = due_ms;
    frame_set_state(f, FRAME_WAITING);
    step_report(f, STEP_WAITING);
    f->host->ops->wake(f->host); /* nothing else may wake it */
}

void step_record_waiting(struct frame *f, int64_t due_ms)
{
    write_state(f, STEP_WAITING);
    step_wait(f, due_ms);
}

void step_record_going_on(struct frame *f)
{
    assert(f->record == RECORD_INTENT);
    f->due_ms = 0;
    frame_set_state(f, FRAME_WORKING);
    write_intent(f);
}

void step_reset(struct frame *f)
{
    if (f->ops->release)
        f->ops->release(f);
    f->node = NULL;
    jv_unref(f->inner);
    f->inner = NULL;
    jv_unref(f->out);
    f->out = NULL;
    free(f->error);
    f->error = NULL;
    f->error_has_path = false;
    f->record = RECORD_NONE;
    f->recovered = f->was_asking = f->had_ended = false;
    step_record_deinit(&f->was);
    f->end = STEP_STARTED;
    f->stop = STOP_NONE;
    f->due_ms = f->ends_ms = 0;
    f->used = (struct frame_usage){0};
}

void step_begin_again(struct frame *f, const char *why)
{
    assert(f->state == FRAME_WAITING);
    f->end = STEP_ERROR;
    f->error = xstrdup(why);
    step_record_end(f);
    step_report(f, f->end);
    step_reset(f);
    f->attempt++;
    frame_enqueue_begin(f);
}
