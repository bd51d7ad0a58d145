/* example_mix.c - see example_mix.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_mix.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define MAX_CATEGORIES 64

struct part {
    const struct env_ops *env;
    struct example_source *source;
};

/* A category's name, made from its environment's name and its own. */
struct category {
    const char *own; /* lent by the part */
    int32_t part;
    char *name;
};

struct mix {
    struct example_source source;
    struct part *part; /* (n) */
    int32_t n;
    char *id;
    struct category category[MAX_CATEGORIES];
    int32_t n_categories;
};

static enum status get(void *ctx, uint64_t seed, int64_t index, double progress, struct example *ex,
                       struct error *err)
{
    const struct mix *m = ctx;
    int64_t first = index >= HELD_OUT_FIRST ? HELD_OUT_FIRST : 0, i = index - first;
    const struct example_source *s = m->part[i % m->n].source;

    return s->get(s->ctx, seed, first + i / m->n, progress, ex, err);
}

static enum status name_category(struct mix *m, int32_t part, const char *own, const char **out,
                                 struct error *err)
{
    struct str name = STR_INIT;
    struct category *c;

    if (m->n == 1) {
        *out = own;
        return STATUS_OK;
    }
    for (int32_t i = 0; i < m->n_categories; i++) {
        if (m->category[i].part == part && strcmp(m->category[i].own, own) == 0) {
            *out = m->category[i].name;
            return STATUS_OK;
        }
    }
    if (m->n_categories == MAX_CATEGORIES)
        return error_set(err, STATUS_LIMIT, "the probes have more than %d categories",
                         MAX_CATEGORIES);
    c = &m->category[m->n_categories++];
    str_printf(&name, "%s: %s", m->part[part].env->name, own);
    *c = (struct category){.own = own, .part = part, .name = str_take(&name)};
    *out = c->name;
    return STATUS_OK;
}

static enum status probe(void *ctx, int32_t i, struct example *ex, int32_t *want, int32_t want_cap,
                         int32_t *n_want, const char **category, struct error *err)
{
    struct mix *m = ctx;
    const struct example_source *s;
    const char *own = "";
    int32_t part = 0;
    enum status st;

    while (i >= m->part[part].source->n_probes)
        i -= m->part[part++].source->n_probes;
    s = m->part[part].source;
    st = s->probe(s->ctx, i, ex, want, want_cap, n_want, &own, err);
    return st ? st : name_category(m, part, own, category, err);
}

static double probe_need(void *ctx, const char *category)
{
    const struct mix *m = ctx;
    const struct example_source *s = m->part[0].source;
    const char *own = category;

    for (int32_t i = 0; i < m->n_categories; i++) {
        if (strcmp(m->category[i].name, category) != 0)
            continue;
        s = m->part[m->category[i].part].source;
        own = m->category[i].own;
    }
    return s->probe_need ? s->probe_need(s->ctx, own) : 1;
}

static enum status open_parts(struct mix *m, const struct env_ops *const *env, const char *kind,
                              const struct tokenizer *tokenizer, struct error *err)
{
    struct str id = STR_INIT;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < m->n && !st; i++) {
        m->part[i].env = env[i];
        st = example_env_new(env[i], kind, tokenizer, &m->part[i].source, err);
        if (st)
            break;
        m->source.n_probes += m->part[i].source->n_probes;
        str_printf(&id, "%s%s", i ? "+" : "", m->part[i].source->id);
    }
    m->id = str_take(&id);
    return st;
}

enum status example_mix_new(const struct env_ops *const *env, int32_t n, const char *kind,
                            const struct tokenizer *tokenizer, struct example_source **out,
                            struct error *err)
{
    struct mix *m = xcalloc(1, sizeof(*m));
    enum status st;

    m->part = xcalloc((size_t)n, sizeof(*m->part));
    m->n = n;
    st = open_parts(m, env, kind, tokenizer, err);
    m->source.ctx = m;
    m->source.get = get;
    m->source.id = m->id;
    if (m->source.n_probes > 0) {
        m->source.probe = probe;
        m->source.probe_need = probe_need;
    }
    if (st) {
        example_mix_free(&m->source);
        return st;
    }
    *out = &m->source;
    return STATUS_OK;
}

void example_mix_free(struct example_source *s)
{
    struct mix *m = s ? s->ctx : NULL;

    if (!m)
        return;
    for (int32_t i = 0; i < m->n; i++)
        example_env_free(m->part[i].source);
    for (int32_t i = 0; i < m->n_categories; i++)
        free(m->category[i].name);
    free(m->part);
    free(m->id);
    free(m);
}
