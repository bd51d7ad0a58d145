/* test_gguf_quantise.c - folders and GGUF files become GGUF files with the same values, the types
 * of the recipe and the same tokenizer; models are checked by their family.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/formats/gguf_quantise.h"
#include "models/formats/gguf_tokenizer.h"
#include "models/formats/model_check.h"
#include "models/formats/model_family.h"

#include "tests/support/temp_dir.h"

static struct model_source *open_source(const char *path)
{
    struct model_source *s = NULL;

    assert_ok(model_source_open(path, &s, why));
    return s;
}

static void quantise(const char *from, const char *recipe, const char *to)
{
    struct model_source *s = open_source(from);

    assert_ok(gguf_quantise(s, recipe, to, seams_real(), why));
    model_source_close(s);
}

static float *values_of(const struct file_tensor *t)
{
    float *v = calloc((size_t)t->n_elements, sizeof(*v));

    assert_non_null(v);
    file_tensor_to_f32(t, 0, t->n_elements, v);
    return v;
}

/* Every tensor of a is in b with the same shape and values. */
static void assert_same_tensors(const char *a, const char *b)
{
    struct model_source *from = open_source(a), *to = open_source(b);
    struct tensor_file *x = NULL, *y = NULL;

    assert_ok(model_source_tensors(from, &x, why));
    assert_ok(model_source_tensors(to, &y, why));
    assert_int_equal(tensor_file_count(x), tensor_file_count(y));
    for (int32_t i = 0; i < tensor_file_count(x); i++) {
        const struct file_tensor *t = tensor_file_at(x, i), *u = tensor_file_find(y, t->name);
        float *p, *q;

        if (!u)
            fail_msg("%s: no tensor %s", b, t->name);
        assert_int_equal(t->n_dims, u->n_dims);
        assert_memory_equal(t->shape, u->shape, (size_t)t->n_dims * sizeof(t->shape[0]));
        p = values_of(t);
        q = values_of(u);
        if (memcmp(p, q, (size_t)t->n_elements * sizeof(*p)) != 0)
            fail_msg("%s: other values in %s", b, t->name);
        free(p);
        free(q);
    }
    tensor_file_close(x);
    tensor_file_close(y);
    model_source_close(from);
    model_source_close(to);
}

static void test_a_folder_keeps_its_values_and_config(void **state)
{
    static const char *const names[] = {"tied", "untied_gqa", "bf16_sharded"};
    char dir[64], path[128];

    (void)state;
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/m.gguf", dir);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char fixture[512], folder[128];
        struct model_config a, b;
        struct model_source *s;

        (void)snprintf(folder, sizeof(folder), "tests/fixtures/qwen3/%s", names[i]);
        quantise(fixture_path(fixture, folder), "f32", path);
        assert_same_tensors(fixture, path);
        s = open_source(fixture);
        assert_ok(model_source_config(s, &a, why));
        model_source_close(s);
        s = open_source(path);
        assert_ok(model_source_config(s, &b, why));
        model_source_close(s);
        assert_int_equal(b.dtype, DTYPE_F32);
        b.dtype = a.dtype; /* the rest is the same; a GGUF has no initializer_range */
        b.initializer_range = a.initializer_range;
        assert_memory_equal(&a, &b, sizeof(a));
    }
    temp_dir_remove(dir);
}

static void test_a_gguf_and_its_folder_give_the_same_blocks(void **state)
{
    static const char *const recipes[] = {"q8_0", "q4_0", "q4_1", "q5_0", "q4_k_m", "f16", "bf16"};
    char dir[64], wide[128], a[128], b[128], fixture[512];

    (void)state;
    temp_dir(dir);
    (void)snprintf(wide, sizeof(wide), "%s/wide.gguf", dir);
    (void)snprintf(a, sizeof(a), "%s/a.gguf", dir);
    (void)snprintf(b, sizeof(b), "%s/b.gguf", dir);
    quantise(fixture_path(fixture, "tests/fixtures/qwen3/tied"), "f32", wide);
    for (size_t i = 0; i < ARRAY_LEN(recipes); i++) {
        quantise(fixture, recipes[i], a);
        quantise(wide, recipes[i], b);
        assert_same_tensors(a, b);
        quantise(a, recipes[i], b); /* what has the type already is copied */
        assert_same_tensors(a, b);
    }
    temp_dir_remove(dir);
}

/* ---- a llama of any size, with values that differ */

struct shape {
    int32_t layers, C, F, H, G, D, V;
    bool tied;
};

struct made {
    struct gguf_writer *w;
    struct file_tensor *t;
    float **data;
    int n;
};

