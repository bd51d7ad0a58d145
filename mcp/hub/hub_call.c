/* hub_call.c - one request of a client that goes to one server: tools/call, prompts/get,
 * resources/read, completion/complete, and those about tasks.
 *
 *   find the server (its list is fetched if the name is not known) -> through the gate -> submit
 *   the server's own request -> notes pass -> the gate keeps the books -> the answer goes back
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_call.h"
#include "mcp/hub/hub_catalog.h"
#include "mcp/hub/hub_fold.h"
#include "runtime/base/memory.h"

/* A row that is being written. It outlives the call. */
struct hub_record {
    struct hub_call *call; /* NULL: it has ended */
};

/* ---- how many requests a principal has under way */

static intptr_t count_principal(struct hub *h, const char *principal, int change)
{
    intptr_t n = (intptr_t)map_get(h->busy, principal) + change;

    if (n > 0)
        (void)map_put(h->busy, principal, (void *)n);
    else
        (void)map_remove(h->busy, principal);
    return n;
}

/* ---- the end */

/* It waits no more for the answer to the first of its retries. */
static void unfollow(struct hub_call *c)
{
    struct hub_call **at = &c->retry->first;

    while (*at != c)
        at = &(*at)->twin;
    *at = c->twin;
    c->follows = false;
    c->retry = NULL;
}

static void call_free(struct hub_call *c)
{
    if (c->follows)
        unfollow(c);
    if (c->record)
        c->record->call = NULL;
    if (c->after)
        c->after->link = c->link;
    *c->link = c->after;
    (void)count_principal(c->hub, c->down->caller->principal, -1);
    mcp_exchange_unref(c->up);
    mcp_exchange_unref(c->down);
    hub_reply_unref(c->reply);
    free(c->shown);
    free(c->own);
    free(c->text);
    free(c);
}

static void send_reply(struct mcp_exchange *down, const struct hub_reply *r)
{
    if (down->is_cancelled)
        mcp_exchange_fail_cancelled(down);
    else if (r)
        mcp_exchange_finish(down, &r->answer);
    else
        mcp_exchange_fail(down, RPC_INTERNAL_ERROR, "no memory for the answer");
}

/* The answer goes to the client, and to those that sent the same retry. `c` is gone; r is taken
 * over. */
static void call_end(struct hub_call *c, struct hub_reply *r)
{
    struct mcp_exchange *down = mcp_exchange_ref(c->down);
    struct hub_retry *retry = c->follows ? NULL : c->retry;
    bool reached = c->job.started;

    call_free(c);
    if (retry && reached)
        hub_retry_keep(retry, r);
    while (retry && retry->first) {
        struct hub_call *f = retry->first;

        unfollow(f);
        call_end(f, r ? hub_reply_ref(r) : NULL);
    }
    if (retry && !reached)
        hub_retry_forget(retry);
    send_reply(down, r);
    hub_reply_unref(r);
    mcp_exchange_unref(down);
}

static struct hub_reply *error_reply(int64_t code, const char *message)
{
    return hub_reply_new(&(struct mcp_answer){.kind = MCP_ERROR, .code = code, .message = message});
}

static void recorded(void *arg, const struct error *err)
{
    struct hub_record *record = arg;
    struct hub_call *c = record->call;
    struct hub_reply *r;
    struct str message = STR_INIT;

    free(record);
    if (!c)
        return;
    c->record = NULL;
    r = c->reply;
    c->reply = NULL;
    if (err) {
        hub_reply_unref(r);
        str_printf(&message, "the call was made, but its record cannot be written: %s",
                   err->message);
        r = error_reply(RPC_INTERNAL_ERROR, str_cstr(&message));
        str_deinit(&message);
    }
    call_end(c, r);
}

/* The books first, then the answer. */
static void settle(struct hub_call *c, struct hub_reply *r, enum hub_outcome outcome, bool may_wait)
{
    const struct hub_gate_end end = {.x = c->down,
                                     .params = c->params,
                                     .own = c->own,
                                     .outcome = outcome,
                                     .bytes_out = r ? r->answer.result.n : 0};
    struct hub_record *record;

    if (!c->passage.is_in) {
        call_end(c, r);
        return;
    }
    record =
        may_wait && c->passage.effect >= EFFECT_IDEMPOTENT ? xcalloc(1, sizeof(*record)) : NULL;
    if (hub_gate_leave(c->hub, &c->passage, &end, record ? recorded : NULL, record)) {
        record->call = c;
        c->record = record;
        c->reply = r;
        return;
    }
    free(record);
    call_end(c, r);
}

