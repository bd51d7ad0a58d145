/* arch_dense.c - the dense decoder: shapes and forward. Today Qwen3ForCausalLM (transformers,
 * models/qwen3/modeling_qwen3.py).
 *
 * RMSNorm, grouped-query attention with RMSNorm over each head's q and k before RoPE in two halves,
 * SwiGLU, no biases, head tied to the embedding or not. Gate and up are two products into the
 * halves of one buffer. In the last layer everything after the keys is computed only for the rows
 * that are wanted, so prefill and masked training skip the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch_dense.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int32_t dense_n_tensors(const struct model_config *c)
{
    return 2 + c->n_layers * DENSE_PER_LAYER + (c->tie_word_embeddings ? 0 : 1);
}

static int32_t dense_head(const struct model_config *c)
{
    return c->tie_word_embeddings ? 0 : 1 + c->n_layers * DENSE_PER_LAYER + 1;
}

static void layer_tensor(const struct model_config *c, int32_t layer, enum dense_tensor t,
                         struct arch_tensor *out)
{
    static const char *const suffix[DENSE_PER_LAYER] = {
        "input_layernorm.weight",  "self_attn.q_proj.weight",
        "self_attn.k_proj.weight", "self_attn.v_proj.weight",
        "self_attn.q_norm.weight", "self_attn.k_norm.weight",
        "self_attn.o_proj.weight", "post_attention_layernorm.weight",
        "mlp.gate_proj.weight",    "mlp.up_proj.weight",
        "mlp.down_proj.weight",
    };
    int32_t C = c->hidden_size, F = c->intermediate_size;
    int32_t Q = c->n_heads * c->head_dim, K = c->n_kv_heads * c->head_dim;
    const int32_t shape[DENSE_PER_LAYER][2] = {{1, C},           {Q, C},           {K, C}, {K, C},
                                               {1, c->head_dim}, {1, c->head_dim}, {C, Q}, {1, C},
                                               {F, C},           {F, C},           {C, F}};

    snprintf(out->name, sizeof(out->name), "model.layers.%d.%s", layer, suffix[t]);
    out->rows = shape[t][0];
    out->cols = shape[t][1];
    out->is_product =
        t != DENSE_NORM_1 && t != DENSE_NORM_2 && t != DENSE_Q_NORM && t != DENSE_K_NORM;
    out->init = !out->is_product ? 0.0f : 1.0f;
    /* Each of the 2 L residual branches adds its share of the variance (Radford et al. 2019). */
    if (t == DENSE_O || t == DENSE_DOWN)
        out->init = 1.0f / sqrtf(2.0f * (float)c->n_layers);
}

static void dense_tensor(const struct model_config *c, int32_t i, struct arch_tensor *out)
{
    int32_t after = 1 + c->n_layers * DENSE_PER_LAYER;

    memset(out, 0, sizeof(*out));
    if (i > 0 && i < after) {
        layer_tensor(c, (i - 1) / DENSE_PER_LAYER, (enum dense_tensor)((i - 1) % DENSE_PER_LAYER),
                     out);
        return;
    }
    out->rows = i == after ? 1 : c->vocab_size;
    out->cols = c->hidden_size;
    out->is_product = i == dense_head(c);
    out->init = i == after ? 0.0f : 1.0f;
    snprintf(out->name, sizeof(out->name), "%s",
             i == 0       ? "model.embed_tokens.weight"
             : i == after ? "model.norm.weight"
                          : "lm_head.weight");
}

/* What a GGUF's keys may ask for and this pass does not do. */
static enum status refuse_features(const struct model_config *c, struct error *err)
{
    const char *what = c->rotary_dim             ? "a rotation of a part of each head"
                       : c->window               ? "an attention window"
                       : c->attention_scale != 0 ? "another scale of the scores"
                       : c->attention_softcap != 0 || c->logit_softcap != 0 ? "soft caps"
                                                                            : NULL;

    if (c->rope.kind != ROPE_DEFAULT)
        return error_set(err, STATUS_UNSUPPORTED, "RoPE of type \"%s\" is not supported by qwen3",
                         rope_kind_name(c->rope.kind));
    if (what)
        return error_set(err, STATUS_UNSUPPORTED, "%s is not supported by qwen3", what);
    return STATUS_OK;
}

static enum status dense_check(const struct model_config *c, struct error *err)
{
    enum status st = model_config_check(c, "config.json", err);

    return st ? st : refuse_features(c, err);
}

