/* work_count.c - what the compiler calls at each basic block.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/formats/work_count.h"

void __sanitizer_cov_trace_pc(void);

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

uint64_t work_count_take(void)
{
    uint64_t n = blocks;

    blocks = 0;
    return n;
}
