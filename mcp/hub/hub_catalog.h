/* hub_catalog.h - a list of tools that is too long for a model: two tools in its place, one that
 * finds tools by words and one that calls what was found.
 *
 * When the tools that a view lists take more tokens than its budget (hub_view.h), tools/list has
 * search_tools, call_tool, and those that are marked `always`. search_tools gives names,
 * descriptions and schemas of what fits the words best; call_tool calls one by its name, as if the
 * client had called it directly: by the same view, through the same gate. Both names are reserved
 * (hub_names.h), and are known only in views with a budget. A tool of the list can still be called
 * directly by a client that knows its name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_CATALOG_H
#define TROUPE_MCP_HUB_HUB_CATALOG_H

#include "mcp/hub/hub_index.h"

struct hub;

/* Is it one of the two, for this client? */
bool hub_catalog_is_search(const struct hub *h, const struct mcp_exchange *x);
bool hub_catalog_is_call(const struct hub *h, const struct mcp_exchange *x);

/* Do these rows (n) take more than the budget of the client's view? */
bool hub_catalog_is_needed(const struct hub *h, const struct mcp_caller *c,
                           const struct hub_row *rows, size_t n);
/* The two (n). */
struct hub_own_tool {
    const char *name;
    struct hub_entry entry; /* without a name */
};
const struct hub_own_tool *hub_catalog_tools(size_t *n);

/* Appends the result of search_tools over the tools. STATUS_INVALID: the arguments are not valid.
 */
MUST_CHECK enum status hub_catalog_search(struct hub_indexes *indexes, struct json_view params,
                                          const struct hub_listed *tools, struct str *out,
                                          struct error *err);
/* The params of the call inside a call_tool, as text; else as above. */
MUST_CHECK enum status hub_catalog_unwrap(struct json_view params, struct str *out,
                                          struct error *err);

#endif
