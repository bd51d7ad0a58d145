/* test_weights.c - loading, refusing, rounding and hashing of a version of the weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <pthread.h>

#include "models/formats/model_check.h"
#include "models/formats/safetensors.h"
#include "models/train/model_export.h"
#include "runtime/base/memory.h"
#include "tests/support/quantised_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"

static enum status load(const char *dir, const struct model_config *c, enum dtype dtype,
                        struct weights **out, struct error *err)
{
    struct tensor_file *set = NULL;

    assert_ok(safetensors_open_dir(dir, &set, why));
    return weights_load(cpu_backend(cpu_isa_best()), arch_find(c->architecture), c, set, dtype, out,
                        err);
}

static void test_export_and_load_give_the_same_bits(void **state)
{
    const struct export_file card = {.name = "README.md", .bytes = "card\n", .n = 5};

    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct model_config c = tiny_config(tied), back;
        struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 3), *loaded = NULL;
        char dir[64];

        temp_dir(dir);
        assert_ok(model_export(dir, w, DTYPE_N, &card, 1, seams_real(), why));
        assert_ok(model_config_load_dir(dir, &back, why));
        assert_int_equal(back.n_kv_heads, c.n_kv_heads);
        assert_int_equal(back.tie_word_embeddings, c.tie_word_embeddings);
        assert_ok(load(dir, &back, DTYPE_N, &loaded, why));
        assert_int_equal(weights_n(loaded), weights_n(w));
        assert_int_equal(weights_n_params(loaded), model_config_n_parameters(&c));
        assert_memory_equal(weights_hash(loaded), weights_hash(w), sizeof(struct sha256));
        weights_unref(loaded);
        weights_unref(w);
        temp_dir_remove(dir);
    }
}

/* The same, and with the tensors that folders of the family have: parts as one, norms without their
 * 1, whose values may then differ in the last bit. */
static void test_every_family_is_exported_and_loaded(void **state)
{
    (void)state;
    for (int k = 0; k < TINY_FAMILIES; k++) {
        struct model_config c = tiny_family(k), back;
        struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 3), *loaded = NULL;
        size_t n = (size_t)weights_n_params(w);
        float *a = xcalloc(n, sizeof(*a)), *b = xcalloc(n, sizeof(*b));
        struct tensor_file *set = NULL;
        struct model_check sum;
        char dir[64];

        temp_dir(dir);
        assert_ok(model_export(dir, w, DTYPE_N, NULL, 0, seams_real(), why));
        assert_ok(model_config_load_dir(dir, &back, why));
        assert_ok(safetensors_open_dir(dir, &set, why));
        assert_ok(model_check_tensors(&back, set, &sum, why));
        tensor_file_close(set);
        assert_int_equal(sum.n_values, n);
        assert_int_equal(n, model_config_n_parameters(&c));
        assert_ok(load(dir, &back, DTYPE_N, &loaded, why));
        weights_to_flat(w, a);
        weights_to_flat(loaded, b);
        for (size_t i = 0; i < n; i++)
            assert_true(fabsf(a[i] - b[i]) <= 1e-7f * fabsf(a[i]));
        if (strncmp(c.model_type, "gemma", 5) != 0)
            assert_memory_equal(weights_hash(loaded), weights_hash(w), sizeof(struct sha256));
        free(a);
        free(b);
        weights_unref(loaded);
        weights_unref(w);
        temp_dir_remove(dir);
    }
}

static void test_what_the_decoder_cannot_do_is_refused(void **state)
{
    struct model_config c = tiny_config(true);
    struct error err = ERROR_INIT;

    (void)state;
    c.head_dim = 512; /* more than attention takes */
    assert_int_equal(arch_check(arch_find(c.architecture), &c, cpu_backend(CPU_ISA_PLAIN), &err),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "512"));
    assert_null(arch_find("MambaForCausalLM"));
}

static void test_bf16_rounds_products_and_keeps_vectors(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 4), *half = NULL,
                   *again = NULL;
    size_t n = (size_t)weights_n_params(w);
    float *wide = xcalloc(n, sizeof(float)), *narrow = xcalloc(n, sizeof(float));
    char dir[64];

    (void)state;
    temp_dir(dir);
    assert_ok(model_export(dir, w, DTYPE_N, NULL, 0, seams_real(), why));
    assert_ok(load(dir, &c, DTYPE_BF16, &half, why));
    weights_to_flat(w, wide);
    weights_to_flat(half, narrow);
    for (int32_t i = 0; i < weights_n(w); i++)
        for (int64_t j = weights_flat_offset(w, i); j < weights_flat_offset(w, i + 1); j++) {
            bool vector = weights_at(w, i)->m.n_out == 1;
            float want = vector ? wide[j] : bf16_to_f32(f32_to_bf16(wide[j]));

            assert_memory_equal(&narrow[j], &want, sizeof(float));
        }
    assert_ok(weights_from_flat(half, wide, 7, &again, why));
    assert_int_equal(weights_version(again), 7);
    assert_memory_equal(weights_hash(again), weights_hash(half), sizeof(struct sha256));
    assert_memory_not_equal(weights_hash(again), weights_hash(w), sizeof(struct sha256));
    weights_unref(again);
    weights_unref(half);
    weights_unref(w);
    free(wide);
    free(narrow);
    temp_dir_remove(dir);
}

