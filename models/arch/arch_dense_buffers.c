/* arch_dense_buffers.c - where the values of a pass are.
 *
 * Every carve is called twice, once to count and once to assign, so that sizes and places cannot
 * disagree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/arch/arch_dense.h"

uintptr_t dense_carve(uintptr_t at, int64_t n_floats, float **out)
{
    *out = (float *)at;
    return at + (((uintptr_t)n_floats * sizeof(float) + 63) & ~(uintptr_t)63);
}

/* A layer's whole set carved from `at`, for recomputation; returns the end. From 0 it
 * counts bytes. */
static uintptr_t carve_layer(const struct model_config *c, int32_t n_rows, uintptr_t at,
                             struct dense_layer *o)
{
    const unsigned flags = dense_layout_of(c).flags;
    int64_t R = n_rows, C = c->hidden_size, F = c->intermediate_size;
    int64_t Q = (int64_t)c->n_heads * c->head_dim, K = (int64_t)c->n_kv_heads * c->head_dim;

    memset(o, 0, sizeof(*o));
    at = dense_carve(at, R * C, &o->n1);
    at = dense_carve(at, R, &o->rstd1);
    at = dense_carve(at, R * Q, &o->q);
    o->q_rot = o->q;
    if (flags & FAMILY_QK_NORM) {
        at = dense_carve(at, R * c->n_heads, &o->rstd_q);
        at = dense_carve(at, R * Q, &o->q_rot);
        at = dense_carve(at, R * K, &o->k);
        at = dense_carve(at, R * c->n_kv_heads, &o->rstd_k);
    }
    at = dense_carve(at, R * Q, &o->att);
    at = dense_carve(at, R * c->n_heads, &o->lse);
    if (flags & FAMILY_POST_NORMS) {
        at = dense_carve(at, R * C, &o->o);
        at = dense_carve(at, R, &o->rstd_o);
        at = dense_carve(at, R * C, &o->d);
        at = dense_carve(at, R, &o->rstd_d);
    }
    at = dense_carve(at, R * C, &o->x2);
    at = dense_carve(at, R * C, &o->n2);
    at = dense_carve(at, R, &o->rstd2);
    at = dense_carve(at, R * 2 * F, &o->gu);
    return dense_carve(at, R * F, &o->h);
}

/* Layout of `acts`: inputs of the L layers and of the final norm, the last layer's gathered n1,
 * then, unless they are computed again, the sets of the layers. */
static uintptr_t carve_acts(const struct model_config *c, int32_t n_rows, bool recompute,
                            uintptr_t at, int32_t layer, struct dense_layer *set,
                            struct dense_kept *kept, float *x_of[2])
{
    int64_t R = n_rows, C = c->hidden_size;
    struct dense_layer other;
    float *n1_out, *x;

    for (int32_t l = 0; l <= c->n_layers; l++) {
        at = dense_carve(at, R * C, &x);
        if (l == layer)
            x_of[0] = x;
        if (l == layer + 1)
            x_of[1] = x;
        if (l == c->n_layers)
            kept->x_final = x;
    }
    at = dense_carve(at, R, &kept->rstd);
    at = dense_carve(at, R * C, &n1_out);
    for (int32_t l = 0; l < c->n_layers && !recompute; l++)
        at = carve_layer(c, n_rows, at, l == layer ? set : &other);
    set->n1_out = n1_out;
    return at;
}

size_t dense_acts_bytes(const struct model_config *c, int32_t n_rows, bool recompute)
{
    struct dense_layer set;
    struct dense_kept kept;
    float *x_of[2];

    return carve_acts(c, n_rows, recompute, 0, -2, &set, &kept, x_of);
}

void dense_kept_final(const struct dense *d, struct dense_kept *out)
{
    struct dense_layer set;
    float *x_of[2];

    carve_acts(d->c, d->p->rows.n, d->p->recompute, (uintptr_t)d->p->acts, -2, &set, out, x_of);
}

