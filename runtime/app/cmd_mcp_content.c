/* cmd_mcp_content.c - mcp resources and prompts: lists them, reads one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app_mcp_content.h"
#include "runtime/base/memory.h"

static const enum option_id options[] = {OPT_TRUST_PROJECT, OPT_END};

/* ---- resources */

static int list_resources(struct app *a)
{
    struct json *list = NULL, *templates = NULL;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_mcp_warm(a, NULL, &err);

    if (!st)
        st = app_mcp_list(a, MCP_RESOURCES_LIST, "resources", &list, &err);
    if (!st)
        st = app_mcp_list(a, MCP_RESOURCES_TEMPLATES_LIST, "resourceTemplates", &templates, &err);
    for (size_t i = 0; i < jv_size(templates); i++) {
        struct json *one = jv_deep_copy(jv_at(templates, i));

        jv_set_adopt(one, "uri", jv_ref(jv_get(one, "uriTemplate")));
        jv_append_adopt(list, one);
    }
    code = st ? app_fail(a, &err) : app_mcp_print_list(a, "resources", "resource", "uri", list);
    jv_unref(list);
    jv_unref(templates);
    return code;
}

static int read_resource(struct app *a, const char *uri)
{
    struct json *params = jv_object(), *result = NULL;
    const struct json *contents;
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, &err);

    if (!st)
        st = troupe_mcp_uri(a->troupe, uri, &err);
    jv_set_string(params, "uri", uri);
    if (!st)
        st = app_mcp_request(a, MCP_RESOURCES_READ, params, &result, &err);
    contents = jv_get(result, "contents");
    if (st == STATUS_INVALID && !err.hint[0])
        error_hint(&err, "`troupe mcp resources` lists them; a URI is troupe://SERVER/URI");
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("mcp_resource");

        jv_set_adopt(doc, "contents", jv_deep_copy(contents));
        code = app_print_json(doc);
    } else {
        for (size_t i = 0; i < jv_size(contents); i++)
            app_mcp_put_block(jv_at(contents, i), &out);
        code = app_print(&out);
    }
    str_deinit(&out);
    jv_unref(params);
    jv_unref(result);
    return code;
}

static int wrong_word(struct app *a, const char *word, const char *usage)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_USAGE, "\"%s\" is not known here", word);
    error_hint(&err, "usage: troupe %s", usage);
    return app_fail(a, &err);
}

static int resources_main(void *app)
{
    struct app *a = app;
    const char *verb = options_arg(a->options, 0), *uri = options_arg(a->options, 1);

    if (!verb)
        return list_resources(a);
    if (strcmp(verb, "read") != 0 || !uri)
        return wrong_word(a, verb, "mcp resources [read URI]");
    return read_resource(a, uri);
}

const struct command_spec cmd_mcp_resources = {
    "mcp resources",
    "tools",
    "[read URI]",
    "list the resources of MCP servers, or read one",
    "A URI is troupe://SERVER/URI, with the server's own URI; a template of URIs is listed like a "
    "resource.",
    options,
    0,
    2,
    resources_main};

/* ---- prompts */

static int list_prompts(struct app *a)
{
    struct json *list = NULL;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_mcp_warm(a, NULL, &err);

    if (!st)
        st = app_mcp_list(a, MCP_PROMPTS_LIST, "prompts", &list, &err);
    code = st ? app_fail(a, &err) : app_mcp_print_list(a, "prompts", "prompt", "name", list);
    jv_unref(list);
    return code;
}

static enum status read_pairs(const struct app *a, struct json *arguments, struct error *err)
{
    for (int32_t i = 2; i < options_n_args(a->options); i++) {
        const char *pair = options_arg(a->options, i), *eq = strchr(pair, '=');
        char *key;

        if (!eq || eq == pair)
            return error_set(err, STATUS_USAGE, "\"%s\": expected NAME=VALUE", pair);
        key = xstrndup(pair, (size_t)(eq - pair));
        jv_set_string(arguments, key, eq + 1);
        free(key);
    }
    return STATUS_OK;
}

static void put_messages(const struct json *messages, struct str *out)
{
    for (size_t i = 0; i < jv_size(messages); i++) {
        const struct json *m = jv_at(messages, i);

        str_printf(out, "%s: ", jv_get_string(jv_get(m, "role"), "?"));
        app_mcp_put_block(jv_get(m, "content"), out);
    }
}

static int get_prompt(struct app *a, const char *name)
{
    struct json *params = jv_object(), *arguments = jv_object(), *result = NULL;
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    int code;
    enum status st = read_pairs(a, arguments, &err);

    if (!st)
        st = app_mcp_open(a, APP_MCP_NAMED, &err);
    if (!st)
        st = troupe_mcp_name(a->troupe, name, &err);
    jv_set_string(params, "name", name);
    jv_set_adopt(params, "arguments", arguments);
    if (!st)
        st = app_mcp_request(a, MCP_PROMPTS_GET, params, &result, &err);
    if (st == STATUS_INVALID && !err.hint[0])
        error_hint(&err, "`troupe mcp prompts` lists them, with --json also their arguments");
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("mcp_prompt");

        jv_set_adopt(doc, "messages", jv_deep_copy(jv_get(result, "messages")));
        code = app_print_json(doc);
    } else {
        put_messages(jv_get(result, "messages"), &out);
        code = app_print(&out);
    }
    str_deinit(&out);
    jv_unref(params);
    jv_unref(result);
    return code;
}

static int prompts_main(void *app)
{
    struct app *a = app;
    const char *verb = options_arg(a->options, 0), *name = options_arg(a->options, 1);

    if (!verb)
        return list_prompts(a);
    if (strcmp(verb, "get") != 0 || !name)
        return wrong_word(a, verb, "mcp prompts [get SERVER__PROMPT NAME=VALUE...]");
    return get_prompt(a, name);
}

const struct command_spec cmd_mcp_prompts = {"mcp prompts",
                                             "tools",
                                             "[get SERVER__PROMPT NAME=VALUE...]",
                                             "list the prompts of MCP servers, or get one",
                                             NULL,
                                             options,
                                             0,
                                             100,
                                             prompts_main};
