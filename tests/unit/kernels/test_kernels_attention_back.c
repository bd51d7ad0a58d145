/* test_kernels_attention_back.c - the gradient of attention over pages, and kv_gather.
 *
 * A reference in double is checked by finite differences where that is cheap, and then serves
 * for larger shapes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/attention_test.h"

/* Everything in double; dk, dv are laid out as the cache's k and v. */
struct gradients {
    const struct cache *c;
    double *q, *out, *lse, *dout, *dq, *dk, *dv;
    size_t n, n_kv;
};

static double loss(void *ctx)
{
    const struct gradients *j = ctx;
    double sum = 0.0;

    cache_reference(j->c, j->q, j->out, j->lse);
    for (size_t i = 0; i < j->n; i++)
        sum += j->out[i] * j->dout[i];
    return sum;
}

static void reference_head_back(struct gradients *j, int32_t row, int32_t h)
{
    const struct cache *c = j->c;
    int32_t D = c->s.head_dim, seq = c->row_seq[row], g = h / (c->s.n_heads / c->s.n_kv_heads);
    int64_t at = ((int64_t)row * c->s.n_heads + h) * D;
    const double *q = j->q + at, *dout = j->dout + at, *out = j->out + at;
    int32_t window = c->s.window, pos = c->row_pos[row];
    double delta = 0.0, scale = (double)c->s.scale, cap = (double)c->s.softcap;

    for (int32_t d = 0; d < D; d++)
        delta += dout[d] * out[d];
    for (int32_t t = window > 0 && pos >= window ? pos - window + 1 : 0; t <= pos; t++) {
        const double *k = cache_at(c, c->k, seq, t, g), *v = cache_at(c, c->v, seq, t, g);
        double *dk = cache_at(c, j->dk, seq, t, g), *dv = cache_at(c, j->dv, seq, t, g);
        double s = 0.0, dp = 0.0, slope = 1.0, p, ds;
        for (int32_t d = 0; d < D; d++) {
            s += q[d] * k[d];
            dp += dout[d] * v[d];
        }
        s *= scale;
        if (cap > 0) {
            slope = 1.0 - tanh(s / cap) * tanh(s / cap);
            s = cap * tanh(s / cap);
        }
        p = exp(s - j->lse[row * c->s.n_heads + h]);
        ds = p * (dp - delta) * scale * slope;
        for (int32_t d = 0; d < D; d++) {
            j->dq[at + d] += ds * k[d];
            dk[d] += ds * q[d];
            dv[d] += p * dout[d];
        }
    }
}

static void gradients_init(struct gradients *j, const struct cache *c, const float *q,
                           const float *dout)
{
    size_t nl = (size_t)(c->rows.n * c->s.n_heads);

    j->c = c;
    j->n = nl * (size_t)c->s.head_dim;
    j->n_kv = (size_t)(c->n_seq * MAX_PAGES * KV_PAGE_TOKENS * c->s.n_kv_heads * c->s.head_dim);
    j->q = doubles(q, j->n);
    j->dout = doubles(dout, j->n);
    j->out = malloc(j->n * sizeof(double));
    j->lse = malloc(nl * sizeof(double));
    j->dq = calloc(j->n, sizeof(double));
    j->dk = calloc(j->n_kv, sizeof(double));
    j->dv = calloc(j->n_kv, sizeof(double));
    loss(j);
    for (int32_t r = 0; r < c->rows.n; r++)
        for (int32_t h = 0; h < c->s.n_heads; h++)
            reference_head_back(j, r, h);
}

static void gradients_free(struct gradients *j)
{
    free(j->q);
    free(j->dout);
    free(j->out);
    free(j->lse);
    free(j->dq);
    free(j->dk);
    free(j->dv);
}

static void near(const double *a, const double *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (fabs(a[i] - b[i]) > 1e-7)
            fail_msg("%s: element %zu is %g, not %g", what, i, a[i], b[i]);
}

/* The reference itself. */
static void check_by_differences(struct gradients *j)
{
    const struct cache *c = j->c;
    size_t per_seq = j->n_kv / (size_t)c->n_seq;
    double *got = malloc((j->n > per_seq ? j->n : per_seq) * sizeof(double));

    numeric_gradient(loss, j, j->q, j->n, got);
    near(got, j->dq, j->n, "dq by differences");
    for (int32_t s = 0; s < c->n_seq; s++) {
        size_t at = (size_t)s * per_seq;
        size_t n = (size_t)(c->length[s] * c->s.n_kv_heads * c->s.head_dim);
        numeric_gradient(loss, j, c->k + at, n, got);
        near(got, j->dk + at, n, "dk by differences");
        numeric_gradient(loss, j, c->v + at, n, got);
        near(got, j->dv + at, n, "dv by differences");
    }
    free(got);
}

/* Page pools that began as `before` must hold before + gradient, and nothing else anywhere. */
static void check_pages(const struct gradients *j, const float *before, const float *dk,
                        const float *dv)
{
    const struct cache *c = j->c;
    size_t n = cache_floats(c);
    double *want_k = doubles(before, n), *want_v = doubles(before, n);
    char *held = calloc(2, n); /* elements that some position owns */

    for (int32_t s = 0; s < c->n_seq; s++)
        for (int32_t p = 0; p < c->length[s]; p++)
            for (int32_t g = 0; g < c->s.n_kv_heads; g++)
                for (int32_t d = 0; d < c->s.head_dim; d++) {
                    want_k[cache_k_index(c, s, p, g, d)] += cache_at(c, j->dk, s, p, g)[d];
                    want_v[cache_v_index(c, s, p, g, d)] += cache_at(c, j->dv, s, p, g)[d];
                    held[cache_k_index(c, s, p, g, d)] = 1;
                    held[n + cache_v_index(c, s, p, g, d)] = 1;
                }
    for (size_t i = 0; i < n; i++) {
        assert_true(held[i] || dk[i] == before[i]);
        assert_true(held[n + i] || dv[i] == before[i]);
    }
    assert_near(dk, want_k, n, 1e-5, "attention_back dk");
    assert_near(dv, want_v, n, 1e-5, "attention_back dv");
    free(want_k);
    free(want_v);
    free(held);
}

