/* arch_dense.c - the dense decoder of all families of model_family.def: forward.
 *
 * RMSNorm, grouped-query attention with rotations in two halves, a gated feed-forward half. By
 * family: biases of q, k, v; norms over each head's q and k, and of the outputs of both halves;
 * SiLU or GELU; a scaled embedding. By config: windows, soft caps, rotations, a tied head. In the
 * last layer everything after the keys is computed for the rows that are wanted alone. Sources: the
 * modeling files of these families in transformers. SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch_dense.h"

#include <math.h>

#include "models/formats/rope_scaling.h"

float dense_embedding_scale(const struct model_config *c)
{
    const unsigned flags = dense_layout_of(c).flags;

    return flags & FAMILY_SCALED_EMBEDDING ? sqrtf((float)c->hidden_size) : 1.0f;
}

struct attention_shape dense_attention(const struct model_config *c, int32_t l)
{
    return (struct attention_shape){
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .head_dim = c->head_dim,
        .scale = c->attention_scale != 0 ? c->attention_scale : 1.0f / sqrtf((float)c->head_dim),
        .window = model_config_has_window(c, l) ? c->window : 0,
        .softcap = c->attention_softcap};
}

const struct rope_table *dense_rope(const struct dense *d, int32_t l)
{
    return model_config_has_window(d->c, l) ? &d->p->rope->window : &d->p->rope->full;
}

/* to (n, C) = the named rows of from: the embed op is a gather, on any backend. */
static void gather_rows(const struct dense *d, const float *from, const int32_t *row, int32_t n,
                        float *to)
{
    struct matrix table = {
        .n_out = d->p->rows.n, .n_in = d->c->hidden_size, .dtype = DTYPE_F32, .rows = from};

    d->o->embed(&d->p->lane, &table, row, n, to);
}

/* y (R, width) = beta*y + the input times a weight of layer l. */
static void product(const struct dense *d, int32_t l, enum dense_tensor t, struct linear_input *in,
                    float beta, float *y, int64_t ldy)
{
    linear_forward(d->p->weights, &d->p->lane, dense_index(&d->layout, l, t), in, beta, y, ldy);
}

/* q, k or v: a product and its bias, if there is one. */
static void project(const struct dense *d, int32_t l, enum dense_tensor t, struct linear_input *in,
                    float *y, int64_t width)
{
    const enum dense_tensor bias = (enum dense_tensor)(t + DENSE_Q_BIAS - DENSE_Q);

    product(d, l, t, in, 0.0f, y, width);
    if (d->layout.at[bias] >= 0)
        linear_add_bias(d->p->weights, &d->p->lane, dense_index(&d->layout, l, bias), in->R, y,
                        width);
}

/* All inputs of a pass round into one place: a product's input is not used once the next is. */
static struct linear_input input_of(const struct dense *d, const float *x, int32_t R, int32_t n_in)
{
    return (struct linear_input){
        .x = x, .ld = n_in, .R = R, .n_in = n_in, .rounded = d->p->rounded};
}

static const float *layer_vector(const struct dense *d, int32_t l, enum dense_tensor t)
{
    return weights_at(d->p->weights, dense_index(&d->layout, l, t))->m.rows;
}

static void norm(const struct dense *d, int32_t l, enum dense_tensor t, const float *x, int32_t R,
                 int32_t n, float *y, float *rstd)
{
    d->o->rmsnorm(&d->p->lane, x, layer_vector(d, l, t), R, n, d->c->rms_norm_eps, y, rstd);
}

static void rotate(const struct dense *d, int32_t l, float *x, const struct row_span *rows,
                   int32_t n_heads)
{
    const struct rope_table *t = dense_rope(d, l);

    d->o->rope(&d->p->lane, x, rows->n, n_heads, d->c->head_dim, rope_rotary_dim(d->c), rows->pos,
               t->cos, t->sin);
}

static void write_keys(const struct dense *d, int32_t l, const struct attention_shape *shape,
                       struct linear_input *n1, const struct dense_layer *b)
{
    const struct arch_pass *p = d->p;
    const int32_t G = d->c->n_kv_heads, D = d->c->head_dim;

