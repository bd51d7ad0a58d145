/* reference_shift.c - y += by.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/reference/reference.h"

void reference_shift(const struct lane *l, float by, int64_t n, float *y)
{
    (void)l;
    for (int64_t i = 0; i < n; i++)
        y[i] += by;
}
