/* client_call.c - exchanges become calls of the server, and its answers become theirs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client_envelope.h"
#include "mcp/client/client_lists.h"
#include "mcp/rpc/rpc.h"
#include "runtime/http/http_fields.h"

/* ---- calls */

/* Ends the call: all exchanges that wait get the answer, and it is kept for a retry sent twice. */
static void finish(struct client_call *call, const struct mcp_answer *a);

static void on_deadline(void *ctx)
{
    struct client_call *call = ctx;
    struct mcp_client *c = call->client;

    client_request_drop(call->request, true);
    call->request = NULL;
    finish(call, &(struct mcp_answer){.kind = MCP_ERROR,
                                      .code = RPC_INTERNAL_ERROR,
                                      .message = "the deadline of the request passed"});
    client_calls_go(c);
}

static void set_deadline(struct client_call *call, int64_t deadline_ms)
{
    const struct mcp_client_spec *spec = &call->client->spec;

    loop_timer_free(call->deadline);
    call->deadline = deadline_ms
                         ? loop_timer_new(spec->loop, deadline_ms - seams_wall_ms(spec->seams),
                                          on_deadline, call)
                         : NULL;
}

void client_call_add(struct client_call *call, struct mcp_exchange *x)
{
    call->waiting = xrealloc(call->waiting, (size_t)(call->n_waiting + 1) * sizeof(*call->waiting));
    call->waiting[call->n_waiting++] = x;
    x->work = call;
    if (call->n_waiting == 1)
        set_deadline(call, x->deadline_ms);
}

static struct client_call *new_call(struct mcp_client *c, struct mcp_exchange *x)
{
    struct client_call *call = xcalloc(1, sizeof(*call));

    call->client = c;
    call->number = ++c->next_call;
    call->method = x->method;
    call->caller = mcp_caller_ref(x->caller);
    call->prev = c->last_call;
    if (c->last_call)
        c->last_call->next = call;
    else
        c->calls = call;
    c->last_call = call;
    c->n_calls++;
    client_call_add(call, x);
    return call;
}

void client_call_free(struct client_call *call, bool cancel)
{
    struct mcp_client *c = call->client;

    assert(call->n_waiting == 0);
    client_request_drop(call->request, cancel);
    client_park_forget(call);
    loop_timer_free(call->timer);
    loop_timer_free(call->deadline);
    *(call->prev ? &call->prev->next : &c->calls) = call->next;
    *(call->next ? &call->next->prev : &c->last_call) = call->prev;
    c->n_calls--;
    mcp_caller_unref(call->caller);
    map_free(call->urls, NULL);
    free(call->waiting);
    free(call);
}

/* ---- answers */

static void finish_all(struct mcp_exchange **list, int32_t n, const struct mcp_answer *a)
{
    for (int32_t i = 0; i < n; i++) {
        if (list[i]->is_cancelled)
            mcp_exchange_fail_cancelled(list[i]);
        else
            mcp_exchange_finish(list[i], a);
    }
    free(list);
}

/* Takes the exchanges away: a callback of one may do anything to the call. */
static struct mcp_exchange **take_waiting(struct client_call *call, int32_t *n)
{
    struct mcp_exchange **list = call->waiting;

    *n = call->n_waiting;
    for (int32_t i = 0; i < *n; i++)
        list[i]->work = NULL;
    call->waiting = NULL;
    call->n_waiting = 0;
    loop_timer_free(call->deadline);
    call->deadline = NULL;
    return list;
}

void client_call_answer(struct client_call *call, const struct mcp_answer *a)
{
    int32_t n;
    struct mcp_exchange **list = take_waiting(call, &n);

    finish_all(list, n, a);
}

static void finish(struct client_call *call, const struct mcp_answer *a)
{
    int32_t n;
    struct mcp_exchange **list = take_waiting(call, &n);

    assert(!call->request);
    client_park_keep(call, a);
    client_call_free(call, false);
    finish_all(list, n, a);
}

static void fail(struct client_call *call, int64_t code, const struct error *err)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s: %s", call->client->spec.name, err->message);
    finish(call, &(struct mcp_answer){.kind = MCP_ERROR,
                                      .code = code,
                                      .message = str_cstr(&text),
                                      .is_cancelled = err->status == STATUS_CANCELLED});
    str_deinit(&text);
}

