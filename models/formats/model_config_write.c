/* model_config_write.c - config.json and generation_config.json of what Troupe trained.
 *
 * Fields that transformers 5 renamed are written under both names, so that 4.5x and 5.x
 * load the same model from the same text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_config.h"

#include <math.h>
#include <string.h>

#include "models/formats/model_family.h"
#include "runtime/base/json.h"

/* A folder holds plain types. */
static const char *torch_name(enum dtype t)
{
    static const char *const names[DTYPE_N] = {
        [DTYPE_F32] = "float32", [DTYPE_BF16] = "bfloat16", [DTYPE_F16] = "float16"};

    assert(t < DTYPE_N && names[t]);
    return names[t];
}

static struct json *id_or_null(int32_t id)
{
    return id < 0 ? jv_null() : jv_int(id);
}

/* One id as a number, several as a list: what transformers writes. */
static struct json *eos_value(const struct model_config *c)
{
    struct json *list;

    if (c->n_eos <= 1)
        return id_or_null(c->n_eos == 1 ? c->eos_id[0] : -1);
    list = jv_array();
    for (int32_t i = 0; i < c->n_eos; i++)
        jv_append_adopt(list, jv_int(c->eos_id[i]));
    return list;
}

static void set_ids(struct json *o, const struct model_config *c)
{
    jv_set_adopt(o, "bos_token_id", id_or_null(c->bos_id));
    jv_set_adopt(o, "eos_token_id", eos_value(c));
    jv_set_adopt(o, "pad_token_id", id_or_null(c->pad_id));
}

/* A float such as 1e-6f would print as 9.999999974752427e-07; the shortest text of the float is
 * what was meant. */
static double short_double(float f)
{
    struct str s = STR_INIT;
    struct json *v = NULL;
    double d = (double)f;

    str_put_float(&s, f);
    if (jv_parse(str_cstr(&s), s.len, "float", &v, NULL) == STATUS_OK)
        d = jv_get_number(v, d);
    jv_unref(v);
    str_deinit(&s);
    return d;
}

static struct json *divisor_list(const float *d, int32_t n)
{
    struct json *list = jv_array();

    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(list, jv_real(short_double(d[i])));
    return list;
}

static void set_some(struct json *o, const char *key, double v)
{
    if (v != 0)
        jv_set_real(o, key, v);
}

/* The keys of a kind, as transformers 4 has them in rope_scaling and 5 in rope_parameters. */
static void set_scaling(struct json *o, const struct rope_scaling *s)
{
    /* Divisors of a GGUF whose numbers are not known: longrope that is never longer. */
    const bool divisors = s->kind == ROPE_LLAMA3 && s->factor == 0;
    const bool lists = divisors || s->kind == ROPE_LONGROPE;
    const float *longs = divisors ? s->divisor : s->long_divisor;

    jv_set_string(o, "rope_type", rope_kind_name(divisors ? ROPE_LONGROPE : s->kind));
    set_some(o, "factor", s->factor);
    set_some(o, "attention_factor", divisors ? 1 : s->attention_factor);
    set_some(o, "low_freq_factor", s->low_freq_factor);
    set_some(o, "high_freq_factor", s->high_freq_factor);
    set_some(o, "beta_fast", s->beta_fast);
    set_some(o, "beta_slow", s->beta_slow);
    set_some(o, "mscale", s->mscale);
    set_some(o, "mscale_all_dim", s->mscale_all_dim);
    if (s->original_positions)
        jv_set_int(o, "original_max_position_embeddings", s->original_positions);
    if (s->no_truncate)
        jv_set_bool(o, "truncate", false);
    if (lists) {
        jv_set_adopt(o, "short_factor", divisor_list(s->divisor, s->n_divisors));
        jv_set_adopt(o, "long_factor", divisor_list(longs, s->n_divisors));
    }
}

static struct json *rope_parameters(const struct model_config *c, double part)
{
    struct json *rope = jv_object();

    set_scaling(rope, &c->rope);
    jv_set_real(rope, "rope_theta", c->rope_theta);
    if (part != 1)
        jv_set_real(rope, "partial_rotary_factor", part);
    return rope;
}

