/* client_park.c - a legacy server asks for input in the course of a call: the call waits upstream,
 * and its client gets `input_required`.
 *
 * A round is one such answer. Its requestState names it ("park:CALL:NONCE"); who keeps that from
 * being forged is the hub. The first retry that brings the input goes on with the call, others wait
 * with it, and get the answer that was kept if it is there already. Nothing here starts a call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client_call.h"
#include "mcp/rpc/rpc.h"

#define STATE_PREFIX "park:"
#define STATE_BYTES  80
#define INPUTS_MAX   16  /* of a call at a time */
#define URLS_MAX     100 /* that a call has asked for */

struct park_input {
    struct park_input *next;
    char key[24];
    struct str id; /* of the server, as it was written */
    enum mcp_method method;
    struct str params;
};

struct park_note {
    struct park_note *next;
    enum mcp_method note;
    struct str params;
};

struct park_round {
    struct mcp_client *client;
    char state[STATE_BYTES];
    char *principal;
    enum mcp_method method;
    struct client_call *call; /* NULL: it is over, and `answer` is kept */
    bool is_answered;         /* the input has come */
    struct mcp_answer answer; /* lent from text */
    char *text;
    size_t bytes;
    bool is_lent;             /* to a callback */
    struct loop_timer *timer; /* of what is kept */
};

/* ---- rounds */

static void free_round(struct park_round *r)
{
    struct mcp_client *c = r->client;

    (void)map_remove(c->rounds, r->state);
    c->kept_bytes -= r->bytes;
    loop_timer_free(r->timer);
    free(r->principal);
    free(r->text);
    free(r);
}

static void on_kept(void *ctx)
{
    free_round(ctx);
}

static struct park_round *new_round(struct client_call *call)
{
    struct mcp_client *c = call->client;
    struct park_round *r = xcalloc(1, sizeof(*r));

    r->client = c;
    r->call = call;
    r->principal = xstrdup(call->caller->principal);
    r->method = call->method;
    (void)snprintf(r->state, sizeof(r->state), STATE_PREFIX "%lld:%016llx%016llx",
                   (long long)call->number, (unsigned long long)seams_random_u64(c->spec.seams),
                   (unsigned long long)seams_random_u64(c->spec.seams));
    (void)map_put(c->rounds, r->state, r);
    return r;
}

/* Frees answers that are kept, oldest first, until there is room. */
static bool make_room(struct mcp_client *c, size_t bytes)
{
    const char *key;
    void *value;
    size_t i = 0;

    if (bytes > c->spec.limits.kept_bytes)
        return false;
    while (c->kept_bytes + bytes > c->spec.limits.kept_bytes &&
           map_next(c->rounds, &i, &key, &value)) {
        struct park_round *r = value;

        if (r->call || r->is_lent)
            continue;
        free_round(r);
        i = 0;
    }
    return c->kept_bytes + bytes <= c->spec.limits.kept_bytes;
}

static struct json_view keep_view(char **at, struct json_view v)
{
    struct json_view copy = {.at = v.at ? *at : NULL, .n = v.n};

    if (v.at)
        memcpy(*at, v.at, v.n);
    *at += v.n;
    return copy;
}

/* The round is over with this answer. */
static void keep_answer(struct park_round *r, const struct mcp_answer *a)
{
    struct mcp_client *c = r->client;
    size_t message = a->message ? strlen(a->message) + 1 : 0,
           bytes = a->result.n + a->data.n + message;
    char *at = make_room(c, bytes) ? mem_alloc(bytes + 1, 1) : NULL;

    r->call = NULL;
    if (!at) {
        client_line(c, "an answer of %zu bytes is not kept for a retry sent twice", bytes);
        free_round(r);
        return;
    }
    r->text = at;
    r->bytes = bytes;
    c->kept_bytes += bytes;
    r->answer = *a;
    r->answer.result = keep_view(&at, a->result);
    r->answer.data = keep_view(&at, a->data);
    if (message)
        r->answer.message = memcpy(at, a->message, message);
    r->timer = loop_timer_new(
        c->spec.loop, r->is_answered ? c->spec.limits.kept_ms : c->spec.limits.park_ms, on_kept, r);
}

