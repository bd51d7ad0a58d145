/* test_dense_parity.c - logits and gradients of every dense family against transformers, as a
 * folder and as a GGUF made from it.
 *
 * Vectors: tests/fixtures/dense and qwen3, made by make_dense_vectors.py and make_qwen3_vectors.py.
 * Relative error of a tensor is the largest absolute difference over the largest absolute value of
 * the reference.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/formats/gguf_quantise.h"
#include "models/formats/model_source.h"
#include "models/formats/safetensors.h"
#include "models/train/packed_pass.h"
#include "runtime/base/memory.h"
#include "tests/support/fake_device.h"
#include "tests/support/reference/reference.h"
#include "tests/support/temp_dir.h"

#define N_SEQUENCES    2
#define LOGITS_ERROR   1e-5
#define GRADIENT_ERROR 1e-4
#define KV_BF16_ERROR  1e-2

struct parity {
    struct weights *weights;
    struct tensor_file *vectors;
    struct row_batch batch;
    int32_t n_trained, length[N_SEQUENCES];
    int32_t *ids[N_SEQUENCES];
    uint8_t *mask[N_SEQUENCES];
};

static float *values_of(const struct parity *p, const char *name, int64_t *n)
{
    const struct file_tensor *t = tensor_file_find(p->vectors, name);
    float *v;

    if (!t)
        fail_msg("no vector %s", name);
    v = xmalloc((size_t)t->n_elements * sizeof(*v));
    file_tensor_to_f32(t, 0, t->n_elements, v);
    *n = t->n_elements;
    return v;
}

static double relative_error(const float *got, const float *want, int64_t n)
{
    double worst = 0, largest = 0;

    for (int64_t i = 0; i < n; i++) {
        assert_true(isfinite(got[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
        largest = fmax(largest, fabs((double)want[i]));
    }
    return largest > 0 ? worst / largest : worst;
}

static void read_sequences(struct parity *p)
{
    for (int i = 0; i < N_SEQUENCES; i++) {
        char name[32];
        int64_t n, m;
        float *ids, *mask;

        snprintf(name, sizeof(name), "ids.%d", i);
        ids = values_of(p, name, &n);
        snprintf(name, sizeof(name), "mask.%d", i);
        mask = values_of(p, name, &m);
        assert_int_equal(n, m);
        p->length[i] = (int32_t)n;
        p->ids[i] = xcalloc((size_t)n, sizeof(int32_t));
        p->mask[i] = xcalloc((size_t)n, 1);
        for (int64_t j = 0; j < n; j++) {
            p->ids[i][j] = (int32_t)ids[j];
            p->mask[i][j] = mask[j] != 0.0f;
            p->n_trained += j > 0 && p->mask[i][j];
        }
        free(ids);
        free(mask);
    }
}

static struct weights *load(const char *path, const struct backend *b, enum dtype dtype,
                            bool short_context)
{
    struct model_source *s = NULL;
    struct tensor_file *tensors = NULL;
    struct model_config config;
    struct weights *w = NULL;

    assert_ok(model_source_open(path, &s, why));
    assert_ok(model_source_config(s, &config, why));
    assert_ok(model_source_tensors(s, &tensors, why));
    config.rope.short_context = short_context;
    assert_ok(weights_load(b, arch_find(config.architecture), &config, tensors, dtype, &w, why));
    model_source_close(s);
    return w;
}

static void parity_open(struct parity *p, const char *name, const struct backend *b,
                        enum dtype dtype)
{
    char file[128], path[512];

    memset(p, 0, sizeof(*p));
    snprintf(file, sizeof(file), "tests/fixtures/%s", name);
    p->weights = load(fixture_path(path, file), b, dtype, strstr(name, "short") != NULL);
    snprintf(file, sizeof(file), "tests/fixtures/%s/vectors.safetensors", name);
    assert_ok(safetensors_open_file(fixture_path(path, file), &p->vectors, why));
    read_sequences(p);
    assert_ok(row_batch_init(&p->batch, 128, why));
}

static void parity_close(struct parity *p)
{
    for (int i = 0; i < N_SEQUENCES; i++) {
        free(p->ids[i]);
        free(p->mask[i]);
    }
    row_batch_deinit(&p->batch);
    tensor_file_close(p->vectors);
    weights_unref(p->weights);
}

static float *logits_of(struct parity *p, struct packed_pass *pass, const struct weights *w, int i)
{
    const size_t V = (size_t)weights_config(w)->vocab_size;
    float *got = xcalloc((size_t)p->length[i] * V, sizeof(float));
    struct head_output out = {.logits = got};

    row_batch_clear(&p->batch);
    assert_true(row_batch_add(&p->batch, p->ids[i], NULL, p->length[i]));
    assert_ok(packed_pass_forward(pass, w, (struct lane){0}, &p->batch, 1.0f, &out, why));
    return got;
}

/* Every position's logits of one sequence. The reference has one row more: after the last id. */
static void check_logits(struct parity *p, struct packed_pass *pass, int i, double bound)
{
    int32_t V = weights_config(p->weights)->vocab_size;
    float *got = logits_of(p, pass, p->weights, i);
    int64_t n;
    char name[32];
    float *want;
    double e;

    snprintf(name, sizeof(name), "logits.%d", i);
    want = values_of(p, name, &n);
    e = relative_error(got, want, (int64_t)(p->length[i] - 1) * V);
    print_message("  %s: %.2e\n", name, e);
    assert_true(e <= bound);
    free(got);
    free(want);
}

