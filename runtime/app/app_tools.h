/* app_tools.h - the registry of an invocation: built-in and environment tools.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TOOLS_H
#define TROUPE_RUNTIME_APP_APP_TOOLS_H

#include "runtime/app/app.h"
#include "tools/registry.h"

/* --root, or the working folder. The caller's: tool_registry_free. */
MUST_CHECK enum status app_tools(struct app *a, struct tool_registry **out, struct error *err);
/* The same with the tools of the MCP server that a name belongs to, which is started; or of all
 * that may be started: a server that cannot be used is reported, and left out. */
MUST_CHECK enum status app_tools_for(struct app *a, const char *name, struct tool_registry **out,
                                     struct error *err);
MUST_CHECK enum status app_tools_all(struct app *a, struct tool_registry **out, struct error *err);
/* A tool by name, or an error that names the nearest one. */
MUST_CHECK enum status app_tool(struct tool_registry *r, const char *name, struct tool **out,
                                struct error *err);

#endif