static op_set dense_ops(const struct model_config *c, bool backward)
{
    (void)c;
    if (!backward)
        return OP_BIT(EMBED) | OP_BIT(MATMUL) | OP_BIT(RMSNORM) | OP_BIT(ROPE) | OP_BIT(KV_WRITE) |
               OP_BIT(ATTENTION) | OP_BIT(SWIGLU);
    return OP_BIT(EMBED_BACK) | OP_BIT(MATMUL_DX) | OP_BIT(MATMUL_DW) | OP_BIT(RMSNORM_BACK) |
           OP_BIT(ROPE_BACK) | OP_BIT(ATTENTION_BACK) | OP_BIT(KV_GATHER) | OP_BIT(SWIGLU_BACK);
}

/* ---- buffers: every carve is called twice, once to count and once to assign, so that sizes and
 * places cannot disagree */

uintptr_t dense_carve(uintptr_t at, int64_t n_floats, float **out)
{
    *out = (float *)at;
    return at + (((uintptr_t)n_floats * sizeof(float) + 63) & ~(uintptr_t)63);
}

/* A layer's whole set carved from `at`, for recomputation; returns the end. From 0 it
 * counts bytes. */
static uintptr_t dense_carve_layer(const struct model_config *c, int32_t n_rows, uintptr_t at,
                                   struct dense_layer *o)
{
    int64_t R = n_rows, C = c->hidden_size, F = c->intermediate_size;
    int64_t Q = (int64_t)c->n_heads * c->head_dim, K = (int64_t)c->n_kv_heads * c->head_dim;

    memset(o, 0, sizeof(*o));
    at = dense_carve(at, R * C, &o->n1);
    at = dense_carve(at, R, &o->rstd1);
    at = dense_carve(at, R * Q, &o->q);
    at = dense_carve(at, R * c->n_heads, &o->rstd_q);
    at = dense_carve(at, R * Q, &o->q_rot);
    at = dense_carve(at, R * K, &o->k);
    at = dense_carve(at, R * c->n_kv_heads, &o->rstd_k);
    at = dense_carve(at, R * Q, &o->att);
    at = dense_carve(at, R * c->n_heads, &o->lse);
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
        at = dense_carve_layer(c, n_rows, at, l == layer ? set : &other);
    set->n1_out = n1_out;
    return at;
}

static size_t dense_acts_bytes(const struct model_config *c, int32_t n_rows, bool recompute)
{
    struct dense_layer set;
    struct dense_kept kept;
    float *x_of[2];

    return carve_acts(c, n_rows, recompute, 0, -2, &set, &kept, x_of);
}

void dense_kept_final(const struct arch_pass *p, struct dense_kept *out)
{
    struct dense_layer set;
    float *x_of[2];

    carve_acts(weights_config(p->weights), p->rows.n, p->recompute, (uintptr_t)p->acts, -2, &set,
               out, x_of);
}

/* Buffers of inference for every layer, and of training for values that it does not keep. */
struct scratch {
    float *x, *x_out, *n1_out;
    struct dense_layer set;
    int32_t *all, *out_seq, *out_pos;
};

static uintptr_t carve_scratch(const struct model_config *c, int32_t n_rows, uintptr_t at,
                               struct scratch *s)
{
    int64_t R = n_rows, C = c->hidden_size, K = (int64_t)c->n_kv_heads * c->head_dim;
    float *ints[3], *k_rot, *v;

    for (int i = 0; i < 3; i++)
        at = dense_carve(at, R, &ints[i]);
    s->all = (int32_t *)(void *)ints[0];
    s->out_seq = (int32_t *)(void *)ints[1];
    s->out_pos = (int32_t *)(void *)ints[2];
    at = dense_carve(at, R * C, &s->x);
    at = dense_carve(at, R * C, &s->x_out);
    at = dense_carve(at, R * C, &s->n1_out);
    at = dense_carve(at, R * K, &k_rot);
    at = dense_carve(at, R * K, &v);
    at = dense_carve_layer(c, n_rows, at, &s->set);
    s->set.k_rot = k_rot;
    s->set.v = v;
    return at;
}

static size_t dense_scratch_bytes(const struct model_config *c, int32_t n_rows)
{
    struct scratch s;

    return carve_scratch(c, n_rows, 0, &s);
}

/* Inference: one set for all layers, residual stream in place. */
static void inference_layer(const struct arch_pass *p, const struct scratch *s, bool narrow,
                            struct dense_layer *b)
{
    (void)p;
    *b = s->set;
    b->x = s->x;
    b->n1_out = narrow ? s->n1_out : b->n1;
    b->q_rot = b->q;
    b->k_rot = b->k;
    b->rstd1 = b->rstd2 = b->rstd_q = b->rstd_k = b->lse = NULL;
    b->x2 = narrow ? s->x_out : b->x;
    b->y = b->x2;
}

