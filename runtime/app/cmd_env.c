/* cmd_env.c - env list, show and tasks: environments without training.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app_env.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"

static int list_main(void *app)
{
    static const char *const columns[] = {"environment", ">tools", "what it is"};
    struct app *a = app;
    struct table *t = table_new(columns, 3);
    struct json *rows = jv_array();
    struct str out = STR_INIT;
    int code;

    for (int32_t i = 0; env_at(i); i++) {
        const struct env_ops *e = env_at(i);
        struct json *o = jv_object();
        char tools[16];
        snprintf(tools, sizeof(tools), "%d", e->n_tools);
        const char *cells[] = {e->name, tools, e->summary};
        table_row(t, cells);
        jv_set_string(o, "name", e->name);
        jv_set_string(o, "summary", e->summary);
        jv_set_int(o, "tools", e->n_tools);
        jv_append_adopt(rows, o);
    }
    if (a->json) {
        struct json *doc = app_document("env_list");
        jv_set_adopt(doc, "environments", rows);
        code = app_print_json(doc);
    } else {
        table_write(t, &out);
        code = app_print(&out);
        jv_unref(rows);
    }
    str_deinit(&out);
    table_free(t);
    return code;
}

const struct command_spec cmd_env_list = {
    "env list", "learn", "", "list environments: tasks with tools and an exact check of the result",
    NULL,       NULL,    0,  0,
    list_main};

static struct json *tool_spec_json(const struct env_tool_spec *t)
{
    struct json *o = jv_object(), *schema = NULL;
    struct error ignored = ERROR_INIT;

    jv_set_string(o, "name", t->name);
    jv_set_string(o, "description", t->description);
    if (!jv_parse(t->input_schema, strlen(t->input_schema), t->name, &schema, &ignored))
        jv_set_adopt(o, "input_schema", schema);
    return o;
}

static void show_env_text(const struct env_ops *e, struct str *out)
{
    str_printf(out, "%s: %s\n\ndefault noise %g, at most %d calls a step\n\n%s\n\ntools\n", e->name,
               e->summary, e->default_noise, e->max_calls_per_step, e->instructions);
    for (int32_t i = 0; i < e->n_tools; i++)
        str_printf(out, "  %-10s %s\n             %s\n", e->tools[i].name, e->tools[i].description,
                   e->tools[i].input_schema);
    str_puts(out, "\nscripts (--expert):");
    for (int32_t i = 0; i < e->n_experts; i++)
        str_printf(out, " %s", e->experts[i]);
    str_puts(out, "\nfaults (--faults):");
    for (int32_t i = 0; i < e->n_faults; i++)
        str_printf(out, " %s", e->faults[i]);
    str_puts(out, "\ndemonstrations:");
    for (int32_t i = 0; i < e->n_demo_kinds; i++)
        str_printf(out, " %s", e->demo_kinds[i]);
    str_printf(out, "\nskill probe: %d questions\n", e->n_probes);
    str_printf(out, "ceiling (never looking back): %s\n", e->ceiling_rule);
}

static int show_env_main(void *app)
{
    struct app *a = app;
    struct error err = ERROR_INIT;
    const struct env_ops *e = app_env(options_arg(a->options, 0), &err);
    struct str out = STR_INIT;
    int code;

    if (!e)
        return app_fail(a, &err);
    if (a->json) {
        struct json *doc = app_document("env"), *tools = jv_array(), *kinds = jv_array();
        for (int32_t i = 0; i < e->n_tools; i++)
            jv_append_adopt(tools, tool_spec_json(&e->tools[i]));
        for (int32_t i = 0; i < e->n_demo_kinds; i++)
            jv_append_adopt(kinds, jv_string(e->demo_kinds[i]));
        jv_set_string(doc, "name", e->name);
        jv_set_string(doc, "summary", e->summary);
        jv_set_string(doc, "instructions", e->instructions);
        jv_set_real(doc, "default_noise", e->default_noise);
        jv_set_string(doc, "ceiling_rule", e->ceiling_rule);
        jv_set_int(doc, "max_calls_per_step", e->max_calls_per_step);
        jv_set_adopt(doc, "tools", tools);
        jv_set_adopt(doc, "demonstrations", kinds);
        return app_print_json(doc);
    }
    show_env_text(e, &out);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

const struct command_spec cmd_env_show = {
    "env show", "learn", "ENV",        "describe an environment and its tools", NULL, NULL,
    1,          1,       show_env_main};

/* One task played by the expert: what a model would read and write, in the compact codec. */
static enum status play_task(const struct env_ops *e, const struct env_params *p, const char *how,
                             struct json *o, struct str *text, struct error *err)
{
    struct env *env = NULL;
    struct env_verdict verdict;
    struct env_effect fx = {0};
    struct env_call call;
    enum status st = e->create(p, &env, err);

    if (st)
        return st;
    e->observe_compact(env, text);
    for (int64_t i = 0; !fx.done && i < (int64_t)p->horizon * 16 + 16; i++) {
        e->expert(env, how, &call);
        e->render_call(&call, text);
        e->call_compact(env, &call, &fx, text);
        if (fx.step_boundary)
            str_putc(text, '\n');
    }
    e->verify(env, &verdict);
    jv_set_adopt(o, "verdict", env_verdict_json(&verdict));
    jv_set_string(o, "transcript", str_cstr(text));
    e->free(env);
    return STATUS_OK;
}

static int tasks_main(void *app)
{
    struct app *a = app;
    struct error err = ERROR_INIT;
    const struct env_ops *e = app_env(options_arg(a->options, 0), &err);
    const char *how = option_text(a->options, OPT_EXPERT);
    struct json *rows = jv_array();
    struct str out = STR_INIT, text = STR_INIT;
    int32_t horizon[16], n_horizons;
    enum status st = app_horizons(a, horizon, 16, &n_horizons, &err);
    uint64_t seed = option_seed(a->options, OPT_SEED);
    int code;

    if (e && !st)
        st = env_check_expert(e, how, &err);
    for (int64_t i = 0; e && !st && i < option_int(a->options, OPT_COUNT); i++) {
        struct env_params p = {.horizon = horizon[0],
                               .noise = app_noise(a),
                               .task_seed = seed + (uint64_t)i,
                               .fault_seed = seed + (uint64_t)i};
        struct json *o = jv_object();
        p.profile = app_profile(a);
        jv_set_adopt(o, "seed", jv_int((int64_t)p.task_seed));
        str_clear(&text);
        st = play_task(e, &p, how, o, &text, &err);
        str_printf(&out, "seed %llu\n%s\n", (unsigned long long)p.task_seed, str_cstr(&text));
        jv_append_adopt(rows, o);
    }
    if (!e || st) {
        code = app_fail(a, &err);
        jv_unref(rows);
    } else if (a->json) {
        struct json *doc = app_document("env_tasks");
        jv_set_adopt(doc, "tasks", rows);
        code = app_print_json(doc);
    } else {
        jv_unref(rows);
        code = app_print(&out);
    }
    str_deinit(&text);
    str_deinit(&out);
    return code;
}

static const enum option_id tasks_options[] = {OPT_SEED,    OPT_COUNT,  OPT_HORIZON, OPT_NOISE,
                                               OPT_PROFILE, OPT_EXPERT, OPT_END};
const struct command_spec cmd_env_tasks = {
    "env tasks", "learn",       "ENV", "print tasks and how a script solves them",
    NULL,        tasks_options, 1,     1,
    tasks_main};
