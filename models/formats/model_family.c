/* model_family.c - see model_family.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_family.h"

#include <stdio.h>
#include <string.h>

#include "models/formats/model_config.h"
#include "runtime/base/memory.h"

static const struct model_family families[] = {
#define FAMILY(gguf, model_type, hf_name, flags) {gguf, model_type, hf_name, flags},
#include "models/formats/model_family.def"
#undef FAMILY
};

const struct model_family *model_family_at(size_t i)
{
    return i < ARRAY_LEN(families) ? &families[i] : NULL;
}

const struct model_family *model_family_of_gguf(const char *architecture, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strlen(families[i].gguf) == n && memcmp(families[i].gguf, architecture, n) == 0)
            return &families[i];
    return NULL;
}

const struct model_family *model_family_of_class(const char *hf_name)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strcmp(families[i].hf_name, hf_name) == 0)
            return &families[i];
    return NULL;
}

/* ---- tensors */

enum size { ONE, C, F, V, Q, K, D, QKV, FF }; /* letters as in model_config.h; Q: H * D, K: G * D */

/* A pair of names and a shape (ONE: a vector); `with` flags must be set and `without` flags not. */
struct tensor_name {
    const char *gguf, *hf;
    enum size rows, cols;
    unsigned with, without;
};

static const struct tensor_name of_model[] = {
    {"token_embd", "model.embed_tokens", V, C, 0, 0},
    {"output_norm", "model.norm", ONE, C, 0, 0},
    {"output", "lm_head", V, C, 0, 0},
};

static const struct tensor_name of_layer[] = {
    {"attn_norm", "input_layernorm", ONE, C, 0, 0},
    {"attn_q", "self_attn.q_proj", Q, C, 0, FAMILY_FUSED},
    {"attn_k", "self_attn.k_proj", K, C, 0, FAMILY_FUSED},
    {"attn_v", "self_attn.v_proj", K, C, 0, FAMILY_FUSED},
    {"attn_qkv", "self_attn.qkv_proj", QKV, C, FAMILY_FUSED, 0},
    {"attn_q_norm", "self_attn.q_norm", ONE, D, FAMILY_QK_NORM, 0},
    {"attn_k_norm", "self_attn.k_norm", ONE, D, FAMILY_QK_NORM, 0},
    {"attn_output", "self_attn.o_proj", C, Q, 0, 0},
    {"ffn_norm", "post_attention_layernorm", ONE, C, 0, FAMILY_POST_NORMS},
    {"post_attention_norm", "post_attention_layernorm", ONE, C, FAMILY_POST_NORMS, 0},
    {"ffn_norm", "pre_feedforward_layernorm", ONE, C, FAMILY_POST_NORMS, 0},
    {"ffn_gate", "mlp.gate_proj", F, C, 0, FAMILY_FUSED},
    {"ffn_up", "mlp.up_proj", F, C, 0, FAMILY_FUSED},
    {"ffn_up", "mlp.gate_up_proj", FF, C, FAMILY_FUSED, 0},
    {"ffn_down", "mlp.down_proj", C, F, 0, 0},
    {"post_ffw_norm", "post_feedforward_layernorm", ONE, C, FAMILY_POST_NORMS, 0},
};

/* Rows of the biases that a family has: a bias has the name of its product. */
static const struct tensor_name of_biases[] = {
    {"attn_q", "self_attn.q_proj", ONE, Q, FAMILY_QKV_BIAS, 0},
    {"attn_k", "self_attn.k_proj", ONE, K, FAMILY_QKV_BIAS, 0},
    {"attn_v", "self_attn.v_proj", ONE, K, FAMILY_QKV_BIAS, 0},
};

static int64_t size_of(const struct model_config *c, enum size s)
{
    const int64_t q = (int64_t)c->n_heads * c->head_dim, k = (int64_t)c->n_kv_heads * c->head_dim;
    const int64_t sizes[] = {[ONE] = 1,
                             [C] = c->hidden_size,
                             [F] = c->intermediate_size,
                             [V] = c->vocab_size,
                             [Q] = q,
                             [K] = k,
                             [D] = c->head_dim,
                             [QKV] = q + 2 * k,
                             [FF] = 2 * (int64_t)c->intermediate_size};

    return sizes[s];
}

static void describe(const struct tensor_name *t, const struct model_config *c, int32_t layer,
                     const char *suffix, struct family_tensor *out)
{
    if (layer < 0)
        (void)snprintf(out->name, sizeof(out->name), "%s%s", t->hf, suffix);
    else
        (void)snprintf(out->name, sizeof(out->name), "model.layers.%d.%s%s", layer, t->hf, suffix);
    out->n_dims = t->rows == ONE ? 1 : 2;
    out->shape[0] = size_of(c, t->rows == ONE ? t->cols : t->rows);
    out->shape[1] = t->rows == ONE ? 1 : size_of(c, t->cols);
}

