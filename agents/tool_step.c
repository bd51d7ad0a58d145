/* tool_step.c - the life of a call: recovered, saved, called, stopped, ended.
 *
 * An object is reference counted: its owner, an open call and an open store request hold it. Their
 * results after the end are ignored.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/tool_step_state.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

#define GRACE_MS  1000  /* for a tool to stop after a cancel */
#define STATUS_MS 30000 /* for a tool to report the status of an effect */
#define LATE      "the tool did not answer in time"

void tool_step_move(struct tool_step *s, enum tool_step_state to)
{
#define TO(state) (1U << TOOL_STEP_##state)
    static const unsigned next[] = {
        [TOOL_STEP_NEW] = TO(CHECKING) | TO(UNCERTAIN) | TO(SAVING) | TO(CALLING) | TO(ENDED),
        [TOOL_STEP_CHECKING] = TO(UNCERTAIN) | TO(SAVING) | TO(ENDED),
        [TOOL_STEP_UNCERTAIN] = TO(SAVING) | TO(ENDED),
        [TOOL_STEP_SAVING] = TO(CALLING) | TO(ENDED),
        [TOOL_STEP_CALLING] = TO(ASKING) | TO(ENDED),
        [TOOL_STEP_ASKING] = TO(RESUMING) | TO(CALLING) | TO(ENDED),
        [TOOL_STEP_RESUMING] = TO(CALLING) | TO(ENDED),
        [TOOL_STEP_ENDED] = 0,
    };
#undef TO

    (void)next; /* without asserts */
    assert(next[s->state] & (1U << to));
    s->state = to;
}

void tool_step_unref(struct tool_step *s)
{
    if (--s->refs > 0)
        return;
    assert(!s->timer && !s->question);
    run_unwatch(&s->watch);
    tool_call_free(s->call);
    tool_unref(s->spec.tool);
    jv_unref(s->spec.arguments);
    jv_unref(s->result.out);
    free(s->words);
    str_deinit(&s->path);
    str_deinit(&s->base);
    free(s);
}

static void on_run_closing(struct run_watch *w)
{
    struct tool_step *s = CONTAINER_OF(w, struct tool_step, watch);

    s->spec.run = NULL;
}

struct tool_step *tool_step_new(const struct tool_step_spec *spec)
{
    struct tool_step *s = xcalloc(1, sizeof(*s));

    assert(!spec->run || spec->path);
    s->spec = *spec;
    s->spec.tool = tool_ref(spec->tool);
    s->spec.arguments = spec->arguments ? jv_ref(spec->arguments) : NULL;
    s->path = s->base = STR_INIT;
    if (spec->path) {
        str_puts(&s->path, spec->path);
        path_attempt(&s->base, spec->path, spec->attempt);
    }
    s->spec.path = spec->path ? str_cstr(&s->path) : NULL;
    s->refs = 1;
    if (spec->run)
        run_watch(spec->run, &s->watch, on_run_closing);
    return s;
}

bool tool_step_has_ended(const struct tool_step *s)
{
    return s->state == TOOL_STEP_ENDED;
}

bool tool_step_is_asking(const struct tool_step *s)
{
    return s->state == TOOL_STEP_UNCERTAIN || s->state == TOOL_STEP_ASKING;
}

const struct tool_step_result *tool_step_result(const struct tool_step *s)
{
    assert(s->state == TOOL_STEP_ENDED);
    return &s->result;
}

/* ---- time */

static void look_at_clock(struct tool_step *s);

static void on_timer(void *ctx)
{
    struct tool_step *s = ctx;

    loop_timer_free(s->timer);
    s->timer = NULL;
    look_at_clock(s);
}

static void tool_step_wake_at(struct tool_step *s, int64_t at_ms)
{
    int64_t left = at_ms - seams_wall_ms(s->spec.seams);

    loop_timer_free(s->timer);
    s->timer = NULL;
    s->wake_ms = at_ms;
    if (at_ms > 0 && s->spec.loop)
        s->timer = loop_timer_new(s->spec.loop, left > 0 ? left : 0, on_timer, s);
}

/* ---- the end */

static bool has_call(const struct tool_step *s)
{
    return s->call && s->call->state_now == TOOL_CALL_OPEN;
}

void tool_step_end(struct tool_step *s, enum step_state state, struct json *adopt_out,
                   const char *words)
{
    struct tool_step_result *r = &s->result;
    bool records = s->spec.run && s->spec.records && state != STEP_CANCELLED && !r->fatal.status;

    tool_step_wake_at(s, 0);
    tool_step_drop_question(s);
    tool_step_move(s, TOOL_STEP_ENDED);
    r->state = state;
    r->out = adopt_out;
    s->words = words ? xstrdup(words) : NULL;
    r->error = s->words;
    r->asks = s->asks;
    if (records)
        journal_finish(s->spec.run, &(struct step_result){.path = s->spec.path,
                                                          .attempt = s->spec.attempt,
                                                          .state = state,
                                                          .out = r->out,
                                                          .err = r->error});
    if (!s->abandoned)
        s->spec.done(s->spec.ctx, s);
}

