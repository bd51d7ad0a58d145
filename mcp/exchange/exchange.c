/* exchange.c - see exchange.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/exchange/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

/* Copies a view to *at, which moves on. */
static struct json_view copy_view(char **at, struct json_view v)
{
    struct json_view copy = {.at = v.at ? *at : NULL, .n = v.n};

    if (v.at) {
        memcpy(*at, v.at, v.n);
        *at += v.n;
    }
    return copy;
}

/* ---- callers */

struct mcp_caller *mcp_caller_new(const struct mcp_caller_spec *s)
{
    struct mcp_caller *c = xcalloc(1, sizeof(*c));
    char *at;

    assert(s->revision < MCP_REVISION_N);
    c->refs = 1;
    c->principal = xstrdup(s->principal ? s->principal : "");
    c->session = xstrdup(s->session ? s->session : "");
    c->view = xstrdup(s->view ? s->view : "");
    c->revision = s->revision;
    c->can = mcp_abilities(s->capabilities);
    at = c->text = xmalloc(s->capabilities.n + s->client_info.n + 1);
    c->capabilities = copy_view(&at, s->capabilities);
    c->client_info = copy_view(&at, s->client_info);
    return c;
}

struct mcp_caller *mcp_caller_ref(struct mcp_caller *c)
{
    assert(c->refs > 0);
    c->refs++;
    return c;
}

void mcp_caller_unref(struct mcp_caller *c)
{
    if (!c || --c->refs > 0)
        return;
    free(c->principal);
    free(c->session);
    free(c->view);
    free(c->text);
    free(c);
}

/* ---- exchanges */

struct mcp_exchange *mcp_exchange_new(const struct mcp_exchange_spec *s)
{
    struct mcp_exchange *x = mem_alloc(1, sizeof(*x));
    size_t n_only = s->only ? strlen(s->only) + 1 : 0;
    char *at = mem_alloc(s->params.n + s->input_errors.n + n_only + 1, 1);

    assert(mcp_method_facts(s->method)->kind == MCP_OF_CLIENT);
    assert(!s->params.at || json_view_kind(s->params) == JV_OBJECT);
    if (!x || !at) {
        free(x);
        free(at);
        return NULL;
    }
    x->refs = 1;
    x->text = at;
    x->method = s->method;
    x->caller = mcp_caller_ref(s->caller);
    x->params = copy_view(&at, s->params);
    x->input_errors = copy_view(&at, s->input_errors);
    if (s->only)
        x->only = memcpy(at, s->only, n_only);
    x->wants_progress = s->wants_progress;
    x->log_level = s->log_level;
    x->deadline_ms = s->deadline_ms;
    x->events = s->events;
    return x;
}

struct mcp_exchange *mcp_exchange_ref(struct mcp_exchange *x)
{
    assert(x->refs > 0);
    x->refs++;
    return x;
}

void mcp_exchange_unref(struct mcp_exchange *x)
{
    if (!x || --x->refs > 0)
        return;
    assert(x->state != MCP_EXCHANGE_OPEN);
    mcp_caller_unref(x->caller);
    free(x->text);
    free(x);
}

void mcp_exchange_start(struct mcp_exchange *x, const struct mcp_handler *handler)
{
    assert(x->state == MCP_EXCHANGE_NEW);
    mcp_exchange_ref(x); /* the handler's, until it has finished */
    x->handler = handler;
    x->state = MCP_EXCHANGE_OPEN;
    handler->start(handler->ctx, x);
}

void mcp_exchange_cancel(struct mcp_exchange *x)
{
    if (x->state != MCP_EXCHANGE_OPEN || x->is_cancelled)
        return;
    x->is_cancelled = true;
    x->handler->cancel(x->handler->ctx, x);
}

void mcp_exchange_abandon(struct mcp_exchange *x)
{
    x->events = (struct mcp_exchange_events){0};
    mcp_exchange_cancel(x);
}