static void put_u32(struct gguf_writer *w, const char *name, int32_t v)
{
    char key[96];

    (void)snprintf(key, sizeof(key), "llama.%s", name);
    gguf_put_u32(w, key, (uint32_t)v);
}

static struct made make_llama(const struct shape *s)
{
    const struct model_config c = {.architecture = "LlamaForCausalLM",
                                   .n_layers = s->layers,
                                   .hidden_size = s->C,
                                   .intermediate_size = s->F,
                                   .n_heads = s->H,
                                   .n_kv_heads = s->G,
                                   .head_dim = s->D,
                                   .vocab_size = s->V,
                                   .tie_word_embeddings = s->tied};
    const struct model_family *f = model_family_of_class(c.architecture);
    struct made m = {gguf_writer_new(), calloc(512, sizeof(*m.t)), calloc(512, sizeof(float *)), 0};
    struct family_tensor want;
    struct str name = STR_INIT;

    gguf_put_text(m.w, "general.architecture", "llama", 5);
    put_u32(m.w, "block_count", s->layers);
    put_u32(m.w, "embedding_length", s->C);
    put_u32(m.w, "feed_forward_length", s->F);
    put_u32(m.w, "attention.head_count", s->H);
    put_u32(m.w, "attention.head_count_kv", s->G);
    put_u32(m.w, "attention.key_length", s->D);
    put_u32(m.w, "attention.value_length", s->D);
    put_u32(m.w, "context_length", 64);
    for (int32_t i = 0; model_family_tensor(f, &c, i, &want); i++, m.n++) {
        const int64_t n = want.shape[0] * (want.n_dims == 2 ? want.shape[1] : 1);

        m.data[i] = calloc((size_t)n, sizeof(float));
        for (int64_t k = 0; k < n; k++)
            m.data[i][k] = sinf((float)(k + 7 * i));
        m.t[i] = (struct file_tensor){.name = "made",
                                      .type = "F32",
                                      .dtype = DTYPE_F32,
                                      .n_dims = want.n_dims,
                                      .shape = {want.shape[0], want.shape[1]},
                                      .n_elements = n,
                                      .data = m.data[i],
                                      .bytes = (size_t)n * 4,
                                      .file = "made"};
        str_clear(&name);
        assert_true(model_family_gguf_tensor(f, want.name, &name));
        gguf_add_tensor(m.w, str_cstr(&name), DTYPE_F32, &m.t[i],
                        model_family_paired_heads(f, &c, str_cstr(&name)));
    }
    str_deinit(&name);
    return m;
}

static void write_made(struct made *m, const char *path)
{
    assert_ok(gguf_writer_finish(m->w, path, seams_real(), why));
    gguf_writer_free(m->w);
    for (int i = 0; i < m->n; i++)
        free(m->data[i]);
    free(m->data);
    free(m->t);
}

static void assert_types(const char *path, const char *const (*want)[2], size_t n)
{
    struct gguf *g = NULL;

    assert_ok(gguf_open(path, &g, why));
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = gguf_tensor_find(g, want[i][0]);

        assert_non_null(t);
        if (strcmp(t->type->name, want[i][1]) != 0)
            fail_msg("%s is %s, not %s", want[i][0], t->type->name, want[i][1]);
    }
    gguf_unref(g);
}

static void test_each_tensor_gets_the_type_of_the_recipe(void **state)
{
    static const struct shape wide = {8, 256, 512, 4, 2, 64, 32, true};
    static const struct shape narrow = {8, 96, 40, 2, 1, 48, 32, false};
    static const char *const q4_k_m[][2] = {
        {"token_embd.weight", "Q6_K"},   {"output_norm.weight", "F32"},
        {"blk.0.attn_q.weight", "Q4_K"}, {"blk.0.attn_v.weight", "Q6_K"},
        {"blk.1.attn_v.weight", "Q4_K"}, {"blk.3.ffn_down.weight", "Q6_K"},
        {"blk.6.attn_v.weight", "Q6_K"}, {"blk.7.ffn_down.weight", "Q6_K"},
        {"blk.7.ffn_up.weight", "Q4_K"}, {"blk.7.ffn_norm.weight", "F32"}};
    static const char *const fallback[][2] = {
        {"token_embd.weight", "Q5_0"},        {"output.weight", "Q8_0"},
        {"blk.0.attn_q.weight", "Q5_0"},      {"blk.0.attn_v.weight", "Q8_0"},
        {"blk.0.attn_output.weight", "Q5_0"}, {"blk.0.ffn_down.weight", "F16"}};
    static const char *const q4_0[][2] = {{"token_embd.weight", "Q6_K"},
                                          {"blk.0.attn_v.weight", "Q4_0"}};
    char dir[64], from[128], to[128];
    struct made m;

    (void)state;
    temp_dir(dir);
    (void)snprintf(from, sizeof(from), "%s/from.gguf", dir);
    (void)snprintf(to, sizeof(to), "%s/to.gguf", dir);
    m = make_llama(&wide);
    write_made(&m, from);
    quantise(from, "q4_k_m", to);
    assert_types(to, q4_k_m, ARRAY_LEN(q4_k_m));
    quantise(from, "q4_0", to);
    assert_types(to, q4_0, ARRAY_LEN(q4_0));
    m = make_llama(&narrow);
    write_made(&m, from);
    quantise(from, "q4_k_m", to);
    assert_types(to, fallback, ARRAY_LEN(fallback));
    temp_dir_remove(dir);
}

