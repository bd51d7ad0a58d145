/* test_kernels_attention.c - kv_write and attention over pages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/attention_test.h"

static const struct attention_shape shapes[] = {
    {4, 2, 32, 0.17f, 0, 0},
    {2, 1, 16, 0.25f, 0, 0},
    {7, 1, 64, 0.125f, 0, 0},
    {4, 4, 20, 0.2f, 0, 0},
    {8, 2, 128, 0.09f, 0, 0},
    {3, 1, 256, 0.06f, 0, 0},
    {2, 2, 8, 0.3f, 0, 0},
    /* windows around a page, a block and beyond all; caps */
    {4, 2, 32, 0.17f, 1, 0},
    {4, 4, 20, 0.2f, 16, 0},
    {7, 1, 64, 0.125f, 17, 1.0f},
    {8, 2, 48, 0.1f, 250, 0},
    {4, 1, 16, 0.25f, 256, 0},
    {8, 4, 24, 0.2f, 257, 3.0f},
    {3, 1, 256, 0.06f, 270, 0},
    {2, 1, 16, 0.25f, 1000, 0},
    {4, 2, 32, 0.5f, 0, 2.0f},
};

enum { N_SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static void compare(struct guard *g, struct draw *d, const struct cache *c)
{
    int64_t H = c->s.n_heads, D = c->s.head_dim;
    size_t nl = (size_t)(c->rows.n * H), n = nl * (size_t)D;
    float *q = draw_floats(g, d, n, -2.0f, 2.0f), *out = guard_floats(g, n);
    float *lse = guard_floats(g, nl), *out0 = guard_floats(g, n), *lse0 = guard_floats(g, nl);
    double *dq = doubles(q, n), *want = malloc(n * sizeof(double));
    double *want_lse = malloc(nl * sizeof(double));

    cache_reference(c, dq, want, want_lse);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        float *o = i ? out : out0, *e = i ? lse : lse0;
        poison(o, n);
        poison(e, nl);
        v->b->attention(&v->lane, &c->s, &c->rows, q, &c->kv, o, e);
        assert_bits(o, out0, n, "attention", v->name);
        assert_bits(e, lse0, nl, "attention lse", v->name);
        for (int32_t r = 0; r < c->rows.n; r += 1 + c->rows.n / 7) { /* rows alone */
            struct row_span one = {1, c->rows.seq + r, c->rows.pos + r, c->rows.page};
            poison(out, (size_t)(H * D));
            v->b->attention(&v->lane, &c->s, &one, q + r * H * D, &c->kv, out, NULL);
            assert_bits(out, out0 + r * H * D, (size_t)(H * D), "attention, a row alone", v->name);
        }
    }
    assert_near(out0, want, n, 5e-6, "attention");
    assert_near(lse0, want_lse, nl, 2e-6, "attention lse");
    free(dq);
    free(want);
    free(want_lse);
}

/* One row a sequence at lengths around a page and a block. */
static void decode_case(struct attention_shape s, enum dtype dtype)
{
    static const int32_t length[MAX_SEQ] = {1, 16, 17, 256, 257, 530};
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)s.head_dim};
    struct cache *c = cache_new(&g, &d, s, dtype, MAX_SEQ, length);

    for (int32_t i = 0; i < MAX_SEQ; i++)
        cache_row(c, i, length[i] - 1);
    compare(&g, &d, c);
    cache_free(c);
    guard_free(&g);
}

static void test_decoding(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        decode_case(shapes[i], DTYPE_F32);
        decode_case(shapes[i], DTYPE_BF16);
        decode_case(shapes[i], DTYPE_Q8_0);
    }
}

/* Runs of neighbouring rows of two sequences, between them single rows, as chunked prefill
 * beside decoding gives; rows may repeat and go backwards. */
static void prefill_case(struct attention_shape s, enum dtype dtype)
{
    static const int32_t length[3] = {275, 33, 15};
    struct guard g = {.n = 0};
    struct draw d = {(uint64_t)s.head_dim + 9};
    struct cache *c = cache_new(&g, &d, s, dtype, 3, length);

    for (int32_t i = 0; i < 19; i++)
        cache_row(c, 1, i);
    cache_row(c, 2, 14);
    for (int32_t i = 249; i < 262; i++)
        cache_row(c, 0, i);
    cache_row(c, 0, 3);
    cache_row(c, 0, 3);
    for (int32_t i = 32; i > 20; i--)
        cache_row(c, 1, i);
    compare(&g, &d, c);
    cache_free(c);
    guard_free(&g);
}

static void test_prefill(void **state)
{
    (void)state;
    for (int i = 0; i < N_SHAPES; i++) {
        prefill_case(shapes[i], DTYPE_F32);
        prefill_case(shapes[i], DTYPE_BF16);
        prefill_case(shapes[i], DTYPE_Q8_0);
    }
}

static void test_kv_write_touches_its_place_only(void **state)
{
    static const int32_t length[2] = {40, 20};
    struct guard g = {.n = 0};
    struct draw d = {3};

    (void)state;
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        struct cache *c = cache_new(&g, &d, shapes[3], DTYPE_F32, 2, length);
        int32_t G = c->s.n_kv_heads, D = c->s.head_dim;
        float *k = draw_floats(&g, &d, (size_t)(2 * G * D), -1.0f, 1.0f);
        float *val = draw_floats(&g, &d, (size_t)(2 * G * D), -1.0f, 1.0f);
        float *want_k = guard_copy(&g, c->kv.k, cache_floats(c));
        float *want_v = guard_copy(&g, c->kv.v, cache_floats(c));
        cache_row(c, 0, 37);
        cache_row(c, 1, 0);
        for (int32_t r = 0; r < 2; r++)
            for (int32_t h = 0; h < G; h++)
                for (int32_t e = 0; e < D; e++) {
                    int32_t s = c->row_seq[r], p = c->row_pos[r], at = (r * G + h) * D + e;
                    want_k[cache_k_index(c, s, p, h, e)] = k[at];
                    want_v[cache_v_index(c, s, p, h, e)] = val[at];
                }
        v->b->kv_write(&v->lane, &c->s, &c->rows, k, val, &c->kv);
        assert_bits(c->kv.k, want_k, cache_floats(c), "keys", v->name);
        assert_bits(c->kv.v, want_v, cache_floats(c), "values", v->name);
        cache_free(c);
    }
    guard_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_kv_write_touches_its_place_only),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
