/* mcp_modern.h - a request of a modern client, whatever the transport.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MCP_MODERN_H
#define TROUPE_MCP_SERVER_MCP_MODERN_H

#include "mcp/server/mcp_call.h"
#include "mcp/server/request_meta.h"

/* Reads the metadata. false: it was answered with an error. */
bool mcp_modern_read(struct mcp_server *s, const struct rpc_message *m, const struct mcp_sink *sink,
                     struct request_meta *out);
/* Checks revision and method, after what the transport checks. false: answered. */
bool mcp_modern_check(struct mcp_server *s, const struct rpc_message *m,
                      const struct request_meta *meta, const struct mcp_sink *sink,
                      enum mcp_method *out);

struct modern_request {
    struct mcp_server *server;
    const struct rpc_message *message;
    struct request_meta meta; /* its capabilities are those of the caller */
    enum mcp_method method;
    struct mcp_caller *caller; /* lent */
    struct map *in_flight;
    struct mcp_sink sink;
};
struct mcp_caller *mcp_modern_caller(const char *principal, const char *session, const char *view,
                                     const struct request_meta *meta);
/* NULL: answered. Otherwise the caller starts it. */
struct mcp_call *mcp_modern_call(const struct modern_request *q);

#endif
