/* test_kernels_quantised.c - quantise_rows and matmul_q, bit for bit against the rule.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static const enum dtype types[] = {DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,
                                   DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};

enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

/* Blocks of random codes with scales of a usual size. */
static uint8_t *random_rows(struct guard *g, struct draw *d, enum dtype t, size_t bytes)
{
    uint8_t *rows = guard_alloc(g, bytes);
    size_t block = (size_t)dtype_info(t)->block_bytes, at = t == DTYPE_Q6_K ? 208 : 0;

    for (size_t i = 0; i < bytes; i++)
        rows[i] = (uint8_t)draw_u32(d);
    for (size_t i = 0; i < bytes; i += block) { /* what follows d may be m, or else is a code */
        uint16_t scale = f32_to_f16(draw_float(d, -0.1f, 0.1f));
        uint16_t low = f32_to_f16(draw_float(d, -0.1f, 0.1f));
        memcpy(rows + i + at, &scale, 2);
        if (t != DTYPE_Q6_K)
            memcpy(rows + i + 2, &low, 2);
    }
    return rows;
}

static struct matrix quantised_matrix(struct guard *g, struct draw *d, int32_t n_out, int32_t n_in,
                                      enum dtype t)
{
    const struct backend *b = cpu_backend(CPU_ISA_PLAIN);
    struct matrix w = {.n_out = n_out, .n_in = n_in, .dtype = t};
    struct lane alone = {0};
    void *panels;

    w.rows = random_rows(g, d, t, (size_t)n_out * dtype_row_bytes(t, n_in));
    panels = guard_alloc(g, b->panels_bytes(&w));
    memset(panels, 0xa5, b->panels_bytes(&w));
    b->pack(&alone, &w, panels);
    w.panels = panels;
    return w;
}

/* ---- the rule, over the readers of kernels/dtype.h */

static float f16_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return f16_to_f32(h);
}

/* A block with its scales replaced (NULL: as they are) as floats. */
static void read_block(enum dtype t, const uint8_t *block, const uint16_t *d, const uint16_t *m,
                       int fill, float *to)
{
    const struct dtype_info *info = dtype_info(t);
    bool k = t == DTYPE_Q4_K || t == DTYPE_Q5_K;
    uint8_t copy[256];

    memcpy(copy, block, (size_t)info->block_bytes);
    memcpy(copy + (t == DTYPE_Q6_K ? 208 : 0), d, 2);
    if (k || t == DTYPE_Q4_1 || t == DTYPE_Q5_1)
        memcpy(copy + 2, m, 2);
    if (fill >= 0 && k) { /* all codes 1: fifth bits 0 */
        memset(copy + 16, 0, t == DTYPE_Q5_K ? 32 : 0);
        memset(copy + (t == DTYPE_Q5_K ? 48 : 16), fill, 128);
    }
    info->to_f32(copy, info->block, to);
}

/* Of each block of 32 of a row: codes, dw, m. What the readers give for d = 1, m = 0 are the codes,
 * for d = 0, m = 1 the minimums; of K types the scales come from codes that are all 1. */
static void reference_weights(enum dtype t, const uint8_t *row, int32_t n_in, float *code,
                              float *dw, float *m)
{
    const uint16_t one = f32_to_f16(1.0f), zero = 0;
    int32_t block = dtype_info(t)->block;
    bool k = t == DTYPE_Q4_K || t == DTYPE_Q5_K;
    float scale[256], low[256];

    for (int32_t i = 0; i < n_in; i += block, row += dtype_info(t)->block_bytes) {
        read_block(t, row, &one, &zero, -1, code + i);
        read_block(t, row, &zero, &one, -1, low);
        read_block(t, row, &one, &zero, 0x11, scale);
        for (int32_t j = 0; j < block; j++) {
            int32_t b = (i + j) / 32;
            dw[b] = f16_at(row + (t == DTYPE_Q6_K ? 208 : 0)) * (k ? scale[j] : 1.0f);
            m[b] = k || t == DTYPE_Q4_1 || t == DTYPE_Q5_1 ? f16_at(row + 2) * low[j] : 0.0f;
            if (k)
                code[i + j] = scale[j] != 0.0f ? code[i + j] / scale[j] : 0.0f;
        }
    }
}

