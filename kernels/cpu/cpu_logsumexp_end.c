/* cpu_logsumexp_end.c - the last step of a log-sum-exp that was taken in parts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"
#include "kernels/fmath.h"

void CPU_OP(logsumexp_end)(const struct lane *l, int32_t R, const float *max, const float *sum,
                           float *lse)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        lse[r] = max[r] + fmath_log(sum[r]);
}
