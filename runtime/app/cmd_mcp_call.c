/* cmd_mcp_call.c - mcp tools and call: the tools of MCP servers, as their servers declare them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/app/app_mcp_content.h"
#include "runtime/app/app_tools.h"
#include "runtime/app/table.h"

/* ---- tools */

/* Of one server, if one is named: their names begin alike. */
static bool is_of(const struct json *tool, const char *server)
{
    char prefix[HUB_PREFIX_MAX + 1];
    const char *name = jv_get_string(jv_get(tool, "name"), "");
    size_t n;

    if (!server)
        return true;
    hub_names_prefix(server, prefix);
    n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && strncmp(name + n, "__", 2) == 0;
}

static int tools_main(void *app)
{
    struct app *a = app;
    const char *server = options_arg(a->options, 0);
    struct json *all = NULL, *list;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_mcp_warm(a, server, &err);

    if (!st)
        st = app_mcp_list(a, MCP_TOOLS_LIST, "tools", &all, &err);
    if (st)
        return app_fail(a, &err);
    list = jv_array();
    for (size_t i = 0; i < jv_size(all); i++)
        if (is_of(jv_at(all, i), server))
            jv_append_adopt(list, jv_ref(jv_at(all, i)));
    jv_unref(all);
    code = app_mcp_print_list(a, "tools", "tool", "name", list);
    jv_unref(list);
    return code;
}

static const enum option_id options[] = {OPT_TRUST_PROJECT, OPT_END};
const struct command_spec cmd_mcp_tools = {
    "mcp tools",
    "tools",
    "[SERVER]",
    "list the tools of MCP servers",
    "Starts the server, or all. With --json, with all that the server declares.",
    options,
    0,
    1,
    tools_main};

/* ---- call */

static enum status read_arguments(const char *text, struct json **out, struct error *err)
{
    enum status st = jv_parse(text ? text : "{}", text ? strlen(text) : 2, "arguments", out, err);

    if (st == STATUS_INVALID)
        st = err->status = STATUS_USAGE;
    if (!st && jv_kind(*out) != JV_OBJECT)
        st = error_set(err, STATUS_USAGE, "the arguments are a JSON object: '{\"name\": value}'");
    return st;
}

/* The tool is one of a server, by its name in the default view. */
static enum status check_tool(struct app *a, const char *name, struct error *err)
{
    struct tool_registry *r = NULL;
    struct tool *t;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, err);

    if (!st)
        st = app_tools_for(a, name, &r, err);
    if (!st)
        st = app_tool(r, name, &t, err);
    if (!st && strstr(name, "__") == NULL) {
        st = error_set(err, STATUS_USAGE, "%s is not a tool of an MCP server", name);
        error_hint(err, "`troupe tools call %s` calls it", name);
    }
    tool_registry_free(r);
    return st;
}

static int call_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    struct json *params = jv_object(), *arguments = NULL, *result = NULL;
    struct error err = ERROR_INIT;
    int code;
    enum status st = read_arguments(options_arg(a->options, 1), &arguments, &err);

    if (!st)
        st = check_tool(a, name, &err);
    if (!st) {
        jv_set_string(params, "name", name);
        jv_set_adopt(params, "arguments", jv_ref(arguments));
        st = app_mcp_request(a, MCP_TOOLS_CALL, params, &result, &err);
    }
    code = st ? app_fail(a, &err) : app_mcp_print_result(a, result);
    jv_unref(params);
    jv_unref(arguments);
    jv_unref(result);
    return code;
}

const struct command_spec cmd_mcp_call = {
    "mcp call",
    "tools",
    "SERVER__TOOL [JSON]",
    "call a tool of an MCP server",
    "JSON is the object of its arguments: troupe mcp call files__read_file '{\"path\": "
    "\"README.md\"}'\nWhat the server asks meanwhile is asked on the terminal. The exit code is 1 "
    "when the tool reports an error.",
    options,
    1,
    2,
    call_main};
