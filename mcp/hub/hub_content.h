/* hub_content.h - mcp_resource and mcp_prompt: tools that read a resource and get a prompt of any
 * server, so that blueprints can use them. Their effect is `read`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_CONTENT_H
#define TROUPE_MCP_HUB_HUB_CONTENT_H

#include "mcp/rpc/mcp.h"
#include "tools/tool.h"

#define HUB_RESOURCE_TOOL "mcp_resource" /* {uri} */
#define HUB_PROMPT_TOOL   "mcp_prompt"   /* {name, arguments} */

/* MCP_RESOURCES_READ or MCP_PROMPTS_GET. */
struct tool_declaration hub_content_declaration(enum mcp_method method);
/* What a step gets: the text, if all is text; else the list `contents` or `messages`. New. */
struct json *hub_content_value(enum mcp_method method, struct json_view result);

#endif
