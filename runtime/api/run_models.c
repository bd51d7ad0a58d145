/* run_models.c - see run_models.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/run_models.h"

#include <stdlib.h>
#include <string.h>

#include "models/remote/remote_headers.h"
#include "runtime/api/model_set.h"
#include "runtime/api/troupe.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define MAX_NAMES 64

struct run_models {
    struct troupe *t;
    const char *const *given;
    int32_t n_given;
    bool defaults;
    const struct json *config; /* of the record, or NULL */
    bool others;
    struct json *weights; /* of all models opened so far */
    const struct model *first;
    char *first_name;
};

struct run_models *run_models_new(struct troupe *t, const struct troupe_run_options *o)
{
    struct run_models *m = xcalloc(1, sizeof(*m));

    m->t = t;
    m->given = o->model;
    m->n_given = o->n_models;
    m->defaults = o->models_are_defaults;
    m->weights = jv_object();
    return m;
}

void run_models_free(struct run_models *m)
{
    if (!m)
        return;
    jv_unref(m->weights);
    free(m->first_name);
    free(m);
}

void run_models_recorded(struct run_models *m, const struct json *config, bool others)
{
    m->config = config;
    m->others = others;
}

const struct model *run_models_first(const struct run_models *m)
{
    return m->first;
}

const char *model_role_end(const char *given)
{
    size_t n = strcspn(given, "=/:"); /* a path may hold "=" too */

    return given[n] == '=' ? given + n : NULL;
}

/* ---- which agent gets which model */

/* How specifically NAME=M names this agent; 0: not at all. */
static int closeness(const char *given, const struct plan *p, const struct plan_agent *a)
{
    const char *eq = model_role_end(given);
    size_t n = eq ? (size_t)(eq - given) : 0;
    const char *const names[] = {jv_get(p->models, a->model) ? a->model : NULL, a->role, a->name};
    int best = eq ? 0 : 1;

    for (size_t i = 0; eq && i < ARRAY_LEN(names); i++)
        if (names[i] && strlen(names[i]) == n && strncmp(names[i], given, n) == 0)
            best = (int)i + 2;
    return best;
}

/* Chooses from a list of given models for one agent: the most specific, of equal ones the last. */
struct choice {
    int closeness;
    const char *name;
};

static void choose(struct choice *c, const char *given, const struct plan *p,
                   const struct plan_agent *a)
{
    const char *eq = model_role_end(given);
    int close = closeness(given, p, a);

    if (close > 0 && close >= c->closeness)
        *c = (struct choice){close, eq ? eq + 1 : given};
}

/* The name in the record, without the options of this process. True: the blueprint's own. */
static bool recorded_name(const struct run_models *m, const struct plan *p,
                          const struct plan_agent *a, struct str *out)
{
    const struct json *list = jv_get(m->config, "models");
    struct choice c = {0, NULL};

    for (size_t i = 0; i < jv_size(list); i++)
        choose(&c, jv_get_string(jv_at(list, i), ""), p, a);
    if (c.name)
        str_puts(out, c.name); /* absolute; one of 0.1 as it was given */
    else if (p->folder)
        model_name_absolute(troupe_remote(m->t), plan_agent_model(p, a), p->folder, out);
    else
        str_puts(out, plan_agent_model(p, a));
    return !c.name;
}

/* As given to this process, or NULL. */
static const char *given_name(const struct run_models *m, const struct plan *p,
                              const struct plan_agent *a)
{
    struct choice c = {0, NULL};

    for (int32_t i = 0; i < m->n_given; i++)
        choose(&c, m->given[i], p, a);
    return c.name;
}

/* The name of the model that it gets in this process. */
static void name_now(const struct run_models *m, const struct plan *p, const struct plan_agent *a,
                     const char *was, struct str *out)
{
    const char *given = given_name(m, p, a);

    model_name_absolute(troupe_remote(m->t), given ? given : was, NULL, out);
}

