/* mcp_call.c - see mcp_call.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/mcp_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/server/mcp_round.h"
#include "mcp/server/request_meta.h"
#include "mcp/server/result_shape.h"
#include "runtime/base/memory.h"

#define MESSAGE_MAX STR_MAX_DEFAULT

static struct json_view id_of(const struct mcp_call *c)
{
    return json_view_of(c->id, strlen(c->id));
}

static bool is_modern(const struct mcp_call *c)
{
    return !c->session;
}

/* ---- life */

static void drop_exchange(struct mcp_exchange **x)
{
    if (*x && (*x)->state == MCP_EXCHANGE_OPEN)
        mcp_exchange_abandon(*x);
    mcp_exchange_unref(*x);
    *x = NULL;
}

static void call_free(struct mcp_call *c)
{
    if (c->in_flight)
        (void)map_remove(c->in_flight, c->id);
    if (c->previous)
        c->previous->next = c->next;
    else
        c->server->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    c->server->n_calls--;
    mcp_round_free(c->round);
    str_deinit(&c->urls);
    drop_exchange(&c->x);
    drop_exchange(&c->first);
    mcp_caller_unref(c->caller);
    free(c->token);
    free(c);
}

static void end(struct mcp_call *c, struct json_view message, int64_t code)
{
    struct mcp_sink sink = c->sink;

    call_free(c);
    sink.answer(sink.ctx, message, code);
}

/* The text is the message; the call is gone. */
static void end_with(struct mcp_call *c, struct str *text, int64_t code)
{
    if (!str_ok(text)) {
        str_clear(text);
        code = RPC_INTERNAL_ERROR;
        rpc_write_error(text, id_of(c), code, "the answer is too large", JSON_VIEW_NONE);
    }
    if (c->is_cancelled)
        end(c, JSON_VIEW_NONE, 0);
    else
        end(c, message_text(text), code);
    str_deinit(text);
}

void mcp_call_fail(struct mcp_call *c, int64_t code, const char *message)
{
    struct str text;

    str_init(&text, MESSAGE_MAX);
    rpc_write_error(&text, id_of(c), code, message, JSON_VIEW_NONE);
    end_with(c, &text, code);
}

/* ---- what the handler says */

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    struct mcp_call *c = ctx;
    bool may_drop = note == MCP_PROGRESS || note == MCP_MESSAGE;
    struct str changed, text;
    struct json_view sent = params;

    (void)x;
    if (note == MCP_ELICIT_COMPLETE && c->caller->revision != MCP_2025_11_25)
        return;
    str_init(&changed, MESSAGE_MAX);
    str_init(&text, MESSAGE_MAX);
    if (note == MCP_PROGRESS) {
        const struct json_change token = {.key = "progressToken",
                                          .value = json_view_of(c->token, strlen(c->token))};

        json_view_put_changed(&changed, params, &token, 1);
        sent = message_part(&changed);
    } else if (c->method == MCP_LISTEN) {
        result_put_subscribed(&changed, params, id_of(c));
        sent = message_part(&changed);
    }
    rpc_write_notification(&text, mcp_method_facts(note)->name, sent);
    if (str_ok(&changed) && str_ok(&text))
        c->sink.message(c->sink.ctx, json_view_str(&text), may_drop);
    str_deinit(&changed);
    str_deinit(&text);
}

static void put_modern(struct mcp_call *c, const struct mcp_answer *a, struct str *out)
{
    struct str revisions = STR_INIT;
    struct result_facts facts = {.method = c->method};

    if (c->method == MCP_DISCOVER) {
        mcp_server_learn(c->server, c->caller->view, a->result);
        mcp_server_put_revisions(c->server, &revisions);
        facts.revisions = message_part(&revisions);
    } else if (c->method == MCP_LISTEN) {
        facts.subscription = id_of(c);
    }
    facts.server_info = mcp_server_info(c->server, c->caller);
    result_put_modern(out, a, &facts);
    str_deinit(&revisions);
}

static void end_with_error(struct mcp_call *c, const struct mcp_answer *a)
{
    struct str text;

    str_init(&text, MESSAGE_MAX);
    rpc_write_error(&text, id_of(c), a->code, a->message, a->data);
    end_with(c, &text, a->code);
}

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct mcp_call *c = ctx;
    struct str result, text;

    (void)x;
    assert(x == c->x);
    (void)x;
    if (a->kind == MCP_ERROR) {
        end_with_error(c, a);
        return;
    }
    if (a->kind == MCP_INPUT_REQUIRED && !is_modern(c) && !c->is_cancelled) {
        mcp_round_begin(c, a->result);
        return;
    }
    mcp_round_complete_urls(c);
    str_init(&result, MESSAGE_MAX);
    str_init(&text, MESSAGE_MAX);
    if (c->method == MCP_INITIALIZE)
        result_put_initialize(&result, a->result, c->caller->revision);
    else if (is_modern(c))
        put_modern(c, a, &result);
    else
        result_put_legacy(&result, a, c->method);
    if (c->method == MCP_INITIALIZE)
        mcp_server_learn(c->server, c->caller->view, a->result);
    rpc_write_result(&text, id_of(c), message_part(&result));
    text.failed |= !str_ok(&result);
    str_deinit(&result);
    end_with(c, &text, 0);
}