static void call_fail(struct hub_call *c, int64_t code, const char *message,
                      enum hub_outcome outcome)
{
    settle(c, error_reply(code, message), outcome, c->job.started);
}

static void call_fail_status(struct hub_call *c, const struct error *err)
{
    call_fail(c, rpc_code_of(err->status), err->message, HUB_OUTCOME_REFUSED);
}

/* ---- events of the server's request */

static enum hub_outcome outcome_of(const struct hub_call *c, const struct mcp_answer *a)
{
    static const enum hub_outcome kinds[] = {[MCP_COMPLETE] = HUB_OUTCOME_OK,
                                             [MCP_INPUT_REQUIRED] = HUB_OUTCOME_INPUT,
                                             [MCP_TASK] = HUB_OUTCOME_TASK,
                                             [MCP_ERROR] = HUB_OUTCOME_ERROR};

    if (a->kind == MCP_COMPLETE && c->down->method == MCP_TOOLS_CALL &&
        json_view_bool(json_view_get(a->result, "isError"), false))
        return HUB_OUTCOME_TOOL_ERROR;
    return kinds[a->kind];
}

static void up_done(void *ctx, struct mcp_exchange *up, const struct mcp_answer *a)
{
    struct hub_call *c = ctx;
    struct str message = STR_INIT;

    (void)up;
    hub_job_leave(&c->job);
    if (a->kind == MCP_ERROR && c->job.timed_out_ms) {
        str_printf(&message, "server %s did not answer within %lld ms",
                   hub_source_name(c->server->source), (long long)c->job.timed_out_ms);
        call_fail(c, RPC_INTERNAL_ERROR, str_cstr(&message), HUB_OUTCOME_TIMEOUT);
        str_deinit(&message);
    } else if (a->kind == MCP_ERROR && c->down->is_cancelled) {
        call_fail(c, RPC_INTERNAL_ERROR, "the request was sent before, and was cancelled then",
                  HUB_OUTCOME_CANCELLED);
    } else {
        settle(c, hub_call_translate(c, a), outcome_of(c, a), true);
    }
}

static void up_note(void *ctx, struct mcp_exchange *up, enum mcp_method note,
                    struct json_view params)
{
    struct hub_call *c = ctx;

    (void)up;
    if (note == MCP_PROGRESS)
        hub_job_progress(&c->job);
    mcp_exchange_note(c->down, note, params);
}

static void up_refused(void *ctx, struct hub_job *j, const struct error *err)
{
    struct hub_call *c = ctx;

    (void)j;
    c->submitted = false;
    call_fail(c, RPC_INTERNAL_ERROR, err->message, HUB_OUTCOME_REFUSED);
}

/* ---- from the client's name to the server */

/* A retry that was sent before: its answer, or the wait for it. false: it is the first. */
static bool is_sent_before(struct hub_call *c, const unsigned char nonce[HUB_NONCE_BYTES])
{
    struct sha256 input = hub_call_input_digest(c);
    bool is_new;
    struct hub_retry *r = hub_retry_of(c->hub->retries, nonce, &input, &is_new);

    if (is_new) {
        c->retry = r;
        return false;
    }
    if (!r->is_over) {
        c->retry = r;
        c->twin = r->first;
        r->first = c;
        c->follows = true;
    } else if (r->reply) {
        call_end(c, hub_reply_ref(r->reply));
    } else {
        call_end(c, error_reply(RPC_INTERNAL_ERROR,
                                "this retry was sent before, and its answer was not kept"));
    }
    return true;
}

static enum status make_up(struct hub_call *c, struct json_view params, struct error *err)
{
    c->up = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = c->down->method,
        .caller = c->down->caller,
        .params = params,
        .input_errors = c->down->input_errors,
        .wants_progress = c->down->wants_progress,
        .log_level = c->down->log_level,
        .deadline_ms = c->down->deadline_ms,
        .events = {.note = up_note, .done = up_done, .ctx = c},
    });
    return c->up ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the request");
}

static void unknown(struct hub_call *c);

