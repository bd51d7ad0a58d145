/* hub_tool.h - tools of the hub's servers for the agents and blueprints of this process.
 *
 * Each is a `struct tool` in the registry under its name in the default view, SERVER__TOOL, so that
 * records, budgets, replay and resume hold for it as for any tool. Its effect is what the
 * configuration says (`once` by default: hints of a server are not believed). A form that the
 * server asks for in the course of a call becomes questions to a person, a field at a time.
 *
 * Everything is on the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_TOOL_H
#define TROUPE_MCP_HUB_HUB_TOOL_H

#include "mcp/hub/hub.h"
#include "tools/registry.h"

/* Wants the tool lists of these servers (n; unknown names are ignored), or of all: `done` is called
 * once, perhaps now, when all have come, failed, or ms have passed. */
struct hub_warm;
struct hub_warm *hub_warm(struct hub *h, const char *const *server, size_t n, int64_t ms,
                          void (*done)(void *ctx), void *ctx);
void hub_warm_drop(struct hub_warm *w); /* done is not called any more; NULL is fine */

/* Brings the registry up to date with the lists that are known: tools come, change and go. A tool
 * whose declaration cannot be used is left out, with a warning. The hub must live as long as the
 * registry's tools are called; a call after its end is an error. */
MUST_CHECK enum status hub_tools_update(struct hub *h, struct tool_registry *r, struct error *err);

#endif