/* Each tensor in a type of its own: held as it is stored, with the values of its type. */
static void test_a_folder_may_mix_types(void **state)
{
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    struct model_config c = tiny_config(false);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 5), *mixed = NULL;
    int32_t n = weights_n(w);
    struct safetensor_source *t = xcalloc((size_t)n, sizeof(*t));
    size_t total = (size_t)weights_n_params(w);
    float *wide = xcalloc(total, sizeof(float)), *got = xcalloc(total, sizeof(float));
    char dir[64];

    (void)state;
    temp_dir(dir);
    weights_to_flat(w, wide);
    for (int32_t i = 0; i < n; i++) {
        const struct weight_tensor *x = weights_at(w, i);
        bool vector = x->m.n_out == 1;

        t[i] = (struct safetensor_source){.name = x->name,
                                          .dtype = types[i % 3],
                                          .source = DTYPE_F32,
                                          .n_dims = vector ? 1 : 2,
                                          .shape = {vector ? x->m.n_in : x->m.n_out, x->m.n_in},
                                          .data = wide + weights_flat_offset(w, i)};
    }
    assert_ok(safetensors_write_dir(dir, t, n, 0, NULL, seams_real(), why));
    assert_ok(load(dir, &c, DTYPE_N, &mixed, why));
    weights_to_flat(mixed, got);
    for (int32_t i = 0; i < n; i++) {
        const struct dtype_info *d = dtype_info(types[i % 3]);

        assert_int_equal(weights_at(mixed, i)->m.dtype,
                         weights_at(w, i)->m.n_out == 1 ? DTYPE_F32 : types[i % 3]);
        for (int64_t j = weights_flat_offset(w, i); j < weights_flat_offset(w, i + 1); j++) {
            char stored[4];
            float want;

            d->from_f32(&wide[j], 1, stored);
            d->to_f32(stored, 1, &want);
            assert_memory_equal(&got[j], &want, sizeof(float));
        }
    }
    weights_unref(mixed);
    weights_unref(w);
    free(t);
    free(wide);
    free(got);
    temp_dir_remove(dir);
}

/* The values of the blocks, whatever the order of the rows in the file, and from panels alone. */
static void test_quantised_weights_have_the_values_of_their_blocks(void **state)
{
    (void)state;
    for (int k = 0; quantised_types[k] != DTYPE_N; k++) {
        enum dtype t = quantised_types[k];
        struct model_config c = quantisable_config(t, 50);
        struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 8), *q[2] = {NULL, NULL};
        size_t n = (size_t)weights_n_params(w);
        float *got[2] = {xcalloc(n, sizeof(float)), xcalloc(n, sizeof(float))};
        float *want = xcalloc(n, sizeof(float));
        char *block = xcalloc(n, sizeof(float));

        weights_to_flat(w, want);
        for (int paired = 0; paired < 2; paired++) {
            assert_ok(weights_load(cpu_backend(cpu_isa_best()), weights_arch(w), &c,
                                   quantised_file(w, t, paired), DTYPE_N, &q[paired], why));
            weights_to_flat(q[paired], got[paired]);
        }
        for (int32_t i = 0; i < weights_n(w); i++) {
            const struct weight_tensor *x = weights_at(q[0], i);
            int64_t at = weights_flat_offset(w, i), count = weights_flat_offset(w, i + 1) - at;

            assert_int_equal(x->m.dtype, x->m.n_out == 1 ? DTYPE_F32 : t);
            if (x->m.n_out == 1)
                continue;
            assert_true(x->is_product && (x->m.rows != NULL) == (i == 0));
            dtype_info(t)->from_f32(want + at, count, block);
            dtype_info(t)->to_f32(block, count, want + at);
        }
        assert_memory_equal(got[0], want, n * sizeof(float));
        assert_memory_equal(got[1], want, n * sizeof(float));
        assert_memory_equal(weights_hash(q[0]), weights_hash(q[1]), sizeof(struct sha256));
        weights_unref(q[0]);
        weights_unref(q[1]);
        weights_unref(w);
        free(got[0]);
        free(got[1]);
        free(want);
        free(block);
    }
}

