/* test_gguf_model.c - a GGUF as a model: its config, its tensors under the names of folders, and
 * what the writer makes. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>

#include "models/formats/gguf_config.h"
#include "models/formats/gguf_tensors.h"
#include "models/formats/gguf_write.h"
#include "models/formats/model_family.h"
#include "tests/support/temp_dir.h"

#define C     16
#define VOCAB 6

static float embedding[VOCAB * C], rows_of_q[C * C];

static struct file_tensor tensor_of(const char *name, const float *data, int64_t rows, int64_t cols)
{
    return (struct file_tensor){.name = name,
                                .type = "F32",
                                .dtype = DTYPE_F32,
                                .n_dims = rows > 1 ? 2 : 1,
                                .shape = {rows > 1 ? rows : cols, cols},
                                .n_elements = rows * cols,
                                .data = data,
                                .bytes = (size_t)(rows * cols) * 4,
                                .file = "test"};
}

static void put_text(struct gguf_writer *w, const char *key, const char *text)
{
    gguf_put_text(w, key, text, strlen(text));
}

static void put_sized(struct gguf_writer *w, const char *arch, const char *name, uint32_t v)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "%s.%s", arch, name);
    gguf_put_u32(w, key, v);
}

/* The keys that every family needs. */
static struct gguf_writer *model_writer(const char *arch)
{
    struct gguf_writer *w = gguf_writer_new();

    put_text(w, "general.architecture", arch);
    put_sized(w, arch, "block_count", 1);
    put_sized(w, arch, "embedding_length", C);
    put_sized(w, arch, "feed_forward_length", 24);
    put_sized(w, arch, "attention.head_count", 2);
    put_sized(w, arch, "context_length", 128);
    return w;
}

/* Adds the embedding, writes, opens and frees. */
static enum status open_written(struct gguf_writer *w, struct gguf **out, struct error *err)
{
    static struct file_tensor t;
    char dir[64], path[128];
    enum status st;

    for (int i = 0; i < VOCAB * C; i++)
        embedding[i] = (float)i / 8;
    t = tensor_of("model.embed_tokens.weight", embedding, VOCAB, C);
    gguf_add_tensor(w, "token_embd.weight", DTYPE_F32, &t, 0);
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/m.gguf", dir);
    st = gguf_writer_finish(w, path, seams_real(), err);
    gguf_writer_free(w);
    if (!st)
        st = gguf_open(path, out, err);
    temp_dir_remove(dir);
    return st;
}

static struct model_config config_of(struct gguf_writer *w)
{
    struct gguf *g = NULL;
    struct model_config c = {0};

    assert_ok(open_written(w, &g, why));
    assert_ok(gguf_config(g, &c, why));
    gguf_unref(g);
    return c;
}

static void test_every_family_has_a_config(void **state)
{
    (void)state;
    for (size_t i = 0; model_family_at(i); i++) {
        const struct model_family *f = model_family_at(i);
        struct model_config c = config_of(model_writer(f->gguf));

        f = model_family_of_gguf(f->gguf, strlen(f->gguf)); /* mistral's are of llama */
        assert_string_equal(c.architecture, f->hf_name);
        assert_string_equal(c.model_type, f->model_type);
        assert_int_equal(c.hidden_size, C);
        assert_int_equal(c.head_dim, C / 2); /* unless it is given */
        assert_int_equal(c.n_kv_heads, 2);   /* the same */
        assert_int_equal(c.vocab_size, VOCAB);
        assert_int_equal(c.max_position_embeddings, 128);
        assert_true(c.tie_word_embeddings);
        assert_int_equal(c.dtype, DTYPE_F32);
        assert_int_equal(c.rope.kind, ROPE_DEFAULT);
        assert_true(c.bos_id == -1 && c.n_eos == 0 && c.pad_id == -1);
        assert_ptr_equal(model_family_of_class(c.architecture), f);
    }
}

