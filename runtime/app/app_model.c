/* app_model.c - models by name, each opened once for the invocation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/script/script_model.h"
#include "runtime/base/home.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

struct opened {
    struct model *model;
    struct engine *engine; /* NULL: a script */
};
struct app_models {
    struct map *by_name; /* struct opened * */
};

static void free_opened(void *p)
{
    struct opened *o = p;

    if (o->engine)
        engine_close(o->engine);
    else if (o->model)
        o->model->ops->close(o->model);
    free(o);
}

void app_models_free(struct app *a)
{
    if (!a->models)
        return;
    map_free(a->models->by_name, free_opened);
    free(a->models);
    a->models = NULL;
}

/* hf:ORG/NAME in the local cache: hub/models--ORG--NAME/snapshots/REV. Nothing is downloaded. */
static enum status find_hf(const char *name, char out[1024], struct error *err)
{
    const char *hub = getenv("HF_HUB_CACHE"), *hf = getenv("HF_HOME");
    const char *slash = strchr(name, '/');
    char base[512], home[440], *rev = NULL;
    size_t n = 0;
    enum status st;

    if (!slash || strchr(slash + 1, '/'))
        return error_set(err, STATUS_USAGE, "hf:%s: expected hf:ORG/NAME", name);
    if (hub && *hub)
        snprintf(base, sizeof(base), "%s", hub);
    else if (hf && *hf)
        snprintf(base, sizeof(base), "%s/hub", hf);
    else if ((st = home_folder(home, sizeof(home), err)) == STATUS_OK)
        snprintf(base, sizeof(base), "%s/.cache/huggingface/hub", home);
    else
        return st;
    snprintf(out, 1024, "%s/models--%.*s--%s/refs/main", base, (int)(slash - name), name,
             slash + 1);
    st = file_read(out, 256, &rev, &n, err);
    if (st) {
        error_note(err, "hf:%s is not in the local cache", name);
        error_hint(err,
                   "nothing is downloaded by itself; fetch the model with your usual tool first");
        return st;
    }
    rev[strcspn(rev, "\r\n \t")] = 0;
    snprintf(out, 1024, "%s/models--%.*s--%s/snapshots/%s", base, (int)(slash - name), name,
             slash + 1, rev);
    free(rev);
    return STATUS_OK;
}

/* What `train` wrote may be named as a whole: its model is in OUT/model. */
static void enter_output(char folder[1024])
{
    char inside[1100];

    snprintf(inside, sizeof(inside), "%s/config.json", folder);
    if (file_exists(inside))
        return;
    snprintf(inside, sizeof(inside), "%s/model/config.json", folder);
    if (file_exists(inside) && strlen(folder) + sizeof("/model") <= 1024)
        memcpy(folder + strlen(folder), "/model", sizeof("/model"));
}

static const struct backend *backend_by_option(const struct app *a, struct error *err)
{
    const char *want = option_text(a->options, OPT_CPU_ISA);
    enum cpu_isa best = cpu_isa_best(), isa = best;

    if (strcmp(option_text(a->options, OPT_DEVICE), "cuda") == 0) {
        error_set(err, STATUS_UNSUPPORTED, "--device cuda: this build has no CUDA plug-in");
        error_hint(err, "`troupe doctor` says what was found; --device cpu works everywhere");
        return NULL;
    }
    for (int i = 0; i < CPU_ISA_N; i++)
        if (strcmp(cpu_isa_name((enum cpu_isa)i), want) == 0)
            isa = (enum cpu_isa)i;
    if (isa > best) {
        error_set(err, STATUS_UNSUPPORTED, "--cpu-isa %s: this CPU has only %s", want,
                  cpu_isa_name(best));
        return NULL;
    }
    return cpu_backend(isa);
}

enum status app_engine_options(struct app *a, const char *name, char folder[1024],
                               struct engine_options *out, struct error *err)
{
    const struct options *o = a->options;
    const char *type = option_text(o, OPT_WEIGHT_TYPE);
    enum status st;

