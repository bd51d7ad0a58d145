/* app_tools.c - the registry of an invocation: built-in and environment tools.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_tools.h"

#include <string.h>

#include "runtime/app/app_mcp_request.h"

enum status app_tools(struct app *a, struct tool_registry **out, struct error *err)
{
    const char *root = option_text(a->options, OPT_ROOT);

    return troupe_tools(a->troupe, root ? root : ".", out, err);
}

enum status app_tools_for(struct app *a, const char *name, struct tool_registry **out,
                          struct error *err)
{
    enum status st = troupe_mcp_name(a->troupe, name, err);

    return st ? st : app_tools(a, out, err);
}

enum status app_tools_all(struct app *a, struct tool_registry **out, struct error *err)
{
    enum status st = app_mcp_warm(a, NULL, err);

    return st ? st : app_tools(a, out, err);
}

enum status app_tool(struct tool_registry *r, const char *name, struct tool **out,
                     struct error *err)
{
    struct tool *t = tool_registry_find(r, name);

    if (!t) {
        const char *near = tool_registry_nearest(r, name);
        error_set(err, STATUS_USAGE, "unknown tool \"%s\"", name);
        if (near)
            error_hint(err, "did you mean %s? `troupe %s` lists all tools", near,
                       strstr(name, "__") ? "mcp tools" : "tools list");
        else
            error_hint(err, strstr(name, "__") ? "`troupe mcp tools` lists the tools of MCP servers"
                                               : "`troupe tools list` lists all tools");
        return STATUS_USAGE;
    }
    *out = t;
    return STATUS_OK;
}
