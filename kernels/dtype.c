/* dtype.c - the table of element types.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/dtype.h"

#include "kernels/dtype_blocks.h"

static const struct dtype_info table[] = {
#define DTYPE(id, name, block, bytes, to_f32, from_f32) {name, block, bytes, to_f32, from_f32},
#include "kernels/dtype.def"
#undef DTYPE
};

const struct dtype_info *dtype_info(enum dtype t)
{
    assert(t >= 0 && t < DTYPE_N);
    return &table[t];
}

enum dtype dtype_find(const char *name)
{
    for (int t = 0; t < DTYPE_N; t++)
        if (strcmp(table[t].name, name) == 0)
            return (enum dtype)t;
    return DTYPE_N;
}
