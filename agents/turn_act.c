/* turn_act.c - the last third of a turn: the calls of the reply, one after the other.
 *
 * Calls of the environment return at once; on replay they are executed again and must give the
 * recorded result. Other tools are asynchronous: tool_step.h.
 *
 * A step boundary ends the reply: later calls in it belong to a context that has ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

#define CUT_SHORT "the user stopped it"

static struct json *error_value(const char *text)
{
    struct json *v = jv_object();

    jv_set_string(v, "error", text);
    return v;
}

static enum effect effect_of(const struct pending_call *p)
{
    return p->tool ? p->tool->effect : EFFECT_NONE;
}

/* The path of pending[at] into a->path. */
static void step_path(struct agent *a, const struct pending_call *p)
{
    turn_path(a);
    path_tool(&a->path, str_cstr(&a->base), a->at, p->name);
}

static void intend(struct agent *a, const struct pending_call *p, const struct json *arguments)
{
    struct step_intent s = {.path = str_cstr(&a->path),
                            .kind = "tool",
                            .name = p->name,
                            .effect = effect_of(p),
                            .args = arguments};

    journal_intend(a->task.scope.run, &s);
}

static void finish(struct agent *a, enum step_state state, const struct json *out, const char *err)
{
    struct step_result r = {.path = str_cstr(&a->path), .state = state, .out = out, .err = err};

    journal_finish(a->task.scope.run, &r);
    if (out && !a->codec->compact)
        journal_message(a->task.scope.run, a->task.scope.path, "tool", out);
}

/* The codec has the result; continues with the next call. */
static void next_call(struct agent *a)
{
    a->at++;
    a->result.calls++;
    agent_set_state(a, AGENT_ACT);
}

/* ---- the environment */

static struct json *play_json(struct agent *a, const struct pending_call *p, struct env_effect *fx)
{
    struct json *result = a->task.env_ops->call(a->env, &p->env, fx);

    if (!p->error)
        return result;
    /* The call counts, and the model gets its error. */
    jv_unref(result);
    return error_value(p->error);
}

static void after_env(struct agent *a, const struct env_effect *fx)
{
    struct env_watch *w = a->task.watch;

    a->env_over = fx->done;
    a->restart = fx->step_boundary;
    if (w && w->on_event)
        w->on_event(w->ctx, a->env, fx);
}

/* Only for a watch; else 0. */
static int64_t watch_us(const struct agent *a)
{
    return a->task.watch ? seams_mono_us(a->host->o.seams) : 0;
}

static void record_call(struct agent *a, const struct pending_call *p, const struct json *result,
                        size_t feed_from)
{
    struct rollout_writer *w = a->task.record;

    if (a->codec->compact)
        rollout_env_call(w, &p->env, str_cstr(&a->reply_text), a->reply_text.len,
                         str_cstr(&a->feed) + feed_from, a->feed.len - feed_from);
    else
        rollout_tool(w, p->name, p->arguments, result);
}

/* A compact call in the journal: its arguments and result. */
static struct json *compact_arguments(const struct agent *a, const struct pending_call *p)
{
    struct json *v;

    if (p->env.tool >= 0)
        return env_call_arguments(a->task.env_ops, &p->env);
    v = jv_object();
    jv_set_adopt(v, "text", jv_string_n(str_cstr(&a->reply_text), a->reply_text.len));
    return v;
}

static enum status check_replay(const struct agent *a, const struct step_record *s,
                                const struct json *result, struct error *err)
{
    if (jv_equal(s->out, result))
        return STATUS_OK;
    return error_set(err, STATUS_CONFIG,
                     "the environment's answer to the call %s differs from the recorded one",
                     str_cstr(&a->path));
}

/* With a journal: finds the step, or writes intent and finish together. */
static enum status journal_env_call(struct agent *a, const struct pending_call *p,
                                    const struct json *result, struct error *err)
{
    struct step_record s;
    bool found = false;
    struct json *arguments = NULL;
    enum status st;

    step_path(a, p);
    st = journal_find(a->task.scope.run, str_cstr(&a->path), &found, &s, err);
    if (st)
        return st;
    if (found && s.state != STEP_STARTED) {
        st = check_replay(a, &s, result, err);
    } else {
        if (a->codec->compact)
            arguments = compact_arguments(a, p);
        intend(a, p, a->codec->compact ? arguments : p->arguments);
        finish(a, p->error ? STEP_ERROR : STEP_OK, result, p->error);
        jv_unref(arguments);
    }
    if (found)
        step_record_deinit(&s);
    return st;
}

