/* model_config.h - config.json (and generation_config.json) as a checked struct.
 *
 * Every number is range-checked here, once, so that loaders may multiply sizes
 * safely. The error names FILE and key. STATUS_UNSUPPORTED: a feature that this
 * build lacks (another RoPE scaling, other layer types). STATUS_INVALID: a bad value.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_CONFIG_H
#define TROUPE_MODELS_FORMATS_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define MODEL_CONFIG_MAX_EOS 8

enum rope_kind {
    ROPE_DEFAULT,
    ROPE_LINEAR,
    ROPE_DYNAMIC, /* as default below max_position_embeddings, which no context exceeds */
    ROPE_LLAMA3,
    ROPE_YARN,
    ROPE_LONGROPE
};
const char *rope_kind_name(enum rope_kind kind); /* as in config.json: "linear", "llama3", ... */

#define ROPE_MAX_PAIRS 128 /* of a head whose rotation has divisors */

/* How rotations are stretched (rope_scaling.h has the formulas); a number that a file does not give
 * is 0. Divisors are of the frequency of each pair: of a llama3 GGUF instead of its numbers
 * (rope_freqs.weight), of longrope for original_positions (short) and for more. */
struct rope_scaling {
    enum rope_kind kind;
    double factor;
    double attention_factor;                  /* of cos and sin; 0: by the rule of the kind */
    int32_t original_positions;               /* 0: max_position_embeddings */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow, mscale, mscale_all_dim; /* yarn */
    bool no_truncate;                                    /* yarn: "truncate": false */
    bool short_context; /* longrope: no more than original_positions will be used */
    int32_t n_divisors; /* 0: none */
    float divisor[ROPE_MAX_PAIRS], long_divisor[ROPE_MAX_PAIRS];
};

/* A value: copy it freely. Letters as in models/arch: C hidden, L layers, H heads, G key/value
 * heads, D head size, F feed-forward, V vocabulary. */
struct model_config {
    char architecture[64];           /* "Qwen3ForCausalLM" */
    char model_type[32];             /* "qwen3" */
    int32_t hidden_size;             /* C, 1 .. 65536 */
    int32_t intermediate_size;       /* F, 1 .. 1048576 */
    int32_t n_layers;                /* L, 1 .. 1024 */
    int32_t n_heads;                 /* H, 1 .. 1024, a multiple of G */
    int32_t n_kv_heads;              /* G */
    int32_t head_dim;                /* D, even, 2 .. 1024; H*D need not be C */
    int32_t vocab_size;              /* V, rows of the embedding, 1 .. 4194304 */
    int32_t max_position_embeddings; /* 1 .. 16777216 */
    float rms_norm_eps;              /* above 0, at most 1 */
    double rope_theta;               /* 1 .. 1e12 */
    int32_t rotary_dim;              /* elements of a head that rotate; 0: all */
    struct rope_scaling rope;
    /* Layers with a window attend to that many positions, themselves included; 0: none has one. Of
     * each window_pattern layers the last has none (0: all have one), and rotates by rope_theta,
     * those with a window by window_rope_theta (0: rope_theta too). */
    int32_t window, window_pattern;
    double window_rope_theta;
    float attention_scale;                  /* of the scores; 0: 1/sqrt(D) */
    float attention_softcap, logit_softcap; /* x becomes cap * tanh(x / cap); 0: none */
    double initializer_range;               /* of a model to be trained; 0.02 by default */
    bool tie_word_embeddings;
    enum dtype dtype; /* of the stored weights, as config.json says; files may mix */
    int32_t bos_id;   /* -1: none */
    int32_t pad_id;   /* -1: none */
    int32_t n_eos;    /* generation_config.json wins over config.json */
    int32_t eos_id[MODEL_CONFIG_MAX_EOS];
    char codec[32]; /* "troupe": {"codec": ...}; empty: JSON tool calls */
};

MUST_CHECK enum status model_config_parse(const char *text, size_t n, const char *name,
                                          struct model_config *out, struct error *err);
/* Merges generation_config.json (bos, eos, pad) into a parsed config. */
MUST_CHECK enum status model_config_parse_generation(const char *text, size_t n, const char *name,
                                                     struct model_config *config,
                                                     struct error *err);
/* DIR/config.json, and DIR/generation_config.json if it exists. */
MUST_CHECK enum status model_config_load_dir(const char *dir, struct model_config *out,
                                             struct error *err);
/* The checks alone, for a config that was not parsed. */
MUST_CHECK enum status model_config_check(const struct model_config *c, const char *name,
                                          struct error *err);

/* Texts that transformers 4.5x and 5.x load (renamed fields have both names). */
void model_config_write(const struct model_config *c, struct str *out);
void model_config_write_generation(const struct model_config *c, struct str *out);

bool model_config_has_window(const struct model_config *c, int32_t layer);

/* Parameters of the whole model, embeddings counted once when tied. */
int64_t model_config_n_parameters(const struct model_config *c);

#endif
