/* troupe_run.c - prepares, starts and ends one run of a blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/replay.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/api/troupe_run.h"
#include "runtime/base/memory.h"
#include "runtime/base/time_text.h"
#include "runtime/loop/loop.h"
#include "runtime/store/query.h"

/* ---- callbacks of the runner */

static void on_step(void *ctx, const char *path, const char *kind, enum step_state state)
{
    struct troupe_run *r = ctx;

    r->result.n_done += state != STEP_STARTED && state != STEP_WAITING;
    if (r->listener.on_step)
        r->listener.on_step(r->listener.ctx, r, path, kind, state);
}

static void on_text(void *ctx, const char *path, const char *text, size_t n)
{
    struct troupe_run *r = ctx;

    r->listener.on_text(r->listener.ctx, r, path, text, n);
}

static bool wants_text(void *ctx)
{
    struct troupe_run *r = ctx;

    return r->listener.wants_text(r->listener.ctx, r);
}

static enum status give_model(void *ctx, const struct plan *p, const struct plan_agent *a,
                              struct model **out, struct error *err)
{
    struct troupe_run *r = ctx;

    struct model *m = NULL;
    enum status st = run_models_open(r->models, p, a, &m, err);

    if (!st && !r->replay)
        st = run_models_ready(r->models, p, a, m, err);
    if (!st)
        *out = m;
    return st;
}

static bool take_counts(void *ctx, const struct run_row *row)
{
    struct troupe_result *result = ctx;

    result->n_steps = row->n_steps;
    result->tok_in = row->tok_in;
    result->tok_out = row->tok_out;
    result->cost_nano = row->cost_nano;
    return false;
}

/* The numbers come from the store, so that they are the same everywhere. */
static void count(struct troupe_run *r)
{
    struct store_reader *q;
    struct error ignored = ERROR_INIT;
    enum status st = troupe_reader(r->t, &q, &ignored);

    if (!st)
        st = query_run(q, r->uuid, take_counts, &r->result, &ignored);
    if (st)
        log_write_run(r->t->log, LOG_WARN, r->uuid, NULL, "cannot count the steps of run %s: %s",
                      r->uuid, ignored.message);
}

/* ---- observers */

static void on_intended(void *ctx, const struct step_intent *s)
{
    struct troupe_run *r = ctx;

    for (const struct troupe_observer *o = r->t->observers; o; o = o->next)
        if (o->step_began)
            o->step_began(o->ctx, r, s);
}

static void on_finished(void *ctx, const struct step_result *s)
{
    struct troupe_run *r = ctx;

    for (const struct troupe_observer *o = r->t->observers; o; o = o->next)
        if (o->step_ended)
            o->step_ended(o->ctx, r, s);
}

/* The trace of a request that asked for the run, else one of its own if somebody traces. */
static void set_trace(struct troupe_run *r)
{
    const char *parent = jv_get_string(jv_get(run_config(r->run), "traceparent"), NULL);
    struct trace_context c = {.sampled = false};
    bool traced = trace_context_parse(parent, &c);

    for (const struct troupe_observer *o = r->t->observers; o && !traced; o = o->next)
        traced = o->traces && trace_context_of_run(r->uuid, &c);
    if (traced)
        run_set_trace(r->run, &c);
}

static void observe_begin(struct troupe_run *r)
{
    set_trace(r);
    if (!r->t->observers)
        return;
    r->observer = (struct run_observer){.ctx = r, .intended = on_intended, .finished = on_finished};
    run_observe(r->run, &r->observer);
    for (const struct troupe_observer *o = r->t->observers; o; o = o->next)
        if (o->run_began)
            o->run_began(o->ctx, r);
}

static void observe_end(struct troupe_run *r)
{
    run_observe(r->run, NULL);
    for (const struct troupe_observer *o = r->t->observers; o; o = o->next)
        if (o->run_ended)
            o->run_ended(o->ctx, r);
}

static void on_done(void *ctx, struct runner *runner, const struct runner_result *result)
{
    struct troupe_run *r = ctx;

    (void)runner;
    r->result.status = result->status;
    r->result.output = result->output ? jv_ref(result->output) : NULL;
    r->result.err = result->err;
    r->result.wall_ms = result->wall_ms;
    r->result.next_due_ms = result->next_due_ms;
    count(r);
    loop_timer_free(r->limit);
    r->limit = NULL;
    observe_end(r);
    troupe_run_remove(r);
    if (r->listener.on_end)
        r->listener.on_end(r->listener.ctx, r);
}

static void on_limit(void *ctx)
{
    struct troupe_run *r = ctx;
    struct str words = STR_INIT;

    str_puts(&words, "time limit of ");
    duration_put(&words, r->timeout_ms);
    str_puts(&words, " reached");
    runner_time_out(r->runner, str_cstr(&words));
    str_deinit(&words);
}

/* ---- life */

static enum status open_agents(struct troupe_run *r, struct error *err)
{
    struct agent_host_options o = {.loop = r->t->loop,
                                   .registry = r->tools,
                                   .seams = r->t->seams,
                                   .interrupted = r->t->asked_to_end};

    return agent_host_new(&o, &r->agents, err);
}

struct troupe_run *troupe_run_prepare(struct troupe *t, const struct troupe_run_options *o)
{
    struct troupe_run *r = xcalloc(1, sizeof(*r));

    r->t = t;
    r->timeout_ms = o->timeout_ms;
    r->stay = o->stay;
    r->listener = o->listener;
    r->models = run_models_new(t, o);
    return r;
}

