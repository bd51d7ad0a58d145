/* arch_dense_back.c - the gradient of arch_dense.c, layer by layer from the last.
 *
 * The order of every addition is fixed by the row list: within a tensor, products add over rows
 * in order; q, k and v add into the gradient of their common input in that order. Where the last
 * layer ran for fewer rows, its gradients are scattered back (embed_back is a scatter).
 * SPDX-License-Identifier: Apache-2.0
 */

#include "models/arch/arch_dense.h"
#include "models/formats/rope_scaling.h"

/* Gradients of what flows; names as in struct dense_layer. */
struct back_bufs {
    float *dx;               /* (R, C) at the output of the layer, then at its input */
    float *dx_in;            /* (R, C) the other half of the pair: scattered rows */
    float *dn;               /* (R, C) at a norm's output */
    float *dn_out;           /* (T, C) the q part of it when rows are narrowed */
    float *dpost;            /* (T, C) at the input of a norm of a half's output */
    float *dh;               /* (T, F) */
    float *dgu;              /* (T, 2F) */
    float *datt;             /* (T, Q) */
    float *dq_rot, *dq;      /* (T, Q) without QK norm the same */
    float *dk_rot, *dk, *dv; /* (R, K) the same */
};

struct back {
    struct dense d;
    const struct lane *lane;
    struct back_bufs b;
    float *grad;
};

static uintptr_t carve_back(const struct model_config *c, int32_t n_rows, uintptr_t at,
                            struct back_bufs *b)
{
    const unsigned flags = dense_layout_of(c).flags;
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
    at = dense_carve(at, R * K, &b->dk_rot);
    b->dq = b->dq_rot;
    b->dk = b->dk_rot;
    if (flags & FAMILY_QK_NORM) {
        at = dense_carve(at, R * Q, &b->dq);
        at = dense_carve(at, R * K, &b->dk);
    }
    b->dpost = NULL;
    if (flags & FAMILY_POST_NORMS)
        at = dense_carve(at, R * C, &b->dpost);
    return dense_carve(at, R * K, &b->dv);
}

size_t dense_back_scratch_bytes(const struct model_config *c, int32_t n_rows)
{
    struct back_bufs b;

    return carve_back(c, n_rows, 0, &b);
}

static int32_t index_of(const struct back *s, int32_t l, enum dense_tensor t)
{
    return dense_index(&s->d.layout, l, t);
}

static float *grad_of(const struct back *s, int32_t l, enum dense_tensor t)
{
    return s->grad + weights_flat_offset(s->d.p->weights, index_of(s, l, t));
}

/* y = x W^T backwards: dx = beta*dx + dy W, dW += dy^T x, for n rows. */
static void product_back(const struct back *s, int32_t l, enum dense_tensor t, const float *dy,
                         int64_t lddy, const float *x, int32_t n, float beta, float *dx)
{
    linear_backward(s->d.p->weights, s->lane, index_of(s, l, t), dy, lddy, x, n, beta, dx,
                    grad_of(s, l, t));
}

/* The same for q, k or v with its bias, if there is one. */
static void project_back(const struct back *s, int32_t l, enum dense_tensor t, const float *dy,
                         int64_t width, const float *x, int32_t n, float beta, float *dx)
{
    const enum dense_tensor bias = (enum dense_tensor)(t + DENSE_Q_BIAS - DENSE_Q);

    product_back(s, l, t, dy, width, x, n, beta, dx);
    if (s->d.layout.at[bias] >= 0)
        linear_bias_backward(s->d.p->weights, s->lane, index_of(s, l, bias), dy, width, n,
                             grad_of(s, l, bias));
}

static void norm_back(const struct back *s, int32_t l, enum dense_tensor t, const float *x,
                      const float *rstd, const float *dy, int32_t R, int32_t n, float beta,
                      float *dx)
{
    s->d.o->rmsnorm_back(s->lane, x, weights_at(s->d.p->weights, index_of(s, l, t))->m.rows, rstd,
                         dy, R, n, beta, dx, grad_of(s, l, t));
}

/* The gradient at the output of a half, from dx behind its norm `t`, if it has one. */
static const float *post_norm_back(const struct back *s, int32_t l, enum dense_tensor t,
                                   const float *x, const float *rstd, int32_t n)
{
    if (s->d.layout.at[t] < 0)
        return s->b.dx;
    norm_back(s, l, t, x, rstd, s->b.dx, n, s->d.c->hidden_size, 0.0f, s->b.dpost);
    return s->b.dpost;
}

/* dx holds the gradient at y and ends as the gradient at x2. */
static void feed_forward_back(const struct back *s, int32_t l, const struct dense_layer *a,
                              int32_t n)
{
    const struct back_bufs *b = &s->b;
    const bool gelu = s->d.layout.flags & FAMILY_GELU;
    int32_t C = s->d.c->hidden_size, F = s->d.c->intermediate_size;
    const float *dd = post_norm_back(s, l, DENSE_POST_NORM_2, a->d, a->rstd_d, n);

    product_back(s, l, DENSE_DOWN, dd, C, a->h, n, 0.0f, b->dh);
    (gelu ? s->d.o->geglu_back : s->d.o->swiglu_back)(s->lane, a->gu, b->dh, n, F, b->dgu);
    product_back(s, l, DENSE_GATE, b->dgu, 2 * (int64_t)F, a->n2, n, 0.0f, b->dn);
    product_back(s, l, DENSE_UP, b->dgu + F, 2 * (int64_t)F, a->n2, n, 1.0f, b->dn);
    norm_back(s, l, DENSE_NORM_2, a->x2, a->rstd2, b->dn, n, C, 1.0f, b->dx);
}

