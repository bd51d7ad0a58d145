/* model_config.c - config.json and generation_config.json, read and checked.
 *
 * Names and defaults are those of transformers' Qwen3Config (4.51 to 5.x; 5 moved
 * rope_theta into rope_parameters and renamed torch_dtype to dtype).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/seams.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

#define MAX_HIDDEN       65536
#define MAX_INTERMEDIATE 1048576
#define MAX_LAYERS       1024
#define MAX_HEADS        1024
#define MAX_HEAD_DIM     1024
#define MAX_VOCAB        4194304
#define MAX_POSITIONS    16777216

/* A reader keeps the first error, so fields can be read one after the other. */
struct reader {
    const char *name; /* of the file */
    const struct json *root;
    struct error *err;
    enum status st;
};

const char *rope_kind_name(enum rope_kind kind)
{
    static const char *const names[] = {[ROPE_DEFAULT] = "default",
                                        [ROPE_LINEAR] = "linear",
                                        [ROPE_LLAMA3] = "llama3",
                                        [ROPE_YARN] = "yarn",
                                        [ROPE_LONGROPE] = "longrope"};

    return names[kind];
}

static void fault(struct reader *r, enum status status, const char *key, const char *problem)
{
    if (r->st == STATUS_OK)
        r->st = error_set(r->err, status, "%s: \"%s\": %s", r->name, key, problem);
}

static bool is_null(const struct json *v)
{
    return jv_kind(v) == JV_NULL;
}

/* An integer in [min, max]. `otherwise` below min: the field is required. */
static int32_t read_int(struct reader *r, const char *key, int32_t min, int32_t max,
                        int32_t otherwise)
{
    const struct json *v = jv_get(r->root, key);
    int64_t i;

    if (is_null(v)) {
        if (otherwise < min)
            fault(r, STATUS_INVALID, key, "is missing");
        return otherwise;
    }
    i = jv_get_int(v, INT64_MIN);
    if (jv_kind(v) != JV_INT || i < min || i > max) {
        if (r->st == STATUS_OK)
            r->st =
                error_set(r->err, STATUS_INVALID, "%s: \"%s\": must be an integer from %d to %d",
                          r->name, key, min, max);
        return min;
    }
    return (int32_t)i;
}

static double read_number(struct reader *r, const struct json *v, const char *key, double above,
                          double max, double otherwise)
{
    double d = jv_get_number(v, -1);

    if (is_null(v))
        return otherwise;
    if ((jv_kind(v) != JV_INT && jv_kind(v) != JV_REAL) || !(d > above && d <= max)) {
        if (r->st == STATUS_OK)
            r->st = error_set(r->err, STATUS_INVALID,
                              "%s: \"%s\": must be a number above %g and at most %g", r->name, key,
                              above, max);
        return otherwise;
    }
    return d;
}

static bool read_bool(struct reader *r, const char *key, bool otherwise)
{
    const struct json *v = jv_get(r->root, key);

    if (!is_null(v) && jv_kind(v) != JV_BOOL)
        fault(r, STATUS_INVALID, key, "must be true or false");
    return jv_get_bool(v, otherwise);
}

static void read_text(struct reader *r, const struct json *v, const char *key, char *out,
                      size_t size)
{
    const char *text = jv_get_string(v, NULL);

    if (text == NULL || strlen(text) >= size)
        fault(r, STATUS_INVALID, key, text ? "is too long" : "must be a string");
    else
        memcpy(out, text, strlen(text) + 1);
}

/* A field that only has one value here. */
static void refuse_true(struct reader *r, const char *key)
{
    if (read_bool(r, key, false))
        fault(r, STATUS_UNSUPPORTED, key, "true is not supported");
}

