/* request_meta.h - the metadata of a request: revision, capabilities, log level, progress token.
 *
 * Source: MCP 2026-07-28, "Base protocol", `_meta`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_REQUEST_META_H
#define TROUPE_MCP_SERVER_REQUEST_META_H

#include "mcp/rpc/mcp.h"
#include "mcp/rpc/rpc.h"

struct request_meta {
    struct json_view version;      /* a string */
    enum mcp_revision revision;    /* MCP_REVISION_N: not known */
    struct json_view capabilities; /* an object */
    struct json_view client_info;  /* an object, or none */
    struct json_view token;        /* or none */
    enum mcp_log_level log_level;
};

/* Does this request say in its metadata which revision it is? */
bool request_meta_is_modern(struct json_view params);
/* Of a modern request. STATUS_INVALID: answer with RPC_INVALID_PARAMS. */
MUST_CHECK enum status request_meta_read(struct json_view params, struct request_meta *out,
                                         struct error *err);
/* The progress token alone (legacy); none if it is not one. */
struct json_view request_meta_token(struct json_view params);
/* Appends params without what is of the protocol in `_meta`. Nothing for no params. */
void request_meta_put_rest(struct str *out, struct json_view params);

#endif