static bool act_env(struct agent *a, const struct pending_call *p)
{
    size_t from = a->feed.len;
    struct env_effect fx = {.done = false};
    struct json *result = NULL;
    enum status st = STATUS_OK;
    int64_t began = watch_us(a);

    if (a->codec->compact)
        a->task.env_ops->call_compact(a->env, &p->env, &fx, &a->feed);
    else
        result = play_json(a, p, &fx);
    if (a->task.watch)
        a->task.watch->env_us += watch_us(a) - began;
    if (a->task.scope.run) {
        if (a->codec->compact)
            result = jv_string_n(str_cstr(&a->feed) + from, a->feed.len - from);
        st = journal_env_call(a, p, result, &a->result.err);
    }
    if (a->task.record)
        record_call(a, p, result, from);
    after_env(a, &fx);
    if (!st && !a->codec->compact)
        a->codec->add_result(a, p, result);
    jv_unref(result);
    if (st)
        return agent_end(a, st, NULL);
    next_call(a);
    return true;
}

/* ---- other tools */

static bool take_result(struct agent *a, const struct pending_call *p, const struct json *result)
{
    if (a->task.record)
        rollout_tool(a->task.record, p->name, p->arguments, result);
    a->codec->add_result(a, p, result);
    next_call(a);
    return true;
}

/* A call that is refused before it starts: unknown tool, unreadable arguments. */
static bool act_refused(struct agent *a, const struct pending_call *p, bool found)
{
    struct json *result = error_value(p->error);

    if (a->task.scope.run && !found) {
        intend(a, p, p->arguments);
        finish(a, STEP_ERROR, result, p->error);
    }
    take_result(a, p, result);
    jv_unref(result);
    return true;
}

static void on_done(void *ctx, struct tool_step *s)
{
    struct agent *a = ctx;

    (void)s;
    agent_advance(a); /* inside a move, turn_acting checks it instead */
}

static void on_asking(void *ctx, struct tool_step *s, bool asking, int64_t due_ms)
{
    struct agent *a = ctx;

    (void)s;
    if (a->task.on_asking)
        a->task.on_asking(a->ctx, asking, due_ms);
    else
        agent_make_ready(a); /* turn_acting ends it */
}

/* Finished steps in the journal: uses their result, executes nothing. */
static bool replay_tool(struct agent *a, const struct pending_call *p, const struct step_record *s)
{
    struct error *err = &a->result.err;

    if ((s->state == STEP_OK || s->state == STEP_ERROR) && s->out)
        return take_result(a, p, s->out);
    return agent_end(a,
                     error_set(err, s->state == STEP_TIMEOUT ? STATUS_TIMEOUT : STATUS_FAILED, "%s",
                               s->err ? s->err : step_state_name(s->state)),
                     NULL);
}

/* Nobody could answer between the end of a run and its repair. */
static int64_t asked_from(const struct agent *a, const struct step_record *before)
{
    int64_t repaired_ms = a->task.scope.repaired_ms;

    return repaired_ms > before->t0_ms ? repaired_ms : before->t0_ms;
}

/* before NULL: never started. */
static bool begin_tool(struct agent *a, const struct pending_call *p,
                       const struct step_record *before)
{
    assert(!a->step && p->tool && !p->error);
    const char *asked = before ? jv_get_string(jv_get(before->out, "asks"), "") : "";

    a->step = tool_step_new(&(struct tool_step_spec){
        .tool = p->tool,
        .arguments = p->arguments,
        .run = a->task.scope.run,
        .path = a->wants_paths ? str_cstr(&a->path) : NULL,
        .effect = p->tool->effect,
        .records = true,
        .recovered = before != NULL,
        .was_asking = before && before->state != STEP_STARTED && strcmp(asked, "tool") == 0,
        .started_ms = before ? asked_from(a, before) : 0,
        .deadline_ms = a->deadline_ms,
        .loop = a->host->o.loop,
        .seams = a->host->o.seams,
        .done = on_done,
        .asking = on_asking,
        .ctx = a});
    agent_set_state(a, AGENT_ACTING);
    if (a->host->box)
        loop_box_hold(a->host->box, 1);
    tool_step_start(a->step);
    return true; /* turn_acting checks whether it has ended */
}

