/* test_text.c - UTF-8 is judged by the standard, and numbers are taken whole or not at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"

static void valid_prefixes(void **state)
{
    static const struct {
        const char *bytes;
        size_t valid; /* of the whole string */
    } cases[] = {
        {"", 0},
        {"plain ascii, longer than eight bytes", 36},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xed\x9f\xbf\xee\x80\x80", 6},
        {"a\x80", 1},
        {"a\xc3", 1},
        {"aaaaaaaa\xe2\x82", 8},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xe2\x28\xa1", 0},
        {"\xf0\x9f\x98 ", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_valid_prefix(cases[i].bytes, strlen(cases[i].bytes)), cases[i].valid);
}

static void invalid_bytes_are_replaced_one_by_one(void **state)
{
    static const struct {
        const char *bytes;
        const char *clean;
    } cases[] = {{"", ""},
                 {"ok \xc3\xa4", "ok \xc3\xa4"},
                 {"\xff", "\xef\xbf\xbd"},
                 {"a\xe2\x82z", "a\xef\xbf\xbd\xef\xbf\xbdz"},
                 {"\xc3", "\xef\xbf\xbd"}};
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        utf8_clean(cases[i].bytes, strlen(cases[i].bytes), &s);
        assert_string_equal(str_cstr(&s), cases[i].clean);
    }
    str_deinit(&s);
}

static void every_code_point_comes_back(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 61) {
        size_t i = 0;
        uint32_t expected = c >= 0xd800 && c <= 0xdfff ? 0xfffd : c;

        str_clear(&s);
        utf8_put(&s, c);
        assert_int_equal(utf8_valid_prefix(s.data, s.len), s.len);
        assert_int_equal(utf8_next(s.data, s.len, &i), expected);
        assert_int_equal(i, s.len);
    }
    str_clear(&s);
    utf8_put(&s, 0x110000);
    assert_string_equal(str_cstr(&s), "\xef\xbf\xbd");
    str_deinit(&s);
}

static void widths(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {"\xc3\xa4", 1},
                 {"e\xcc\x81", 1},
                 {"\xe6\xbc\xa2\xe5\xad\x97", 4},
                 {"\xf0\x9f\x98\x80", 2},
                 {"a\nb", 2}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_width(cases[i].text, strlen(cases[i].text)), cases[i].columns);
}

static void nfc(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {{"", ""},
                 {"ascii", "ascii"},
                 {"e\xcc\x81", "\xc3\xa9"},
                 {"\xc3\xa9", "\xc3\xa9"},
                 {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"},
                 {"\xe2\x84\xa6", "\xce\xa9"},
                 {"\xef\xac\x81", "\xef\xac\x81"}}; /* a ligature: NFC keeps it */
    struct str s = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        assert_int_equal(utf8_nfc(cases[i].in, strlen(cases[i].in), &s, &err), STATUS_OK);
        assert_string_equal(str_cstr(&s), cases[i].out);
    }
    str_clear(&s);
    assert_int_equal(utf8_nfc("\0\xc3\xa9", 3, &s, &err), STATUS_OK);
    assert_int_equal(s.len, 3);
    assert_int_equal(utf8_nfc("\xc3", 1, &s, &err), STATUS_INVALID);
    str_deinit(&s);
}

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
    } cases[] = {{"250ms", true, 250},  {"30s", true, 30000},   {"10m", true, 600000},
                 {"2h", true, 7200000}, {"1d", true, 86400000}, {"5", true, 5000},
                 {"0", true, 0},        {"1.5s", true, 1500},   {"0.0001s", true, 0},
                 {"", false, 0},        {"s", false, 0},        {"-1s", false, 0},
                 {"1 s", false, 0},     {"1S", false, 0},       {"1w", false, 0},
                 {"1e3", false, 0},     {"1.2.3s", false, 0},   {"99999999999999d", false, 0},
                 {"1h30m", false, 0},   {".", false, 0}};

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
        cmocka_unit_test(valid_prefixes),
        cmocka_unit_test(invalid_bytes_are_replaced_one_by_one),
        cmocka_unit_test(every_code_point_comes_back),
        cmocka_unit_test(widths),
        cmocka_unit_test(nfc),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
