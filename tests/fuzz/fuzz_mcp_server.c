/* fuzz_mcp_server.c - messages of clients of both eras, over HTTP and stdio: whatever they are,
 * each reply is a message of JSON-RPC, and nothing is left open.
 *
 * The first byte chooses: 0 modern over HTTP, 1 legacy over HTTP, 2 stdio. Each line is a message;
 * over HTTP the header fields are made to agree with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/server/server_stdio.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_conn.h"
#include "runtime/loop/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define INPUT_MAX 60000 /* what a pipe takes */
#define OPEN_MAX  64
#define INITIALIZE                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"2025-11-25\",\"capabilities\":{\"elicitation\":{},\"roots\":{},\"sampling\":{}}}}"

struct scene {
    struct loop *loop;
    struct mcp_handler handler;
    struct mcp_server *server;
    struct mcp_exchange *open[OPEN_MAX];
    int n_open;
    struct str sent;
    char session[64];
    bool is_legacy;
};

static struct json_view view(const char *json)
{
    return json_view_of(json, strlen(json));
}

/* ---- the handler: what it does depends on the name in the params */

static void keep(struct scene *s, struct mcp_exchange *x)
{
    if (s->n_open == OPEN_MAX)
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "full");
    else
        s->open[s->n_open++] = x;
}

static void listen(struct scene *s, struct mcp_exchange *x)
{
    struct str params = STR_INIT;

    str_puts(&params, "{\"notifications\":");
    json_view_put(&params, json_view_get(x->params, "notifications"));
    str_putc(&params, '}');
    keep(s, x);
    if (x->state == MCP_EXCHANGE_OPEN) {
        mcp_exchange_note(x, MCP_ACKNOWLEDGED, json_view_str(&params));
        mcp_exchange_note(x, MCP_TOOLS_CHANGED, JSON_VIEW_NONE);
    }
    str_deinit(&params);
}

static void start(void *ctx, struct mcp_exchange *x)
{
    struct scene *s = ctx;
    struct json_view name = json_view_get(x->params, "name");

    if (x->method == MCP_LISTEN) {
        listen(s, x);
    } else if (x->method == MCP_TOOLS_LIST) {
        mcp_exchange_complete(x, view("{\"tools\":[{\"name\":\"h\",\"inputSchema\":{\"properties\":"
                                      "{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}]}"));
    } else if (json_view_is(name, "ask") && !json_view_get(x->params, "inputResponses").at) {
        mcp_exchange_finish(
            x, &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED,
                                    .result = view("{\"inputRequests\":{\"a\":{\"method\":"
                                                   "\"roots/list\"}},\"requestState\":\"s\"}")});
    } else if (json_view_is(name, "hold")) {
        keep(s, x);
    } else if (x->params.at) {
        mcp_exchange_note(x, MCP_PROGRESS, view("{\"progress\":1}"));
        mcp_exchange_complete(x, x->params);
    } else {
        mcp_exchange_complete(x, view("{\"capabilities\":{}}"));
    }
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct scene *s = ctx;

    for (int i = 0; i < s->n_open; i++) {
        if (s->open[i] == x) {
            s->open[i] = s->open[--s->n_open];
            mcp_exchange_fail_cancelled(x);
            return;
        }
    }
    abort();
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void turn(struct scene *s)
{
    struct loop_timer *t = loop_timer_new(s->loop, 0, stop, s->loop);

    loop_run(s->loop);
    loop_timer_free(t);
}

static void check_message(const char *bytes, size_t n)
{
    struct json_view v;

    if (json_view_open(bytes, n, STR_MAX_DEFAULT, "reply", &v, NULL) ||
        !json_view_is(json_view_get(v, "jsonrpc"), "2.0") || memchr(bytes, '\n', n))
        abort();
}

/* ---- HTTP */

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)q;
    return (struct http_route){.max_body = mcp_server_max_body(((struct scene *)ctx)->server)};
}

static void serve(void *ctx, struct http_call *c)
{
    mcp_server_http(((struct scene *)ctx)->server, c, "p", "");
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void ignore_pause(void *ctx, bool yes)
{
    (void)ctx;
    (void)yes;
}

static void ignore_close(void *ctx, enum http_close how)
{
    (void)ctx;
    (void)how;
}

/* The HTTP server refuses control characters itself. */
static bool is_field(const struct str *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f)
            return false;
    }
    return text->len < 1000;
}

static void put_field(struct str *out, const char *name, struct json_view value)
{
    struct str text = STR_INIT;

    if (json_view_text(value, &text) && is_field(&text))
        str_printf(out, "%s: %s\r\n", name, str_cstr(&text));
    str_deinit(&text);
}

