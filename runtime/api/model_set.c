/* model_set.c - see model_set.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/model_set.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/remote/remote_model.h"
#include "models/script/script_model.h"
#include "runtime/api/known_model.h"
#include "runtime/api/model_file.h"
#include "runtime/base/home.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/base/text.h"

struct opened {
    struct model *model;
    struct engine *engine; /* NULL: a script or a remote model */
};
struct model_set {
    struct model_options o;
    struct log *log;
    struct map *by_name; /* absolute name -> struct opened * */
    enum status (*servers)(void *ctx, struct remote_servers **out, struct error *err);
    void *servers_ctx;
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

struct model_set *model_set_new(const struct model_options *o, struct log *log)
{
    struct model_set *s = xcalloc(1, sizeof(*s));

    s->o = *o;
    s->log = log;
    s->by_name = map_new();
    return s;
}

void model_set_log(struct model_set *s, struct log *log)
{
    s->log = log;
}

void model_set_servers(struct model_set *s,
                       enum status (*open)(void *ctx, struct remote_servers **out,
                                           struct error *err),
                       void *ctx)
{
    s->servers = open;
    s->servers_ctx = ctx;
}

void model_set_free(struct model_set *s)
{
    if (!s)
        return;
    map_free(s->by_name, free_opened);
    free(s);
}

static bool is(const char *value, const char *word)
{
    return value && strcmp(value, word) == 0;
}

static const struct backend *find_backend(const struct model_options *o, struct error *err)
{
    enum cpu_isa best = cpu_isa_best(), isa = best;

    if (is(o->device, "cuda")) {
        error_set(err, STATUS_UNSUPPORTED, "--device cuda: this build has no CUDA plug-in");
        error_hint(err, "`troupe doctor` shows the devices; --device cpu works everywhere");
        return NULL;
    }
    for (int i = 0; i < CPU_ISA_N; i++)
        if (is(o->cpu_isa, cpu_isa_name((enum cpu_isa)i)))
            isa = (enum cpu_isa)i;
    if (isa > best) {
        error_set(err, STATUS_UNSUPPORTED, "--cpu-isa %s: this CPU supports only %s", o->cpu_isa,
                  cpu_isa_name(best));
        return NULL;
    }
    return cpu_backend(isa);
}

enum status model_engine_options(const struct model_options *o, const char *name,
                                 char folder[MODEL_FOLDER_MAX], struct engine_options *out,
                                 struct error *err)
{
    enum status st = model_folder(name, folder, err);

    if (st)
        return st;
    *out = ENGINE_OPTIONS_DEFAULT;
    out->model = folder;
    out->embedded = embedded_file_at;
    out->backend = find_backend(o, err);
    if (!out->backend)
        return STATUS_UNSUPPORTED;
    out->n_threads = o->n_threads;
    out->kv_bytes = o->kv_bytes;
    out->context = o->context;
    if (is(o->weight_type, "f32"))
        out->weight_dtype = DTYPE_F32;
    else if (is(o->weight_type, "bf16"))
        out->weight_dtype = DTYPE_BF16;
    if (is(o->kv_type, "q8"))
        out->kv_dtype = DTYPE_Q8_0;
    else if (o->kv_type && !is(o->kv_type, "auto"))
        out->kv_dtype = dtype_find(o->kv_type);
    return STATUS_OK;
}

/* Is the name something else than a path? */
static bool is_bare(const struct remote_specs *remote, const char *name)
{
    return strcmp(name, "embedded") == 0 || strncmp(name, "hf:", 3) == 0 ||
           remote_is_name(remote, name);
}

#define MAX_HINTED 16

struct hinted {
    const char *name[MAX_HINTED + 1];
    size_t n;
};

static void add_hinted(void *ctx, const char *name, const struct remote_spec *spec)
{
    struct hinted *h = ctx;

    (void)spec;
    if (h->n < MAX_HINTED)
        h->name[h->n++] = name;
}

/* The names of troupe.yaml, and which of them may be meant. */
static void hint_names(const struct remote_specs *remote, const char *name, struct error *err)
{
    struct hinted all = {.n = 0};
    struct str list = STR_INIT;
    const char *near;

    remote_specs_each(remote, add_hinted, &all);
    for (size_t i = 0; i < all.n; i++)
        str_printf(&list, "%s%s", i ? ", " : "`models` of troupe.yaml has: ", all.name[i]);
    all.name[all.n++] = "embedded";
    near = nearest_word(name, all.name, all.n);
    if (near && list.len > 0)
        error_hint(err, "did you mean %.64s? %.180s", near, str_cstr(&list));
    else if (near)
        error_hint(err, "did you mean %.64s?", near);
    else if (list.len > 0)
        error_hint(err, "%.240s", str_cstr(&list));
    str_deinit(&list);
}

enum status model_name_check(const struct remote_specs *remote, const char *name, const char *base,
                             struct error *err)
{
    const struct known_model *fetched = known_model_find(name);
    struct str folder = STR_INIT;
    bool known = is_bare(remote, name) || strcmp(name, "new") == 0 || strpbrk(name, "/:.");

