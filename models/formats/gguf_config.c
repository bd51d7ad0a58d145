/* gguf_config.c - see gguf_config.h.
 *
 * Keys are those of the GGUF specification: general.*, ARCHITECTURE.*, tokenizer.ggml.*. What the
 * keys do not say (the pattern of windows, the scale of Gemma's scores) is taken from transformers'
 * configuration classes of the family.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_config.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/formats/model_family.h"
#include "models/formats/rope_scaling.h"
#include "runtime/base/memory.h"

/* Keeps the first error, so that keys can be read one after the other. */
struct reader {
    const struct gguf *g;
    const struct model_family *family;
    struct error *err;
    enum status st;
    char key[128];
};

/* The key ARCHITECTURE.name, or `name` itself when it begins with "tokenizer.". NULL: not there. */
static const char *find_key(struct reader *r, const char *name)
{
    if (strncmp(name, "tokenizer.", 10) == 0)
        (void)snprintf(r->key, sizeof(r->key), "%s", name);
    else
        (void)snprintf(r->key, sizeof(r->key), "%s.%s", r->family->gguf, name);
    return gguf_find(r->g, r->key) ? r->key : NULL;
}

static bool required(struct reader *r, const char *name)
{
    if (!find_key(r, name) && r->st == STATUS_OK)
        r->st = error_set(r->err, STATUS_INVALID, "%s: the key \"%s\" is missing", gguf_name(r->g),
                          r->key);
    return r->st == STATUS_OK;
}

static int32_t read_int(struct reader *r, const char *name, int64_t min, int32_t otherwise)
{
    int64_t i = otherwise;

    if (r->st == STATUS_OK && find_key(r, name))
        r->st = gguf_get_int(r->g, r->key, min, INT32_MAX, &i, r->err);
    return (int32_t)i;
}

static int32_t read_size(struct reader *r, const char *name)
{
    return required(r, name) ? read_int(r, name, 1, 0) : 0;
}

static double read_real(struct reader *r, const char *name, double otherwise)
{
    double d = otherwise;

    if (r->st == STATUS_OK && find_key(r, name))
        r->st = gguf_get_real(r->g, r->key, &d, r->err);
    return d;
}

static void refuse(struct reader *r, const char *name, const char *problem)
{
    (void)find_key(r, name);
    if (r->st == STATUS_OK)
        r->st = error_set(r->err, STATUS_UNSUPPORTED, "%s: \"%s\": %s", gguf_name(r->g), r->key,
                          problem);
}

static enum status find_family(const struct gguf *g, const struct model_family **out,
                               struct error *err)
{
    struct str known = STR_INIT;
    const char *text;
    size_t n;
    enum status st = gguf_get_text(g, "general.architecture", &text, &n, err);

    if (st)
        return st == STATUS_NOT_FOUND ? STATUS_INVALID : st;
    *out = model_family_of_gguf(text, n);
    if (*out)
        return STATUS_OK;
    for (size_t i = 0; model_family_at(i); i++) {
        const char *name = model_family_at(i)->gguf;

        if (model_family_of_gguf(name, strlen(name)) == model_family_at(i))
            str_printf(&known, "%s%s", i ? ", " : "", name);
    }
    (void)error_set(err, STATUS_UNSUPPORTED, "%s: architecture \"%.*s\" is not supported",
                    gguf_name(g), n < 64 ? (int)n : 64, text);
    error_hint(err, "this build reads %s", str_cstr(&known));
    str_deinit(&known);
    return STATUS_UNSUPPORTED;
}

static void read_sizes(struct reader *r, struct model_config *c)
{
    const struct gguf_tensor *embedding = gguf_tensor_find(r->g, "token_embd.weight");

    c->n_layers = read_size(r, "block_count");
    c->hidden_size = read_size(r, "embedding_length");
    c->intermediate_size = read_size(r, "feed_forward_length");
    c->n_heads = read_size(r, "attention.head_count");
    c->n_kv_heads = read_int(r, "attention.head_count_kv", 1, c->n_heads);
    c->max_position_embeddings = read_size(r, "context_length");
    if (r->st)
        return;
    if (!find_key(r, "attention.key_length") && c->hidden_size % c->n_heads != 0)
        refuse(r, "attention.key_length", "is missing, and the heads do not divide the width");
    c->head_dim = read_int(r, "attention.key_length", 1, c->hidden_size / c->n_heads);
    if (read_int(r, "attention.value_length", 1, c->head_dim) != c->head_dim)
        refuse(r, "attention.value_length", "must be equal to attention.key_length");
    if (read_int(r, "expert_count", 0, 0) != 0)
        refuse(r, "expert_count", "experts are not supported");
    if (r->st == STATUS_OK &&
        (!embedding || embedding->n_dims != 2 || embedding->dim[1] > INT32_MAX))
        r->st = error_set(r->err, STATUS_INVALID,
                          "%s: the tensor \"token_embd.weight\" is missing or has no rows",
                          gguf_name(r->g));
    if (r->st == STATUS_OK)
        c->vocab_size = (int32_t)embedding->dim[1];
    c->rms_norm_eps = (float)read_real(r, "attention.layer_norm_rms_epsilon", 1e-6);
    c->tie_word_embeddings = !gguf_tensor_find(r->g, "output.weight");
}