static float reference_chain(const float *code, const float *dw, const float *m, bool minimum,
                             const float *x, int32_t n_in, float acc)
{
    for (int32_t b = 0; b < n_in / 32; b++, x += 32, code += 32) {
        float amax = 0.0f, d, inv, s = 0.0f, sum = 0.0f;
        for (int i = 0; i < 32; i++)
            amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
        d = amax / 127.0f;
        inv = amax > 0.0f ? 1.0f / d : 0.0f;
        for (int i = 0; i < 32; i++) { /* below 2^24, so exact */
            s += code[i] * rintf(x[i] * inv);
            sum += rintf(x[i] * inv);
        }
        acc = fmaf(s, dw[b] * d, acc);
        if (minimum)
            acc = fmaf(m[b], d * sum, acc);
    }
    return acc;
}

static void reference_product(const struct matrix *w, const float *x, int64_t ldx, int32_t R,
                              float *y, int64_t ldy)
{
    size_t n = (size_t)w->n_in, bytes = dtype_row_bytes(w->dtype, w->n_in);
    float *code = malloc(n * 3 * sizeof(float)), *dw = code + n, *m = dw + n;
    enum dtype t = w->dtype;
    bool minimum = t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q4_K || t == DTYPE_Q5_K;

    for (int64_t o = 0; o < w->n_out; o++) {
        reference_weights(t, (const uint8_t *)w->rows + (size_t)o * bytes, w->n_in, code, dw, m);
        for (int64_t r = 0; r < R; r++)
            y[r * ldy + o] =
                reference_chain(code, dw, m, minimum, x + r * ldx, w->n_in, y[r * ldy + o]);
    }
    free(code);
}

/* ---- cases */

static void *rounded(struct guard *g, const struct variant *v, const float *x, int64_t ldx,
                     int32_t R, int32_t n_in)
{
    size_t bytes = v->b->quantised_bytes(R, n_in);
    void *q = guard_alloc(g, bytes);

    memset(q, 0xff, bytes);
    v->b->quantise_rows(&v->lane, x, ldx, R, n_in, q);
    return q;
}

struct shape {
    int32_t R, n_out, n_in;
};

static void product_case(struct shape s, enum dtype t, float beta, int pad)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(s.R * 1000 + s.n_out + s.n_in * 7 + (int32_t)t)};
    struct matrix w = quantised_matrix(&g, &d, s.n_out, s.n_in, t);
    int64_t ldx = s.n_in + pad, ldy = s.n_out + pad;
    size_t ny = (size_t)((s.R - 1) * ldy + s.n_out);
    float *x = draw_floats(&g, &d, (size_t)((s.R - 1) * ldx + s.n_in), -2.0f, 2.0f);
    float *y0 = guard_floats(&g, ny), *want, *y = guard_floats(&g, ny);
    float *row = guard_floats(&g, (size_t)s.n_out);

    for (int64_t r = 0; r < s.R && beta != 0.0f; r++)
        for (int64_t o = 0; o < s.n_out; o++)
            y0[r * ldy + o] = draw_float(&d, -1.0f, 1.0f);
    want = guard_copy(&g, y0, ny); /* what lies between rows stays NaN and is compared too */
    for (int64_t r = 0; r < s.R && beta == 0.0f; r++)
        memset(want + r * ldy, 0, (size_t)s.n_out * sizeof(float));
    reference_product(&w, x, ldx, s.R, want, ldy);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        memcpy(y, y0, ny * sizeof(float));
        v->b->matmul_q(&v->lane, &w, rounded(&g, v, x, ldx, s.R, s.n_in), s.R, beta, y, ldy);
        assert_bits(y, want, ny, dtype_name(t), v->name);
        for (int64_t r = 0; r < s.R; r += 1 + s.R / 3) { /* a row alone */
            void *q = rounded(&g, v, x + r * ldx, ldx, 1, s.n_in);
            memcpy(row, y0 + r * ldy, (size_t)s.n_out * sizeof(float));
            v->b->matmul_q(&v->lane, &w, q, 1, beta, row, s.n_out);
            assert_bits(row, want + r * ldy, (size_t)s.n_out, "a row alone", v->name);
        }
    }
    guard_free(&g);
}

/* Around the panel of 32 outputs, its half and quarters, the tile of 8 rows, and 32 and 256 blocks.
 */