static void check_gradients(struct parity *p, struct packed_pass *pass)
{
    const struct backend *b = weights_backend(p->weights);
    const struct lane alone = {0};
    size_t bytes = (size_t)weights_n_params(p->weights) * sizeof(float);
    float *grad = xmalloc(bytes), *there = b->alloc(b->ctx, bytes);
    float *coef = xcalloc((size_t)p->n_trained, sizeof(float));
    float *logp = xcalloc((size_t)p->n_trained, sizeof(float));
    struct head_output out = {.logp = logp};
    double loss = 0, worst = 0;
    int64_t n;
    float *want_loss = values_of(p, "loss", &n);

    row_batch_clear(&p->batch);
    for (int i = 0; i < N_SEQUENCES; i++)
        assert_true(row_batch_add(&p->batch, p->ids[i], p->mask[i], p->length[i]));
    assert_int_equal(p->batch.n_out, p->n_trained);
    for (int32_t i = 0; i < p->n_trained; i++)
        coef[i] = 1.0f / (float)p->n_trained;
    assert_ok(packed_pass_train(pass, p->weights, (struct lane){0}, &p->batch, 1.0f, coef, &out,
                                there, why));
    b->download(&alone, grad, there, bytes);
    b->release(b->ctx, there);
    for (int32_t i = 0; i < p->n_trained; i++)
        loss -= (double)logp[i] / p->n_trained;
    assert_true(fabs(loss - (double)*want_loss) <= LOGITS_ERROR * fabs((double)*want_loss));
    for (int32_t i = 0; i < weights_n(p->weights); i++) {
        const struct arch_tensor *s = weights_shape(p->weights, i);
        char name[128];
        float *want;
        double e;

        snprintf(name, sizeof(name), "grad.%s", s->stored[0] ? s->stored : s->name);
        want = values_of(p, name, &n);
        e = relative_error(grad + weights_flat_offset(p->weights, i),
                           want + (int64_t)s->first_row * s->cols, (int64_t)s->rows * s->cols);
        if (e > GRADIENT_ERROR)
            fail_msg("%s: relative error %.2e", name, e);
        worst = fmax(worst, e);
        free(want);
    }
    print_message("  gradients: %.2e\n", worst);
    free(grad);
    free(coef);
    free(logp);
    free(want_loss);
}

