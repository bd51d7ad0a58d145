/* cpu_scale.c - y *= by.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct scale_job {
    float *y; /* (n) */
    float by;
};

static void scale_range(void *ctx, int64_t begin, int64_t end)
{
    const struct scale_job *j = ctx;
    v16 by = v16_set1(j->by);

    for (int64_t i = begin; i < end; i += 16) {
        int32_t lanes = end - i < 16 ? (int32_t)(end - i) : 16;
        v16_store_n(j->y + i, v16_mul(v16_load_n(j->y + i, lanes), by), lanes);
    }
}

void CPU_OP(scale)(const struct lane *l, float by, int64_t n, float *y)
{
    struct scale_job j = {.y = y, .by = by};
    cpu_for(l, n, 1024, 16, scale_range, &j);
}