    str_printf(&folder, "%s/%s", base ? base : ".", name);
    known = known || access(str_cstr(&folder), F_OK) == 0;
    str_deinit(&folder);
    if (!known && fetched)
        return known_model_is_here(fetched) ? STATUS_OK : known_model_is_missing(fetched, err);
    if (known)
        return STATUS_OK;
    (void)error_set(err, STATUS_CONFIG,
                    "unknown model `%.80s`; a model is a key of `models` here or in troupe.yaml, "
                    "embedded, a folder (./NAME), script:FILE or URL#NAME",
                    name);
    hint_names(remote, name, err);
    return STATUS_CONFIG;
}

enum status model_option_check(const struct remote_specs *remote, const char *name,
                               struct error *err)
{
    enum status st = model_name_check(remote, name, NULL, err);

    if (st != STATUS_CONFIG)
        return st;
    (void)error_set(
        err, STATUS_NOT_FOUND,
        "there is no folder %.80s and no such name in `models` of troupe.yaml; a model "
        "is embedded, a folder, a GGUF file, hf:ORG/NAME, script:FILE, URL#NAME or such a name",
        name);
    hint_names(remote, name, err);
    return STATUS_NOT_FOUND;
}

void model_name_absolute(const struct remote_specs *remote, const char *name, const char *base,
                         struct str *out)
{
    const char *path = strncmp(name, "script:", 7) == 0 ? name + 7 : name;
    const struct known_model *fetched;
    struct error no_home = ERROR_INIT;
    char here[PATH_MAX], *real;
    struct str joined = STR_INIT;

    if (is_bare(remote, name)) {
        str_puts(out, name);
        return;
    }
    if (*path != '/' && !base)
        base = getcwd(here, sizeof(here)) ? here : ".";
    if (*path != '/')
        str_printf(&joined, "%s/", base);
    str_puts(&joined, path);
    fetched = access(str_cstr(&joined), F_OK) != 0 ? known_model_find(name) : NULL;
    if (fetched) {
        str_clear(&joined);
        if (known_model_path(fetched, &joined, &no_home))
            str_puts(&joined, name);
    }
    real = realpath(str_cstr(&joined), NULL); /* a missing file still gets an absolute name */
    str_append(out, name, (size_t)(path - name));
    str_puts(out, real ? real : str_cstr(&joined));
    free(real);
    str_deinit(&joined);
}

/* Smaller weights are packed in less time than files take. */
#define CACHED_FROM_BYTES (4 << 20)

static void log_plan(struct log *log, const char *name, const struct engine_plan *p)
{
    log_write(
        log, LOG_DEBUG,
        "%s: %.1f MiB = weights %.1f + KV %.1f (%d pages) + activations %.1f + sessions %.1f; "
        "available %.0f MiB; context %d",
        name, (double)p->total_bytes / 1048576, (double)p->weights_bytes / 1048576,
        (double)p->kv_bytes / 1048576, p->n_pages, (double)p->activations_bytes / 1048576,
        (double)p->sessions_bytes / 1048576, (double)p->available_bytes / 1048576, p->context);
}

/* $XDG_CACHE_HOME/troupe/packed, or the same in ~/.cache. False: there is no home folder. */
static bool packed_folder(struct str *out)
{
    const char *base = getenv("XDG_CACHE_HOME");
    struct error ignored = ERROR_INIT;
    char home[PATH_MAX];

    if (base && *base == '/')
        str_puts(out, base);
    else if (home_folder(home, sizeof(home), &ignored) == STATUS_OK)
        str_printf(out, "%s/.cache", home);
    else
        return false;
    str_puts(out, "/troupe/packed");
    return true;
}

static enum status open_engine(const struct model_set *s, const char *name, struct opened *o,
                               struct error *err)
{
    struct weights_cache cache = {.seams = seams_real()};
    struct engine_options eo;
    struct engine_plan plan;
    struct str packed = STR_INIT;
    char folder[MODEL_FOLDER_MAX];
    enum status st = model_engine_options(&s->o, name, folder, &eo, err);

