/* arch_dense_back.c - the gradient of arch_dense.c, layer by layer from the last.
 *
 * The order of every addition is fixed by the row list: within a tensor, products add over rows
 * in order; q, k and v add into the gradient of their common input in that order. Where the last
 * layer ran for fewer rows, its gradients are scattered back (embed_back is a scatter).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/arch/arch_dense.h"

/* Gradients of what flows; names as in struct dense_layer. */
struct back_bufs {
    float *dx;               /* (R, C) at the output of the layer, then at its input */
    float *dx_in;            /* (R, C) the other half of the pair: scattered rows */
    float *dn;               /* (R, C) at a norm's output */
    float *dn_out;           /* (T, C) the q part of it when rows are narrowed */
    float *dh;               /* (T, F) */
    float *dgu;              /* (T, 2F) */
    float *datt;             /* (T, Q) */
    float *dq_rot, *dq;      /* (T, Q) */
    float *dk_rot, *dk, *dv; /* (R, K) */
};

struct back {
    const struct arch_pass *p;
    const struct model_config *c;
    const struct backend *o;
    const struct lane *lane;
    struct dense_rows rows;
    struct attention_shape shape;
    struct back_bufs b;
    float *grad;
};

static uintptr_t carve_back(const struct model_config *c, int32_t n_rows, uintptr_t at,
                            struct back_bufs *b)
{
    int64_t R = n_rows, C = c->hidden_size, F = c->intermediate_size;
    int64_t Q = (int64_t)c->n_heads * c->head_dim, K = (int64_t)c->n_kv_heads * c->head_dim;

    at = dense_carve(at, R * C, &b->dx);
    at = dense_carve(at, R * C, &b->dx_in);
    at = dense_carve(at, R * C, &b->dn);
    at = dense_carve(at, R * C, &b->dn_out);
    at = dense_carve(at, R * F, &b->dh);
    at = dense_carve(at, R * 2 * F, &b->dgu);
    at = dense_carve(at, R * Q, &b->datt);
    at = dense_carve(at, R * Q, &b->dq_rot);
    at = dense_carve(at, R * Q, &b->dq);
    at = dense_carve(at, R * K, &b->dk_rot);
    at = dense_carve(at, R * K, &b->dk);
    return dense_carve(at, R * K, &b->dv);
}

size_t dense_back_scratch_bytes(const struct model_config *c, int32_t n_rows)
{
    struct back_bufs b;

    return carve_back(c, n_rows, 0, &b);
}

static const float *vector_of(const struct back *s, int32_t l, enum dense_tensor t)
{
    return weights_at(s->p->weights, dense_index(l, t))->m.rows;
}

static float *grad_of(const struct back *s, int32_t l, enum dense_tensor t)
{
    return s->grad + weights_flat_offset(s->p->weights, dense_index(l, t));
}

/* y = x W^T backwards: dx = beta*dx + dy W, dW += dy^T x, for n rows. */
static void product_back(const struct back *s, int32_t l, enum dense_tensor t, const float *dy,
                         int64_t lddy, const float *x, int32_t n, float beta, float *dx)
{
    linear_backward(s->p->weights, s->lane, dense_index(l, t), dy, lddy, x, n, beta, dx,
                    grad_of(s, l, t));
}

/* dx holds the gradient at y and ends as the gradient at x2. */
static void feed_forward_back(const struct back *s, int32_t l, const struct dense_layer *a,
                              int32_t n)
{
    const struct back_bufs *b = &s->b;
    int32_t C = s->c->hidden_size, F = s->c->intermediate_size;

    product_back(s, l, DENSE_DOWN, b->dx, C, a->h, n, 0.0f, b->dh);
    s->o->swiglu_back(s->lane, a->gu, b->dh, n, F, b->dgu);
    product_back(s, l, DENSE_GATE, b->dgu, 2 * (int64_t)F, a->n2, n, 0.0f, b->dn);
    product_back(s, l, DENSE_UP, b->dgu + F, 2 * (int64_t)F, a->n2, n, 1.0f, b->dn);
    s->o->rmsnorm_back(s->lane, a->x2, vector_of(s, l, DENSE_NORM_2), a->rstd2, b->dn, n, C, 1.0f,
                       b->dx, grad_of(s, l, DENSE_NORM_2));
}