static void test_what_is_asked_for_widens_blocks(void **state)
{
    static const enum dtype asked[] = {DTYPE_F32, DTYPE_BF16};
    struct model_config c = quantisable_config(DTYPE_Q4_1, 50);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 9), *x = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        assert_ok(weights_load(cpu_backend(cpu_isa_best()), weights_arch(w), &c,
                               quantised_file(w, DTYPE_Q4_1, true), asked[i], &x, why));
        assert_int_equal(weights_at(x, 1 + 1)->m.dtype, asked[i]);
        assert_int_equal(weights_rounded_inputs(x), 0);
        assert_ok(weights_check_trainable(x, why));
        weights_unref(x);
    }
    /* A type with a reader but without products is widened, too. */
    assert_ok(weights_load(cpu_backend(cpu_isa_best()), weights_arch(w), &c,
                           quantised_file(w, DTYPE_MXFP4, false), DTYPE_N, &x, why));
    assert_int_equal(weights_at(x, 1 + 1)->m.dtype, DTYPE_F32);
    weights_unref(x);
    weights_unref(w);
}

static void test_quantised_weights_cannot_be_trained(void **state)
{
    struct model_config c = quantisable_config(DTYPE_Q8_0, 50);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 9), *next = NULL;
    float *flat = xcalloc((size_t)weights_n_params(w), sizeof(float));
    struct error err = ERROR_INIT;

    (void)state;
    w = quantised_weights(w, DTYPE_Q8_0, cpu_backend(cpu_isa_best()));
    assert_int_equal(weights_from_flat(w, flat, 1, &next, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "model.embed_tokens.weight"));
    assert_non_null(strstr(err.message, "q8_0"));
    assert_non_null(strstr(err.hint, "--weight-type"));
    weights_unref(w);
    free(flat);
}

/* The plan is the memory that the load then takes. */
static void test_the_plan_is_what_a_load_takes(void **state)
{
    static const enum dtype types[] = {DTYPE_Q8_0, DTYPE_Q4_K, DTYPE_MXFP4, DTYPE_F32};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        for (int tied = 0; tied < 2; tied++) {
            struct model_config c = quantisable_config(types[i], 50);
            struct weights *w, *q = NULL;
            struct tensor_file *f;
            struct weights_plan plan;
            int64_t lent;

            c.tie_word_embeddings = tied;
            w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 8);
            f = quantised_file(w, types[i], true);
            assert_ok(weights_plan(cpu_backend(cpu_isa_best()), weights_arch(w), &c, f, DTYPE_N,
                                   &plan, why));
            assert_ok(weights_load(cpu_backend(cpu_isa_best()), weights_arch(w), &c, f, DTYPE_N, &q,
                                   why));
            assert_int_equal(plan.rounded_inputs, weights_rounded_inputs(q));
            assert_int_equal(plan.kv_dtype, weights_kv_dtype(q));
            assert_int_equal(plan.widened, types[i] == DTYPE_MXFP4 ? DTYPE_MXFP4 : DTYPE_N);
            /* Vectors and the embedding stay in the file when their type allows it. */
            lent = plan.bytes - weights_bytes(q);
            assert_true(lent >= 0);
            if (types[i] != DTYPE_MXFP4) {
                int64_t vectors = 0, table = (int64_t)dtype_row_bytes(types[i], 50 * c.hidden_size);

                for (int32_t k = 0; k < weights_n(q); k++)
                    if (weights_at(q, k)->m.n_out == 1)
                        vectors += (weights_at(q, k)->m.n_in * 4 + 63) / 64 * 64;
                assert_int_equal(lent, vectors + (table + 63) / 64 * 64);
            }
            weights_unref(q);
            weights_unref(w);
        }
}

static void write_changed(const char *dir, const struct weights *w, const char *drop,
                          const char *add)
{
    int32_t n = weights_n(w), m = 0;
    struct safetensor_source *t = xcalloc((size_t)n + 1, sizeof(*t));

    for (int32_t i = 0; i < n; i++) {
        const struct weight_tensor *x = weights_at(w, i);
        bool vector = x->m.n_out == 1;

        if (drop && strcmp(x->name, drop) == 0)
            continue;
        t[m] = (struct safetensor_source){
            .name = x->name, .n_dims = vector ? 1 : 2, .data = x->m.rows};
        t[m].shape[0] = vector ? x->m.n_in : x->m.n_out;
        t[m++].shape[1] = vector ? 0 : x->m.n_in;
    }
    if (add) {
        t[m] =
            (struct safetensor_source){.name = add, .n_dims = 1, .data = weights_at(w, 0)->m.rows};
        t[m++].shape[0] = 3;
    }
    assert_ok(safetensors_write_dir(dir, t, m, 0, NULL, seams_real(), why));
    free(t);
}

