/* serve_models.c - the models that a server offers, and the route /v1/models.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/serve/v1.h"

static const struct served_model *find(const struct serve *s, const char *id)
{
    for (int32_t i = 0; i < s->n_models; i++)
        if (strcmp(s->model[i].id, id) == 0)
            return &s->model[i];
    return NULL;
}

struct model *serve_model_find(const struct serve *s, const char *id)
{
    const struct served_model *m = find(s, id);

    return m ? m->model : NULL;
}

/* A path in the id starts at `folder`; NULL: at the working folder. */
static enum status offer(struct serve *s, const char *id, const char *folder, struct error *err)
{
    struct str name = STR_INIT;
    struct model *m;
    enum status st;

    if (serve_model_find(s, id))
        return STATUS_OK;
    model_name_absolute(troupe_remote(s->troupe), id, folder, &name);
    st = troupe_model(s->troupe, str_cstr(&name), &m, err);
    if (st) {
        str_deinit(&name);
        return st;
    }
    s->model = xrealloc(s->model, ((size_t)s->n_models + 1) * sizeof(*s->model));
    s->model[s->n_models++] = (struct served_model){xstrdup(id), str_take(&name), m};
    return STATUS_OK;
}

struct opening {
    struct serve *s;
    enum status st;
    struct error *err;
};

static void offer_remote(void *ctx, const char *name, const struct remote_spec *spec)
{
    struct opening *o = ctx;

    (void)spec;
    if (!o->st)
        o->st = offer(o->s, name, NULL, o->err);
}

static enum status offer_named(struct serve *s, const struct serve_model_name *n, struct error *err)
{
    struct error why = ERROR_INIT;
    enum status st = model_name_check(troupe_remote(s->troupe), n->id, n->folder, &why);

    if (!st)
        st = offer(s, n->id, n->folder, &why);
    if (st) {
        st = error_at(err, error_as_config(st, &why), n->where, 0, 0, "%s%s%s", why.where,
                      why.where[0] ? ": " : "", why.message);
        error_hint(err, "%s", why.hint);
    }
    return st;
}

enum status serve_models_open(struct serve *s, struct error *err)
{
    const struct serve_config *c = s->o.config;
    struct opening o = {s, STATUS_OK, err};

    if (s->o.model)
        o.st = model_option_check(troupe_remote(s->troupe), s->o.model, err);
    if (!o.st && s->o.model)
        o.st = offer(s, s->o.model, NULL, err);
    for (int32_t i = 0; !o.st && i < c->n_models; i++)
        o.st = offer_named(s, &c->model[i], err);
    if (!c->models_where)
        remote_specs_each(troupe_remote(s->troupe), offer_remote, &o);
    if (!o.st && !c->models_where && s->n_models == 0)
        o.st = offer(s, "embedded", NULL, err);
    if (!o.st && s->n_models == 0 && c->n_offers == 0)
        log_write(
            s->o.log, LOG_WARN,
            "%s: nothing is offered: the list of models is empty, and there are no agents and "
            "blueprints",
            c->models_where);
    return o.st;
}

void serve_models_close(struct serve *s)
{
    for (int32_t i = 0; i < s->n_models; i++) {
        free(s->model[i].id);
        free(s->model[i].name);
    }
    free(s->model);
}

/* ---- a name that is not offered */

#define SHOWN_BYTES 240 /* of the names in the message */

/* All that a request below /v1 may name, in the order of the list; the array is the caller's. */
static const char **names_of(const struct serve *s, size_t *n)
{
    const struct serve_config *c = s->o.config;
    const char **name = xcalloc((size_t)(s->n_models + c->n_offers) + 1, sizeof(*name));
    size_t k = 0;

    for (int32_t i = 0; i < s->n_models; i++)
        name[k++] = s->model[i].id;
    for (int32_t i = 0; i < c->n_offers; i++)
        if (!c->offer[i].api_only)
            name[k++] = c->offer[i].name;
    *n = k;
    return name;
}

void serve_offered_put(const char *id, const char *const *name, size_t n, const char *where,
                       struct str *out)
{
    const char *near = nearest_word(id, name, n);
    size_t shown = 0, begin;

    if (near)
        str_printf(out, "did you mean \"%.60s\"? ", near);
    str_puts(out, "this server offers ");
    begin = out->len;
    while (shown < n && out->len - begin + strlen(name[shown]) < SHOWN_BYTES) {
        str_printf(out, "%s%s", shown ? ", " : "", name[shown]);
        shown++;
    }
    if (n == 0)
        str_puts(out, "nothing");
    if (shown < n)
        str_printf(out, "%s%zu more%s", shown ? " and " : "", n - shown, where);
}

void serve_model_missing(const struct serve *s, const char *id, struct openai_error *e)
{
    size_t n;
    const char **name = names_of(s, &n);
    struct str offered = STR_INIT;

    serve_offered_put(id, name, n, " (GET /v1/models)", &offered);
    openai_fail(e, 404, "model_not_found", "model", "the model \"%.60s\" does not exist; %s", id,
                str_cstr(&offered));
    str_deinit(&offered);
    free(name);
}

enum status serve_run_model(const struct serve *s, const char *id, const char *const **out,
                            struct error *err)
{
    const struct served_model *m = find(s, id);
    const char **name;
    struct str offered = STR_INIT;

    if (m) {
        *out = (const char *const *)&m->name;
        return STATUS_OK;
    }
    name = xcalloc((size_t)s->n_models + 1, sizeof(*name));
    for (int32_t i = 0; i < s->n_models; i++)
        name[i] = s->model[i].id;
    serve_offered_put(id, name, (size_t)s->n_models, "", &offered);
    (void)error_set(err, STATUS_USAGE, "model: \"%.60s\" is not offered; %s", id,
                    str_cstr(&offered));
    str_deinit(&offered);
    free(name);
    return STATUS_USAGE;
}

/* ---- /v1/models */

static struct json *model_json(const struct serve *s, const char *id, const struct model *m)
{
    struct json *o = jv_object();

    jv_set_string(o, "id", id);
    jv_set_string(o, "object", "model");
    jv_set_int(o, "created", s->began_ms / 1000);
    jv_set_string(o, "owned_by", "troupe");
    if (m && m->info.context > 0)
        jv_set_int(o, "context_length", m->info.context);
    return o;
}

static struct json *find_json(const struct serve *s, const char *id)
{
    const struct model *m = serve_model_find(s, id);

    const struct serve_offer *o = serve_config_find(s->o.config, id);

    return m || (o && !o->api_only) ? model_json(s, id, m) : NULL;
}

void route_v1_models(struct serve *s, struct http_call *c, const char *const *part)
{
    struct json *doc = jv_object(), *list = jv_array();
    size_t n;
    const char **name = names_of(s, &n);

    (void)part;
    for (size_t i = 0; i < n; i++)
        jv_append_adopt(list, model_json(s, name[i], serve_model_find(s, name[i])));
    free(name);
    jv_set_string(doc, "object", "list");
    jv_set_adopt(doc, "data", list);
    serve_reply_json(c, 200, doc);
}

void route_v1_model(struct serve *s, struct http_call *c, const char *const *part)
{
    struct json *doc = find_json(s, part[0]);
    struct openai_error e;
    struct v1_client who;

    if (doc) {
        serve_reply_json(c, 200, doc);
        return;
    }
    v1_client_of(s, c, &who);
    serve_model_missing(s, part[0], &e);
    v1_fail(&who, c, &e, NULL);
}
