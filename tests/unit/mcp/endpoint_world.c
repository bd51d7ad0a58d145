/* endpoint_world.c - see endpoint_world.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "endpoint_world.h"

#include <strings.h>

static struct json_view view(const char *text)
{
    return json_view_of(text, strlen(text));
}

/* ---- the handler */

static void forget(struct world *w, const struct mcp_exchange *x)
{
    for (int i = 0; i < w->n_open; i++) {
        if (w->open[i] == x) {
            memmove(&w->open[i], &w->open[i + 1], (size_t)(w->n_open - i - 1) * sizeof(w->open[0]));
            w->n_open--;
            return;
        }
    }
}

static void keep(struct world *w, struct mcp_exchange *x)
{
    assert_true(w->n_open < OPEN_MAX);
    x->work = w;
    w->open[w->n_open++] = x;
}

void world_note(struct mcp_exchange *x, enum mcp_method note, const char *params)
{
    mcp_exchange_note(x, note, params ? view(params) : JSON_VIEW_NONE);
}

void world_finish(struct mcp_exchange *x, const char *result)
{
    forget(x->work, x);
    mcp_exchange_complete(x, view(result));
}

static void finish_text(struct mcp_exchange *x, struct json_view text)
{
    struct str result = STR_INIT, inner = STR_INIT;

    json_view_put(&inner, text);
    str_puts(&result, "{\"content\":[{\"type\":\"text\",\"text\":");
    str_put_json_string(&result, str_cstr(&inner), inner.len);
    str_puts(&result, "}]}");
    if (str_ok(&result) && str_ok(&inner))
        mcp_exchange_complete(x, json_view_str(&result));
    else
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "out of memory");
    str_deinit(&result);
    str_deinit(&inner);
}

/* Asks for these inputs; with answers or errors their text. */
static void ask(struct mcp_exchange *x, const char *inputs)
{
    struct str result = STR_INIT;

    str_printf(&result, "{\"inputRequests\":{%s},\"requestState\":\"s1\"}", inputs);
    if (json_view_get(x->params, "inputResponses").at)
        finish_text(x, json_view_get(x->params, "inputResponses"));
    else if (str_ok(&result))
        mcp_exchange_finish(
            x, &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED, .result = json_view_str(&result)});
    else
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "out of memory");
    str_deinit(&result);
}

/* Asks again, whatever the answer. */
static void ask_again(struct mcp_exchange *x)
{
    mcp_exchange_finish(x,
                        &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED,
                                             .result = view("{\"inputRequests\":{\"r\":{\"method\":"
                                                            "\"roots/list\"}}}")});
}

/* Wants to be called a second time, without an input. */
static void put_off(struct mcp_exchange *x)
{
    if (json_view_get(x->params, "requestState").at)
        mcp_exchange_complete(x, view("{\"content\":[]}"));
    else
        mcp_exchange_finish(x, &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED,
                                                    .result = view("{\"requestState\":\"s\"}")});
}

static void call_tool(struct world *w, struct mcp_exchange *x)
{
    struct json_view name = json_view_get(x->params, "name");

    if (json_view_is(name, "echo")) {
        finish_text(x, json_view_get(x->params, "arguments"));
    } else if (json_view_is(name, "ask")) {
        ask(x, "\"a\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"A?\"}},"
               "\"b\":{\"method\":\"roots/list\"}");
    } else if (json_view_is(name, "url")) {
        ask(x, "\"u\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\","
               "\"message\":\"Go\",\"url\":\"https://a.example/\"}}");
    } else if (json_view_is(name, "again")) {
        ask_again(x);
    } else if (json_view_is(name, "later")) {
        put_off(x);
    } else if (json_view_is(name, "fail")) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "bad \"thing\"");
    } else if (json_view_is(name, "needy")) {
        mcp_exchange_fail_abilities(x, MCP_CAN_SAMPLE);
    } else if (json_view_is(name, "hold") || json_view_is(name, "note")) {
        keep(w, x);
        if (json_view_is(name, "hold"))
            return;
        world_note(x, MCP_PROGRESS, "{\"progress\":1}");
        world_note(x, MCP_MESSAGE, "{\"level\":\"info\",\n\"data\":1}");
    } else {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "there is no such tool");
    }
}