void dense_kept_layer(const struct arch_pass *p, int32_t l, struct dense_layer *b)
{
    const struct model_config *c = weights_config(p->weights);
    struct dense_kept kept;
    struct dense_layer set = {0};
    struct scratch s;
    float *x_of[2] = {NULL, NULL};
    bool narrow = l == c->n_layers - 1 && p->n_out < p->rows.n;

    carve_scratch(c, p->rows.n, (uintptr_t)p->scratch, &s);
    carve_acts(c, p->rows.n, p->recompute, (uintptr_t)p->acts, l, &set, &kept, x_of);
    *b = p->recompute ? s.set : set;
    b->x = x_of[0];
    b->y = x_of[1];
    b->n1_out = narrow ? set.n1_out : b->n1;
    b->k_rot = s.set.k_rot;
    b->v = s.set.v;
}

void dense_rows_init(const struct arch_pass *p, struct dense_rows *rows)
{
    struct scratch s;

    carve_scratch(weights_config(p->weights), p->rows.n, (uintptr_t)p->scratch, &s);
    for (int32_t r = 0; r < p->rows.n; r++)
        s.all[r] = r;
    rows->all = s.all;
    rows->narrow = p->n_out < p->rows.n;
    rows->out = p->rows;
    if (!rows->narrow)
        return;
    for (int32_t r = 0; r < p->n_out; r++) {
        s.out_seq[r] = p->rows.seq[p->out_row[r]];
        s.out_pos[r] = p->rows.pos[p->out_row[r]];
    }
    rows->out.n = p->n_out;
    rows->out.seq = s.out_seq;
    rows->out.pos = s.out_pos;
}

/* to (n, C) = the named rows of from: the embed op is a gather, on any backend. */
static void gather_rows(const struct arch_pass *p, const float *from, const int32_t *row, int32_t n,
                        float *to)
{
    const struct backend *b = weights_backend(p->weights);
    struct matrix table = {.n_out = p->rows.n,
                           .n_in = weights_config(p->weights)->hidden_size,
                           .dtype = DTYPE_F32,
                           .rows = from};

    b->embed(&p->lane, &table, row, n, to);
}

/* y (R, width) = beta*y + the input times a weight of layer l. */
static void product(const struct arch_pass *p, int32_t l, enum dense_tensor t,
                    struct linear_input *in, float beta, float *y, int64_t ldy)
{
    linear_forward(p->weights, &p->lane, dense_index(l, t), in, beta, y, ldy);
}

/* All inputs of a pass round into one place: a product's input is not used once the next is. */
static struct linear_input input_of(const struct arch_pass *p, const float *x, int32_t R,
                                    int32_t n_in)
{
    return (struct linear_input){.x = x, .ld = n_in, .R = R, .n_in = n_in, .rounded = p->rounded};
}

static const float *layer_vector(const struct arch_pass *p, int32_t l, enum dense_tensor t)
{
    return weights_at(p->weights, dense_index(l, t))->m.rows;
}

static void write_keys(const struct arch_pass *p, int32_t l, const struct attention_shape *shape,
                       const struct dense_layer *b, struct linear_input *n1)
{
    const struct model_config *c = weights_config(p->weights);
    const struct backend *o = weights_backend(p->weights);
    int32_t R = p->rows.n, K = c->n_kv_heads * c->head_dim;

    product(p, l, DENSE_K, n1, 0.0f, b->k, K);
    product(p, l, DENSE_V, n1, 0.0f, b->v, K);
    o->rmsnorm(&p->lane, b->k, layer_vector(p, l, DENSE_K_NORM), R * c->n_kv_heads, c->head_dim,
               c->rms_norm_eps, b->k_rot, b->rstd_k);
    o->rope(&p->lane, b->k_rot, R, c->n_kv_heads, c->head_dim, p->rows.pos, p->rope_cos,
            p->rope_sin);
    o->kv_write(&p->lane, shape, &p->rows, b->k_rot, b->v, &p->kv[l]);
}

static void attend(const struct arch_pass *p, const struct row_span *out, int32_t l,
                   const struct attention_shape *shape, const struct dense_layer *b,
                   struct linear_input *n1)
{
    const struct model_config *c = weights_config(p->weights);
    const struct backend *o = weights_backend(p->weights);
    int32_t C = c->hidden_size, Q = c->n_heads * c->head_dim;
    struct linear_input att = input_of(p, b->att, out->n, Q);

    product(p, l, DENSE_Q, n1, 0.0f, b->q, Q);
    o->rmsnorm(&p->lane, b->q, layer_vector(p, l, DENSE_Q_NORM), out->n * c->n_heads, c->head_dim,
               c->rms_norm_eps, b->q_rot, b->rstd_q);
    o->rope(&p->lane, b->q_rot, out->n, c->n_heads, c->head_dim, out->pos, p->rope_cos,
            p->rope_sin);
    o->attention(&p->lane, shape, out, b->q_rot, &p->kv[l], b->att, b->lse);
    product(p, l, DENSE_O, &att, 1.0f, b->x2, C);
}

