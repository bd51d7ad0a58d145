/* fuzz_mcp_client.c - any bytes of a server, over stdio and over HTTP: every exchange ends once.
 *
 * The first byte: bit 0 HTTP, else stdio; bit 1 the server is found to be modern; bit 2 an event
 * stream. The rest are lines of the server, or the body of each answer. Ids of the client begin
 * with 1, so an input can name them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client.h"
#include "mcp/client/client_link.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/loop.h"
#include "tests/support/http_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define N_EXCHANGES 4

/* ---- stdio in memory: what is sent goes nowhere */

struct fuzz_link {
    struct client_link link;
    struct loop *loop;
    struct loop_timer *timer;
    struct fuzz_link **holder;
};

static enum status start(struct client_link *l, struct error *err)
{
    (void)l;
    (void)err;
    return STATUS_OK;
}

static enum status send(struct client_link *l, const struct client_send *s, struct error *err)
{
    (void)l;
    (void)s;
    (void)err;
    return STATUS_OK;
}

static void on_stop(void *ctx)
{
    struct fuzz_link *l = ctx;
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_CANCELLED, "stopped");
    l->link.events.down(l->link.events.ctx, &l->link, &err);
}

static void stop(struct client_link *link)
{
    struct fuzz_link *l = CONTAINER_OF(link, struct fuzz_link, link);

    if (*l->holder == l)
        *l->holder = NULL;
    if (!l->timer)
        l->timer = loop_timer_new(l->loop, 0, on_stop, l);
}

static void free_(struct client_link *link)
{
    struct fuzz_link *l = CONTAINER_OF(link, struct fuzz_link, link);

    loop_timer_free(l->timer);
    free(l);
}

struct client_link *link_stdio_new(const struct mcp_client_spec *spec,
                                   const struct client_link_events *events)
{
    static const struct client_link_ops ops = {
        .start = start, .send = send, .stop = stop, .free = free_};
    struct fuzz_link *l = xcalloc(1, sizeof(*l));

    l->link = (struct client_link){.ops = &ops, .events = *events};
    l->loop = spec->loop;
    l->holder = spec->events.ctx;
    *l->holder = l;
    return &l->link;
}

/* ---- exchanges */

struct exchange {
    struct mcp_exchange *x;
    int n_done;
};

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct exchange *e = ctx;

    (void)x;
    if ((a->kind == MCP_ERROR) == (a->message == NULL))
        abort();
    if (a->result.at && json_view_kind(a->result) != JV_OBJECT)
        abort();
    e->n_done++;
}

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    (void)ctx;
    (void)x;
    (void)note;
    if (params.at && json_view_kind(params) != JV_OBJECT)
        abort();
}

static void begin(struct exchange *e, struct mcp_client *c, struct mcp_caller *caller,
                  enum mcp_method method)
{
    static const char params[] = "{\"name\":\"t\",\"uri\":\"a:b\",\"notifications\":{"
                                 "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:b\"]}}";

    *e = (struct exchange){.x = mcp_exchange_new(&(struct mcp_exchange_spec){
                               .method = method,
                               .caller = caller,
                               .params = json_view_of(params, sizeof(params) - 1),
                               .wants_progress = true,
                               .log_level = MCP_LOG_DEBUG,
                               .events = {.ctx = e, .note = on_note, .done = on_done}})};
    mcp_exchange_start(e->x, mcp_client_handler(c));
}

/* ---- the server */

struct input {
    const char *bytes;
    size_t n;
    unsigned kind;
};

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void turn(struct loop *l, int n)
{
    for (int i = 0; i < n; i++) {
        struct loop_timer *t = loop_timer_new(l, 0, stop_loop, l);

        loop_run(l);
        loop_timer_free(t);
    }
}

static void say(struct fuzz_link *const *holder, const char *bytes, size_t n)
{
    struct fuzz_link *l = *holder;

    if (l && n > 0)
        (void)l->link.events.message(l->link.events.ctx, 0, bytes, n);
}