void client_rounds_free(struct mcp_client *c)
{
    const char *key;
    void *value;

    for (size_t i = 0; map_next(c->rounds, &i, &key, &value); i = 0)
        free_round(value);
    map_free(c->rounds, NULL);
}

/* ---- parking */

static void free_input(struct park_input *in)
{
    str_deinit(&in->id);
    str_deinit(&in->params);
    free(in);
}

static void put_result(struct str *out, const struct client_call *call, const char *state)
{
    const char *comma = "";

    str_puts(out, "{\"resultType\":\"input_required\",\"inputRequests\":{");
    for (const struct park_input *in = call->inputs; in; in = in->next) {
        str_printf(out, "%s\"%s\":{\"method\":\"%s\"", comma, in->key,
                   mcp_method_facts(in->method)->name);
        if (in->params.len > 0) {
            str_puts(out, ",\"params\":");
            str_append(out, str_cstr(&in->params), in->params.len);
        }
        str_putc(out, '}');
        comma = ",";
    }
    str_printf(out, "},\"requestState\":\"%s\"}", state);
}

static void refuse_inputs(struct client_call *call, const char *message)
{
    while (call->inputs) {
        struct park_input *in = call->inputs;

        call->inputs = in->next;
        client_refuse(call->client, json_view_str(&in->id), RPC_INTERNAL_ERROR, message);
        free_input(in);
    }
}

static void on_park_deadline(void *ctx)
{
    struct client_call *call = ctx;

    refuse_inputs(call, "the input did not come in time");
    client_line(call->client, "a call that waited for input was given up");
    client_call_free(call, true);
}

static void set_timer(struct client_call *call, int64_t ms, void (*fn)(void *ctx))
{
    loop_timer_free(call->timer);
    call->timer = fn ? loop_timer_new(call->client->spec.loop, ms, fn, call) : NULL;
}

/* All exchanges that wait get `input_required`. */
static void park(struct client_call *call)
{
    struct park_round *before = call->round;
    struct mcp_answer a = {.kind = MCP_INPUT_REQUIRED};
    struct str result = STR_INIT;

    call->round = new_round(call);
    call->is_parked = true;
    client_request_limit(call->request, false);
    set_timer(call, call->client->spec.limits.park_ms, on_park_deadline);
    put_result(&result, call, call->round->state);
    a.result = json_view_str(&result);
    if (before)
        keep_answer(before, &a);
    client_call_answer(call, &a);
    str_deinit(&result);
}

/* Requests that came in the same turn go out together. */
static void on_soon(void *ctx)
{
    struct client_call *call = ctx;

    set_timer(call, 0, NULL);
    if (call->inputs && !call->is_parked && call->request)
        park(call);
}

static int32_t n_parked(const struct mcp_client *c, const char *principal)
{
    int32_t n = 0;

    for (const struct client_call *call = c->calls; call; call = call->next)
        n += call->inputs && strcmp(call->caller->principal, principal) == 0;
    return n;
}

static void add_input(struct client_call *call, struct json_view id, enum mcp_method method,
                      struct json_view params)
{
    struct park_input *in = xcalloc(1, sizeof(*in)), **end = &call->inputs;

    (void)snprintf(in->key, sizeof(in->key), "input-%d", ++call->n_inputs);
    in->method = method;
    in->id = in->params = STR_INIT;
    json_view_put(&in->id, id);
    if (params.at)
        json_view_put(&in->params, params);
    while (*end)
        end = &(*end)->next;
    *end = in;
}

static void remember_url(struct client_call *call, enum mcp_method method, struct json_view params)
{
    struct str id = STR_INIT;

    if (method == MCP_ELICIT && json_view_text(json_view_get(params, "elicitationId"), &id)) {
        if (!call->urls)
            call->urls = map_new();
        if (map_size(call->urls) < URLS_MAX)
            (void)map_put(call->urls, str_cstr(&id), call);
    }
    str_deinit(&id);
}