static void test_what_a_family_adds(void **state)
{
    struct gguf_writer *w = model_writer("gemma3");
    struct model_config c;

    (void)state;
    put_sized(w, "gemma3", "attention.key_length", 4);
    put_sized(w, "gemma3", "attention.value_length", 4);
    put_sized(w, "gemma3", "attention.head_count_kv", 1);
    put_sized(w, "gemma3", "attention.sliding_window", 32);
    gguf_put_f32(w, "gemma3.rope.freq_base", 1e6f);
    put_text(w, "gemma3.rope.scaling.type", "linear");
    gguf_put_f32(w, "gemma3.rope.scaling.factor", 8);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 1);
    gguf_put_u32(w, "tokenizer.ggml.eot_token_id", 3);
    gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 2);
    c = config_of(w);
    assert_int_equal(c.head_dim, 4);
    assert_int_equal(c.n_kv_heads, 1);
    assert_int_equal(c.window, 32);
    assert_int_equal(c.window_pattern, 6);
    assert_true(c.rope_theta == 1e6 && c.window_rope_theta == 10000);
    assert_int_equal(c.rope.kind, ROPE_LINEAR);
    assert_true(c.rope.factor == 8);
    assert_true(c.n_eos == 2 && c.eos_id[0] == 1 && c.eos_id[1] == 3 && c.bos_id == 2);

    w = model_writer("gemma2");
    put_sized(w, "gemma2", "attention.sliding_window", 64);
    gguf_put_f32(w, "gemma2.attn_logit_softcapping", 50);
    gguf_put_f32(w, "gemma2.final_logit_softcapping", 30);
    c = config_of(w);
    assert_int_equal(c.window_pattern, 2);
    assert_true(c.attention_softcap == 50.0f && c.logit_softcap == 30.0f);

    w = model_writer("gemma3");
    put_sized(w, "gemma3", "attention.sliding_window", 64);
    put_sized(w, "gemma3", "attention.sliding_window_pattern", 4);
    gguf_put_f32(w, "gemma3.attention.scale", 0.5f);
    c = config_of(w);
    assert_int_equal(c.window_pattern, 4);
    assert_true(c.attention_scale == 0.5f);

    w = model_writer("phi3");
    put_sized(w, "phi3", "rope.dimension_count", 6);
    put_sized(w, "phi3", "rope.scaling.original_context_length", 64);
    c = config_of(w);
    assert_int_equal(c.rotary_dim, 6);
    assert_int_equal(c.rope.original_positions, 64);
}

/* `count` divisors a tensor of the given type. */
static enum status try_divisors(const char *arch, const char *const *names, int n,
                                const float *divisors, int count, enum dtype type,
                                struct model_config *c, struct error *err)
{
    struct gguf_writer *w = model_writer(arch);
    struct file_tensor t[2];
    struct gguf *g = NULL;
    enum status st;

    gguf_put_f32(w, "llama.rope.freq_base", 500000);
    for (int i = 0; i < n; i++) {
        t[i] = tensor_of(names[i], divisors + i * 4, 1, count);
        gguf_add_tensor(w, names[i], type, &t[i], 0);
    }
    assert_ok(open_written(w, &g, why));
    st = gguf_config(g, c, err);
    gguf_unref(g);
    return st;
}

static struct model_config with_divisors(const char *arch, const char *const *names, int n,
                                         const float *divisors)
{
    struct model_config c;

    assert_ok(try_divisors(arch, names, n, divisors, 4, DTYPE_F32, &c, why));
    return c;
}

static void test_bad_divisors_are_refused(void **state)
{
    static const char *const freqs[] = {"rope_freqs.weight"};
    static const char *const longs[] = {"rope_factors_long.weight"};
    static const float good[] = {1, 2, 3, 4}, zero[] = {1, 2, 0, 4};
    struct error err = ERROR_INIT;
    struct model_config c;

    (void)state;
    assert_int_equal(try_divisors("llama", freqs, 1, zero, 4, DTYPE_F32, &c, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "a divisor is not a number above 0"));
    assert_int_equal(try_divisors("llama", freqs, 1, good, 3, DTYPE_F32, &c, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "3 divisors, but 4 pairs"));
    assert_int_equal(try_divisors("llama", freqs, 1, good, 4, DTYPE_F16, &c, &err),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "rope_freqs.weight"));
    assert_int_equal(try_divisors("phi3", longs, 1, good, 4, DTYPE_F32, &c, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "rope_factors_short.weight"));
}