enum status troupe_run_check(struct troupe_run *r, const char *root, struct error *err)
{
    struct loop *loop = NULL;
    enum status st = troupe_loop(r->t, &loop, err);

    if (!st && !r->replay) /* a replay starts no server */
        st = troupe_mcp_plan(r->t, r->plan, err);
    if (!st)
        st = troupe_tools(r->t, root, &r->tools, err);
    if (!st)
        st = troupe_mcp_recorded(r->recorded_tools, r->tools, err);
    if (!st)
        st = open_agents(r, err);
    if (!st)
        st = run_models_check(r->models, r->plan, err);
    if (st)
        return st;
    const struct runner_host h = {.loop = loop,
                                  .agents = r->agents,
                                  .tools = r->tools,
                                  .seams = r->t->seams,
                                  .model = give_model,
                                  .stay = r->stay,
                                  .replay = r->replay,
                                  .resumed = r->own_plan != NULL,
                                  .on_step = on_step,
                                  .on_text = r->listener.on_text ? on_text : NULL,
                                  .wants_text = r->listener.wants_text ? wants_text : NULL,
                                  .ctx = r};
    return runner_new(&h, r->plan, &r->runner, err);
}

static bool take_before(void *ctx, const struct run_row *row)
{
    struct troupe_run *r = ctx;

    r->result.n_before = row->n_ended;
    r->created_ms = row->created_ms;
    return false;
}

enum status troupe_run_start(struct troupe_run *r, struct error *err)
{
    struct store_reader *q;
    struct error ignored = ERROR_INIT;

    r->created_ms = seams_wall_ms(r->t->seams);
    if (troupe_reader(r->t, &q, &ignored) || query_run(q, r->uuid, take_before, r, &ignored))
        r->result.n_before = 0; /* the row of a new run may not be written yet */
    observe_begin(r);
    enum status st = runner_start(r->runner, r->run, r->inputs, on_done, r, err);

    if (st) {
        observe_end(r);
        return st;
    }
    if (r->timeout_ms)
        r->limit = loop_timer_new(r->t->loop, r->timeout_ms, on_limit, r);
    troupe_run_add(r);
    return STATUS_OK;
}

void troupe_run_cancel(struct troupe_run *r)
{
    if (r->under_way)
        runner_cancel(r->runner);
}

void troupe_run_interrupt(struct troupe_run *r)
{
    if (r->under_way)
        runner_interrupt(r->runner);
}

void troupe_run_cut_short(struct troupe_run *r)
{
    if (r->under_way)
        runner_cut_short(r->runner);
}

void troupe_run_suspend(struct troupe_run *r)
{
    if (r->under_way)
        runner_suspend(r->runner);
}

bool troupe_run_only_asks(const struct troupe_run *r)
{
    return r->under_way && runner_only_asks(r->runner);
}

enum status troupe_run_sync(struct troupe_run *r, struct error *err)
{
    return journal_sync(r->run, err);
}

void troupe_run_look(struct troupe_run *r)
{
    if (r->under_way)
        runner_look_for_answers(r->runner);
}

enum status troupe_run_answer(struct troupe_run *r, const char *path, const struct json *answer,
                              struct error *err)
{
    enum status st = journal_sync(r->run, err); /* the question, which may just have been asked */

    if (!st)
        st = store_answer(troupe_store(r->t), r->uuid, path, answer, err);
    if (!st)
        troupe_run_look(r);
    return st;
}

void troupe_run_free(struct troupe_run *r)
{
    if (!r)
        return;
    runner_free(r->runner);
    run_close(r->run);
    agent_host_free(r->agents);
    tool_registry_free(r->tools);
    loop_timer_free(r->limit);
    run_models_free(r->models);
    jv_unref(r->inputs);
    jv_unref(r->recorded_tools);
    jv_unref(r->result.output);
    plan_free(r->own_plan);
    replay_free(r->replay);
    free(r);
}

const char *troupe_run_uuid(const struct troupe_run *r)
{
    return r->uuid;
}

struct run *troupe_run_row(const struct troupe_run *r)
{
    return r->run;
}

const struct plan *troupe_run_plan(const struct troupe_run *r)
{
    return r->plan;
}

int64_t troupe_run_created_ms(const struct troupe_run *r)
{
    return r->created_ms;
}

const struct troupe_result *troupe_run_result(const struct troupe_run *r)
{
    return &r->result;
}

/* ---- runs under way */

void troupe_run_add(struct troupe_run *r)
{
    struct troupe *t = r->t;

    r->under_way = true;
    r->next = t->first;
    t->first = r;
    if (t->interrupted)
        troupe_run_interrupt(r);
}

bool troupe_drives(const struct troupe *t, const char *uuid)
{
    for (const struct troupe_run *r = t->first; r; r = r->next)
        if (strcmp(r->uuid, uuid) == 0)
            return true;
    return false;
}

void troupe_run_remove(struct troupe_run *r)
{
    struct troupe_run **at = &r->t->first;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->under_way = false;
    if (!r->t->first && (!r->t->watching || r->t->interrupted))
        loop_stop(r->t->loop);
}

void troupe_interrupt(struct troupe *t)
{
    t->interrupted = true;
    for (struct troupe_run *r = t->first, *next; r; r = next) {
        next = r->next; /* a run with nothing in flight is removed at once */
        troupe_run_interrupt(r);
    }
    if (!t->first && t->loop)
        loop_stop(t->loop);
}
