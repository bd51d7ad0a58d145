/* gguf_quantise.c - which type each tensor gets, and the keys of a model that was no GGUF.
 *
 * The choice of types is that of llama.cpp's quantiser, which names the files: the head (or the
 * embedding that is also the head) in Q6_K, and for q4_k_m Q6_K for half of the layers' attn_v and
 * ffn_down.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_quantise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/gguf_tokenizer.h"
#include "models/formats/gguf_write.h"
#include "models/formats/model_check.h"
#include "models/formats/model_family.h"
#include "models/formats/rope_scaling.h"
#include "runtime/base/memory.h"

struct recipe {
    const char *name;
    enum dtype type, head;
    bool more_bits;
    uint32_t file_type; /* general.file_type */
};

static const struct recipe recipes[] = {
    {"f32", DTYPE_F32, DTYPE_F32, false, 0},     {"f16", DTYPE_F16, DTYPE_F16, false, 1},
    {"bf16", DTYPE_BF16, DTYPE_BF16, false, 32}, {"q8_0", DTYPE_Q8_0, DTYPE_Q8_0, false, 7},
    {"q4_0", DTYPE_Q4_0, DTYPE_Q6_K, false, 2},  {"q4_1", DTYPE_Q4_1, DTYPE_Q6_K, false, 3},
    {"q5_0", DTYPE_Q5_0, DTYPE_Q6_K, false, 8},  {"q4_k_m", DTYPE_Q4_K, DTYPE_Q6_K, true, 15},
};

struct job {
    const struct recipe *recipe;
    struct model_config config;
    struct gguf_writer *writer;
    bool adds_one; /* the folder's norms lack it */
    struct error *err;
    float divisor[ROPE_MAX_PAIRS]; /* of rotations, and the tensors that hold such */
    struct file_tensor own[2];
};

static enum status find_recipe(const char *name, const struct recipe **out, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(recipes); i++)
        if (strcmp(recipes[i].name, name) == 0) {
            *out = &recipes[i];
            return STATUS_OK;
        }
    return error_set(err, STATUS_USAGE, "there is no type \"%s\"; one of " GGUF_RECIPES, name);
}

/* The first and last eighth of the layers, and every third between. */
static bool has_more_bits(int32_t layer, int32_t n_layers)
{
    const int32_t eighth = n_layers / 8;

    return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

static enum dtype wanted_type(const struct job *j, const char *name)
{
    const struct recipe *r = j->recipe;
    int32_t layer = 0;
    char rest[64];

    if (strcmp(name, "output.weight") == 0 ||
        (j->config.tie_word_embeddings && strcmp(name, "token_embd.weight") == 0))
        return r->head;
    if (r->more_bits && sscanf(name, "blk.%d.%63s", &layer, rest) == 2 &&
        (strcmp(rest, "attn_v.weight") == 0 || strcmp(rest, "ffn_down.weight") == 0) &&
        has_more_bits(layer, j->config.n_layers))
        return DTYPE_Q6_K;
    return r->type;
}

static enum dtype fitting_type(enum dtype t, int64_t cols)
{
    if (t == DTYPE_Q4_K && cols % 256 != 0)
        t = DTYPE_Q5_0;
    if (t == DTYPE_Q6_K && cols % 256 != 0)
        t = DTYPE_Q8_0;
    return cols % dtype_info(t)->block != 0 ? DTYPE_F16 : t;
}

/* `name` is the one of GGUF. */
static enum status add_tensor(struct job *j, const char *name, const struct file_tensor *t,
                              int32_t paired_heads)
{
    enum dtype type = DTYPE_F32;

    if (t->dtype == DTYPE_N)
        return error_set(j->err, STATUS_UNSUPPORTED,
                         "%s: tensor \"%s\" has dtype %s, which this build does not read", t->file,
                         t->name, t->type);
    if (t->n_dims < 1 || t->n_dims > GGUF_MAX_DIMS || t->n_elements == 0)
        return error_set(j->err, STATUS_INVALID, "%s: tensor \"%s\" has no shape of a weight",
                         t->file, t->name);
    if (t->n_dims == 2)
        type = fitting_type(wanted_type(j, name), t->shape[1]);
    gguf_add_tensor(j->writer, name, type, t, paired_heads);
    if (t->n_dims == 1 && j->adds_one)
        gguf_add_to_values(j->writer, 1.0f);
    return STATUS_OK;
}

/* ---- from a GGUF */

static bool is_kept(const char *key)
{
    static const char *const left_out[] = {"general.file_type", "general.quantization_version",
                                           "general.alignment"};

    for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
        if (strcmp(key, left_out[i]) == 0)
            return false;
    return strncmp(key, "split.", 6) != 0;
}

static enum status add_gguf(struct job *j, const struct gguf *g, struct tensor_file *tensors)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < gguf_n_values(g); i++)
        if (is_kept(gguf_value_at(g, i)->key))
            gguf_put_value(j->writer, gguf_value_at(g, i));
    for (int32_t i = 0; i < gguf_n_tensors(g) && st == STATUS_OK; i++) /* in the same order */
        st = add_tensor(j, gguf_tensor_at(g, i)->name, tensor_file_at(tensors, i),
                        tensor_file_at(tensors, i)->paired_heads);
    return st;
}