static void test_wrong_checkpoints_are_refused_by_name(void **state)
{
    struct model_config c = tiny_config(true), wider = c;
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 5), *out = NULL;
    struct error err = ERROR_INIT;
    char dir[64];

    (void)state;
    temp_dir(dir);
    write_changed(dir, w, "model.layers.1.mlp.up_proj.weight", NULL);
    assert_int_not_equal(load(dir, &c, DTYPE_N, &out, &err), STATUS_OK);
    assert_non_null(strstr(err.message, "model.layers.1.mlp.up_proj.weight"));
    error_clear(&err);
    write_changed(dir, w, NULL, "model.layers.0.self_attn.q_proj.bias");
    assert_int_equal(load(dir, &c, DTYPE_N, &out, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "model.layers.0.self_attn.q_proj.bias"));
    error_clear(&err);
    wider.intermediate_size += 8;
    write_changed(dir, w, NULL, NULL);
    assert_int_not_equal(load(dir, &wider, DTYPE_N, &out, &err), STATUS_OK);
    assert_non_null(strstr(err.message, "mlp.gate_proj.weight"));
    error_clear(&err);
    /* A buffer that nothing reads is accepted. */
    write_changed(dir, w, NULL, "model.layers.0.self_attn.rotary_emb.inv_freq");
    assert_ok(load(dir, &c, DTYPE_N, &out, why));
    weights_unref(out);
    weights_unref(w);
    temp_dir_remove(dir);
}

static void test_initial_values_have_their_spread(void **state)
{
    struct model_config c = tiny_config(false);
    struct weights *a = NULL, *b = NULL;
    const struct backend *backend = cpu_backend(cpu_isa_best());

    (void)state;
    c.hidden_size = 128;
    c.intermediate_size = 256;
    assert_ok(weights_init(backend, arch_find(c.architecture), &c, 1, &a, why));
    assert_ok(weights_init(backend, arch_find(c.architecture), &c, 1, &b, why));
    assert_memory_equal(weights_hash(a), weights_hash(b), sizeof(struct sha256));
    for (int32_t i = 0; i < weights_n(a); i++) {
        const struct weight_tensor *t = weights_at(a, i);
        const float *x = t->m.rows;
        double n = (double)t->m.n_out * t->m.n_in, sum = 0, squares = 0, want = 0.02;

        for (int64_t j = 0; j < (int64_t)n; j++) {
            sum += (double)x[j];
            squares += (double)x[j] * (double)x[j];
        }
        if (t->m.n_out == 1) {
            assert_true(sum == n && squares == n);
            continue;
        }
        if (strstr(t->name, "o_proj") || strstr(t->name, "down_proj"))
            want /= 2.0; /* 1/sqrt(2 L), L = 2 */
        assert_true(fabs(sum / n) < 4 * want / sqrt(n));
        assert_true(fabs(sqrt(squares / n) / want - 1.0) < 0.06);
    }
    weights_unref(a);
    weights_unref(b);
}

static void *hash_and_drop(void *ctx)
{
    struct weights *w = ctx;

    (void)weights_hash(w);
    weights_unref(w);
    return NULL;
}

static void test_references_from_many_threads(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 6);
    pthread_t thread[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hash_and_drop, weights_ref(w)), 0);
    weights_unref(w); /* the last thread frees it: sanitizers check this */
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export_and_load_give_the_same_bits),
        cmocka_unit_test(test_every_family_is_exported_and_loaded),
        cmocka_unit_test(test_what_the_decoder_cannot_do_is_refused),
        cmocka_unit_test(test_bf16_rounds_products_and_keeps_vectors),
        cmocka_unit_test(test_a_folder_may_mix_types),
        cmocka_unit_test(test_quantised_weights_have_the_values_of_their_blocks),
        cmocka_unit_test(test_what_is_asked_for_widens_blocks),
        cmocka_unit_test(test_quantised_weights_cannot_be_trained),
        cmocka_unit_test(test_the_plan_is_what_a_load_takes),
        cmocka_unit_test(test_wrong_checkpoints_are_refused_by_name),
        cmocka_unit_test(test_initial_values_have_their_spread),
        cmocka_unit_test(test_references_from_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
