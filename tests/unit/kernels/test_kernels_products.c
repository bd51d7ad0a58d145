/* test_kernels_products.c - matmul, matmul_dx, matmul_dw and packing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

struct shape {
    int32_t R, n_out, n_in;
};

/* Around the tile (14 rows, 6, 4), the vector, the panel and the cut of k (256, 512, 1024). */
static const struct shape shapes[] = {
    {1, 1, 1},      {1, 16, 15},    {2, 31, 16},   {3, 32, 17},    {4, 33, 31},    {5, 255, 33},
    {6, 256, 32},   {7, 257, 257},  {8, 17, 256},  {13, 64, 255},  {14, 96, 64},   {15, 15, 300},
    {16, 128, 128}, {29, 160, 48},  {43, 40, 513}, {1, 130, 1025}, {3, 257, 1024}, {2, 48, 2100},
    {700, 40, 40},  {64, 1000, 32}, {64, 320, 33}, {33, 545, 40},  {100, 20, 16},  {31, 65, 1},
    {130, 48, 20},  {6, 70, 530},
};

enum { N_SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* The rule itself: one FMA chain an element, from +0 or the old value, in the order of k. */
static void chain_matmul(const struct matrix *w, const double *value, const float *x, int64_t ldx,
                         int32_t R, float *y, int64_t ldy)
{
    for (int64_t r = 0; r < R; r++)
        for (int64_t o = 0; o < w->n_out; o++)
            for (int64_t i = 0; i < w->n_in; i++)
                y[r * ldy + o] =
                    fmaf(x[r * ldx + i], (float)value[o * w->n_in + i], y[r * ldy + o]);
}

static void matmul_case(struct shape s, enum dtype dtype, float beta, int pad)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(s.R * 1000 + s.n_out)};
    double *value = malloc((size_t)s.n_out * (size_t)s.n_in * sizeof(double));
    struct matrix w = test_matrix(&g, &d, s.n_out, s.n_in, dtype, value);
    int64_t ldx = s.n_in + pad, ldy = s.n_out + pad;
    size_t ny = (size_t)((s.R - 1) * ldy + s.n_out);
    float *x = draw_floats(&g, &d, (size_t)((s.R - 1) * ldx + s.n_in), -1.0f, 1.0f);
    float *y0 = guard_floats(&g, ny), *want, *y = guard_floats(&g, ny);
    float *row = guard_floats(&g, (size_t)s.n_out);

    for (int64_t r = 0; r < s.R && beta != 0.0f; r++)
        for (int64_t o = 0; o < s.n_out; o++)
            y0[r * ldy + o] = draw_float(&d, -1.0f, 1.0f);
    want = guard_copy(&g, y0, ny); /* what lies between rows stays NaN and is compared too */
    for (int64_t r = 0; r < s.R && beta == 0.0f; r++)
        memset(want + r * ldy, 0, (size_t)s.n_out * sizeof(float));
    chain_matmul(&w, value, x, ldx, s.R, want, ldy);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(y, y0, ny * sizeof(float));
        v->b->matmul(&v->lane, &w, x, ldx, s.R, beta, y, ldy);
        assert_bits(y, want, ny, "matmul", v->name);
        for (int64_t r = 0; r < s.R; r += 1 + s.R / 3) { /* a row alone */
            memcpy(row, y0 + r * ldy, (size_t)s.n_out * sizeof(float));
            v->b->matmul(&v->lane, &w, x + r * ldx, ldx, 1, beta, row, s.n_out);
            assert_bits(row, want + r * ldy, (size_t)s.n_out, "matmul, a row alone", v->name);
        }
    }
    guard_free(&g);
    free(value);
}

static void test_matmul_is_one_chain_an_element(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        for (int dtype = DTYPE_F32; dtype <= DTYPE_F16; dtype++)
            matmul_case(shapes[i], (enum dtype)dtype, i % 2 ? 1.0f : 0.0f, i % 3);
}

static void test_matmul_of_every_row_count(void **state)
{
    (void)state;
    for (int32_t R = 1; R <= 45; R++) {
        struct shape s = {R, 160 + R, 19};
        matmul_case(s, DTYPE_F32, 0.0f, 0);
        matmul_case(s, DTYPE_BF16, 1.0f, 1);
    }
}

static void test_matmul_agrees_with_double(void **state)
{
    struct guard g = {.n = 0};
    struct draw d = {5};
    struct shape s = {9, 100, 700};
    double *value = malloc(100 * 700 * sizeof(double)), want[900];
    struct matrix w = test_matrix(&g, &d, s.n_out, s.n_in, DTYPE_F32, value);
    float *x = draw_floats(&g, &d, 9 * 700, -1.0f, 1.0f), *y = guard_floats(&g, 900);

    (void)state;
    memset(want, 0, sizeof(want));
    for (int r = 0; r < 9; r++)
        for (int o = 0; o < 100; o++)
            for (int i = 0; i < 700; i++)
                want[r * 100 + o] += (double)x[r * 700 + i] * value[o * 700 + i];
    vs.v[vs.n - 1].b->matmul(&vs.v[vs.n - 1].lane, &w, x, 700, 9, 0.0f, y, 100);
    assert_near(y, want, 900, 2e-6, "matmul");
    guard_free(&g);
    free(value);
}

