/* test_text.c - numbers are taken whole or not at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "tests/support/check.h"

static void signed_numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t v;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"42", true, 42},
                 {"-42", true, -42},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"99999999999999999999999", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {"+1", false, 0},
                 {" 1", false, 0},
                 {"1 ", false, 0},
                 {"1x", false, 0},
                 {"0x10", false, 0},
                 {"--1", false, 0},
                 {"1.0", false, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t v = 0;

        assert_int_equal(text_to_i64(cases[i].text, &v), cases[i].ok);
        assert_int_equal(v, cases[i].v);
    }
}

static void unsigned_numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } cases[] = {{"0", true, 0},
                 {"18446744073709551615", true, UINT64_MAX},
                 {"18446744073709551616", false, 0},
                 {"0xff", true, 255},
                 {"0XfF", true, 255},
                 {"0xffffffffffffffff", true, UINT64_MAX},
                 {"0x10000000000000000", false, 0},
                 {"0x", false, 0},
                 {"ff", false, 0},
                 {"-1", false, 0},
                 {"", false, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t v = 0;

        assert_int_equal(text_to_u64(cases[i].text, &v), cases[i].ok);
        assert_true(v == cases[i].v);
    }
}

static void doubles(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        double v;
    } cases[] = {
        {"0", true, 0},    {"1.5", true, 1.5},  {"-2e-3", true, -2e-3}, {".5", true, 0.5},
        {"5.", true, 5.0}, {"1E3", true, 1000}, {"1e-400", true, 0},    {"1e400", false, 0},
        {"inf", false, 0}, {"nan", false, 0},   {"0x1p3", false, 0},    {"", false, 0},
        {"-", false, 0},   {"1,5", false, 0},   {" 1", false, 0},       {"1 ", false, 0},
        {"+1", false, 0},  {"1e", false, 0},    {"1.2.3", false, 0},    {"e5", false, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double v = 0;

        if (text_to_double(cases[i].text, &v) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        assert_true(v == cases[i].v);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } cases[] = {{"250ms", true, 250},
                 {"30s", true, 30000},
                 {"10m", true, 600000},
                 {"2h", true, 7200000},
                 {"1d", true, 86400000},
                 {"5", false, 0},
                 {"0", false, 0},
                 {"0s", true, 0},
                 {"1.5s", true, 1500},
                 {"0.0001s", true, 0},
                 {"", false, 0},
                 {"s", false, 0},
                 {"-1s", false, 0},
                 {"1 s", false, 0},
                 {"1S", false, 0},
                 {"1w", false, 0},
                 {"1e3", false, 0},
                 {"1.2.3s", false, 0},
                 {"99999999999999d", false, 0},
                 {"1h30m", false, 0},
                 {".", false, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = 0;

        if (text_to_duration_ms(cases[i].text, &ms) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t bytes;
    } cases[] = {{"64", true, 64},
                 {"64B", true, 64},
                 {"64k", true, 65536},
                 {"64K", true, 65536},
                 {"64MiB", true, (uint64_t)64 << 20},
                 {"2G", true, (uint64_t)2 << 30},
                 {"2GB", true, (uint64_t)2 << 30},
                 {"1T", true, (uint64_t)1 << 40},
                 {"16777215T", true, (uint64_t)16777215 << 40},
                 {"16777216T", false, 0},
                 {"", false, 0},
                 {"k", false, 0},
                 {"1.5G", false, 0},
                 {"64iB", false, 0},
                 {"64kk", false, 0},
                 {"64 k", false, 0},
                 {"-1k", false, 0},
                 {"64Mi", false, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t bytes = 0;

        if (text_to_bytes(cases[i].text, &bytes) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (cases[i].ok)
            assert_true(bytes == cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_numbers), cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(doubles),        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
