/* bench_kernels_case.h - the named cases of bench_kernels: an op, a shape, its operands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_KERNELS_CASE_H
#define TROUPE_TESTS_BENCH_KERNELS_CASE_H

#include "kernels/backend.h"
#include "tests/bench/bench_kernels_blas.h"

struct bench_env {
    const struct backend *backend;
    struct lane lane;
    struct blas blas;
};

enum bench_op {
    BENCH_MATMUL,
    BENCH_DX,
    BENCH_DW,
    BENCH_ATTENTION,      /* a = rows, b = positions before each; one sequence per row */
    BENCH_ATTENTION_MHA,  /* the same with as many kv heads as heads, as in the embedded model */
    BENCH_ATTENTION_ROWS, /* training: a = rows of one sequence */
    BENCH_ATTENTION_BACK,
    BENCH_RMSNORM,
    BENCH_SWIGLU,
    BENCH_LSE,
    BENCH_SOFTMAX_GRAD,
    BENCH_ROPE,
    BENCH_ADAMW
};

enum { BENCH_BUFFERS = 10 };

/* m, n, k: R, n_out, n_in for products; R and the row's length for row ops. */
struct bench_case {
    const char *name;
    enum bench_op op;
    int32_t m, n, k;
    enum dtype dtype;
    double flops, bytes; /* per call */
    struct bench_env *env;
    struct matrix w;
    struct attention_shape shape;
    struct kv_layer kv;
    struct row_span rows;
    int32_t *ints;
    const int32_t **tables;
    float *buffer[BENCH_BUFFERS];
    float *turned; /* W^T for OpenBLAS */
};

int bench_case_count(void);
const char *bench_case_name(int i);
void bench_case_open(struct bench_case *c, int i, struct bench_env *env);
void bench_case_close(struct bench_case *c);
void bench_case_run(struct bench_case *c);
bool bench_case_has_blas(const struct bench_case *c);
void bench_case_blas(struct bench_case *c);
void bench_case_blas_turned(struct bench_case *c);

#endif
