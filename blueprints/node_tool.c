/* node_tool.c - tool: one call, with the protocol of agents/tool_step.h.
 *
 * step_*.c records the begin and the end of the step. All in between belongs to the call, also
 * questions and calls that a crash left uncertain.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/tool_step.h"
#include "blueprints/frame_vars.h"
#include "blueprints/step.h"

static void on_done(void *ctx, struct tool_step *s)
{
    struct frame *f = ctx;
    const struct tool_step_result *r = tool_step_result(s);

    f->used.steps = f->used.calls = 1;
    f->not_retryable = r->not_retryable;
    if (r->fatal.status)
        frame_fatal(f, &r->fatal);
    if (r->state == STEP_OK)
        frame_end(f, STEP_OK, r->assumed ? jv_null() : tool_result_value(r->out), NULL);
    else
        frame_end(f, r->state, NULL, r->error ? "%s" : NULL, r->error ? r->error : "");
}

static void on_asking(void *ctx, struct tool_step *s, bool asking, int64_t due_ms)
{
    struct frame *f = ctx;

    (void)s;
    if (frame_is_stopping(f))
        return;
    if (asking) {
        step_wait(f, due_ms);
    } else {
        f->due_ms = 0;
        frame_set_state(f, FRAME_WORKING);
    }
}

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    enum status st = vars_eval(f->vars, f->step->in, in, err);

    if (!st && jv_kind(*in) == JV_NULL) {
        jv_unref(*in);
        *in = jv_object();
    }
    return st;
}

static void begin(struct frame *f)
{
    struct tool *tool = tool_registry_find(f->host->tools, f->step->tool);

    if (!tool) {
        frame_end(f, STEP_ERROR, NULL, "unknown tool `%s`", f->step->tool);
        return;
    }
    budget_spend(f->spends, 0, 1, 1);
    f->node = tool_step_new(&(struct tool_step_spec){
        .tool = tool,
        .arguments = f->in,
        .run = f->host->run,
        .path = f->path,
        .attempt = f->attempt,
        .effect = step_effect(f),
        .recovered = f->recovered,
        .was_asking = f->was_asking,
        .started_ms = f->started_ms,
        .deadline_ms = f->timer ? f->deadline_ms : f->parent->deadline_ms,
        /* The frame has no timer when a call is repeated after a time-out. */
        .timeout_ms = f->timer ? 0 : f->step->timeout_ms,
        .loop = f->host->loop,
        .seams = f->host->seams,
        .done = on_done,
        .asking = on_asking,
        .ctx = f});
    tool_step_start(f->node);
}

static void cancel(struct frame *f)
{
    if (f->node)
        tool_step_stop(f->node, f->stop == STOP_TIMEOUT ? STEP_TIMEOUT : STEP_CANCELLED);
    else
        frame_end(f, STEP_CANCELLED, NULL, NULL);
}

static void poll(struct frame *f)
{
    tool_step_poll(f->node);
}

static void release(struct frame *f)
{
    tool_step_free(f->node);
    f->node = NULL;
}

const struct node_ops node_tool_ops = {
    .prepare = prepare, .begin = begin, .cancel = cancel, .poll = poll, .release = release};