static void submit(struct hub_call *c, const char *own)
{
    unsigned char nonce[HUB_NONCE_BYTES];
    struct error err = ERROR_INIT;
    struct hub_instance *i;
    struct str params;
    bool has_state = false;
    enum status st;

    c->own = xstrdup(own);
    if (hub_gate_enter(c->hub, c->down, c->server, c->kind, hub_is_of_task(c->down->method), own,
                       &c->passage, &err)) {
        unknown(c);
        return;
    }
    str_init(&params, 2 * c->params.n + (1 << 16));
    i = hub_instance_for(c->server, c->down->caller);
    st = i ? hub_call_put_params(c, &params, nonce, &has_state, &err)
           : error_set(&err, STATUS_BUSY, "server %s has too many clients; try again later",
                       hub_source_name(c->server->source));
    if (!st && has_state && is_sent_before(c, nonce)) {
        str_deinit(&params);
        return;
    }
    if (!st)
        st = make_up(c, json_view_str(&params), &err);
    str_deinit(&params);
    if (st) {
        call_fail_status(c, &err);
        return;
    }
    c->job = (struct hub_job){.exchange = c->up, .refused = up_refused, .ctx = c};
    c->submitted = true;
    hub_job_submit(&c->job, i);
}

static void unknown(struct hub_call *c)
{
    static const char *const words[HUB_LIST_N] = {"tool", "prompt", "resource", "resource"};
    struct str message = STR_INIT;

    if (hub_is_of_task(c->down->method))
        str_puts(&message, "unknown task");
    else
        str_printf(&message, "unknown %s: %.300s", words[c->kind], c->shown);
    call_fail(c, RPC_INVALID_PARAMS, str_cstr(&message), HUB_OUTCOME_REFUSED);
    str_deinit(&message);
}

static void look(struct hub_call *c);

static void list_came(void *ctx, struct hub_want *w, struct hub_list *list, const struct error *err)
{
    struct hub_call *c = ctx;
    struct str message = STR_INIT;

    (void)w;
    c->looking = false;
    if (list) {
        hub_learn(c->server, c->kind, list);
        look(c);
        return;
    }
    str_printf(&message, "server %s has no list: %s", hub_source_name(c->server->source),
               err->message);
    call_fail(c, RPC_INTERNAL_ERROR, str_cstr(&message), HUB_OUTCOME_REFUSED);
    str_deinit(&message);
}

/* Names are looked up in the lists that are known; a server whose list may have the name is asked
 * for its list first. */
static void look(struct hub_call *c)
{
    bool is_task = hub_is_of_task(c->down->method);
    struct str own = STR_INIT;
    struct hub_instance *i;

    if (is_task ? hub_task_find(c->hub, c->down->caller, c->shown, &c->server, &own)
                : hub_target(c->hub, c->down->caller, c->kind, c->shown, &c->server, &own)) {
        submit(c, str_cstr(&own));
        str_deinit(&own);
        return;
    }
    str_deinit(&own);
    c->server = is_task ? NULL
                : c->kind > HUB_PROMPTS
                    ? NULL
                    : hub_candidate(c->hub, c->down->caller, c->shown, &c->next);
    i = c->server ? hub_instance_for(c->server, c->down->caller) : NULL;
    if (!i) {
        unknown(c);
        return;
    }
    c->want = (struct hub_want){.done = list_came, .ctx = c};
    c->looking = true;
    hub_peer_want(hub_peer_of(i), c->kind, &c->want);
}

/* The member of params that says what is asked for, and in which list it is. */
static struct json_view target_of(enum mcp_method method, struct json_view params,
                                  enum hub_list_kind *kind)
{
    struct json_view ref = json_view_get(params, "ref");

    switch (method) {
    case MCP_TOOLS_CALL:
        *kind = HUB_TOOLS;
        return json_view_get(params, "name");
    case MCP_PROMPTS_GET:
        *kind = HUB_PROMPTS;
        return json_view_get(params, "name");
    case MCP_RESOURCES_READ:
        *kind = HUB_RESOURCES;
        return json_view_get(params, "uri");
    case MCP_TASKS_GET:
    case MCP_TASKS_UPDATE:
    case MCP_TASKS_CANCEL:
        *kind = HUB_TOOLS;
        return json_view_get(params, "taskId");
    default:
        *kind =
            json_view_is(json_view_get(ref, "type"), "ref/prompt") ? HUB_PROMPTS : HUB_TEMPLATES;
        return json_view_get(ref, *kind == HUB_PROMPTS ? "name" : "uri");
    }
}

