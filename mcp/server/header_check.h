/* header_check.h - values of a request that header fields repeat: compared.
 *
 * A value that is not plain visible ASCII is sent as =?base64?...?=. A field must be there exactly
 * if the value is in the body.
 *
 * Source: MCP 2026-07-28, "Streamable HTTP", headers (SEP-2243).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_HEADER_CHECK_H
#define TROUPE_MCP_SERVER_HEADER_CHECK_H

#include "mcp/rpc/rpc.h"
#include "runtime/http/http_head.h"

/* Does the field hold this string, number or boolean? Numbers are compared as numbers. */
bool header_check_is(const char *field, struct json_view value);
/* The only field of this name; NULL: none. *twice: there are several. */
const char *header_check_field(const struct http_request *q, const char *name, bool *twice);

/* MCP-Protocol-Version, Mcp-Method and Mcp-Name against the body of a modern request. false: they
 * do not agree, and *err says in what. */
bool header_check_agrees(const struct http_request *q, const struct rpc_message *m,
                         struct json_view version, struct error *err);

#endif