static void read_architecture(struct reader *r, struct model_config *c)
{
    const struct json *list = jv_get(r->root, "architectures");

    read_text(r, jv_get(r->root, "model_type"), "model_type", c->model_type, sizeof(c->model_type));
    if (is_null(list))
        memcpy(c->architecture, "Qwen3ForCausalLM", sizeof("Qwen3ForCausalLM"));
    else if (jv_kind(list) != JV_ARRAY || jv_size(list) != 1)
        fault(r, STATUS_INVALID, "architectures", "must be a list of one name");
    else
        read_text(r, jv_at(list, 0), "architectures", c->architecture, sizeof(c->architecture));
    if (r->st == STATUS_OK && strcmp(c->model_type, "qwen3") != 0)
        r->st = error_set(r->err, STATUS_UNSUPPORTED,
                          "%s: \"model_type\": \"%s\" is not supported, only qwen3", r->name,
                          c->model_type);
    if (r->st == STATUS_OK && strcmp(c->architecture, "Qwen3ForCausalLM") != 0)
        r->st = error_set(r->err, STATUS_UNSUPPORTED,
                          "%s: \"architectures\": \"%s\" is not supported, only Qwen3ForCausalLM",
                          r->name, c->architecture);
}

static void refuse_rope_type(struct reader *r, const struct json *rope, const char *key)
{
    const char *type = jv_get_string(jv_get(rope, "rope_type"), NULL);

    if (is_null(rope))
        return;
    if (jv_kind(rope) != JV_OBJECT) {
        fault(r, STATUS_INVALID, key, "must be an object");
        return;
    }
    if (type == NULL)
        type = jv_get_string(jv_get(rope, "type"), "default");
    if (strcmp(type, "default") != 0 && r->st == STATUS_OK)
        r->st =
            error_set(r->err, STATUS_UNSUPPORTED,
                      "%s: \"%s\": type \"%s\" is not supported, only default", r->name, key, type);
    if (!is_null(jv_get(rope, "partial_rotary_factor")) &&
        jv_get_number(jv_get(rope, "partial_rotary_factor"), 0) != 1)
        fault(r, STATUS_UNSUPPORTED, key, "a partial_rotary_factor is not supported");
}

static void read_rope(struct reader *r, struct model_config *c)
{
    static const char *const places[] = {"rope_parameters", "rope_scaling"};

    c->rope_theta = read_number(r, jv_get(r->root, "rope_theta"), "rope_theta", 1, 1e12, 10000);
    for (size_t i = 0; i < 2; i++) {
        const struct json *rope = jv_get(r->root, places[i]);

        refuse_rope_type(r, rope, places[i]);
        if (!is_null(rope) && r->st == STATUS_OK)
            c->rope_theta =
                read_number(r, jv_get(rope, "rope_theta"), "rope_theta", 1, 1e12, c->rope_theta);
    }
}

static void read_dtype(struct reader *r, struct model_config *c)
{
    const struct json *v = jv_get(r->root, "dtype");
    const char *key = "dtype", *text;

    if (is_null(v)) {
        key = "torch_dtype";
        v = jv_get(r->root, key);
    }
    text = jv_get_string(v, is_null(v) ? "float32" : "");
    if (strcmp(text, "float32") == 0)
        c->dtype = DTYPE_F32;
    else if (strcmp(text, "bfloat16") == 0)
        c->dtype = DTYPE_BF16;
    else if (strcmp(text, "float16") == 0)
        c->dtype = DTYPE_F16;
    else
        fault(r, STATUS_UNSUPPORTED, key, "must be float32, bfloat16 or float16");
}

static void refuse_what_changes_the_pass(struct reader *r)
{
    const struct json *types = jv_get(r->root, "layer_types");
    const char *act = jv_get_string(jv_get(r->root, "hidden_act"), "silu");

    refuse_true(r, "attention_bias");
    refuse_true(r, "mlp_bias");
    refuse_true(r, "use_sliding_window");
    if (strcmp(act, "silu") != 0 && r->st == STATUS_OK)
        r->st = error_set(r->err, STATUS_UNSUPPORTED,
                          "%s: \"hidden_act\": \"%s\" is not supported, only silu", r->name, act);
    for (size_t i = 0; i < jv_size(types) && jv_kind(types) == JV_ARRAY; i++)
        if (strcmp(jv_get_string(jv_at(types, i), ""), "full_attention") != 0)
            fault(r, STATUS_UNSUPPORTED, "layer_types", "only full_attention is supported");
    if (!is_null(jv_get(r->root, "quantization_config")))
        fault(r, STATUS_UNSUPPORTED, "quantization_config", "quantised weights are not supported");
}