/* 2025-11-25: the call can be repeated when URLs were opened. It is not kept open: the exchange is
 * simply sent again. */
static void ask_for_urls(struct client_call *call, struct json_view elicitations)
{
    struct str result = STR_INIT;
    int n = 0;

    str_puts(&result, "{\"resultType\":\"input_required\",\"inputRequests\":{");
    for (struct json_walk w = json_walk(elicitations); json_walk_next(&w);) {
        str_printf(&result,
                   "%s\"url-%d\":{\"method\":\"elicitation/create\",\"params\":", n ? "," : "",
                   n + 1);
        n++;
        json_view_put(&result, w.value);
        str_putc(&result, '}');
    }
    str_puts(&result, "}}");
    finish(call,
           &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED, .result = json_view_str(&result)});
    str_deinit(&result);
}

static void take_error(struct client_call *call, const struct rpc_message *m)
{
    static const char need_urls[] = "{\"requiredCapabilities\":{\"elicitation\":{\"url\":{}}}}";
    struct mcp_answer a = {.kind = MCP_ERROR, .code = m->code, .data = m->data};
    struct json_view urls = json_view_get(m->data, "elicitations");
    struct str text = STR_INIT;

    if (m->code == RPC_URL_ELICITATION_REQUIRED && (call->caller->can & MCP_CAN_ELICIT_URL) &&
        json_view_size(urls) > 0) {
        ask_for_urls(call, urls);
        return;
    }
    if (m->code == RPC_RESOURCE_NOT_FOUND)
        a.code = RPC_INVALID_PARAMS;
    if (m->code == RPC_URL_ELICITATION_REQUIRED) {
        a.code = RPC_MISSING_CAPABILITY;
        a.data = json_view_of(need_urls, strlen(need_urls));
    }
    (void)json_view_text(m->message, &text);
    a.message = str_cstr(&text);
    finish(call, &a);
    str_deinit(&text);
}

/* Is this page the whole list? */
static bool is_whole(const struct client_call *call, struct json_view result)
{
    return call->n_waiting > 0 && !json_view_get(call->waiting[0]->params, "cursor").at &&
           !json_view_get(result, "nextCursor").at;
}

static void take_result(struct client_call *call, struct json_view result)
{
    struct mcp_client *c = call->client;
    struct str changed = STR_INIT, without = STR_INIT;
    struct error err = ERROR_INIT;
    struct mcp_answer a;

    if (call->method == MCP_TOOLS_LIST && client_is_modern(c) && c->link && c->link->is_http &&
        param_headers_take(c->headers, result, &without)) {
        client_line(c, "tools with a wrong x-mcp-header were left out");
        if (str_ok(&without))
            result = json_view_str(&without);
    }
    if (call->method == MCP_TOOLS_LIST && is_whole(call, result))
        c->headers_known = true;
    if (envelope_answer(call->method, client_is_modern(c), call->caller->can, result, &changed, &a,
                        &err))
        fail(call, RPC_INTERNAL_ERROR, &err);
    else
        finish(call, &a);
    str_deinit(&changed);
    str_deinit(&without);
}

/* The server did not know the session: nothing was done, but only what is safe to repeat is. */
static bool repeats(struct client_call *call, const struct client_reply *reply)
{
    struct mcp_client *c = call->client;

    if (!reply->session_gone || call->was_repeated || c->state == MCP_CLIENT_DOWN)
        return false;
    if (c->state == MCP_CLIENT_READY && c->has_reinitialized)
        return false;
    client_probe_again(c);
    return true;
}

static void on_reply(void *ctx, const struct client_reply *reply)
{
    struct client_call *call = ctx;
    struct mcp_client *c = call->client;
    int64_t number = call->number;

    call->request = NULL;
    if (reply->message && !reply->session_gone) {
        c->has_reinitialized = false;
        if (reply->message->kind == RPC_RESULT)
            take_result(call, reply->message->result);
        else
            take_error(call, reply->message);
        return;
    }
    if (repeats(call, reply)) {
        /* What that did may have ended the call. */
        for (call = c->calls; call && call->number != number;)
            call = call->next;
        if (call && call->method != MCP_TOOLS_CALL && !call->is_parked) {
            call->was_repeated = true;
            client_calls_go(c);
            return;
        }
    }
    if (call)
        fail(call, RPC_INTERNAL_ERROR, reply->err);
}

