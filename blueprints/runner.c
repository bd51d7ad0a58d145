/* runner.c - starts a run, pumps its frames, stops it, and says how it ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/frame.h"

#define POLL_MS   200 /* how late another process's answer or cancel is noticed */
#define PUMP_MOST 512 /* events at one turn of the loop */

/* What was asked of the loop or the store cannot be taken back, so it finds out here whether its
 * runner is still there. */
struct pump {
    struct runner *r;
};

static void consider_end(struct runner *r);

/* ---- the pump */

static struct frame *take_ready(struct runner *r)
{
    struct frame *f = r->ready_first;

    if (!f)
        return NULL;
    r->ready_first = f->ready_next;
    if (!r->ready_first)
        r->ready_last = NULL;
    f->ready_next = NULL;
    return f;
}

static void pump(struct runner *r)
{
    struct frame *f;

    r->pumping = true;
    for (int i = 0; i < PUMP_MOST && !r->ending && (f = take_ready(r)) != NULL; i++) {
        enum frame_event event = f->event;

        f->event = FRAME_IDLE;
        if (event == FRAME_BEGIN)
            frame_begin(f);
        else if (event == FRAME_END && f != r->root)
            frame_finish(f);
        else if (event == FRAME_END) {
            frame_finish(f);
            r->ending = true;
        }
    }
    r->pumping = false;
    if (r->spent_more)
        budget_write(r);
    if (r->ready_first && !r->ending)
        runner_wake(r);
    else
        consider_end(r); /* r may be gone after this */
}

static void pump_deferred(void *ctx)
{
    struct pump *p = ctx;
    struct runner *r = p->r;

    free(p);
    if (!r)
        return;
    r->pump = NULL;
    if (!r->told)
        pump(r);
}

void runner_wake(struct runner *r)
{
    if (r->pumping || r->pump || r->told)
        return;
    r->pump = xcalloc(1, sizeof(*r->pump));
    r->pump->r = r;
    loop_defer(r->host.loop, pump_deferred, r->pump);
}

/* ---- the end */

static void tell(struct runner *r)
{
    runner_done done = r->done;

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
        r->result.status = RUN_ERROR;
        r->result.output = NULL;
        if (err)
            r->result.err = *err;
        else
            error_set(&r->result.err, status, "the store did not take the end of the run");
    }
    tell(r);
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

static enum status status_of(enum step_state end)
{
    switch (end) {
    case STEP_OK:
        return STATUS_OK;
    case STEP_TIMEOUT:
        return STATUS_TIMEOUT;
    case STEP_BUDGET:
        return STATUS_BUDGET;
    case STEP_CANCELLED:
        return STATUS_CANCELLED;
    case STEP_REJECTED:
        return STATUS_REJECTED;
    default:
        return STATUS_FAILED;
    }
}

static void conclude(struct runner *r, enum run_status status)
{
    struct runner_result *result = &r->result;
    const char *words = NULL;

    r->told = true;
    result->status = status;
    result->steps = r->n_frames;
    result->tok_in = r->tok_in;
    result->tok_out = r->tok_out;
    result->wall_ms = seams_wall_ms(r->host.seams) - r->began_ms;
    if (r->fatal.status) {
        result->err = r->fatal;
        tell(r);
        return;
    }
    if (!r->keep) {
        if (r->ending) {
            words = r->root->error;
            result->output = r->root->value;
            if (r->root->end != STEP_OK)
                error_set(&result->err, status_of(r->root->end), "%s",
                          words ? words : run_status_word(status));
        }
        budget_write(r);
        run_set_status(r->run, status, result->output, words);
    }
    journal_when_durable(r->run, on_durable, r);
}

static void consider_end(struct runner *r)
{
    if (r->told)
        return;
    if (r->ending)
        conclude(r, r->fatal.status ? RUN_ERROR : r->keep ? RUN_RUNNING : end_of(r));
    else if (r->n_busy == 0 && r->n_asking > 0 && (!r->host.stay || r->n_suspended > 0) &&
             !r->stopped)
        conclude(r, RUN_WAITING);
    else
        assert(r->n_busy > 0 || r->n_asking > 0);
}

/* ---- while it runs */

static void on_check(void *ctx, enum status status, const struct error *err)
{
    struct pump *p = ctx;
    struct runner *r = p->r;

    free(p);
    if (!r)
        return;
    r->check = NULL;
    if (status && !r->told)
        runner_fatal(r, err);
}

/* A store that takes nothing any more (a full disk) is noticed while the run works, not only at its
 * end. */
static void check_store(struct runner *r)
{
    struct pump *p;

    if (r->check)
        return;
    p = xcalloc(1, sizeof(*p));
    p->r = r;
    r->check = p;
    journal_when_durable(r->run, on_check, p);
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

    set_poll(r); /* it holds the loop open until the end is told */
    if (r->stopped || r->told)
        return;
    check_store(r);
    if (run_poll_cancelled(r->run, &cancelled, &err))
        runner_fatal(r, &err);
    else if (cancelled)
        runner_stop(r, false);
    else if (r->n_asking > 0)
        question_poll_all(r->root);
}

static void on_tick(void *ctx)
{
    struct runner *r = ctx;

    journal_flush(r->run);
}

void runner_fatal(struct runner *r, const struct error *err)
{
    if (!r->fatal.status && err)
        r->fatal = *err;
    r->fatal.status = r->fatal.status ? r->fatal.status : STATUS_FAILED;
    runner_stop(r, true);
}

void runner_stop(struct runner *r, bool keep)
{
    if (r->told || r->ending || (r->time_is_over && !keep)) /* it ends already */
        return;
    r->stopped = true;
    r->keep = r->keep || keep;
    frame_cancel(r->root);
}

void runner_time_out(struct runner *r, const char *words)
{
    if (r->told || r->ending || r->stopped)
        return;
    r->stopped = true;
    r->time_is_over = xstrdup(words);
    frame_time_out(r->root);
}

/* ---- life */

enum status runner_start(const struct runner_host *h, const struct plan *plan, struct run *run,
                         const struct json *inputs, runner_done done, void *ctx,
                         struct runner **out, struct error *err)
{
    struct plan_check check = {.tools = h->tools, .unattended = h->unattended};
    struct runner *r = xcalloc(1, sizeof(*r));
    enum status st;

    r->host = *h;
    r->plan = plan;
    r->run = run;
    r->done = done;
    r->ctx = ctx;
    r->open_budgets = jv_object();
    r->began_ms = seams_wall_ms(h->seams);
    st = plan_inputs(plan, inputs, &r->inputs, err);
    if (!st)
        st = blueprint_check(plan, &check, err);
    if (!st)
        st = runner_make_roles(r, plan, err);
    if (st) {
        runner_free(r);
        return st;
    }
    budget_restore(r);
    if (run_is_resumed(run))
        run_set_status(run, RUN_RUNNING, NULL, NULL);
    r->tick = loop_tick_new(h->loop, on_tick, r);
    runner_root_new(r);
    set_poll(r);
    *out = r;
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
    jv_unref(r->open_budgets);
    jv_unref(r->inputs);
    free(r->time_is_over);
    free(r);
}
