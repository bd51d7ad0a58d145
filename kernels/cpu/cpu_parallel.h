/* cpu_parallel.h - cutting an op into ranges for the threads of a lane.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_PARALLEL_H
#define TROUPE_KERNELS_CPU_CPU_PARALLEL_H

#include <stdint.h>

#include "kernels/backend.h"

typedef void (*cpu_range_fn)(void *ctx, int64_t begin, int64_t end);

/* Calls fn over 0 .. n-1 in contiguous ranges of at least `grain` items (the last may be
 * shorter), `per_thread` ranges a thread where there is enough; without a pool in one call.
 * No item's result may depend on the cut. */
void cpu_for(const struct lane *l, int64_t n, int64_t grain, int32_t per_thread, cpu_range_fn fn,
             void *ctx);

#endif
