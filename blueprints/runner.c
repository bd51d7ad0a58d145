/* runner.c - starts a run, pumps its frames, stops it, and reports its end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/runner.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/node_table.h"
#include "blueprints/repair.h"
#include "blueprints/runner_root.h"
#include "blueprints/runner_state.h"
#include "blueprints/step.h"
#include "runtime/store/query.h"

#define POLL_MS   200 /* how often to look for an answer or a cancel of another process */
#define PUMP_MOST 512 /* at most so many events in one turn of the loop */

/* A request to the loop or the store cannot be cancelled, so its callback checks here whether the
 * runner still exists. */
struct runner_call {
    struct runner *r;
};

static struct runner *runner_of(struct frame_host *h)
{
    return (struct runner *)h;
}

static struct runner_call *call_new(struct runner *r)
{
    struct runner_call *c = xcalloc(1, sizeof(*c));

    c->r = r;
    return c;
}

/* ---- the pump */

static void consider_end(struct runner *r);

static void pump_frame(struct runner *r, struct frame *f)
{
    if (f->state == FRAME_QUEUED) {
        step_begin(f);
        return;
    }
    r->root_ended = f == r->root;
    step_finish(f); /* frees f, unless it is the root */
}

/* r->pump is set while it pumps, so that no second call is posted to the loop. */
static void pump(void *ctx)
{
    struct runner_call *c = ctx;
    struct runner *r = c->r;
    struct frame *f;

    if (r && r->phase == RUNNER_ACTIVE) {
        for (int i = 0; i < PUMP_MOST && !r->root_ended; i++) {
            f = frame_take_ready(&r->frames);
            if (!f)
                break;
            pump_frame(r, f);
        }
        if (r->budget.changed)
            run_budget_write(&r->budget, r->run, r->host.seams);
    }
    free(c);
    if (!r)
        return;
    r->pump = NULL;
    if (r->phase != RUNNER_ACTIVE)
        return;
    if (r->frames.ready_first && !r->root_ended)
        r->frames.ops->wake(&r->frames);
    else
        consider_end(r); /* may free r */
}

static void wake(struct frame_host *h)
{
    struct runner *r = runner_of(h);

    if (r->pump || r->phase != RUNNER_ACTIVE)
        return;
    r->pump = call_new(r);
    loop_defer(h->loop, pump, r->pump);
}

/* ---- the end */

static void report_end(struct runner *r)
{
    runner_done done = r->done;

    assert(r->phase == RUNNER_CONCLUDING);
    r->phase = RUNNER_DONE;
    loop_timer_free(r->poll);
    loop_tick_free(r->tick);
    r->poll = NULL;
    r->tick = NULL;
    done(r->ctx, r, &r->result);
}

static void on_durable(void *ctx, enum status status, const struct error *err)
{
    struct runner *r = ctx;

    if (status) {
        r->result.status = RUN_INTERRUPTED;
        r->result.output = NULL;
        if (err)
            r->result.err = *err;
        else
            error_set(&r->result.err, status, "the store did not record the end of the run");
    }
    report_end(r);
}

static enum run_status end_of(const struct runner *r)
{
    switch (r->root->end) {
    case STEP_OK:
        return RUN_OK;
    case STEP_TIMEOUT:
        return RUN_TIMEOUT;
    case STEP_BUDGET:
        return RUN_BUDGET;
    case STEP_CANCELLED:
        return RUN_CANCELLED;
    case STEP_REJECTED:
        return RUN_REJECTED;
    default:
        return RUN_ERROR;
    }
}

static void begin_conclusion(struct runner *r, enum run_status status)
{
    struct runner_result *result = &r->result;

    assert(r->phase == RUNNER_ACTIVE);
    r->phase = RUNNER_CONCLUDING;
    result->status = status;
    result->steps = r->frames.n_frames;
    result->tok_in = r->budget.tok_in;
    result->tok_out = r->budget.tok_out;
    result->wall_ms = seams_wall_ms(r->host.seams) - r->budget.began_ms;
}

