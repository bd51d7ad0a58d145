/* model_family.c - see model_family.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_family.h"

#include <string.h>

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

/* A pair of names; `with` flags must be set and `without` flags not. */
struct tensor_name {
    const char *gguf, *hf;
    unsigned with, without;
};

static const struct tensor_name of_model[] = {
    {"token_embd", "model.embed_tokens", 0, 0},
    {"output_norm", "model.norm", 0, 0},
    {"output", "lm_head", 0, 0},
};

static const struct tensor_name of_layer[] = {
    {"attn_norm", "input_layernorm", 0, 0},
    {"attn_q", "self_attn.q_proj", 0, FAMILY_FUSED},
    {"attn_k", "self_attn.k_proj", 0, FAMILY_FUSED},
    {"attn_v", "self_attn.v_proj", 0, FAMILY_FUSED},
    {"attn_qkv", "self_attn.qkv_proj", FAMILY_FUSED, 0},
    {"attn_output", "self_attn.o_proj", 0, 0},
    {"attn_q_norm", "self_attn.q_norm", FAMILY_QK_NORM, 0},
    {"attn_k_norm", "self_attn.k_norm", FAMILY_QK_NORM, 0},
    {"ffn_norm", "post_attention_layernorm", 0, FAMILY_GEMMA},
    {"post_attention_norm", "post_attention_layernorm", FAMILY_GEMMA, 0},
    {"ffn_norm", "pre_feedforward_layernorm", FAMILY_GEMMA, 0},
    {"post_ffw_norm", "post_feedforward_layernorm", FAMILY_GEMMA, 0},
    {"ffn_gate", "mlp.gate_proj", 0, FAMILY_FUSED},
    {"ffn_up", "mlp.up_proj", 0, FAMILY_FUSED},
    {"ffn_up", "mlp.gate_up_proj", FAMILY_FUSED, 0},
    {"ffn_down", "mlp.down_proj", 0, 0},
};

static const char *const suffixes[] = {".weight", ".bias"};

/* Tensors that no folder has: factors of rotation, kept under their own names. */
static const char *const own_names[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                        "rope_factors_short.weight"};

static bool is_own_name(const char *name)
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

static const struct tensor_name *find(const struct tensor_name *list, size_t n, unsigned flags,
                                      bool from_gguf, const char *base, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = from_gguf ? list[i].gguf : list[i].hf;

        if ((list[i].with & flags) == list[i].with && !(list[i].without & flags) &&
            strlen(name) == length && memcmp(name, base, length) == 0)
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

    if (is_own_name(name)) {
        str_puts(out, name);
        return true;
    }
    if (!suffix)
        return false;
    if (take_layer(name, from_gguf ? "blk." : "model.layers.", &digits, &n, &rest)) {
        size_t length = strlen(rest) - strlen(suffix);

        found = strlen(rest) > strlen(suffix)
                    ? find(of_layer, ARRAY_LEN(of_layer), f->flags, from_gguf, rest, length)
                    : NULL;
        if (found)
            str_printf(out, "%s%.*s.%s%s", from_gguf ? "model.layers." : "blk.", (int)n, digits,
                       from_gguf ? found->hf : found->gguf, suffix);
        return found != NULL;
    }
    found = find(of_model, ARRAY_LEN(of_model), f->flags, from_gguf, name,
                 strlen(name) - strlen(suffix));
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
