/* model_config_parse.c - config.json and generation_config.json of every family.
 *
 * Names and defaults are those of transformers' configuration classes (4.51 to 5.x; 5 moved
 * rope_theta into rope_parameters and renamed torch_dtype to dtype).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "models/formats/model_config_impl.h"
#include "models/formats/model_family.h"
#include "runtime/base/memory.h"

/* What a family's configuration class takes for a field that is missing. */
struct defaults {
    const char *model_type;
    int32_t head_dim; /* 0: hidden_size / num_attention_heads */
    int32_t max_positions;
    bool kv_heads; /* missing: as many as heads */
    bool tied;
    double eps;
};

static const struct defaults defaults[] = {
    {"llama", 0, 2048, true, false, 1e-6},    {"mistral", 0, 131072, false, false, 1e-6},
    {"qwen2", 0, 32768, false, false, 1e-6},  {"qwen3", 128, 32768, false, false, 1e-6},
    {"gemma2", 256, 8192, false, true, 1e-6}, {"gemma3_text", 256, 131072, false, true, 1e-6},
    {"phi3", 0, 4096, true, false, 1e-5},
};

static const struct defaults *defaults_of(const struct model_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (strcmp(defaults[i].model_type, c->model_type) == 0)
            return &defaults[i];
    return &defaults[0]; /* refused already */
}

static void refuse_architecture(struct config_reader *r, const char *key, const char *value,
                                bool classes)
{
    struct str known = STR_INIT;

    if (r->st)
        return;
    for (size_t i = 0; model_family_at(i); i++)
        str_printf(&known, "%s%s", i ? ", " : "",
                   classes ? model_family_at(i)->hf_name : model_family_at(i)->model_type);
    r->st = error_set(r->err, STATUS_UNSUPPORTED, "%s: \"%s\": \"%s\" is not supported", r->name,
                      key, value);
    error_hint(r->err, "this build reads %s", str_cstr(&known));
    str_deinit(&known);
}

static void read_architecture(struct config_reader *r, struct model_config *c)
{
    const struct json *list = jv_get(r->root, "architectures");
    const struct model_family *f = NULL;

    config_text(r, jv_get(r->root, "model_type"), "model_type", c->model_type,
                sizeof(c->model_type));
    for (size_t i = 0; model_family_at(i) && !f; i++)
        if (strcmp(model_family_at(i)->model_type, c->model_type) == 0)
            f = model_family_at(i);
    if (!f) {
        refuse_architecture(r, "model_type", c->model_type, false);
        return;
    }
    if (config_null(list))
        (void)snprintf(c->architecture, sizeof(c->architecture), "%s", f->hf_name);
    else if (jv_kind(list) != JV_ARRAY || jv_size(list) != 1)
        config_fault(r, STATUS_INVALID, "architectures", "must be a list of one name");
    else
        config_text(r, jv_at(list, 0), "architectures", c->architecture, sizeof(c->architecture));
    if (strcmp(c->architecture, f->hf_name) != 0)
        refuse_architecture(r, "architectures", c->architecture, true);
}

static void read_dtype(struct config_reader *r, struct model_config *c)
{
    const struct json *v = jv_get(r->root, "dtype");
    const char *key = "dtype", *text;

    if (config_null(v)) {
        key = "torch_dtype";
        v = jv_get(r->root, key);
    }
    text = jv_get_string(v, config_null(v) ? "float32" : "");
    if (strcmp(text, "float32") == 0)
        c->dtype = DTYPE_F32;
    else if (strcmp(text, "bfloat16") == 0)
        c->dtype = DTYPE_BF16;
    else if (strcmp(text, "float16") == 0)
        c->dtype = DTYPE_F16;
    else
        config_fault(r, STATUS_UNSUPPORTED, key, "must be float32, bfloat16 or float16");
}

/* An id, a list of ids or null. */
static int32_t read_ids(struct config_reader *r, const char *key, int32_t *id, int32_t max,
                        int32_t had)
{
    const struct json *v = jv_get(r->root, key);
    const size_t n = jv_kind(v) == JV_ARRAY ? jv_size(v) : 1;

    if (config_null(v))
        return had;
    if (n > (size_t)max) {
        config_fault(r, STATUS_LIMIT, key, "too many ids");
        return had;
    }
    for (size_t i = 0; i < n; i++) {
        const struct json *one = jv_kind(v) == JV_ARRAY ? jv_at(v, i) : v;
        const int64_t x = jv_get_int(one, -1);

        if (x < 0 || x >= MAX_VOCAB) {
            config_fault(r, STATUS_INVALID, key, "must be a token id or a list of them");
            return had;
        }
        id[i] = (int32_t)x;
    }
    return (int32_t)n;
}

static void read_special_ids(struct config_reader *r, struct model_config *c)
{
    int32_t one = -1;

    if (read_ids(r, "bos_token_id", &one, 1, 0) == 1)
        c->bos_id = one;
    if (read_ids(r, "pad_token_id", &one, 1, 0) == 1)
        c->pad_id = one;
    c->n_eos = read_ids(r, "eos_token_id", c->eos_id, MODEL_CONFIG_MAX_EOS, c->n_eos);
}

