/* client_script.c - see client_script.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/client/client_auth.h"
#include "runtime/http/address_policy.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/loop.h"

#define ROUNDS_MAX 10

static const struct address_policy local = {.allow_http = true, .allow_loopback = true};

static _Noreturn void give_up(const struct error *err)
{
    fprintf(stderr, "conformance_client: %s\n", err->message);
    exit(1);
}

/* ---- requests */

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct script *s = ctx;
    struct str *text = &s->texts[s->n_texts];

    (void)x;
    *text = STR_INIT;
    s->is_done = true;
    s->kind = a->kind;
    if (a->kind == MCP_ERROR) {
        fprintf(stderr, "conformance_client: %s: %s\n", mcp_method_facts(x->method)->name,
                a->message);
        s->n_faults++;
    } else {
        json_view_put(text, a->result);
        s->n_texts += s->n_texts + 1 < SCRIPT_TEXTS;
    }
    loop_stop(s->loop);
}

/* The result; no value after an error. */
static struct json_view run(struct script *s, enum mcp_method method, const struct str *params)
{
    struct mcp_exchange *x = mcp_exchange_new(
        &(struct mcp_exchange_spec){.method = method,
                                    .caller = s->caller,
                                    .params = params->len ? json_view_str(params) : JSON_VIEW_NONE,
                                    .events = {.done = on_done, .ctx = s}});
    int before = s->n_texts;

    s->is_done = false;
    mcp_exchange_start(x, mcp_client_handler(s->client));
    while (!s->is_done)
        loop_run(s->loop);
    mcp_exchange_unref(x);
    return s->kind == MCP_ERROR ? JSON_VIEW_NONE : json_view_str(&s->texts[before]);
}

struct json_view script_list(struct script *s, enum mcp_method method, const char *member)
{
    struct str none = STR_INIT;

    return json_view_get(run(s, method, &none), member);
}

/* ---- input */

/* The defaults of a form: what a user gives who only confirms. */
static void put_defaults(struct str *out, struct json_view schema)
{
    const char *comma = "";

    str_putc(out, '{');
    for (struct json_walk w = json_walk(json_view_get(schema, "properties")); json_walk_next(&w);) {
        struct json_view value = json_view_get(w.value, "default");

        if (!value.at && json_view_is(json_view_get(w.value, "type"), "boolean"))
            value = json_view_of("true", 4);
        if (!value.at)
            continue;
        str_puts(out, comma);
        json_view_put(out, w.key);
        str_putc(out, ':');
        json_view_put(out, value);
        comma = ",";
    }
    str_putc(out, '}');
}

static void put_answer(struct str *out, struct json_view request)
{
    struct json_view params = json_view_get(request, "params");

    if (json_view_is(json_view_get(request, "method"), "roots/list")) {
        str_puts(out, "{\"roots\":[{\"uri\":\"file:///project\"}]}");
    } else if (json_view_is(json_view_get(request, "method"), "sampling/createMessage")) {
        str_puts(out, "{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"yes\"},"
                      "\"model\":\"none\",\"stopReason\":\"endTurn\"}");
    } else {
        str_puts(out, "{\"action\":\"accept\",\"content\":");
        put_defaults(out, json_view_get(params, "requestedSchema"));
        str_putc(out, '}');
    }
}

/* The params of the same request with the input that `result` asks for. */
static void put_retry(struct str *out, const struct str *params, struct json_view result)
{
    struct json_view requests = json_view_get(result, "inputRequests");
    struct str responses = STR_INIT;
    const char *comma = "";

    str_putc(&responses, '{');
    for (struct json_walk w = json_walk(requests); json_walk_next(&w);) {
        str_puts(&responses, comma);
        json_view_put(&responses, w.key);
        str_putc(&responses, ':');
        put_answer(&responses, w.value);
        comma = ",";
    }
    str_putc(&responses, '}');
    json_view_put_changed(
        out, json_view_str(params),
        (struct json_change[]){{"inputResponses", json_view_str(&responses)},
                               {"requestState", json_view_get(result, "requestState")}},
        2);
    str_deinit(&responses);
}