/* q has its rows in pairs in both files, and in order for the reader. */
static void test_rows_in_pairs_stay_in_pairs(void **state)
{
    static const struct shape s = {1, 64, 64, 4, 2, 16, 8, true};
    char dir[64], from[128], to[128];
    struct made m;

    (void)state;
    temp_dir(dir);
    (void)snprintf(from, sizeof(from), "%s/from.gguf", dir);
    (void)snprintf(to, sizeof(to), "%s/to.gguf", dir);
    m = make_llama(&s);
    write_made(&m, from);
    quantise(from, "bf16", to);
    quantise(to, "f32", from);
    assert_same_tensors(to, from);
    temp_dir_remove(dir);
}

static void test_a_recipe_that_is_not_there_is_named(void **state)
{
    struct model_source *s;
    struct error err = ERROR_INIT;
    char fixture[512];

    (void)state;
    s = open_source(fixture_path(fixture, "tests/fixtures/qwen3/tied"));
    assert_int_equal(gguf_quantise(s, "q3", "/tmp/none.gguf", seams_real(), &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "\"q3\""));
    model_source_close(s);
}

/* ---- checks */

static enum status check(const char *path, struct model_check *out, struct error *err)
{
    struct model_source *s = open_source(path);
    struct tensor_file *t = NULL;
    struct model_config c;
    enum status st;

    assert_ok(model_source_config(s, &c, why));
    assert_ok(model_source_tensors(s, &t, why));
    st = model_check_tensors(&c, t, out, err);
    tensor_file_close(t);
    model_source_close(s);
    return st;
}

static void test_a_model_is_compared_with_its_family(void **state)
{
    static const struct shape s = {2, 32, 64, 2, 1, 16, 8, false};
    static const struct {
        int tensor; /* of the list of the family */
        const char *says;
        float value;
        int64_t rows;
        const char *extra;
    } cases[] = {
        {-1, NULL, 0, 0, NULL},
        {4, "value 5 is nan", NAN, 0, NULL},
        {4, "value 5 is inf", INFINITY, 0, NULL},
        {8, "has shape (63, 32), but the model needs (64, 32)", 0, 63, NULL},
        {-1, "\"blk.0.surprise.weight\" is not part of LlamaForCausalLM", 0, 0,
         "blk.0.surprise.weight"},
        {-1, "\"model.layers.0.self_attn.q_proj.bias\" is not part of", 0, 0, "blk.0.attn_q.bias"},
        {-1, NULL, 0, 0, "rope_freqs.weight"}};
    char dir[64], path[128];

    (void)state;
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/m.gguf", dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made m = make_llama(&s);
        struct model_check sum = {0};
        struct error err = ERROR_INIT;
        enum status st;

        if (cases[i].value != 0)
            m.data[cases[i].tensor][5] = cases[i].value;
        if (cases[i].rows) {
            m.t[cases[i].tensor].shape[0] = cases[i].rows;
            m.t[cases[i].tensor].n_elements = cases[i].rows * s.C;
            m.t[cases[i].tensor].bytes = (size_t)(cases[i].rows * s.C) * 4;
        }
        m.t[m.n] = m.t[m.n - 2];                                /* a vector of 32 */
        if (cases[i].extra && strstr(cases[i].extra, "rope")) { /* as many as pairs rotate */
            m.t[m.n].shape[0] = m.t[m.n].n_elements = s.D / 2;
            m.t[m.n].bytes = (size_t)s.D / 2 * 4;
            for (int32_t j = 0; j < s.D / 2; j++)
                m.data[m.n - 2][j] = (float)(1 + j);
        }
        if (cases[i].extra)
            gguf_add_tensor(m.w, cases[i].extra, DTYPE_F32, &m.t[m.n],
                            strstr(cases[i].extra, "attn_q") ? s.H : 0);
        write_made(&m, path);
        st = check(path, &sum, &err);
        if (!cases[i].says && (st || sum.n_tensors < 21))
            fail_msg("case %zu: %s", i, err.message);
        if (cases[i].says && (!st || !strstr(err.message, cases[i].says)))
            fail_msg("case %zu: %s", i, err.message);
    }
    temp_dir_remove(dir);
}