void mcp_exchange_note(struct mcp_exchange *x, enum mcp_method note, struct json_view params)
{
    assert(x->state == MCP_EXCHANGE_OPEN);
    assert(mcp_method_facts(note)->kind == MCP_NOTE);
    if (x->is_cancelled || !x->events.note)
        return;
    if (note == MCP_PROGRESS && !x->wants_progress)
        return;
    if (note == MCP_MESSAGE) {
        enum mcp_log_level level = mcp_log_level_find(json_view_get(params, "level"));

        if (x->log_level == MCP_LOG_NONE || level < x->log_level)
            return;
    }
    x->events.note(x->events.ctx, x, note, params);
}

void mcp_exchange_finish(struct mcp_exchange *x, const struct mcp_answer *a)
{
    assert(x->state == MCP_EXCHANGE_OPEN);
    assert((a->kind == MCP_ERROR) == (a->result.at == NULL));
    x->state = MCP_EXCHANGE_FINISHED;
    x->work = NULL;
    if (x->events.done)
        x->events.done(x->events.ctx, x, a);
    mcp_exchange_unref(x);
}

void mcp_exchange_complete(struct mcp_exchange *x, struct json_view result)
{
    mcp_exchange_finish(x, &(struct mcp_answer){.kind = MCP_COMPLETE, .result = result});
}

void mcp_exchange_fail(struct mcp_exchange *x, int64_t code, const char *fmt, ...)
{
    struct str message;
    va_list ap;

    str_init(&message, 4096);
    va_start(ap, fmt);
    str_vprintf(&message, fmt, ap);
    va_end(ap);
    mcp_exchange_finish(
        x, &(struct mcp_answer){.kind = MCP_ERROR, .code = code, .message = str_cstr(&message)});
    str_deinit(&message);
}

void mcp_exchange_fail_status(struct mcp_exchange *x, const struct error *err)
{
    mcp_exchange_fail(x, rpc_code_of(err->status), "%s", err->message);
}

void mcp_exchange_fail_cancelled(struct mcp_exchange *x)
{
    mcp_exchange_finish(x, &(struct mcp_answer){.kind = MCP_ERROR,
                                                .code = RPC_INTERNAL_ERROR,
                                                .message = "the request was cancelled",
                                                .is_cancelled = true});
}

void mcp_exchange_fail_abilities(struct mcp_exchange *x, unsigned needed)
{
    static const struct {
        unsigned ability;
        const char *json;
    } words[] = {
        {MCP_CAN_ELICIT_FORM, "\"elicitation\":{\"form\":{}}"},
        {MCP_CAN_ELICIT_URL, "\"elicitation\":{\"url\":{}}"},
        {MCP_CAN_SAMPLE_TOOLS, "\"sampling\":{\"tools\":{}}"},
        {MCP_CAN_SAMPLE, "\"sampling\":{}"},
        {MCP_CAN_LIST_ROOTS, "\"roots\":{}"},
        {MCP_CAN_TASKS, "\"extensions\":{\"" MCP_META_TASKS "\":{}}"},
    };
    unsigned missing = needed & ~x->caller->can;
    struct str data;
    const char *comma = "";

    if (missing & MCP_CAN_ELICIT_FORM)
        missing &= ~(unsigned)MCP_CAN_ELICIT_URL; /* one key: the first is enough to go on */
    if (missing & MCP_CAN_SAMPLE_TOOLS)
        missing &= ~(unsigned)MCP_CAN_SAMPLE;
    str_init(&data, 1024);
    str_puts(&data, "{\"requiredCapabilities\":{");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (missing & words[i].ability) {
            str_printf(&data, "%s%s", comma, words[i].json);
            comma = ",";
        }
    }
    str_puts(&data, "}}");
    mcp_exchange_finish(x, &(struct mcp_answer){.kind = MCP_ERROR,
                                                .code = RPC_MISSING_CAPABILITY,
                                                .message = "the client lacks a capability that "
                                                           "this request needs",
                                                .data = json_view_str(&data)});
    str_deinit(&data);
}
