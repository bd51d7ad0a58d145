/* bench_kernels_case.c - the named cases of bench_kernels.
 *
 * The shapes are those of the 0.45 M model that ships (C 128, 4 heads of 32 over 2 kv heads, F 384,
 * V 320), of a 0.5 B model (C 896, F 4864), and cubes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/bench/bench_kernels_case.h"

#include <stdlib.h>
#include <string.h>

struct spec {
    const char *name;
    enum bench_op op;
    int32_t m, n, k;
    enum dtype dtype;
};

static const struct spec specs[] = {
    {"matmul 16 x 128 x 128", BENCH_MATMUL, 16, 128, 128, DTYPE_F32},
    {"matmul 64 x 128 x 128", BENCH_MATMUL, 64, 128, 128, DTYPE_F32},
    {"matmul 16 x 256 x 128", BENCH_MATMUL, 16, 256, 128, DTYPE_F32},
    {"matmul 16 x 768 x 128", BENCH_MATMUL, 16, 768, 128, DTYPE_F32},
    {"matmul 32 x 768 x 128", BENCH_MATMUL, 32, 768, 128, DTYPE_F32},
    {"matmul 64 x 768 x 128", BENCH_MATMUL, 64, 768, 128, DTYPE_F32},
    {"matmul 16 x 128 x 384", BENCH_MATMUL, 16, 128, 384, DTYPE_F32},
    {"matmul 64 x 128 x 384", BENCH_MATMUL, 64, 128, 384, DTYPE_F32},
    {"matmul 16 x 320 x 128", BENCH_MATMUL, 16, 320, 128, DTYPE_F32},
    {"matmul 64 x 320 x 128", BENCH_MATMUL, 64, 320, 128, DTYPE_F32},
    {"matmul 1 x 768 x 128", BENCH_MATMUL, 1, 768, 128, DTYPE_F32},
    {"matmul 4 x 768 x 128", BENCH_MATMUL, 4, 768, 128, DTYPE_F32},
    {"matmul 4 x 896 x 896", BENCH_MATMUL, 4, 896, 896, DTYPE_F32},
    {"matmul 8 x 896 x 896", BENCH_MATMUL, 8, 896, 896, DTYPE_F32},
    {"matmul 16 x 896 x 896", BENCH_MATMUL, 16, 896, 896, DTYPE_F32},
    {"matmul 32 x 896 x 896", BENCH_MATMUL, 32, 896, 896, DTYPE_F32},
    {"matmul 64 x 896 x 896", BENCH_MATMUL, 64, 896, 896, DTYPE_F32},
    {"matmul 16 x 4864 x 896", BENCH_MATMUL, 16, 4864, 896, DTYPE_F32},
    {"matmul 1 x 4096 x 4096", BENCH_MATMUL, 1, 4096, 4096, DTYPE_F32},
    {"matmul 1 x 4096 x 4096 bf16", BENCH_MATMUL, 1, 4096, 4096, DTYPE_BF16},
    {"matmul 2 x 4096 x 4096", BENCH_MATMUL, 2, 4096, 4096, DTYPE_F32},
    {"matmul 16 x 4864 x 896 bf16", BENCH_MATMUL, 16, 4864, 896, DTYPE_BF16},
    {"matmul 512 x 512 x 512", BENCH_MATMUL, 512, 512, 512, DTYPE_F32},
    {"matmul 1024 x 1024 x 1024", BENCH_MATMUL, 1024, 1024, 1024, DTYPE_F32},
    {"matmul 1024 x 1024 x 1024 bf16", BENCH_MATMUL, 1024, 1024, 1024, DTYPE_BF16},
    {"matmul_dx 256 x 768 x 128", BENCH_DX, 256, 768, 128, DTYPE_F32},
    {"matmul_dx 256 x 128 x 384", BENCH_DX, 256, 128, 384, DTYPE_F32},
    {"matmul_dx 1024 x 1024 x 1024", BENCH_DX, 1024, 1024, 1024, DTYPE_F32},
    {"matmul_dw 256 x 768 x 128", BENCH_DW, 256, 768, 128, DTYPE_F32},
    {"matmul_dw 256 x 128 x 384", BENCH_DW, 256, 128, 384, DTYPE_F32},
    {"matmul_dw 1024 x 1024 x 1024", BENCH_DW, 1024, 1024, 1024, DTYPE_F32},
    {"attention 16 rows over 256", BENCH_ATTENTION, 16, 256, 32, DTYPE_F32},
    {"attention 32 rows over 64, 4 kv heads", BENCH_ATTENTION_MHA, 32, 64, 32, DTYPE_F32},
    {"attention 32 rows over 256, 4 kv heads", BENCH_ATTENTION_MHA, 32, 256, 32, DTYPE_F32},
    {"attention 4 rows over 256", BENCH_ATTENTION, 4, 256, 32, DTYPE_F32},
    {"attention 64 rows over 128", BENCH_ATTENTION, 64, 128, 32, DTYPE_F32},
    {"attention 16 rows over 256 bf16", BENCH_ATTENTION, 16, 256, 32, DTYPE_BF16},
    {"attention 256 rows of a sequence", BENCH_ATTENTION_ROWS, 256, 256, 32, DTYPE_F32},
    {"attention_back 256 rows of a sequence", BENCH_ATTENTION_BACK, 256, 256, 32, DTYPE_F32},
    {"rmsnorm 64 x 128", BENCH_RMSNORM, 64, 128, 0, DTYPE_F32},
    {"rmsnorm 256 x 32", BENCH_RMSNORM, 256, 32, 0, DTYPE_F32},
    {"swiglu 64 x 384", BENCH_SWIGLU, 64, 384, 0, DTYPE_F32},
    {"rope 64 x 4 x 32", BENCH_ROPE, 64, 4, 32, DTYPE_F32},
    {"logsumexp 64 x 320", BENCH_LSE, 64, 320, 0, DTYPE_F32},
    {"logsumexp 4 x 151936", BENCH_LSE, 4, 151936, 0, DTYPE_F32},
    {"softmax_grad 64 x 320", BENCH_SOFTMAX_GRAD, 64, 320, 0, DTYPE_F32},
    {"adamw 450000", BENCH_ADAMW, 1, 450000, 0, DTYPE_F32},
};

int bench_case_count(void)
{
    return (int)(sizeof(specs) / sizeof(specs[0]));
}

const char *bench_case_name(int i)
{
    return specs[i].name;
}

static float *filled(struct bench_case *c, size_t n, float low, float high)
{
    uint32_t x = 12345;
    float *p = c->env->backend->alloc(NULL, n * sizeof(float));

    if (!p)
        abort();
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u; /* Knuth's constants; good enough for timing */
        p[i] = low + (high - low) * (float)(x >> 8) * (1.0f / 16777216.0f);
    }
    return p;
}

