/* test_kernels_families.c - ops that some families of models need: geglu, biases, soft caps, scale.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static const int32_t sizes[] = {1, 2, 15, 16, 17, 31, 33, 64, 255, 257};
static const int32_t row_counts[] = {1, 3, 37};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), N_ROWS = 3, SMALL = 64 };

struct glu_loss {
    double *gu, *dy, *y;
    int32_t R, F;
};

static double gelu(double g)
{
    return g / 2 * (1 + tanh(sqrt(2 / acos(-1.0)) * (g + 0.044715 * g * g * g)));
}

static double geglu_loss(void *ctx)
{
    const struct glu_loss *j = ctx;
    double loss = 0.0;

    for (int32_t r = 0; r < j->R; r++)
        for (int32_t i = 0; i < j->F; i++) {
            double gate = j->gu[r * 2 * j->F + i], up = j->gu[r * 2 * j->F + j->F + i];
            j->y[r * j->F + i] = gelu(gate) * up;
            loss += j->dy[r * j->F + i] * j->y[r * j->F + i];
        }
    return loss;
}

static void geglu_case(int32_t F, int32_t R)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)F};
    size_t n = (size_t)(R * F);
    float *gu = draw_floats(&g, &d, 2 * n, -6.0f, 6.0f), *dy = draw_floats(&g, &d, n, -1.0f, 1.0f);
    float *y = guard_floats(&g, n), *y0 = guard_floats(&g, n);
    float *dgu = guard_floats(&g, 2 * n), *dgu0 = guard_floats(&g, 2 * n);
    struct glu_loss j = {doubles(gu, 2 * n), doubles(dy, n), malloc(n * sizeof(double)), R, F};

    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        float *yi = i ? y : y0, *di = i ? dgu : dgu0;
        poison(yi, n);
        poison(di, 2 * n);
        v->b->geglu(&v->lane, gu, R, F, yi);
        v->b->geglu_back(&v->lane, gu, dy, R, F, di);
        assert_bits(yi, y0, n, "geglu", v->name);
        assert_bits(di, dgu0, 2 * n, "geglu_back", v->name);
    }
    geglu_loss(&j);
    assert_near(y0, j.y, n, 1e-6, "geglu");
    if (n <= SMALL * 3) {
        double *want = malloc(2 * n * sizeof(double));
        numeric_gradient(geglu_loss, &j, j.gu, 2 * n, want);
        assert_near(dgu0, want, 2 * n, 3e-6, "geglu_back");
        free(want);
    }
    free(j.gu);
    free(j.dy);
    free(j.y);
    guard_free(&g);
}

static void test_geglu(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            geglu_case(sizes[i], row_counts[r]);
}

static void test_geglu_at_extremes(void **state)
{
    const float gu[10] = {-200.0f, 200.0f, -1e30f, 1e30f, -9.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    const double far = -9.0 / (1 + exp(2 * sqrt(2 / acos(-1.0)) * (9 + 0.044715 * 729)));
    float y[5];

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        vs.v[i].b->geglu(&vs.v[i].lane, gu, 1, 5, y);
        assert_true(y[0] == 0.0f && y[1] == 200.0f && y[2] == 0.0f && y[3] == 1e30f);
        assert_true(fabs((double)y[4] / far - 1) < 2e-5);
    }
}

/* Rows with a gap between them, which nothing touches. */
static void bias_case(int32_t n, int32_t R)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(n + 1000 * R)};
    int64_t ld = n + 3;
    size_t size = (size_t)(R * ld) - 3;
    float *bias = draw_floats(&g, &d, (size_t)n, -1.0f, 1.0f);
    float *x = draw_floats(&g, &d, size, -1.0f, 1.0f), *want = guard_copy(&g, x, size);
    float *old = draw_floats(&g, &d, (size_t)n, -1.0f, 1.0f);
    float *want_db = guard_copy(&g, old, (size_t)n);
    float *y = guard_floats(&g, size), *db = guard_floats(&g, (size_t)n);

    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++) {
            want[r * ld + i] += bias[i];
            want_db[i] += x[r * ld + i];
        }
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(y, x, size * sizeof(float));
        memcpy(db, old, (size_t)n * sizeof(float));
        v->b->bias_add(&v->lane, bias, R, n, y, ld);
        v->b->bias_back(&v->lane, x, ld, R, n, db);
        assert_bits(y, want, size, "bias_add", v->name);
        assert_bits(db, want_db, (size_t)n, "bias_back", v->name);
    }
    guard_free(&g);
}

static void test_biases(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            bias_case(sizes[i], row_counts[r]);
}

