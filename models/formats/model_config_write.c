/* model_config_write.c - config.json and generation_config.json of what Troupe trained.
 *
 * Fields that transformers 5 renamed are written under both names, so that 4.5x and 5.x
 * load the same model from the same text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_config.h"

#include <string.h>

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

static void set_rope(struct json *o, const struct model_config *c)
{
    struct json *rope = jv_object();

    jv_set_real(o, "rope_theta", c->rope_theta);
    jv_set_adopt(o, "rope_scaling", jv_null());
    jv_set_real(rope, "rope_theta", c->rope_theta);
    jv_set_string(rope, "rope_type", "default");
    jv_set_adopt(o, "rope_parameters", rope);
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
    jv_set_string(o, "hidden_act", "silu");
    jv_set_real(o, "rms_norm_eps", short_double(c->rms_norm_eps));
    jv_set_real(o, "initializer_range", c->initializer_range);
    jv_set_bool(o, "tie_word_embeddings", c->tie_word_embeddings);
    jv_set_bool(o, "attention_bias", false);
    jv_set_real(o, "attention_dropout", 0);
    jv_set_bool(o, "use_sliding_window", false);
    jv_set_adopt(o, "sliding_window", jv_null());
    jv_set_int(o, "max_window_layers", c->n_layers);
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