static const struct shape shapes[] = {
    {1, 1, 32},     {2, 31, 64},   {7, 32, 96},   {8, 33, 992}, {32, 65, 1024}, {33, 16, 1056},
    {1, 33, 8160},  {2, 17, 8192}, {3, 15, 8224}, {9, 255, 64}, {17, 256, 32},  {4, 257, 160},
    {1, 1000, 576}, {300, 3, 64},  {5, 8, 32},    {6, 25, 288},
};
static const struct shape k_shapes[] = {
    {1, 1, 256},   {2, 31, 512}, {7, 32, 256},  {8, 33, 768},   {33, 16, 256},
    {1, 33, 8192}, {3, 9, 8448}, {9, 257, 256}, {1, 500, 1536}, {300, 3, 256},
};

static void test_products_follow_the_rule(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        bool k = dtype_info(types[t])->block == 256;
        int n =
            (int)(k ? sizeof(k_shapes) / sizeof(k_shapes[0]) : sizeof(shapes) / sizeof(shapes[0]));
        for (int i = 0; i < n; i++)
            product_case(k ? k_shapes[i] : shapes[i], types[t], i % 2 ? 1.0f : 0.0f, i % 3);
    }
}

static void test_products_of_a_prompt(void **state)
{
    struct shape s = {512, 97, 256};

    (void)state;
    for (int t = 0; t < N_TYPES; t++)
        product_case(s, types[t], 0.0f, 1);
}

static void test_products_of_every_row_count(void **state)
{
    (void)state;
    for (int32_t R = 1; R <= 26; R++) {
        struct shape s = {R, 70 - R, 256};
        for (int t = 0; t < N_TYPES; t++)
            product_case(s, types[t], R % 2 ? 1.0f : 0.0f, 0);
    }
}

/* Rows whose codes are all `fill`, with scales of a usual size. */
static struct matrix filled_matrix(struct guard *g, enum dtype t, int fill)
{
    struct draw d = {3};
    struct matrix w = quantised_matrix(g, &d, 32, 512, t);
    size_t bytes = 32 * dtype_row_bytes(t, 512), at = t == DTYPE_Q6_K ? 208 : 0;
    uint8_t *rows = guard_alloc(g, bytes), *panels = guard_alloc(g, vs.v[0].b->panels_bytes(&w));

    memset(rows, fill, bytes);
    for (size_t i = 0; i < bytes; i += (size_t)dtype_info(t)->block_bytes)
        memcpy(rows + i + at, (const uint8_t *)w.rows + i + at, at || t == DTYPE_Q8_0 ? 2 : 4);
    w.rows = rows;
    vs.v[0].b->pack(&vs.v[0].lane, &w, panels);
    w.panels = panels;
    return w;
}

static void extreme_case(enum dtype t, int fill, float sign, bool mixed)
{
    struct guard g = {.n = 0};
    struct matrix w = filled_matrix(&g, t, fill);
    float *x = guard_floats(&g, 512), *want = guard_floats(&g, 32), *y = guard_floats(&g, 32);

    for (int i = 0; i < 512; i++)
        x[i] = mixed && i % 3 == 2 ? -sign : sign;
    memset(want, 0, 32 * sizeof(float));
    reference_product(&w, x, 512, 1, want, 32);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        poison(y, 32);
        v->b->matmul_q(&v->lane, &w, rounded(&g, v, x, 512, 1, 512), 1, 0.0f, y, 32);
        assert_bits(y, want, 32, dtype_name(t), v->name);
    }
    guard_free(&g);
}

/* All codes and activations at their extremes: no sum of the kernels may saturate. */
static void test_extreme_codes(void **state)
{
    static const int fills[] = {0x00, 0x7f, 0x80, 0x81, 0xff};

    (void)state;
    for (int t = 0; t < N_TYPES; t++)
        for (int f = 0; f < 5; f++)
            for (int i = 0; i < 4; i++)
                extreme_case(types[t], fills[f], i % 2 ? -1.0f : 1.0f, i < 2);
}

