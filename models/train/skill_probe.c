/* skill_probe.c - see skill_probe.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/skill_probe.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define SAMPLE_EVERY 16

static enum status category_index(struct skill_probe *p, const struct example_source *s,
                                  const char *name, uint8_t *out, struct error *err)
{
    for (int32_t i = 0; i < p->n_categories; i++)
        if (strcmp(p->table[i].name, name) == 0) {
            *out = (uint8_t)i;
            return STATUS_OK;
        }
    if (p->n_categories == PROBE_MAX_CATEGORIES)
        return error_set(err, STATUS_LIMIT, "the probe has more than %d categories",
                         PROBE_MAX_CATEGORIES);
    *out = (uint8_t)p->n_categories;
    p->table[p->n_categories++] = (struct probe_category){
        .name = name, .need = s->probe_need ? s->probe_need(s->ctx, name) : 1.0};
    return STATUS_OK;
}

/* ids = prompt and reply; only the reply is trained. */
static enum status add_probe(struct skill_probe *p, const struct example_source *s, int32_t index,
                             struct example *ex, int32_t vocab, struct error *err)
{
    int32_t want[64], n_want = 0;
    const char *name = "";
    uint8_t category = 0;
    enum status st;

    ex->n = 0;
    st = s->probe(s->ctx, index, ex, want, (int32_t)ARRAY_LEN(want), &n_want, &name, err);
    if (!st)
        st = category_index(p, s, name, &category, err);
    if (st)
        return st;
    if (ex->n < 1 || n_want < 1 || ex->n + n_want > ex->cap)
        return error_set(err, STATUS_INVALID, "probe %d: %d and %d ids do not fit into max_len %d",
                         index, ex->n, n_want, ex->cap);
    memset(ex->train, 0, (size_t)ex->n);
    memset(ex->train + ex->n, 1, (size_t)n_want);
    memcpy(ex->ids + ex->n, want, (size_t)n_want * sizeof(*want));
    for (int32_t i = 0; i < ex->n + n_want; i++)
        if (ex->ids[i] < 0 || ex->ids[i] >= vocab)
            return error_set(err, STATUS_INVALID, "probe %d: id %d is outside the vocabulary of %d",
                             index, ex->ids[i], vocab);
    p->category[p->all.n] = category;
    st = sequences_add(&p->all, ex->ids, ex->train, ex->n + n_want, err);
    if (st || index % SAMPLE_EVERY)
        return st;
    p->sample_category[p->sample.n] = category;
    return sequences_add(&p->sample, ex->ids, ex->train, ex->n + n_want, err);
}

enum status skill_probe_init(struct skill_probe *p, const struct example_source *s, int32_t max_len,
                             int32_t vocab, struct error *err)
{
    struct example ex = {.cap = max_len};
    enum status st = STATUS_OK;

    memset(p, 0, sizeof(*p));
    if (!s || !s->probe || s->n_probes < 1)
        return STATUS_OK;
    ex.ids = mem_alloc((size_t)max_len, sizeof(*ex.ids));
    ex.train = mem_alloc((size_t)max_len, 1);
    p->category = mem_alloc((size_t)s->n_probes, 1);
    p->sample_category = mem_alloc((size_t)s->n_probes, 1);
    if (!ex.ids || !ex.train || !p->category || !p->sample_category)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for %d probes", s->n_probes);
    for (int32_t i = 0; i < s->n_probes && !st; i++)
        st = add_probe(p, s, i, &ex, vocab, err);
    free(ex.ids);
    free(ex.train);
    return st;
}

void skill_probe_deinit(struct skill_probe *p)
{
    sequences_deinit(&p->all);
    sequences_deinit(&p->sample);
    free(p->category);
    free(p->sample_category);
    memset(p, 0, sizeof(*p));
}

enum status skill_probe_ask(struct skill_probe *p, bool all, struct sharded_pass *pass,
                            const struct weights *w, struct error *err)
{
    const struct sequences *s = all ? &p->all : &p->sample;
    const uint8_t *category = all ? p->category : p->sample_category;
    struct sharded_pass_output out = {0};
    enum status st;

    p->full = all;
    p->held = false;
    if (!s->n)
        return STATUS_OK;
    out.right = mem_alloc((size_t)s->n, 1);
    if (!out.right)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d probes", s->n);
    for (int32_t i = 0; i < p->n_categories; i++)
        p->table[i].n = p->table[i].n_right = 0;
    st = sharded_pass_forward(pass, w, s, 1.0f, &out, err);
    p->held = !st;
    for (int32_t i = 0; i < s->n && !st; i++) {
        p->table[category[i]].n++;
        p->table[category[i]].n_right += out.right[i];
    }
    for (int32_t i = 0; i < p->n_categories; i++)
        if ((double)p->table[i].n_right < p->table[i].need * (double)p->table[i].n)
            p->held = false;
    free(out.right);
    return st;
}

struct json *skill_probe_json(const struct skill_probe *p)
{
    struct json *line = jv_object();

    jv_set_bool(line, "full", p->full);
    jv_set_bool(line, "held", p->full && p->held);
    for (int32_t i = 0; i < p->n_categories; i++) {
        struct json *counts = jv_object();

        jv_set_int(counts, "right", p->table[i].n_right);
        jv_set_int(counts, "of", p->table[i].n);
        jv_set_real(counts, "need", p->table[i].need);
        jv_set_adopt(line, p->table[i].name, counts);
    }
    return line;
}