/* The gradient of sum(dy * y): dx = dy W, chains over outputs. */
static void dx_case(struct shape s, enum dtype dtype, float beta, int pad)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(s.R * 77 + s.n_in)};
    double *value = malloc((size_t)s.n_out * (size_t)s.n_in * sizeof(double));
    struct matrix w = test_matrix(&g, &d, s.n_out, s.n_in, dtype, value);
    int64_t ldd = s.n_out + pad, ldx = s.n_in + pad;
    size_t nx = (size_t)((s.R - 1) * ldx + s.n_in);
    float *dy = draw_floats(&g, &d, (size_t)((s.R - 1) * ldd + s.n_out), -1.0f, 1.0f);
    float *dx0 = guard_floats(&g, nx), *want, *dx = guard_floats(&g, nx);

    for (int64_t r = 0; r < s.R && beta != 0.0f; r++)
        for (int64_t i = 0; i < s.n_in; i++)
            dx0[r * ldx + i] = draw_float(&d, -1.0f, 1.0f);
    want = guard_copy(&g, dx0, nx);
    for (int64_t r = 0; r < s.R; r++)
        for (int64_t i = 0; i < s.n_in; i++) {
            float sum = beta != 0.0f ? dx0[r * ldx + i] : 0.0f;
            for (int64_t o = 0; o < s.n_out; o++)
                sum = fmaf(dy[r * ldd + o], (float)value[o * s.n_in + i], sum);
            want[r * ldx + i] = sum;
        }
    w.panels = NULL; /* dx reads the rows */
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(dx, dx0, nx * sizeof(float));
        v->b->matmul_dx(&v->lane, &w, dy, ldd, s.R, beta, dx, ldx);
        assert_bits(dx, want, nx, "matmul_dx", v->name);
    }
    guard_free(&g);
    free(value);
}

static void test_matmul_dx(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        for (int dtype = DTYPE_F32; dtype <= DTYPE_F16; dtype++)
            dx_case(shapes[i], (enum dtype)dtype, i % 2 ? 0.0f : 1.0f, i % 3);
}

static void dw_case(struct shape s, int pad)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(s.R * 31 + s.n_in)};
    int64_t ldd = s.n_out + pad, ldx = s.n_in + pad;
    size_t nw = (size_t)s.n_out * (size_t)s.n_in;
    float *dy = draw_floats(&g, &d, (size_t)((s.R - 1) * ldd + s.n_out), -1.0f, 1.0f);
    float *x = draw_floats(&g, &d, (size_t)((s.R - 1) * ldx + s.n_in), -1.0f, 1.0f);
    float *dw0 = draw_floats(&g, &d, nw, -1.0f, 1.0f), *want = guard_floats(&g, nw);
    float *dw = guard_floats(&g, nw);

    for (int64_t o = 0; o < s.n_out; o++)
        for (int64_t i = 0; i < s.n_in; i++) {
            float sum = dw0[o * s.n_in + i];
            for (int64_t r = 0; r < s.R; r++)
                sum = fmaf(dy[r * ldd + o], x[r * ldx + i], sum);
            want[o * s.n_in + i] = sum;
        }
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(dw, dw0, nw * sizeof(float));
        v->b->matmul_dw(&v->lane, s.n_out, s.n_in, dy, ldd, x, ldx, s.R, dw);
        assert_bits(dw, want, nw, "matmul_dw", v->name);
    }
    guard_free(&g);
}

static void test_matmul_dw(void **state)
{
    struct shape deep = {600, 33, 50};

    (void)state;
    for (int i = 0; i < N_SHAPES; i++)
        dw_case(shapes[i], i % 3);
    dw_case(deep, 0);
}

static void test_empty_products(void **state)
{
    struct guard g = {.n = 0};
    struct draw d = {1};
    struct matrix w = test_matrix(&g, &d, 40, 8, DTYPE_F32, NULL);
    float *y = guard_floats(&g, 40), *x = guard_floats(&g, 8);

    (void)state;
    for (int i = 0; i < vs.n; i++)
        vs.v[i].b->matmul(&vs.v[i].lane, &w, x, 8, 0, 0.0f, y, 40);
    assert_true(isnan(y[0]));
    guard_free(&g);
}

static void test_pack_with_threads(void **state)
{
    struct guard g = {.n = 0};
    struct draw d = {2};

    (void)state;
    for (int dtype = DTYPE_F32; dtype <= DTYPE_F16; dtype++) {
        struct matrix w = test_matrix(&g, &d, 77, 70, (enum dtype)dtype, NULL);
        size_t bytes = vs.v[0].b->panels_bytes(&w);
        void *panels = guard_alloc(&g, bytes);
        assert_int_equal(bytes, 96u * 70u * (dtype == DTYPE_BF16 ? 2u : 4u));
        for (int i = 0; i < vs.n; i++) {
            memset(panels, 0xff, bytes);
            vs.v[i].b->pack(&vs.v[i].lane, &w, panels);
            assert_memory_equal(panels, w.panels, bytes);
        }
    }
    guard_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_is_one_chain_an_element),
        cmocka_unit_test(test_matmul_of_every_row_count),
        cmocka_unit_test(test_matmul_agrees_with_double),
        cmocka_unit_test(test_matmul_dx),
        cmocka_unit_test(test_matmul_dw),
        cmocka_unit_test(test_empty_products),
        cmocka_unit_test(test_pack_with_threads),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