/* Until the request has its result. */
static void run_rounds(struct script *s, enum mcp_method method, const struct str *params)
{
    struct json_view result = run(s, method, params);

    for (int i = 0; i < ROUNDS_MAX && s->kind == MCP_INPUT_REQUIRED; i++) {
        struct str again = STR_INIT;

        put_retry(&again, params, result);
        result = run(s, method, &again);
        str_deinit(&again);
    }
}

void script_call(struct script *s, struct json_view tool, const char *arguments)
{
    struct str params = STR_INIT;

    str_puts(&params, "{\"name\":");
    json_view_put(&params, tool);
    str_printf(&params, ",\"arguments\":%s}", arguments);
    run_rounds(s, MCP_TOOLS_CALL, &params);
    str_deinit(&params);
}

void script_ask(struct script *s, enum mcp_method method, const char *member,
                struct json_view value)
{
    struct str params = STR_INIT;

    str_printf(&params, "{\"%s\":", member);
    json_view_put(&params, value);
    str_putc(&params, '}');
    run_rounds(s, method, &params);
    str_deinit(&params);
}

/* ---- the connection */

static void on_state(void *ctx, enum mcp_client_state state)
{
    struct script *s = ctx;

    if (state == MCP_CLIENT_READY || state == MCP_CLIENT_DOWN)
        loop_stop(s->loop);
}

static void on_line(void *ctx, bool is_error, const char *text, size_t n)
{
    (void)ctx;
    (void)is_error;
    fprintf(stderr, "conformance_client: %.*s\n", (int)n, text);
}

bool script_connect(struct script *s)
{
    struct mcp_client_facts f;

    mcp_client_start(s->client);
    for (f = mcp_client_facts(s->client); f.state == MCP_CLIENT_STARTING;
         f = mcp_client_facts(s->client))
        loop_run(s->loop);
    if (f.state == MCP_CLIENT_READY)
        return true;
    fprintf(stderr, "conformance_client: %s\n", f.fault);
    s->n_faults++;
    return false;
}

/* ---- authorization: /authorize of the suite answers at once with the redirect */

static void on_redirect_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct script *s = ctx;
    const char *location = http_field_value(fields, n, "location");

    (void)code;
    str_clear(&s->location);
    str_puts(&s->location, location ? location : "");
}

static void on_redirect_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct script *s = ctx;
    const char *query = strchr(str_cstr(&s->location), '?');
    struct error why = ERROR_INIT;

    (void)sent;
    if (st)
        fprintf(stderr, "conformance_client: the login: %s\n", err->message);
    else if (mcp_auth_redirected(s->auth, query ? query + 1 : "", &why))
        fprintf(stderr, "conformance_client: the login: %s\n", why.message);
}

static bool open_url(void *ctx, const char *url)
{
    struct script *s = ctx;
    struct http_fetch *fetch;

    return http_fetch_start(s->http,
                            &(struct http_fetch_spec){.method = HTTP_GET,
                                                      .url = url,
                                                      .policy = &local,
                                                      .ctx = s,
                                                      .on_head = on_redirect_head,
                                                      .on_done = on_redirect_done},
                            &fetch, NULL) == STATUS_OK;
}

/* A text of the context; NULL: it has none. */
static const char *from_context(struct script *s, const char *key)
{
    struct str *text = &s->texts[s->n_texts];

    *text = STR_INIT;
    if (!json_view_text(json_view_get(s->context, key), text))
        return NULL;
    s->n_texts++;
    return str_cstr(text);
}