/* ---- sending */

static void on_level(void *ctx, const struct client_reply *reply)
{
    struct mcp_client *c = ctx;

    (void)reply; /* refused: not asked for again */
    c->level_request = NULL;
    c->level = c->level_wanted;
    client_calls_go(c);
}

static void set_level(struct mcp_client *c, enum mcp_log_level level)
{
    struct str params = STR_INIT;
    struct client_request_spec spec = {.method = MCP_LOGGING_SET_LEVEL,
                                       .limit_ms = c->spec.limits.probe_ms,
                                       .ctx = c,
                                       .done = on_level};

    str_printf(&params, "{\"level\":\"%s\"}", mcp_log_level_name(level));
    spec.params = json_view_str(&params);
    c->level_wanted = level;
    if (client_request_send(c, &spec, &c->level_request, NULL))
        c->level = level;
    str_deinit(&params);
}

static void on_tools(void *ctx, enum status st, struct json_view items, int64_t ttl_ms,
                     bool is_private, const struct error *err)
{
    struct mcp_client *c = ctx;

    (void)items; /* the headers were taken from the pages as they passed */
    (void)ttl_ms;
    (void)is_private;
    c->headers_lists = NULL;
    c->headers_known = true;
    if (st)
        client_line(c, "the headers of its tools are not known: %s", err->message);
    client_calls_go(c);
}

/* Of a tool; without any there is nothing to repeat in header fields. */
static bool has_arguments(const struct client_call *call)
{
    return call->method == MCP_TOOLS_CALL && call->n_waiting > 0 &&
           json_view_size(json_view_get(call->waiting[0]->params, "arguments")) > 0;
}

/* Is all there that the call needs? If not, it is asked for. */
static bool can_go(struct client_call *call)
{
    struct mcp_client *c = call->client;
    enum mcp_log_level level = call->n_waiting ? call->waiting[0]->log_level : MCP_LOG_NONE;

    if (!client_is_modern(c) && level != MCP_LOG_NONE && client_can(c, "logging", NULL) &&
        (c->level == MCP_LOG_NONE || level < c->level)) {
        if (!c->level_request)
            set_level(c, level);
        return c->level != MCP_LOG_NONE && level >= c->level;
    }
    if (client_is_modern(c) && has_arguments(call) && c->link->is_http && !c->headers_known) {
        if (!c->headers_lists)
            c->headers_lists =
                client_lists_start(&(struct client_lists_spec){.loop = c->spec.loop,
                                                               .handler = &c->handler,
                                                               .caller = c->self,
                                                               .method = MCP_TOOLS_LIST,
                                                               .ctx = c,
                                                               .done = on_tools});
        return false;
    }
    return true;
}

/* Everything but the sending: params in `params`, header fields in `fields`. */
static enum status prepare(struct client_call *call, const struct mcp_exchange *x,
                           struct str *params, struct http_fields *fields, struct error *err)
{
    struct mcp_client *c = call->client;
    int64_t token = x->wants_progress ? c->next_id : 0; /* the id that the request will get */
    struct json_view name = json_view_get(x->params, "name");

    if (!client_is_modern(c)) {
        envelope_legacy(params, x->params, token);
        return STATUS_OK;
    }
    envelope_modern(
        params, x->params,
        &(struct envelope){.revision = c->revision,
                           .capabilities = x->caller->capabilities,
                           .client_info = x->caller->client_info.at ? x->caller->client_info
                                                                    : json_view_str(&c->info),
                           .log_level = x->log_level,
                           .progress_token = token});
    if (call->method != MCP_TOOLS_CALL || !c->link->is_http)
        return STATUS_OK;
    if (param_headers_refuses(c->headers, name))
        return error_set(err, STATUS_INVALID, "the tool %.*s has a wrong x-mcp-header",
                         (int)(name.n < 130 ? name.n : 130), name.at);
    return param_headers_put(c->headers, name, json_view_get(x->params, "arguments"), fields, err);
}

static void on_note(void *ctx, enum mcp_method note, struct json_view params)
{
    client_call_note(ctx, note, params);
}