static void set_rope(struct json *o, const struct model_config *c)
{
    const double part = c->rotary_dim ? (double)c->rotary_dim / c->head_dim : 1;
    struct json *full = rope_parameters(c, part), *both, *windowed, *scaling;

    jv_set_real(o, "rope_theta", c->rope_theta);
    scaling = c->rope.kind == ROPE_DEFAULT ? jv_null() : jv_object();
    if (c->rope.kind != ROPE_DEFAULT)
        set_scaling(scaling, &c->rope);
    jv_set_adopt(o, "rope_scaling", scaling);
    if (part != 1)
        jv_set_real(o, "partial_rotary_factor", part);
    if (c->rope.kind == ROPE_LONGROPE && c->rope.original_positions)
        jv_set_int(o, "original_max_position_embeddings", c->rope.original_positions);
    if (strcmp(c->model_type, "gemma3_text") != 0) {
        jv_set_adopt(o, "rope_parameters", full);
        return;
    }
    windowed = jv_object();
    jv_set_string(windowed, "rope_type", "default");
    jv_set_real(windowed, "rope_theta", c->window_rope_theta != 0 ? c->window_rope_theta : 10000);
    jv_set_real(o, "rope_local_base_freq",
                c->window_rope_theta != 0 ? c->window_rope_theta : 10000);
    both = jv_object();
    jv_set_adopt(both, "full_attention", full);
    jv_set_adopt(both, "sliding_attention", windowed);
    jv_set_adopt(o, "rope_parameters", both);
}

static struct json *layer_types(const struct model_config *c)
{
    struct json *list = jv_array();

    for (int32_t l = 0; l < c->n_layers; l++)
        jv_append_adopt(list, jv_string(model_config_has_window(c, l) ? "sliding_attention"
                                                                      : "full_attention"));
    return list;
}

static struct json *real_or_null(float v)
{
    return v != 0 ? jv_real(short_double(v)) : jv_null();
}

/* Windows, activation and scales, under the names that the family's class has. */
static void set_family(struct json *o, const struct model_config *c)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    const bool gelu = f && (f->flags & FAMILY_GELU);
    const bool qwen = strncmp(c->model_type, "qwen", 4) == 0;
    const double scale = (double)c->attention_scale;

    jv_set_string(o, "hidden_act", gelu ? "gelu_pytorch_tanh" : "silu");
    jv_set_adopt(o, "sliding_window", c->window ? jv_int(c->window) : jv_null());
    if (qwen) {
        jv_set_bool(o, "use_sliding_window", c->window > 0);
        jv_set_int(o, "max_window_layers", c->window ? 0 : c->n_layers);
    }
    if (c->window ? c->window_pattern > 0 : gelu)
        jv_set_adopt(o, "layer_types", layer_types(c));
    if (!gelu)
        return;
    jv_set_string(o, "hidden_activation", "gelu_pytorch_tanh");
    jv_set_int(o, "query_pre_attn_scalar",
               scale == 0 ? c->head_dim : (int64_t)lround(1 / (scale * scale)));
    jv_set_adopt(o, "attn_logit_softcapping", real_or_null(c->attention_softcap));
    jv_set_adopt(o, "final_logit_softcapping", real_or_null(c->logit_softcap));
    if (c->window_pattern)
        jv_set_int(o, "sliding_window_pattern", c->window_pattern);
}

void model_config_write(const struct model_config *c, struct str *out)
{
    struct json *o = jv_object(), *names = jv_array(), *own;

    jv_append_adopt(names, jv_string(c->architecture));
    jv_set_adopt(o, "architectures", names);
    jv_set_string(o, "model_type", c->model_type);
    jv_set_int(o, "hidden_size", c->hidden_size);
    jv_set_int(o, "intermediate_size", c->intermediate_size);
    jv_set_int(o, "num_hidden_layers", c->n_layers);
    jv_set_int(o, "num_attention_heads", c->n_heads);
    jv_set_int(o, "num_key_value_heads", c->n_kv_heads);
    jv_set_int(o, "head_dim", c->head_dim);
    jv_set_int(o, "vocab_size", c->vocab_size);
    jv_set_int(o, "max_position_embeddings", c->max_position_embeddings);
    jv_set_real(o, "rms_norm_eps", short_double(c->rms_norm_eps));
    jv_set_real(o, "initializer_range", c->initializer_range);
    jv_set_bool(o, "tie_word_embeddings", c->tie_word_embeddings);
    jv_set_bool(o, "attention_bias", false);
    jv_set_real(o, "attention_dropout", 0);
    set_family(o, c);
    set_rope(o, c);
    set_ids(o, c);
    jv_set_bool(o, "use_cache", true);
    jv_set_string(o, "torch_dtype", torch_name(c->dtype));
    jv_set_string(o, "dtype", torch_name(c->dtype));
    if (c->codec[0]) {
        own = jv_object();
        jv_set_string(own, "codec", c->codec);
        jv_set_adopt(o, "troupe", own);
    }
    jv_write(o, 2, out);
    str_putc(out, '\n');
    jv_unref(o);
}

void model_config_write_generation(const struct model_config *c, struct str *out)
{
    struct json *o = jv_object();

    jv_set_bool(o, "_from_model_config", true);
    set_ids(o, c);
    jv_write(o, 2, out);
    str_putc(out, '\n');
    jv_unref(o);
}
