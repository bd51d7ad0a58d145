/* param_headers.h - which arguments of a server's tools are repeated as header fields.
 *
 * A property of inputSchema may have "x-mcp-header": "Name"; over HTTP its value is sent as
 * Mcp-Param-Name too. A tool whose annotation is not valid must not be shown to anyone.
 * Source: MCP 2026-07-28, "Tools", x-mcp-header (SEP-2243).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_PARAM_HEADERS_H
#define TROUPE_MCP_CLIENT_PARAM_HEADERS_H

#include "runtime/base/json_view.h"
#include "runtime/http/http_fields.h"

struct param_headers;
struct param_headers *param_headers_new(void);
void param_headers_free(struct param_headers *h);
void param_headers_clear(struct param_headers *h);

/* Takes a result of tools/list in. true: some of its tools are not valid, and `out` got the result
 * without them. */
bool param_headers_take(struct param_headers *h, struct json_view result, struct str *out);
/* Is the tool one that was refused? */
bool param_headers_refuses(const struct param_headers *h, struct json_view name);
/* Appends the fields of a call. STATUS_INVALID: a value that cannot be one. */
MUST_CHECK enum status param_headers_put(const struct param_headers *h, struct json_view name,
                                         struct json_view arguments, struct http_fields *out,
                                         struct error *err);

#endif