bool run_models_differ(const struct run_models *m, const struct plan *p, const struct plan_agent *a)
{
    struct str was = STR_INIT, is = STR_INIT;
    const char *was_hex, *is_hex;

    (void)recorded_name(m, p, a, &was);
    name_now(m, p, a, str_cstr(&was), &is);
    was_hex = jv_get_string(jv_get(jv_get(m->config, "weights"), str_cstr(&was)), NULL);
    is_hex = jv_get_string(jv_get(m->weights, str_cstr(&is)), NULL);
    str_deinit(&was);
    str_deinit(&is);
    return was_hex && is_hex && strcmp(was_hex, is_hex) != 0;
}

/* A model that the blueprint names is a fault of its line, as for `validate`. */
static enum status say_where(const struct run_models *m, const struct plan *p,
                             const struct plan_agent *a, const struct error *fault,
                             struct error *err)
{
    if (!given_name(m, p, a) && !m->config)
        return plan_model_fault(p, a, fault, err);
    if (err)
        *err = *fault;
    return fault->status;
}

enum status run_models_open(struct run_models *m, const struct plan *p, const struct plan_agent *a,
                            struct model **out, struct error *err)
{
    struct str was = STR_INIT, is = STR_INIT;
    struct error fault = ERROR_INIT;
    const char *was_hex;
    bool own = recorded_name(m, p, a, &was);
    enum status st = STATUS_OK;

    name_now(m, p, a, str_cstr(&was), &is);
    if (own && strcmp(str_cstr(&was), str_cstr(&is)) == 0)
        st = model_name_check(troupe_remote(m->t), plan_agent_model(p, a), p->folder, &fault);
    else if (given_name(m, p, a))
        st = model_option_check(troupe_remote(m->t), given_name(m, p, a), &fault);
    if (!st)
        st = troupe_model(m->t, str_cstr(&is), out, &fault);
    if (st)
        st = say_where(m, p, a, &fault, err);
    was_hex = jv_get_string(jv_get(jv_get(m->config, "weights"), str_cstr(&was)), NULL);
    if (!st && !m->others)
        st = check_same_weights(str_cstr(&was), was_hex, str_cstr(&is), *out, err);
    if (!st)
        note_weights(m->weights, str_cstr(&is), *out);
    if (!st && !m->first) {
        m->first = *out;
        m->first_name = xstrdup(str_cstr(&is));
    }
    str_deinit(&was);
    str_deinit(&is);
    return st;
}

enum status run_models_ready(const struct run_models *m, const struct plan *p,
                             const struct plan_agent *a, const struct model *model,
                             struct error *err)
{
    const struct remote_spec *spec = remote_specs_get(troupe_remote(m->t), model->info.name);
    struct error fault = ERROR_INIT;

    return spec && remote_headers_check(spec, &fault) ? say_where(m, p, a, &fault, err) : STATUS_OK;
}

/* ---- valid names */

struct names {
    const char *name[MAX_NAMES];
    size_t n;
};

static void add_name(struct names *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->name[i], name) == 0)
            return;
    if (all->n < MAX_NAMES)
        all->name[all->n++] = name;
}

static void add_plan(struct names *all, const struct plan *p);

static void add_below(struct names *all, const struct plan_step *s, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (s[i].sub)
            add_plan(all, s[i].sub);
        add_below(all, s[i].child, s[i].n_children);
        add_below(all, s[i].otherwise, s[i].n_otherwise);
    }
}

static void add_plan(struct names *all, const struct plan *p)
{
    const char *key;

    for (int32_t i = 0; i < p->n_agents; i++) {
        add_name(all, p->agent[i].name);
        add_name(all, p->agent[i].role);
    }
    for (void *it = NULL; (it = jv_next(p->models, it, &key, NULL)) != NULL;)
        add_name(all, key);
    add_below(all, p->step, p->n_steps);
}

static enum status unknown_name(const char *name, const struct names *all, struct error *err)
{
    const char *near = all->n ? nearest_word(name, all->name, all->n) : NULL;
    struct str list;

