/* bench_mcp_echo.c - a server of mcp/server with the tool echo, in this process; and with tools
 * that harm their callers.
 *
 *   echo   answers "Echo: MESSAGE"
 *   hang   never answers
 *   flood  never answers, and writes log lines to standard output as fast as they are read
 *   die    ends the process
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_mcp.h"
#include "bench_run.h"
#include "mcp/server/server_stdio.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"
#include "runtime/loop/loop.h"

#define FLOOD_LINES 64

static const char about[] =
    "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{},"
    "\"logging\":{}},\"ttlMs\":0,\"cacheScope\":\"public\",\"_meta\":{"
    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"bench-echo\","
    "\"version\":\"1\"}}}";

static void list(struct mcp_exchange *x)
{
    static const char *const names[] = {"echo", "hang", "flood", "die"};
    struct str out = STR_INIT;

    str_puts(&out, "{\"tools\":[");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        str_printf(&out,
                   "%s{\"name\":\"%s\",\"description\":\"A tool for benchmarks\",\"inputSchema\":{"
                   "\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"}}}}",
                   i ? "," : "", names[i]);
    str_puts(&out, "],\"ttlMs\":0,\"cacheScope\":\"public\"}");
    mcp_exchange_complete(x, json_view_str(&out));
    str_deinit(&out);
}

static void echo(struct mcp_exchange *x)
{
    struct str text = STR_INIT, out = STR_INIT;

    str_puts(&text, "Echo: ");
    (void)json_view_text(json_view_get(json_view_get(x->params, "arguments"), "message"), &text);
    str_puts(&out, "{\"content\":[{\"type\":\"text\",\"text\":");
    str_put_json_string(&out, str_cstr(&text), text.len);
    str_puts(&out, "}]}");
    mcp_exchange_complete(x, json_view_str(&out));
    str_deinit(&text);
    str_deinit(&out);
}

static _Noreturn void flood(void)
{
    static const char line[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
        "{\"level\":\"info\",\"data\":\"one line of very many, all alike\"}}\n";
    struct str block = STR_INIT;

    for (int i = 0; i < FLOOD_LINES; i++)
        str_puts(&block, line);
    (void)fcntl(STDOUT_FILENO, F_SETFL, 0); /* blocking */
    while (write(STDOUT_FILENO, str_cstr(&block), block.len) > 0) {
    }
    exit(0);
}

static void start(void *ctx, struct mcp_exchange *x)
{
    struct json_view name = json_view_get(x->params, "name");

    (void)ctx;
    if (x->method == MCP_DISCOVER)
        mcp_exchange_complete(x, json_view_of(about, strlen(about)));
    else if (x->method == MCP_TOOLS_LIST)
        list(x);
    else if (x->method != MCP_TOOLS_CALL)
        mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "this server has only tools");
    else if (json_view_is(name, "echo"))
        echo(x);
    else if (json_view_is(name, "flood"))
        flood();
    else if (json_view_is(name, "die"))
        _exit(1);
    else if (!json_view_is(name, "hang"))
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "unknown tool");
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    (void)ctx;
    mcp_exchange_fail_cancelled(x);
}

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)q;
    return (struct http_route){.max_body = mcp_server_max_body(ctx), .is_open = true};
}

static void serve(void *ctx, struct http_call *c)
{
    mcp_server_http(ctx, c, "bench", "");
}

static void ended(void *ctx)
{
    loop_stop(ctx);
}

int mcp_echo(bool is_http)
{
    const struct mcp_handler handler = {.start = start, .cancel = cancel};
    struct mcp_server_options o = {.seams = seams_real(), .handler = &handler};
    struct http_server_options http = {.seams = seams_real(),
                                       .handler = {.route = route, .serve = serve}};
    struct http_server *h = NULL;
    struct mcp_stdio *io = NULL;
    struct error err = ERROR_INIT;
    struct mcp_server *s;

    must(loop_new(seams_real(), &o.loop, &err), &err);
    s = mcp_server_new(&o);
    if (is_http) {
        http.handler.ctx = s;
        must(http_server_new(o.loop, &http, &h, &err), &err);
        printf("%d\n", http_server_port(h));
        (void)fflush(stdout);
    } else {
        const struct mcp_stdio_options stdio = {.in = 0, .out = 1, .ended = ended, .ctx = o.loop};

        must(mcp_stdio_new(s, &stdio, &io, &err), &err);
    }
    loop_run(o.loop);
    mcp_stdio_free(io);
    mcp_server_free(s);
    http_server_free(h);
    loop_free(o.loop);
    return 0;
}