static bool act_tool(struct agent *a, const struct pending_call *p)
{
    struct step_record s = {.state = STEP_STARTED};
    bool found = false, ended, more;
    enum status st = STATUS_OK;

    if (a->wants_paths)
        step_path(a, p);
    if (a->task.scope.run)
        st = journal_find(a->task.scope.run, str_cstr(&a->path), &found, &s, &a->result.err);
    if (st)
        return agent_end(a, st, NULL);
    ended =
        found && s.state != STEP_STARTED && s.state != STEP_WAITING && s.state != STEP_CANCELLED;
    if (p->error)
        more = act_refused(a, p, ended);
    else if (ended)
        more = replay_tool(a, p, &s);
    else
        more = begin_tool(a, p, found ? &s : NULL);
    if (found)
        step_record_deinit(&s);
    return more;
}

void turn_drop_step(struct agent *a)
{
    if (!a->step)
        return;
    tool_step_free(a->step);
    a->step = NULL;
    if (a->host->box)
        loop_box_hold(a->host->box, -1);
}

/* If the process ends, the call stays open. A call that was waiting for an answer asks again. */
static void journal_given_up(struct agent *a)
{
    struct step_result r = {.path = str_cstr(&a->path), .state = STEP_CANCELLED};
    const char *asks = tool_step_result(a->step)->asks;
    struct json *out = NULL;

    if (!agent_gave_up(a, &r.err))
        return;
    if (asks) {
        out = jv_object();
        jv_set_string(out, "asks", asks);
        r.out = out;
    }
    journal_finish(a->task.scope.run, &r);
    jv_unref(out);
}

static bool take_outcome(struct agent *a)
{
    assert(a->state == AGENT_ACTING && a->at < a->n_pending);
    const struct tool_step_result *r = tool_step_result(a->step);
    const struct pending_call *p = &a->pending[a->at];
    struct error *err = &a->result.err;

    if (r->fatal.status)
        return agent_end(a, r->fatal.status, &r->fatal);
    if (r->state == STEP_OK || r->state == STEP_ERROR) {
        if (a->task.scope.run)
            journal_message(a->task.scope.run, a->task.scope.path, "tool", r->out);
        return take_result(a, p, r->out);
    }
    if (r->state == STEP_CANCELLED && a->talk.cut && !a->stop) {
        struct json *result = error_value(CUT_SHORT);
        bool more;

        finish(a, STEP_ERROR, result, CUT_SHORT);
        more = take_result(a, p, result);
        jv_unref(result);
        return more;
    }
    if (r->state == STEP_CANCELLED)
        journal_given_up(a);
    if (a->stop) {
        agent_set_state(a, AGENT_PERCEIVE); /* which says why */
        return true;
    }
    if (r->state == STEP_TIMEOUT)
        return agent_end(a, error_set(err, STATUS_TIMEOUT, "tool %s: %s", p->name, r->error), NULL);
    return agent_end(a, error_set(err, STATUS_CANCELLED, "tool %s was cancelled", p->name), NULL);
}

bool turn_acting(struct agent *a)
{
    bool more;

    tool_step_poll(a->step);
    if (tool_step_has_ended(a->step))
        more = take_outcome(a);
    else if (tool_step_is_asking(a->step) && !a->task.on_asking)
        more = agent_end(
            a,
            error_set(&a->result.err, STATUS_WAITING, "%s waits for an answer", str_cstr(&a->path)),
            NULL);
    else
        return false;
    turn_drop_step(a);
    return more;
}

static enum status may_call(const struct agent *a, struct error *err)
{
    const struct budget *b = a->task.scope.budget;

    return b ? budget_fits(b, agent_now_ms(a), 0, 0, 1, err) : STATUS_OK;
}

bool turn_act(struct agent *a)
{
    struct pending_call *p;
    enum status st;

    if (a->at >= a->n_pending || a->env_over || a->restart) {
        a->turn++;
        agent_set_state(a, AGENT_PERCEIVE);
        return true;
    }
    p = &a->pending[a->at];
    if (a->talk.cut && !p->error)
        p->error = xstrdup(CUT_SHORT);
    st = may_call(a, &a->result.err);
    if (st)
        return agent_end(a, st, NULL);
    budget_spend(a->task.scope.budget, 0, 0, 1);
    return p->is_env ? act_env(a, p) : act_tool(a, p);
}
