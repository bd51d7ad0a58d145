/* hub_rewrite.h - the URIs in results of a server, in the form that clients of the hub use.
 *
 * A client reads a resource that a tool's result links to, so that every URI of a resource which
 * passes the hub names its server. Nothing else of a result changes, byte for byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_REWRITE_H
#define TROUPE_MCP_HUB_HUB_REWRITE_H

#include "mcp/rpc/mcp.h"

struct hub_uris {
    /* Appends the form for clients of a server's URI, without quotes. NULL: they are the same. */
    void (*show)(const void *ctx, const char *uri, size_t n, struct str *out);
    const void *ctx;
};

/* Appends a result of tools/call, prompts/get or resources/read (any other method: as it is). */
void hub_rewrite_result(enum mcp_method method, struct json_view result, const struct hub_uris *u,
                        struct str *out);
/* Appends a JSON string: the form for clients of a string with a URI. Another kind: as it is. */
void hub_rewrite_uri(struct json_view uri, const struct hub_uris *u, struct str *out);
/* The result without what the server says of itself (`serverInfo` in its `_meta`): towards clients
 * the hub is the server. In `text` if anything changes, else `result` itself. */
struct json_view hub_rewrite_meta(struct json_view result, struct str *text);

#endif
