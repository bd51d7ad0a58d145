/* app_model.c - see app_model.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_model.h"

#include <string.h>

#include "runtime/api/run_models.h"
#include "runtime/api/troupe.h"
#include "runtime/config/sections.h"

enum status app_remote_specs(const struct options *o, struct remote_specs **out, struct error *err)
{
    struct remote_specs *s = remote_specs_new();
    struct section section;
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && options_section(o, SECTION_MODELS, i, &section); i++)
        st = remote_specs_add(s, section.yaml, section.node, section.folder, err);
    if (st) {
        remote_specs_free(s);
        return st;
    }
    *out = s;
    return STATUS_OK;
}

struct model_options app_model_options(const struct app *a)
{
    const struct options *o = a->options;

    return (struct model_options){.device = option_text(o, OPT_DEVICE),
                                  .cpu_isa = option_text(o, OPT_CPU_ISA),
                                  .weight_type = option_text(o, OPT_WEIGHT_TYPE),
                                  .kv_type = option_text(o, OPT_KV_TYPE),
                                  .n_threads = (int32_t)option_int(o, OPT_THREADS),
                                  .context = (int32_t)option_int(o, OPT_CONTEXT),
                                  .kv_bytes = option_int(o, OPT_KV_MEMORY),
                                  .remote = a->remote};
}

enum status app_model_is_here(const struct app *a, const char *name, struct error *err)
{
    if (!remote_is_name(a->remote, name))
        return STATUS_OK;
    (void)error_set(err, STATUS_UNSUPPORTED,
                    "--model %.200s is a remote model; this command needs a model in this process",
                    name);
    error_hint(err, "agents of blueprints can use it: `troupe run`, `troupe eval BLUEPRINT`");
    return STATUS_UNSUPPORTED;
}

enum status app_model(struct app *a, const char *name, struct model **out, struct error *err)
{
    enum status st = app_model_is_here(a, name, err);

    if (!st)
        st = model_option_check(a->remote, name, err);
    return st ? st : troupe_model(a->troupe, name, out, err);
}

enum status app_engine_options(struct app *a, const char *name, char folder[1024],
                               struct engine_options *out, struct error *err)
{
    struct model_options o = app_model_options(a);
    enum status st = app_model_is_here(a, name, err);

    return st ? st : model_engine_options(&o, name, folder, out, err);
}

enum status app_model_is_one(const struct app *a, struct error *err)
{
    bool flag = strcmp(option_origin(a->options, OPT_MODEL), "flag") == 0;

    for (int32_t i = 0; flag && i < option_count(a->options, OPT_MODEL); i++) {
        const char *given = option_text_at(a->options, OPT_MODEL, i);

        if (model_role_end(given))
            return error_set(err, STATUS_USAGE,
                             "--model %.80s: NAME=M is for blueprints; use --model M", given);
    }
    return STATUS_OK;
}

const char *app_model_name(const struct app *a, const char *role, const char *otherwise)
{
    const char *all = otherwise;
    size_t n = role ? strlen(role) : 0;

    for (int32_t i = 0; i < option_count(a->options, OPT_MODEL); i++) {
        const char *given = option_text_at(a->options, OPT_MODEL, i);
        const char *eq = model_role_end(given);
        if (role && eq && (size_t)(eq - given) == n && strncmp(given, role, n) == 0)
            return eq + 1;
        if (!eq)
            all = given;
    }
    return all;
}
