/* server_internal.h - the server as its own files see it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_SERVER_INTERNAL_H
#define TROUPE_MCP_SERVER_SERVER_INTERNAL_H

#include "mcp/server/message_text.h"
#include "mcp/server/server.h"
#include "runtime/base/map.h"

struct mcp_call;
struct mcp_session;
struct mcp_round;
struct modern_post;
struct param_lists;
struct http_session_table;

struct mcp_server {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;
    const struct mcp_handler *handler;
    unsigned eras;
    struct mcp_server_limits limits; /* without zeros, but poll_after_ms */
    struct mcp_call *first;          /* all calls in flight */
    struct modern_post *posts;       /* open requests of modern clients over HTTP */
    int64_t n_calls, n_streams;
    bool is_stopping; /* calls are answered with an error */
    struct map *info; /* view -> what the handler calls itself */
    struct param_lists *param_lists;
    struct http_session_table *sessions;
};

/* What the handler calls itself for this view; none until it has said it. */
struct json_view mcp_server_info(struct mcp_server *s, struct mcp_caller *caller);
/* Keeps it from a result of server/discover. */
void mcp_server_learn(struct mcp_server *s, const char *view, struct json_view discovered);
void mcp_server_forget(struct mcp_server *s); /* all of it, at the end */
/* ["2026-07-28",...], newest first. */
void mcp_server_put_revisions(const struct mcp_server *s, struct str *out);
bool mcp_server_has_era(const struct mcp_server *s, enum mcp_era era);

#endif