static void softcap_case(int32_t n, int32_t R, float cap)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(n + 1000 * R)};
    int64_t ld = n + 5;
    size_t size = (size_t)(R * ld) - 5, dense = (size_t)(R * n);
    float *x = draw_floats(&g, &d, size, -4 * cap, 4 * cap), *y = guard_floats(&g, size);
    float *y0 = guard_floats(&g, size), *slope = guard_floats(&g, dense);
    float *slope0 = guard_floats(&g, dense), *dx = guard_floats(&g, size);
    float *dy = draw_floats(&g, &d, size, -1.0f, 1.0f), *dx0 = guard_floats(&g, size);
    double *want = doubles(x, size), *want_slope = malloc(dense * sizeof(double));

    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++) {
            double t = tanh(want[r * ld + i] / (double)cap);
            want[r * ld + i] = (double)cap * t;
            want_slope[r * n + i] = 1 - t * t;
        }
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        float *yi = i ? y : y0, *si = i ? slope : slope0, *di = i ? dx : dx0;
        memcpy(yi, x, size * sizeof(float));
        memcpy(di, dy, size * sizeof(float));
        poison(si, dense);
        v->b->softcap(&v->lane, cap, yi, ld, R, n, si);
        v->b->softcap_back(&v->lane, si, R, n, di, ld);
        assert_bits(yi, y0, size, "softcap", v->name);
        assert_bits(si, slope0, dense, "softcap slope", v->name);
        assert_bits(di, dx0, size, "softcap_back", v->name);
        memcpy(y, x, size * sizeof(float));
        v->b->softcap(&v->lane, cap, y, ld, R, n, NULL);
        assert_bits(y, y0, size, "softcap without its slope", v->name);
    }
    assert_near(y0, want, size, 2e-7, "softcap");
    assert_near(slope0, want_slope, dense, 3e-7, "softcap slope");
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++)
            assert_true(dx0[r * ld + i] == dy[r * ld + i] * slope0[r * n + i]);
    free(want);
    free(want_slope);
    guard_free(&g);
}

static void test_soft_caps(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            softcap_case(sizes[i], row_counts[r], r == 1 ? 30.0f : 1.0f);
}

/* With a cap of 1 the op is tanh: relative errors where it is small, and its ends. */
static void test_tanh_is_within_two_ulps(void **state)
{
    const float ends[] = {0.0f, 1e-30f, -1e-30f, 100.0f, -100.0f, INFINITY, -INFINITY};
    const float want[] = {0.0f, 1e-30f, -1e-30f, 1.0f, -1.0f, 1.0f, -1.0f};

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        double worst = 0;
        float x[257];

        memcpy(x, ends, sizeof(ends));
        v->b->softcap(&v->lane, 1.0f, x, 7, 1, 7, NULL);
        for (int k = 0; k < 7; k++)
            assert_true(x[k] == want[k]);
        for (int exponent = -20; exponent <= 3; exponent++) {
            for (int k = 0; k < 257; k++)
                x[k] = ldexpf((1.0f + (float)k / 257) * (k % 2 ? 1.0f : -1.0f), exponent);
            v->b->softcap(&v->lane, 1.0f, x, 257, 1, 257, NULL);
            for (int k = 0; k < 257; k++) {
                double t = tanh(
                    (double)ldexpf((1.0f + (float)k / 257) * (k % 2 ? 1.0f : -1.0f), exponent));
                double ulp = (double)(nextafterf(fabsf((float)t), 2.0f) - fabsf((float)t));
                worst = fmax(worst, fabs((double)x[k] - t) / ulp);
            }
        }
        if (worst > 2)
            fail_msg("tanh: %.2f ulp, %s", worst, v->name);
    }
}

static void test_scale(void **state)
{
    static const int32_t counts[] = {1, 16, 17, 4096, 4097, 9000};

    (void)state;
    for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        struct guard g = {.n = 0};
        struct draw d = {k};
        size_t n = (size_t)counts[k];
        float *x = draw_floats(&g, &d, n, -1.0f, 1.0f), *y = guard_floats(&g, n);
        float *want = guard_copy(&g, x, n);

        for (size_t i = 0; i < n; i++)
            want[i] *= 25.298221f;
        for (int i = 0; i < vs.n; i++) {
            memcpy(y, x, n * sizeof(float));
            vs.v[i].b->scale(&vs.v[i].lane, 25.298221f, (int64_t)n, y);
            assert_bits(y, want, n, "scale", vs.v[i].name);
        }
        guard_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_geglu),
        cmocka_unit_test(test_geglu_at_extremes),
        cmocka_unit_test(test_biases),
        cmocka_unit_test(test_soft_caps),
        cmocka_unit_test(test_tanh_is_within_two_ulps),
        cmocka_unit_test(test_scale),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
