/* app_new_run.c - see app_new_run.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_new_run.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/app/app_model.h"
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

enum status app_new_run(struct app *a, const struct plan *plan, const struct json *inputs,
                        const struct new_run *how, struct run **out, struct error *err)
{
    struct json *config = run_config_of(a, plan, inputs);
    struct run_spec spec = {
        .kind = how->kind, .name = plan->name, .config = config, .seed = how->seed};
    const char *model = jv_get_string(jv_get(config, "model"), ""), *key;
    struct json *value;
    struct model *m = NULL;
    struct store *s;
    enum status st = open_models(a, plan, config, err);

    for (void *it = NULL; (it = jv_next(how->more, it, &key, &value));)
        jv_set_adopt(config, key, jv_deep_copy(value));
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

enum status app_load_plan(struct app *a, const char *path, struct plan **plan, struct json **inputs,
                          struct error *err)
{
    struct json *given = jv_object();
    enum status st = blueprint_load(path, plan, err);

    for (int32_t i = 0; !st && i < option_count(a->options, OPT_VAR); i++)
        st = take_var(*plan, option_text_at(a->options, OPT_VAR, i), given, err);
    if (!st)
        st = plan_inputs(*plan, given, inputs, err);
    jv_unref(given);
    return st;
}