/* An id, a list of ids or null. */
static int32_t read_ids(struct reader *r, const char *key, int32_t *id, int32_t max, int32_t had)
{
    const struct json *v = jv_get(r->root, key);
    const size_t n = jv_kind(v) == JV_ARRAY ? jv_size(v) : 1;

    if (is_null(v))
        return had;
    if (n > (size_t)max) {
        fault(r, STATUS_LIMIT, key, "too many ids");
        return had;
    }
    for (size_t i = 0; i < n; i++) {
        const struct json *one = jv_kind(v) == JV_ARRAY ? jv_at(v, i) : v;
        const int64_t x = jv_get_int(one, -1);

        if (x < 0 || x >= MAX_VOCAB) {
            fault(r, STATUS_INVALID, key, "must be a token id or a list of them");
            return had;
        }
        id[i] = (int32_t)x;
    }
    return (int32_t)n;
}

static void read_special_ids(struct reader *r, struct model_config *c)
{
    int32_t one = -1;

    if (read_ids(r, "bos_token_id", &one, 1, 0) == 1)
        c->bos_id = one;
    if (read_ids(r, "pad_token_id", &one, 1, 0) == 1)
        c->pad_id = one;
    c->n_eos = read_ids(r, "eos_token_id", c->eos_id, MODEL_CONFIG_MAX_EOS, c->n_eos);
}

static void read_codec(struct reader *r, struct model_config *c)
{
    const struct json *own = jv_get(r->root, "troupe");

    if (is_null(own))
        return;
    if (jv_kind(own) != JV_OBJECT)
        fault(r, STATUS_INVALID, "troupe", "must be an object");
    else if (!is_null(jv_get(own, "codec")))
        read_text(r, jv_get(own, "codec"), "troupe.codec", c->codec, sizeof(c->codec));
}

static void read_fields(struct reader *r, struct model_config *c)
{
    *c = (struct model_config){.bos_id = -1, .pad_id = -1};
    read_architecture(r, c);
    c->hidden_size = read_int(r, "hidden_size", 1, MAX_HIDDEN, 0);
    c->intermediate_size = read_int(r, "intermediate_size", 1, MAX_INTERMEDIATE, 0);
    c->n_layers = read_int(r, "num_hidden_layers", 1, MAX_LAYERS, 0);
    c->n_heads = read_int(r, "num_attention_heads", 1, MAX_HEADS, 0);
    c->n_kv_heads = read_int(r, "num_key_value_heads", 1, MAX_HEADS, 0);
    c->head_dim = read_int(r, "head_dim", 2, MAX_HEAD_DIM, 128);
    c->vocab_size = read_int(r, "vocab_size", 1, MAX_VOCAB, 0);
    c->max_position_embeddings = read_int(r, "max_position_embeddings", 1, MAX_POSITIONS, 32768);
    c->rms_norm_eps =
        (float)read_number(r, jv_get(r->root, "rms_norm_eps"), "rms_norm_eps", 0, 1, 1e-6);
    c->initializer_range =
        read_number(r, jv_get(r->root, "initializer_range"), "initializer_range", 0, 10, 0.02);
    c->tie_word_embeddings = read_bool(r, "tie_word_embeddings", false);
    read_rope(r, c);
    read_dtype(r, c);
    refuse_what_changes_the_pass(r);
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
                         void (*read)(struct reader *r, struct model_config *c),
                         struct model_config *out, struct error *err)
{
    struct model_config c = *out;
    struct json *root = NULL;
    struct reader r = {.name = name, .err = err};
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

static enum status check_range(const char *name, const char *key, int64_t v, int64_t min,
                               int64_t max, struct error *err)
{
    if (v >= min && v <= max)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s: \"%s\": %lld is not between %lld and %lld", name,
                     key, (long long)v, (long long)min, (long long)max);
}

static enum status check_ids(const struct model_config *c, const char *name, struct error *err)
{
    enum status st = check_range(name, "bos_token_id", c->bos_id, -1, c->vocab_size - 1, err);