/* ---- sources */

static void test_what_a_folder_holds_decides(void **state)
{
    struct model_source *s = NULL;
    struct error err = ERROR_INIT;
    struct tensor_file *t = NULL;
    char dir[64], path[128], fixture[512];
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";

    (void)state;
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/one.gguf", dir);
    quantise(fixture_path(fixture, "tests/fixtures/qwen3/tied"), "q8_0", path);
    temp_dir_put(dir, "later-00002-of-00003.gguf", "", 0); /* no model by itself */
    s = open_source(dir);
    assert_non_null(model_source_gguf(s));
    model_source_close(s);
    (void)snprintf(path, sizeof(path), "%s/two.gguf", dir);
    quantise(fixture, "q4_0", path);
    assert_int_equal(model_source_open(dir, &s, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "2 GGUF files: one.gguf, two.gguf"));
    temp_dir_put(dir, "config.json", "{}", 2); /* a folder of Hugging Face then */
    s = open_source(dir);
    assert_null(model_source_gguf(s));
    assert_int_equal(model_source_tensors(s, &t, &err), STATUS_NOT_FOUND);
    temp_dir_put(dir, "pytorch_model.bin", "PK", 2);
    assert_int_equal(model_source_tensors(s, &t, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "pytorch_model.bin"));
    temp_dir_put(dir, "model.safetensors", lfs, strlen(lfs));
    assert_int_equal(model_source_tensors(s, &t, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "Git LFS pointer"));
    assert_non_null(strstr(err.hint, "git lfs pull"));
    model_source_close(s);
    temp_dir_remove(dir);
}

/* ---- tokenizers */

static struct gguf *gguf_with_tokenizer(const char *dir, const char *text, size_t n, bool whole)
{
    struct gguf_writer *w = gguf_writer_new();
    struct gguf *g = NULL, *tables = NULL;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/t.gguf", dir);
    gguf_put_text(w, "general.architecture", "qwen3", 5);
    assert_ok(gguf_put_tokenizer(w, text, n, 1000, why));
    assert_ok(gguf_writer_finish(w, path, seams_real(), why));
    gguf_writer_free(w);
    assert_ok(gguf_open(path, &g, why));
    if (whole)
        return g;
    w = gguf_writer_new();
    for (int32_t i = 0; i < gguf_n_values(g); i++)
        if (strcmp(gguf_value_at(g, i)->key, "tokenizer.huggingface.json") != 0)
            gguf_put_value(w, gguf_value_at(g, i));
    assert_ok(gguf_writer_finish(w, path, seams_real(), why));
    gguf_writer_free(w);
    gguf_unref(g);
    assert_ok(gguf_open(path, &tables, why));
    return tables;
}

static void assert_same_ids(const struct tokenizer *a, const struct tokenizer *b)
{
    static const char *const texts[] = {
        "Hello, world! it's IT'S 12345 3.14", "  the tool\n\n\n result\t is right  ",
        "na\xc3\xafve cafe\xcc\x81 \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
        "{\"name\": [1, 22]}", "<|im_start|>user\nhi<|im_end|>\n"};
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct token_ids x = TOKEN_IDS_INIT, y = TOKEN_IDS_INIT;

        assert_ok(tokenizer_encode(a, scratch, texts[i], strlen(texts[i]), true, &x, why));
        assert_ok(tokenizer_encode(b, scratch, texts[i], strlen(texts[i]), true, &y, why));
        assert_int_equal(x.n, y.n);
        assert_memory_equal(x.id, y.id, x.n * sizeof(*x.id));
        token_ids_deinit(&x);
        token_ids_deinit(&y);
    }
    tokenizer_scratch_free(scratch);
}

