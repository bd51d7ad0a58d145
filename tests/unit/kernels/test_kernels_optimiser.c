/* test_kernels_optimiser.c - adamw, add and sum_squares.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static const int32_t sizes[] = {1, 15, 16, 17, 33, 4095, 4096, 4097, 70001};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Loshchilov and Hutter 2019, algorithm 2, in double. */
static void adamw_reference(const struct adamw_step *s, size_t n, const float *grad, double *m,
                            double *v, double *w)
{
    for (size_t i = 0; i < n; i++) {
        double g = (double)grad[i] * (double)s->grad_scale;
        m[i] = (double)s->beta1 * m[i] + (1.0 - (double)s->beta1) * g;
        v[i] = (double)s->beta2 * v[i] + (1.0 - (double)s->beta2) * g * g;
        w[i] -= (double)s->lr *
                (m[i] / (double)s->bias1 / (sqrt(v[i] / (double)s->bias2) + (double)s->eps) +
                 (double)s->weight_decay * w[i]);
    }
}

static void adamw_case(size_t n)
{
    struct guard g = {.n = 0};
    struct draw d = {n};
    struct adamw_step s = {.lr = 1e-2f,
                           .beta1 = 0.9f,
                           .beta2 = 0.95f,
                           .eps = 1e-8f,
                           .weight_decay = 0.1f,
                           .bias1 = 0.19f,
                           .bias2 = 0.0975f,
                           .grad_scale = 0.5f};
    float *grad = draw_floats(&g, &d, n, -1.0f, 1.0f), *m0 = draw_floats(&g, &d, n, -0.1f, 0.1f);
    float *v0 = draw_floats(&g, &d, n, 0.0f, 0.1f), *w0 = draw_floats(&g, &d, n, -1.0f, 1.0f);
    float *m = guard_floats(&g, n), *v = guard_floats(&g, n), *w = guard_floats(&g, n);
    float *first = guard_floats(&g, 3 * n);
    double *dm = doubles(m0, n), *dv = doubles(v0, n), *dw = doubles(w0, n);

    adamw_reference(&s, n, grad, dm, dv, dw);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *x = &vs.v[i];
        memcpy(m, m0, n * sizeof(float));
        memcpy(v, v0, n * sizeof(float));
        memcpy(w, w0, n * sizeof(float));
        x->b->adamw(&x->lane, &s, (int64_t)n, grad, m, v, w);
        if (i == 0) {
            memcpy(first, m, n * sizeof(float));
            memcpy(first + n, v, n * sizeof(float));
            memcpy(first + 2 * n, w, n * sizeof(float));
        }
        assert_bits(m, first, n, "adamw m", x->name);
        assert_bits(v, first + n, n, "adamw v", x->name);
        assert_bits(w, first + 2 * n, n, "adamw w", x->name);
    }
    assert_near(m, dm, n, 1e-6, "adamw m");
    assert_near(v, dv, n, 1e-6, "adamw v");
    assert_near(w, dw, n, 1e-6, "adamw w");
    free(dm);
    free(dv);
    free(dw);
    guard_free(&g);
}

static void test_adamw(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        adamw_case((size_t)sizes[i]);
}

static void test_add_and_sum_squares(void **state)
{
    double none;

    (void)state;
    for (int k = 0; k < N_SIZES; k++) {
        struct guard g = {.n = 0};
        struct draw d = {(uint64_t)k};
        size_t n = (size_t)sizes[k];
        float *x = draw_floats(&g, &d, n, -1.0f, 1.0f), *y0 = draw_floats(&g, &d, n, -1.0f, 1.0f);
        float *y = guard_floats(&g, n);
        double want = 0.0, first;

        vs.v[0].b->sum_squares(&vs.v[0].lane, x, (int64_t)n, &first);
        for (size_t i = 0; i < n; i++)
            want += (double)x[i] * (double)x[i];
        assert_true(fabs(first - want) <= 1e-12 * want);
        for (int i = 0; i < vs.n; i++) {
            const struct variant *v = &vs.v[i];
            double got;

            v->b->sum_squares(&v->lane, x, (int64_t)n, &got);
            assert_memory_equal(&got, &first, sizeof(got));
            memcpy(y, y0, n * sizeof(float));
            v->b->add(&v->lane, x, (int64_t)n, y);
            for (size_t c = 0; c < n; c++)
                assert_true(y[c] == y0[c] + x[c]);
        }
        guard_free(&g);
    }
    vs.v[0].b->sum_squares(&vs.v[0].lane, NULL, 0, &none);
    assert_true(none == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_add_and_sum_squares),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
