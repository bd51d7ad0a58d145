/* client_script.c - see client_script.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    struct mcp_client_spec spec = {.name = "the server",
                                   .transport = MCP_OVER_HTTP,
                                   .url = url,
                                   .policy = &local,
                                   .client_name = "troupe-conformance",
                                   .client_version = "1",
                                   .events = {.ctx = s, .state = on_state, .line = on_line}};
    struct mcp_client_auth auth;
    struct error err = ERROR_INIT;

    *s = (struct script){.n_texts = 0};
    open_context(s, context);
    if (revision && !mcp_is_modern(mcp_revision_named(revision)))
        spec.eras = MCP_ERA_LEGACY;
    if (loop_new(NULL, &s->loop, &err) || http_client_new(s->loop, NULL, &s->http, &err))
        give_up(&err);
    spec.loop = s->loop;
    spec.http = s->http;
    s->login = client_login_new(s->loop, s->http, url, scenario, s->context);
    auth = client_login_ops(s->login);
    spec.auth = &auth;
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
    client_login_free(s->login);
    mcp_caller_unref(s->caller);
    http_client_free(s->http);
    loop_free(s->loop);
    for (int i = 0; i < SCRIPT_TEXTS; i++)
        str_deinit(&s->texts[i]);
    str_deinit(&s->context_text);
}
