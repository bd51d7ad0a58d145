/* test_kernels_rows.c - embed, rmsnorm, rope and swiglu, forward and backward.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static const int32_t sizes[] = {1, 2, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257};
static const int32_t row_counts[] = {1, 3, 37};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), N_ROWS = 3, SMALL = 64 };

static void embed_case(int32_t C, int32_t R, enum dtype dtype)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)C};
    int32_t V = 11, token[64];
    double *value = malloc((size_t)(V * C) * sizeof(double));
    struct matrix table = test_matrix(&g, &d, V, C, dtype, value);
    size_t n = (size_t)(R * C), nt = (size_t)(V * C);
    float *out = guard_floats(&g, n), *dy = draw_floats(&g, &d, n, -1.0f, 1.0f);
    float *d0 = draw_floats(&g, &d, nt, -1.0f, 1.0f), *want = guard_copy(&g, d0, nt);
    float *dt = guard_floats(&g, nt);

    for (int32_t r = 0; r < R; r++)
        token[r] = (int32_t)(draw_u32(&d) % (uint32_t)V); /* repeats: order matters */
    for (int32_t r = 0; r < R; r++)
        for (int32_t c = 0; c < C; c++)
            want[token[r] * C + c] += dy[r * C + c];
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        poison(out, n);
        v->b->embed(&v->lane, &table, token, R, out);
        for (int32_t r = 0; r < R; r++)
            for (int32_t c = 0; c < C; c++)
                assert_true((double)out[r * C + c] == value[token[r] * C + c]);
        memcpy(dt, d0, nt * sizeof(float));
        v->b->embed_back(&v->lane, dy, token, R, C, dt);
        assert_bits(dt, want, nt, "embed_back", v->name);
    }
    guard_free(&g);
    free(value);
}

static void test_embed(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            for (int dtype = DTYPE_F32; dtype <= DTYPE_F16; dtype++)
                embed_case(sizes[i], row_counts[r], (enum dtype)dtype);
}

struct norm_loss {
    double *x, *w, *dy;
    int32_t R, n;
    double eps;
    double *y; /* (R, n), written by the loss */
};

static double norm_loss(void *ctx)
{
    const struct norm_loss *j = ctx;
    double loss = 0.0;

    for (int32_t r = 0; r < j->R; r++) {
        const double *x = j->x + r * j->n;
        double sum = 0.0, s;
        for (int32_t i = 0; i < j->n; i++)
            sum += x[i] * x[i];
        s = 1.0 / sqrt(sum / j->n + j->eps);
        for (int32_t i = 0; i < j->n; i++) {
            j->y[r * j->n + i] = x[i] * s * j->w[i];
            loss += j->dy[r * j->n + i] * j->y[r * j->n + i];
        }
    }
    return loss;
}

static void norm_gradient_near(struct norm_loss *j, const float *dx, const float *dw)
{
    size_t n = (size_t)(j->R * j->n);
    double *want = malloc(n * sizeof(double));

    numeric_gradient(norm_loss, j, j->x, n, want);
    assert_near(dx, want, n, 3e-5, "rmsnorm dx");
    numeric_gradient(norm_loss, j, j->w, (size_t)j->n, want);
    assert_near(dw, want, (size_t)j->n, 3e-5, "rmsnorm dw");
    free(want);
}

