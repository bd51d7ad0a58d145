/* cmd_run.c - run a blueprint; validate one without running it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan.h"
#include "runtime/app/app_detach.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_tools.h"
#include "runtime/base/memory.h"

/* --var NAME=VALUE, by the input's declared type. */
static enum status take_var(const struct plan *plan, const char *text, struct json *inputs,
                            struct error *err)
{
    const char *eq = strchr(text, '=');
    struct json *value = NULL;

    if (!eq || eq == text)
        return error_set(err, STATUS_USAGE, "--var \"%s\": expected NAME=VALUE", text);
    char *name = xstrndup(text, (size_t)(eq - text));
    enum status st = plan_input_from_text(plan, name, eq + 1, &value, err);
    if (!st)
        jv_set_adopt(inputs, name, value);
    free(name);
    return st;
}

/* What is stored with the run: the plan itself, its inputs, and the options that shape its results.
 */
static struct json *run_config_of(struct app *a, const struct plan *plan, const struct json *inputs)
{
    struct json *config = jv_object(), *models = jv_array();

    jv_set_adopt(config, "plan", jv_deep_copy(plan->effective));
    jv_set_adopt(config, "inputs", jv_deep_copy(inputs));
    for (int32_t i = 0; i < option_count(a->options, OPT_MODEL); i++)
        jv_append_adopt(models, jv_string(option_text_at(a->options, OPT_MODEL, i)));
    jv_set_adopt(config, "models", models);
    const char *first = NULL, *key;
    struct json *value;
    for (void *it = NULL; !first && (it = jv_next(plan->models, it, &key, &value));)
        first = jv_get_string(value, NULL);
    jv_set_string(config, "model", app_model_name(a, NULL, first ? first : "embedded"));
    return config;
}

/* Opens the model of every agent and notes its weights in the configuration, before there is a row:
 * a model that is not there leaves no run behind, and a resumed run goes on with the same weights.
 */
static enum status open_models(struct app *a, const struct plan *plan, struct json *config,
                               struct error *err)
{
    struct json *weights = jv_object();
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < plan->n_agents; i++) {
        const struct plan_agent *agent = &plan->agent[i];
        const char *name = app_model_name(a, agent->role, plan_agent_model(plan, agent));
        struct model *m;

        st = app_model(a, name, &m, err);
        if (!st)
            app_note_weights(weights, name, m);
    }
    jv_set_adopt(config, "weights", weights);
    return st;
}

static enum status create_run(struct app *a, const struct plan *plan, const struct json *inputs,
                              struct run **out, struct error *err)
{
    struct json *config = run_config_of(a, plan, inputs);
    struct run_spec spec = {
        .kind = "run", .name = plan->name, .config = config, .seed = app_seed(a)};
    const char *model = jv_get_string(jv_get(config, "model"), "");
    struct model *m = NULL;
    struct store *s;
    enum status st = open_models(a, plan, config, err);

    if (!st && plan->n_agents > 0)
        st = app_model(a, model, &m, err);
    if (!st && m) {
        spec.model_hash = &m->info.hash;
        spec.backend = m->info.backend;
    }
    if (!st)
        st = app_store(a, true, &s, err);
    if (!st)
        st = run_create(s, &spec, out, err);
    jv_unref(config);
    return st;
}

/* Everything up to the row: what is wrong until then leaves no run behind. */
static enum status begin_run(struct app *a, struct plan **plan, struct json **inputs,
                             struct run **run, struct error *err)
{
    struct json *given = jv_object();
    enum status st = blueprint_load(options_arg(a->options, 0), plan, err);

    for (int32_t i = 0; !st && i < option_count(a->options, OPT_VAR); i++)
        st = take_var(*plan, option_text_at(a->options, OPT_VAR, i), given, err);
    if (!st)
        st = plan_inputs(*plan, given, inputs, err);
    if (!st)
        st = create_run(a, *plan, *inputs, run, err);
    jv_unref(given);
    return st;
}

static int run_main(void *app)
{
    struct app *a = app;
    struct detached d = DETACHED_INIT;
    struct plan *plan = NULL;
    struct run *run = NULL;
    struct json *inputs = NULL;
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = STATUS_OK;

    if (option_flag(a->options, OPT_DETACH)) {
        st = app_detach(a, &d, &code, &err);
        if (st || d.is_parent)
            return st ? app_fail(a, &err) : code;
    }
    st = begin_run(a, &plan, &inputs, &run, &err);
    if (!st)
        st = app_detached(a, &d, run_uuid(run), &err);
    if (st)
        run_close(run);
    code = st ? app_fail(a, &err) : app_drive_run(a, plan, run, inputs, true, NULL);
    jv_unref(inputs);
    plan_free(plan);
    return code;
}

static const enum option_id run_options[] = {
    OPT_VAR,    OPT_MODEL,   OPT_SEED,      OPT_STREAM,  OPT_DETACH,  OPT_TIMEOUT,     OPT_ROOT,
    OPT_DEVICE, OPT_THREADS, OPT_KV_MEMORY, OPT_CONTEXT, OPT_CPU_ISA, OPT_WEIGHT_TYPE, OPT_END};
const struct command_spec cmd_run = {"run",
                                     "work",
                                     "BLUEPRINT",
                                     "runs a workflow; its output goes to standard output",
                                     "Every step is recorded before its effect and after it: a run "
                                     "survives kill -9 and `troupe resume` "
                                     "goes on.\nExit code 0: the run ended ok (also when its "
                                     "verdict is a failure: that is a result).",
                                     run_options,
                                     1,
                                     1,
                                     run_main};

static int validate_main(void *app)
{
    struct app *a = app;
    struct plan *plan = NULL;
    struct tool_registry *tools = NULL;
    struct error err = ERROR_INIT;
    enum status st = blueprint_load(options_arg(a->options, 0), &plan, &err);

    if (!st)
        st = app_tools(a, &tools, &err);
    if (!st) {
        const struct plan_check check = {.tools = tools};
        st = blueprint_check(plan, &check, &err);
    }
    tool_registry_free(tools);
    if (st) {
        plan_free(plan);
        return app_fail(a, &err);
    }
    if (a->json) {
        struct json *doc = app_document("validate");
        jv_set_bool(doc, "ok", true);
        jv_set_string(doc, "name", plan->name);
        jv_set_int(doc, "steps", plan->n_steps);
        jv_set_int(doc, "agents", plan->n_agents);
        jv_set_adopt(doc, "effective", jv_ref(plan->effective));
        app_print_json(doc);
    } else {
        log_write(a->log, LOG_INFO, "%s: sound, %d steps, %d agents, %d inputs", plan->name,
                  plan->n_steps, plan->n_agents, plan->n_inputs);
    }
    plan_free(plan);
    return EXIT_OK;
}

const struct command_spec cmd_validate = {
    "validate", "host", "BLUEPRINT",  "checks a blueprint without running it", NULL, NULL,
    1,          1,      validate_main};