/* Tensors of a GGUF that a folder has in its config. */
static void test_divisors_of_rotations(void **state)
{
    static const char *const freqs[] = {"rope_freqs.weight"};
    static const char *const factors[] = {"rope_factors_short.weight", "rope_factors_long.weight"};
    static const float known[] = {1, 1, 2.6945297f, 8}; /* of Llama 3.1, D 8 */
    static const float lists[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct model_config c = with_divisors("llama", freqs, 1, lists);

    (void)state;
    assert_true(c.rope.kind == ROPE_LLAMA3 && c.rope.n_divisors == 4 && c.rope.factor == 0);
    assert_true(c.rope.divisor[3] == 4);
    c = with_divisors("phi3", factors, 2, lists);
    assert_true(c.rope.kind == ROPE_LONGROPE && c.rope.n_divisors == 4);
    assert_true(c.rope.divisor[3] == 4 && c.rope.long_divisor[0] == 5);
    c = with_divisors("llama", freqs, 1, known);
    assert_true(c.rope.kind == ROPE_LLAMA3 && c.rope.factor == 8 && c.rope.low_freq_factor == 1);
    assert_true(c.rope.high_freq_factor == 4 && c.rope.original_positions == 8192);
}

static void test_what_is_not_supported_is_named(void **state)
{
    struct gguf_writer *w = gguf_writer_new();
    struct error err = ERROR_INIT;
    struct gguf *g = NULL;
    struct model_config c;

    (void)state;
    put_text(w, "general.architecture", "mamba9");
    assert_ok(open_written(w, &g, why));
    assert_int_equal(gguf_config(g, &c, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"mamba9\""));
    assert_non_null(strstr(err.hint, "llama, qwen2, qwen3"));
    gguf_unref(g);

    w = model_writer("llama");
    put_text(w, "llama.rope.scaling.type", "spiral");
    assert_ok(open_written(w, &g, why));
    assert_int_equal(gguf_config(g, &c, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"spiral\""));
    gguf_unref(g);

    w = model_writer("llama");
    put_sized(w, "llama", "expert_count", 8);
    assert_ok(open_written(w, &g, why));
    assert_int_equal(gguf_config(g, &c, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "expert_count"));
    gguf_unref(g);

    w = gguf_writer_new();
    put_text(w, "general.architecture", "llama");
    assert_ok(open_written(w, &g, why));
    assert_int_equal(gguf_config(g, &c, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "llama.block_count"));
    gguf_unref(g);

    w = model_writer("qwen2");
    put_sized(w, "qwen2", "attention.head_count_kv", 0);
    assert_ok(open_written(w, &g, why));
    assert_int_equal(gguf_config(g, &c, &err), STATUS_INVALID);
    gguf_unref(g);
}

static void test_names_translate_both_ways(void **state)
{
    static const struct {
        const char *family, *gguf, *hf;
    } cases[] = {
        {"qwen3", "token_embd.weight", "model.embed_tokens.weight"},
        {"qwen3", "output_norm.weight", "model.norm.weight"},
        {"qwen3", "output.weight", "lm_head.weight"},
        {"qwen3", "blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"},
        {"qwen3", "blk.127.ffn_down.weight", "model.layers.127.mlp.down_proj.weight"},
        {"qwen3", "blk.5.attn_k_norm.weight", "model.layers.5.self_attn.k_norm.weight"},
        {"qwen2", "blk.1.attn_v.bias", "model.layers.1.self_attn.v_proj.bias"},
        {"llama", "blk.2.ffn_norm.weight", "model.layers.2.post_attention_layernorm.weight"},
        {"llama", "rope_freqs.weight", "rope_freqs.weight"},
        {"gemma3", "blk.2.ffn_norm.weight", "model.layers.2.pre_feedforward_layernorm.weight"},
        {"gemma3", "blk.2.post_attention_norm.weight",
         "model.layers.2.post_attention_layernorm.weight"},
        {"gemma2", "blk.2.post_ffw_norm.weight",
         "model.layers.2.post_feedforward_layernorm.weight"},
        {"phi3", "blk.3.attn_qkv.weight", "model.layers.3.self_attn.qkv_proj.weight"},
        {"phi3", "blk.3.ffn_up.weight", "model.layers.3.mlp.gate_up_proj.weight"},
    };
    static const char *const none[] = {"blk.1.attn_qkv.weight",
                                       "blk.-1.attn_q.weight",
                                       "blk.01.attn_q.weight",
                                       "blk..attn_q.weight",
                                       "blk.99999.attn_q.weight",
                                       "blk.1.weight",
                                       "blk.1.attn_q",
                                       "weight",
                                       ".weight",
                                       "",
                                       "blk.1.attn_q.scale",
                                       "blk.4294967297.attn_q.weight"};
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct model_family *f =
            model_family_of_gguf(cases[i].family, strlen(cases[i].family));

        str_clear(&s);
        assert_true(model_family_hf_tensor(f, cases[i].gguf, &s));
        assert_string_equal(str_cstr(&s), cases[i].hf);
        str_clear(&s);
        assert_true(model_family_gguf_tensor(f, cases[i].hf, &s));
        assert_string_equal(str_cstr(&s), cases[i].gguf);
    }
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(model_family_hf_tensor(model_family_of_gguf("qwen3", 5), none[i], &s));
    str_deinit(&s);
}