/* Mcp-Name: the value of the member as it is, decoded. */
static const char *name_of(struct client_call *call, const struct mcp_exchange *x, struct str *out)
{
    const char *member = mcp_method_facts(call->method)->name_member;

    return member && json_view_text(json_view_get(x->params, member), out) && str_ok(out)
               ? str_cstr(out)
               : NULL;
}

static void send(struct client_call *call)
{
    struct mcp_client *c = call->client;
    const struct mcp_exchange *x = call->waiting[0];
    struct client_request_spec spec = {.method = call->method,
                                       .limit_ms = c->spec.limits.call_ms,
                                       .call = call,
                                       .ctx = call,
                                       .done = on_reply,
                                       .note = on_note};
    struct str params = STR_INIT, name = STR_INIT;
    struct http_fields fields;
    struct error err = ERROR_INIT;
    enum status st;

    http_fields_init(&fields);
    st = prepare(call, x, &params, &fields, &err);
    if (!st && !str_ok(&params))
        st = error_set(&err, STATUS_LIMIT, "the request is too long");
    if (!st) {
        spec.params = params.len > 0 ? json_view_str(&params) : JSON_VIEW_NONE;
        spec.name = name_of(call, x, &name);
        (void)http_fields_list(&fields);
        spec.fields = &fields;
        st = client_request_send(c, &spec, &call->request, &err);
    }
    str_deinit(&params);
    str_deinit(&name);
    http_fields_deinit(&fields);
    if (st)
        fail(call, rpc_code_of(st), &err);
}

/* server/discover, from what is known. */
static void discovered(struct client_call *call)
{
    struct mcp_client *c = call->client;
    struct mcp_client_facts f = mcp_client_facts(c);
    struct str result = STR_INIT, cached = STR_INIT;
    struct mcp_answer a;

    if (client_is_modern(c)) {
        json_view_put(&result, json_view_str(&c->about));
    } else {
        str_printf(&result, "{\"supportedVersions\":[\"%s\"],\"capabilities\":",
                   mcp_revision_name(MCP_NEWEST));
        if (f.capabilities.at)
            json_view_put(&result, f.capabilities);
        else
            str_puts(&result, "{}");
        if (f.instructions.at) {
            str_puts(&result, ",\"instructions\":");
            json_view_put(&result, f.instructions);
        }
        if (f.server_info.at) {
            str_puts(&result, ",\"_meta\":{\"" MCP_META_SERVER "\":");
            json_view_put(&result, f.server_info);
            str_putc(&result, '}');
        }
        str_putc(&result, '}');
    }
    if (!envelope_answer(MCP_DISCOVER, false, 0, json_view_str(&result), &cached, &a, NULL))
        finish(call, &a);
    str_deinit(&result);
    str_deinit(&cached);
}

/* A modern server cannot be given an error for an input request. */
static bool has_input_error(struct client_call *call, struct error *err)
{
    struct json_walk w = json_walk(call->waiting[0]->input_errors);
    struct str text = STR_INIT;

    if (!client_is_modern(call->client) || !json_walk_next(&w))
        return false;
    (void)json_view_text(json_view_get(w.value, "message"), &text);
    (void)error_set(err, STATUS_REJECTED, "the client answered the request for input with: %s",
                    str_cstr(&text));
    str_deinit(&text);
    return true;
}

static void go(struct client_call *call)
{
    struct mcp_client *c = call->client;
    enum mcp_era era = client_is_modern(c) ? MCP_ERA_MODERN : MCP_ERA_LEGACY;
    struct error err = ERROR_INIT;

    if (call->method == MCP_DISCOVER) {
        discovered(call);
    } else if (!(mcp_method_facts(call->method)->eras & era)) {
        (void)error_set(&err, STATUS_UNSUPPORTED, "the server has no %s: it speaks %s",
                        mcp_method_facts(call->method)->name, mcp_revision_name(c->revision));
        fail(call, RPC_METHOD_NOT_FOUND, &err);
    } else if (has_input_error(call, &err)) {
        fail(call, RPC_INVALID_PARAMS, &err);
    } else if (!client_is_modern(c) && json_view_get(call->waiting[0]->params, "requestState").at) {
        /* It waited for the connection; its parked call was on an earlier one. */
        (void)error_set(&err, STATUS_NOT_FOUND,
                        "the call that waited for this input is gone; make the call again without "
                        "requestState");
        fail(call, RPC_INVALID_PARAMS, &err);
    } else {
        send(call);
    }
}

