/* test_kernels_reference.c - each op of the CPU against its plain reference, on random shapes.
 *
 * A case draws its shapes and inputs from a seed, runs ops of one backend and gives what they
 * wrote; the same seed on the references must give nearly the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "tests/support/reference/reference.h"
#include "tests/unit/kernels/kernel_test.h"

enum { N_SEEDS = 40, MAX_GIVEN = 5, PAGES = 12, MAX_POS = 64, POSITIONS = 5 * 48 };

struct run {
    const struct backend *b;
    struct lane lane;
    struct draw d;
    struct guard g;
    struct {
        const float *p;
        size_t n;
    } given[MAX_GIVEN];
    int n_given;
};

/* Sizes are often just at the vectors and blocks. */
static int32_t size(struct run *x, int32_t most)
{
    static const int32_t near[] = {1, 15, 16, 17, 31, 32, 33};
    uint32_t r = draw_u32(&x->d);
    int32_t n = r % 3 == 0 ? near[r / 3 % 7] : 1 + (int32_t)(r / 3 % (uint32_t)most);

    return n < most ? n : most;
}

static float *floats(struct run *x, int64_t n)
{
    return draw_floats(&x->g, &x->d, (size_t)n, -1.0f, 1.0f);
}

static int32_t *whole(struct run *x, int32_t n, int32_t below)
{
    int32_t *out = guard_alloc(&x->g, (size_t)n * sizeof(*out));

    for (int32_t i = 0; i < n; i++)
        out[i] = (int32_t)(draw_u32(&x->d) % (uint32_t)below);
    return out;
}

static void give(struct run *x, const float *p, int64_t n)
{
    assert_true(x->n_given < MAX_GIVEN);
    x->given[x->n_given].p = p;
    x->given[x->n_given++].n = (size_t)n;
}

static struct matrix weight(struct run *x, int32_t n_out, int32_t n_in, enum dtype dtype)
{
    struct matrix m = {.n_out = n_out, .n_in = n_in, .dtype = dtype};
    size_t row = dtype_row_bytes(dtype, n_in);
    char *rows = guard_alloc(&x->g, (size_t)n_out * row);
    void *panels;

    for (int32_t o = 0; o < n_out; o++)
        dtype_info(dtype)->from_f32(floats(x, n_in), n_in, rows + (size_t)o * row);
    m.rows = rows;
    panels = guard_alloc(&x->g, x->b->panels_bytes(&m));
    x->b->pack(&x->lane, &m, panels);
    m.panels = panels;
    return m;
}

static enum dtype plain_type(struct run *x)
{
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};

    return types[draw_u32(&x->d) % 3];
}

static void case_embed(struct run *x)
{
    int32_t R = size(x, 40), C = size(x, 70), V = size(x, 20);
    struct matrix table = weight(x, V, C, plain_type(x));
    const int32_t *token = whole(x, R, V);
    float *out = guard_floats(&x->g, (size_t)R * (size_t)C), *d_table = floats(x, (int64_t)V * C);

    x->b->embed(&x->lane, &table, token, R, out);
    give(x, out, (int64_t)R * C);
    x->b->embed_back(&x->lane, out, token, R, C, d_table);
    give(x, d_table, (int64_t)V * C);
}

/* Rows lie apart, and the residual is added or overwritten. */
static void case_products(struct run *x)
{
    int32_t R = size(x, 40), n_in = size(x, 90), n_out = size(x, 90);
    int64_t ldx = n_in + size(x, 9), ldy = n_out + size(x, 9);
    struct matrix w = weight(x, n_out, n_in, plain_type(x));
    float beta = (float)(draw_u32(&x->d) % 2);
    float *in = floats(x, R * ldx), *y = floats(x, R * ldy), *dx = floats(x, R * ldx);
    float *dw = floats(x, (int64_t)n_out * n_in);

    x->b->matmul(&x->lane, &w, in, ldx, R, beta, y, ldy);
    give(x, y, R * ldy);
    x->b->matmul_dx(&x->lane, &w, y, ldy, R, beta, dx, ldx);
    give(x, dx, R * ldx);
    x->b->matmul_dw(&x->lane, n_out, n_in, y, ldy, in, ldx, R, dw);
    give(x, dw, (int64_t)n_out * n_in);
}