static void check_gather(struct guard *g, const struct cache *c, const float *dk_pages,
                         const float *dv_pages)
{
    int32_t G = c->s.n_kv_heads, D = c->s.head_dim;
    size_t n = (size_t)(c->rows.n * G * D);
    float *dk = guard_floats(g, n), *dv = guard_floats(g, n);

    for (int i = 0; i < 2; i++) {
        vs.v[i].b->kv_gather(&vs.v[i].lane, &c->s, &c->rows, dk_pages, dv_pages, dk, dv);
        for (int32_t r = 0; r < c->rows.n; r++)
            for (int32_t h = 0; h < G; h++)
                for (int32_t d = 0; d < D; d++) {
                    int32_t at = (r * G + h) * D + d, s = c->row_seq[r], p = c->row_pos[r];
                    assert_true(dk[at] == dk_pages[cache_k_index(c, s, p, h, d)]);
                    assert_true(dv[at] == dv_pages[cache_v_index(c, s, p, h, d)]);
                }
    }
}

static void back_case(struct guard *g, struct draw *d, const struct cache *c, bool differences)
{
    int64_t H = c->s.n_heads, D = c->s.head_dim;
    size_t nl = (size_t)(c->rows.n * H), n = nl * (size_t)D, np = cache_floats(c);
    float *q = draw_floats(g, d, n, -1.0f, 1.0f), *dout = draw_floats(g, d, n, -1.0f, 1.0f);
    float *before = draw_floats(g, d, np, -1.0f, 1.0f), *out = guard_floats(g, n);
    float *lse = guard_floats(g, nl), *first = guard_floats(g, n + 2 * np);
    float *dq = guard_floats(g, n), *dk = guard_floats(g, np), *dv = guard_floats(g, np);
    struct gradients j;

    gradients_init(&j, c, q, dout);
    if (differences)
        check_by_differences(&j);
    vs.v[0].b->attention(&vs.v[0].lane, &c->s, &c->rows, q, &c->kv, out, lse);
    for (int i = 0; i < vs.n; i++) {
        const struct variant *v = &vs.v[i];
        poison(dq, n);
        memcpy(dk, before, np * sizeof(float));
        memcpy(dv, before, np * sizeof(float));
        v->b->attention_back(&v->lane, &c->s, &c->rows, q, &c->kv, out, lse, dout, dq, dk, dv);
        if (i == 0) {
            memcpy(first, dq, n * sizeof(float));
            memcpy(first + n, dk, np * sizeof(float));
            memcpy(first + n + np, dv, np * sizeof(float));
        }
        assert_bits(dq, first, n, "attention_back dq", v->name);
        assert_bits(dk, first + n, np, "attention_back dk", v->name);
        assert_bits(dv, first + n + np, np, "attention_back dv", v->name);
    }
    assert_near(dq, j.dq, n, 1e-5, "attention_back dq");
    check_pages(&j, before, dk, dv);
    check_gather(g, c, dk, dv);
    gradients_free(&j);
}

static void test_gradients_by_finite_differences(void **state)
{
    static const struct attention_shape small[] = {{4, 2, 6, 0.4f, 0, 0},
                                                   {3, 1, 2, 0.7f, 0, 0},
                                                   {4, 2, 6, 0.4f, 7, 1.5f},
                                                   {3, 1, 2, 0.7f, 2, 0}};
    static const int32_t length[2] = {19, 5};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct guard g = {.n = 0};
        struct draw d = {(uint64_t)i};
        struct cache *c = cache_new(&g, &d, small[i], DTYPE_F32, 2, length);
        for (int32_t s = 0; s < 2; s++)
            for (int32_t p = 0; p < length[s]; p++)
                cache_row(c, s, p);
        back_case(&g, &d, c, true);
        cache_free(c);
        guard_free(&g);
    }
}

static void test_gradients_of_packed_sequences(void **state)
{
    static const struct attention_shape shapes[] = {
        {4, 2, 32, 0.17f, 0, 0},    {7, 1, 64, 0.125f, 0, 0}, {4, 4, 20, 0.2f, 0, 0},
        {2, 1, 128, 0.09f, 0, 0},   {1, 1, 256, 0.06f, 0, 0}, {4, 2, 32, 0.17f, 20, 0},
        {3, 1, 24, 0.2f, 33, 2.0f}, {8, 4, 80, 0.1f, 2, 0},   {4, 1, 48, 0.15f, 0, 5.0f}};
    static const int32_t length[4] = {70, 16, 33, 1};

    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_Q8_0};

    (void)state;
    for (int i = 0; i < 27; i++) {
        struct guard g = {.n = 0};
        struct draw d = {(uint64_t)i};
        struct cache *c = cache_new(&g, &d, shapes[i / 3], types[i % 3], 4, length);
        for (int32_t s = 0; s < 4; s++)
            for (int32_t p = s == 2 ? 9 : 0; p < length[s]; p++) /* one goes on after a prefix */
                cache_row(c, s, p);
        back_case(&g, &d, c, false);
        cache_free(c);
        guard_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_by_finite_differences),
        cmocka_unit_test(test_gradients_of_packed_sequences),
    };
    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