static void say_text(struct fuzz_link *const *holder, const char *text)
{
    say(holder, text, strlen(text));
}

static void say_lines(struct fuzz_link *const *holder, struct loop *l, const struct input *in)
{
    const char *at = in->bytes, *end = at + in->n;
    int n_lines = 0;

    while (at < end) {
        const char *line = at;

        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at : end;
        say(holder, line, (size_t)(at - line));
        at++;
        if (++n_lines % 4 == 0)
            turn(l, 1);
    }
}

static void serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out)
{
    const struct input *in = ctx;

    *out =
        (struct http_memory_reply){.type = in->kind & 4 ? "text/event-stream" : "application/json",
                                   .body = in->n ? in->bytes : "{}",
                                   .body_bytes = in->n ? in->n : 2,
                                   .piece_bytes = 1000};
    if (strstr(q->body, "server/discover") && (in->kind & 2)) {
        out->type = "application/json";
        out->body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":["
                    "\"2026-07-28\"],\"capabilities\":{}}}";
        out->body_bytes = 0;
    } else if (strstr(q->body, "\"initialize\"")) {
        out->type = "application/json";
        out->body = "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"protocolVersion\":\"2025-11-25\","
                    "\"capabilities\":{\"resources\":{\"subscribe\":true},\"logging\":{}}}}";
        out->body_bytes = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const argv[] = {"server", NULL};
    static const char capabilities[] =
        "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{},\"roots\":{}}";
    static const enum mcp_method methods[N_EXCHANGES] = {MCP_TOOLS_CALL, MCP_TOOLS_LIST, MCP_LISTEN,
                                                         MCP_RESOURCES_READ};
    const struct mcp_caller_spec who = {
        .principal = "p",
        .revision = MCP_NEWEST,
        .capabilities = json_view_of(capabilities, sizeof(capabilities) - 1)};
    struct input in = {
        .bytes = (const char *)data + 1, .n = n ? n - 1 : 0, .kind = n ? data[0] : 0};
    struct fuzz_link *holder = NULL;
    struct exchange list[N_EXCHANGES];
    struct mcp_client_spec spec = {.name = "s", .argv = argv, .events = {.ctx = &holder}};
    struct mcp_caller *caller = mcp_caller_new(&who);
    struct http_memory *memory;
    struct loop *loop;
    struct mcp_client *c;

    if (loop_new(NULL, &loop, NULL))
        abort();
    memory = http_memory_new(loop);
    http_memory_serve(memory, serve, &in);
    spec.loop = loop;
    spec.transport = in.kind & 1 ? MCP_OVER_HTTP : MCP_OVER_STDIO;
    spec.url = "https://a/";
    spec.http = http_client_with(loop, NULL, http_memory_ops(memory));
    spec.limits.quiet_ms = 1;
    if (mcp_client_new(&spec, &c, NULL))
        abort();
    for (int i = 0; i < N_EXCHANGES; i++)
        begin(&list[i], c, caller, methods[i]);
    if (!(in.kind & 1)) {
        say_text(&holder, in.kind & 2 ? "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{"
                                        "\"supportedVersions\":[\"2026-07-28\"]}}"
                                      : "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
                                        "\"message\":\"\"}}");
        if (!(in.kind & 2))
            say_text(&holder,
                     "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"protocolVersion\":"
                     "\"2025-11-25\",\"capabilities\":{\"resources\":{\"subscribe\":true}}}}");
        say_lines(&holder, loop, &in);
    }
    turn(loop, in.kind & 1 ? 30 : 3);
    mcp_exchange_cancel(list[0].x);
    turn(loop, 2);
    mcp_client_free(c);
    for (int i = 0; i < N_EXCHANGES; i++) {
        if (list[i].n_done != 1)
            abort();
        mcp_exchange_unref(list[i].x);
    }
    http_client_free(spec.http);
    http_memory_free(memory);
    mcp_caller_unref(caller);
    turn(loop, 1);
    loop_free(loop);
    return 0;
}
