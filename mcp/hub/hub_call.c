/* hub_call.c - one request of a client that goes to one server: tools/call, prompts/get,
 * resources/read, completion/complete.
 *
 *   find the server (its list is fetched if the name is not known) -> submit the server's own
 *   request -> notes pass -> the answer goes back with the client's names
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

struct hub_call {
    struct hub *hub;
    struct mcp_exchange *down; /* the client's */
    struct mcp_exchange *up;   /* the server's; NULL: not made yet */
    struct hub_job job;
    bool submitted;
    struct hub_server *server;
    enum hub_list_kind kind;
    char *shown; /* the name or URI that the client gave */
    size_t next; /* the next candidate */
    struct hub_want want;
    bool looking; /* `want` waits */
    struct hub_call *after, **link;
};

static void call_free(struct hub_call *c)
{
    if (c->after)
        c->after->link = c->link;
    *c->link = c->after;
    mcp_exchange_unref(c->up);
    mcp_exchange_unref(c->down);
    free(c->shown);
    free(c);
}

/* Ends the call with an error; `c` is gone. */
static void call_fail(struct hub_call *c, int64_t code, const char *message)
{
    struct mcp_exchange *down = mcp_exchange_ref(c->down);

    call_free(c);
    if (down->is_cancelled)
        mcp_exchange_fail_cancelled(down);
    else
        mcp_exchange_fail(down, code, "%s", message);
    mcp_exchange_unref(down);
}

static void call_fail_status(struct hub_call *c, const struct error *err)
{
    call_fail(c, rpc_code_of(err->status), err->message);
}

/* ---- the request, as the server gets it */

/* Members that are not what the request asks for. */
static bool is_aside(struct json_view key)
{
    return json_view_is(key, "_meta") || json_view_is(key, "inputResponses") ||
           json_view_is(key, "requestState");
}

/* Members in any order and with any blanks give the same bond. */
static struct sha256 request_digest(const struct hub_call *c)
{
    struct str text = STR_INIT;
    struct json *params = jv_object();
    struct sha256 digest;

    for (struct json_walk w = json_walk(c->down->params); json_walk_next(&w);) {
        struct str key = STR_INIT;

        if (!is_aside(w.key) && json_view_text(w.key, &key))
            jv_set_adopt(params, str_cstr(&key), json_view_value(w.value));
        str_deinit(&key);
    }
    str_printf(&text, "%s\n", mcp_method_facts(c->down->method)->name);
    jv_write_canonical(params, &text);
    digest = sha256_of(str_cstr(&text), text.len);
    jv_unref(params);
    str_deinit(&text);
    return digest;
}

static struct hub_bond bond_of(const struct hub_call *c)
{
    return (struct hub_bond){.principal = c->down->caller->principal,
                             .server = hub_source_name(c->server->source),
                             .request = request_digest(c)};
}

/* The server's own state, as a JSON string; empty: there was none. */
static enum status open_state(struct hub_call *c, struct json_view sealed, struct str *out,
                              struct error *err)
{
    unsigned char nonce[HUB_NONCE_BYTES];
    struct hub_bond bond;
    struct str text, inner;
    enum status st;

    if (!sealed.at)
        return STATUS_OK;
    str_init(&text, sealed.n + 1);
    str_init(&inner, sealed.n + 1);
    bond = bond_of(c);
    if (json_view_text(sealed, &text))
        st = hub_seal_open(c->hub->seal, &bond, str_cstr(&text), text.len, nonce, &inner, err);
    else
        st = error_set(err, STATUS_INVALID, "requestState must be a string");
    if (!st && inner.len > 0)
        str_put_json_string(out, str_cstr(&inner) + 1, inner.len - 1);
    str_deinit(&text);
    str_deinit(&inner);
    return st;
}

/* The reference of completion/complete, with the server's name or URI. */
static void put_ref(const struct hub_call *c, const char *own, struct str *out)
{
    struct str name = STR_INIT;

    str_put_json_string(&name, own, strlen(own));
    json_view_put_changed(out, json_view_get(c->down->params, "ref"),
                          &(struct json_change){.key = c->kind == HUB_PROMPTS ? "name" : "uri",
                                                .value = json_view_str(&name)},
                          1);
    str_deinit(&name);
}

/* Appends the params. */
static enum status put_params(struct hub_call *c, const char *own, struct str *out,
                              struct error *err)
{
    struct str target = STR_INIT, state_text = STR_INIT;
    struct json_change changes[2];
    enum status st =
        open_state(c, json_view_get(c->down->params, "requestState"), &state_text, err);