/* Buffers of inference for every layer, and of training for values that it does not keep. */
struct scratch {
    float *x, *x_out, *n1_out;
    struct dense_layer set;
};

static uintptr_t carve_scratch(const struct model_config *c, int32_t n_rows, uintptr_t at,
                               struct scratch *s)
{
    const bool post_norms = dense_layout_of(c).flags & FAMILY_POST_NORMS;
    int64_t R = n_rows, C = c->hidden_size, K = (int64_t)c->n_kv_heads * c->head_dim;
    float *k_rot, *v, *post = NULL;

    at = dense_carve(at, R * C, &s->x);
    at = dense_carve(at, R * C, &s->x_out);
    at = dense_carve(at, R * C, &s->n1_out);
    at = dense_carve(at, R * K, &k_rot);
    at = dense_carve(at, R * K, &v);
    if (post_norms)
        at = dense_carve(at, R * C, &post);
    at = carve_layer(c, n_rows, at, &s->set);
    s->set.k_rot = k_rot;
    s->set.v = v;
    s->set.post = post;
    return at;
}

size_t dense_scratch_bytes(const struct model_config *c, int32_t n_rows)
{
    struct scratch s;

    return carve_scratch(c, n_rows, 0, &s);
}

/* Inference: one set for all layers, residual stream in place. */
static void inference_layer(const struct scratch *s, bool narrow, struct dense_layer *b)
{
    *b = s->set;
    b->x = s->x;
    b->n1_out = narrow ? s->n1_out : b->n1;
    b->q_rot = b->q;
    b->k = b->k_rot;
    b->o = b->d = b->post;
    b->rstd1 = b->rstd2 = b->rstd_q = b->rstd_k = b->rstd_o = b->rstd_d = b->lse = NULL;
    b->x2 = narrow ? s->x_out : b->x;
    b->y = b->x2;
}

static void training_layer(const struct dense *d, int32_t l, bool narrow, const struct scratch *s,
                           struct dense_layer *b)
{
    const struct arch_pass *p = d->p;
    struct dense_kept kept;
    struct dense_layer set = {0};
    float *x_of[2] = {NULL, NULL};

    carve_acts(d->c, p->rows.n, p->recompute, (uintptr_t)p->acts, l, &set, &kept, x_of);
    *b = p->recompute ? s->set : set;
    b->x = x_of[0];
    b->y = x_of[1];
    b->n1_out = narrow ? set.n1_out : b->n1;
    b->k_rot = s->set.k_rot;
    if (!b->k)
        b->k = b->k_rot;
    b->v = s->set.v;
    b->post = s->set.post;
}

void dense_layer_buffers(const struct dense *d, int32_t l, struct dense_layer *out)
{
    const bool narrow = l == d->c->n_layers - 1 && d->rows.narrow;
    struct scratch s;

    carve_scratch(d->c, d->p->rows.n, (uintptr_t)d->p->scratch, &s);
    if (d->p->acts)
        training_layer(d, l, narrow, &s, out);
    else
        inference_layer(&s, narrow, out);
}

static void begin_rows(const struct arch_pass *p, struct dense_rows *rows)
{
    int32_t *all = p->index, *out_seq = all + p->rows.n, *out_pos = out_seq + p->rows.n;

    for (int32_t r = 0; r < p->rows.n; r++)
        all[r] = r;
    rows->all = all;
    rows->narrow = p->n_out < p->rows.n;
    rows->out = p->rows;
    if (!rows->narrow)
        return;
    for (int32_t r = 0; r < p->n_out; r++) {
        out_seq[r] = p->rows.seq[p->out_row[r]];
        out_pos[r] = p->rows.pos[p->out_row[r]];
    }
    rows->out.n = p->n_out;
    rows->out.seq = out_seq;
    rows->out.pos = out_pos;
}

void dense_begin(const struct arch_pass *p, struct dense *out)
{
    *out =
        (struct dense){.p = p, .c = weights_config(p->weights), .o = weights_backend(p->weights)};
    out->layout = dense_layout_of(out->c);
    begin_rows(p, &out->rows);
}