/* From the gradient at x2 (dx) to those at q, k and v before their norms. */
static void attention_back(const struct back *s, int32_t l, const struct dense_layer *a,
                           const struct row_span *out, float *dk_pages, float *dv_pages)
{
    const struct arch_pass *p = s->p;
    const struct model_config *c = s->c;
    const struct back_bufs *b = &s->b;
    int32_t H = c->n_heads, G = c->n_kv_heads, D = c->head_dim;

    product_back(s, l, DENSE_O, b->dx, c->hidden_size, a->att, out->n, 0.0f, b->datt);
    s->o->attention_back(s->lane, &s->shape, out, a->q_rot, &p->kv[l], a->att, a->lse, b->datt,
                         b->dq_rot, dk_pages, dv_pages);
    s->o->rope_back(s->lane, b->dq_rot, out->n, H, D, out->pos, p->rope_cos, p->rope_sin);
    s->o->rmsnorm_back(s->lane, a->q, vector_of(s, l, DENSE_Q_NORM), a->rstd_q, b->dq_rot,
                       out->n * H, D, 0.0f, b->dq, grad_of(s, l, DENSE_Q_NORM));
    s->o->kv_gather(s->lane, &s->shape, &p->rows, dk_pages, dv_pages, b->dk_rot, b->dv);
    s->o->rope_back(s->lane, b->dk_rot, p->rows.n, G, D, p->rows.pos, p->rope_cos, p->rope_sin);
    s->o->rmsnorm_back(s->lane, a->k, vector_of(s, l, DENSE_K_NORM), a->rstd_k, b->dk_rot,
                       p->rows.n * G, D, 0.0f, b->dk, grad_of(s, l, DENSE_K_NORM));
}

/* to (R, C) = 0, then row out_row[i] += from[i]. */
static void scatter_rows(const struct back *s, const float *from, float *to)
{
    int32_t C = s->c->hidden_size;

    memset(to, 0, (size_t)s->p->rows.n * (size_t)C * sizeof(float));
    s->o->embed_back(s->lane, from, s->p->out_row, s->p->n_out, C, to);
}

static void layer_back(struct back *s, int32_t l, float *dk_pages, float *dv_pages)
{
    const struct arch_pass *p = s->p;
    struct back_bufs *b = &s->b;
    bool narrow = l == s->c->n_layers - 1 && s->rows.narrow;
    const struct row_span *out = narrow ? &s->rows.out : &p->rows;
    int32_t C = s->c->hidden_size, Q = s->c->n_heads * s->c->head_dim;
    int32_t K = s->c->n_kv_heads * s->c->head_dim, R = p->rows.n;
    struct dense_layer a;

    dense_kept_layer(p, l, &a);
    if (p->recompute) {
        a.y = NULL; /* the next layer's input is kept already */
        dense_layer_forward(p, &s->rows, l, &a);
    }
    feed_forward_back(s, l, &a, out->n);
    attention_back(s, l, &a, out, dk_pages, dv_pages);
    product_back(s, l, DENSE_Q, b->dq, Q, a.n1_out, out->n, 0.0f, narrow ? b->dn_out : b->dn);
    if (narrow) {
        float *at_out = b->dx;

        scatter_rows(s, b->dn_out, b->dn);
        scatter_rows(s, b->dx, b->dx_in);
        b->dx = b->dx_in;
        b->dx_in = at_out;
    }
    product_back(s, l, DENSE_K, b->dk, K, a.n1, R, 1.0f, b->dn);
    product_back(s, l, DENSE_V, b->dv, K, a.n1, R, 1.0f, b->dn);
    s->o->rmsnorm_back(s->lane, a.x, vector_of(s, l, DENSE_NORM_1), a.rstd1, b->dn, R, C, 1.0f,
                       b->dx, grad_of(s, l, DENSE_NORM_1));
}

void dense_backward(const struct arch_pass *p, const float *d_hidden, float *const *dk,
                    float *const *dv, void *back_scratch, float *grad)
{
    const struct model_config *c = weights_config(p->weights);
    int32_t final = 1 + c->n_layers * DENSE_PER_LAYER;
    struct dense_kept kept;
    struct back s = {.p = p,
                     .c = c,
                     .o = weights_backend(p->weights),
                     .lane = &p->lane,
                     .shape = {.n_heads = c->n_heads,
                               .n_kv_heads = c->n_kv_heads,
                               .head_dim = c->head_dim,
                               .scale = 1.0f / sqrtf((float)c->head_dim)},
                     .grad = grad};

    if (!p->n_out)
        return;
    carve_back(c, p->rows.n, (uintptr_t)back_scratch, &s.b);
    dense_rows_init(p, &s.rows);
    dense_kept_final(p, &kept);
    s.o->rmsnorm_back(s.lane, kept.x_final, weights_at(p->weights, final)->m.rows, kept.rstd,
                      d_hidden, p->n_out, c->hidden_size, 0.0f, s.b.dx,
                      grad + weights_flat_offset(p->weights, final));
    for (int32_t l = c->n_layers - 1; l >= 0; l--)
        layer_back(&s, l, dk[l], dv[l]);
    s.o->embed_back(s.lane, s.b.dx, p->token, p->rows.n, c->hidden_size, grad);
}