static void rmsnorm_case(int32_t n, int32_t R)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(n + 1000 * R)};
    size_t size = (size_t)(R * n);
    const float eps = 1e-3f;
    float *x = draw_floats(&g, &d, size, -2.0f, 2.0f), *w = draw_floats(&g, &d, (size_t)n, 0.5f, 2);
    float *dy = draw_floats(&g, &d, size, -1.0f, 1.0f), *y = guard_floats(&g, size);
    float *rstd = guard_floats(&g, (size_t)R), *dx = guard_floats(&g, size);
    float *dw = guard_floats(&g, (size_t)n), *y0 = guard_floats(&g, size);
    float *dx0 = guard_floats(&g, size), *dw0 = guard_floats(&g, (size_t)n);
    struct norm_loss j = {doubles(x, size), doubles(w, (size_t)n),        doubles(dy, size), R, n,
                          (double)eps,      malloc(size * sizeof(double))};

    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        float *yi = i ? y : y0, *dxi = i ? dx : dx0, *dwi = i ? dw : dw0;
        poison(yi, size);
        v->b->rmsnorm(&v->lane, x, w, R, n, eps, yi, rstd);
        memset(dwi, 0, (size_t)n * sizeof(float));
        v->b->rmsnorm_back(&v->lane, x, w, rstd, dy, R, n, 0.0f, dxi, dwi);
        assert_bits(yi, y0, size, "rmsnorm", v->name);
        assert_bits(dxi, dx0, size, "rmsnorm_back dx", v->name);
        assert_bits(dwi, dw0, (size_t)n, "rmsnorm_back dw", v->name);
        v->b->rmsnorm(&v->lane, x + (R - 1) * n, w, 1, n, eps, y + (R - 1) * n, NULL);
        assert_bits(y + (R - 1) * n, y0 + (R - 1) * n, (size_t)n, "rmsnorm, alone", v->name);
        memcpy(y, x, size * sizeof(float)); /* in place, and over dy, adding to dx */
        v->b->rmsnorm(&v->lane, y, w, R, n, eps, y, NULL);
        assert_bits(y, y0, size, "rmsnorm in place", v->name);
        memcpy(y, dy, size * sizeof(float));
        v->b->rmsnorm_back(&v->lane, x, w, rstd, y, R, n, 0.0f, y, NULL);
        assert_bits(y, dx0, size, "rmsnorm_back in place", v->name);
        memset(dx, 0, size * sizeof(float));
        v->b->rmsnorm_back(&v->lane, x, w, rstd, dy, R, n, 1.0f, dx, NULL);
        for (size_t k = 0; k < size; k++)
            assert_true(dx[k] == dx0[k]); /* 0 + -0 is 0 */
    }
    norm_loss(&j);
    assert_near(y0, j.y, size, 1e-6, "rmsnorm");
    if (size <= SMALL * 3)
        norm_gradient_near(&j, dx0, dw0);
    free(j.x);
    free(j.w);
    free(j.dy);
    free(j.y);
    guard_free(&g);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            rmsnorm_case(sizes[i], row_counts[r]);
}

/* Of each head the first N elements. */
static void rope_reference(double *x, int32_t R, int32_t H, int32_t D, int32_t N,
                           const int32_t *pos, const float *cos, const float *sin)
{
    for (int32_t r = 0; r < R; r++)
        for (int32_t h = 0; h < H; h++)
            for (int32_t i = 0; i < N / 2; i++) {
                double *p = x + (r * H + h) * D;
                double a = p[i], b = p[N / 2 + i];
                double c = (double)cos[pos[r] * (N / 2) + i], s = (double)sin[pos[r] * (N / 2) + i];
                p[i] = a * c - b * s;
                p[N / 2 + i] = b * c + a * s;
            }
}

static void rope_case(int32_t D, int32_t N, int32_t R)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)D};
    int32_t H = 3, pos[64], max_pos = 50;
    size_t n = (size_t)(R * H * D), nt = (size_t)(max_pos * (N / 2));
    float *x = draw_floats(&g, &d, n, -1.0f, 1.0f), *y = guard_floats(&g, n);
    float *y0 = guard_floats(&g, n), *back0 = guard_floats(&g, n);
    float *cos = guard_floats(&g, nt), *sin = guard_floats(&g, nt);
    double *want = doubles(x, n), *was = doubles(x, n);

    for (size_t i = 0; i < nt; i++) {
        float angle = draw_float(&d, 0.0f, 6.28f);
        cos[i] = cosf(angle);
        sin[i] = sinf(angle);
    }
    for (int32_t r = 0; r < R; r++)
        pos[r] = (int32_t)(draw_u32(&d) % (uint32_t)max_pos);
    rope_reference(want, R, H, D, N, pos, cos, sin);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(y, x, n * sizeof(float));
        v->b->rope(&v->lane, y, R, H, D, N, pos, cos, sin);
        if (i == 0)
            memcpy(y0, y, n * sizeof(float));
        assert_bits(y, y0, n, "rope", v->name);
        v->b->rope_back(&v->lane, y, R, H, D, N, pos, cos, sin);
        if (i == 0)
            memcpy(back0, y, n * sizeof(float));
        assert_bits(y, back0, n, "rope_back", v->name);
    }
    assert_near(y0, want, n, 1e-6, "rope");
    assert_near(back0, was, n, 1e-6, "rope_back, the transpose of a rotation");
    free(want);
    free(was);
    guard_free(&g);
}