    project(d, l, DENSE_K, n1, b->k, (int64_t)G * D);
    project(d, l, DENSE_V, n1, b->v, (int64_t)G * D);
    if (d->layout.flags & FAMILY_QK_NORM)
        norm(d, l, DENSE_K_NORM, b->k, p->rows.n * G, D, b->k_rot, b->rstd_k);
    rotate(d, l, b->k_rot, &p->rows, G);
    d->o->kv_write(&p->lane, shape, &p->rows, b->k_rot, b->v, &p->kv[l]);
}

/* Adds norm(x) to y: what follows a half of a layer that has a norm of its output. y NULL: only the
 * norm is wanted, for its rstd. */
static void add_normed(const struct dense *d, int32_t l, enum dense_tensor t, const float *x,
                       int32_t n, const struct dense_layer *b, float *rstd, float *y)
{
    const int32_t C = d->c->hidden_size;

    norm(d, l, t, x, n, C, b->post, rstd);
    if (y)
        d->o->add(&d->p->lane, b->post, (int64_t)n * C, y);
}

static void attend(const struct dense *d, int32_t l, const struct row_span *out,
                   const struct attention_shape *shape, struct linear_input *n1,
                   const struct dense_layer *b)
{
    const int32_t C = d->c->hidden_size, H = d->c->n_heads, D = d->c->head_dim;
    struct linear_input att = input_of(d, b->att, out->n, H * D);

    project(d, l, DENSE_Q, n1, b->q, (int64_t)H * D);
    if (d->layout.flags & FAMILY_QK_NORM)
        norm(d, l, DENSE_Q_NORM, b->q, out->n * H, D, b->q_rot, b->rstd_q);
    rotate(d, l, b->q_rot, out, H);
    d->o->attention(&d->p->lane, shape, out, b->q_rot, &d->p->kv[l], b->att, b->lse);
    if (!(d->layout.flags & FAMILY_POST_NORMS)) {
        product(d, l, DENSE_O, &att, 1.0f, b->x2, C);
        return;
    }
    product(d, l, DENSE_O, &att, 0.0f, b->o, C);
    add_normed(d, l, DENSE_POST_NORM_1, b->o, out->n, b, b->rstd_o, b->x2);
}

static void feed_forward(const struct dense *d, int32_t n, int32_t l, const struct dense_layer *b)
{
    const bool gelu = d->layout.flags & FAMILY_GELU;
    int32_t C = d->c->hidden_size, F = d->c->intermediate_size;
    struct linear_input n2 = input_of(d, b->n2, n, C), h = input_of(d, b->h, n, F);

    norm(d, l, DENSE_NORM_2, b->x2, n, C, b->n2, b->rstd2);
    product(d, l, DENSE_GATE, &n2, 0.0f, b->gu, 2 * (int64_t)F);
    product(d, l, DENSE_UP, &n2, 0.0f, b->gu + F, 2 * (int64_t)F);
    (gelu ? d->o->geglu : d->o->swiglu)(&d->p->lane, b->gu, n, F, b->h);
    if (d->layout.flags & FAMILY_POST_NORMS) {
        product(d, l, DENSE_DOWN, &h, 0.0f, b->d, C);
        add_normed(d, l, DENSE_POST_NORM_2, b->d, n, b, b->rstd_d, b->y);
    } else if (b->y) {
        product(d, l, DENSE_DOWN, &h, 1.0f, b->y, C);
    }
}

void dense_layer_forward(const struct dense *d, int32_t l, const struct dense_layer *b)
{
    const struct arch_pass *p = d->p;
    const int32_t C = d->c->hidden_size;
    bool last = l == d->c->n_layers - 1;
    const struct row_span *out = last ? &d->rows.out : &p->rows;
    const int32_t *picked = last && d->rows.narrow ? p->out_row : d->rows.all;
    const struct attention_shape shape = dense_attention(d->c, l);
    struct linear_input n1 = input_of(d, b->n1, p->rows.n, C), n1_out;

    norm(d, l, DENSE_NORM_1, b->x, p->rows.n, C, b->n1, b->rstd1);
    write_keys(d, l, &shape, &n1, b);
    if (!out->n)
        return;
    if (b->n1_out != b->n1)
        gather_rows(d, b->n1, picked, out->n, b->n1_out);
    if (b->x2 != b->x)
        gather_rows(d, b->x, picked, out->n, b->x2);
    n1_out = input_of(d, b->n1_out, out->n, C);
    attend(d, l, out, &shape, b->n1_out != b->n1 ? &n1_out : &n1, b);
    /* The product adds to the residual that is in y: a copy when x2 is kept. */
    if (b->y && b->y != b->x2)
        gather_rows(d, b->x2, d->rows.all, out->n, b->y);
    feed_forward(d, out->n, l, b);
}

