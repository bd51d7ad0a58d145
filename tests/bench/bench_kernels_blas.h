/* bench_kernels_blas.h - OpenBLAS with its best settings, as a baseline; loaded at run time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_KERNELS_BLAS_H
#define TROUPE_TESTS_BENCH_KERNELS_BLAS_H

#include <stdbool.h>

enum { BLAS_NO_TRANS = 111, BLAS_TRANS = 112 };

struct blas {
    /* Row-major C (m, n) = alpha op(A) op(B) + beta C. NULL: OpenBLAS is missing. */
    void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
    const char *core; /* the CPU that it detected */
};

/* OpenBLAS 0.3.21 detects new AVX-512 cores as Haswell. OPENBLAS_CORETYPE corrects that, but must
 * be set before the library is loaded, so argv is executed again once. */
void blas_set_core(char **argv);
struct blas blas_open(int n_threads);

#endif
