/* frame_journal.c - how a step begins and ends: what the journal has, attempts, records.
 *
 * The rules are those of the recording section of the design: an attempt rises only after a known
 * failure; after a crash it stays. A time-out is a known failure where the effect is none or read;
 * an idempotent call is tried again under the same key; a `once` call asks whether it happened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/frame.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MOST_MS  60000

enum effect frame_effect(const struct frame *f)
{
    return f->step ? plan_step_effect(f->plan, f->step, f->r->host.tools) : EFFECT_NONE;
}

static const char *kind_of(const struct frame *f)
{
    return plan_kind_name(f->step->kind);
}

static const char *name_of(const struct frame *f)
{
    return f->step->agent ? f->step->agent : f->step->tool ? f->step->tool : f->step->blueprint;
}

static void tell(const struct frame *f, enum step_state state)
{
    const struct runner_host *h = &f->r->host;

    if (h->on_step && f->step)
        h->on_step(h->ctx, f->path, kind_of(f), state);
}

/* SHA-256, its first 16 bytes, of what the step is and of what it reads. */
static void hash_inputs(struct frame *f)
{
    struct json *v = jv_object();
    struct str text = STR_INIT;
    struct sha256 h;

    jv_set_string(v, "kind", kind_of(f));
    if (name_of(f))
        jv_set_string(v, "name", name_of(f));
    jv_set_adopt(v, "in", jv_ref(f->in));
    jv_write_canonical(v, &text);
    h = sha256_of(str_cstr(&text), text.len);
    memcpy(f->in_hash, h.byte, sizeof(f->in_hash));
    str_deinit(&text);
    jv_unref(v);
}

static void intend(struct frame *f)
{
    bool shows_input = f->step->kind == PLAN_AGENT || f->step->kind == PLAN_TOOL ||
                       f->step->kind == PLAN_HUMAN || f->step->kind == PLAN_BLUEPRINT;

    journal_intend(f->r->run, &(struct step_intent){.path = f->path,
                                                    .attempt = f->attempt,
                                                    .kind = kind_of(f),
                                                    .name = name_of(f),
                                                    .effect = frame_effect(f),
                                                    .args = shows_input ? f->in : NULL,
                                                    .in_hash = f->in_hash});
    f->intended = true;
    tell(f, STEP_STARTED);
}

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

/* The step's own limits, and those of the blueprint that it runs. */
static void set_limits(struct frame *f)
{
    int64_t ms = f->step->kind == PLAN_HUMAN ? 0 : f->step->timeout_ms;
    const struct plan *sub = f->step->sub;
    struct plan_budget limits = f->step->budget;
    int64_t wall;

    if (sub)
        limits = (struct plan_budget){
            tighter(limits.tokens, sub->budget.tokens), tighter(limits.steps, sub->budget.steps),
            tighter(limits.calls, sub->budget.calls), tighter(limits.wall_ms, sub->budget.wall_ms)};
    wall = limits.wall_ms;
    f->deadline_ms = f->parent->deadline_ms;
    f->spends = f->parent->spends;
    budget_begin(f, &limits);
    ms = tighter(ms, wall);
    if (ms == 0)
        return;
    f->deadline_ms = tighter(f->deadline_ms, frame_now(f) + ms);
    f->timer = loop_timer_new(f->r->host.loop, ms, on_time, f);
}

static void begin_attempt(struct frame *f)
{
    bool leaf = f->step->kind == PLAN_AGENT || f->step->kind == PLAN_TOOL;
    struct error err = ERROR_INIT;
    enum status st;

    frame_set_busy(f, false);
    if (!f->recovered)
        f->started_ms = frame_now(f);
    set_limits(f);
    intend(f);
    st = budget_fits(f->spends, frame_now(f), f->step->kind == PLAN_AGENT ? 1 : 0, leaf ? 1 : 0,
                     f->step->kind == PLAN_TOOL ? 1 : 0, &err);
    if (st)
        frame_end_error(f, st, &err);
    else
        f->ops->begin(f);
}

/* ---- what the journal has */

static void blueprint_changed(struct frame *f)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_CONFIG,
              "blueprint changed: step `%s` (%s, line %d) was begun with other inputs", f->path,
              f->plan->file, f->step->line);
    error_hint(&err, "resume with the blueprint and the inputs that the run began with");
    runner_fatal(f->r, &err);
}