    if (c->down->method == MCP_COMPLETION) {
        put_ref(c, own, &target);
        changes[0].key = "ref";
    } else {
        str_put_json_string(&target, own, strlen(own));
        changes[0].key = mcp_method_facts(c->down->method)->name_member;
    }
    changes[0].value = json_view_str(&target);
    changes[1] =
        (struct json_change){.key = "requestState",
                             .value = state_text.len ? json_view_str(&state_text) : JSON_VIEW_NONE};
    if (!st) {
        json_view_put_changed(out, c->down->params, changes, ARRAY_LEN(changes));
        if (!str_ok(out))
            st = error_set(err, STATUS_LIMIT, "the request is too large");
    }
    str_deinit(&target);
    str_deinit(&state_text);
    return st;
}

/* ---- the answer, as the client gets it */

/* A state of the server's becomes a sealed one. The first byte of what is sealed says that there
 * was a state, which may be empty. */
static bool put_input_required(struct hub_call *c, struct json_view result, struct str *out)
{
    struct json_view own = json_view_get(result, "requestState");
    struct str inner, sealed = STR_INIT, quoted = STR_INIT;
    struct hub_bond bond = bond_of(c);
    bool ok = true;

    str_init(&inner, own.n + 2);
    if (own.at) {
        str_putc(&inner, 's');
        ok = json_view_text(own, &inner) &&
             hub_seal_put(c->hub->seal, &bond, seams_wall_ms(c->hub->o.seams) + c->hub->o.state_ms,
                          str_cstr(&inner), inner.len, &sealed);
        str_put_json_string(&quoted, str_cstr(&sealed), sealed.len);
        json_view_put_changed(
            out, result,
            &(struct json_change){.key = "requestState", .value = json_view_str(&quoted)}, 1);
    } else {
        json_view_put(out, result);
    }
    str_deinit(&inner);
    str_deinit(&sealed);
    str_deinit(&quoted);
    return ok && str_ok(out);
}

static bool is_of_task(enum mcp_method m)
{
    return m == MCP_TASKS_GET || m == MCP_TASKS_UPDATE || m == MCP_TASKS_CANCEL;
}

static void pass_answer(struct hub_call *c, const struct mcp_answer *a)
{
    struct mcp_exchange *down = mcp_exchange_ref(c->down);
    struct hub_uris uris = hub_uris_for(c->hub, down->caller, c->server);
    struct str out;
    bool ok = true;

    str_init(&out, 4 * a->result.n + (1 << 16));
    if (a->kind == MCP_INPUT_REQUIRED)
        ok = put_input_required(c, a->result, &out);
    else if (a->kind == MCP_TASK || is_of_task(down->method))
        ok = hub_task_put_result(c->hub, down->caller, c->server, a->result,
                                 is_of_task(down->method) ? c->shown : NULL, &uris, &out);
    else
        hub_rewrite_result(down->method, a->result, &uris, &out);
    call_free(c);
    if (ok && str_ok(&out))
        mcp_exchange_finish(down,
                            &(struct mcp_answer){.kind = a->kind, .result = json_view_str(&out)});
    else
        mcp_exchange_fail(down, RPC_INTERNAL_ERROR, "no memory for the answer");
    str_deinit(&out);
    mcp_exchange_unref(down);
}

static void up_done(void *ctx, struct mcp_exchange *up, const struct mcp_answer *a)
{
    struct hub_call *c = ctx;
    struct str message = STR_INIT;

    (void)up;
    hub_job_leave(&c->job);
    if (a->kind != MCP_ERROR) {
        pass_answer(c, a);
        return;
    }
    if (c->job.timed_out) {
        str_printf(&message, "server %s did not answer within %lld ms",
                   hub_source_name(c->server->source),
                   (long long)hub_source_call_ms(c->server->source));
        call_fail(c, RPC_INTERNAL_ERROR, str_cstr(&message));
    } else if (c->down->is_cancelled) {
        call_fail(c, RPC_INTERNAL_ERROR, "");
    } else {
        struct mcp_exchange *down = mcp_exchange_ref(c->down);

        call_free(c);
        mcp_exchange_finish(down, a);
        mcp_exchange_unref(down);
    }
    str_deinit(&message);
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
    call_fail(c, RPC_INTERNAL_ERROR, err->message);
}

/* ---- from the client's name to the server */

