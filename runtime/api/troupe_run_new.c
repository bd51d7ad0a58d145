/* troupe_run_new.c - from a blueprint to a row in the store, and from a row back to a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/api/model_file.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/api/troupe_run.h"
#include "runtime/base/memory.h"

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
    value = troupe_mcp_describe(r->plan, r->tools);
    if (value)
        jv_set_adopt(config, "mcp_tools", value);
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

/* The row to create, and what it lends. */
struct row_draft {
    struct run_spec spec;
    struct json *config;
    struct str source;
};

static void row_init(struct row_draft *d, const struct troupe_run *r, const char *kind,
                     uint64_t seed, const char *root, const struct json *more)
{
    const struct model *m = run_models_first(r->models);

    d->config = config_of(r, more);
    d->source = STR_INIT;
    d->spec = (struct run_spec){.kind = kind,
                                .name = r->plan->name,
                                .config = d->config,
                                .seed = seed,
                                .root = root,
                                .source = troupe_run_source(r->plan, &d->source)};
    if (m) {
        d->spec.model_hash = &m->info.hash;
        d->spec.backend = m->info.backend;
    }
}

static void row_deinit(struct row_draft *d)
{
    jv_unref(d->config);
    str_deinit(&d->source);
}

static enum status create(struct troupe_run *r, const struct run_spec *spec, struct error *err)
{
    enum status st = run_create(r->t->store, spec, &r->run, err);

    if (!st)
        snprintf(r->uuid, sizeof(r->uuid), "%s", run_uuid(r->run));
    return st;
}

enum status troupe_run_create(struct troupe_run *r, const char *kind, uint64_t seed,
                              int32_t prompt_format, const char *root, const struct json *more,
                              struct error *err)
{
    struct row_draft d;
    enum status st;

    row_init(&d, r, kind, seed, root, more);
    d.spec.prompt_format = prompt_format;
    st = create(r, &d.spec, err);
    row_deinit(&d);
    return st;
}

/* A checked run, and the row to create for it. */
static enum status draft(struct troupe *t, const struct troupe_run_spec *spec,
                         const struct troupe_run_options *o, struct troupe_run **out, char **root,
                         struct row_draft *row, struct error *err)
{
    struct troupe_run *r = troupe_run_prepare(t, o);
    enum status st = plan_inputs(spec->plan, spec->inputs, &r->inputs, err);

    *root = NULL;
    r->plan = spec->plan;
    if (!st)
        st = troupe_run_root(o->root, NULL, root, err);
    if (!st)
        st = troupe_run_check(r, *root, err);
    if (!st && spec->store)
        st = troupe_open_store(t, spec->store, err);
    if (st) {
        troupe_run_free(r);
        free(*root);
        return st;
    }
    row_init(row, r, spec->kind, spec->seed, *root, spec->more);
    row->spec.key = spec->key;
    *out = r;
    return STATUS_OK;
}

enum status troupe_run_new(struct troupe *t, const struct troupe_run_spec *spec,
                           const struct troupe_run_options *o, struct troupe_run **out,
                           struct error *err)
{
    struct troupe_run *r = NULL;
    struct row_draft row;
    char *root;
    enum status st = draft(t, spec, o, &r, &root, &row, err);

    if (st)
        return st;
    st = create(r, &row.spec, err);
    row_deinit(&row);
    free(root);
    if (st)
        troupe_run_free(r);
    else
        *out = r;
    return st;
}

struct making {
    struct troupe_run *run;
    troupe_run_made made;
    void *ctx;
};

/* A run that waits until the servers of its tools have started. */
struct waiting {
    struct troupe_waiting of_troupe; /* first */
    struct troupe *t;
    struct troupe_run_spec spec;
    struct troupe_run_options o;
    struct json *inputs, *more;
    char *key;
    troupe_run_made made;
    void *ctx;
    struct hub_warm *warm;
    bool inside; /* troupe_run_new_later */
    enum status status;
    struct error *err;
};

static void on_row(void *ctx, struct run *row, enum status status, const struct error *err)
{
    struct making m = *(struct making *)ctx;

    free(ctx);
    if (status) {
        troupe_run_free(m.run);
        m.run = NULL;
    } else {
        m.run->run = row;
        snprintf(m.run->uuid, sizeof(m.run->uuid), "%s", run_uuid(row));
    }
    m.made(m.ctx, m.run, err);
}

static enum status make_later(struct troupe *t, const struct troupe_run_spec *spec,
                              const struct troupe_run_options *o, troupe_run_made made, void *ctx,
                              struct error *err)
{
    struct making *m;
    struct troupe_run *r = NULL;
    struct row_draft row;
    char *root;
    enum status st = draft(t, spec, o, &r, &root, &row, err);

    if (st)
        return st;
    m = xcalloc(1, sizeof(*m));
    *m = (struct making){r, made, ctx};
    run_create_later(t->store, &row.spec, on_row, m); /* copies the row */
    row_deinit(&row);
    free(root);
    return STATUS_OK;
}

static void free_waiting(struct waiting *w)
{
    jv_unref(w->inputs);
    jv_unref(w->more);
    free(w->key);
    free(w);
}

static void drop(struct troupe_waiting *of_troupe)
{
    struct waiting *w = (struct waiting *)of_troupe;

    hub_warm_drop(w->warm);
    free_waiting(w);
}

static void remove_waiting(struct waiting *w)
{
    struct troupe_waiting **at = &w->t->waiting;

    while (*at != &w->of_troupe)
        at = &(*at)->next;
    *at = w->of_troupe.next;
}

static void servers_are_there(void *ctx)
{
    struct waiting *w = ctx;
    struct error err = ERROR_INIT;

    w->status = make_later(w->t, &w->spec, &w->o, w->made, w->ctx, w->inside ? w->err : &err);
    if (w->inside)
        return;
    remove_waiting(w);
    if (w->status)
        w->made(w->ctx, NULL, &err);
    free_waiting(w);
}

enum status troupe_run_new_later(struct troupe *t, const struct troupe_run_spec *spec,
                                 const struct troupe_run_options *o, troupe_run_made made,
                                 void *ctx, struct error *err)
{
    struct waiting *w = xcalloc(1, sizeof(*w));
    enum status st;

    *w = (struct waiting){.of_troupe.drop = drop,
                          .t = t,
                          .spec = *spec,
                          .o = *o,
                          .made = made,
                          .ctx = ctx,
                          .inside = true,
                          .err = err};
    w->warm = troupe_mcp_plan_later(t, spec->plan, servers_are_there, w);
    if (w->warm) { /* the rest of the specification must last until then */
        w->inside = false;
        w->of_troupe.next = t->waiting;
        t->waiting = &w->of_troupe;
        w->spec.inputs = w->inputs = jv_deep_copy(spec->inputs);
        w->spec.more = w->more = spec->more ? jv_deep_copy(spec->more) : NULL;
        w->spec.key = w->key = spec->key ? xstrdup(spec->key) : NULL;
        return STATUS_OK;
    }
    st = w->status;
    free(w);
    return st;
}

bool troupe_has_price(void *troupe, const struct plan *p, const struct plan_agent *a)
{
    struct troupe *t = troupe;

    return model_has_price(troupe_remote(t), plan_agent_model(p, a));
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