/* The result is close to the product of the values that the file means. */
static void test_products_are_close_to_double(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        struct guard g = {.n = 0};
        struct draw d = {11};
        struct matrix w = quantised_matrix(&g, &d, 40, 1024, types[t]);
        float *x = draw_floats(&g, &d, 3 * 1024, -1.0f, 1.0f), *y = guard_floats(&g, 120);
        float *value = guard_floats(&g, 1024);
        double want[120] = {0};

        for (int o = 0; o < 40; o++) {
            dtype_info(types[t])->to_f32(
                (const uint8_t *)w.rows + (size_t)o * dtype_row_bytes(types[t], 1024), 1024, value);
            for (int r = 0; r < 3; r++)
                for (int i = 0; i < 1024; i++)
                    want[r * 40 + o] += (double)value[i] * (double)x[r * 1024 + i];
        }
        vs.v[0].b->matmul_q(&vs.v[0].lane, &w, rounded(&g, &vs.v[0], x, 1024, 3, 1024), 3, 0.0f, y,
                            40);
        assert_near(y, want, 120, 0.01, dtype_name(types[t]));
        guard_free(&g);
    }
}

/* dx over quantised weights has the bits of dx over their values in f32. */
static void dx_case(struct shape s, enum dtype t, float beta, int pad)
{
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)(s.R * 7 + s.n_out * 11 + s.n_in + (int32_t)t)};
    struct matrix w = quantised_matrix(&g, &d, s.n_out, s.n_in, t);
    int64_t ldy = s.n_out + pad, ldx = s.n_in + pad;
    size_t row = dtype_row_bytes(t, s.n_in), nx = (size_t)((s.R - 1) * ldx + s.n_in);
    float *value = guard_floats(&g, (size_t)s.n_out * (size_t)s.n_in);
    float *dy = draw_floats(&g, &d, (size_t)((s.R - 1) * ldy + s.n_out), -1.0f, 1.0f);
    float *x0 = draw_floats(&g, &d, nx, -1.0f, 1.0f), *want = guard_copy(&g, x0, nx);
    float *dx = guard_floats(&g, nx);
    struct matrix wide = {.n_out = s.n_out, .n_in = s.n_in, .dtype = DTYPE_F32, .rows = value};

    for (int32_t o = 0; o < s.n_out; o++)
        dtype_info(t)->to_f32((const uint8_t *)w.rows + (size_t)o * row, s.n_in,
                              value + (size_t)o * (size_t)s.n_in);
    vs.v[0].b->matmul_dx(&vs.v[0].lane, &wide, dy, ldy, s.R, beta, want, ldx);
    w.rows = NULL; /* the panels are enough */
    for (int i = 0; i < vs.n; i++) {
        memcpy(dx, x0, nx * sizeof(float));
        vs.v[i].b->matmul_dx(&vs.v[i].lane, &w, dy, ldy, s.R, beta, dx, ldx);
        assert_bits(dx, want, nx, dtype_name(t), vs.v[i].name);
    }
    guard_free(&g);
}

static void test_gradients_are_those_of_the_values(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        bool k = dtype_info(types[t])->block == 256;
        int n = k ? 5 : 8;

        for (int i = 0; i < n; i++)
            dx_case(k ? k_shapes[i] : shapes[i], types[t], i % 2 ? 1.0f : 0.0f, i % 3);
        dx_case((struct shape){3, 70, 768}, types[t], 1.0f, 1);
        dx_case((struct shape){40, 33, 512}, types[t], 0.0f, 0);
    }
}

/* ---- rounding of activations, seen through a Q8_0 weight that picks one input */

static void picked(const struct variant *v, const float *x, int32_t n, float *out)
{
    uint8_t rows[32 * 34] = {0};
    struct guard g = {.n = 0};
    struct matrix w = {.n_out = 32, .n_in = 32, .dtype = DTYPE_Q8_0, .rows = rows};
    uint16_t one = f32_to_f16(1.0f);
    void *panels = guard_alloc(&g, v->b->panels_bytes(&w));

    for (int o = 0; o < 32; o++) {
        memcpy(rows + o * 34, &one, 2);
        rows[o * 34 + 2 + o] = 1;
    }
    v->b->pack(&v->lane, &w, panels);
    w.panels = panels;
    v->b->matmul_q(&v->lane, &w, rounded(&g, v, x, n, 1, n), 1, 0.0f, out, 32);
    guard_free(&g);
}

