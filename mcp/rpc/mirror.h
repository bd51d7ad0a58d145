/* mirror.h - which arguments of a tool are repeated as header fields of HTTP: x-mcp-header.
 *
 * A property of inputSchema may have "x-mcp-header": "Name"; its value is then sent as
 * Mcp-Param-Name too. Source: MCP 2026-07-28, "Tools", x-mcp-header (SEP-2243).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_RPC_MIRROR_H
#define TROUPE_MCP_RPC_MIRROR_H

#include "runtime/base/json_view.h"

#define MIRROR_FIELD "mcp-param-" /* before the name */

struct mirror; /* of one tool; reads nothing of the schema later */

/* NULL: the schema has no annotation. */
struct mirror *mirror_read(struct json_view input_schema);
void mirror_free(struct mirror *m); /* NULL is allowed */
/* A tool with an annotation that is not valid must not be shown to anyone. */
bool mirror_is_valid(const struct mirror *m);
size_t mirror_size(const struct mirror *m);
const char *mirror_name(const struct mirror *m, size_t i); /* as the schema writes it; lent */
/* The value of the i-th among these arguments; none: absent, or null. */
struct json_view mirror_value(const struct mirror *m, size_t i, struct json_view arguments);

#endif
