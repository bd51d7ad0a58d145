/* server.c - the server's life.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/server.h"

#include <stdlib.h>

#include "mcp/server/http_session.h"
#include "mcp/server/mcp_call.h"
#include "mcp/server/param_check.h"
#include "mcp/server/server_internal.h"
#include "runtime/base/memory.h"

#define MINUTE_MS 60000

static struct mcp_server_limits filled(struct mcp_server_limits l)
{
#define DEFAULT(field, value) l.field = l.field ? l.field : (value)
    DEFAULT(message_bytes, (size_t)4 << 20);
    DEFAULT(queue_bytes, (size_t)8 << 20);
    DEFAULT(sessions, 1000);
    DEFAULT(session_idle_ms, (int64_t)30 * MINUTE_MS);
    DEFAULT(subscriptions, 1000);
    DEFAULT(kept_events, 1000);
    DEFAULT(kept_bytes, (size_t)256 << 10);
    DEFAULT(input_rounds, 16);
    DEFAULT(input_ms, (int64_t)10 * MINUTE_MS);
    DEFAULT(calls, 1000);
    DEFAULT(stream_after_ms, 1000);
    DEFAULT(retry_ms, 1000);
    DEFAULT(drain_ms, 5000);
#undef DEFAULT
    return l;
}

struct mcp_server *mcp_server_new(const struct mcp_server_options *o)
{
    struct mcp_server *s = xcalloc(1, sizeof(*s));

    s->loop = o->loop;
    s->seams = o->seams;
    s->log = o->log;
    s->handler = o->handler;
    s->eras = o->eras ? o->eras : MCP_ERA_BOTH;
    s->limits = filled(o->limits);
    s->info = map_new();
    s->param_lists = param_lists_new(s);
    s->sessions = http_session_table_new(s);
    return s;
}

void mcp_server_free(struct mcp_server *s)
{
    if (!s)
        return;
    http_session_table_free(s->sessions);
    http_post_abandon_all(s);
    param_lists_free(s->param_lists);
    mcp_server_forget(s);
    free(s);
}

void mcp_server_drain(struct mcp_server *s)
{
    struct mcp_call *c = s->first;

    while (c) {
        struct mcp_call *next = c->next;

        if (c->method == MCP_LISTEN)
            mcp_call_end_listen(c);
        c = next;
    }
    http_session_table_drain(s->sessions);
}

void mcp_server_stop(struct mcp_server *s)
{
    s->is_stopping = true;
    mcp_server_drain(s);
    http_post_fail_waiting(s, MCP_CALL_STOPPING);
    while (s->first)
        mcp_call_fail(s->first, RPC_INTERNAL_ERROR, MCP_CALL_STOPPING);
}

int64_t mcp_server_max_body(const struct mcp_server *s)
{
    return (int64_t)s->limits.message_bytes;
}

struct mcp_server_counts mcp_server_counts(const struct mcp_server *s)
{
    struct mcp_server_counts c = {.calls = s->n_calls, .streams = s->n_streams};

    http_session_table_counts(s->sessions, &c);
    return c;
}