/* ---- from a folder */

static void put_u32(struct job *j, const char *arch, const char *name, int32_t v)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "%s.%s", arch, name);
    gguf_put_u32(j->writer, key, (uint32_t)v);
}

static void put_f32(struct job *j, const char *arch, const char *name, double v)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "%s.%s", arch, name);
    gguf_put_f32(j->writer, key, (float)v);
}

static void put_text(struct job *j, const char *key, const char *text)
{
    gguf_put_text(j->writer, key, text, strlen(text));
}

/* The keys of llama.cpp's converter. llama3 and longrope are tensors, dynamic is none. */
static void put_rope(struct job *j, const char *arch)
{
    const struct model_config *c = &j->config;
    const struct rope_scaling *r = &c->rope;
    char key[128];

    put_f32(j, arch, "rope.freq_base", c->rope_theta);
    put_u32(j, arch, "rope.dimension_count", rope_rotary_dim(c));
    if (rope_has_window_table(c))
        put_f32(j, arch, "rope.freq_base_swa", c->window_rope_theta);
    if (r->original_positions)
        put_u32(j, arch, "rope.scaling.original_context_length", r->original_positions);
    if (r->kind == ROPE_LINEAR || r->kind == ROPE_YARN) {
        (void)snprintf(key, sizeof(key), "%s.rope.scaling.type", arch);
        put_text(j, key, rope_kind_name(r->kind));
        put_f32(j, arch, "rope.scaling.factor", r->factor);
    }
    if (r->kind == ROPE_YARN && r->beta_fast > 0)
        put_f32(j, arch, "rope.scaling.yarn_beta_fast", r->beta_fast);
    if (r->kind == ROPE_YARN && r->beta_slow > 0)
        put_f32(j, arch, "rope.scaling.yarn_beta_slow", r->beta_slow);
    if (r->kind == ROPE_LONGROPE || r->attention_factor > 0) {
        double frequency[ROPE_MAX_PAIRS * 4], factor;

        rope_frequencies(c, false, frequency, &factor);
        put_f32(j, arch, "rope.scaling.attn_factor",
                r->kind == ROPE_YARN ? factor / (1 + 0.1 * log(r->factor)) : factor);
    }
}

/* Divisors of rotations, which the folder has in its config. */
static void add_divisors(struct job *j)
{
    const struct rope_scaling *r = &j->config.rope;
    const int32_t n = rope_rotary_dim(&j->config) / 2;
    const bool is_long = r->kind == ROPE_LONGROPE;
    const float *const data[] = {is_long ? r->long_divisor : j->divisor, r->divisor};

    if (r->kind != ROPE_LLAMA3 && !is_long)
        return;
    if (!is_long)
        rope_llama3_divisors(&j->config, j->divisor);
    for (int i = 0; i < (is_long ? 2 : 1); i++) {
        j->own[i] = (struct file_tensor){.name = "the rotations of config.json",
                                         .type = "F32",
                                         .dtype = DTYPE_F32,
                                         .n_dims = 1,
                                         .shape = {n},
                                         .n_elements = n,
                                         .data = data[i],
                                         .bytes = (size_t)n * sizeof(float),
                                         .file = "config.json"};
        gguf_add_tensor(j->writer,
                        !is_long ? "rope_freqs.weight"
                        : i == 0 ? "rope_factors_long.weight"
                                 : "rope_factors_short.weight",
                        DTYPE_F32, &j->own[i], 0);
    }
}

static void put_attention(struct job *j, const char *arch)
{
    const struct model_config *c = &j->config;

    if (c->window)
        put_u32(j, arch, "attention.sliding_window", c->window);
    if (c->window && c->window_pattern)
        put_u32(j, arch, "attention.sliding_window_pattern", c->window_pattern);
    if (c->attention_scale != 0)
        put_f32(j, arch, "attention.scale", (double)c->attention_scale);
    if (c->attention_softcap != 0)
        put_f32(j, arch, "attn_logit_softcapping", (double)c->attention_softcap);
    if (c->logit_softcap != 0)
        put_f32(j, arch, "final_logit_softcapping", (double)c->logit_softcap);
}