void client_calls_go(struct mcp_client *c)
{
    struct client_call *call = c->calls;

    while (call && c->state == MCP_CLIENT_READY) {
        if (call->request || call->is_parked || !can_go(call)) {
            call = call->next;
            continue;
        }
        go(call);
        call = c->calls; /* callbacks may have changed the list */
    }
}

/* ---- the handler */

static bool is_forwarded(enum mcp_method m)
{
    return m != MCP_INITIALIZE && m != MCP_LOGGING_SET_LEVEL && m != MCP_RESOURCES_SUBSCRIBE &&
           m != MCP_RESOURCES_UNSUBSCRIBE;
}

void client_call_start(struct mcp_client *c, struct mcp_exchange *x)
{
    if (x->method == MCP_PING) {
        mcp_exchange_complete(x, json_view_of("{}", 2));
    } else if (!is_forwarded(x->method)) {
        mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "%s is not a method that is passed on",
                          mcp_method_facts(x->method)->name);
    } else if (c->state == MCP_CLIENT_DOWN) {
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "%s is not connected%s%s", c->spec.name,
                          c->fault.len ? ": " : "", str_cstr(&c->fault));
    } else if (client_park_resume(c, x)) {
        return;
    } else if (c->n_calls >= c->spec.limits.calls) {
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR,
                          "%s has %d requests open, the most that is allowed", c->spec.name,
                          c->n_calls);
    } else {
        struct client_call *call = new_call(c, x);

        if (c->state == MCP_CLIENT_READY && can_go(call))
            go(call);
    }
}

void client_call_cancel(struct mcp_client *c, struct mcp_exchange *x)
{
    struct client_call *call = x->work;
    int32_t i = 0;

    (void)c;
    if (!call) /* its answer is on the way */
        return;
    while (call->waiting[i] != x)
        i++;
    call->waiting[i] = call->waiting[--call->n_waiting];
    x->work = NULL;
    if (call->n_waiting == 0)
        client_call_free(call, true);
    mcp_exchange_fail_cancelled(x);
}

void client_calls_of_gone(struct mcp_client *c, struct mcp_caller *caller)
{
    struct client_call *next;

    for (struct client_call *call = c->calls; call; call = next) {
        next = call->next;
        if (call->is_parked && caller->session[0] &&
            strcmp(call->caller->session, caller->session) == 0 &&
            strcmp(call->caller->principal, caller->principal) == 0)
            client_call_free(call, true);
    }
}

void client_calls_fail(struct mcp_client *c, const struct error *err)
{
    while (c->calls) {
        client_request_drop(c->calls->request, false);
        c->calls->request = NULL;
        fail(c->calls, RPC_INTERNAL_ERROR, err);
    }
}

/* ---- which call */

bool client_call_can_ask(const struct client_call *call)
{
    return call->request && (call->method == MCP_TOOLS_CALL || call->method == MCP_PROMPTS_GET ||
                             call->method == MCP_RESOURCES_READ);
}

struct client_call *client_call_of(struct mcp_client *c, int64_t from, bool *is_ambiguous)
{
    struct client_request *r = from ? client_request_find(c, from) : NULL;
    struct client_call *best = NULL;

    *is_ambiguous = false;
    if (from)
        return r ? r->call : NULL;
    for (struct client_call *call = c->calls; call; call = call->next) {
        if (!client_call_can_ask(call))
            continue;
        if (best && strcmp(best->caller->principal, call->caller->principal) != 0) {
            *is_ambiguous = true;
            return NULL;
        }
        if (!best || best->is_parked || !call->is_parked)
            best = call;
    }
    return best;
}

void client_call_note(struct client_call *call, enum mcp_method note, struct json_view params)
{
    int32_t n = call->n_waiting;
    struct mcp_exchange **list;

    if (n == 0) {
        client_park_keep_note(call, note, params);
        return;
    }
    list = xcalloc((size_t)n, sizeof(struct mcp_exchange *));
    for (int32_t i = 0; i < n; i++)
        list[i] = mcp_exchange_ref(call->waiting[i]);
    for (int32_t i = 0; i < n; i++) {
        if (list[i]->state == MCP_EXCHANGE_OPEN)
            mcp_exchange_note(list[i], note, params);
        mcp_exchange_unref(list[i]);
    }
    free(list);
}
