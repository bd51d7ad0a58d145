/* tool_call.c - the life of a call: checks its arguments, starts it, finishes it exactly once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/schema.h"
#include "tools/tool.h"

static void answer_nobody(struct tool_call *c, const struct json *prompt, int64_t deadline_ms,
                          void (*answered)(struct tool_call *c, const struct json *answer))
{
    (void)prompt;
    (void)deadline_ms;
    answered(c, NULL);
}

static void ignore_progress(struct tool_call *c, double done, double total, const char *words)
{
    (void)c;
    (void)done;
    (void)total;
    (void)words;
}

static void ignore_log(struct tool_call *c, const char *level, const char *text)
{
    (void)c;
    (void)level;
    (void)text;
}

static const struct tool_host nobody = {
    .ask = answer_nobody, .progress = ignore_progress, .log = ignore_log};

struct tool_call *tool_call_new(const struct tool_call_spec *s)
{
    struct tool_call *c = xcalloc(1, sizeof(*c));

    c->tool = tool_ref(s->tool);
    c->arguments = s->arguments ? jv_ref(s->arguments) : NULL;
    c->path = s->path ? xstrdup(s->path) : NULL;
    c->idem = s->idem ? xstrdup(s->idem) : NULL;
    c->deadline_ms = s->deadline_ms;
    c->host = s->host ? s->host : &nobody;
    c->done = s->done;
    c->caller = s->caller;
    return c;
}

void tool_call_free(struct tool_call *c)
{
    if (!c)
        return;
    if (c->state_now == TOOL_CALL_OPEN) {
        c->abandoned = true;
        c->host = &nobody;
        c->caller = NULL;
        return;
    }
    tool_result_deinit(&c->result);
    jv_unref((struct json *)(uintptr_t)c->arguments);
    free((void *)(uintptr_t)c->path);
    free((void *)(uintptr_t)c->idem);
    tool_unref(c->tool);
    free(c);
}

static enum status check_arguments(const struct tool_call *c, struct error *err)
{
    /* Models leave out arguments for a call without any. */
    struct json *empty = c->arguments ? NULL : jv_object();
    enum status st =
        c->tool->checks_input
            ? schema_check(c->tool->checks_input, empty ? empty : c->arguments, "arguments", err)
            : STATUS_OK;

    jv_unref(empty);
    return st;
}

void tool_call_start(struct tool_call *c)
{
    struct error err = ERROR_INIT;

    assert(c->state_now == TOOL_CALL_NEW);
    c->state_now = TOOL_CALL_OPEN;
    if (c->tool->retired)
        tool_call_refuse(c, "%s no longer offers the tool %s", c->tool->source, c->tool->name);
    else if (check_arguments(c, &err))
        tool_call_refuse(c, "%s%s%s", err.where, err.where[0] ? ": " : "", err.message);
    else
        c->tool->ops->start(c->tool, c);
}

void tool_call_ask_status(struct tool_call *c)
{
    assert(c->state_now == TOOL_CALL_NEW && c->tool->ops->status);
    c->state_now = TOOL_CALL_OPEN;
    c->asks_status = true;
    c->tool->ops->status(c->tool, c);
}

void tool_call_cancel(struct tool_call *c)
{
    if (c->state_now == TOOL_CALL_OPEN && c->tool->ops->cancel)
        c->tool->ops->cancel(c->tool, c);
}

static struct json *error_value(const char *text)
{
    struct json *v = jv_object();

    jv_set_string(v, "error", text);
    return v;
}

static void finish(struct tool_call *c, enum tool_outcome outcome)
{
    c->state_now = TOOL_CALL_FINISHED;
    c->outcome = outcome;
    if (c->abandoned)
        tool_call_free(c);
    else if (c->done)
        c->done(c);
}

/* Is the result valid under the tool's output schema? */
static enum status check_result(const struct tool_call *c, struct error *err)
{
    enum status st = c->result.content ? tool_content_check(c->result.content, err) : STATUS_OK;

    if (!st && c->result.value && c->tool->checks_output)
        st = schema_check(c->tool->checks_output, c->result.value, "result", err);
    return st;
}

void tool_call_finish_content(struct tool_call *c, enum tool_outcome outcome,
                              struct json *adopt_content, struct json *adopt_value)
{
    struct error err = ERROR_INIT;
    char text[sizeof(err.where) + sizeof(err.message) + 80];

    assert(c->state_now == TOOL_CALL_OPEN); /* exactly once */
    c->result = (struct tool_result){.value = adopt_value, .content = adopt_content};
    /* A status query is not checked: the effect happened, whatever its result looks like. */
    if (outcome == TOOL_OK && !c->asks_status && check_result(c, &err)) {
        (void)snprintf(text, sizeof(text),
                       "the result of %s does not fit its output schema: %s%s%s", c->tool->name,
                       err.where, err.where[0] ? ": " : "", err.message);
        tool_result_deinit(&c->result);
        c->result.value = error_value(text);
        outcome = TOOL_ERROR;
    }
    finish(c, outcome);
}

void tool_call_finish(struct tool_call *c, enum tool_outcome outcome, struct json *adopt_value)
{
    tool_call_finish_content(c, outcome, NULL, adopt_value);
}

static void finish_error(struct tool_call *c, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void finish_error(struct tool_call *c, const char *fmt, va_list ap)
{
    char text[1024];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    tool_call_finish(c, TOOL_ERROR, error_value(text));
}

void tool_call_finish_error(struct tool_call *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    finish_error(c, fmt, ap);
    va_end(ap);
}

void tool_call_refuse(struct tool_call *c, const char *fmt, ...)
{
    va_list ap;

    c->not_retryable = true;
    va_start(ap, fmt);
    finish_error(c, fmt, ap);
    va_end(ap);
}