/* Buffers 0: x or dy, 1: y, dx or dw, 2: rows of W as f32; for dw 2: x. */
static void open_product(struct bench_case *c)
{
    int64_t m = c->m, n = c->n, k = c->k;
    const struct backend *b = c->env->backend;
    bool dw = c->op == BENCH_DW, dx = c->op == BENCH_DX;
    uint16_t *half;
    void *panels;

    c->flops = 2.0 * (double)m * (double)n * (double)k;
    c->bytes = (double)(n * k) * (double)dtype_size(c->dtype) + 4.0 * (double)(m * n + m * k);
    c->buffer[0] = filled(c, (size_t)(m * (dw || dx ? n : k)), -1.0f, 1.0f);
    c->buffer[1] = filled(c, (size_t)(dw ? n * k : dx ? m * k : m * n), -1.0f, 1.0f);
    c->buffer[2] = filled(c, (size_t)(dw ? m * k : n * k), -0.1f, 0.1f);
    if (dw)
        return;
    c->turned = filled(c, (size_t)(n * k), -0.1f, 0.1f);
    c->w = (struct matrix){.n_out = c->n, .n_in = c->k, .dtype = c->dtype, .rows = c->buffer[2]};
    if (c->dtype == DTYPE_BF16) {
        half = (uint16_t *)filled(c, (size_t)(n * k), 0.0f, 1.0f);
        for (int64_t i = 0; i < n * k; i++)
            half[i] = f32_to_bf16(c->buffer[2][i]);
        c->buffer[3] = (float *)half;
        c->w.rows = half;
    }
    panels = b->alloc(NULL, b->panels_bytes(&c->w));
    b->pack(&c->env->lane, &c->w, panels);
    c->w.panels = panels;
    c->buffer[4] = panels;
}