void tool_step_fail(struct tool_step *s, enum status status, const struct error *err)
{
    if (err)
        s->result.fatal = *err;
    s->result.fatal.status = status;
    tool_step_end(s, STEP_CANCELLED, NULL, NULL);
}

static void end_by_outcome(struct tool_step *s, const struct tool_call *c)
{
    struct json *out = tool_result_json(&c->result);
    const char *words = jv_get_string(jv_get(c->result.value, "error"), NULL);

    s->result.not_retryable = c->not_retryable;
    switch (c->outcome) {
    case TOOL_OK:
        tool_step_end(s, STEP_OK, out, NULL);
        return;
    case TOOL_ERROR:
        tool_step_end(s, STEP_ERROR, out, words ? words : "the tool reports an error");
        return;
    case TOOL_TIMEOUT:
        tool_step_end(s, STEP_TIMEOUT, NULL, words ? words : LATE);
        break;
    case TOOL_CANCELLED:
        if (s->stopping == STEP_TIMEOUT)
            tool_step_end(s, STEP_TIMEOUT, NULL, LATE);
        else
            tool_step_end(s, STEP_CANCELLED, NULL, words);
        break;
    }
    jv_unref(out);
}

/* Records a late result next to the step, for later inspection. */
static void record_late(struct tool_step *s, const struct tool_call *c)
{
    struct json *out;
    struct str path = STR_INIT;

    if (!s->spec.run || (c->outcome != TOOL_OK && c->outcome != TOOL_ERROR))
        return;
    out = tool_result_json(&c->result);
    path_child(&path, str_cstr(&s->base), "late");
    journal_intend(
        s->spec.run,
        &(struct step_intent){.path = str_cstr(&path), .kind = "late", .name = s->spec.tool->name});
    journal_finish(s->spec.run, &(struct step_result){
                                    .path = str_cstr(&path),
                                    .state = c->outcome == TOOL_OK ? STEP_OK : STEP_ERROR,
                                    .out = out,
                                    .err = jv_get_string(jv_get(c->result.value, "error"), NULL)});
    str_deinit(&path);
    jv_unref(out);
}

/* ---- the call */

static void on_call_done(struct tool_call *c)
{
    struct tool_step *s = c->caller;

    if (s->abandoned || s->state == TOOL_STEP_ENDED)
        record_late(s, c);
    else
        end_by_outcome(s, c);
    tool_step_unref(s);
}

static struct tool_call *new_call(struct tool_step *s, void (*done)(struct tool_call *c))
{
    const struct tool_step_spec *spec = &s->spec;
    struct sha256 key;
    char idem[65];
    bool keyed = spec->run && spec->effect >= EFFECT_IDEMPOTENT;

    if (keyed) {
        key = journal_idem(spec->run, spec->path, spec->attempt);
        sha256_hex(&key, idem);
    }
    return tool_call_new(&(struct tool_call_spec){.tool = spec->tool,
                                                  .arguments = spec->arguments,
                                                  .path = spec->path,
                                                  .idem = keyed ? idem : NULL,
                                                  .deadline_ms = spec->deadline_ms,
                                                  .host = &tool_step_host,
                                                  .done = done,
                                                  .caller = s});
}

static void start_call(struct tool_step *s)
{
    const struct tool_step_spec *spec = &s->spec;
    int64_t own = spec->timeout_ms > 0 ? seams_wall_ms(spec->seams) + spec->timeout_ms : 0;

    if (own > 0 && (spec->deadline_ms == 0 || own < spec->deadline_ms))
        s->spec.deadline_ms = own;
    tool_step_move(s, TOOL_STEP_CALLING);
    tool_step_wake_at(s, own);
    s->call = new_call(s, on_call_done);
    s->refs++; /* the call's */
    tool_call_start(s->call);
}

static void on_durable(void *ctx, enum status status, const struct error *err)
{
    struct tool_step *s = ctx;

    if (s->state == TOOL_STEP_SAVING && !s->abandoned) {
        if (status)
            tool_step_fail(s, status, err);
        else
            start_call(s);
    }
    tool_step_unref(s);
}

void tool_step_intend(struct tool_step *s)
{
    journal_intend(s->spec.run, &(struct step_intent){.path = s->spec.path,
                                                      .attempt = s->spec.attempt,
                                                      .kind = "tool",
                                                      .name = s->spec.tool->name,
                                                      .effect = s->spec.effect,
                                                      .args = s->spec.arguments});
}