static void read_rope_kind(struct reader *r, struct rope_scaling *rope)
{
    static const struct {
        const char *name;
        enum rope_kind kind;
    } kinds[] = {{"none", ROPE_DEFAULT},
                 {"linear", ROPE_LINEAR},
                 {"yarn", ROPE_YARN},
                 {"longrope", ROPE_LONGROPE}};
    const char *text;
    size_t n, i = 0;

    if (!find_key(r, "rope.scaling.type") || r->st)
        return;
    r->st = gguf_get_text(r->g, r->key, &text, &n, r->err);
    if (r->st)
        return;
    while (i < ARRAY_LEN(kinds) &&
           (strlen(kinds[i].name) != n || memcmp(kinds[i].name, text, n) != 0))
        i++;
    if (i < ARRAY_LEN(kinds))
        rope->kind = kinds[i].kind;
    else
        r->st = error_set(r->err, STATUS_UNSUPPORTED, "%s: \"%s\": \"%.*s\" is not supported",
                          gguf_name(r->g), r->key, n < 64 ? (int)n : 64, text);
}

/* Divisors of frequencies, which a GGUF has as a tensor. */
static int32_t read_divisors(struct reader *r, const char *name, float *out)
{
    const struct gguf_tensor *t = gguf_tensor_find(r->g, name);

    if (!t || r->st)
        return 0;
    if (t->type->dtype != DTYPE_F32 || t->n_dims != 1 || t->dim[0] < 1 ||
        t->dim[0] > ROPE_MAX_PAIRS) {
        r->st = error_set(r->err, STATUS_UNSUPPORTED,
                          "%s: tensor \"%s\" is not a list of at most %d F32 values",
                          gguf_name(r->g), name, ROPE_MAX_PAIRS);
        return 0;
    }
    memcpy(out, t->data, (size_t)t->dim[0] * sizeof(*out));
    return (int32_t)t->dim[0];
}

static void read_scaling(struct reader *r, struct rope_scaling *rope)
{
    read_rope_kind(r, rope);
    rope->factor = read_real(r, "rope.scaling.factor", 0);
    rope->attention_factor = read_real(r, "rope.scaling.attn_factor", 0);
    rope->original_positions = read_int(r, "rope.scaling.original_context_length", 0, 0);
    rope->beta_fast = read_real(r, "rope.scaling.yarn_beta_fast", 0);
    rope->beta_slow = read_real(r, "rope.scaling.yarn_beta_slow", 0);
    /* There it multiplies what the rule of yarn gives. */
    if (rope->kind == ROPE_YARN && rope->attention_factor > 0 && rope->factor > 1)
        rope->attention_factor *= 1 + 0.1 * log(rope->factor);
    rope->n_divisors = read_divisors(r, "rope_freqs.weight", rope->divisor);
    if (rope->n_divisors)
        rope->kind = ROPE_LLAMA3;
    else if (gguf_tensor_find(r->g, "rope_factors_long.weight"))
        rope->kind = ROPE_LONGROPE;
    if (rope->kind != ROPE_LONGROPE || r->st)
        return;
    rope->factor = 0; /* the lengths and the divisors say it */
    rope->n_divisors = read_divisors(r, "rope_factors_short.weight", rope->divisor);
    if (read_divisors(r, "rope_factors_long.weight", rope->long_divisor) != rope->n_divisors &&
        r->st == STATUS_OK)
        r->st = error_set(r->err, STATUS_INVALID,
                          "%s: rope_factors_long.weight and rope_factors_short.weight are not of "
                          "one length",
                          gguf_name(r->g));
}

/* The numbers of Llama 3.1 to 3.3 behind the divisors, for a config.json; divisors of other numbers
 * stay what they are. */
static void recognise_llama3(struct model_config *c)
{
    struct model_config try = *c;
    float divisor[ROPE_MAX_PAIRS];

    if (c->rope.kind != ROPE_LLAMA3 || c->rope.n_divisors != rope_rotary_dim(c) / 2)
        return;
    try.rope.factor = (double)c->rope.divisor[c->rope.n_divisors - 1]; /* of the longest wave */
    try.rope.low_freq_factor = 1;
    try.rope.high_freq_factor = 4;
    try.rope.original_positions = 8192;
    rope_llama3_divisors(&try, divisor);
    for (int32_t i = 0; i < c->rope.n_divisors; i++)
        if (!(fabsf(divisor[i] - c->rope.divisor[i]) <= 1e-5f * divisor[i]))
            return;
    c->rope = try.rope;
}

