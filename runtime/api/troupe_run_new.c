/* troupe_run_new.c - from a blueprint to a row in the store, and from a row back to a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/api/model_file.h"
#include "runtime/api/troupe_run.h"

enum status troupe_run_root(const char *given, const char *recorded, char **out, struct error *err)
{
    const char *root = given ? given : recorded ? recorded : ".";
    char *real = realpath(root, NULL);

    if (!real) {
        (void)error_errno(err, errno, "the root of the file tools, %s", root);
        error_hint(err, "choose another folder with --root");
        return err->status;
    }
    *out = real;
    return STATUS_OK;
}

/* The configuration stored with the run: the plan, its inputs, and all else that shapes results. */
static struct json *config_of(const struct troupe_run *r, const struct json *more)
{
    struct json *config = jv_object(), *value;
    const char *key;

    jv_set_adopt(config, "plan", jv_deep_copy(r->plan->effective));
    jv_set_adopt(config, "inputs", jv_deep_copy(r->inputs));
    run_models_describe(r->models, r->plan, config);
    for (void *it = NULL; (it = jv_next(more, it, &key, &value));)
        jv_set_adopt(config, key, jv_deep_copy(value));
    return config;
}

const char *troupe_run_source(const struct plan *p, struct str *out)
{
    if (!p->folder)
        return NULL;
    str_printf(out, "%s/%s", p->folder, jv_get_string(jv_get(p->effective, "blueprint"), ""));
    return str_cstr(out);
}

enum status troupe_run_create(struct troupe_run *r, const char *kind, uint64_t seed,
                              int32_t prompt_format, const char *root, const struct json *more,
                              struct error *err)
{
    const struct model *m = run_models_first(r->models);
    struct str source = STR_INIT;
    struct json *config = config_of(r, more);
    struct run_spec spec = {.kind = kind,
                            .name = r->plan->name,
                            .config = config,
                            .seed = seed,
                            .root = root,
                            .source = troupe_run_source(r->plan, &source),
                            .prompt_format = prompt_format,
                            .key = r->key};
    enum status st;

    if (m) {
        spec.model_hash = &m->info.hash;
        spec.backend = m->info.backend;
    }
    st = run_create(r->t->store, &spec, &r->run, err);
    if (!st)
        snprintf(r->uuid, sizeof(r->uuid), "%s", run_uuid(r->run));
    jv_unref(config);
    str_deinit(&source);
    return st;
}

enum status troupe_run_new(struct troupe *t, const struct troupe_run_spec *spec,
                           const struct troupe_run_options *o, struct troupe_run **out,
                           struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    char *root = NULL;
    enum status st;

    r->plan = spec->plan;
    r->key = spec->key;
    st = plan_inputs(spec->plan, spec->inputs, &r->inputs, err);
    if (!st)
        st = troupe_run_root(o->root, NULL, &root, err);
    if (!st)
        st = troupe_run_check(r, root, err);
    if (!st && spec->store)
        st = troupe_open_store(t, spec->store, err);
    if (!st)
        st = troupe_run_create(r, spec->kind, spec->seed, 0, root, spec->more, err);
    r->key = NULL;
    free(root);
    if (st) {
        troupe_run_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

enum status troupe_check_model(void *troupe, const struct plan *p, const struct plan_agent *a,
                               bool in_env, struct error *err)
{
    return model_check(troupe_remote(troupe), plan_agent_model(p, a), p->folder, in_env, err);
}

enum status troupe_plan_check(struct troupe *t, const struct plan *p,
                              const struct troupe_run_options *o, struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    char *root = NULL;
    enum status st;

    r->plan = p;
    st = troupe_run_root(o->root, NULL, &root, err);
    if (!st)
        st = troupe_run_check(r, root, err);
    if (!st && o->n_models == 0) {
        const struct plan_check check = {.tools = r->tools, .model = troupe_check_model, .ctx = t};

        st = blueprint_check(p, &check, err);
    }
    free(root);
    troupe_run_free(r);
    return st;
}

enum status troupe_run_hold(struct troupe_run *r, const char *uuid, struct error *err)
{
    enum status st = run_take(r->t->store, uuid, &r->run, err);

    if (!st)
        snprintf(r->uuid, sizeof(r->uuid), "%s", run_uuid(r->run));
    return st;
}

enum status troupe_run_take(struct troupe *t, const char *uuid, const struct troupe_run_options *o,
                            struct troupe_run **out, struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    char *root = NULL;
    enum status st = troupe_run_hold(r, uuid, err);

    if (!st)
        st = blueprint_from_effective(jv_get(run_config(r->run), "plan"), &r->own_plan, err);
    if (!st) {
        r->plan = r->own_plan;
        r->inputs = jv_ref(jv_get(run_config(r->run), "inputs"));
        run_models_recorded(r->models, run_config(r->run), false);
        st = troupe_run_root(o->root, run_root(r->run), &root, err);
    }
    if (!st)
        st = troupe_run_check(r, root, err);
    free(root);
    if (st) {
        troupe_run_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}
