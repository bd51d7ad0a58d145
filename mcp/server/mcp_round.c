/* mcp_round.c - see mcp_round.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/mcp_round.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/server/mcp_call.h"
#include "mcp/server/mcp_session.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define INPUTS_MAX    32   /* requests of one round */
#define STATE_ONLY_MS 1000 /* a handler that wants no input, only to be asked again later */

struct ask {
    struct ask *next;
    struct mcp_round *round;
    char *key;       /* text of a JSON string */
    char id[24];     /* "" once it is answered */
    char url_id[37]; /* of a URL of a modern server, which gives it none; "": not one */
};

struct mcp_round {
    struct mcp_call *call;
    struct ask *first;
    int32_t n_open;
    struct str responses, errors; /* members of objects, or empty */
    char *state;                  /* text of requestState; NULL: none */
    struct loop_timer *timer;
};

void mcp_round_free(struct mcp_round *r)
{
    if (!r)
        return;
    while (r->first) {
        struct ask *a = r->first;

        r->first = a->next;
        if (a->id[0])
            (void)map_remove(r->call->session->asked, a->id);
        free(a->key);
        free(a);
    }
    loop_timer_free(r->timer);
    str_deinit(&r->responses);
    str_deinit(&r->errors);
    free(r->state);
    free(r);
}

/* All is answered. */
static void go_on(struct mcp_round *r)
{
    struct mcp_call *c = r->call;
    struct json_view responses = JSON_VIEW_NONE, errors = JSON_VIEW_NONE, state = JSON_VIEW_NONE;

    c->round = NULL; /* it lives to the end of this */
    if (r->first) {
        str_putc(&r->responses, '}');
        responses = message_part(&r->responses);
    }
    if (r->errors.len > 1) {
        str_putc(&r->errors, '}');
        errors = message_part(&r->errors);
    }
    if (r->state)
        state = json_view_of(r->state, strlen(r->state));
    if (str_ok(&r->responses) && str_ok(&r->errors))
        mcp_call_again(c, responses, state, errors);
    else
        mcp_call_fail(c, RPC_INVALID_PARAMS, "the client's answers are too large");
    r->call = NULL;
    mcp_round_free(r);
}

static void on_pause_over(void *ctx)
{
    go_on(ctx);
}

static void on_timeout(void *ctx)
{
    struct mcp_round *r = ctx;

    mcp_call_fail(r->call, RPC_INTERNAL_ERROR, "the client did not answer a request for input");
}

/* ---- asking */

/* Why this cannot be asked; NULL: it can. */
static const char *fault_of(const struct mcp_call *c, enum mcp_method m, struct json_view params)
{
    unsigned needs;

    if (m == MCP_METHOD_N || mcp_method_facts(m)->kind != MCP_OF_SERVER)
        return "the server asks for input in a way that the protocol does not have";
    needs = mcp_ability_for(m, params);
    if (needs & ~c->caller->can)
        return "the server asks for input that the client has not declared to have";
    return NULL;
}

static void add_ask(struct mcp_round *r, struct json_view key)
{
    struct mcp_session *s = r->call->session;
    struct ask *a = xcalloc(1, sizeof(*a)), **end = &r->first;

    a->round = r;
    a->key = xstrndup(key.at, key.n);
    (void)snprintf(a->id, sizeof(a->id), "%" PRId64, ++s->last_asked);
    (void)map_put(s->asked, a->id, a);
    while (*end)
        end = &(*end)->next;
    *end = a;
    r->n_open++;
}

/* NULL, and a fault: not all can be asked. */
static const char *add_asks(struct mcp_round *r, struct json_view inputs)
{
    if (json_view_size(inputs) > INPUTS_MAX)
        return "the server asks for too many inputs at once";
    for (struct json_walk w = json_walk(inputs); json_walk_next(&w);) {
        enum mcp_method m = mcp_method_find(json_view_get(w.value, "method"));
        const char *fault = fault_of(r->call, m, json_view_get(w.value, "params"));

        if (fault)
            return fault;
        add_ask(r, w.key);
    }
    return NULL;
}

/* The params of a URL as a legacy client wants them: with an elicitationId. */
static struct json_view params_of(struct mcp_call *c, struct ask *a, enum mcp_method m,
                                  struct json_view params, struct str *changed)
{
    struct str id = STR_INIT;
    struct json_change change = {.key = "elicitationId"};

