/* app_mcp_content.h - what MCP servers answer, on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MCP_CONTENT_H
#define TROUPE_RUNTIME_APP_APP_MCP_CONTENT_H

#include "runtime/app/app_mcp_request.h"

/* Appends a content block: text as it is, all else by type, size and URI. */
void app_mcp_put_block(const struct json *block, struct str *out);
/* The result of a tool; with --json whole. EXIT_FAILED: the tool reports an error. */
int app_mcp_print_result(struct app *a, const struct json *result);
/* A table of entries: the column `title` with the member `id`, and their descriptions; with --json
 * {"schema": "troupe.mcp_KIND/1", KIND: list}. */
int app_mcp_print_list(struct app *a, const char *kind, const char *title, const char *id,
                       const struct json *list);

#endif
