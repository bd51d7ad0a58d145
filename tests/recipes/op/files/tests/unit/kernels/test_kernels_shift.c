/* test_kernels_shift.c - shift: the sum, and the same bits from every variant.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

static void shift_gives_each_sum(void **state)
{
    static const int32_t sizes[] = {1, 15, 16, 17, 31, 33, 1023, 1024, 4097};

    (void)state;
    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        struct guard g = {.n = 0};
        struct draw d = {k};
        size_t n = (size_t)sizes[k];
        float *x = draw_floats(&g, &d, n, -2.0f, 2.0f), *y = guard_floats(&g, n), *first = NULL;
        double *want = doubles(x, n);

        for (size_t i = 0; i < n; i++)
            want[i] += (double)1.5f;
        for (int v = 0; v < vs.n; v++) {
            memcpy(y, x, n * sizeof(float));
            vs.v[v].b->shift(&vs.v[v].lane, 1.5f, (int64_t)n, y);
            assert_near(y, want, n, 1e-7, "shift");
            if (!first)
                first = guard_copy(&g, y, n);
            assert_bits(y, first, n, "shift", vs.v[v].name);
        }
        free(want);
        guard_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shift_gives_each_sum)};

    return cmocka_run_group_tests(tests, variants_setup, variants_teardown);
}