static void feed_forward(const struct arch_pass *p, int32_t n, int32_t l,
                         const struct dense_layer *b)
{
    const struct model_config *c = weights_config(p->weights);
    const struct backend *o = weights_backend(p->weights);
    int32_t C = c->hidden_size, F = c->intermediate_size;
    struct linear_input n2 = input_of(p, b->n2, n, C), h = input_of(p, b->h, n, F);

    o->rmsnorm(&p->lane, b->x2, layer_vector(p, l, DENSE_NORM_2), n, C, c->rms_norm_eps, b->n2,
               b->rstd2);
    product(p, l, DENSE_GATE, &n2, 0.0f, b->gu, 2 * (int64_t)F);
    product(p, l, DENSE_UP, &n2, 0.0f, b->gu + F, 2 * (int64_t)F);
    o->swiglu(&p->lane, b->gu, n, F, b->h);
    if (b->y)
        product(p, l, DENSE_DOWN, &h, 1.0f, b->y, C);
}

void dense_layer_forward(const struct arch_pass *p, const struct dense_rows *rows, int32_t l,
                         const struct dense_layer *b)
{
    const struct model_config *c = weights_config(p->weights);
    const struct backend *o = weights_backend(p->weights);
    bool last = l == c->n_layers - 1;
    const struct row_span *out = last ? &rows->out : &p->rows;
    const int32_t *picked = last && rows->narrow ? p->out_row : rows->all;
    struct attention_shape shape = {.n_heads = c->n_heads,
                                    .n_kv_heads = c->n_kv_heads,
                                    .head_dim = c->head_dim,
                                    .scale = 1.0f / sqrtf((float)c->head_dim)};
    struct linear_input n1 = input_of(p, b->n1, p->rows.n, c->hidden_size);

    o->rmsnorm(&p->lane, b->x, layer_vector(p, l, DENSE_NORM_1), p->rows.n, c->hidden_size,
               c->rms_norm_eps, b->n1, b->rstd1);
    write_keys(p, l, &shape, b, &n1);
    if (!out->n)
        return;
    if (b->n1_out != b->n1) {
        gather_rows(p, b->n1, picked, out->n, b->n1_out);
        n1 = input_of(p, b->n1_out, out->n, c->hidden_size);
    }
    if (b->x2 != b->x)
        gather_rows(p, b->x, picked, out->n, b->x2);
    attend(p, out, l, &shape, b, &n1);
    /* The product adds to the residual that is in y: a copy when x2 is kept. */
    if (b->y && b->y != b->x2)
        gather_rows(p, b->x2, rows->all, out->n, b->y);
    feed_forward(p, out->n, l, b);
}

static void dense_forward(const struct arch_pass *p)
{
    const struct model_config *c = weights_config(p->weights);
    const struct backend *o = weights_backend(p->weights);
    struct dense_rows rows;
    struct dense_layer b = {0};
    struct dense_kept kept = {0};
    struct scratch s;

    if (!p->rows.n)
        return;
    carve_scratch(c, p->rows.n, (uintptr_t)p->scratch, &s);
    dense_rows_init(p, &rows);
    for (int32_t l = 0; l < c->n_layers; l++) {
        if (p->acts)
            dense_kept_layer(p, l, &b);
        else
            inference_layer(p, &s, l == c->n_layers - 1 && rows.narrow, &b);
        if (l == 0)
            o->embed(&p->lane, &weights_at(p->weights, 0)->m, p->token, p->rows.n, b.x);
        dense_layer_forward(p, &rows, l, &b);
    }
    if (!p->n_out)
        return;
    if (p->acts)
        dense_kept_final(p, &kept);
    o->rmsnorm(&p->lane, b.y, weights_at(p->weights, 1 + c->n_layers * DENSE_PER_LAYER)->m.rows,
               p->n_out, c->hidden_size, c->rms_norm_eps, p->hidden, kept.rstd);
}

const struct arch arch_dense = {
    .hf_name = "Qwen3ForCausalLM",
    .name = "dense",
    .check = dense_check,
    .ops = dense_ops,
    .n_tensors = dense_n_tensors,
    .tensor = dense_tensor,
    .scratch_bytes = dense_scratch_bytes,
    .acts_bytes = dense_acts_bytes,
    .back_scratch_bytes = dense_back_scratch_bytes,
    .forward = dense_forward,
    .backward = dense_backward,
    .head = dense_head,
};