    memset(out, 0, sizeof(*out));
    snprintf(folder, 1024, "%s", name);
    if (strncmp(name, "hf:", 3) == 0) {
        st = find_hf(name + 3, folder, err);
        if (st)
            return st;
    } else {
        enter_output(folder);
    }
    out->model = folder;
    out->embedded = embedded_file_at;
    out->backend = backend_by_option(a, err);
    if (!out->backend)
        return STATUS_UNSUPPORTED;
    out->n_threads = (int32_t)option_int(o, OPT_THREADS);
    out->kv_bytes = option_int(o, OPT_KV_MEMORY);
    out->context = (int32_t)option_int(o, OPT_CONTEXT);
    out->weight_dtype = strcmp(type, "f32") == 0    ? DTYPE_F32
                        : strcmp(type, "bf16") == 0 ? DTYPE_BF16
                                                    : DTYPE_N;
    out->kv_dtype = DTYPE_N;
    return STATUS_OK;
}

static void log_plan(struct app *a, const char *name, const struct engine_plan *p)
{
    log_write(
        a->log, LOG_DEBUG,
        "%s: %.1f MiB = weights %.1f + KV %.1f (%d pages) + activations %.1f + sessions %.1f; "
        "available %.0f MiB; context %d",
        name, (double)p->total_bytes / 1048576, (double)p->weights_bytes / 1048576,
        (double)p->kv_bytes / 1048576, p->n_pages, (double)p->activations_bytes / 1048576,
        (double)p->sessions_bytes / 1048576, (double)p->available_bytes / 1048576, p->context);
}

static enum status open_engine(struct app *a, const char *name, struct opened *o, struct error *err)
{
    struct engine_options eo;
    struct engine_plan plan;
    char folder[1024];
    enum status st = app_engine_options(a, name, folder, &eo, err);

    if (!st)
        st = engine_plan(&eo, false, &plan, err);
    if (st)
        return st;
    log_plan(a, name, &plan);
    st = engine_open(&eo, &o->engine, err);
    if (!st)
        o->model = engine_model(o->engine);
    return st;
}

enum status app_model(struct app *a, const char *name, struct model **out, struct error *err)
{
    struct opened *o;
    enum status st;

    if (!a->models) {
        a->models = xcalloc(1, sizeof(*a->models));
        a->models->by_name = map_new();
    }
    o = map_get(a->models->by_name, name);
    if (!o) {
        o = xcalloc(1, sizeof(*o));
        if (strncmp(name, "script:", 7) == 0)
            st = script_model_open(name + 7, &o->model, err);
        else if (strstr(name, "://"))
            st = error_set(err, STATUS_UNSUPPORTED,
                           "--model %s: remote servers are not built in yet", name);
        else
            st = open_engine(a, name, o, err);
        if (st) {
            if (!err->hint[0])
                error_hint(err, "--model takes embedded, a folder, hf:ORG/NAME or script:FILE");
            free(o);
            return st;
        }
        map_put(a->models->by_name, name, o);
    }
    *out = o->model;
    return STATUS_OK;
}

void app_note_weights(struct json *weights, const char *name, const struct model *m)
{
    char hex[65];

    if (!m->info.takes_ids)
        return;
    sha256_hex(&m->info.hash, hex);
    jv_set_string(weights, name, hex);
}

enum status app_same_weights(const char *was, const char *was_hex, const char *is,
                             const struct model *m, struct error *err)
{
    char hex[65];

    sha256_hex(&m->info.hash, hex);
    if (!was_hex || strcmp(was_hex, hex) == 0)
        return STATUS_OK;
    (void)error_set(err, STATUS_CONFIG,
                    "the run was begun with model %s (weights %.12s), not with %s (weights %.12s)",
                    was, was_hex, is, hex);
    error_hint(err, "what is recorded came from the first; --model names a folder that has it");
    return STATUS_CONFIG;
}

struct engine *app_model_engine(struct app *a, const struct model *m)
{
    const char *key;
    void *value;

    for (size_t i = 0; a->models && map_next(a->models->by_name, &i, &key, &value);)
        if (((struct opened *)value)->model == m)
            return ((struct opened *)value)->engine;
    return NULL;
}

const char *app_model_role_end(const char *given)
{
    const char *eq = strchr(given, '='), *slash = strchr(given, '/');

    return eq && (!slash || eq < slash) ? eq : NULL; /* a path may hold "=" */
}

const char *app_model_name(const struct app *a, const char *role, const char *otherwise)
{
    const char *all = otherwise;
    size_t n = role ? strlen(role) : 0;

    for (int32_t i = 0; i < option_count(a->options, OPT_MODEL); i++) {
        const char *given = option_text_at(a->options, OPT_MODEL, i);
        const char *eq = app_model_role_end(given);
        if (role && eq && (size_t)(eq - given) == n && strncmp(given, role, n) == 0)
            return eq + 1;
        if (!eq)
            all = given;
    }
    return all;
}