static void acknowledge(struct world *w, struct mcp_exchange *x)
{
    struct str params = STR_INIT;

    keep(w, x);
    str_puts(&params, "{\"notifications\":");
    json_view_put(&params, json_view_get(x->params, "notifications"));
    str_putc(&params, '}');
    if (str_ok(&params))
        mcp_exchange_note(x, MCP_ACKNOWLEDGED, json_view_str(&params));
    str_deinit(&params);
}

static void start(void *ctx, struct mcp_exchange *x)
{
    static const char discovered[] =
        "{\"supportedVersions\":[],\"capabilities\":{\"tools\":{},\"extensions\":{}}," INFO "}";
    struct world *w = ctx;

    w->n_started++;
    if (x->method != MCP_DISCOVER) {
        str_clear(&w->heard);
        json_view_put(&w->heard, x->params);
        if (x->input_errors.at)
            json_view_put(&w->heard, x->input_errors);
    }
    if (x->method == MCP_TOOLS_LIST)
        (void)snprintf(w->only, sizeof(w->only), "%s", x->only ? x->only : "");
    if (x->method == MCP_DISCOVER)
        mcp_exchange_complete(x, view(discovered));
    else if (x->method == MCP_TOOLS_LIST && !w->tools)
        keep(w, x);
    else if (x->method == MCP_TOOLS_LIST)
        mcp_exchange_complete(x, view(w->tools));
    else if (x->method == MCP_TOOLS_CALL)
        call_tool(w, x);
    else if (x->method == MCP_LISTEN && !w->no_listen)
        acknowledge(w, x);
    else
        mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "there is no such method");
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct world *w = ctx;

    w->n_cancelled++;
    forget(w, x);
    mcp_exchange_fail_cancelled(x);
}

static void caller_gone(void *ctx, struct mcp_caller *c)
{
    assert_string_not_equal(c->session, "");
    ((struct world *)ctx)->n_gone++;
}

static void roots_changed(void *ctx, struct mcp_caller *c)
{
    (void)c;
    ((struct world *)ctx)->n_roots++;
}

/* ---- the endpoint */

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)q;
    return (struct http_route){.max_body = mcp_server_max_body(((struct world *)ctx)->server)};
}

static void serve(void *ctx, struct http_call *c)
{
    struct world *w = ctx;
    const struct http_request *q = http_call_request(c);
    const char *who = http_field_value(q->fields, q->n_fields, "x-principal");

    mcp_server_http(w->server, c, who ? who : "ann", "");
}

static int64_t mono_us(void *ctx)
{
    return 1000000000 + ((struct world *)ctx)->now_ms * 1000;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return seams_wall_ms(seams_real());
}

int world_setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->seams = *seams_real();
    w->seams.clock = (struct clock_seam){.ctx = w, .mono_us = mono_us, .wall_ms = wall_ms};
    assert_ok(loop_new(&w->seams, &w->loop, why));
    w->heard = STR_INIT;
    w->tools = "{\"tools\":[{\"name\":\"echo\"}]}";
    w->handler = (struct mcp_handler){.ctx = w,
                                      .start = start,
                                      .cancel = cancel,
                                      .caller_gone = caller_gone,
                                      .roots_changed = roots_changed};
    w->o = (struct mcp_server_options){.loop = w->loop, .seams = &w->seams, .handler = &w->handler};
    w->http.address = "127.0.0.1";
    w->http.seams = &w->seams;
    w->http.handler = (struct http_handler){.ctx = w, .route = route, .serve = serve};
    w->server = mcp_server_new(&w->o);
    w->shared = http_shared_new(&w->http, 80);
    *state = w;
    return 0;
}