/* The run has ended, or waits: writes it to its row. */
static void conclude(struct runner *r, enum run_status status)
{
    const char *words = NULL;

    begin_conclusion(r, status);
    if (r->failed.status) {
        words = r->failed.message;
    } else if (r->root_ended) {
        words = r->root->error;
        r->result.output = r->root->value;
        if (r->root->end != STEP_OK)
            error_set(&r->result.err, step_state_status(r->root->end), "%s",
                      words ? words : run_status_word(status));
    }
    run_budget_write(&r->budget, r->run, r->host.seams);
    run_set_status(r->run, status, r->result.output, words);
    journal_when_durable(r->run, on_durable, r);
}

static void conclude_root(struct runner *r)
{
    if (r->fatal.status) {
        begin_conclusion(r, RUN_INTERRUPTED); /* its row says so too */
        r->result.err = r->fatal;
        report_end(r);
    } else if (r->failed.status) {
        r->result.err = r->failed;
        conclude(r, RUN_ERROR);
    } else if (r->root->state == FRAME_INTERRUPTED) {
        begin_conclusion(r, RUN_INTERRUPTED);
        journal_when_durable(r->run, on_durable, r);
    } else {
        conclude(r, end_of(r));
    }
}

/* No step is working, so the run waits. May the runner end as waiting? */
static bool may_suspend(const struct runner *r, const struct runner_open *open)
{
    if (r->suspending || r->host.stay == RUNNER_STAY_WORK)
        return true;
    return r->host.stay == RUNNER_STAY_WAITS && open->n_waits == 0;
}

/* In a replay only held steps are left: what ended them when they were recorded? */
static void end_held(struct runner *r)
{
    struct frame *f = runner_replay_next(r->root);

    if (f)
        runner_replay_end(f);
    else if (r->host.replay->run.state == STEP_WAITING)
        conclude(r, RUN_WAITING);
    else
        runner_cancel(r);
}

/* Does a step do something, or is it about to? */
static bool is_busy(const struct runner *r)
{
    return frame_is_stopping(r->root) || r->frames.n_in[FRAME_WORKING] +
                                                 r->frames.n_in[FRAME_STOPPING] +
                                                 r->frames.n_in[FRAME_BACKOFF] >
                                             0;
}

bool runner_only_asks(const struct runner *r)
{
    struct runner_open open;

    if (r->phase != RUNNER_ACTIVE || r->pump || r->frames.ready_first || r->root_ended ||
        is_busy(r) || r->frames.n_in[FRAME_HELD] > 0)
        return false;
    runner_look(r, &open);
    return open.n_working == 0 && open.n_waits == 0 && open.n_questions + open.n_unlimited > 0;
}

static void consider_end(struct runner *r)
{
    struct runner_open open;

    if (r->phase != RUNNER_ACTIVE || r->pump || r->frames.ready_first)
        return;
    if (r->root_ended) {
        conclude_root(r);
        return;
    }
    assert(r->root->child);
    if (is_busy(r))
        return;
    if (r->frames.n_in[FRAME_HELD] > 0) {
        end_held(r);
        return;
    }
    runner_look(r, &open);
    assert(open.n_working == 0);
    assert(open.n_waits + open.n_questions + open.n_unlimited > 0);
    if (!may_suspend(r, &open))
        return;
    r->result.next_due_ms = open.next_due_ms;
    conclude(r, RUN_WAITING);
}

/* ---- while it runs */

static void on_check(void *ctx, enum status status, const struct error *err)
{
    struct runner_call *c = ctx;
    struct runner *r = c->r;

    free(c);
    if (!r)
        return;
    r->check = NULL;
    if (status && r->phase == RUNNER_ACTIVE)
        r->frames.ops->fatal(&r->frames, err);
}

/* Notices a store that cannot write any more (a full disk, a deleted file) during the run, not only
 * at its end. */
static void check_store(struct runner *r)
{
    struct error err = ERROR_INIT;

    if (store_can_record(run_store(r->run), &err)) {
        r->frames.ops->fatal(&r->frames, &err);
        return;
    }
    if (r->check)
        return;
    r->check = call_new(r);
    journal_when_durable(r->run, on_check, r->check);
}

