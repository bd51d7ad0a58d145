/* bench_kernels_blas.h - OpenBLAS at its best, opened at run time; the yardstick, never linked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_KERNELS_BLAS_H
#define TROUPE_TESTS_BENCH_KERNELS_BLAS_H

#include <stdbool.h>

enum { BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

struct blas {
    /* Row-major C (m, n) = alpha op(A) op(B) + beta C. NULL: no OpenBLAS here. */
    void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
    const char *core; /* what it took the CPU for */
};

/* OpenBLAS 0.3.21 takes new AVX-512 cores for Haswell; OPENBLAS_CORETYPE corrects it, but must
 * be set before the library is loaded, hence one re-execution of argv. */
void blas_set_core(char **argv);
struct blas blas_open(int n_threads);

#endif