static void test_a_tokenizer_comes_back(void **state)
{
    static const struct {
        const char *name, *pre; /* pre NULL: no name says how it splits text */
    } cases[] = {{"bytes", "gpt-2"},     {"digits", "smollm"}, {"qwen", "qwen2"},
                 {"llama", "llama-bpe"}, {"omni", NULL},       {"gpt2", NULL}};
    char dir[64];

    (void)state;
    temp_dir(dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char file[96], path[512], *text = NULL;
        struct tokenizer *want = NULL, *got = NULL, *tables = NULL;
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;
        struct gguf *g;
        size_t n;

        (void)snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s.json", cases[i].name);
        assert_ok(file_read(fixture_path(path, file), (size_t)1 << 24, &text, &n, why));
        g = gguf_with_tokenizer(dir, text, n, true);
        assert_ok(gguf_tokenizer_text(g, &out, why));
        assert_int_equal(out.len, n);
        assert_memory_equal(str_cstr(&out), text, n);
        gguf_unref(g);
        g = gguf_with_tokenizer(dir, text, n, false);
        str_clear(&out);
        if (!cases[i].pre) {
            assert_int_equal(gguf_tokenizer_text(g, &out, &err), STATUS_NOT_FOUND);
        } else {
            const struct gguf_value *tokens;
            const char *pre;
            size_t length;

            assert_ok(gguf_get_text(g, "tokenizer.ggml.pre", &pre, &length, why));
            if (length != strlen(cases[i].pre) || memcmp(pre, cases[i].pre, length) != 0)
                fail_msg("%s: pre is %.*s", cases[i].name, (int)length, pre);
            assert_ok(gguf_tokenizer_text(g, &out, why));
            assert_ok(gguf_tokenizer(g, &tables, why));
            assert_ok(gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, why));
            assert_int_equal(tokens->count, 1000); /* the rest is unused */
            assert_ok(tokenizer_from_json(text, n, cases[i].name, &want, why));
            assert_ok(tokenizer_from_json(str_cstr(&out), out.len, "tables", &got, why));
            assert_same_ids(want, got);
            assert_same_ids(want, tables);
        }
        gguf_unref(g);
        tokenizer_free(want);
        tokenizer_free(got);
        tokenizer_free(tables);
        str_deinit(&out);
        free(text);
    }
    temp_dir_remove(dir);
}

static void put_texts(struct gguf_writer *w, const char *key, const char *const *text, size_t n)
{
    gguf_put_array(w, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        gguf_put_text_element(w, text[i], strlen(text[i]));
}

static void test_tokenizers_that_are_not_read_are_named(void **state)
{
    static const struct {
        const char *model, *pre, *token, *says;
        enum status status;
        int n_types;
    } cases[] = {
        {"llama", "default", "a", "\"llama\" is not supported, only gpt2", STATUS_UNSUPPORTED, 1},
        {"gpt2", "martian", "a", "\"martian\" is not supported", STATUS_UNSUPPORTED, 1},
        {"gpt2", NULL, "a", "\"tokenizer.ggml.pre\" is missing", STATUS_UNSUPPORTED, 1},
        {"gpt2", "qwen2", "\xff\xfe", "not valid UTF-8", STATUS_INVALID, 1},
        {"gpt2", "qwen2", "", "an element has 0 bytes", STATUS_LIMIT, 1},
        {"gpt2", "qwen2", "a", "not as many as", STATUS_INVALID, 2}};
    char dir[64], path[128];

    (void)state;
    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/t.gguf", dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gguf_writer *w = gguf_writer_new();
        struct error err = ERROR_INIT;
        struct str out = STR_INIT;
        struct gguf *g = NULL;

        gguf_put_text(w, "tokenizer.ggml.model", cases[i].model, strlen(cases[i].model));
        if (cases[i].pre)
            gguf_put_text(w, "tokenizer.ggml.pre", cases[i].pre, strlen(cases[i].pre));
        put_texts(w, "tokenizer.ggml.tokens", &cases[i].token, 1);
        gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, (uint64_t)cases[i].n_types);
        for (int k = 0; k < cases[i].n_types; k++)
            gguf_put_i32_element(w, 1);
        assert_ok(gguf_writer_finish(w, path, seams_real(), why));
        gguf_writer_free(w);
        assert_ok(gguf_open(path, &g, why));
        if (gguf_tokenizer_text(g, &out, &err) != cases[i].status ||
            !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s", i, err.message);
        gguf_unref(g);
        str_deinit(&out);
    }
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_keeps_its_values_and_config),
        cmocka_unit_test(test_a_gguf_and_its_folder_give_the_same_blocks),
        cmocka_unit_test(test_each_tensor_gets_the_type_of_the_recipe),
        cmocka_unit_test(test_rows_in_pairs_stay_in_pairs),
        cmocka_unit_test(test_a_recipe_that_is_not_there_is_named),
        cmocka_unit_test(test_a_model_is_compared_with_its_family),
        cmocka_unit_test(test_what_a_folder_holds_decides),
        cmocka_unit_test(test_a_tokenizer_comes_back),
        cmocka_unit_test(test_tokenizers_that_are_not_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
