/* test_rng.c - Philox gives the words that Random123 publishes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

/* kat_vectors of Random123 1.14, philox4x32 with 10 rounds. */
static void known_answers(void **state)
{
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const uint32_t *c = cases[i].ctr;
        struct rng_block b =
            rng_philox((uint64_t)cases[i].key[1] << 32 | cases[i].key[0], c[0], c[1], c[2], c[3]);

        for (size_t k = 0; k < 4; k++)
            assert_int_equal(b.word[k], cases[i].out[k]);
    }
}

static void units_stay_below_one(void **state)
{
    (void)state;
    assert_true(rng_unit_float(0) == 0.0F);
    assert_true(rng_unit_float(UINT32_MAX) < 1.0F);
    assert_true(rng_unit_float(0x80000000U) == 0.5F);
    assert_true(rng_unit_double(0, 0) == 0.0);
    assert_true(rng_unit_double(UINT32_MAX, UINT32_MAX) < 1.0);
    assert_true(rng_unit_double(0x80000000U, 0) == 0.5);
    assert_true(rng_unit_double(0, 1U << 11) == 0x1p-53);
}

static void below_covers_its_range(void **state)
{
    (void)state;
    assert_int_equal(rng_below(UINT32_MAX, 1), 0);
    assert_int_equal(rng_below(0, 10), 0);
    assert_int_equal(rng_below(UINT32_MAX, 10), 9);
    assert_int_equal(rng_below(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
}

static void derived_seeds_differ_from_each_other_and_from_draws(void **state)
{
    struct rng_block draw = rng_philox(1, 2, 0, 0, 0);

    (void)state;
    assert_true(rng_derive(1, 2) != rng_derive(2, 1));
    assert_true(rng_derive(1, 2) != rng_derive(1, 3));
    assert_true(rng_derive(1, 2) != rng_derive(1, (uint64_t)2 << 32));
    assert_true(rng_derive(1, 2) == rng_derive(1, 2));
    assert_true(rng_derive(1, 2) != ((uint64_t)draw.word[1] << 32 | draw.word[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(units_stay_below_one),
        cmocka_unit_test(below_covers_its_range),
        cmocka_unit_test(derived_seeds_differ_from_each_other_and_from_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