static void rotate_back(const struct back *s, int32_t l, float *dx, const struct row_span *rows,
                        int32_t n_heads)
{
    const struct rope_table *t = dense_rope(&s->d, l);

    s->d.o->rope_back(s->lane, dx, rows->n, n_heads, s->d.c->head_dim, rope_rotary_dim(s->d.c),
                      rows->pos, t->cos, t->sin);
}

/* From the gradient at x2 (dx) to those at q, k and v before their norms. */
static void attention_back(const struct back *s, int32_t l, const struct dense_layer *a,
                           const struct row_span *out, float *dk_pages, float *dv_pages)
{
    const struct arch_pass *p = s->d.p;
    const struct model_config *c = s->d.c;
    const struct back_bufs *b = &s->b;
    const struct attention_shape shape = dense_attention(c, l);
    int32_t H = c->n_heads, G = c->n_kv_heads, D = c->head_dim;
    const float *d_o = post_norm_back(s, l, DENSE_POST_NORM_1, a->o, a->rstd_o, out->n);

    product_back(s, l, DENSE_O, d_o, c->hidden_size, a->att, out->n, 0.0f, b->datt);
    s->d.o->attention_back(s->lane, &shape, out, a->q_rot, &p->kv[l], a->att, a->lse, b->datt,
                           b->dq_rot, dk_pages, dv_pages);
    rotate_back(s, l, b->dq_rot, out, H);
    s->d.o->kv_gather(s->lane, &shape, &p->rows, dk_pages, dv_pages, b->dk_rot, b->dv);
    rotate_back(s, l, b->dk_rot, &p->rows, G);
    if (!(s->d.layout.flags & FAMILY_QK_NORM))
        return;
    norm_back(s, l, DENSE_Q_NORM, a->q, a->rstd_q, b->dq_rot, out->n * H, D, 0.0f, b->dq);
    norm_back(s, l, DENSE_K_NORM, a->k, a->rstd_k, b->dk_rot, p->rows.n * G, D, 0.0f, b->dk);
}

/* to (R, C) = 0, then row out_row[i] += from[i]. */
static void scatter_rows(const struct back *s, const float *from, float *to)
{
    const struct arch_pass *p = s->d.p;
    int32_t C = s->d.c->hidden_size;

    s->d.o->zero(s->lane, to, (size_t)p->rows.n * (size_t)C * sizeof(float));
    s->d.o->embed_back(s->lane, from, p->out_row, p->n_out, C, to);
}

static void layer_back(struct back *s, int32_t l, float *dk_pages, float *dv_pages)
{
    const struct arch_pass *p = s->d.p;
    const struct model_config *c = s->d.c;
    struct back_bufs *b = &s->b;
    bool narrow = l == c->n_layers - 1 && s->d.rows.narrow;
    const struct row_span *out = narrow ? &s->d.rows.out : &p->rows;
    int32_t C = c->hidden_size, Q = c->n_heads * c->head_dim;
    int32_t K = c->n_kv_heads * c->head_dim, R = p->rows.n;
    struct dense_layer a;

    dense_layer_buffers(&s->d, l, &a);
    if (p->recompute) {
        a.y = NULL; /* the next layer's input is kept already */
        dense_layer_forward(&s->d, l, &a);
    }
    feed_forward_back(s, l, &a, out->n);
    attention_back(s, l, &a, out, dk_pages, dv_pages);
    project_back(s, l, DENSE_Q, b->dq, Q, a.n1_out, out->n, 0.0f, narrow ? b->dn_out : b->dn);
    if (narrow) {
        float *at_out = b->dx;

        scatter_rows(s, b->dn_out, b->dn);
        scatter_rows(s, b->dx, b->dx_in);
        b->dx = b->dx_in;
        b->dx_in = at_out;
    }
    project_back(s, l, DENSE_K, b->dk, K, a.n1, R, 1.0f, b->dn);
    project_back(s, l, DENSE_V, b->dv, K, a.n1, R, 1.0f, b->dn);
    norm_back(s, l, DENSE_NORM_1, a.x, a.rstd1, b->dn, R, C, 1.0f, b->dx);
}

void dense_backward(const struct arch_pass *p, const float *d_hidden, float *const *dk,
                    float *const *dv, void *back_scratch, float *grad)
{
    struct back s = {.lane = &p->lane, .grad = grad};
    struct dense_kept kept;
    int32_t final, C;
    float scale;

    if (!p->n_out)
        return;
    dense_begin(p, &s.d);
    C = s.d.c->hidden_size;
    final = dense_final_norm(&s.d.layout);
    scale = dense_embedding_scale(s.d.c);
    carve_back(s.d.c, p->rows.n, (uintptr_t)back_scratch, &s.b);
    dense_kept_final(&s.d, &kept);
    s.d.o->rmsnorm_back(s.lane, kept.x_final, weights_at(p->weights, final)->m.rows, kept.rstd,
                        d_hidden, p->n_out, C, 0.0f, s.b.dx,
                        grad + weights_flat_offset(p->weights, final));
    for (int32_t l = s.d.c->n_layers - 1; l >= 0; l--)
        layer_back(&s, l, dk[l], dv[l]);
    if (scale != 1.0f)
        s.d.o->scale(s.lane, scale, (int64_t)p->rows.n * C, s.b.dx);
    s.d.o->embed_back(s.lane, s.b.dx, p->token, p->rows.n, C, grad);
}