void tool_step_call(struct tool_step *s)
{
    const struct tool_step_spec *spec = &s->spec;

    /* An owner that journals has written the intent, unless the step was waiting. */
    if (spec->run && (spec->records || s->asks))
        tool_step_intend(s);
    if (!spec->run || spec->effect < EFFECT_IDEMPOTENT) {
        start_call(s);
        return;
    }
    tool_step_move(s, TOOL_STEP_SAVING);
    s->refs++; /* the store's */
    journal_when_durable(spec->run, on_durable, s);
}

/* ---- a `once` call that was begun before: did it happen? */

static void on_status(struct tool_call *c)
{
    struct tool_step *s = c->caller;

    if (c != s->call) { /* it timed out */
        tool_call_free(c);
        tool_step_unref(s);
        return;
    }
    tool_step_wake_at(s, 0);
    if (s->abandoned || s->state != TOOL_STEP_CHECKING) {
        assert(s->abandoned || s->state == TOOL_STEP_ENDED);
    } else if (c->outcome == TOOL_OK) { /* it did, and this is its result */
        end_by_outcome(s, c);
    } else {
        enum tool_outcome known = c->outcome;

        s->call = NULL;
        tool_call_free(c);
        if (known == TOOL_ERROR) /* it did not */
            tool_step_call(s);
        else
            tool_step_ask_person(s);
    }
    tool_step_unref(s);
}

static void ask_tool(struct tool_step *s)
{
    tool_step_move(s, TOOL_STEP_CHECKING);
    tool_step_wake_at(s, seams_wall_ms(s->spec.seams) + STATUS_MS);
    s->call = new_call(s, on_status);
    s->refs++;
    tool_call_ask_status(s->call);
}

void tool_step_start(struct tool_step *s)
{
    const struct tool_step_spec *spec = &s->spec;

    assert(s->state == TOOL_STEP_NEW);
    s->refs++; /* its owner may free it in done */
    if (!spec->run || !spec->recovered || spec->effect != EFFECT_ONCE || spec->was_asking)
        tool_step_call(s);
    else if (spec->tool->ops->status)
        ask_tool(s);
    else
        tool_step_ask_person(s);
    tool_step_unref(s);
}

/* ---- an early end */

/* Stops waiting for the call, which the tool keeps. */
static void abandon(struct tool_step *s)
{
    tool_step_end(s, s->stopping, NULL, s->stopping == STEP_TIMEOUT ? LATE : NULL);
}

static void stop_call(struct tool_step *s, enum step_state why)
{
    if (s->stopping)
        return;
    s->stopping = why;
    s->refs++;
    tool_call_cancel(s->call);
    if (s->state != TOOL_STEP_ENDED && has_call(s))
        tool_step_answer_nobody(s); /* no answer will come */
    if (s->state != TOOL_STEP_ENDED && !s->spec.tool->ops->cancel)
        abandon(s);
    else if (s->state != TOOL_STEP_ENDED)
        tool_step_wake_at(s, seams_wall_ms(s->spec.seams) + GRACE_MS);
    tool_step_unref(s);
}

static void look_at_clock(struct tool_step *s)
{
    if (s->wake_ms == 0 || seams_wall_ms(s->spec.seams) < s->wake_ms)
        return;
    s->wake_ms = 0;
    s->refs++;
    if (s->state == TOOL_STEP_CHECKING) {
        s->call = NULL; /* on_status frees it */
        tool_step_ask_person(s);
    } else if (s->stopping) {
        abandon(s);
    } else {
        stop_call(s, STEP_TIMEOUT);
    }
    tool_step_unref(s);
}

void tool_step_stop(struct tool_step *s, enum step_state why)
{
    assert(why == STEP_CANCELLED || why == STEP_TIMEOUT);
    if (s->state == TOOL_STEP_ENDED)
        return;
    if (s->state == TOOL_STEP_CALLING || s->state == TOOL_STEP_ASKING ||
        s->state == TOOL_STEP_RESUMING)
        stop_call(s, why);
    else
        tool_step_end(s, why, NULL, why == STEP_TIMEOUT ? LATE : NULL);
}

void tool_step_poll(struct tool_step *s)
{
    s->refs++;
    if (s->question)
        question_look(s->question);
    if (s->state != TOOL_STEP_ENDED && !s->spec.loop)
        look_at_clock(s);
    tool_step_unref(s);
}

void tool_step_free(struct tool_step *s)
{
    if (!s)
        return;
    s->abandoned = true;
    tool_step_wake_at(s, 0);
    if (s->state != TOOL_STEP_ENDED && has_call(s)) {
        tool_call_cancel(s->call);
        if (has_call(s))
            tool_step_answer_nobody(s);
    }
    tool_step_drop_question(s);
    tool_step_unref(s);
}
