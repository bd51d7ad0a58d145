/* test_kernels_math.c - exp, log, the 16-bit types, and what the CPU's tables promise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/fmath.h"
#include "tests/unit/kernels/kernel_test.h"

static double ulps(float got, double want)
{
    float near = (float)want;
    double ulp = (double)(nextafterf(fabsf(near), INFINITY) - fabsf(near));
    return fabs((double)got - want) / ulp;
}

static void test_exp_is_within_an_ulp_and_a_half(void **state)
{
    double worst = 0.0;

    (void)state;
    for (int i = 0; i < 2000000; i++) {
        float x = -87.3f + (float)i * (88.7f + 87.3f) / 2000000.0f;
        double u = ulps(fmath_exp(x), exp((double)x));
        worst = u > worst ? u : worst;
    }
    print_message("exp: %.3f ulp\n", worst);
    assert_true(worst < 1.5);
}

static void test_exp_at_its_ends(void **state)
{
    (void)state;
    assert_true(fmath_exp(0.0f) == 1.0f);
    assert_true(fmath_exp(-0.0f) == 1.0f);
    assert_true(fmath_exp(-INFINITY) == 0.0f);
    assert_true(fmath_exp(-88.0f) == 0.0f);
    assert_true(fmath_exp(-1e30f) == 0.0f);
    assert_true(fmath_exp(INFINITY) == INFINITY);
    assert_true(fmath_exp(89.0f) == INFINITY);
    assert_true(fmath_exp(1e30f) == INFINITY);
    assert_true(isfinite(fmath_exp(88.72283f)));
    assert_true(fmath_exp(-87.329f) > 0.0f);
    assert_true(isnan(fmath_exp(NAN)));
}

static void test_log_is_within_an_ulp_and_a_half(void **state)
{
    double worst = 0.0;

    (void)state;
    for (uint32_t u = 0x00800000u; u < 0x7f800000u; u += 1009) {
        double x, e;
        if (u == 0x3f800000u)
            continue;
        x = (double)fmath_float(u);
        e = ulps(fmath_log(fmath_float(u)), log(x));
        worst = e > worst ? e : worst;
    }
    for (int i = -200000; i <= 200000; i++) { /* around 1, where the result is small */
        float x = 1.0f + (float)i * 1e-6f;
        double e = x == 1.0f ? 0.0 : ulps(fmath_log(x), log((double)x));
        worst = e > worst ? e : worst;
    }
    print_message("log: %.3f ulp\n", worst);
    assert_true(worst < 1.5);
    assert_true(fmath_log(1.0f) == 0.0f);
    assert_true(fmath_log(0.0f) == -INFINITY);
    assert_true(fmath_log(INFINITY) == INFINITY);
    assert_true(isnan(fmath_log(-1.0f)));
    assert_true(isnan(fmath_log(NAN)));
}

static void test_bf16_rounds_to_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = bf16_to_f32((uint16_t)h);
        if (!isnan(f))
            assert_int_equal(f32_to_bf16(f), h);
    }
    assert_int_equal(f32_to_bf16(fmath_float(0x3f808000u)), 0x3f80); /* tie, even below */
    assert_int_equal(f32_to_bf16(fmath_float(0x3f818000u)), 0x3f82); /* tie, even above */
    assert_int_equal(f32_to_bf16(fmath_float(0x3f808001u)), 0x3f81);
    assert_int_equal(f32_to_bf16(fmath_float(0x7f7fffffu)), 0x7f80); /* rounds up to infinity */
    assert_true(isnan(bf16_to_f32(f32_to_bf16(fmath_float(0x7f800001u)))));
}

static void test_f16_both_ways(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h);
        uint32_t exponent = (h >> 10) & 31u;
        double want = exponent ? ldexp(1024.0 + (h & 1023u), (int)exponent - 25)
                               : ldexp((double)(h & 1023u), -24);
        if (exponent == 31)
            want = h & 1023u ? (double)NAN : (double)INFINITY;
        if (isnan(want)) {
            assert_true(isnan(f));
            continue;
        }
        assert_true((double)f == (h & 0x8000u ? -want : want));
        assert_int_equal(f32_to_f16(f), h);
        if (exponent < 30 && !(h & 0x8000u)) { /* halfway to the next: the even one */
            float half = (f + f16_to_f32((uint16_t)(h + 1))) * 0.5f;
            assert_int_equal(f32_to_f16(half), (h + 1u) & ~1u);
            assert_int_equal(f32_to_f16(nextafterf(half, 0.0f)), h);
        }
    }
    assert_int_equal(f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(f32_to_f16(-65519.0f), 0xfbff);
    assert_int_equal(f32_to_f16(1e-9f), 0);
}

static void test_tables_are_whole(void **state)
{
    (void)state;
    for (int isa = CPU_ISA_PLAIN; isa <= (int)cpu_isa_best(); isa++) {
        const struct backend *b = cpu_backend((enum cpu_isa)isa);
        assert_int_equal(b->abi, BACKEND_ABI);
        assert_int_equal(b->size_bytes, sizeof(*b));
        assert_true(b->exact);
        assert_non_null(strstr(b->name, cpu_isa_name((enum cpu_isa)isa)));
        /* every slot from alloc to the last is a function, and the CPU leaves none out */
        for (size_t at = offsetof(struct backend, alloc); at < sizeof(*b); at += sizeof(void *)) {
            void *slot;
            memcpy(&slot, (const char *)b + at, sizeof(slot));
            assert_non_null(slot);
        }
    }
}

static void test_alloc_is_aligned_and_zeroed(void **state)
{
    const struct backend *b = cpu_backend(CPU_ISA_PLAIN);

    (void)state;
    for (size_t n = 0; n < 300; n += 13) {
        unsigned char *p = b->alloc(b->ctx, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        b->release(b->ctx, p);
    }
    assert_null(b->alloc(b->ctx, SIZE_MAX - 8));
    b->release(b->ctx, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_is_within_an_ulp_and_a_half),
        cmocka_unit_test(test_exp_at_its_ends),
        cmocka_unit_test(test_log_is_within_an_ulp_and_a_half),
        cmocka_unit_test(test_bf16_rounds_to_even),
        cmocka_unit_test(test_f16_both_ways),
        cmocka_unit_test(test_tables_are_whole),
        cmocka_unit_test(test_alloc_is_aligned_and_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