    if (m != MCP_ELICIT || !json_view_is(json_view_get(params, "mode"), "url") ||
        json_view_get(params, "elicitationId").at)
        return params;
    seams_uuid7(c->server->seams, a->url_id);
    str_printf(&id, "\"%s\"", a->url_id);
    change.value = message_part(&id);
    json_view_put_changed(changed, params, &change, 1);
    changed->failed |= !str_ok(&id);
    str_deinit(&id);
    return message_part(changed);
}

static void send_ask(struct mcp_call *c, struct ask *a, struct json_view input)
{
    enum mcp_method m = mcp_method_find(json_view_get(input, "method"));
    struct str text, changed;

    str_init(&text, STR_MAX_DEFAULT);
    str_init(&changed, STR_MAX_DEFAULT);
    rpc_write_request(&text, json_view_of(a->id, strlen(a->id)), mcp_method_facts(m)->name,
                      params_of(c, a, m, json_view_get(input, "params"), &changed));
    if (str_ok(&text) && str_ok(&changed))
        c->sink.message(c->sink.ctx, json_view_str(&text), false);
    str_deinit(&text);
    str_deinit(&changed);
}

void mcp_round_complete_urls(struct mcp_call *c)
{
    const char *at = str_cstr(&c->urls), *end;

    for (; (end = strchr(at, '\n')); at = end + 1) {
        struct str params = STR_INIT, text = STR_INIT;

        str_printf(&params, "{\"elicitationId\":\"%.*s\"}", (int)(end - at), at);
        rpc_write_notification(&text, mcp_method_facts(MCP_ELICIT_COMPLETE)->name,
                               message_part(&params));
        if (str_ok(&params) && str_ok(&text))
            c->sink.message(c->sink.ctx, json_view_str(&text), true);
        str_deinit(&params);
        str_deinit(&text);
    }
    str_clear(&c->urls);
}

void mcp_round_begin(struct mcp_call *c, struct json_view required)
{
    struct json_view inputs = json_view_get(required, "inputRequests"),
                     state = json_view_get(required, "requestState");
    size_t max = 2 * c->server->limits.message_bytes;
    struct mcp_round *r;
    const char *fault;
    struct ask *a;

    if (++c->n_rounds > c->server->limits.input_rounds) {
        mcp_call_fail(c, RPC_INTERNAL_ERROR, "the server asks for input again and again");
        return;
    }
    r = c->round = xcalloc(1, sizeof(*r));
    r->call = c;
    str_init(&r->responses, max);
    str_init(&r->errors, max);
    str_putc(&r->responses, '{');
    str_putc(&r->errors, '{');
    r->state = state.at ? xstrndup(state.at, state.n) : NULL;
    fault = add_asks(r, inputs);
    if (fault) {
        mcp_call_fail(c, RPC_INTERNAL_ERROR, fault);
        return;
    }
    if (r->n_open == 0) {
        r->timer = loop_timer_new(c->server->loop, STATE_ONLY_MS, on_pause_over, r);
        return;
    }
    r->timer = loop_timer_new(c->server->loop, c->server->limits.input_ms, on_timeout, r);
    a = r->first;
    for (struct json_walk w = json_walk(inputs); json_walk_next(&w); a = a->next)
        send_ask(c, a, w.value); /* a sink never answers inside */
}

/* ---- answers */

static void add_member(struct str *to, const char *key, struct json_view value)
{
    if (to->len > 1)
        str_putc(to, ',');
    str_puts(to, key);
    str_putc(to, ':');
    json_view_put(to, value);
}

static void add_error(struct str *to, const char *key, const struct rpc_message *m)
{
    if (to->len > 1)
        str_putc(to, ',');
    str_printf(to, "%s:{\"code\":%" PRId64 ",\"message\":", key, m->code);
    json_view_put(to, m->message);
    str_putc(to, '}');
}

void mcp_round_answer(struct mcp_session *s, const struct rpc_message *m)
{
    struct ask *a = m->id.at ? map_get_n(s->asked, m->id.at, m->id.n) : NULL;
    struct mcp_round *r;

    if (!a)
        return;
    r = a->round;
    (void)map_remove(s->asked, a->id);
    a->id[0] = '\0';
    if (a->url_id[0] && m->kind == RPC_RESULT &&
        json_view_is(json_view_get(m->result, "action"), "accept"))
        str_printf(&r->call->urls, "%s\n", a->url_id);
    if (m->kind == RPC_RESULT)
        add_member(&r->responses, a->key, m->result);
    else
        add_error(&r->errors, a->key, m);
    if (--r->n_open == 0)
        go_on(r);
}
