/* node_tool.c - tool: one call.
 *
 * The call's object belongs to the call until the tool has finished it: a frame that can wait no
 * longer leaves it behind, and what comes later is dropped. Before an idempotent or once effect
 * the intent is on disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/frame_question.h"
#include "blueprints/frame_vars.h"
#include "blueprints/step.h"

#define ASK_MS ((int64_t)7 * 24 * 3600 * 1000)

struct tool_work {
    struct tool_call call;
    struct frame *f; /* NULL: left behind */
    struct json *args;
    char *path;
    char idem[65];
    bool waiting;  /* for durability */
    bool running;  /* the tool has it */
    bool checking; /* it was asked for its status */
};

static void work_free(struct tool_work *w)
{
    tool_call_deinit(&w->call);
    jv_unref(w->args);
    free(w->path);
    free(w);
}

/* The frame's work ends here; the object stays as long as others hold it. */
static void leave(struct frame *f)
{
    struct tool_work *w = f->node;

    if (!w)
        return;
    f->node = NULL;
    w->f = NULL;
    if (!w->waiting && !w->running)
        work_free(w);
}

static void on_durable(void *ctx, enum status status, const struct error *err);

static void start_call(struct tool_work *w)
{
    w->running = true;
    budget_spend(w->f->spends, 0, 1, 1);
    tool_call_start(&w->call);
}

static enum step_state state_of(enum tool_outcome outcome)
{
    switch (outcome) {
    case TOOL_OK:
        return STEP_OK;
    case TOOL_TIMEOUT:
        return STEP_TIMEOUT;
    case TOOL_CANCELLED:
        return STEP_CANCELLED;
    case TOOL_ERROR:
    case TOOL_SUSPENDED:
        break;
    }
    return STEP_ERROR;
}

static void end_by_outcome(struct frame *f, const struct tool_call *c)
{
    const char *words = jv_get_string(jv_get(c->result, "error"), NULL);

    f->used.steps = f->used.calls = 1;
    if (c->outcome == TOOL_OK)
        frame_end(f, STEP_OK, jv_ref(c->result), NULL);
    else if (c->outcome == TOOL_SUSPENDED)
        frame_end(
            f, STEP_ERROR, NULL,
            "the tool waits for an approval, which a step of a blueprint asks for by `human`");
    else
        frame_end(f, state_of(c->outcome), NULL, words ? "%s" : NULL, words ? words : "");
}

static void on_done(struct tool_call *c)
{
    struct tool_work *w = c->caller;

    w->running = false;
    if (w->f)
        end_by_outcome(w->f, c);
    else
        work_free(w);
}

static struct tool_work *work_new(struct frame *f, struct tool *tool)
{
    struct tool_work *w = xcalloc(1, sizeof(*w));
    struct sha256 key = journal_idem(f->host->run, f->path, f->attempt);

    w->f = f;
    w->args = jv_ref(f->in);
    w->path = xstrdup(f->path);
    sha256_hex(&key, w->idem);
    w->call.tool = tool;
    w->call.arguments = w->args;
    w->call.path = w->path;
    w->call.idem = step_effect(f) >= EFFECT_IDEMPOTENT ? w->idem : NULL;
    w->call.deadline_ms = f->deadline_ms;
    w->call.done = on_done;
    w->call.caller = w;
    return w;
}

static void call_when_durable(struct frame *f)
{
    struct tool_work *w = f->node;

    frame_set_state(f, FRAME_WORKING);
    if (step_effect(f) < EFFECT_IDEMPOTENT) {
        start_call(w);
        return;
    }
    w->waiting = true;
    journal_when_durable(f->host->run, on_durable, w);
}

static void on_durable(void *ctx, enum status status, const struct error *err)
{
    struct tool_work *w = ctx;

    w->waiting = false;
    if (!w->f)
        work_free(w);
    else if (status)
        frame_fatal(w->f, err);
    else
        start_call(w);
}

/* ---- a `once` call that was begun before: did it happen? */

static void on_word(struct frame *f, const struct json *answer)
{
    const char *word = jv_get_string(answer, "fail");

    if (strcmp(word, "repeat") == 0)
        call_when_durable(f);
    else if (strcmp(word, "done") == 0)
        frame_end(f, STEP_OK, jv_null(), NULL);
    else
        frame_end(f, STEP_ERROR, NULL, "nobody knows whether the call of %s happened",
                  f->step->tool);
}

static void ask_human(struct frame *f)
{
    struct json *prompt = jv_object();
    struct json *options = jv_array();
    struct str text = STR_INIT;

    str_printf(
        &text,
        "The call of %s in step %s may have happened before the process ended, or not. done: it "
        "has, go on without its result; repeat: it has not, call again; fail: give up.",
        f->step->tool, f->path);
    jv_set_string(prompt, "text", str_cstr(&text));
    jv_append_adopt(options, jv_string("done"));
    jv_append_adopt(options, jv_string("repeat"));
    jv_append_adopt(options, jv_string("fail"));
    jv_set_adopt(prompt, "options", options);
    jv_set_string(prompt, "default", "fail");
    jv_set_adopt(prompt, "arguments", jv_ref(f->in));
    question_ask(f, "effect", prompt, f->started_ms + ASK_MS, on_word);
    str_deinit(&text);
}

static void on_status(struct tool_call *c)
{
    struct tool_work *w = c->caller;
    struct frame *f = w->f;

    w->running = false;
    if (!f) {
        work_free(w);
        return;
    }
    w->checking = false;
    c->done = on_done;
    if (c->outcome == TOOL_OK) { /* it happened, and this is its result */
        end_by_outcome(f, c);
        return;
    }
    tool_call_deinit(c);
    if (frame_is_stopping(f))
        frame_end(f, STEP_CANCELLED, NULL, NULL);
    else if (c->outcome == TOOL_ERROR) /* it did not */
        call_when_durable(f);
    else
        ask_human(f);
}

static void ask_tool(struct frame *f)
{
    struct tool_work *w = f->node;

    if (!w->call.tool->ops->status) {
        ask_human(f);
        return;
    }
    frame_set_state(f, FRAME_WORKING);
    w->checking = w->running = true;
    w->call.done = on_status;
    w->call.tool->ops->status(w->call.tool, &w->call);
}

/* ---- the node */

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
        frame_end(f, STEP_ERROR, NULL, "no tool `%s`", f->step->tool);
        return;
    }
    f->node = work_new(f, tool);
    if (f->recovered && step_effect(f) == EFFECT_ONCE)
        ask_tool(f);
    else
        call_when_durable(f);
}

static void cancel(struct frame *f)
{
    struct tool_work *w = f->node;

    question_end(f);
    if (w && w->running && !w->checking && w->call.tool->ops->cancel) {
        tool_call_cancel(&w->call); /* it will finish */
        return;
    }
    leave(f);
    frame_end(f, STEP_CANCELLED, NULL, NULL);
}

static void release(struct frame *f)
{
    question_end(f);
    leave(f);
}

const struct node_ops node_tool_ops = {.prepare = prepare,
                                       .begin = begin,
                                       .cancel = cancel,
                                       .poll = question_poll,
                                       .release = release};
