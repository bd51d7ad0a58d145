/* test_qwen3_parity.c - logits and gradients against transformers' Qwen3ForCausalLM.
 *
 * Vectors: tests/fixtures/qwen3, made by make_qwen3_vectors.py. Relative error of a tensor is
 * the largest absolute difference over the largest absolute value of the reference.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/formats/safetensors.h"
#include "models/train/packed_pass.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

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

static void parity_open(struct parity *p, const char *name, enum cpu_isa isa, enum dtype dtype)
{
    const struct arch *arch = arch_find("Qwen3ForCausalLM");
    struct model_config config;
    struct tensor_file *st = NULL;
    char file[128], path[512];

    memset(p, 0, sizeof(*p));
    snprintf(file, sizeof(file), "tests/fixtures/qwen3/%s", name);
    fixture_path(path, file);
    assert_ok(model_config_load_dir(path, &config, why));
    assert_ok(safetensors_open_dir(path, &st, why));
    assert_ok(weights_load(cpu_backend(isa), arch, &config, st, dtype, &p->weights, why));
    snprintf(file, sizeof(file), "tests/fixtures/qwen3/%s/vectors.safetensors", name);
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

/* Every position's logits of one sequence. The reference has one row more: after the last id. */
static void check_logits(struct parity *p, struct packed_pass *pass, int i, double bound)
{
    int32_t V = weights_config(p->weights)->vocab_size;
    float *got = xcalloc((size_t)p->length[i] * (size_t)V, sizeof(float));
    struct head_output out = {.logits = got};
    int64_t n;
    char name[32];
    float *want;
    double e;

    snprintf(name, sizeof(name), "logits.%d", i);
    want = values_of(p, name, &n);
    row_batch_clear(&p->batch);
    assert_true(row_batch_add(&p->batch, p->ids[i], NULL, p->length[i]));
    assert_ok(packed_pass_forward(pass, p->weights, (struct lane){0}, &p->batch, 1.0f, &out, why));
    e = relative_error(got, want, (int64_t)(p->length[i] - 1) * V);
    print_message("  %s: %.2e\n", name, e);
    assert_true(e <= bound);
    free(got);
    free(want);
}

static void check_gradients(struct parity *p, struct packed_pass *pass)
{
    size_t n_params = (size_t)weights_n_params(p->weights);
    float *grad = xcalloc(n_params, sizeof(float));
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
                                grad, why));
    for (int32_t i = 0; i < p->n_trained; i++)
        loss -= (double)logp[i] / p->n_trained;
    assert_true(fabs(loss - (double)*want_loss) <= LOGITS_ERROR * fabs((double)*want_loss));
    for (int32_t i = 0; i < weights_n(p->weights); i++) {
        char name[128];
        float *want;
        double e;

        snprintf(name, sizeof(name), "grad.%s", weights_at(p->weights, i)->name);
        want = values_of(p, name, &n);
        e = relative_error(grad + weights_flat_offset(p->weights, i), want, n);
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

static void check_case(const char *name, enum dtype dtype, double bound)
{
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        const struct packed_pass_shape shape = {.max_rows = 128, .max_pos = 128, .training = true};
        struct packed_pass *pass = NULL;
        struct parity p;

        parity_open(&p, name, (enum cpu_isa)isa, dtype);
        assert_ok(packed_pass_new(p.weights, &shape, &pass, why));
        print_message("%s, %s\n", name, weights_backend(p.weights)->name);
        for (int i = 0; i < N_SEQUENCES; i++)
            check_logits(&p, pass, i, bound);
        if (bound == LOGITS_ERROR)
            check_gradients(&p, pass);
        packed_pass_free(pass);
        parity_close(&p);
    }
}

static void test_tied(void **state)
{
    (void)state;
    check_case("tied", DTYPE_N, LOGITS_ERROR);
}

static void test_untied_grouped(void **state)
{
    (void)state;
    check_case("untied_gqa", DTYPE_N, LOGITS_ERROR);
}

static void test_bf16_storage_sharded(void **state)
{
    (void)state;
    check_case("bf16_sharded", DTYPE_F32, LOGITS_ERROR);
}

/* bf16 products widen exactly, but keys and values are then rounded to bf16 too, which the
 * reference, in fp32, does not do: 8 bits. */
static void test_bf16_as_stored(void **state)
{
    (void)state;
    check_case("bf16_sharded", DTYPE_N, KV_BF16_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tied),
        cmocka_unit_test(test_untied_grouped),
        cmocka_unit_test(test_bf16_storage_sharded),
        cmocka_unit_test(test_bf16_as_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