    str_init(&list, 400);
    for (size_t i = 0; i < all->n; i++)
        str_printf(&list, "%s%s", i ? ", " : "", all->name[i]);
    (void)error_set(err, STATUS_USAGE,
                    "--model %.80s=...: the blueprint has no agent, role or model of that name",
                    name);
    if (near)
        error_hint(err, "did you mean %s? The names are: %s", near, str_cstr(&list));
    else if (all->n)
        error_hint(err, "the names are: %s", str_cstr(&list));
    else
        error_hint(err, "it has no agents");
    str_deinit(&list);
    return STATUS_USAGE;
}

enum status run_models_check(const struct run_models *m, const struct plan *p, struct error *err)
{
    struct names all = {.n = 0};
    enum status st = STATUS_OK;

    add_plan(&all, p);
    for (int32_t i = 0; !st && i < m->n_given; i++) {
        const char *eq = model_role_end(m->given[i]);
        char *name = eq ? xstrndup(m->given[i], (size_t)(eq - m->given[i])) : NULL;
        bool known = !eq || m->defaults;

        for (size_t k = 0; k < all.n && !known; k++)
            known = strcmp(all.name[k], name) == 0;
        if (!known)
            st = unknown_name(name, &all, err);
        free(name);
    }
    return st;
}

/* ---- the record */

/* The given text, with "NAME=", and with an absolute path. */
static struct json *absolute_given(const struct run_models *m, const char *given)
{
    const char *eq = model_role_end(given);
    struct str s = STR_INIT;
    struct json *v;

    if (eq)
        str_append(&s, given, (size_t)(eq + 1 - given));
    model_name_absolute(troupe_remote(m->t), eq ? eq + 1 : given, NULL, &s);
    v = jv_string(str_cstr(&s));
    str_deinit(&s);
    return v;
}

/* The name for a run without agents: the model that an agent would get. */
static void put_unused(const struct run_models *m, const struct plan *p, struct json *config)
{
    const char *name = "embedded", *key;
    const struct json *models = jv_get(config, "models");
    struct str whole = STR_INIT;
    struct json *value;

    if (jv_next(p->models, NULL, &key, &value))
        name = jv_get_string(value, name);
    model_name_absolute(troupe_remote(m->t), name, p->folder, &whole);
    jv_set_string(config, "model", m->first_name ? m->first_name : str_cstr(&whole));
    for (size_t i = 0; !m->first_name && i < jv_size(models); i++)
        if (!model_role_end(jv_get_string(jv_at(models, i), "")))
            jv_set_string(config, "model", jv_get_string(jv_at(models, i), ""));
    str_deinit(&whole);
}

void run_models_describe(const struct run_models *m, const struct plan *p, struct json *config)
{
    const struct json *before = jv_get(m->config, "models");
    struct json *models = jv_array();

    for (size_t i = 0; i < jv_size(before); i++)
        jv_append_adopt(models, jv_deep_copy(jv_at(before, i)));
    for (int32_t i = 0; i < m->n_given; i++)
        jv_append_adopt(models, absolute_given(m, m->given[i]));
    jv_set_adopt(config, "models", models);
    jv_set_adopt(config, "weights", jv_ref(m->weights));
    put_unused(m, p, config);
}

void note_weights(struct json *weights, const char *name, const struct model *m)
{
    char hex[65];

    sha256_hex(&m->info.hash, hex);
    jv_set_string(weights, name, hex);
}

enum status check_same_weights(const char *was, const char *was_hex, const char *is,
                               const struct model *m, struct error *err)
{
    const char *what = m->info.takes_ids ? "weights" : "contents";
    char hex[65];

    sha256_hex(&m->info.hash, hex);
    if (!was_hex || strcmp(was_hex, hex) == 0)
        return STATUS_OK;
    (void)error_set(err, STATUS_CONFIG,
                    "the run was started with model %s (%s %.12s), not with %s (%s %.12s)", was,
                    what, was_hex, is, what, hex);
    error_hint(err, "give the same model with --model");
    return STATUS_CONFIG;
}