void world_restart(struct world *w)
{
    mcp_server_free(w->server);
    w->server = mcp_server_new(&w->o);
}

int world_teardown(void **state)
{
    struct world *w = *state;

    mcp_server_free(w->server);
    assert_int_equal(w->n_open, 0);
    http_shared_free(w->shared);
    loop_free(w->loop);
    str_deinit(&w->heard);
    free(w);
    return 0;
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void world_turn(struct world *w, int ms)
{
    struct loop_timer *t = loop_timer_new(w->loop, ms, stop, w->loop);

    loop_run(w->loop);
    loop_timer_free(t);
}

/* ---- clients */

static void want_write(void *ctx)
{
    (void)ctx; /* the test pumps */
}

static void pause_reading(void *ctx, bool yes)
{
    (void)ctx;
    (void)yes;
}

static void close_link(void *ctx, enum http_close how)
{
    (void)how;
    ((struct client *)ctx)->closed = true;
}

struct client *client_new(struct world *w)
{
    struct client *c = xcalloc(1, sizeof(*c));
    struct http_link link = {c, want_write, pause_reading, close_link};

    c->world = w;
    c->sent = c->body = STR_INIT;
    c->conn = http_conn_new(w->shared, &link, "192.0.2.7");
    return c;
}

void client_free(struct client *c)
{
    http_conn_free(c->conn);
    str_deinit(&c->sent);
    str_deinit(&c->body);
    free(c);
}

void client_pump(struct client *c)
{
    const char *bytes;
    size_t n;

    while (!c->is_stuck && (n = http_conn_unsent(c->conn, &bytes)) > 0) {
        str_append(&c->sent, bytes, n);
        http_conn_sent(c->conn, n);
    }
}

void client_send(struct client *c, const char *method, const char *fields, const char *body)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, fields);
    if (body)
        str_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    str_printf(&text, "\r\n%s", body ? body : "");
    mem_fail_after(c->world->fail_at);
    http_conn_feed(c->conn, str_cstr(&text), text.len);
    mem_fail_after(0);
    str_deinit(&text);
    client_pump(c);
}

/* The end of the head that begins at `read`; NULL: none has come. */
static const char *head_end(struct client *c)
{
    const char *end;

    client_pump(c);
    end = strstr(str_cstr(&c->sent) + c->read, "\r\n\r\n");
    return end ? end + 4 : NULL;
}

int client_code(struct client *c)
{
    return head_end(c) ? atoi(str_cstr(&c->sent) + c->read + strlen("HTTP/1.1 ")) : 0;
}

const char *client_field(struct client *c, const char *name)
{
    const char *end = head_end(c), *at = str_cstr(&c->sent) + c->read;

    while (at && at < end) {
        size_t n = strlen(name);

        if (strncasecmp(at, name, n) == 0 && at[n] == ':') {
            str_clear(&c->body);
            str_append(&c->body, at + n + 2, strcspn(at + n + 2, "\r"));
            return str_cstr(&c->body);
        }
        at = strstr(at, "\r\n");
        at = at ? at + 2 : NULL;
    }
    return NULL;
}

static void put_chunks(struct str *out, const char *at)
{
    size_t n;

    while (*at && (n = strtoul(at, NULL, 16)) > 0) {
        at = strstr(at, "\r\n") + 2;
        str_append(out, at, n);
        at += n + 2;
    }
}

const char *client_body(struct client *c)
{
    const char *end = head_end(c), *length;

    if (!end)
        return "";
    length = client_field(c, "content-length");
    if (length) {
        size_t n = strtoul(length, NULL, 10);

        str_clear(&c->body);
        str_append(&c->body, end, n);
        c->read = (size_t)(end - str_cstr(&c->sent)) + n;
    } else {
        str_clear(&c->body);
        put_chunks(&c->body, end);
    }
    return str_cstr(&c->body);
}
