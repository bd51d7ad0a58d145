/* mcp_watch.h - resources/subscribe of a legacy session: each resource is a LISTEN exchange.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MCP_WATCH_H
#define TROUPE_MCP_SERVER_MCP_WATCH_H

#include "mcp/server/mcp_session.h"

/* Answers when the handler has said whether it will report changes. */
void mcp_watch_begin(struct mcp_session *s, const struct rpc_message *m,
                     const struct mcp_sink *sink);
void mcp_watch_end(struct mcp_session *s, struct json_view uri); /* of none: nothing */
void mcp_watch_end_all(struct mcp_session *s);
/* Sends a note of a LISTEN exchange to the client. */
void mcp_watch_push(struct mcp_session *s, enum mcp_method note, struct json_view params);

#endif