static void case_quantised(struct run *x)
{
    static const enum dtype types[] = {DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0};
    int32_t R = size(x, 20), n_in = 32 * size(x, 5), n_out = size(x, 70);
    int64_t ldx = n_in + size(x, 9), ldy = n_out + size(x, 9);
    struct matrix w = weight(x, n_out, n_in, types[draw_u32(&x->d) % 4]);
    void *rounded = guard_alloc(&x->g, x->b->quantised_bytes(R, n_in));
    float beta = (float)(draw_u32(&x->d) % 2);
    float *in = floats(x, R * ldx), *y = floats(x, R * ldy);

    x->b->quantise_rows(&x->lane, in, ldx, R, n_in, rounded);
    x->b->matmul_q(&x->lane, &w, rounded, R, beta, y, ldy);
    give(x, y, R * ldy);
}

static void case_bias(struct run *x)
{
    int32_t R = size(x, 40), n = size(x, 90);
    int64_t ld = n + size(x, 9);
    float *y = floats(x, R * ld), *db = floats(x, n);

    x->b->bias_add(&x->lane, floats(x, n), R, n, y, ld);
    give(x, y, R * ld);
    x->b->bias_back(&x->lane, y, ld, R, n, db);
    give(x, db, n);
}

static void case_rmsnorm(struct run *x)
{
    int32_t R = size(x, 40), n = size(x, 90);
    int64_t all = (int64_t)R * n;
    float *in = floats(x, all), *w = floats(x, n), *y = guard_floats(&x->g, (size_t)all);
    float *rstd = guard_floats(&x->g, (size_t)R), *dx = floats(x, all), *dw = floats(x, n);

    x->b->rmsnorm(&x->lane, in, w, R, n, 1e-3f, y, rstd);
    give(x, y, all);
    give(x, rstd, R);
    x->b->rmsnorm_back(&x->lane, in, w, rstd, y, R, n, (float)(draw_u32(&x->d) % 2), dx, dw);
    give(x, dx, all);
    give(x, dw, n);
}

static void case_rope(struct run *x)
{
    int32_t R = size(x, 20), H = size(x, 5), D = 2 * size(x, 40), rotary = 2 * size(x, D / 2);
    int64_t all = (int64_t)R * H * D;
    const int32_t *pos = whole(x, R, MAX_POS);
    float *cos = floats(x, MAX_POS * rotary / 2), *sin = floats(x, MAX_POS * rotary / 2);
    float *a = floats(x, all), *b = floats(x, all);

    x->b->rope(&x->lane, a, R, H, D, rotary, pos, cos, sin);
    x->b->rope_back(&x->lane, b, R, H, D, rotary, pos, cos, sin);
    give(x, a, all);
    give(x, b, all);
}

static void case_activations(struct run *x)
{
    int32_t R = size(x, 20), F = size(x, 90);
    int64_t n = (int64_t)R * F;
    float *gu = draw_floats(&x->g, &x->d, (size_t)(2 * n), -6.0f, 6.0f), *dy = floats(x, n);
    float *y[2], *dgu[2];

    for (int i = 0; i < 2; i++) {
        y[i] = guard_floats(&x->g, (size_t)n);
        dgu[i] = guard_floats(&x->g, (size_t)(2 * n));
        give(x, y[i], n);
        give(x, dgu[i], 2 * n);
    }
    x->b->swiglu(&x->lane, gu, R, F, y[0]);
    x->b->swiglu_back(&x->lane, gu, dy, R, F, dgu[0]);
    x->b->geglu(&x->lane, gu, R, F, y[1]);
    x->b->geglu_back(&x->lane, gu, dy, R, F, dgu[1]);
}

static void case_softcap(struct run *x)
{
    int32_t R = size(x, 20), n = size(x, 90);
    int64_t ld = n + size(x, 9);
    float *y = draw_floats(&x->g, &x->d, (size_t)(R * ld), -9.0f, 9.0f), *dx = floats(x, R * ld);
    float *slope = guard_floats(&x->g, (size_t)R * (size_t)n), *scaled = floats(x, R * ld);

    x->b->softcap(&x->lane, 3.0f, y, ld, R, n, slope);
    give(x, y, R * ld);
    give(x, slope, (int64_t)R * n);
    x->b->softcap_back(&x->lane, slope, R, n, dx, ld);
    give(x, dx, R * ld);
    x->b->scale(&x->lane, 1.7f, R * ld, scaled);
    give(x, scaled, R * ld);
}

/* A page table of three sequences in scattered order, and pages of zeroes. */
struct pages {
    struct kv_layer kv;
    float *dk, *dv;
    int32_t table[3][PAGES / 3];
    const int32_t *page[3];
};

static void pages_init(struct run *x, const struct attention_shape *s, enum dtype dtype,
                       struct pages *p)
{
    size_t half = PAGES * x->b->kv_half_bytes(s->n_kv_heads, s->head_dim, dtype);
    size_t wide = PAGES * x->b->kv_half_bytes(s->n_kv_heads, s->head_dim, DTYPE_F32);