void client_park_completed(struct mcp_client *c, struct json_view params)
{
    struct client_call *call = c->calls;
    struct str id = STR_INIT;

    if (!json_view_text(json_view_get(params, "elicitationId"), &id))
        call = NULL;
    while (call && !(call->urls && map_remove(call->urls, str_cstr(&id))))
        call = call->next;
    str_deinit(&id);
    if (call)
        client_call_note(call, MCP_ELICIT_COMPLETE, params);
    else
        c->counts.unknown++;
}

void client_park_ask(struct client_call *call, struct json_view id, enum mcp_method method,
                     struct json_view params)
{
    struct mcp_client *c = call->client;
    int n = 0;

    for (const struct park_input *in = call->inputs; in; in = in->next)
        n++;
    if (n >= INPUTS_MAX) {
        client_refuse(c, id, RPC_INTERNAL_ERROR, "too many requests for input wait in this call");
        return;
    }
    if (n == 0 && n_parked(c, call->caller->principal) >= c->spec.limits.parks) {
        client_refuse(c, id, RPC_INTERNAL_ERROR, "too many calls of this user wait for input");
        return;
    }
    add_input(call, id, method, params);
    remember_url(call, method, params);
    if (!call->is_parked && !call->timer)
        set_timer(call, 0, on_soon);
}

void client_park_withdraw(struct mcp_client *c, struct json_view id)
{
    for (struct client_call *call = c->calls; call && id.at; call = call->next) {
        for (struct park_input **at = &call->inputs; *at; at = &(*at)->next) {
            struct park_input *in = *at;

            if (in->id.len != id.n || memcmp(str_cstr(&in->id), id.at, id.n) != 0)
                continue;
            *at = in->next;
            free_input(in);
            return;
        }
    }
}

/* ---- notes that come meanwhile */

static void free_first_note(struct client_call *call)
{
    struct park_note *n = call->notes;

    call->notes = n->next;
    if (!call->notes)
        call->last_note = NULL;
    call->note_bytes -= n->params.len + sizeof(*n);
    str_deinit(&n->params);
    free(n);
}

void client_park_keep_note(struct client_call *call, enum mcp_method note, struct json_view params)
{
    size_t bytes = params.n + sizeof(struct park_note);
    struct park_note *n;

    if (!call->is_parked || bytes > call->client->spec.limits.park_bytes)
        return;
    while (call->note_bytes + bytes > call->client->spec.limits.park_bytes)
        free_first_note(call);
    n = xcalloc(1, sizeof(*n));
    n->note = note;
    n->params = STR_INIT;
    json_view_put(&n->params, params);
    if (call->last_note)
        call->last_note->next = n;
    else
        call->notes = n;
    call->last_note = n;
    call->note_bytes += bytes;
}

/* Takes the list away first: a callback may do anything to the call. */
static void give_notes(struct client_call *call, struct mcp_exchange *x)
{
    struct park_note *n = call->notes;

    call->notes = call->last_note = NULL;
    call->note_bytes = 0;
    mcp_exchange_ref(x);
    while (n) {
        struct park_note *next = n->next;

        if (x->state == MCP_EXCHANGE_OPEN)
            mcp_exchange_note(x, n->note, json_view_str(&n->params));
        str_deinit(&n->params);
        free(n);
        n = next;
    }
    mcp_exchange_unref(x);
}

/* ---- the retry */