static void read_codec(struct config_reader *r, struct model_config *c)
{
    const struct json *own = jv_get(r->root, "troupe");

    if (config_null(own))
        return;
    if (jv_kind(own) != JV_OBJECT)
        config_fault(r, STATUS_INVALID, "troupe", "must be an object");
    else if (!config_null(jv_get(own, "codec")))
        config_text(r, jv_get(own, "codec"), "troupe.codec", c->codec, sizeof(c->codec));
}

static void refuse_true(struct config_reader *r, const char *key)
{
    if (config_bool(r, key, false))
        config_fault(r, STATUS_UNSUPPORTED, key, "true is not supported");
}

static void refuse_what_changes_the_pass(struct config_reader *r, const struct model_config *c)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    const bool gelu = f && (f->flags & FAMILY_GELU);
    const char *key =
        gelu && jv_get(r->root, "hidden_activation") ? "hidden_activation" : "hidden_act";
    const char *only = gelu ? "gelu_pytorch_tanh" : "silu";
    const char *act = jv_get_string(jv_get(r->root, key), only);

    refuse_true(r, "attention_bias");
    refuse_true(r, "mlp_bias");
    if (strcmp(act, only) != 0 && r->st == STATUS_OK)
        r->st = error_set(r->err, STATUS_UNSUPPORTED,
                          "%s: \"%s\": \"%s\" is not supported, only %s", r->name, key, act, only);
    if (!config_null(jv_get(r->root, "quantization_config")))
        config_fault(r, STATUS_UNSUPPORTED, "quantization_config",
                     "quantised weights are not supported");
}

static void read_sizes(struct config_reader *r, const struct defaults *d, struct model_config *c)
{
    c->hidden_size = config_int(r, "hidden_size", 1, MAX_HIDDEN, 0);
    c->intermediate_size = config_int(r, "intermediate_size", 1, MAX_INTERMEDIATE, 0);
    c->n_layers = config_int(r, "num_hidden_layers", 1, MAX_LAYERS, 0);
    c->n_heads = config_int(r, "num_attention_heads", 1, MAX_HEADS, 0);
    c->n_kv_heads =
        config_int(r, "num_key_value_heads", 1, MAX_HEADS, d->kv_heads ? c->n_heads : 0);
    if (r->st)
        return;
    if (!d->head_dim && config_null(jv_get(r->root, "head_dim")) &&
        c->hidden_size % c->n_heads != 0)
        config_fault(r, STATUS_INVALID, "head_dim",
                     "is missing, and the heads do not divide the hidden_size");
    c->head_dim = config_int(r, "head_dim", 2, MAX_HEAD_DIM,
                             d->head_dim ? d->head_dim : c->hidden_size / c->n_heads);
    c->vocab_size = config_int(r, "vocab_size", 1, MAX_VOCAB, 0);
    c->max_position_embeddings =
        config_int(r, "max_position_embeddings", 1, MAX_POSITIONS, d->max_positions);
}

static void read_fields(struct config_reader *r, struct model_config *c)
{
    const struct defaults *d;

    *c = (struct model_config){.bos_id = -1, .pad_id = -1};
    read_architecture(r, c);
    if (r->st)
        return;
    d = defaults_of(c);
    read_sizes(r, d, c);
    c->rms_norm_eps =
        (float)config_number(r, jv_get(r->root, "rms_norm_eps"), "rms_norm_eps", 0, 1, d->eps);
    c->initializer_range =
        config_number(r, jv_get(r->root, "initializer_range"), "initializer_range", 0, 10, 0.02);
    c->tie_word_embeddings = config_bool(r, "tie_word_embeddings", d->tied);
    if (r->st)
        return;
    config_attention(r, c);
    config_rope(r, c);
    read_dtype(r, c);
    refuse_what_changes_the_pass(r, c);
    read_special_ids(r, c);
    read_codec(r, c);
}

static enum status parse_object(const char *text, size_t n, const char *name, struct json **out,
                                struct error *err)
{
    enum status st = jv_parse_max(text, n, MAX_CONFIG_BYTES, name, out, err);

    if (st)
        return st;
    if (jv_kind(*out) != JV_OBJECT) {
        jv_unref(*out);
        *out = NULL;
        return error_set(err, STATUS_INVALID, "%s: is not a JSON object", name);
    }
    return STATUS_OK;
}

/* c begins as *out; the result is checked. */
static enum status parse(const char *text, size_t n, const char *name,
                         void (*read)(struct config_reader *r, struct model_config *c),
                         struct model_config *out, struct error *err)
{
    struct model_config c = *out;
    struct json *root = NULL;
    struct config_reader r = {.name = name, .err = err};
    enum status st = parse_object(text, n, name, &root, err);

    if (st)
        return st;
    r.root = root;
    read(&r, &c);
    st = r.st;
    jv_unref(root);
    if (st == STATUS_OK)
        st = model_config_check(&c, name, err);
    if (st == STATUS_OK)
        *out = c;
    return st;
}

enum status model_config_parse(const char *text, size_t n, const char *name,
                               struct model_config *out, struct error *err)
{
    struct model_config c = {0};
    enum status st = parse(text, n, name, read_fields, &c, err);

    if (!st)
        *out = c;
    return st;
}

enum status model_config_parse_generation(const char *text, size_t n, const char *name,
                                          struct model_config *config, struct error *err)
{
    return parse(text, n, name, read_special_ids, config, err);
}
