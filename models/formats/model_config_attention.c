/* model_config_attention.c - windows, scales and soft caps of a config.json, with the defaults of
 * transformers' configuration classes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/formats/model_config_impl.h"
#include "models/formats/model_family.h"

static bool is_family(const struct model_config *c, const char *model_type)
{
    return strcmp(c->model_type, model_type) == 0;
}

/* Qwen's windows begin at a layer, which is the first one or none here. */
static void read_qwen_window(struct config_reader *r, struct model_config *c)
{
    const int32_t from = config_int(r, "max_window_layers", 0, MAX_LAYERS, 28);

    if (!config_bool(r, "use_sliding_window", false) || from >= c->n_layers)
        return;
    if (from > 0)
        config_fault(r, STATUS_UNSUPPORTED, "max_window_layers",
                     "windows in the last layers alone are not supported");
    c->window = config_int(r, "sliding_window", 1, MAX_POSITIONS, 4096);
}

/* A window of null is none, and one that is missing is the family's. */
static void read_window(struct config_reader *r, struct model_config *c)
{
    const bool gemma2 = is_family(c, "gemma2"), gemma3 = is_family(c, "gemma3_text");
    const bool there = jv_get(r->root, "sliding_window") != NULL;
    const int32_t otherwise = !there && (gemma2 || gemma3 || is_family(c, "mistral")) ? 4096 : 0;
    const char *const pattern = jv_get(r->root, "sliding_window_pattern")
                                    ? "sliding_window_pattern"
                                    : "_sliding_window_pattern";

    if (is_family(c, "qwen2") || is_family(c, "qwen3")) {
        read_qwen_window(r, c);
    } else if (!is_family(c, "llama")) {
        c->window = config_null(jv_get(r->root, "sliding_window"))
                        ? otherwise
                        : config_int(r, "sliding_window", 1, MAX_POSITIONS, 0);
    }
    if (gemma2)
        c->window_pattern = 2;
    if (gemma3)
        c->window_pattern = config_int(r, pattern, 1, MAX_LAYERS, 6);
}

static bool has_window(const struct json *types, size_t i, struct config_reader *r)
{
    const char *type = jv_get_string(jv_at(types, i), "");
    const bool windowed = strcmp(type, "sliding_attention") == 0;

    if (!windowed && strcmp(type, "full_attention") != 0)
        config_fault(r, STATUS_UNSUPPORTED, "layer_types",
                     "only full_attention and sliding_attention are supported");
    return windowed;
}

/* A list of layers that says the same as a period: of each `pattern` layers the last has no
 * window. */
static void read_layer_types(struct config_reader *r, struct model_config *c)
{
    const struct json *types = jv_get(r->root, "layer_types");
    const size_t n = jv_size(types);
    size_t period = 0;

    if (config_null(types))
        return;
    if (jv_kind(types) != JV_ARRAY || n != (size_t)c->n_layers) {
        config_fault(r, STATUS_INVALID, "layer_types", "must be a list with a type for each layer");
        return;
    }
    while (period < n && has_window(types, period, r))
        period++;
    for (size_t i = 0; i < n && r->st == STATUS_OK; i++)
        if (has_window(types, i, r) != ((i + 1) % (period + 1) != 0))
            config_fault(r, STATUS_UNSUPPORTED, "layer_types",
                         "only an even pattern of layers without a window is supported");
    if (r->st == STATUS_OK && period > 0 && c->window == 0)
        config_fault(r, STATUS_UNSUPPORTED, "layer_types", "windows need a sliding_window");
    if (period == 0)
        c->window = 0;
    /* Fewer layers than a period: all have a window, as a longer period says too. */
    c->window_pattern = period == 0                           ? 0
                        : period < n                          ? (int32_t)period + 1
                        : c->window_pattern > (int32_t)period ? c->window_pattern
                                                              : 0;
}

void config_attention(struct config_reader *r, struct model_config *c)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    const bool gemma2 = is_family(c, "gemma2");
    double scalar;

    read_window(r, c);
    read_layer_types(r, c);
    if (c->window == 0)
        c->window_pattern = 0;
    if (!f || !(f->flags & FAMILY_GELU))
        return;
    scalar = config_number(r, jv_get(r->root, "query_pre_attn_scalar"), "query_pre_attn_scalar", 0,
                           1e6, 256);
    if (scalar != c->head_dim)
        c->attention_scale = (float)(1 / sqrt(scalar));
    c->attention_softcap =
        (float)config_number(r, jv_get(r->root, "attn_logit_softcapping"), "attn_logit_softcapping",
                             0, 1e6, gemma2 && !jv_get(r->root, "attn_logit_softcapping") ? 50 : 0);
    c->logit_softcap = (float)config_number(
        r, jv_get(r->root, "final_logit_softcapping"), "final_logit_softcapping", 0, 1e6,
        gemma2 && !jv_get(r->root, "final_logit_softcapping") ? 30 : 0);
    if (config_bool(r, "use_bidirectional_attention", false))
        config_fault(r, STATUS_UNSUPPORTED, "use_bidirectional_attention", "true is not supported");
}
