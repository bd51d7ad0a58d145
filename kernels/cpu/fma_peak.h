/* fma_peak.h - what the cores can do at best, measured: the yardstick of the progress line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_FMA_PEAK_H
#define TROUPE_KERNELS_CPU_FMA_PEAK_H

#include "runtime/base/pool.h"

/* Single-precision FMA operations a second times two, over all threads of the pool at once;
 * takes about 10 ms. */
double fma_peak_flops(struct pool *pool);

#endif
