/* cmd_tools.c - tools list, show and call: one registry for all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/app/app_tools.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"
#include "runtime/loop/loop.h"

static const char *effect_word(enum effect e)
{
    static const char *const words[] = {"none", "read", "idempotent", "once"};

    return words[e];
}

static struct json *describe(const struct tool *t)
{
    struct json *o = jv_object();

    jv_set_string(o, "name", t->name);
    jv_set_string(o, "description", t->description);
    jv_set_string(o, "source", t->source);
    jv_set_string(o, "effect", effect_word(t->effect));
    jv_set_adopt(o, "input_schema", t->input_schema ? jv_ref(t->input_schema) : jv_object());
    if (t->output_schema)
        jv_set_adopt(o, "output_schema", jv_ref(t->output_schema));
    return o;
}

static int list_main(void *app)
{
    static const char *const columns[] = {"tool", "source", "effect", "what it does"};
    struct app *a = app;
    struct tool_registry *r = NULL;
    struct error err = ERROR_INIT;
    struct table *t = NULL;
    struct str out = STR_INIT;
    int code;
    enum status st = app_tools(a, &r, &err);

    if (st)
        return app_fail(a, &err);
    if (a->json) {
        struct json *doc = app_document("tools"), *list = jv_array();
        for (size_t i = 0; i < tool_registry_size(r); i++)
            jv_append_adopt(list, describe(tool_registry_at(r, i)));
        jv_set_adopt(doc, "tools", list);
        code = app_print_json(doc);
    } else {
        t = table_new(columns, 4);
        for (size_t i = 0; i < tool_registry_size(r); i++) {
            const struct tool *tool = tool_registry_at(r, i);
            struct str what = STR_INIT;
            format_one_line(tool->description, 72, &what);
            const char *cells[] = {tool->name, tool->source, effect_word(tool->effect),
                                   str_cstr(&what)};
            table_row(t, cells);
            str_deinit(&what);
        }
        table_write(t, &out);
        code = app_print(&out);
    }
    table_free(t);
    str_deinit(&out);
    tool_registry_free(r);
    return code;
}

static const enum option_id list_options[] = {OPT_ROOT, OPT_END};
const struct command_spec cmd_tools_list = {"tools list", "tools", "", "lists tools", NULL,
                                            list_options, 0,       0,  list_main};

static int show_main(void *app)
{
    struct app *a = app;
    struct tool_registry *r = NULL;
    struct error err = ERROR_INIT;
    struct tool *t = NULL;
    struct str out = STR_INIT;
    int code;
    enum status st = app_tools(a, &r, &err);

    if (!st)
        st = app_tool(r, options_arg(a->options, 0), &t, &err);
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("tool"), *d = describe(t);
        const char *key;
        struct json *value;
        for (void *it = NULL; (it = jv_next(d, it, &key, &value));)
            jv_set_adopt(doc, key, jv_ref(value));
        jv_unref(d);
        code = app_print_json(doc);
    } else {
        str_printf(&out, "%s (%s, effect %s)\n%s\n\narguments\n", t->name, t->source,
                   effect_word(t->effect), t->description);
        jv_write(t->input_schema, 2, &out);
        str_putc(&out, '\n');
        code = app_print(&out);
    }
    str_deinit(&out);
    tool_registry_free(r);
    return code;
}

const struct command_spec cmd_tools_show = {"tools show", "tools", "NAME", "explains a tool", NULL,
                                            list_options, 1,       1,      show_main};

static void call_done(struct tool_call *c)
{
    loop_stop(c->caller);
}

/* Runs one call on a loop of its own; an answer within start() never needs the loop. */
static enum status call_tool(struct app *a, struct tool *t, const struct json *arguments,
                             struct tool_call *c, struct error *err)
{
    struct loop *loop = NULL;
    enum status st = loop_new(a->seams, &loop, err);

    if (st)
        return st;
    c->tool = t;
    c->arguments = arguments;
    c->path = "call";
    c->outcome = TOOL_SUSPENDED;
    c->done = call_done;
    c->caller = loop;
    tool_call_start(c);
    if (c->outcome == TOOL_SUSPENDED)
        loop_run(loop);
    loop_free(loop);
    return STATUS_OK;
}

static int call_main(void *app)
{
    struct app *a = app;
    const char *text = options_arg(a->options, 1);
    struct tool_registry *r = NULL;
    struct error err = ERROR_INIT;
    struct tool *t = NULL;
    struct json *arguments = NULL;
    struct tool_call c = {0};
    struct str out = STR_INIT;
    int code;
    enum status st = app_tools(a, &r, &err);

    if (!st)
        st = app_tool(r, options_arg(a->options, 0), &t, &err);
    if (!st)
        st = jv_parse(text, strlen(text), "JSON", &arguments, &err);
    if (st == STATUS_INVALID)
        st = err.status = STATUS_USAGE;
    if (!st)
        st = call_tool(a, t, arguments, &c, &err);
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("tool_call");
        jv_set_bool(doc, "ok", c.outcome == TOOL_OK);
        jv_set_adopt(doc, "result", c.result ? jv_ref(c.result) : jv_null());
        code = app_print_json(doc);
    } else {
        jv_write(c.result, 2, &out);
        str_putc(&out, '\n');
        code = app_print(&out);
    }
    if (!st && !code && c.outcome != TOOL_OK)
        code = EXIT_FAILED;
    tool_call_deinit(&c);
    jv_unref(arguments);
    str_deinit(&out);
    tool_registry_free(r);
    return code;
}

const struct command_spec cmd_tools_call = {
    "tools call", "tools", "NAME JSON", "calls a tool", NULL, list_options, 2, 2, call_main};