/* True: the frame has ended as recorded. */
static bool take_record(struct frame *f, struct step_record *rec)
{
    f->attempt = rec->attempt;
    f->started_ms = rec->t0_ms;
    /* Cancelled with the step around it, which has not ended: it runs again too. */
    if (rec->state == STEP_STARTED || rec->state == STEP_WAITING || rec->state == STEP_CANCELLED) {
        f->recovered = true;
        return false;
    }
    f->recorded = true;
    frame_end(f, rec->state, rec->out, rec->err ? "%s" : NULL, rec->err ? rec->err : "");
    f->error_is_of_child = f->step->n_children > 0 || f->step->sub;
    rec->out = NULL;
    return true;
}

/* Looks the step up. True: nothing is left to begin. */
static bool find(struct frame *f)
{
    struct step_record rec = {0};
    struct error err = ERROR_INIT;
    bool found = false, ended = true;

    if (journal_find(f->r->run, f->path, &found, &rec, &err)) {
        runner_fatal(f->r, &err);
        return true;
    }
    if (!found)
        return false;
    if (memcmp(rec.in_hash, f->in_hash, sizeof(f->in_hash)) != 0)
        blueprint_changed(f);
    else
        ended = take_record(f, &rec);
    step_record_deinit(&rec);
    return ended;
}

static bool prepare(struct frame *f, struct error *err)
{
    int64_t most = f->r->host.max_steps > 0 ? f->r->host.max_steps : RUNNER_MAX_STEPS;
    enum status st;

    if (f->r->n_frames > most)
        st = error_set(err, STATUS_LIMIT, "the run has more than %lld steps", (long long)most);
    else
        st = f->ops->prepare(f, &f->in, err);
    if (st)
        f->in = jv_null();
    hash_inputs(f);
    return st == STATUS_OK;
}

void frame_begin(struct frame *f)
{
    struct error err = ERROR_INIT;
    bool first = f->in == NULL;

    if (f->r->stopped) {
        frame_end(f, STEP_CANCELLED, NULL, NULL);
        return;
    }
    f->hopeless = first && !prepare(f, &err);
    if (first && find(f))
        return;
    if (!f->hopeless) {
        begin_attempt(f);
        return;
    }
    intend(f);
    frame_end_error(f, err.status, &err);
}

/* ---- the end */

static void record(struct frame *f, const char *path, int32_t attempt, enum step_state state)
{
    bool own = path == f->path;

    journal_finish(f->r->run, &(struct step_result){.path = path,
                                                    .attempt = attempt,
                                                    .state = state,
                                                    .out = own ? f->out : NULL,
                                                    .err = own ? f->error : NULL,
                                                    .tok_in = own ? f->tok_in : 0,
                                                    .tok_out = own ? f->tok_out : 0});
}

static void record_lost(struct frame *f)
{
    while (f->lost) {
        struct lost_step *l = f->lost;

        f->lost = l->next;
        record(f, l->path, l->attempt, STEP_CANCELLED);
        free(l->path);
        free(l);
    }
}

/* A cancelled frame leaves its record to where the cancelling began. */
static void hand_up(struct frame *f)
{
    struct frame *to = f->parent ? f->parent : f;
    struct lost_step **end = &f->lost;

    if (f->intended && f->step) {
        struct lost_step *l = xcalloc(1, sizeof(*l));

        l->path = xstrdup(f->path);
        l->attempt = f->attempt;
        l->next = f->lost;
        f->lost = l;
    }
    if (to == f)
        return;
    while (*end)
        end = &(*end)->next;
    *end = to->lost;
    to->lost = f->lost;
    f->lost = NULL;
}

/* What the end means, once it is known why. */
static void settle_end(struct frame *f)
{
    if (f->end == STEP_OK && !f->recorded && f->out && !plan_value_fits(f->out)) {
        f->end = STEP_ERROR;
        jv_unref(f->out);
        f->out = NULL;
        f->error = xstrdup("the result is larger or deeper than a value may be");
    }
    if (f->end == STEP_OK || f->recorded)
        return;
    if (f->cancelled) {
        f->end = STEP_CANCELLED;
    } else if (f->timed_out) {
        f->end = STEP_TIMEOUT;
        free(f->error);
        /* The run's own time may also be over by its blueprint. */
        f->error = xstrdup(!f->step && f->r->time_is_over ? f->r->time_is_over
                                                          : "the time for this step is over");
        f->error_is_of_child = false;
    }
    if (f->end != STEP_CANCELLED && !f->error)
        f->error = xstrdup(step_state_name(f->end));
}

