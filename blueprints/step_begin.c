/* step_begin.c - how a step begins: its inputs, its record in the journal, its limits, its intent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/run_budget.h"
#include "blueprints/step.h"

/* The first 16 bytes of the SHA-256 of the step's kind, name and inputs. */
static void hash_inputs(struct frame *f)
{
    struct json *v = jv_object();
    struct str text = STR_INIT;
    struct sha256 h;

    jv_set_string(v, "kind", plan_kind_name(f->step->kind));
    if (step_name(f))
        jv_set_string(v, "name", step_name(f));
    jv_set_adopt(v, "in", jv_ref(f->in));
    jv_write_canonical(v, &text);
    h = sha256_of(str_cstr(&text), text.len);
    memcpy(f->in_hash, h.byte, sizeof(f->in_hash));
    str_deinit(&text);
    jv_unref(v);
}

/* ---- an attempt */

static void on_time(void *ctx)
{
    struct frame *f = ctx;

    frame_drop_timer(f);
    frame_time_out(f);
}

static int64_t tighter(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* A time-out counts while a process works on the step. Around a question or a wait it also counts
 * while the run waits. */
static int64_t time_left(const struct frame *f, int64_t ms)
{
    int64_t left = ms;

    if (f->recovered && f->host->was_waiting && !frame_is_leaf(f))
        left -= frame_now(f) - f->started_ms;
    return left > 0 ? left : 0;
}

/* The step's own limits, and those of the blueprint that it runs. */
static void set_limits(struct frame *f)
{
    int64_t ms = f->step->kind == PLAN_HUMAN ? 0 : f->step->timeout_ms;
    const struct plan *sub = f->step->sub;
    struct plan_budget limits = f->step->budget;

    if (sub)
        limits = (struct plan_budget){
            tighter(limits.tokens, sub->budget.tokens), tighter(limits.steps, sub->budget.steps),
            tighter(limits.calls, sub->budget.calls), tighter(limits.wall_ms, sub->budget.wall_ms),
            tighter(limits.cost_nano, sub->budget.cost_nano)};
    if (f->host->replay) /* the record decides, not the clock */
        limits.wall_ms = 0;
    f->deadline_ms = f->parent->deadline_ms;
    f->spends = f->parent->spends;
    run_budget_open(f, &limits);
    if ((ms == 0 && limits.wall_ms == 0) || f->host->replay)
        return;
    ms = ms ? time_left(f, ms) : INT64_MAX;
    if (limits.wall_ms && limits.wall_ms < ms) {
        ms = limits.wall_ms;
        free(f->time_words);
        f->time_words = run_budget_wall_words(limits.wall_ms);
    }
    f->ends_ms = frame_now(f) + ms;
    f->deadline_ms = tighter(f->deadline_ms, f->ends_ms);
    f->timer = loop_timer_new(f->host->loop, ms, on_time, f);
}

/* The outermost step around f whose time-out has passed. */
static struct frame *overdue_around(const struct frame *f)
{
    struct frame *overdue = NULL;

    for (struct frame *up = f->parent; up; up = up->parent) {
        if (up->ends_ms && frame_now(f) >= up->ends_ms)
            overdue = up;
    }
    return overdue;
}

/* No step begins after its time-out. A step that an earlier process left open does, so that it ends
 * and its question is closed. */
static bool ends_as_overdue(struct frame *f)
{
    struct frame *overdue = overdue_around(f);

    if (!overdue)
        return false;
    if (f->recovered) {
        frame_set_state(f, FRAME_WORKING);
        step_intend(f);
    }
    frame_time_out(overdue);
    return true;
}

static void begin_attempt(struct frame *f)
{
    bool leaf = f->step->kind == PLAN_AGENT || f->step->kind == PLAN_TOOL;
    struct error err = ERROR_INIT;
    enum status st;

    if (!f->recovered)
        f->started_ms = frame_now(f);
    if (ends_as_overdue(f))
        return;
    set_limits(f);
    frame_set_state(f, FRAME_WORKING);
    step_intend(f);
    st = budget_fits(f->spends, frame_now(f), f->step->kind == PLAN_AGENT ? 1 : 0, leaf ? 1 : 0,
                     f->step->kind == PLAN_TOOL ? 1 : 0, &err);
    if (st)
        frame_end_error(f, st, &err);
    else
        f->ops->begin(f);
}

/* ---- the journal */

static void disagree(struct frame *f)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_CONFIG,
              "step `%s` (%s, line %d) was begun with other inputs than it has now", f->path,
              f->plan->file, f->step->line);
    frame_misfit(f, &err);
}