/* The same model as a GGUF: the same bits. */
static void check_gguf(struct parity *p, struct packed_pass *pass, const char *name,
                       const struct backend *on)
{
    struct model_source *s = NULL;
    struct weights *w;
    char dir[64], to[96], file[128], from[512];

    temp_dir(dir);
    snprintf(to, sizeof(to), "%s/m.gguf", dir);
    snprintf(file, sizeof(file), "tests/fixtures/%s", name);
    assert_ok(model_source_open(fixture_path(from, file), &s, why));
    assert_ok(gguf_quantise(s, "f32", to, seams_real(), why));
    model_source_close(s);
    w = load(to, on, DTYPE_F32, strstr(name, "short") != NULL);
    for (int i = 0; i < N_SEQUENCES; i++) {
        const size_t n =
            (size_t)(p->length[i] - 1) * (size_t)weights_config(p->weights)->vocab_size;
        struct packed_pass *other = NULL;
        const struct packed_pass_shape shape = {.max_rows = 128, .max_pos = 128};
        float *a = logits_of(p, pass, p->weights, i), *b;

        assert_ok(packed_pass_new(w, &shape, &other, why)); /* its rotations are of the GGUF */
        b = logits_of(p, other, w, i);
        if (memcmp(a, b, n * sizeof(float)) != 0)
            fail_msg("%s: other logits as a GGUF, relative error %.2e", name,
                     relative_error(b, a, (int64_t)n));
        packed_pass_free(other);
        free(a);
        free(b);
    }
    weights_unref(w);
    temp_dir_remove(dir);
}

static void check_case(const char *name, enum dtype dtype, double bound)
{
    /* Also the plain references, and a device whose memory the host cannot touch. */
    const struct backend *on[CPU_ISA_N + 2] = {reference_backend(), fake_device()};
    int n = 2;

    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++)
        on[n++] = cpu_backend((enum cpu_isa)isa);
    for (int k = 0; k < n; k++) {
        const struct packed_pass_shape shape = {.max_rows = 128, .max_pos = 128, .training = true};
        struct packed_pass *pass = NULL;
        struct parity p;

        parity_open(&p, name, on[k], dtype);
        assert_ok(packed_pass_new(p.weights, &shape, &pass, why));
        print_message("%s, %s\n", name, weights_backend(p.weights)->name);
        for (int i = 0; i < N_SEQUENCES; i++)
            check_logits(&p, pass, i, bound);
        if (bound == LOGITS_ERROR) {
            check_gradients(&p, pass);
            check_gguf(&p, pass, name, on[k]);
        }
        packed_pass_free(pass);
        parity_close(&p);
    }
}

static void check_folder(const char *name)
{
    check_case(name, DTYPE_F32, LOGITS_ERROR);
}

#define CASE(id, name)                                                                             \
    static void test_##id(void **state)                                                            \
    {                                                                                              \
        (void)state;                                                                               \
        check_folder(name);                                                                        \
    }
CASE(qwen3_tied, "qwen3/tied")
CASE(qwen3_untied_grouped, "qwen3/untied_gqa")
CASE(qwen3_bf16_storage_sharded, "qwen3/bf16_sharded")
CASE(llama, "dense/llama")
CASE(llama3_rotations, "dense/llama3")
CASE(linear_rotations, "dense/llama_linear")
CASE(dynamic_rotations, "dense/llama_dynamic")
CASE(mistral, "dense/mistral")
CASE(qwen2, "dense/qwen2")
CASE(yarn_rotations, "dense/qwen2_yarn")
CASE(gemma2, "dense/gemma2")
CASE(gemma3, "dense/gemma3")
CASE(phi3, "dense/phi3")
CASE(longrope_long, "dense/phi3_long")
CASE(longrope_short, "dense/phi3_short")

/* bf16 products widen exactly, but keys and values are then rounded to bf16 too, which the
 * reference, in fp32, does not do: 8 bits. */
static void test_bf16_as_stored(void **state)
{
    (void)state;
    check_case("qwen3/bf16_sharded", DTYPE_N, KV_BF16_ERROR);
    check_case("dense/gemma2", DTYPE_N, 3 * KV_BF16_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qwen3_tied),
        cmocka_unit_test(test_qwen3_untied_grouped),
        cmocka_unit_test(test_qwen3_bf16_storage_sharded),
        cmocka_unit_test(test_llama),
        cmocka_unit_test(test_llama3_rotations),
        cmocka_unit_test(test_linear_rotations),
        cmocka_unit_test(test_dynamic_rotations),
        cmocka_unit_test(test_mistral),
        cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_yarn_rotations),
        cmocka_unit_test(test_gemma2),
        cmocka_unit_test(test_gemma3),
        cmocka_unit_test(test_phi3),
        cmocka_unit_test(test_longrope_long),
        cmocka_unit_test(test_longrope_short),
        cmocka_unit_test(test_bf16_as_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