static void poll_waiting(struct frame *f)
{
    for (struct frame *c = f->child; c; c = c->next)
        poll_waiting(c);
    if (f->state == FRAME_WAITING && f->ops->poll)
        f->ops->poll(f);
}

static void on_poll(void *ctx);

static void set_poll(struct runner *r)
{
    loop_timer_free(r->poll);
    r->poll = loop_timer_new(r->host.loop, POLL_MS, on_poll, r);
}

static void on_poll(void *ctx)
{
    struct runner *r = ctx;
    struct error err = ERROR_INIT;
    bool cancelled = false;

    set_poll(r); /* keeps the loop running until the end is reported */
    if (r->phase != RUNNER_ACTIVE || frame_is_stopping(r->root))
        return;
    check_store(r);
    if (r->frames.broken)
        return;
    if (run_poll_cancelled(r->run, &cancelled, &err))
        r->frames.ops->fatal(&r->frames, &err);
    else if (cancelled)
        runner_cancel(r);
    else if (r->frames.n_in[FRAME_WAITING] > 0)
        poll_waiting(r->root);
}

static void on_tick(void *ctx)
{
    struct runner *r = ctx;

    journal_flush(r->run);
}

static void fatal(struct frame_host *h, const struct error *err)
{
    struct runner *r = runner_of(h);

    if (h->broken)
        return;
    if (err)
        r->fatal = *err;
    r->fatal.status = r->fatal.status ? r->fatal.status : STATUS_FAILED;
    h->broken = true;
    runner_interrupt(r);
}

static void fail(struct frame_host *h, const struct error *err)
{
    struct runner *r = runner_of(h);

    if (h->broken || r->failed.status)
        return;
    r->failed = *err;
    runner_interrupt(r);
}

static bool can_stop(const struct runner *r)
{
    return r->phase == RUNNER_ACTIVE && !r->root_ended;
}

void runner_cancel(struct runner *r)
{
    if (can_stop(r) && !frame_is_stopping(r->root))
        frame_cancel(r->root);
}

void runner_interrupt(struct runner *r)
{
    if (can_stop(r))
        frame_interrupt(r->root);
}

void runner_time_out(struct runner *r, const char *words)
{
    if (!can_stop(r) || frame_is_stopping(r->root))
        return;
    frame_time_out_as(r->root, words);
}

void runner_look_for_answers(struct runner *r)
{
    if (can_stop(r) && !frame_is_stopping(r->root))
        poll_waiting(r->root);
}

static void cut_short(struct frame *f)
{
    for (struct frame *c = f->child; c; c = c->next)
        cut_short(c);
    if (f->state == FRAME_WORKING && f->ops->cut_short)
        f->ops->cut_short(f);
}

void runner_cut_short(struct runner *r)
{
    if (can_stop(r) && !frame_is_stopping(r->root))
        cut_short(r->root);
}

void runner_suspend(struct runner *r)
{
    r->suspending = true;
    wake(&r->frames);
}

/* ---- life */

static void on_step(struct frame_host *h, const struct frame *f, enum step_state state)
{
    const struct runner_host *host = &runner_of(h)->host;

    if (host->on_step)
        host->on_step(host->ctx, f->path, plan_kind_name(f->step->kind), state);
}

static void on_text(struct frame_host *h, const char *path, const char *text, size_t n)
{
    const struct runner_host *host = &runner_of(h)->host;

    host->on_text(host->ctx, path, text, n);
}

static bool wants_text(struct frame_host *h)
{
    const struct runner_host *host = &runner_of(h)->host;

    return host->on_text && (!host->wants_text || host->wants_text(host->ctx));
}

static const struct frame_host_ops frame_ops = {.wake = wake,
                                                .fatal = fatal,
                                                .fail = fail,
                                                .on_step = on_step,
                                                .on_text = on_text,
                                                .wants_text = wants_text,
                                                .role = runner_role};