static void read_rope(struct reader *r, struct model_config *c)
{
    c->rope_theta = read_real(r, "rope.freq_base", 10000);
    c->rotary_dim = read_int(r, "rope.dimension_count", 1, c->head_dim);
    if (c->rotary_dim == c->head_dim)
        c->rotary_dim = 0;
    read_scaling(r, &c->rope);
    recognise_llama3(c);
}

/* The two largest Gemma scale scores by their width a head, not by the head's size. */
static void read_attention(struct reader *r, struct model_config *c)
{
    const bool gemma2 = strcmp(r->family->gguf, "gemma2") == 0;
    const bool gemma3 = strcmp(r->family->gguf, "gemma3") == 0;

    c->window = read_int(r, "attention.sliding_window", 0, 0);
    c->attention_scale = (float)read_real(r, "attention.scale", 0);
    c->attention_softcap = (float)read_real(r, "attn_logit_softcapping", 0);
    c->logit_softcap = (float)read_real(r, "final_logit_softcapping", 0);
    if (r->st)
        return;
    if (gemma2 && c->window > 0)
        c->window_pattern = 2;
    if (gemma3 && c->window > 0) {
        c->window_pattern = 6;
        c->window_rope_theta = read_real(r, "rope.freq_base_swa", 10000);
    }
    if (c->window > 0 && find_key(r, "attention.sliding_window_pattern") &&
        gguf_find(r->g, r->key)->kind != GGUF_ARRAY)
        c->window_pattern = read_int(r, "attention.sliding_window_pattern", 0, 0);
    if (c->attention_scale == 0 && ((gemma2 && c->n_layers == 46) || (gemma3 && c->n_layers == 62)))
        c->attention_scale = 1.0f / sqrtf((float)c->hidden_size / (float)c->n_heads);
}

static void add_eos(struct reader *r, const char *name, struct model_config *c)
{
    const int32_t id = read_int(r, name, 0, -1);

    for (int32_t i = 0; i < c->n_eos; i++)
        if (c->eos_id[i] == id)
            return;
    if (id >= 0 && c->n_eos < MODEL_CONFIG_MAX_EOS)
        c->eos_id[c->n_eos++] = id;
}

static void read_ids(struct reader *r, struct model_config *c)
{
    c->bos_id = read_int(r, "tokenizer.ggml.bos_token_id", 0, -1);
    c->pad_id = read_int(r, "tokenizer.ggml.padding_token_id", 0, -1);
    add_eos(r, "tokenizer.ggml.eos_token_id", c);
    add_eos(r, "tokenizer.ggml.eot_token_id", c);
    add_eos(r, "tokenizer.ggml.eom_token_id", c);
}

/* The dtype of most bytes; the first of those that are read. */
static enum dtype main_dtype(const struct gguf *g)
{
    size_t bytes[DTYPE_N + 1] = {0};
    int best = DTYPE_F32;

    for (int32_t i = 0; i < gguf_n_tensors(g); i++)
        bytes[gguf_tensor_at(g, i)->type->dtype] += gguf_tensor_at(g, i)->bytes;
    for (int t = 0; t < DTYPE_N; t++)
        if (bytes[t] > bytes[best])
            best = t;
    return (enum dtype)best;
}

static void read_codec(struct reader *r, struct model_config *c)
{
    const char *text;
    size_t n;

    if (r->st || !gguf_find(r->g, "troupe.codec"))
        return;
    r->st = gguf_get_text(r->g, "troupe.codec", &text, &n, r->err);
    if (r->st == STATUS_OK && (n >= sizeof(c->codec) || memchr(text, '\0', n)))
        r->st =
            error_set(r->err, STATUS_INVALID, "%s: \"troupe.codec\": is too long", gguf_name(r->g));
    if (r->st == STATUS_OK)
        memcpy(c->codec, text, n);
}

enum status gguf_config(const struct gguf *g, struct model_config *out, struct error *err)
{
    struct reader r = {.g = g, .err = err};
    struct model_config c = {.bos_id = -1, .pad_id = -1, .initializer_range = 0.02};
    enum status st = find_family(g, &r.family, err);

    if (st)
        return st;
    (void)snprintf(c.architecture, sizeof(c.architecture), "%s", r.family->hf_name);
    (void)snprintf(c.model_type, sizeof(c.model_type), "%s", r.family->model_type);
    read_sizes(&r, &c);
    if (r.st == STATUS_OK)
        read_rope(&r, &c);
    if (r.st == STATUS_OK)
        read_attention(&r, &c);
    read_ids(&r, &c);
    read_codec(&r, &c);
    c.dtype = main_dtype(g);
    if (r.st == STATUS_OK)
        r.st = model_config_check(&c, gguf_name(g), err);
    if (r.st == STATUS_OK)
        *out = c;
    return r.st;
}
