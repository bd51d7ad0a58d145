/* bench_qkernels_model.c - the products of whole models with quantised weights, without the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/bench/bench_qkernels_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "bench_qkernels: out of memory\n");
        exit(1);
    }
    return p;
}

/* Rows of random codes; d and m are .0078. */
static void *random_rows(const struct matrix *w, uint32_t seed)
{
    size_t bytes = (size_t)w->n_out * dtype_row_bytes(w->dtype, w->n_in);
    size_t block = (size_t)dtype_info(w->dtype)->block_bytes;
    uint8_t *rows = must(malloc(bytes));
    uint16_t scale = f32_to_f16(0.0078125f);

    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        rows[i] = (uint8_t)(seed >> 24);
    }
    for (size_t i = 0; i < bytes; i += block) {
        memcpy(rows + i + (w->dtype == DTYPE_Q6_K ? 208 : 0), &scale, 2);
        if (w->dtype != DTYPE_Q6_K && w->dtype != DTYPE_Q8_0)
            memcpy(rows + i + 2, &scale, 2);
    }
    return rows;
}

static void pack_at(struct bench_qmodel *m, struct matrix *w, size_t at)
{
    struct lane alone = {0};
    void *rows = random_rows(w, (uint32_t)at + 1);

    w->rows = rows;
    m->b->pack(&alone, w, m->panels + at);
    w->rows = NULL;
    w->panels = m->panels + at;
    free(rows);
}

static struct matrix shaped(int32_t n_out, int32_t n_in, enum dtype t)
{
    struct matrix w = {.n_out = n_out, .n_in = n_in, .dtype = t};
    return w;
}

void bench_qmodel_open(struct bench_qmodel *m, const struct backend *b, const struct model_shape *s,
                       enum dtype t, int32_t most_rows)
{
    int32_t widest = 2 * s->feed_forward > s->vocabulary ? 2 * s->feed_forward : s->vocabulary;
    int32_t inputs = s->hidden > s->feed_forward ? s->hidden : s->feed_forward;

    memset(m, 0, sizeof(*m));
    m->b = b;
    m->shape = *s;
    m->R = most_rows;
    m->part[0] = shaped(s->hidden + s->kv, s->hidden, t);
    m->part[1] = shaped(s->hidden, s->hidden, t);
    m->part[2] = shaped(2 * s->feed_forward, s->hidden, t);
    m->part[3] = shaped(s->hidden, s->feed_forward, t);
    m->head = shaped(s->vocabulary, s->hidden, t);
    for (int i = 0; i < PARTS; i++) {
        m->part_at[i] = m->layer_bytes;
        m->layer_bytes += b->panels_bytes(&m->part[i]);
    }
    m->panel_bytes = m->layer_bytes * (size_t)s->n_layers + b->panels_bytes(&m->head);
    m->panels = must(b->alloc(b->ctx, m->panel_bytes));
    for (int i = 0; i < PARTS; i++)
        pack_at(m, &m->part[i], m->part_at[i]);
    for (int32_t l = 1; l < s->n_layers; l++)
        memcpy(m->panels + (size_t)l * m->layer_bytes, m->panels, m->layer_bytes);
    pack_at(m, &m->head, m->layer_bytes * (size_t)s->n_layers);
    m->x = must(calloc((size_t)most_rows * (size_t)inputs, sizeof(float)));
    for (int64_t i = 0; i < (int64_t)most_rows * inputs; i++)
        m->x[i] = (float)(i * 7919 % 2001 - 1000) * 1e-3f;
    /* the head of a prompt has one row, that of a decoding step at most 64 */
    m->y = must(calloc((size_t)(most_rows < 64 ? most_rows : 64) * (size_t)widest +
                           (size_t)most_rows * 2 * (size_t)s->feed_forward,
                       sizeof(float)));
    m->rounded = must(b->alloc(b->ctx, b->quantised_bytes(most_rows, inputs)));
}

void bench_qmodel_close(struct bench_qmodel *m)
{
    m->b->release(m->b->ctx, m->panels);
    m->b->release(m->b->ctx, m->rounded);
    free(m->x);
    free(m->y);
}

void bench_qmodel_round(struct bench_qmodel *m, const struct lane *l, int part, int32_t R)
{
    int32_t n = m->part[part].n_in;
    m->b->quantise_rows(l, m->x, n, R, n, m->rounded);
}

void bench_qmodel_part(struct bench_qmodel *m, const struct lane *l, int part, int32_t layer,
                       int32_t R)
{
    struct matrix w = m->part[part];

    w.panels = m->panels + (size_t)layer * m->layer_bytes + m->part_at[part];
    m->b->matmul_q(l, &w, m->rounded, R, 0.0f, m->y, w.n_out);
}

void bench_qmodel_pass(struct bench_qmodel *m, const struct lane *l, int32_t R, int32_t head_rows)
{
    for (int32_t layer = 0; layer < m->shape.n_layers; layer++)
        for (int i = 0; i < PARTS; i++) {
            bench_qmodel_round(m, l, i, R);
            bench_qmodel_part(m, l, i, layer, R);
        }
    m->b->quantise_rows(l, m->x, m->shape.hidden, head_rows, m->shape.hidden, m->rounded);
    m->b->matmul_q(l, &m->head, m->rounded, head_rows, 0.0f, m->y, m->head.n_out);
}

double bench_qmodel_weights(const struct bench_qmodel *m, bool head)
{
    double layer = 0.0;

    for (int i = 0; i < PARTS; i++)
        layer += (double)m->part[i].n_out * m->part[i].n_in;
    return layer * m->shape.n_layers + (head ? (double)m->head.n_out * m->head.n_in : 0.0);
}
