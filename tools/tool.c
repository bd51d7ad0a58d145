/* tool.c - a tool from its declaration, and the life of a call: arguments checked, started,
 * finished exactly once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/tool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tools/schema.h"

static enum status parse_schema(const char *tool, const char *text, struct json **out,
                                struct error *err)
{
    enum status st;

    if (!text)
        return STATUS_OK;
    st = jv_parse(text, strlen(text), tool, out, err);
    if (!st)
        st = schema_supported(*out, err);
    if (st)
        error_note(err, "schema of tool %s", tool);
    return st;
}

enum status tool_new(const struct tool_declaration *d, const struct tool_ops *ops, void *ctx,
                     struct tool **out, struct error *err)
{
    struct tool *t = xcalloc(1, sizeof(*t));
    enum status st;

    t->ops = ops;
    t->name = xstrdup(d->name);
    t->description = xstrdup(d->description);
    t->source = xstrdup(d->source);
    t->effect = d->effect;
    t->access = d->access;
    t->ctx = ctx;
    st = parse_schema(d->name, d->input_schema, &t->input_schema, err);
    if (!st)
        st = parse_schema(d->name, d->output_schema, &t->output_schema, err);
    if (st)
        ops->free(t);
    else
        *out = t;
    return st;
}

void tool_release(struct tool *t)
{
    free((void *)(uintptr_t)t->name);
    free((void *)(uintptr_t)t->description);
    free((void *)(uintptr_t)t->source);
    jv_unref(t->input_schema);
    jv_unref(t->output_schema);
    free(t);
}

static struct json *error_value(const char *text)
{
    struct json *v = jv_object();

    jv_set_string(v, "error", text);
    return v;
}

void tool_call_start(struct tool_call *c)
{
    struct error err = ERROR_INIT;
    /* Models leave out arguments where there is nothing to say; NULL reads as empty. */
    struct json *empty = c->arguments ? NULL : jv_object();
    enum status st =
        schema_check(c->tool->input_schema, empty ? empty : c->arguments, "arguments", &err);

    assert(!c->result);
    jv_unref(empty);
    if (st)
        tool_call_finish_error(c, "%s%s%s", err.where, err.where[0] ? ": " : "", err.message);
    else
        c->tool->ops->start(c->tool, c);
}

void tool_call_finish(struct tool_call *c, enum tool_outcome outcome, struct json *adopt_result)
{
    assert(!c->result); /* exactly once */
    c->outcome = outcome;
    c->result = adopt_result ? adopt_result : jv_null();
    if (c->done)
        c->done(c);
}

void tool_call_finish_error(struct tool_call *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    tool_call_finish(c, TOOL_ERROR, error_value(text));
}

void tool_call_cancel(struct tool_call *c)
{
    if (c->tool->ops->cancel)
        c->tool->ops->cancel(c->tool, c);
}

void tool_call_deinit(struct tool_call *c)
{
    jv_unref(c->result);
    c->result = NULL;
}
