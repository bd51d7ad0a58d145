/* cpu_shift.c - y += by.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct shift_job {
    float *y; /* (n) */
    float by;
};

static void shift_range(void *ctx, int64_t begin, int64_t end)
{
    const struct shift_job *j = ctx;
    v16 by = v16_set1(j->by);

    for (int64_t i = begin; i < end; i += 16) {
        int32_t lanes = end - i < 16 ? (int32_t)(end - i) : 16;
        v16_store_n(j->y + i, v16_add(v16_load_n(j->y + i, lanes), by), lanes);
    }
}

void CPU_OP(shift)(const struct lane *l, float by, int64_t n, float *y)
{
    struct shift_job j = {.y = y, .by = by};
    cpu_for(l, n, 1024, 16, shift_range, &j);
}