static void put_config(struct job *j, const char *arch, const char *model_name)
{
    const struct model_config *c = &j->config;

    put_text(j, "general.architecture", arch);
    put_text(j, "general.name", model_name);
    put_u32(j, arch, "block_count", c->n_layers);
    put_u32(j, arch, "context_length", c->max_position_embeddings);
    put_u32(j, arch, "embedding_length", c->hidden_size);
    put_u32(j, arch, "feed_forward_length", c->intermediate_size);
    put_u32(j, arch, "attention.head_count", c->n_heads);
    put_u32(j, arch, "attention.head_count_kv", c->n_kv_heads);
    put_u32(j, arch, "attention.key_length", c->head_dim);
    put_u32(j, arch, "attention.value_length", c->head_dim);
    put_f32(j, arch, "attention.layer_norm_rms_epsilon", (double)c->rms_norm_eps);
    put_rope(j, arch);
    put_attention(j, arch);
    if (c->codec[0])
        put_text(j, "troupe.codec", c->codec);
}

/* An end of a turn is the first; the others get the names that GGUF has for more. */
static void put_ids(struct job *j)
{
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    const struct model_config *c = &j->config;

    if (c->bos_id >= 0)
        gguf_put_u32(j->writer, "tokenizer.ggml.bos_token_id", (uint32_t)c->bos_id);
    if (c->pad_id >= 0)
        gguf_put_u32(j->writer, "tokenizer.ggml.padding_token_id", (uint32_t)c->pad_id);
    for (int32_t i = 0; i < c->n_eos && (size_t)i < ARRAY_LEN(ends); i++)
        gguf_put_u32(j->writer, ends[i], (uint32_t)c->eos_id[i]);
}

static enum status put_texts(struct job *j, struct model_source *from)
{
    struct tokenizer_config texts = {0};
    char *text = NULL;
    size_t n = 0;
    enum status st = model_source_tokenizer_text(from, &text, &n, j->err);

    if (st == STATUS_OK)
        st = gguf_put_tokenizer(j->writer, text, n, j->config.vocab_size, j->err);
    else if (st == STATUS_NOT_FOUND)
        st = STATUS_OK; /* ids only */
    if (st == STATUS_OK)
        st = model_source_texts(from, &texts, j->err);
    if (st == STATUS_OK && texts.chat_template)
        put_text(j, "tokenizer.chat_template", texts.chat_template);
    tokenizer_config_deinit(&texts);
    free(text);
    return st;
}

static enum status add_folder_tensors(struct job *j, const struct model_family *f,
                                      const struct tensor_file *tensors)
{
    struct family_tensor want;
    struct str name = STR_INIT;
    enum status st = STATUS_OK;

    for (int32_t i = 0; st == STATUS_OK && model_family_tensor(f, &j->config, i, &want); i++) {
        const struct file_tensor *t;

        str_clear(&name);
        st = tensor_file_require(tensors, want.name, want.n_dims, want.shape, &t, j->err);
        if (st == STATUS_OK && model_family_gguf_tensor(f, want.name, &name))
            st = add_tensor(j, str_cstr(&name), t,
                            model_family_paired_heads(f, &j->config, str_cstr(&name)));
    }
    str_deinit(&name);
    return st;
}

static enum status add_folder(struct job *j, struct model_source *from,
                              const struct tensor_file *tensors)
{
    const struct model_family *f = model_family_of_class(j->config.architecture);
    const char *slash = strrchr(model_source_name(from), '/');
    enum status st;

    if (!f)
        return error_set(j->err, STATUS_UNSUPPORTED, "architecture \"%s\" is not supported",
                         j->config.architecture);
    j->adds_one = f->flags & FAMILY_NORM_OFFSET;
    put_config(j, f->gguf, slash && slash[1] ? slash + 1 : model_source_name(from));
    st = put_texts(j, from);
    put_ids(j);
    add_divisors(j);
    return st ? st : add_folder_tensors(j, f, tensors);
}

enum status gguf_quantise(struct model_source *from, const char *recipe, const char *path,
                          const struct seams *seams, struct error *err)
{
    struct job j = {.writer = gguf_writer_new(), .err = err};
    struct tensor_file *tensors = NULL;
    enum status st = find_recipe(recipe, &j.recipe, err);

    if (st == STATUS_OK)
        st = model_source_config(from, &j.config, err);
    if (st == STATUS_OK)
        st = model_source_tensors(from, &tensors, err);
    if (st == STATUS_OK)
        st = model_source_gguf(from) ? add_gguf(&j, model_source_gguf(from), tensors)
                                     : add_folder(&j, from, tensors);
    if (st == STATUS_OK) {
        gguf_put_u32(j.writer, "general.file_type", j.recipe->file_type);
        gguf_put_u32(j.writer, "general.quantization_version", 2);
        st = gguf_writer_finish(j.writer, path, seams, err);
    }
    tensor_file_close(tensors);
    gguf_writer_free(j.writer);
    return st;
}
