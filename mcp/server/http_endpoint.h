/* http_endpoint.h - what the files of the HTTP endpoint share: one request, and plain replies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_HTTP_ENDPOINT_H
#define TROUPE_MCP_SERVER_HTTP_ENDPOINT_H

#include "mcp/rpc/rpc.h"
#include "mcp/server/server_internal.h"

/* A request to the endpoint; lent for the call. */
struct endpoint_request {
    struct mcp_server *server;
    struct http_call *http;
    const struct http_request *q;
    const char *principal, *view;
    const char *session;               /* MCP-Session-Id; NULL: none */
    const struct rpc_message *message; /* of a POST */
};

void http_modern_post(const struct endpoint_request *r);
void http_legacy_post(const struct endpoint_request *r);
void http_legacy_get(const struct endpoint_request *r);
void http_legacy_delete(const struct endpoint_request *r);

/* Is this media type among those of an Accept field? */
bool http_accepts(const struct http_request *q, const char *type);
/* An error that is not the answer of a call. id: or none. */
void endpoint_error(struct http_call *http, int status, struct json_view id, int64_t code,
                    const char *message);
void endpoint_empty(struct http_call *http, int status);
/* session: of MCP-Session-Id; NULL: none. */
void endpoint_message(struct http_call *http, int status, struct json_view message,
                      const char *session);

#endif
