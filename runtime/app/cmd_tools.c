/* cmd_tools.c - tools list, show and call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "agents/tool_step.h"
#include "runtime/app/app.h"
#include "runtime/app/app_tools.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"
#include "runtime/loop/loop.h"

static struct json *describe(const struct tool *t)
{
    struct json *o = jv_object();

    jv_set_string(o, "name", t->name);
    jv_set_string(o, "description", t->description);
    jv_set_string(o, "source", t->source);
    jv_set_string(o, "effect", effect_words[t->effect]);
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
    bool all = option_flag(a->options, OPT_ALL);
    enum status st = all ? app_tools_all(a, &r, &err) : app_tools(a, &r, &err);

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
            const char *cells[] = {tool->name, tool->source, effect_words[tool->effect],
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

static const enum option_id list_options[] = {OPT_ALL, OPT_ROOT, OPT_TRUST_PROJECT, OPT_END};
static const enum option_id one_options[] = {OPT_ROOT, OPT_TRUST_PROJECT, OPT_END};
const struct command_spec cmd_tools_list = {
    "tools list",
    "tools",
    "",
    "list the tools for agents",
    "With --all, MCP servers are started, and their tools are listed too.",
    list_options,
    0,
    0,
    list_main};

static int show_main(void *app)
{
    struct app *a = app;
    struct tool_registry *r = NULL;
    struct error err = ERROR_INIT;
    struct tool *t = NULL;
    struct str out = STR_INIT;
    int code;
    enum status st = app_tools_for(a, options_arg(a->options, 0), &r, &err);

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
                   effect_words[t->effect], t->description);
        jv_write(t->input_schema, 2, &out);
        str_putc(&out, '\n');
        code = app_print(&out);
    }
    str_deinit(&out);
    tool_registry_free(r);
    return code;
}

const struct command_spec cmd_tools_show = {"tools show", "tools", "TOOL", "describe a tool", NULL,
                                            one_options,  1,       1,      show_main};

struct tool_run {
    struct loop *loop;
    struct app *app;
    bool done;
};

static void call_done(void *ctx, struct tool_step *s)
{
    struct tool_run *t = ctx;

    (void)s;
    t->done = true;
    loop_stop(t->loop);
}

static void call_note(void *ctx, const char *text)
{
    struct tool_run *t = ctx;

    log_write(t->app->log, LOG_INFO, "%s", text);
}

static int print_result(struct app *a, const struct tool_step_result *r)
{
    struct str out = STR_INIT;
    int code;

    if (a->json) {
        struct json *doc = app_document("tool_call");
        jv_set_bool(doc, "ok", r->state == STEP_OK);
        jv_set_adopt(doc, "result", r->out ? jv_ref(r->out) : jv_null());
        code = app_print_json(doc);
    } else {
        jv_write(r->out, 2, &out);
        str_putc(&out, '\n');
        code = app_print(&out);
    }
    str_deinit(&out);
    return !code && r->state != STEP_OK ? EXIT_FAILED : code;
}

/* One call. Nothing is recorded, and no approval is asked for. */
static enum status call_tool(struct app *a, struct tool *t, struct json *arguments, int *code,
                             struct error *err)
{
    struct tool_run run = {.app = a};
    struct tool_step *s;
    enum status st = troupe_loop(a->troupe, &run.loop, err);

    if (st)
        return st;
    s = tool_step_new(&(struct tool_step_spec){.tool = t,
                                               .arguments = arguments,
                                               .path = "call",
                                               .effect = t->effect,
                                               .loop = run.loop,
                                               .seams = a->seams,
                                               .done = call_done,
                                               .note = call_note,
                                               .ctx = &run});
    tool_step_start(s);
    while (!run.done)
        loop_run(run.loop);
    *code = print_result(a, tool_step_result(s));
    tool_step_free(s);
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
    int code = EXIT_OK;
    enum status st = app_tools_for(a, options_arg(a->options, 0), &r, &err);

    if (!st)
        st = app_tool(r, options_arg(a->options, 0), &t, &err);
    if (!st)
        st = jv_parse(text, strlen(text), "arguments", &arguments, &err);
    if (st == STATUS_INVALID)
        st = err.status = STATUS_USAGE;
    if (!st)
        st = call_tool(a, t, arguments, &code, &err);
    if (st)
        code = app_fail(a, &err);
    jv_unref(arguments);
    tool_registry_free(r);
    return code;
}

const struct command_spec cmd_tools_call = {"tools call",
                                            "tools",
                                            "TOOL JSON",
                                            "call a tool",
                                            "JSON is the object of its arguments: troupe tools "
                                            "call calculator '{\"expression\": \"6*7\"}'\nThe "
                                            "exit code is 1 when the tool reports an error.",
                                            one_options,
                                            2,
                                            2,
                                            call_main};