static void submit(struct hub_call *c, const char *own)
{
    struct hub_instance *i = hub_instance_for(c->server, c->down->caller);
    struct error err = ERROR_INIT;
    struct str params;
    enum status st;

    str_init(&params, 2 * c->down->params.n + (1 << 16));
    st = i ? put_params(c, own, &params, &err)
           : error_set(&err, STATUS_BUSY, "server %s has too many clients; try again later",
                       hub_source_name(c->server->source));
    if (!st) {
        c->up = mcp_exchange_new(&(struct mcp_exchange_spec){
            .method = c->down->method,
            .caller = c->down->caller,
            .params = json_view_str(&params),
            .input_errors = c->down->input_errors,
            .wants_progress = c->down->wants_progress,
            .log_level = c->down->log_level,
            .deadline_ms = c->down->deadline_ms,
            .events = {.note = up_note, .done = up_done, .ctx = c},
        });
        if (!c->up)
            st = error_set(&err, STATUS_NO_MEMORY, "no memory for the request");
    }
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

    if (is_of_task(c->down->method))
        str_puts(&message, "unknown task");
    else
        str_printf(&message, "unknown %s: %.300s", words[c->kind], c->shown);
    call_fail(c, RPC_INVALID_PARAMS, str_cstr(&message));
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
    call_fail(c, RPC_INTERNAL_ERROR, str_cstr(&message));
    str_deinit(&message);
}

/* Names are looked up in the lists that are known; a server whose list may have the name is asked
 * for its list first. */
static void look(struct hub_call *c)
{
    bool is_task = is_of_task(c->down->method);
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
static struct json_view target_of(const struct mcp_exchange *x, enum hub_list_kind *kind)
{
    struct json_view ref = json_view_get(x->params, "ref");

    switch (x->method) {
    case MCP_TOOLS_CALL:
        *kind = HUB_TOOLS;
        return json_view_get(x->params, "name");
    case MCP_PROMPTS_GET:
        *kind = HUB_PROMPTS;
        return json_view_get(x->params, "name");
    case MCP_RESOURCES_READ:
        *kind = HUB_RESOURCES;
        return json_view_get(x->params, "uri");
    case MCP_TASKS_GET:
    case MCP_TASKS_UPDATE:
    case MCP_TASKS_CANCEL:
        *kind = HUB_TOOLS;
        return json_view_get(x->params, "taskId");
    default:
        *kind =
            json_view_is(json_view_get(ref, "type"), "ref/prompt") ? HUB_PROMPTS : HUB_TEMPLATES;
        return json_view_get(ref, *kind == HUB_PROMPTS ? "name" : "uri");
    }
}

void hub_call_start(struct hub *h, struct mcp_exchange *x)
{
    enum hub_list_kind kind;
    struct json_view target = target_of(x, &kind);
    struct str shown;
    struct hub_call *c;

    if (is_of_task(x->method) && !(x->caller->can & MCP_CAN_TASKS)) {
        mcp_exchange_fail_abilities(x, MCP_CAN_TASKS);
        return;
    }
    str_init(&shown, target.n + 1);
    if (!json_view_text(target, &shown) || !str_ok(&shown) || shown.len == 0) {
        str_deinit(&shown);
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "the params of %s do not say which one",
                          mcp_method_facts(x->method)->name);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->hub = h;
    c->down = mcp_exchange_ref(x);
    c->kind = kind;
    c->shown = str_take(&shown);
    c->after = h->calls;
    c->link = &h->calls;
    if (c->after)
        c->after->link = &c->after;
    h->calls = c;
    x->work = c;
    look(c);
}

void hub_call_cancel(struct hub_call *c)
{
    if (c->looking) {
        hub_want_drop(&c->want);
        call_fail(c, RPC_INTERNAL_ERROR, "");
    } else if (c->submitted && c->job.started) {
        mcp_exchange_cancel(c->up); /* up_done follows */
    } else {
        hub_job_leave(&c->job);
        call_fail(c, RPC_INTERNAL_ERROR, "");
    }
}

void hub_calls_forget(struct hub *h, struct hub_server *s)
{
    for (struct hub_call *c = h->calls, *next; c; c = next) {
        next = c->after;
        if (c->server != s)
            continue;
        if (c->looking)
            hub_want_drop(&c->want);
        if (c->looking || c->submitted) {
            hub_job_leave(&c->job);
            if (c->up) {
                mcp_exchange_abandon(c->up);
            }
            call_fail(c, RPC_INTERNAL_ERROR, "the server was removed");
        }
        next = h->calls; /* others may have ended with it */
    }
}