    if (!st)
        st = engine_plan(&eo, &plan, err);
    if (st)
        return st;
    log_plan(s->log, name, &plan);
    if (plan.weights_bytes >= CACHED_FROM_BYTES && packed_folder(&packed)) {
        cache.folder = str_cstr(&packed);
        eo.cache = &cache;
    }
    st = engine_open(&eo, &o->engine, err);
    if (!st)
        o->model = engine_model(o->engine);
    str_deinit(&packed);
    return st;
}

static enum status open_remote(struct model_set *s, const char *name, struct model **out,
                               struct error *err)
{
    const struct remote_spec *spec = remote_specs_get(s->o.remote, name);
    struct remote_spec own = {.url = NULL};
    struct remote_servers *servers = NULL;
    enum status st = spec ? STATUS_OK : remote_spec_from_name(name, &own, err);

    if (!st && !s->servers)
        st = error_set(err, STATUS_UNSUPPORTED, "model %s: a remote model cannot be used here",
                       name);
    if (!st)
        st = s->servers(s->servers_ctx, &servers, err);
    if (!st)
        st = remote_model_open(servers, name, spec ? spec : &own, out, err);
    remote_spec_deinit(&own);
    return st;
}

static enum status open_new(struct model_set *s, const char *name, struct opened **out,
                            struct error *err)
{
    struct opened *o = xcalloc(1, sizeof(*o));
    enum status st;

    if (strncmp(name, "script:", 7) == 0)
        st = script_model_open(name + 7, &o->model, err);
    else if (remote_is_name(s->o.remote, name))
        st = open_remote(s, name, &o->model, err);
    else
        st = open_engine(s, name, o, err);
    if (st) {
        free(o);
        return st;
    }
    log_write(s->log, LOG_DEBUG, "model %s is open", name);
    map_put(s->by_name, name, o);
    *out = o;
    return STATUS_OK;
}

enum status model_set_open(struct model_set *s, const char *name, struct model **out,
                           struct error *err)
{
    struct str whole = STR_INIT;
    struct opened *o;
    enum status st = STATUS_OK;

    model_name_absolute(s->o.remote, name, NULL, &whole);
    o = map_get(s->by_name, str_cstr(&whole));
    if (!o)
        st = open_new(s, str_cstr(&whole), &o, err);
    str_deinit(&whole);
    if (!st)
        *out = o->model;
    return st;
}

struct engine *model_set_engine(const struct model_set *s, const struct model *m)
{
    const char *key;
    void *value;

    for (size_t i = 0; map_next(s->by_name, &i, &key, &value);)
        if (((struct opened *)value)->model == m)
            return ((struct opened *)value)->engine;
    return NULL;
}

void model_set_each_engine(const struct model_set *s,
                           void (*fn)(void *ctx, const struct model *m, struct engine *e),
                           void *ctx)
{
    const char *key;
    void *value;

    for (size_t i = 0; map_next(s->by_name, &i, &key, &value);) {
        const struct opened *o = value;

        if (o->engine)
            fn(ctx, o->model, o->engine);
    }
}