static void dense_forward(const struct arch_pass *p)
{
    struct dense d;
    struct dense_layer b = {0};
    struct dense_kept kept = {0};
    int32_t C;
    float scale;

    if (!p->rows.n)
        return;
    dense_begin(p, &d);
    C = d.c->hidden_size;
    scale = dense_embedding_scale(d.c);
    for (int32_t l = 0; l < d.c->n_layers; l++) {
        dense_layer_buffers(&d, l, &b);
        if (l == 0)
            d.o->embed(&p->lane, &weights_at(p->weights, 0)->m, p->token, p->rows.n, b.x);
        if (l == 0 && scale != 1.0f)
            d.o->scale(&p->lane, scale, (int64_t)p->rows.n * C, b.x);
        dense_layer_forward(&d, l, &b);
    }
    if (!p->n_out)
        return;
    if (p->acts)
        dense_kept_final(&d, &kept);
    d.o->rmsnorm(&p->lane, b.y, weights_at(p->weights, dense_final_norm(&d.layout))->m.rows,
                 p->n_out, C, d.c->rms_norm_eps, p->hidden, kept.rstd);
}

static bool dense_runs(const struct model_family *f)
{
    (void)f; /* all that are read */
    return true;
}

static enum status dense_check(const struct model_config *c, struct error *err)
{
    enum status st = model_config_check(c, "config.json", err);

    if (st)
        return st;
    if (c->head_dim > ATTENTION_MAX_HEAD_DIM)
        return error_set(err, STATUS_UNSUPPORTED,
                         "heads of %d elements are not supported, only up to %d", c->head_dim,
                         ATTENTION_MAX_HEAD_DIM);
    return STATUS_OK;
}

static op_set forward_ops(const struct model_config *c, unsigned flags)
{
    op_set ops = OP_BIT(EMBED) | OP_BIT(MATMUL) | OP_BIT(RMSNORM) | OP_BIT(ROPE) |
                 OP_BIT(KV_WRITE) | OP_BIT(ATTENTION);

    ops |= flags & FAMILY_GELU ? OP_BIT(GEGLU) : OP_BIT(SWIGLU);
    if (flags & FAMILY_QKV_BIAS)
        ops |= OP_BIT(BIAS_ADD);
    if (flags & FAMILY_POST_NORMS)
        ops |= OP_BIT(ADD);
    if (flags & FAMILY_SCALED_EMBEDDING)
        ops |= OP_BIT(SCALE);
    return c->logit_softcap != 0 ? ops | OP_BIT(SOFTCAP) : ops;
}

static op_set dense_ops(const struct model_config *c, bool backward)
{
    const unsigned flags = dense_layout_of(c).flags;
    op_set ops = OP_BIT(EMBED_BACK) | OP_BIT(MATMUL_DX) | OP_BIT(MATMUL_DW) | OP_BIT(RMSNORM_BACK) |
                 OP_BIT(ROPE_BACK) | OP_BIT(ATTENTION_BACK) | OP_BIT(KV_GATHER);

    if (!backward)
        return forward_ops(c, flags);
    ops |= flags & FAMILY_GELU ? OP_BIT(GEGLU_BACK) : OP_BIT(SWIGLU_BACK);
    if (flags & FAMILY_QKV_BIAS)
        ops |= OP_BIT(BIAS_BACK);
    return c->logit_softcap != 0 ? ops | OP_BIT(SOFTCAP_BACK) : ops;
}

const struct arch arch_dense = {
    .name = "dense",
    .runs = dense_runs,
    .check = dense_check,
    .ops = dense_ops,
    .n_tensors = dense_n_tensors,
    .tensor = dense_describe,
    .scratch_bytes = dense_scratch_bytes,
    .acts_bytes = dense_acts_bytes,
    .back_scratch_bytes = dense_back_scratch_bytes,
    .forward = dense_forward,
    .backward = dense_backward,
    .head = dense_head,
};