static void test_activations_round_to_even(void **state)
{
    static const float x[8] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0.4999f, -126.6f};
    static const float want[8] = {127.0f, 0.0f, 2.0f, 2.0f, 0.0f, -2.0f, 0.0f, -127.0f};

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        struct guard g = {.n = 0};
        float out[32];
        picked(&vs.v[i], guard_copy(&g, x, 8), 8, out); /* the rest of the block is zeros */
        assert_bits(out, want, 8, "rounded", vs.v[i].name);
        for (int o = 8; o < 32; o++)
            assert_true(out[o] == 0.0f);
        guard_free(&g);
    }
}

static void test_tiny_and_huge_activations(void **state)
{
    (void)state;
    for (int i = 0; i < vs.n; i++) {
        float x[32] = {0}, out[32];
        x[3] = 126.0f * 0x1p-126f;
        picked(&vs.v[i], x, 32, out);
        assert_true(out[3] == 0.0f);
        x[3] = 127.0f * 0x1p-126f;
        picked(&vs.v[i], x, 32, out);
        assert_true(out[3] == x[3] && out[4] == 0.0f);
        x[3] = -3.0e38f;
        picked(&vs.v[i], x, 32, out);
        assert_true(out[3] < -2.99e38f && out[3] >= -3.01e38f && out[4] == 0.0f);
    }
}

static void test_what_is_not_finite_shows(void **state)
{
    static const float bad[3] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int i = 0; i < vs.n; i++)
        for (int j = 0; j < 3; j++) {
            struct guard g = {.n = 0};
            struct draw d = {5};
            struct matrix w = quantised_matrix(&g, &d, 20, 64, DTYPE_Q4_1);
            float *x = draw_floats(&g, &d, 3 * 64, -1.0f, 1.0f), *y = guard_floats(&g, 60);
            x[64 + 17 + j] = bad[j];
            vs.v[i].b->matmul_q(&vs.v[i].lane, &w, rounded(&g, &vs.v[i], x, 64, 3, 64), 3, 0.0f, y,
                                20);
            for (int o = 0; o < 60; o++)
                assert_true(isnan(y[o]) == (o / 20 == 1));
            guard_free(&g);
        }
}

static void test_empty_products(void **state)
{
    struct guard g = {.n = 0};
    struct draw d = {1};
    struct matrix w = quantised_matrix(&g, &d, 40, 32, DTYPE_Q8_0);
    float y = 3.0f;

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        assert_int_equal(vs.v[i].b->quantised_bytes(0, 32), 0);
        vs.v[i].b->quantise_rows(&vs.v[i].lane, &y, 32, 0, 32, &y);
        vs.v[i].b->matmul_q(&vs.v[i].lane, &w, &y, 0, 0.0f, &y, 40);
        assert_true(y == 3.0f);
    }
    guard_free(&g);
}

static void test_pack_with_threads(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        struct guard g = {.n = 0};
        struct draw d = {9};
        struct matrix w = quantised_matrix(&g, &d, 200, 256, types[t]);
        size_t bytes = vs.v[0].b->panels_bytes(&w);
        void *panels = guard_alloc(&g, bytes);

        for (int i = 0; i < vs.n; i++) {
            memset(panels, 0x5a, bytes);
            vs.v[i].b->pack(&vs.v[i].lane, &w, panels);
            assert_memory_equal(panels, w.panels, bytes);
        }
        guard_free(&g);
    }
}

static void test_types_without_products(void **state)
{
    static const enum dtype others[] = {DTYPE_MXFP4, DTYPE_Q2_K, DTYPE_Q3_K, DTYPE_IQ4_NL,
                                        DTYPE_IQ4_XS};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct matrix w = {.n_out = 32, .n_in = 256, .dtype = others[i]};
        assert_int_equal(vs.v[0].b->panels_bytes(&w), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_follow_the_rule),
        cmocka_unit_test(test_products_of_a_prompt),
        cmocka_unit_test(test_products_of_every_row_count),
        cmocka_unit_test(test_extreme_codes),
        cmocka_unit_test(test_products_are_close_to_double),
        cmocka_unit_test(test_gradients_are_those_of_the_values),
        cmocka_unit_test(test_activations_round_to_even),
        cmocka_unit_test(test_tiny_and_huge_activations),
        cmocka_unit_test(test_what_is_not_finite_shows),
        cmocka_unit_test(test_empty_products),
        cmocka_unit_test(test_pack_with_threads),
        cmocka_unit_test(test_types_without_products),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
