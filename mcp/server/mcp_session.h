/* mcp_session.h - what is kept for one legacy client, whatever the transport: log level,
 * subscriptions, requests in flight in both directions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MCP_SESSION_H
#define TROUPE_MCP_SERVER_MCP_SESSION_H

#include "mcp/server/mcp_call.h"

struct mcp_session {
    struct mcp_server *server;
    struct mcp_caller *caller;
    enum mcp_log_level log_level;
    struct map *calls;           /* text of the client's id -> struct mcp_call */
    struct map *asked;           /* text of our id -> a request of mcp_round.c */
    int64_t last_asked;          /* number in our last id */
    struct map *watches;         /* URI of a resource -> a LISTEN exchange */
    struct mcp_exchange *listen; /* for the lists; NULL: not wanted */
    /* A notification that belongs to no request. */
    void (*push)(void *ctx, struct json_view message);
    void *ctx;
};

struct mcp_session_spec {
    struct mcp_server *server;
    const char *principal, *view, *id; /* copied */
    void (*push)(void *ctx, struct json_view message);
    void *ctx;
};
/* From the params of `initialize`. STATUS_INVALID: they are not those. */
MUST_CHECK enum status mcp_session_new(const struct mcp_session_spec *spec, struct json_view params,
                                       struct mcp_session **out, struct error *err);
/* Cancels what is in flight; sinks hear nothing. NULL is allowed. */
void mcp_session_free(struct mcp_session *s);

/* A request. NULL: it was answered at once. Otherwise the caller starts it with mcp_call_start. */
struct mcp_call *mcp_session_request(struct mcp_session *s, const struct rpc_message *m,
                                     const struct mcp_sink *sink);
/* A notification or an answer. */
void mcp_session_take(struct mcp_session *s, const struct rpc_message *m);
/* Whether notifications about lists are wanted: someone can hear them. */
void mcp_session_listen(struct mcp_session *s, bool yes);

#endif