void mcp_sink_error(const struct mcp_sink *sink, struct json_view id, int64_t code,
                    const char *message, struct json_view data)
{
    struct str text = STR_INIT;

    rpc_write_error(&text, id, code, message, data);
    sink->answer(sink->ctx, message_text(&text), code);
    str_deinit(&text);
}

/* ---- beginning */

static struct mcp_exchange *new_exchange(struct mcp_call *c, struct json_view params,
                                         struct json_view errors)
{
    return mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = c->method == MCP_INITIALIZE ? MCP_DISCOVER : c->method,
        .caller = c->caller,
        .params = params,
        .input_errors = errors,
        .wants_progress = c->token != NULL,
        .log_level = c->log_level,
        .events = {.note = on_note, .done = on_done, .ctx = c},
    });
}

struct mcp_call *mcp_call_new(const struct mcp_call_spec *s)
{
    struct mcp_call *c = mem_alloc(1, sizeof(*c) + s->id.n + 1);
    struct str params;

    if (!c)
        return NULL;
    c->server = s->server;
    c->session = s->session;
    c->caller = mcp_caller_ref(s->caller);
    c->urls = STR_INIT;
    c->method = s->method;
    c->log_level = s->log_level;
    c->sink = s->sink;
    memcpy(c->id, s->id.at, s->id.n);
    c->token = s->token.at ? xstrndup(s->token.at, s->token.n) : NULL;
    c->next = c->server->first;
    if (c->next)
        c->next->previous = c;
    c->server->first = c;
    c->server->n_calls++;
    str_init(&params, MESSAGE_MAX);
    if (s->method != MCP_INITIALIZE)
        request_meta_put_rest(&params, s->params);
    if (str_ok(&params))
        c->first = new_exchange(c, message_part(&params), JSON_VIEW_NONE);
    str_deinit(&params);
    if (!c->first) {
        call_free(c);
        return NULL;
    }
    c->in_flight = s->in_flight;
    if (c->in_flight)
        (void)map_put(c->in_flight, c->id, c);
    return c;
}

static void start(struct mcp_call *c, struct mcp_exchange *x)
{
    c->x = x;
    mcp_exchange_start(x, c->server->handler); /* c may be gone */
}

void mcp_call_start(struct mcp_call *c)
{
    if (c->server->is_stopping)
        mcp_call_fail(c, RPC_INTERNAL_ERROR, MCP_CALL_STOPPING);
    else
        start(c, mcp_exchange_ref(c->first));
}

void mcp_call_again(struct mcp_call *c, struct json_view responses, struct json_view state,
                    struct json_view errors)
{
    const struct json_change change[] = {{.key = "inputResponses", .value = responses},
                                         {.key = "requestState", .value = state}};
    struct mcp_exchange *x = NULL;
    struct str params;

    assert(c->x->state == MCP_EXCHANGE_FINISHED);
    str_init(&params, MESSAGE_MAX);
    json_view_put_changed(&params, c->first->params, change, ARRAY_LEN(change));
    if (str_ok(&params))
        x = new_exchange(c, json_view_str(&params), errors);
    str_deinit(&params);
    if (!x) {
        mcp_call_fail(c, RPC_INTERNAL_ERROR, "the answers are too large");
        return;
    }
    drop_exchange(&c->x);
    start(c, x);
}

/* ---- ends that are not the handler's */

void mcp_call_cancel(struct mcp_call *c)
{
    if (c->is_cancelled)
        return;
    c->is_cancelled = true;
    if (c->x && c->x->state == MCP_EXCHANGE_OPEN)
        mcp_exchange_cancel(c->x); /* done follows, or has been */
    else
        end(c, JSON_VIEW_NONE, 0);
}

void mcp_call_abandon(struct mcp_call *c)
{
    call_free(c);
}

void mcp_call_end_listen(struct mcp_call *c)
{
    const struct mcp_answer a = {.kind = MCP_COMPLETE, .result = json_view_of("{}", 2)};
    struct str result, text;

    assert(c->method == MCP_LISTEN && is_modern(c));
    str_init(&result, MESSAGE_MAX);
    str_init(&text, MESSAGE_MAX);
    put_modern(c, &a, &result);
    rpc_write_result(&text, id_of(c), message_part(&result));
    text.failed |= !str_ok(&result);
    str_deinit(&result);
    end_with(c, &text, 0);
}