static void host_frames(struct runner *r)
{
    const struct runner_host *h = &r->host;

    r->frames =
        (struct frame_host){.ops = &frame_ops,
                            .nodes = node_table,
                            .loop = h->loop,
                            .seams = h->seams,
                            .run = r->run,
                            .seed = run_seed(r->run),
                            .repair = jv_get(run_config(r->run), "repair"),
                            .replay = h->replay,
                            .repaired_ms = repair_at_ms(run_config(r->run)),
                            .tools = h->tools,
                            .agents = h->agents,
                            .budget = &r->budget,
                            .max_frames = h->max_steps > 0 ? h->max_steps : RUNNER_MAX_STEPS};
}

static bool take_status(void *ctx, const struct run_row *row)
{
    enum run_status *status = ctx;

    *status = row->status;
    return false;
}

/* The state in which an earlier process stopped the run. */
static enum status take_up(struct runner *r, struct error *err)
{
    struct store_reader *q = NULL;
    enum run_status was = RUN_RUNNING;
    enum status st = STATUS_OK;

    if (run_is_resumed(r->run))
        st = store_reader_open(run_store(r->run), &q, err);
    if (q)
        st = query_run(q, run_uuid(r->run), take_status, &was, err);
    run_budget_init(&r->budget, r->plan, r->host.seams, run_budget(r->run));
    if (r->host.replay)
        r->budget.live.wall_ms_limit = 0;
    r->frames.was_waiting = was == RUN_WAITING;
    store_reader_close(q);
    return st;
}

static void on_wall(void *ctx)
{
    struct frame *root = ctx;

    frame_drop_timer(root);
    frame_time_out(root);
}

static void begin_root(struct runner *r)
{
    struct frame *f = runner_root_new(&r->frames, r->plan, r->inputs);
    int64_t wall_ms = r->host.replay ? 0 : r->plan->budget.wall_ms,
            left = wall_ms - r->budget.wall_before_ms;

    r->root = f;
    if (wall_ms > 0) {
        left = left > 0 ? left : 0;
        f->deadline_ms = f->ends_ms = r->budget.began_ms + left;
        f->time_words = run_budget_wall_words(wall_ms);
        f->timer = loop_timer_new(r->host.loop, left, on_wall, f);
    }
    f->ops->begin(f);
}

enum status runner_new(const struct runner_host *h, const struct plan *plan, struct runner **out,
                       struct error *err)
{
    struct plan_check check = {
        .tools = h->tools, .unattended = h->unattended, .resumed = h->resumed};
    struct runner *r = xcalloc(1, sizeof(*r));
    enum status st;

    r->host = *h;
    r->plan = plan;
    st = blueprint_check(plan, &check, err);
    if (!st)
        st = runner_make_roles(r, plan, err);
    if (!st && !h->resumed && !h->replay)
        st = runner_check_models(r, plan, err);
    if (!st && !h->resumed && !h->replay)
        st = runner_check_cost(r, plan, err);
    if (st) {
        runner_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

enum status runner_start(struct runner *r, struct run *run, struct json *inputs, runner_done done,
                         void *ctx, struct error *err)
{
    bool cancelled = false;
    enum status st;

    r->run = run;
    r->done = done;
    r->ctx = ctx;
    host_frames(r);
    st = take_up(r, err);
    if (!st && run_is_resumed(run)) /* an owner that died may not have done it */
        st = run_poll_cancelled(run, &cancelled, err);
    if (st)
        return st;
    r->inputs = jv_ref(inputs);
    if (run_is_resumed(run))
        run_set_status(run, RUN_RUNNING, NULL, NULL);
    r->tick = loop_tick_new(r->host.loop, on_tick, r);
    begin_root(r);
    set_poll(r);
    if (cancelled)
        runner_cancel(r);
    return STATUS_OK;
}

void runner_free(struct runner *r)
{
    if (!r)
        return;
    frame_free_tree(r->root);
    loop_timer_free(r->poll);
    loop_tick_free(r->tick);
    if (r->pump)
        r->pump->r = NULL;
    if (r->check)
        r->check->r = NULL;
    runner_free_roles(r);
    run_budget_deinit(&r->budget);
    jv_unref(r->inputs);
    free(r);
}