static bool has(const struct model_family *f, const struct tensor_name *t)
{
    return (t->with & f->flags) == t->with && !(t->without & f->flags);
}

/* The i-th tensor of a layer, its products and norms and then its biases; returns how many it has.
 */
static int32_t layer_tensor(const struct model_family *f, int32_t i, const struct tensor_name **out,
                            const char **suffix)
{
    int32_t n = 0;

    for (size_t k = 0; k < ARRAY_LEN(of_layer); k++)
        if (has(f, &of_layer[k]) && n++ == i) {
            *out = &of_layer[k];
            *suffix = ".weight";
        }
    for (size_t k = 0; k < ARRAY_LEN(of_biases); k++)
        if (has(f, &of_biases[k]) && n++ == i) {
            *out = &of_biases[k];
            *suffix = ".bias";
        }
    return n;
}

bool model_family_tensor(const struct model_family *f, const struct model_config *c, int32_t i,
                         struct family_tensor *out)
{
    const struct tensor_name *t = NULL;
    const char *suffix = ".weight";
    const int32_t each = layer_tensor(f, -1, &t, &suffix), after = 1 + c->n_layers * each;
    int32_t layer = -1;

    if (i == 0) {
        t = &of_model[0];
    } else if (i < after) {
        layer = (i - 1) / each;
        (void)layer_tensor(f, (i - 1) % each, &t, &suffix);
    } else if (i - after < (c->tie_word_embeddings ? 1 : 2)) {
        t = &of_model[1 + i - after];
    } else {
        return false;
    }
    describe(t, c, layer, suffix, out);
    return true;
}

static const char *const suffixes[] = {".weight", ".bias"};

/* Tensors that no folder has: factors of rotation, kept under their own names. */
static const char *const own_names[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                        "rope_factors_short.weight"};

bool model_family_own_tensor(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(own_names); i++)
        if (strcmp(own_names[i], name) == 0)
            return true;
    return false;
}

/* The suffix of `name`, or NULL. */
static const char *suffix_of(const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const size_t m = strlen(suffixes[i]);

        if (n > m && strcmp(name + n - m, suffixes[i]) == 0)
            return suffixes[i];
    }
    return NULL;
}

/* The number of a layer after `prefix`, as digits without leading zeros; *rest is behind its dot.
 */
static bool take_layer(const char *name, const char *prefix, const char **digits, size_t *n,
                       const char **rest)
{
    const size_t m = strlen(prefix);

    if (strncmp(name, prefix, m) != 0)
        return false;
    *digits = name + m;
    *n = strspn(*digits, "0123456789");
    *rest = *digits + *n + 1;
    return *n > 0 && *n < 5 && (*n == 1 || **digits != '0') && (*digits)[*n] == '.';
}

static const struct tensor_name *find(const struct model_family *f, const struct tensor_name *list,
                                      size_t n, bool from_gguf, const char *base, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = from_gguf ? list[i].gguf : list[i].hf;

        if (has(f, &list[i]) && strlen(name) == length && memcmp(name, base, length) == 0)
            return &list[i];
    }
    return NULL;
}

static bool translate(const struct model_family *f, bool from_gguf, const char *name,
                      struct str *out)
{
    const char *suffix = suffix_of(name), *digits, *rest;
    const struct tensor_name *found;
    size_t n;

    if (model_family_own_tensor(name)) {
        str_puts(out, name);
        return true;
    }
    if (!suffix)
        return false;
    if (take_layer(name, from_gguf ? "blk." : "model.layers.", &digits, &n, &rest)) {
        size_t length = strlen(rest) - strlen(suffix);

        found = strlen(rest) > strlen(suffix)
                    ? find(f, of_layer, ARRAY_LEN(of_layer), from_gguf, rest, length)
                    : NULL;
        if (found)
            str_printf(out, "%s%.*s.%s%s", from_gguf ? "model.layers." : "blk.", (int)n, digits,
                       from_gguf ? found->hf : found->gguf, suffix);
        return found != NULL;
    }
    found = find(f, of_model, ARRAY_LEN(of_model), from_gguf, name, strlen(name) - strlen(suffix));
    if (found)
        str_printf(out, "%s%s", from_gguf ? found->hf : found->gguf, suffix);
    return found != NULL;
}

bool model_family_hf_tensor(const struct model_family *f, const char *gguf, struct str *out)
{
    return translate(f, true, gguf, out);
}

bool model_family_gguf_tensor(const struct model_family *f, const char *hf, struct str *out)
{
    return translate(f, false, hf, out);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

int32_t model_family_paired_heads(const struct model_family *f, const struct model_config *c,
                                  const char *gguf)
{
    if (!(f->flags & FAMILY_PAIRED_ROWS))
        return 0;
    if (ends_with(gguf, ".attn_q.weight") || ends_with(gguf, ".attn_q.bias"))
        return c->n_heads;
    if (ends_with(gguf, ".attn_k.weight") || ends_with(gguf, ".attn_k.bias"))
        return c->n_kv_heads;
    return 0;
}