static int32_t *open_tables(struct bench_case *c, int32_t n_seq, int32_t pages_each)
{
    int32_t n = c->m, *next;

    c->ints = calloc((size_t)(2 * n + n_seq * pages_each), sizeof(int32_t));
    c->tables = calloc((size_t)n_seq, sizeof(*c->tables));
    if (!c->ints || !c->tables)
        abort();
    next = c->ints + 2 * n;
    for (int32_t s = 0; s < n_seq; s++) {
        c->tables[s] = next;
        for (int32_t p = 0; p < pages_each; p++)
            *next++ = s * pages_each + p;
    }
    c->rows = (struct row_span){n, c->ints, c->ints + n, c->tables};
    return c->ints;
}

/* Buffers 0: q, 1: out, 2: lse, 3, 4: k and v, 5: dout, 6: dq, 7, 8: dk and dv. */
static void open_attention(struct bench_case *c)
{
    bool decode = c->op == BENCH_ATTENTION || c->op == BENCH_ATTENTION_MHA;
    int32_t G = c->op == BENCH_ATTENTION_MHA ? 4 : 2;
    int32_t pages = (c->n + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS, n_seq = decode ? c->m : 1, *ints;
    size_t kv, n;
    double keys = 0.0;

    c->shape = (struct attention_shape){4, G, c->k, 0.17f, 0, 0};
    ints = open_tables(c, n_seq, pages);
    for (int32_t r = 0; r < c->m; r++) {
        ints[r] = decode ? r : 0;
        ints[c->m + r] = decode ? c->n - 1 : r;
        keys += ints[c->m + r] + 1;
    }
    n = (size_t)(c->m * 4 * c->k);
    kv = (size_t)(n_seq * pages * KV_PAGE_TOKENS * G * c->k);
    for (int i = 0; i < 9; i++)
        c->buffer[i] = filled(c,
                              i == 2                      ? (size_t)c->m * 4
                              : i == 3 || i == 4 || i > 6 ? kv
                                                          : n,
                              i == 2 ? 5.0f : -1.0f, i == 2 ? 6.0f : 1.0f);
    for (size_t i = 0; i < kv && c->dtype == DTYPE_BF16; i++)
        for (int b = 3; b < 5; b++)
            ((uint16_t *)c->buffer[b])[i] = 0x3f00;
    c->kv = (struct kv_layer){c->buffer[3], c->buffer[4], c->dtype};
    c->flops = keys * 4 * c->k * (c->op == BENCH_ATTENTION_BACK ? 10.0 : 4.0);
    c->bytes = keys * G * c->k * 2 * (double)dtype_size(c->dtype);
}

/* Buffers 0: in, 1: out, from 2: all others. */
static void open_rows(struct bench_case *c)
{
    size_t n = (size_t)c->m * (size_t)c->n * (size_t)(c->op == BENCH_ROPE ? c->k : 1);
    /* exp is 16 operations */
    double per = c->op == BENCH_RMSNORM ? 4
                 : c->op == BENCH_ADAMW ? 13
                 : c->op == BENCH_ROPE  ? 3
                                        : 20;
    int32_t *ints = open_tables(c, 1, 1);

    for (int i = 0; i < 4; i++)
        c->buffer[i] = filled(c, 2 * n, 0.1f, 1.0f);
    for (int32_t r = 0; r < c->m; r++)
        ints[r] = ints[c->m + r] = 1;
    c->flops = per * (double)n;
    c->bytes = 4.0 * (double)n *
               (c->op == BENCH_LSE      ? 1
                : c->op == BENCH_SWIGLU ? 3
                : c->op == BENCH_ADAMW  ? 7
                                        : 2);
}

void bench_case_open(struct bench_case *c, int i, struct bench_env *env)
{
    memset(c, 0, sizeof(*c));
    c->name = specs[i].name;
    c->op = specs[i].op;
    c->m = specs[i].m;
    c->n = specs[i].n;
    c->k = specs[i].k;
    c->dtype = specs[i].dtype;
    c->env = env;
    if (c->op <= BENCH_DW)
        open_product(c);
    else if (c->op <= BENCH_ATTENTION_BACK)
        open_attention(c);
    else
        open_rows(c);
}

void bench_case_close(struct bench_case *c)
{
    for (int i = 0; i < BENCH_BUFFERS; i++)
        c->env->backend->release(NULL, c->buffer[i]);
    c->env->backend->release(NULL, c->turned);
    free(c->ints);
    free(c->tables);
}

static void run_attention(struct bench_case *c)
{
    const struct backend *b = c->env->backend;
    const struct lane *l = &c->env->lane;
    float **f = c->buffer;

    if (c->op == BENCH_ATTENTION_BACK)
        b->attention_back(l, &c->shape, &c->rows, f[0], &c->kv, f[1], f[2], f[5], f[6], f[7], f[8]);
    else
        b->attention(l, &c->shape, &c->rows, f[0], &c->kv, f[1], f[2]);
}

static void run_rows(struct bench_case *c)
{
    static const struct adamw_step step = {1e-3f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.1f, 0.01f, 1.0f};
    const struct backend *b = c->env->backend;
    const struct lane *l = &c->env->lane;
    float **f = c->buffer;

    if (c->op == BENCH_RMSNORM)
        b->rmsnorm(l, f[0], f[2], c->m, c->n, 1e-6f, f[1], NULL);
    else if (c->op == BENCH_SWIGLU)
        b->swiglu(l, f[0], c->m, c->n, f[1]);
    else if (c->op == BENCH_ROPE)
        b->rope(l, f[0], c->m, c->n, c->k, c->k, c->rows.pos, f[1], f[2]);
    else if (c->op == BENCH_LSE)
        b->logsumexp(l, f[0], c->n, c->m, c->n, f[2], f[1]);
    else if (c->op == BENCH_SOFTMAX_GRAD)
        b->softmax_grad(l, f[0], c->n, c->m, 0, c->n, c->rows.seq, f[2], f[3], f[1]);
    else
        b->adamw(l, &step, c->n, f[0], f[1], f[2], f[3]);
}

void bench_case_run(struct bench_case *c)
{
    const struct backend *b = c->env->backend;
    const struct lane *l = &c->env->lane;
    float **f = c->buffer;

    if (c->op == BENCH_MATMUL)
        b->matmul(l, &c->w, f[0], c->k, c->m, 0.0f, f[1], c->n);
    else if (c->op == BENCH_DX)
        b->matmul_dx(l, &c->w, f[0], c->n, c->m, 0.0f, f[1], c->k);
    else if (c->op == BENCH_DW)
        b->matmul_dw(l, c->n, c->k, f[0], c->n, f[2], c->k, c->m, f[1]);
    else if (c->op <= BENCH_ATTENTION_BACK)
        run_attention(c);
    else
        run_rows(c);
}

bool bench_case_has_blas(const struct bench_case *c)
{
    return c->op <= BENCH_DW && c->env->blas.sgemm;
}

static void blas_call(struct bench_case *c, bool turned)
{
    const struct blas *b = &c->env->blas;
    float **f = c->buffer;
    const float *w = turned ? c->turned : f[2];
    int m = c->m, n = c->n, k = c->k, yes = BLAS_TRANS, no = BLAS_NO_TRANS, row_major = 101;

    if (c->op == BENCH_MATMUL)
        b->sgemm(row_major, no, turned ? no : yes, m, n, k, 1.0f, f[0], k, w, turned ? n : k, 0.0f,
                 f[1], n);
    else if (c->op == BENCH_DX)
        b->sgemm(row_major, no, turned ? yes : no, m, k, n, 1.0f, f[0], n, w, turned ? n : k, 0.0f,
                 f[1], k);
    else
        b->sgemm(row_major, yes, no, n, k, m, 1.0f, f[0], n, f[2], k, 1.0f, f[1], k);
}

void bench_case_blas(struct bench_case *c)
{
    blas_call(c, false);
}

void bench_case_blas_turned(struct bench_case *c)
{
    blas_call(c, true);
}