    p->kv = (struct kv_layer){
        .k = guard_alloc(&x->g, half), .v = guard_alloc(&x->g, half), .dtype = dtype};
    p->dk = guard_alloc(&x->g, wide);
    p->dv = guard_alloc(&x->g, wide);
    memset(p->dk, 0, wide);
    memset(p->dv, 0, wide);
    for (int32_t i = 0; i < PAGES; i++)
        p->table[i % 3][i / 3] = i * 5 % PAGES;
    for (int i = 0; i < 3; i++)
        p->page[i] = p->table[i];
}

/* Every position of three sequences is written and attends; then the gradient of them all. */
static void case_attention(struct run *x)
{
    int32_t G = 1 + (int32_t)(draw_u32(&x->d) % 3), group = 1 << draw_u32(&x->d) % 3;
    struct attention_shape s = {.n_heads = G * group,
                                .n_kv_heads = G,
                                .head_dim = 2 * size(x, 20),
                                .scale = 0.3f,
                                .window = draw_u32(&x->d) % 2 ? size(x, 40) : 0,
                                .softcap = draw_u32(&x->d) % 2 ? 2.0f : 0.0f};
    struct row_span r;
    struct pages p;
    int32_t *seq = whole(x, POSITIONS, 1), *pos = whole(x, POSITIONS, 1), n = 0;
    int64_t nq, nk;
    float *q, *out, *lse, *dq, *dk, *dv;

    pages_init(x, &s, draw_u32(&x->d) % 2 ? DTYPE_F32 : DTYPE_BF16, &p);
    for (int32_t i = 0; i < 3; i++)
        for (int32_t at = 0, length = size(x, 16 * PAGES / 3); at < length; at++, n++) {
            seq[n] = i;
            pos[n] = at;
        }
    r = (struct row_span){.n = n, .seq = seq, .pos = pos, .page = p.page};
    nq = (int64_t)n * s.n_heads * s.head_dim;
    nk = (int64_t)n * G * s.head_dim;
    q = floats(x, nq);
    out = guard_floats(&x->g, (size_t)nq);
    dq = guard_floats(&x->g, (size_t)nq);
    lse = guard_floats(&x->g, (size_t)(n * s.n_heads));
    dk = guard_floats(&x->g, (size_t)nk);
    dv = guard_floats(&x->g, (size_t)nk);
    x->b->kv_write(&x->lane, &s, &r, floats(x, nk), floats(x, nk), &p.kv);
    x->b->attention(&x->lane, &s, &r, q, &p.kv, out, lse);
    x->b->attention_back(&(struct lane){0}, &s, &r, q, &p.kv, out, lse, floats(x, nq), dq, p.dk,
                         p.dv);
    x->b->kv_gather(&x->lane, &s, &r, p.dk, p.dv, dk, dv);
    give(x, out, nq);
    give(x, lse, n * s.n_heads);
    give(x, dq, nq);
    give(x, dk, nk);
    give(x, dv, nk);
}

static void case_loss(struct run *x)
{
    int32_t R = size(x, 12), V = size(x, 5000), half = V / 2 < LSE_BLOCK ? 0 : LSE_BLOCK;
    int64_t ld = V + size(x, 9);
    float *logits = draw_floats(&x->g, &x->d, (size_t)(R * ld), -8.0f, 8.0f);
    float *t = draw_floats(&x->g, &x->d, (size_t)R, 0.5f, 2.0f), *lse = floats(x, R);
    float *max = floats(x, R), *sum = floats(x, R), *parts = floats(x, R);
    const int32_t *target = whole(x, R, V);

    x->b->logsumexp(&x->lane, logits, ld, R, V, t, lse);
    give(x, lse, R);
    for (int32_t r = 0; r < R; r++) {
        max[r] = -INFINITY;
        sum[r] = 0;
    }
    if (half)
        x->b->logsumexp_part(&x->lane, logits, ld, R, half, t, max, sum);
    x->b->logsumexp_part(&x->lane, logits + half, ld, R, V - half, t, max, sum);
    x->b->logsumexp_end(&x->lane, R, max, sum, parts);
    give(x, parts, R);
    x->b->softmax_grad(&x->lane, logits, ld, R, 0, V, target, t, lse, floats(x, R));
    give(x, logits, R * ld);
}