/* 1: answered; 0: no answer to this one; -1: not an answer. */
static int answer_input(struct client_call *call, const struct park_input *in,
                        const struct mcp_exchange *x, bool send)
{
    struct json_view value = json_view_get(json_view_get(x->params, "inputResponses"), in->key);
    struct json_view error = json_view_get(x->input_errors, in->key);
    struct str text = STR_INIT, message = STR_INIT;

    if (!value.at && !error.at)
        return 0;
    if (json_view_kind(value.at ? value : error) != JV_OBJECT)
        return -1;
    if (send && value.at) {
        rpc_write_result(&text, json_view_str(&in->id), value);
    } else if (send) {
        (void)json_view_text(json_view_get(error, "message"), &message);
        rpc_write_error(&text, json_view_str(&in->id),
                        json_view_int(json_view_get(error, "code"), RPC_INTERNAL_ERROR),
                        str_cstr(&message), json_view_get(error, "data"));
    }
    if (send)
        client_send_text(call->client, MCP_METHOD_N, &text);
    str_deinit(&text);
    str_deinit(&message);
    return 1;
}

/* How many of the inputs are answered; -1: one in a way that is not one. */
static int count_answers(struct client_call *call, const struct mcp_exchange *x)
{
    struct json_view all = json_view_get(x->params, "inputResponses");
    int n = 0;

    if (all.at && json_view_kind(all) != JV_OBJECT)
        return -1;
    for (const struct park_input *in = call->inputs; in; in = in->next) {
        int one = answer_input(call, in, x, false);

        if (one < 0)
            return -1;
        n += one;
    }
    return n;
}

static void send_answers(struct client_call *call, const struct mcp_exchange *x)
{
    for (struct park_input **at = &call->inputs; *at;) {
        struct park_input *in = *at;

        if (answer_input(call, in, x, true) == 0) {
            at = &in->next;
            continue;
        }
        *at = in->next;
        free_input(in);
    }
}

static void go_on(struct park_round *r, struct mcp_exchange *x)
{
    struct client_call *call = r->call;
    bool any = call->inputs != NULL;
    int n = count_answers(call, x);

    if (n < 0) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS,
                          "inputResponses must be an object, and each answer in it too");
        return;
    }
    r->is_answered = true;
    set_timer(call, 0, NULL);
    call->is_parked = false;
    client_call_add(call, x);
    if (any && n == 0) { /* asked again */
        park(call);
        return;
    }
    client_request_limit(call->request, true);
    send_answers(call, x);
    if (call->inputs)
        set_timer(call, 0, on_soon);
    give_notes(call, x);
}

static void finish_kept(struct park_round *r, struct mcp_exchange *x)
{
    r->is_lent = true;
    mcp_exchange_finish(x, &r->answer);
    r->is_lent = false;
}

static void fail_gone(struct mcp_client *c, struct mcp_exchange *x)
{
    mcp_exchange_fail(x, RPC_INVALID_PARAMS,
                      "the call that waited for this input is gone: it has ended, or the "
                      "connection to %s was lost; make the call again without requestState",
                      c->spec.name);
}

bool client_park_resume(struct mcp_client *c, struct mcp_exchange *x)
{
    struct json_view state = json_view_get(x->params, "requestState");
    struct park_round *r;
    struct str text;
    bool ours;

    if (!state.at || c->revision == MCP_REVISION_N || client_is_modern(c))
        return false;
    str_init(&text, STATE_BYTES);
    ours = json_view_text(state, &text) && str_ok(&text);
    r = ours ? map_get(c->rounds, str_cstr(&text)) : NULL;
    str_deinit(&text);
    if (!r || r->method != x->method || strcmp(r->principal, x->caller->principal) != 0)
        fail_gone(c, x);
    else if (!r->call)
        finish_kept(r, x);
    else if (r->is_answered)
        client_call_add(r->call, x);
    else
        go_on(r, x);
    return true;
}

/* ---- the end of a call */

void client_park_keep(struct client_call *call, const struct mcp_answer *a)
{
    if (call->round)
        keep_answer(call->round, a);
    call->round = NULL;
}

void client_park_forget(struct client_call *call)
{
    while (call->inputs) {
        struct park_input *in = call->inputs;

        call->inputs = in->next;
        free_input(in);
    }
    while (call->notes)
        free_first_note(call);
    if (call->round)
        free_round(call->round);
    call->round = NULL;
}