/* One connection for one message; what came is in s->sent. */
static void post(struct scene *s, struct http_shared *shared, const char *body, size_t n)
{
    const struct http_link link = {s, ignore, ignore_pause, ignore_close};
    struct http_conn *c = http_conn_new(shared, &link, "192.0.2.7");
    struct str text = STR_INIT;
    struct rpc_message m;
    enum rpc_code code;
    const char *out;
    size_t k;

    str_puts(&text, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    "Accept: */*\r\n");
    if (s->session[0])
        str_printf(&text, "MCP-Session-Id: %s\r\n", s->session);
    else if (!s->is_legacy)
        str_puts(&text, "MCP-Protocol-Version: 2026-07-28\r\n");
    if (rpc_read(body, n, n, &m, &code, NULL) == STATUS_OK) {
        struct json_view uri = json_view_get(m.params, "uri");

        put_field(&text, "Mcp-Method", m.method);
        put_field(&text, "Mcp-Name", uri.at ? uri : json_view_get(m.params, "name"));
    }
    str_printf(&text, "Content-Length: %zu\r\n\r\n", n);
    str_append(&text, body, n);
    http_conn_feed(c, str_cstr(&text), text.len);
    str_clear(&s->sent);
    while ((k = http_conn_unsent(c, &out)) > 0) {
        str_append(&s->sent, out, k);
        http_conn_sent(c, k);
    }
    http_conn_free(c);
    str_deinit(&text);
}

static void check_reply(struct scene *s)
{
    const char *end = strstr(str_cstr(&s->sent), "\r\n\r\n");
    const char *type = strstr(str_cstr(&s->sent), "Content-Type: application/json");

    if (end && type && type < end)
        check_message(end + 4, s->sent.len - (size_t)(end + 4 - s->sent.data));
}

static void over_http(struct scene *s, bool legacy, const char *text)
{
    const struct http_server_options o = {.address = "127.0.0.1",
                                          .seams = seams_real(),
                                          .handler = {.ctx = s, .route = route, .serve = serve}};
    struct http_shared *shared = http_shared_new(&o, 80);
    const char *id;

    s->is_legacy = legacy;
    if (legacy) {
        post(s, shared, INITIALIZE, strlen(INITIALIZE));
        id = strstr(str_cstr(&s->sent), "MCP-Session-Id: ");
        if (!id)
            abort();
        memcpy(s->session, id + strlen("MCP-Session-Id: "), 32);
    }
    while (*text) {
        size_t n = strcspn(text, "\n");

        post(s, shared, text, n);
        check_reply(s);
        text += n + (text[n] ? 1 : 0);
    }
    mcp_server_free(s->server);
    http_shared_free(shared);
}

/* ---- stdio */

static void over_stdio(struct scene *s, const char *text, size_t n)
{
    int in[2], out[2];
    struct mcp_stdio_options o = {.ended = ignore};
    struct mcp_stdio *io = NULL;
    char bytes[4096];
    ssize_t k;

    if (pipe(in) || pipe(out) || write(in[1], text, n) != (ssize_t)n)
        abort();
    close(in[1]);
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    o.in = in[0];
    o.out = out[1];
    if (mcp_stdio_new(s->server, &o, &io, NULL))
        abort();
    for (int i = 0; i < 4; i++) {
        turn(s);
        while ((k = read(out[0], bytes, sizeof(bytes))) > 0)
            str_append(&s->sent, bytes, (size_t)k);
    }
    mcp_stdio_free(io);
    mcp_server_free(s->server);
    close(in[0]);
    close(out[0]);
    close(out[1]);
    for (const char *at = str_cstr(&s->sent), *end; (end = strchr(at, '\n')); at = end + 1)
        check_message(at, (size_t)(end - at));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct scene s = {.sent = STR_INIT};
    struct mcp_server_options o = {.seams = seams_real(), .handler = &s.handler};
    char *text;

    if (n < 1 || n > INPUT_MAX)
        return 0;
    signal(SIGPIPE, SIG_IGN);
    if (loop_new(seams_real(), &s.loop, NULL))
        abort();
    s.handler = (struct mcp_handler){.ctx = &s, .start = start, .cancel = cancel};
    o.loop = s.loop;
    o.limits = (struct mcp_server_limits){.calls = 32, .subscriptions = 4, .kept_events = 8};
    s.server = mcp_server_new(&o);
    text = xstrndup((const char *)bytes + 1, n - 1);
    if (bytes[0] % 3 == 2)
        over_stdio(&s, text, strlen(text));
    else
        over_http(&s, bytes[0] % 3 == 1, text);
    if (s.n_open != 0)
        abort();
    loop_free(s.loop);
    str_deinit(&s.sent);
    free(text);
    return 0;
}
