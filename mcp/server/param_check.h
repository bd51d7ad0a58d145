/* param_check.h - which arguments of which tools must be repeated in headers: x-mcp-header.
 *
 * Read from the handler's tools/list, for one tool of a principal and view at a time, and kept for
 * a while. What was kept never refuses a request: before that it is read again.
 *
 * Source: MCP 2026-07-28, "Streamable HTTP", custom headers (SEP-2243).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_PARAM_CHECK_H
#define TROUPE_MCP_SERVER_PARAM_CHECK_H

#include "mcp/server/server_internal.h"
#include "runtime/http/http_head.h"

struct param_lists *param_lists_new(struct mcp_server *s);
void param_lists_free(struct param_lists *c);

struct param_check;
/* Compares the headers of a tools/call with its arguments. Calls done(ctx, fault) once, now (then
 * NULL is returned) or later; fault: NULL if they agree, else a text. q and params are lent until
 * then. */
struct param_check *param_check(struct param_lists *c, struct mcp_caller *caller,
                                const struct http_request *q, struct json_view params,
                                void (*done)(void *ctx, const char *fault), void *ctx);
void param_check_cancel(struct param_check *k); /* NULL is allowed */

#endif
