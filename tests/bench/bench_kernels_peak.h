/* bench_kernels_peak.h - the peak of the machine, measured in the same run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_KERNELS_PEAK_H
#define TROUPE_TESTS_BENCH_KERNELS_PEAK_H

#include "kernels/backend.h"

struct peak {
    double gflops; /* fp32 FMA from registers, as the backend measures it */
    double gbytes; /* sequential read of memory */
};

/* The best of short samples, on all threads of the lane. Call again between other
 * measurements and keep the maximum: the peak changes with the clock and with other load. */
struct peak peak_measure(const struct backend *b, const struct lane *l);

/* Wall time with a pool. With one thread, CPU time of the process, which excludes the time that
 * other programs use its core. */
double seconds_now(const struct pool *pool);

#endif