static void case_optimiser(struct run *x)
{
    const struct adamw_step step = {.lr = 1e-2f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.95f,
                                    .eps = 1e-8f,
                                    .weight_decay = 0.1f,
                                    .bias1 = 0.5f,
                                    .bias2 = 0.4f,
                                    .grad_scale = 0.7f};
    int64_t n = size(x, 9000);
    float *grad = floats(x, n), *m = floats(x, n), *w = floats(x, n), *squares = floats(x, 1);
    float *v = draw_floats(&x->g, &x->d, (size_t)n, 0.1f, 1.0f);
    double sum;

    x->b->adamw(&x->lane, &step, n, grad, m, v, w);
    give(x, m, n);
    give(x, v, n);
    x->b->add(&x->lane, w, n, grad);
    give(x, w, n);
    give(x, grad, n);
    x->b->sum_squares(&x->lane, grad, n, &sum);
    squares[0] = (float)sum;
    give(x, squares, 1);
}

static const struct {
    const char *name;
    void (*fn)(struct run *x);
    op_set ops; /* that it calls */
    double tolerance;
} cases[] = {
    {"embed", case_embed, OP_BIT(EMBED) | OP_BIT(EMBED_BACK), 1e-6},
    {"products", case_products, OP_BIT(MATMUL) | OP_BIT(MATMUL_DX) | OP_BIT(MATMUL_DW), 3e-6},
    {"quantised", case_quantised, OP_BIT(QUANTISE_ROWS) | OP_BIT(MATMUL_Q), 3e-6},
    {"bias", case_bias, OP_BIT(BIAS_ADD) | OP_BIT(BIAS_BACK), 3e-6},
    {"rmsnorm", case_rmsnorm, OP_BIT(RMSNORM) | OP_BIT(RMSNORM_BACK), 1e-5},
    {"rope", case_rope, OP_BIT(ROPE) | OP_BIT(ROPE_BACK), 1e-6},
    {"activations", case_activations,
     OP_BIT(SWIGLU) | OP_BIT(SWIGLU_BACK) | OP_BIT(GEGLU) | OP_BIT(GEGLU_BACK), 1e-5},
    {"softcap", case_softcap, OP_BIT(SOFTCAP) | OP_BIT(SOFTCAP_BACK) | OP_BIT(SCALE), 1e-5},
    {"attention", case_attention,
     OP_BIT(KV_WRITE) | OP_BIT(ATTENTION) | OP_BIT(ATTENTION_BACK) | OP_BIT(KV_GATHER), 2e-5},
    {"loss", case_loss,
     OP_BIT(LOGSUMEXP) | OP_BIT(LOGSUMEXP_PART) | OP_BIT(LOGSUMEXP_END) | OP_BIT(SOFTMAX_GRAD),
     1e-5},
    {"optimiser", case_optimiser, OP_BIT(ADAMW) | OP_BIT(ADD) | OP_BIT(SUM_SQUARES), 1e-5},
};
enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static void test_every_op_has_a_case(void **state)
{
    op_set all = 0;

    (void)state;
    for (int i = 0; i < N_CASES; i++)
        all |= cases[i].ops;
    for (int op = 0; op < BACKEND_OP_N; op++)
        if (!(all >> op & 1))
            fail_msg("op \"%s\" is compared with no reference",
                     backend_op_name((enum backend_op)op));
}

static struct run start(const struct backend *b, struct lane lane, uint64_t seed)
{
    return (struct run){.b = b, .lane = lane, .d = {.state = seed * 0x9e3779b97f4a7c15u}};
}

/* Inputs are of the order of 1, so what a sum should cancel to 0 may be a rounding of that. */
static void near(const struct run *got, const struct run *want, int k, double tolerance,
                 const char *what)
{
    const float *a = got->given[k].p, *b = want->given[k].p;
    double scale = 0.1;

    assert_int_equal(got->given[k].n, want->given[k].n);
    for (size_t i = 0; i < want->given[k].n; i++)
        scale = fmax(scale, fabs((double)b[i]));
    for (size_t i = 0; i < want->given[k].n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * scale))
            fail_msg("%s: element %zu is %.9g, not %.9g (scale %g)", what, i, (double)a[i],
                     (double)b[i], scale);
}

static void test_each_case_is_near_its_reference(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            struct run want = start(reference_backend(), (struct lane){0}, seed);
            const struct variant *v = &vs.v[seed % (uint64_t)vs.n];
            struct run got = start(v->b, v->lane, seed);

            cases[i].fn(&want);
            cases[i].fn(&got);
            assert_int_equal(got.n_given, want.n_given);
            for (int k = 0; k < want.n_given; k++) {
                char what[96];

                snprintf(what, sizeof(what), "%s, %s, seed %d, output %d", cases[i].name, v->name,
                         (int)seed, k);
                near(&got, &want, k, cases[i].tolerance, what);
            }
            guard_free(&want.g);
            guard_free(&got.g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_op_has_a_case),
        cmocka_unit_test(test_each_case_is_near_its_reference),
    };

    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
