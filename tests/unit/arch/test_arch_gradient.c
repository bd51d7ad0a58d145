/* test_arch_gradient.c - backward of a whole model against finite differences, tensor by tensor.
 *
 * Along a random direction d of one tensor, grad . d must be the slope of the loss, which is taken
 * by a five-point stencil from sums in double of float log-probs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/sharded_pass.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"
#include "tests/unit/train/tiny_model.h"

struct probe {
    struct weights *start, *work;
    struct sharded_pass *pass;
    struct sequences batch;
    float *flat, *moved, *grad, *coef;
    size_t n;
    float temperature;
};

static double loss_at(struct probe *p, int32_t tensor, uint64_t seed, double step)
{
    const struct lane alone = {0};
    struct sharded_pass_output out = {.logp = p->moved + p->n}; /* space behind the values */
    double loss = 0;

    memcpy(p->moved, p->flat, p->n * sizeof(float));
    for (int64_t j = weights_flat_offset(p->start, tensor);
         j < weights_flat_offset(p->start, tensor + 1); j++)
        p->moved[j] +=
            (float)(step *
                    (2.0 * (double)rng_unit_float(rng_philox(seed, (uint32_t)j, 0, 0, 3).word[0]) -
                     1.0));
    assert_ok(weights_set_flat(p->work, &alone, p->moved, 2, why));
    assert_ok(sharded_pass_forward(p->pass, p->work, &p->batch, p->temperature, &out, why));
    for (int64_t i = 0; i < p->batch.n_tokens; i++)
        loss -= (double)p->coef[i] * (double)out.logp[i];
    return loss;
}

static void open_probe(struct probe *p, struct model_config c, float temperature, bool recompute)
{
    struct sharded_pass_options o = {
        .max_len = 40, .training = true, .recompute = recompute, .group_rows = 48};
    struct sharded_pass_output out = {0};

    memset(p, 0, sizeof(*p));
    p->temperature = temperature;
    p->start = tiny_weights(&c, cpu_backend(cpu_isa_best()), 5);
    p->n = (size_t)weights_n_params(p->start);
    tiny_batch(&p->batch, &c, 11, 12, 40);
    p->flat = xcalloc(p->n, sizeof(float));
    p->moved = xcalloc(p->n + (size_t)p->batch.n_tokens, sizeof(float));
    p->grad = xcalloc(p->n, sizeof(float));
    p->coef = xcalloc((size_t)p->batch.n_tokens, sizeof(float));
    for (int64_t i = 0; i < p->batch.n_tokens; i++)
        p->coef[i] = rng_unit_float(rng_philox(3, (uint32_t)i, 0, 0, 4).word[0]) - 0.3f;
    weights_to_flat(p->start, p->flat);
    assert_ok(weights_from_flat(p->start, p->flat, 2, &p->work, why));
    assert_ok(sharded_pass_new(p->work, &o, &p->pass, why));
    assert_ok(
        sharded_pass_train(p->pass, p->work, &p->batch, temperature, p->coef, &out, p->grad, why));
}

static void close_probe(struct probe *p)
{
    sharded_pass_free(p->pass);
    weights_unref(p->start);
    weights_unref(p->work);
    sequences_deinit(&p->batch);
    free(p->flat);
    free(p->moved);
    free(p->grad);
    free(p->coef);
}

static void check_tensor(struct probe *p, int32_t i, uint64_t seed)
{
    const double h = 4e-3;
    double slope, want = 0, size = 0;

    for (int64_t j = weights_flat_offset(p->start, i); j < weights_flat_offset(p->start, i + 1);
         j++) {
        double d =
            2.0 * (double)rng_unit_float(rng_philox(seed, (uint32_t)j, 0, 0, 3).word[0]) - 1.0;

        want += d * (double)p->grad[j];
        size += (double)p->grad[j] * (double)p->grad[j];
    }
    assert_true(size > 0); /* a zero gradient would look like a flat loss */
    slope = (8.0 * (loss_at(p, i, seed, h) - loss_at(p, i, seed, -h)) -
             (loss_at(p, i, seed, 2 * h) - loss_at(p, i, seed, -2 * h))) /
            (12.0 * h);
    if (fabs(slope - want) > 2e-3 * (fabs(want) + sqrt(size)))
        fail_msg("%s: slope %.6g, gradient says %.6g", weights_at(p->start, i)->name, slope, want);
}

static void check_model(struct model_config c, float temperature, bool recompute)
{
    struct probe p;

    open_probe(&p, c, temperature, recompute);
    for (int32_t i = 0; i < weights_n(p.start); i++)
        for (uint64_t seed = 1; seed <= 2; seed++)
            check_tensor(&p, i, seed);
    close_probe(&p);
}

static void test_tied(void **state)
{
    (void)state;
    check_model(tiny_config(true), 1.0f, false);
}

static void test_untied_recomputed(void **state)
{
    (void)state;
    check_model(tiny_config(false), 1.0f, true);
}

static void test_at_a_temperature(void **state)
{
    (void)state;
    check_model(tiny_config(true), 0.7f, false);
}

static void test_every_family(void **state)
{
    (void)state;
    for (int i = 0; i < TINY_FAMILIES; i++)
        check_model(tiny_family(i), 1.0f, i % 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tied),
        cmocka_unit_test(test_untied_recomputed),
        cmocka_unit_test(test_at_a_temperature),
        cmocka_unit_test(test_every_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