static void open_auth(struct script *s, const char *url, const char *scenario)
{
    struct mcp_auth_options o = {
        .server_url = url,
        .http = s->http,
        .policy = &local,
        .client_id = from_context(s, "client_id"),
        .client_secret = from_context(s, "client_secret"),
        .client_key_pem = from_context(s, "private_key_pem"),
        .client_metadata_url = "https://conformance-test.local/client-metadata.json",
        .redirect_uri = "http://localhost:3000/callback",
        .login_ms = 10000,
        .ctx = s,
        .open_url = open_url};
    struct error err = ERROR_INIT;

    if (strstr(scenario, "client-credentials"))
        o.grant = MCP_AUTH_CLIENT_CREDENTIALS;
    if (strstr(scenario, "enterprise") || strstr(scenario, "wif")) {
        o.grant = MCP_AUTH_ASSERTION;
        o.assertion = from_context(s, "valid_jwt");
        if (!o.assertion)
            o.assertion = from_context(s, "idp_id_token");
        o.idp_token_endpoint = from_context(s, "idp_token_endpoint");
        o.idp_client_id = from_context(s, "idp_client_id");
    }
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/conformance-client-XXXXXX");
    if (!mkdtemp(s->folder))
        exit(1);
    (void)snprintf(s->store, sizeof(s->store), "%s/auth.json", s->folder);
    o.store_path = s->store;
    o.folder = s->folder;
    if (mcp_auth_new(s->loop, &o, &s->auth, &err))
        give_up(&err);
}

static void close_auth(struct script *s)
{
    char lock[sizeof(s->store) + 8];

    mcp_auth_free(s->auth);
    if (!s->folder[0])
        return;
    (void)snprintf(lock, sizeof(lock), "%s.lock", s->store);
    (void)unlink(lock);
    (void)unlink(s->store);
    (void)rmdir(s->folder);
}

static void open_context(struct script *s, const char *context)
{
    struct error err = ERROR_INIT;

    s->context_text = STR_INIT;
    str_puts(&s->context_text, context && context[0] ? context : "{}");
    if (json_view_open(str_cstr(&s->context_text), s->context_text.len, STR_MAX_DEFAULT, "context",
                       &s->context, &err))
        give_up(&err);
}

void script_open(struct script *s, const char *url, const char *scenario, const char *revision,
                 const char *context)
{
    static const char capabilities[] =
        "{\"elicitation\":{\"form\":{\"applyDefaults\":true},\"url\":{}},\"sampling\":{\"tools\":{}"
        "},\"roots\":{}}";
    const struct mcp_caller_spec caller = {
        .principal = "user",
        .revision = MCP_NEWEST,
        .capabilities = json_view_of(capabilities, strlen(capabilities))};
    struct mcp_client_auth auth;
    struct mcp_client_spec spec = {.name = "the server",
                                   .transport = MCP_OVER_HTTP,
                                   .url = url,
                                   .policy = &local,
                                   .client_name = "troupe-conformance",
                                   .client_version = "1",
                                   .events = {.ctx = s, .state = on_state, .line = on_line}};
    struct error err = ERROR_INIT;

    *s = (struct script){.n_texts = 0};
    s->location = STR_INIT;
    open_context(s, context);
    if (revision && !mcp_is_modern(mcp_revision_named(revision)))
        spec.eras = MCP_ERA_LEGACY;
    if (loop_new(NULL, &s->loop, &err) || http_client_new(s->loop, NULL, &s->http, &err))
        give_up(&err);
    spec.loop = s->loop;
    spec.http = s->http;
    if (strncmp(scenario, "auth/", 5) == 0) {
        open_auth(s, url, scenario);
        auth = mcp_client_auth_of(s->auth);
        spec.auth = &auth;
    }
    s->caller = mcp_caller_new(&caller);
    if (mcp_client_new(&spec, &s->client, &err))
        give_up(&err);
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void script_close(struct script *s)
{
    struct loop_timer *t;

    mcp_client_stop(s->client);
    t = loop_timer_new(s->loop, 200, stop, s->loop); /* the session ends meanwhile */
    loop_run(s->loop);
    loop_timer_free(t);
    mcp_client_free(s->client);
    close_auth(s);
    mcp_caller_unref(s->caller);
    http_client_free(s->http);
    loop_free(s->loop);
    for (int i = 0; i < SCRIPT_TEXTS; i++)
        str_deinit(&s->texts[i]);
    str_deinit(&s->context_text);
    str_deinit(&s->location);
}
