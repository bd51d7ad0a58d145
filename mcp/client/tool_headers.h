/* tool_headers.h - which arguments of a server's tools are repeated as header fields.
 *
 * A property of inputSchema may have "x-mcp-header": "Name"; over HTTP its value is sent as
 * Mcp-Param-Name too. A tool whose annotation is not valid must not be shown to anyone.
 * Source: MCP 2026-07-28, "Tools", x-mcp-header (SEP-2243).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_TOOL_HEADERS_H
#define TROUPE_MCP_CLIENT_TOOL_HEADERS_H

#include "runtime/base/json_view.h"
#include "runtime/http/http_fields.h"

struct tool_headers;
struct tool_headers *tool_headers_new(void);
void tool_headers_free(struct tool_headers *h);
void tool_headers_clear(struct tool_headers *h);

/* Takes a result of tools/list in. true: some of its tools are not valid, and `out` got the result
 * without them. */
bool tool_headers_take(struct tool_headers *h, struct json_view result, struct str *out);
/* Is the tool one that was refused? */
bool tool_headers_refuses(const struct tool_headers *h, struct json_view name);
/* Appends the fields of a call. STATUS_INVALID: a value that cannot be one. */
MUST_CHECK enum status tool_headers_put(const struct tool_headers *h, struct json_view name,
                                        struct json_view arguments, struct http_fields *out,
                                        struct error *err);

#endif
