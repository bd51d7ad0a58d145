/* app_tools.c - the registry of an invocation: built-in and environment tools.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_tools.h"

#include "tools/environments/env_tools.h"

enum status app_tools(struct app *a, struct tool_registry **out, struct error *err)
{
    const char *root = option_text(a->options, OPT_ROOT);
    struct tool_registry_options o = {.root = root ? root : ".", .seams = a->seams};
    struct tool_registry *r = NULL;
    enum status st = tool_registry_new(&o, &r, err);

    if (!st)
        st = env_register_tools(r, err);
    if (st) {
        tool_registry_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

enum status app_tool(struct tool_registry *r, const char *name, struct tool **out,
                     struct error *err)
{
    struct tool *t = tool_registry_find(r, name);

    if (!t) {
        const char *near = tool_registry_nearest(r, name);
        error_set(err, STATUS_USAGE, "there is no tool \"%s\"", name);
        if (near)
            error_hint(err, "did you mean %s? `troupe tools list` shows all", near);
        else
            error_hint(err, "`troupe tools list` shows all");
        return STATUS_USAGE;
    }
    *out = t;
    return STATUS_OK;
}