/* Llama's q has heads of 8 rows: 0 4 1 5 2 6 3 7 in the file. */
static void test_rows_in_pairs_are_put_in_order(void **state)
{
    struct gguf_writer *w = model_writer("llama");
    struct file_tensor q = tensor_of("q", rows_of_q, C, C);
    struct tensor_file *tensors = NULL;
    const struct file_tensor *t;
    struct model_config c;
    struct gguf *g = NULL;
    float back[C * C];

    (void)state;
    for (int i = 0; i < C * C; i++)
        rows_of_q[i] = (float)(i / C) + (float)(i % C) / 32;
    gguf_add_tensor(w, "blk.0.attn_q.weight", DTYPE_F32, &q, 2);
    assert_ok(open_written(w, &g, why));
    assert_ok(gguf_config(g, &c, why));
    assert_ok(gguf_tensors(g, &c, &tensors, why));
    gguf_unref(g);
    t = tensor_file_find(tensors, "model.layers.0.self_attn.q_proj.weight");
    assert_non_null(t);
    assert_int_equal(t->paired_heads, 2);
    for (int r = 0; r < C; r++) {
        static const int stored[8] = {0, 4, 1, 5, 2, 6, 3, 7};
        float first;

        memcpy(&first, (const char *)t->data + r * C * 4, 4);
        assert_int_equal((int)first, r / 8 * 8 + stored[r % 8]);
    }
    file_tensor_to_f32(t, 0, C * C, back);
    assert_memory_equal(back, rows_of_q, sizeof(back));
    file_tensor_to_f32(t, 5, C * C - 10, back); /* from the middle of a row */
    assert_memory_equal(back, rows_of_q + 5, sizeof(back) - 40);
    tensor_file_close(tensors);
}

static void test_a_wrong_number_of_rows_is_refused(void **state)
{
    struct gguf_writer *w = model_writer("llama");
    struct file_tensor q = tensor_of("q", rows_of_q, C - 2, C);
    struct tensor_file *tensors = NULL;
    struct error err = ERROR_INIT;
    struct model_config c;
    struct gguf *g = NULL;

    (void)state;
    gguf_add_tensor(w, "blk.0.attn_q.weight", DTYPE_F32, &q, 0);
    assert_ok(open_written(w, &g, why));
    assert_ok(gguf_config(g, &c, why));
    assert_int_equal(gguf_tensors(g, &c, &tensors, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "14 rows, but 2 heads of 8 need 16"));
    gguf_unref(g);
}

static void test_values_that_a_type_cannot_hold_are_refused(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e6f};
    float x[32] = {0};
    char dir[64], path[128];

    (void)state;
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/m.gguf", dir);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct gguf_writer *w = gguf_writer_new();
        struct file_tensor t = tensor_of("x.weight", x, 1, 32);
        struct error err = ERROR_INIT;

        x[7] = bad[i];
        gguf_add_tensor(w, "x.weight", DTYPE_Q8_0, &t, 0);
        assert_int_equal(gguf_writer_finish(w, path, seams_real(), &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, "\"x.weight\""));
        assert_int_not_equal(access(path, F_OK), 0);
        gguf_writer_free(w);
    }
    (void)strcat(path, ".tmp");
    assert_int_not_equal(access(path, F_OK), 0);
    temp_dir_remove(dir);
}

struct full_disk {
    int left;
};

static int full_write(void *ctx, int fd, const void *bytes, size_t n)
{
    struct full_disk *d = ctx;

    return d->left-- > 0 ? seams_real()->file.write_all(NULL, fd, bytes, n) : ENOSPC;
}

static void test_a_full_disk_leaves_the_old_file(void **state)
{
    char dir[64], path[128], *text = NULL;
    size_t n;

    (void)state;
    temp_dir(dir);
    temp_dir_put(dir, "m.gguf", "old", 3);
    (void)snprintf(path, sizeof(path), "%s/m.gguf", dir);
    for (int writes = 0; writes < 3; writes++) {
        struct gguf_writer *w = model_writer("qwen3");
        struct file_tensor t = tensor_of("q", rows_of_q, C, C);
        struct full_disk disk = {writes};
        struct seams seams = *seams_real();
        struct error err = ERROR_INIT;

        seams.file.ctx = &disk;
        seams.file.write_all = full_write;
        gguf_add_tensor(w, "blk.0.attn_q.weight", DTYPE_F16, &t, 0);
        gguf_add_tensor(w, "blk.0.attn_k.weight", DTYPE_F32, &t, 0);
        assert_int_equal(gguf_writer_finish(w, path, &seams, &err), STATUS_DISK_FULL);
        assert_ok(file_read(path, 100, &text, &n, why));
        assert_string_equal(text, "old");
        free(text);
        gguf_writer_free(w);
    }
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_family_has_a_config),
        cmocka_unit_test(test_what_a_family_adds),
        cmocka_unit_test(test_divisors_of_rotations),
        cmocka_unit_test(test_bad_divisors_are_refused),
        cmocka_unit_test(test_what_is_not_supported_is_named),
        cmocka_unit_test(test_names_translate_both_ways),
        cmocka_unit_test(test_rows_in_pairs_are_put_in_order),
        cmocka_unit_test(test_a_wrong_number_of_rows_is_refused),
        cmocka_unit_test(test_values_that_a_type_cannot_hold_are_refused),
        cmocka_unit_test(test_a_full_disk_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
