/* bench_kernels_peak.h - what the machine can do at most, measured in the same run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_KERNELS_PEAK_H
#define TROUPE_TESTS_BENCH_KERNELS_PEAK_H

#include "runtime/base/pool.h"

struct peak {
    double gflops; /* fp32 FMA from registers */
    double gbytes; /* sequential read of memory */
};

/* The best of short samples, on all threads of the pool (NULL: one). Call again between other
 * measurements and keep the maximum: the ceiling moves with the clock and the neighbours. */
struct peak peak_measure(struct pool *pool);

double seconds_now(void);

#endif