static void call_new(struct hub *h, struct mcp_exchange *x, struct json_view params, char *text,
                     enum hub_list_kind kind, char *shown)
{
    struct hub_call *c = xcalloc(1, sizeof(*c));

    c->hub = h;
    c->down = mcp_exchange_ref(x);
    c->params = params;
    c->text = text;
    c->kind = kind;
    c->shown = shown;
    c->after = h->calls;
    c->link = &h->calls;
    if (c->after)
        c->after->link = &c->after;
    h->calls = c;
    x->work = c;
    look(c);
}

/* text: what params are lent from, taken over; NULL: from x. */
static void start_with(struct hub *h, struct mcp_exchange *x, struct json_view params, char *text)
{
    enum hub_list_kind kind;
    struct json_view target = target_of(x->method, params, &kind);
    struct str shown, folded = STR_INIT;

    str_init(&shown, target.n + 1);
    if (hub_fold_find(params, &folded)) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS,
                          "the member \"%s\" of params has other letters in upper case than MCP's",
                          str_cstr(&folded));
    } else if (!json_view_text(target, &shown) || !str_ok(&shown) || shown.len == 0) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "the params of %s do not say which one",
                          mcp_method_facts(x->method)->name);
    } else if (count_principal(h, x->caller->principal, 1) > h->o.calls) {
        (void)count_principal(h, x->caller->principal, -1);
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR,
                          "%d requests are under way already; try again later", (int)h->o.calls);
    } else {
        str_deinit(&folded);
        call_new(h, x, params, text, kind, str_take(&shown));
        return;
    }
    str_deinit(&shown);
    str_deinit(&folded);
    free(text);
}

/* The call inside a call_tool is one like any other. */
static void start_inner(struct hub *h, struct mcp_exchange *x)
{
    struct error err = ERROR_INIT;
    struct str params;

    str_init(&params, 2 * x->params.n + 64);
    if (hub_catalog_unwrap(x->params, &params, &err)) {
        str_deinit(&params);
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "%s", err.message);
    } else {
        size_t n = params.len;
        char *text = str_take(&params);

        start_with(h, x, json_view_of(text, n), text);
    }
}

void hub_call_start(struct hub *h, struct mcp_exchange *x)
{
    if (hub_is_of_task(x->method) && !(x->caller->can & MCP_CAN_TASKS))
        mcp_exchange_fail_abilities(x, MCP_CAN_TASKS);
    else if (hub_catalog_is_call(h, x))
        start_inner(h, x);
    else
        start_with(h, x, x->params, NULL);
}

/* Others wait for the same answer: one of them goes on with the call. */
static void hand_over(struct hub_call *c)
{
    struct hub_call *f = c->retry->first;
    struct mcp_exchange *down = c->down;

    unfollow(f);
    c->down = f->down;
    c->down->work = c;
    f->down = down;
    call_end(f, NULL); /* as cancelled */
}

void hub_call_cancel(struct hub_call *c)
{
    if (c->follows) {
        call_end(c, NULL);
    } else if (c->retry && c->retry->first) {
        hand_over(c);
    } else if (c->record) {
        struct hub_reply *r = c->reply;

        c->reply = NULL;
        call_end(c, r);
    } else if (c->looking) {
        hub_want_drop(&c->want);
        call_fail(c, RPC_INTERNAL_ERROR, "", HUB_OUTCOME_CANCELLED);
    } else if (c->submitted && c->job.started) {
        mcp_exchange_cancel(c->up); /* up_done follows */
    } else {
        hub_job_leave(&c->job);
        call_fail(c, RPC_INTERNAL_ERROR, "", HUB_OUTCOME_CANCELLED);
    }
}

/* Ends a call at once; those that follow it end with it. */
static void forget(struct hub_call *c)
{
    struct hub_reply *r = c->reply;

    c->reply = NULL;
    if (c->record) {
        call_end(c, r);
        return;
    }
    if (c->looking)
        hub_want_drop(&c->want);
    hub_job_leave(&c->job);
    if (c->up)
        mcp_exchange_abandon(c->up);
    settle(c, error_reply(RPC_INTERNAL_ERROR, "the server was removed"), HUB_OUTCOME_ERROR, false);
}

void hub_calls_forget(struct hub *h, struct hub_server *s)
{
    struct hub_call *c = h->calls;

    while (c) {
        if (c->server != s || c->follows) {
            c = c->after;
            continue;
        }
        forget(c);
        c = h->calls; /* others may have ended with it */
    }
}