static void test_rope(void **state)
{
    static const int32_t dims[] = {2, 16, 30, 32, 34, 64, 128};

    (void)state;
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++)
        for (int r = 0; r < N_ROWS; r++)
            for (int32_t part = 1; part <= 4; part *= 2)
                if (dims[i] / part % 2 == 0)
                    rope_case(dims[i], dims[i] / part, row_counts[r]);
}

struct swiglu_loss {
    double *gu, *dy, *y;
    int32_t R, F;
};

static double swiglu_loss(void *ctx)
{
    const struct swiglu_loss *j = ctx;
    double loss = 0.0;

    for (int32_t r = 0; r < j->R; r++)
        for (int32_t i = 0; i < j->F; i++) {
            double gate = j->gu[r * 2 * j->F + i], up = j->gu[r * 2 * j->F + j->F + i];
            j->y[r * j->F + i] = gate / (1.0 + exp(-gate)) * up;
            loss += j->dy[r * j->F + i] * j->y[r * j->F + i];
        }
    return loss;
}

static void swiglu_case(int32_t F, int32_t R)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)F};
    size_t n = (size_t)(R * F);
    float *gu = draw_floats(&g, &d, 2 * n, -6.0f, 6.0f), *dy = draw_floats(&g, &d, n, -1.0f, 1.0f);
    float *y = guard_floats(&g, n), *y0 = guard_floats(&g, n);
    float *dgu = guard_floats(&g, 2 * n), *dgu0 = guard_floats(&g, 2 * n);
    struct swiglu_loss j = {doubles(gu, 2 * n), doubles(dy, n), malloc(n * sizeof(double)), R, F};

    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        float *yi = i ? y : y0, *di = i ? dgu : dgu0;
        poison(yi, n);
        poison(di, 2 * n);
        v->b->swiglu(&v->lane, gu, R, F, yi);
        v->b->swiglu_back(&v->lane, gu, dy, R, F, di);
        assert_bits(yi, y0, n, "swiglu", v->name);
        assert_bits(di, dgu0, 2 * n, "swiglu_back", v->name);
    }
    swiglu_loss(&j);
    assert_near(y0, j.y, n, 1e-6, "swiglu");
    if (n <= SMALL * 3) {
        double *want = malloc(2 * n * sizeof(double));
        numeric_gradient(swiglu_loss, &j, j.gu, 2 * n, want);
        assert_near(dgu0, want, 2 * n, 3e-6, "swiglu_back");
        free(want);
    }
    free(j.gu);
    free(j.dy);
    free(j.y);
    guard_free(&g);
}

static void test_swiglu(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIZES; i++)
        for (int r = 0; r < N_ROWS; r++)
            swiglu_case(sizes[i], row_counts[r]);
}

static void test_swiglu_at_extremes(void **state)
{
    const float gu[8] = {-200.0f, 200.0f, -1e30f, 1e30f, 1.0f, 1.0f, 1.0f, 1.0f};
    float y[4];

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        vs.v[i].b->swiglu(&vs.v[i].lane, gu, 1, 4, y);
        assert_true(y[0] == 0.0f && y[1] == 200.0f && y[2] == 0.0f && y[3] == 1e30f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_rmsnorm),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_swiglu_at_extremes),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
