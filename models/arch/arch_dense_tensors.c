/* arch_dense_tensors.c - names, shapes and initial values of a dense decoder's tensors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/arch/arch_dense.h"

/* Letters as in arch_dense.h. A vector has one row, ONE. */
enum size { ONE, C, F, Q, K, D };

static const struct role {
    const char *name;
    enum size rows, cols;
    unsigned with; /* a flag that the family needs; 0: all have it */
} roles[DENSE_TENSORS] = {
    [DENSE_NORM_1] = {"input_layernorm.weight", ONE, C, 0},
    [DENSE_Q] = {"self_attn.q_proj.weight", Q, C, 0},
    [DENSE_K] = {"self_attn.k_proj.weight", K, C, 0},
    [DENSE_V] = {"self_attn.v_proj.weight", K, C, 0},
    [DENSE_Q_BIAS] = {"self_attn.q_proj.bias", ONE, Q, FAMILY_QKV_BIAS},
    [DENSE_K_BIAS] = {"self_attn.k_proj.bias", ONE, K, FAMILY_QKV_BIAS},
    [DENSE_V_BIAS] = {"self_attn.v_proj.bias", ONE, K, FAMILY_QKV_BIAS},
    [DENSE_Q_NORM] = {"self_attn.q_norm.weight", ONE, D, FAMILY_QK_NORM},
    [DENSE_K_NORM] = {"self_attn.k_norm.weight", ONE, D, FAMILY_QK_NORM},
    [DENSE_O] = {"self_attn.o_proj.weight", C, Q, 0},
    [DENSE_POST_NORM_1] = {"post_attention_layernorm.weight", ONE, C, FAMILY_POST_NORMS},
    [DENSE_NORM_2] = {"post_attention_layernorm.weight", ONE, C, 0},
    [DENSE_GATE] = {"mlp.gate_proj.weight", F, C, 0},
    [DENSE_UP] = {"mlp.up_proj.weight", F, C, 0},
    [DENSE_DOWN] = {"mlp.down_proj.weight", C, F, 0},
    [DENSE_POST_NORM_2] = {"post_feedforward_layernorm.weight", ONE, C, FAMILY_POST_NORMS},
};

struct dense_layout dense_layout_of(const struct model_config *c)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    struct dense_layout d = {.n_layers = c->n_layers};

    assert(f); /* arch_find has found this architecture by it */
    d.flags = f->flags;
    for (int t = 0; t < DENSE_TENSORS; t++)
        d.at[t] = (roles[t].with & d.flags) == roles[t].with ? (int8_t)d.per_layer++ : -1;
    return d;
}

int32_t dense_n_tensors(const struct model_config *c)
{
    const struct dense_layout d = dense_layout_of(c);

    return dense_final_norm(&d) + 1 + (c->tie_word_embeddings ? 0 : 1);
}

int32_t dense_head(const struct model_config *c)
{
    const struct dense_layout d = dense_layout_of(c);

    return c->tie_word_embeddings ? 0 : dense_final_norm(&d) + 1;
}

static int32_t size_of(const struct model_config *c, enum size s)
{
    const int32_t sizes[] = {[ONE] = 1,
                             [C] = c->hidden_size,
                             [F] = c->intermediate_size,
                             [Q] = c->n_heads * c->head_dim,
                             [K] = c->n_kv_heads * c->head_dim,
                             [D] = c->head_dim};

    return sizes[s];
}

/* q, k, v are the rows of one tensor in this order, and so are gate and up. */
static void describe_part(const struct model_config *c, int32_t layer, enum dense_tensor t,
                          struct arch_tensor *out)
{
    const int32_t q = size_of(c, Q), k = size_of(c, K), f = size_of(c, F);
    const char *name = t >= DENSE_Q && t <= DENSE_V       ? "self_attn.qkv_proj"
                       : t == DENSE_GATE || t == DENSE_UP ? "mlp.gate_up_proj"
                                                          : NULL;

    if (!name)
        return;
    (void)snprintf(out->stored, sizeof(out->stored), "model.layers.%d.%s.weight", layer, name);
    out->first_row = t == DENSE_K ? q : t == DENSE_V ? q + k : t == DENSE_UP ? f : 0;
    out->stored_rows = t <= DENSE_V ? q + 2 * k : 2 * f;
}

static void describe_in_layer(const struct model_config *c, const struct dense_layout *d,
                              int32_t layer, enum dense_tensor t, struct arch_tensor *out)
{
    const struct role *role = &roles[t];
    const bool is_bias = t >= DENSE_Q_BIAS && t <= DENSE_V_BIAS;
    const char *name = role->name;

    if (t == DENSE_NORM_2 && (d->flags & FAMILY_POST_NORMS))
        name = "pre_feedforward_layernorm.weight";
    (void)snprintf(out->name, sizeof(out->name), "model.layers.%d.%s", layer, name);
    out->rows = size_of(c, role->rows);
    out->cols = size_of(c, role->cols);
    out->is_product = role->rows != ONE;
    if (d->flags & FAMILY_FUSED)
        describe_part(c, layer, t, out);
    if (!out->is_product && !is_bias && (d->flags & FAMILY_NORM_OFFSET))
        out->offset = 1.0f;
    out->init = out->is_product ? 1.0f : is_bias ? ARCH_INIT_ZEROS : ARCH_INIT_ONES;
    /* Each of the 2 L residual branches adds its share of the variance (Radford et al. 2019). */
    if (t == DENSE_O || t == DENSE_DOWN)
        out->init = 1.0f / sqrtf(2.0f * (float)c->n_layers);
}

void dense_describe(const struct model_config *c, int32_t i, struct arch_tensor *out)
{
    const struct dense_layout d = dense_layout_of(c);
    const int32_t after = dense_final_norm(&d);

    memset(out, 0, sizeof(*out));
    if (i > 0 && i < after) {
        int t = 0;

        while (d.at[t] != (i - 1) % d.per_layer)
            t++;
        describe_in_layer(c, &d, (i - 1) / d.per_layer, (enum dense_tensor)t, out);
        return;
    }
    out->rows = i == after ? 1 : c->vocab_size;
    out->cols = c->hidden_size;
    out->is_product = i == dense_head(c);
    out->init = i == after ? ARCH_INIT_ONES : 1.0f;
    if (i == after && (d.flags & FAMILY_NORM_OFFSET))
        out->offset = 1.0f;
    (void)snprintf(out->name, sizeof(out->name), "%s",
                   i == 0       ? "model.embed_tokens.weight"
                   : i == after ? "model.norm.weight"
                                : "lm_head.weight");
}
