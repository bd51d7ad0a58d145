/* bench_mcp_load.c - calls over Streamable HTTP: one at a time on each connection, as fast as the
 * answers come, or at a rate.
 *
 * At a rate, the time of a call counts from when it was due, so that a server that stops for a
 * moment cannot hide it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "bench_client.h"
#include "bench_mcp.h"

struct caller {
    struct bench_client client; /* first: events give it */
    char fields[512];
    int64_t number; /* of the call on the way */
    double due;
    bool is_busy;
};

struct load {
    const struct mcp_load_options *o;
    struct mcp_calls calls;
    struct caller *callers; /* (o->at_once) */
    int epoll, n_busy;
    int64_t turn; /* the caller to look at first, so that none is idle for long */
    int64_t next;
};

static void wait_whole(struct bench_client *c)
{
    c->n = 0;
    do
        bench_client_receive(c);
    while (!bench_client_is_whole(c));
}

/* 2025-11-25, "Lifecycle". */
static void begin_session(const struct load *l, struct caller *c)
{
    static const char init[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":"
        "\"bench\",\"version\":\"1\"}}}";
    static const char ready[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    const char *id;

    bench_client_post(&c->client, l->o->port, l->o->path, "", init);
    wait_whole(&c->client);
    id = strcasestr(c->client.got, "mcp-session-id:");
    if (!id)
        bench_die("the server gives no session");
    id += strlen("mcp-session-id:");
    id += strspn(id, " ");
    (void)snprintf(c->fields, sizeof(c->fields),
                   "Mcp-Session-Id: %.*s\r\nMCP-Protocol-Version: 2025-11-25\r\n",
                   (int)strcspn(id, "\r"), id);
    bench_client_post(&c->client, l->o->port, l->o->path, c->fields, ready);
    wait_whole(&c->client);
    c->client.n = 0;
}

static void open_caller(struct load *l, struct caller *c)
{
    bench_client_open(&c->client, l->o->port, l->epoll);
    if (l->o->is_modern)
        (void)snprintf(c->fields, sizeof(c->fields),
                       "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                       "Mcp-Name: %s\r\n",
                       l->o->tool);
    else
        begin_session(l, c);
}

static void call(struct load *l, struct caller *c, double due)
{
    char body[2048];

    c->number = ++l->next;
    c->due = due;
    c->is_busy = true;
    l->n_busy++;
    c->client.n = 0;
    mcp_calls_write(&l->calls, c->number, body, sizeof(body));
    bench_client_post(&c->client, l->o->port, l->o->path, c->fields, body);
}

/* The calls that are due; the time until the next one. At a rate, a call waits for a connection
 * and is late then. */
static double call_due(struct load *l, double now, double end)
{
    double step = l->o->rate > 0 ? 1 / l->o->rate : 0, due = now;

    for (int i = 0; i < l->o->at_once; i++) {
        struct caller *c = &l->callers[(l->turn + 1) % l->o->at_once];

        l->turn++;
        if (c->is_busy)
            continue;
        if (l->o->rate > 0)
            due = l->calls.began + (double)l->next * step;
        if (due > now || due >= end) {
            l->turn--;
            return due > now ? due - now : 1;
        }
        call(l, c, due);
    }
    return 1;
}

static void take_answers(struct load *l, double wait_s)
{
    struct epoll_event got[BENCH_CLIENTS_MAX];
    struct timespec t = {.tv_sec = (time_t)wait_s,
                         .tv_nsec = (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
    int k = epoll_pwait2(l->epoll, got, BENCH_CLIENTS_MAX, &t, NULL);

    for (int i = 0; i < k; i++) {
        struct caller *c = got[i].data.ptr;

        bench_client_receive(&c->client);
        if (!bench_client_is_whole(&c->client))
            continue;
        mcp_calls_take(&l->calls, c->number, c->client.got, (bench_now_s() - c->due) * 1e3);
        c->is_busy = false;
        l->n_busy--;
    }
}

int mcp_load(const struct mcp_load_options *o)
{
    struct load l = {.o = o, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    double now, end, last;

    l.callers = calloc((size_t)o->at_once, sizeof(*l.callers));
    if (!l.callers || o->at_once > BENCH_CLIENTS_MAX)
        bench_die("at most 512 connections");
    for (int i = 0; i < o->at_once; i++)
        open_caller(&l, &l.callers[i]);
    mcp_calls_begin(&l.calls, o);
    last = l.calls.began;
    end = last + o->seconds;
    for (now = bench_now_s(); now < end || l.n_busy > 0; now = bench_now_s()) {
        int64_t before = l.calls.n;

        take_answers(&l, now < end ? call_due(&l, now, end) : 1);
        if (l.calls.n > before)
            last = now;
        if (now - last > 30)
            bench_die("no answer for 30 s");
    }
    mcp_calls_print(&l.calls);
    for (int i = 0; i < o->at_once; i++)
        bench_client_close(&l.callers[i].client);
    free(l.callers);
    return 0;
}
