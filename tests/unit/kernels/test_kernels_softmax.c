/* test_kernels_softmax.c - log-sum-exp, whole and in parts, and the gradient of cross-entropy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static const int32_t sizes[] = {1, 15, 16, 17, 31, 33, 255, 256, 257, 320, 4095, 4096, 4097, 12301};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), R = 5 };

static double reference_lse(const float *x, int32_t n, double inv_t)
{
    double max = -INFINITY, sum = 0.0;
    for (int32_t i = 0; i < n; i++)
        max = fmax(max, (double)x[i] * inv_t);
    for (int32_t i = 0; i < n; i++)
        sum += exp((double)x[i] * inv_t - max);
    return max + log(sum);
}

/* In chunks of whole blocks: the same bits. */
static void parts_case(const struct variant *v, const float *x, int64_t ld, int32_t V,
                       const float *inv_t, const float *want)
{
    float max[R], sum[R], lse[R];

    for (int chunk = 1; chunk <= 2; chunk++) {
        for (int r = 0; r < R; r++) {
            max[r] = -INFINITY;
            sum[r] = 0.0f;
        }
        for (int32_t at = 0; at < V; at += chunk * LSE_BLOCK) {
            int32_t n = V - at < chunk * LSE_BLOCK ? V - at : chunk * LSE_BLOCK;
            v->b->logsumexp_part(&v->lane, x + at, ld, R, n, inv_t, max, sum);
        }
        v->b->logsumexp_end(&v->lane, R, max, sum, lse);
        assert_bits(lse, want, R, "logsumexp in parts", v->name);
    }
}

static void lse_case(int32_t V, float range)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)V};
    int64_t ld = V + 3;
    size_t n = (size_t)((R - 1) * ld + V);
    float *x = draw_floats(&g, &d, n, -range, range), *inv_t = draw_floats(&g, &d, R, 0.3f, 3.0f);
    float *lse = guard_floats(&g, R), lse0[R], one[R];
    double want[R];

    for (int r = 0; r < R; r++)
        want[r] = reference_lse(x + r * ld, V, (double)inv_t[r]);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        poison(lse, R);
        v->b->logsumexp(&v->lane, x, ld, R, V, inv_t, lse);
        if (i == 0)
            memcpy(lse0, lse, sizeof(lse0));
        assert_bits(lse, lse0, R, "logsumexp", v->name);
        v->b->logsumexp(&v->lane, x + 2 * ld, ld, 1, V, inv_t + 2, one);
        assert_bits(one, lse0 + 2, 1, "logsumexp, a row alone", v->name);
        parts_case(v, x, ld, V, inv_t, lse0);
    }
    assert_near(lse0, want, R, 1e-6, "logsumexp");
    vs.v[0].b->logsumexp(&vs.v[0].lane, x, ld, R, V, NULL, lse);
    for (int r = 0; r < R; r++)
        want[r] = reference_lse(x + r * ld, V, 1.0);
    assert_near(lse, want, R, 1e-6, "logsumexp without temperature");
    guard_free(&g);
}

static void test_logsumexp(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++) {
        lse_case(sizes[i], 8.0f);
        lse_case(sizes[i], 500.0f);
    }
}

static void test_masked_columns_count_for_nothing(void **state)
{
    int32_t V = 3 * LSE_BLOCK;
    float *x = malloc((size_t)V * sizeof(float)), lse;

    (void)state;
    for (int32_t i = 0; i < V; i++)
        x[i] = -INFINITY;
    x[LSE_BLOCK + 7] = 2.5f; /* the first and the last block are masked whole */
    for (int i = 0; i < vs.n; i++) {
        vs.v[i].b->logsumexp(&vs.v[i].lane, x, V, 1, V, NULL, &lse);
        assert_true(lse == 2.5f);
    }
    free(x);
}

struct ce_loss {
    double *x, inv_t, coef;
    int32_t V, target;
};

static double ce_loss(void *ctx)
{
    const struct ce_loss *j = ctx;
    double max = -INFINITY, sum = 0.0;

    for (int32_t i = 0; i < j->V; i++)
        max = fmax(max, j->x[i] * j->inv_t);
    for (int32_t i = 0; i < j->V; i++)
        sum += exp(j->x[i] * j->inv_t - max);
    return j->coef * (max + log(sum) - j->x[j->target] * j->inv_t);
}

static void grad_case(int32_t V)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)V};
    int64_t ld = V + 1;
    size_t n = (size_t)((R - 1) * ld + V);
    float *x = draw_floats(&g, &d, n, -4.0f, 4.0f), *inv_t = draw_floats(&g, &d, R, 0.5f, 2.0f);
    float *coef = draw_floats(&g, &d, R, 0.1f, 1.0f), *y = guard_floats(&g, n);
    float *y0 = guard_floats(&g, n), lse[R];
    int32_t target[R], cut = V / 3;

    for (int r = 0; r < R; r++)
        target[r] = (int32_t)(draw_u32(&d) % (uint32_t)V);
    vs.v[0].b->logsumexp(&vs.v[0].lane, x, ld, R, V, inv_t, lse);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(y, x, n * sizeof(float));
        v->b->softmax_grad(&v->lane, y, ld, R, 0, V, target, inv_t, lse, coef);
        if (i == 0)
            memcpy(y0, y, n * sizeof(float));
        assert_bits(y, y0, n, "softmax_grad", v->name);
        memcpy(y, x, n * sizeof(float)); /* in two chunks */
        v->b->softmax_grad(&v->lane, y + cut, ld, R, cut, V - cut, target, inv_t, lse, coef);
        v->b->softmax_grad(&v->lane, y, ld, R, 0, cut, target, inv_t, lse, coef);
        assert_bits(y, y0, n, "softmax_grad in chunks", v->name);
    }
    for (int r = 0; r < R; r++) {
        double *row = doubles(x + r * ld, (size_t)V), *want = malloc((size_t)V * sizeof(double));
        struct ce_loss j = {row, (double)inv_t[r], (double)coef[r], V, target[r]};
        numeric_gradient(ce_loss, &j, row, (size_t)V, want);
        assert_near(y0 + r * ld, want, (size_t)V, 1e-5, "softmax_grad");
        free(row);
        free(want);
    }
    guard_free(&g);
}

static void test_softmax_grad(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES && sizes[i] <= 320; i++)
        if (sizes[i] > 1)
            grad_case(sizes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logsumexp),
        cmocka_unit_test(test_masked_columns_count_for_nothing),
        cmocka_unit_test(test_softmax_grad),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