    if (st == STATUS_OK)
        st = check_range(name, "pad_token_id", c->pad_id, -1, c->vocab_size - 1, err);
    if (st == STATUS_OK)
        st = check_range(name, "eos_token_id", c->n_eos, 0, MODEL_CONFIG_MAX_EOS, err);
    for (int32_t i = 0; i < c->n_eos && st == STATUS_OK; i++)
        st = check_range(name, "eos_token_id", c->eos_id[i], 0, c->vocab_size - 1, err);
    return st;
}

enum status model_config_check(const struct model_config *c, const char *name, struct error *err)
{
    const struct {
        const char *key;
        int64_t value, min, max;
    } ranges[] = {
        {"hidden_size", c->hidden_size, 1, MAX_HIDDEN},
        {"intermediate_size", c->intermediate_size, 1, MAX_INTERMEDIATE},
        {"num_hidden_layers", c->n_layers, 1, MAX_LAYERS},
        {"num_attention_heads", c->n_heads, 1, MAX_HEADS},
        {"num_key_value_heads", c->n_kv_heads, 1, c->n_heads},
        {"head_dim", c->head_dim, 2, MAX_HEAD_DIM},
        {"vocab_size", c->vocab_size, 1, MAX_VOCAB},
        {"max_position_embeddings", c->max_position_embeddings, 1, MAX_POSITIONS},
        {"dtype", c->dtype, 0, DTYPE_N - 1},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        enum status st =
            check_range(name, ranges[i].key, ranges[i].value, ranges[i].min, ranges[i].max, err);
        if (st)
            return st;
    }
    if (c->n_heads % c->n_kv_heads != 0)
        return error_set(err, STATUS_INVALID,
                         "%s: \"num_attention_heads\": %d is not a multiple of "
                         "num_key_value_heads, %d",
                         name, c->n_heads, c->n_kv_heads);
    if (c->head_dim % 2 != 0)
        return error_set(err, STATUS_INVALID, "%s: \"head_dim\": %d is odd", name, c->head_dim);
    if (!(c->rms_norm_eps > 0 && c->rms_norm_eps <= 1))
        return error_set(err, STATUS_INVALID, "%s: \"rms_norm_eps\": %g must be above 0", name,
                         (double)c->rms_norm_eps);
    if (!(c->rope_theta > 1 && c->rope_theta <= 1e12))
        return error_set(err, STATUS_INVALID, "%s: \"rope_theta\": %g must be above 1", name,
                         c->rope_theta);
    return check_ids(c, name, err);
}

static enum status load_file(const char *dir, const char *base, struct str *path, char **text,
                             size_t *n, struct error *err)
{
    str_clear(path);
    str_printf(path, "%s/%s", dir, base);
    return file_read(str_cstr(path), MAX_CONFIG_BYTES, text, n, err);
}

enum status model_config_load_dir(const char *dir, struct model_config *out, struct error *err)
{
    struct model_config c;
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n;
    enum status st = load_file(dir, "config.json", &path, &text, &n, err);

    if (st)
        goto done;
    st = model_config_parse(text, n, str_cstr(&path), &c, err);
    if (st)
        goto done;
    str_clear(&path);
    str_printf(&path, "%s/generation_config.json", dir);
    if (file_exists(str_cstr(&path))) {
        free(text);
        text = NULL;
        st = load_file(dir, "generation_config.json", &path, &text, &n, err);
        if (st == STATUS_OK)
            st = model_config_parse_generation(text, n, str_cstr(&path), &c, err);
    }
    if (st == STATUS_OK)
        *out = c;
done:
    free(text);
    str_deinit(&path);
    return st;
}

int64_t model_config_n_parameters(const struct model_config *c)
{
    const int64_t C = c->hidden_size, D = c->head_dim, H = c->n_heads, G = c->n_kv_heads;
    const int64_t layer = C * H * D * 2 + C * G * D * 2 + 3 * C * c->intermediate_size + 2 * C +
                          2 * D; /* q, o; k, v; gate, up, down; two norms; q and k norms */
    const int64_t tables = c->tie_word_embeddings ? 1 : 2;

    return tables * c->vocab_size * C + c->n_layers * layer + C;
}