/* May the step be tried again? *same: under the same key. */
static bool may_retry(const struct frame *f, bool *same)
{
    enum effect effect = frame_effect(f);

    *same = f->end == STEP_TIMEOUT && f->step && f->step->kind == PLAN_TOOL &&
            effect == EFFECT_IDEMPOTENT;
    if (!f->step || f->cancelled || f->hopeless || f->attempt + f->n_again >= f->step->retry.max)
        return false;
    return f->end == STEP_ERROR || (f->end == STEP_TIMEOUT && (effect <= EFFECT_READ || *same));
}

static void reset_attempt(struct frame *f)
{
    if (f->ops->release)
        f->ops->release(f);
    f->state = NULL;
    jv_unref(f->inner);
    f->inner = NULL;
    jv_unref(f->out);
    f->out = NULL;
    free(f->error);
    f->error = NULL;
    f->intended = f->recovered = f->recorded = f->timed_out = false;
    f->tok_in = f->tok_out = f->spent_steps = f->spent_calls = 0;
}

static void on_backoff(void *ctx)
{
    struct frame *f = ctx;

    frame_drop_timer(f);
    frame_enqueue(f, FRAME_BEGIN);
}

static void retry(struct frame *f, bool same)
{
    double ms = BACKOFF_FIRST_MS;

    for (int32_t i = 0; i < f->attempt + f->n_again && ms < BACKOFF_MOST_MS; i++)
        ms *= f->step->retry.backoff;
    reset_attempt(f);
    f->attempt += same ? 0 : 1;
    f->n_again += same ? 1 : 0;
    frame_set_busy(f, true);
    f->timer = loop_timer_new(
        f->r->host.loop, (int64_t)(ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS), on_backoff, f);
}

void frame_begin_again(struct frame *f, const char *why)
{
    f->end = STEP_ERROR;
    f->error = xstrdup(why);
    record(f, f->path, f->attempt, f->end);
    tell(f, f->end);
    reset_attempt(f);
    f->attempt++;
    frame_enqueue(f, FRAME_BEGIN);
}

void frame_record_waiting(struct frame *f)
{
    record(f, f->path, f->attempt, STEP_WAITING);
    tell(f, STEP_WAITING);
}

void frame_suspend(struct frame *f)
{
    frame_record_waiting(f);
    frame_set_busy(f, false);
    frame_set_asking(f, true);
    f->suspended = true;
    f->r->n_suspended++;
    runner_wake(f->r);
}

/* A `once` call whose time was over: nobody knows yet whether it happened. */
static bool asks_after_timeout(const struct frame *f)
{
    return f->end == STEP_TIMEOUT && !f->recorded && f->intended && f->step &&
           f->step->kind == PLAN_TOOL && frame_effect(f) == EFFECT_ONCE;
}

static void set_value(struct frame *f)
{
    bool goes_on = f->step && strcmp(f->step->on_error, "continue") == 0;

    f->ok = f->end == STEP_OK;
    if (f->ok) {
        f->value = f->out ? jv_ref(f->out) : jv_null();
    } else if (goes_on && !f->cancelled) {
        f->ok = true;
        f->value = jv_object();
        jv_set_string(f->value, "status", step_state_name(f->end));
        jv_set_string(f->value, "error", f->error ? f->error : "");
    }
}

static void tell_parent(struct frame *f)
{
    struct frame *parent = f->parent;
    bool stopping = parent->cancelled || parent->timed_out;

    if (!stopping)
        parent->ops->child_ended(parent, f);
    frame_free_tree(f);
    if (stopping && !parent->child)
        frame_end(parent, STEP_CANCELLED, NULL, NULL);
}

/* Into the journal, or to where it will be. What is known to have happened is recorded even when
 * the run is only interrupted. */
static void put_record(struct frame *f)
{
    bool silent = f->r->keep && (f->end != STEP_OK || f->r->fatal.status);

    if (f->end == STEP_CANCELLED && f->cancelled)
        hand_up(f);
    else if (!f->recorded && !silent && f->step) {
        record_lost(f);
        record(f, f->path, f->attempt, f->end);
    }
    if (!f->parent && !silent)
        record_lost(f);
    if (!f->recorded && !silent)
        budget_settle(f);
    budget_close(f);
}

void frame_finish(struct frame *f)
{
    bool same = false, keep = f->r->keep;

    frame_drop_timer(f);
    question_end(f);
    frame_set_busy(f, false);
    settle_end(f);
    if (asks_after_timeout(f) && !keep) {
        reset_attempt(f);
        f->intended = f->recovered = true;
        f->ops->begin(f);
        return;
    }
    put_record(f);
    if (!keep && may_retry(f, &same)) {
        retry(f, same);
        return;
    }
    if (!keep && f->intended)
        tell(f, f->end);
    set_value(f);
    if (f->parent)
        tell_parent(f);
}