static void take_record(struct frame *f, struct step_record *rec)
{
    const struct replay_end *replayed = frame_replayed(f);

    f->record = RECORD_END;
    if (replayed && step_effect(f) == EFFECT_IDEMPOTENT) /* tried again under the same key */
        f->n_again = replayed->tries - 1;
    f->not_retryable = f->not_retryable || jv_get_bool(jv_get(rec->out, "not_retryable"), false);
    frame_end(f, rec->state, rec->out, rec->err ? "%s" : NULL, rec->err ? rec->err : "");
    f->error_has_path = f->step->n_children > 0 || f->step->sub;
    rec->out = NULL;
}

/* Between the end of a run and its repair nobody works on it, and nobody can answer: time counts
 * from the repair on, and that of a time-out from when the repaired run came to the step. Only a
 * `wait` is for a time of day. */
static int64_t goes_on_from(struct frame *f, const struct step_record *rec)
{
    int64_t repaired_ms = f->host->repaired_ms;

    if (!frame_is_leaf(f) && f->step->timeout_ms > 0 && (f->had_ended || repaired_ms > rec->t0_ms))
        return run_budget_begun_again(f);
    return f->step->kind != PLAN_WAIT && repaired_ms > rec->t0_ms ? repaired_ms : rec->t0_ms;
}

/* True: there is nothing to begin. */
static bool follow_record(struct frame *f, struct step_record *rec)
{
    enum step_verdict verdict = step_judge(f, rec);

    f->attempt = rec->attempt;
    if (f->host->replay && step_record_is_open(rec)) {
        f->record = RECORD_END; /* as it was; it is held */
        return false;
    }
    switch (verdict) {
    case STEP_IS_DONE:
        f->started_ms = rec->t0_ms;
        take_record(f, rec);
        return true;
    case STEP_GOES_ON:
        f->recovered = true;
        f->had_ended = !step_record_is_open(rec);
        f->started_ms = goes_on_from(f, rec);
        f->was_asking = rec->state == STEP_WAITING &&
                        strcmp(jv_get_string(jv_get(rec->out, "asks"), ""), "tool") == 0;
        if (f->had_ended) {
            f->was = *rec; /* with what it owns */
            *rec = (struct step_record){.attempt = rec->attempt};
        }
        return false;
    case STEP_NEW_ATTEMPT:
        f->attempt = rec->attempt < f->first_attempt ? f->first_attempt : rec->attempt + 1;
        f->first_attempt = f->attempt;
        return false;
    case STEP_DISAGREES:
        break;
    }
    disagree(f);
    return true;
}

/* Looks the step up. True: there is nothing to begin. */
static bool find(struct frame *f)
{
    struct step_record rec = {0};
    struct error err = ERROR_INIT;
    bool found = false, ended = false;

    if (journal_find(f->host->run, f->path, &found, &rec, &err)) {
        frame_fatal(f, &err);
        return true;
    }
    f->first_attempt = step_first_attempt(f);
    f->attempt = f->first_attempt;
    if (found)
        ended = follow_record(f, &rec);
    step_record_deinit(&rec);
    return ended;
}

enum status step_prepare(struct frame *f, struct error *err)
{
    enum status st;

    if (f->host->n_frames > f->host->max_frames)
        st = error_set(err, STATUS_LIMIT, "the run has more than %lld steps",
                       (long long)f->host->max_frames);
    else
        st = f->ops->prepare(f, &f->in, err);
    if (st)
        f->in = jv_null();
    hash_inputs(f);
    return st;
}

/* In a replay: it was not begun, or did not end by itself. */
static bool is_held(const struct frame *f)
{
    return f->host->replay && (f->record == RECORD_END || !frame_replayed(f));
}

void step_begin(struct frame *f)
{
    struct error err = ERROR_INIT;
    bool first = f->in == NULL;

    assert(f->state == FRAME_QUEUED && f->stop == STOP_NONE && f->record == RECORD_NONE);
    assert(!f->child && !f->node && !f->timer);
    if (first)
        f->not_retryable = step_prepare(f, &err) != STATUS_OK;
    if (first && find(f))
        return;
    if (is_held(f)) {
        frame_set_state(f, FRAME_HELD);
        return;
    }
    if (!f->not_retryable) {
        begin_attempt(f);
        return;
    }
    step_intend(f);
    frame_end_error(f, err.status, &err);
}
