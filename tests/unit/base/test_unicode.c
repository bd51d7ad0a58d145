/* test_unicode.c - UTF-8 and NFC are what the standard says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <utf8proc.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/unicode.h"
#include "tests/support/check.h"

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

#define R "\xef\xbf\xbd" /* U+FFFD */

/* Table 3-8 and its neighbours in the Unicode standard, section 3.9; Python's errors="replace"
 * gives the same. */
static void each_maximal_subpart_is_replaced_by_one(void **state)
{
    static const struct {
        const char *bytes;
        const char *clean;
    } cases[] = {
        {"", ""},
        {"ok \xc3\xa4", "ok \xc3\xa4"},
        {"\xff", R},
        {"a\xe2\x82z", "a" R "z"},
        {"\xc3", R},
        {"\xe2\x82", R},
        {"\xe2\x82\xe2\x82\xac", R "\xe2\x82\xac"},
        {"\xed\xa0\x80", R R R},
        {"\xc0\x80", R R},
        {"\xf4\x90\x80\x80", R R R R},
        {"\xf0\x9f\x98", R},
        {"\xf0\x9f\x98" R, R R},
        {"\xf0\x9f\xf0\x9f", R R},
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", R R R R R R R R "A"},
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", R R R R R R R R "A"},
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", R R R R R "A" R R "B"},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A"},
    };
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        utf8_clean(cases[i].bytes, strlen(cases[i].bytes), &s);
        assert_string_equal(str_cstr(&s), cases[i].clean);
        /* The JSON writer and utf8_next replace as utf8_clean does. */
        str_clear(&s);
        str_put_json_string(&s, cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(s.len, strlen(cases[i].clean) + 2);
        assert_memory_equal(s.data + 1, cases[i].clean, s.len - 2);
        str_clear(&s);
        for (size_t at = 0; at < strlen(cases[i].bytes);)
            utf8_put(&s, utf8_next(cases[i].bytes, strlen(cases[i].bytes), &at));
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

static uint32_t draw(uint32_t *at)
{
    return rng_philox(7, ++*at, 0, 0, 0).word[0];
}

/* Characters that NFC moves: marks of many classes, pairs that compose, Hangul, ASCII between. */
static uint32_t some_character(uint32_t *r)
{
    static const uint32_t from[][2] = {{0x300, 0x36f},   {'a', 'z'},         {0xc0, 0x24f},
                                       {0x1100, 0x11ff}, {0xac00, 0xac40},   {0x591, 0x5c7},
                                       {0x900, 0x9ff},   {0x1e00, 0x1fff},   {0x3040, 0x30ff},
                                       {0xf900, 0xfaff}, {0x1d15e, 0x1d1c0}, {0x0, 0x10ffff}};
    size_t i = draw(r) % ARRAY_LEN(from);
    uint32_t c = from[i][0] + draw(r) % (from[i][1] - from[i][0] + 1);

    return c >= 0xd800 && c < 0xe000 ? 0x301 : c;
}

static void nfc_is_that_of_the_reference(void **state)
{
    uint32_t r = 0;
    struct str in = STR_INIT, out = STR_INIT;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = 1 + draw(&r) % (round % 100 == 0 ? 400 : 24);
        bool marks = round % 3 == 0;
        utf8proc_uint8_t *expected = NULL;
        utf8proc_ssize_t len;

        str_clear(&in);
        str_clear(&out);
        while (n-- > 0)
            utf8_put(&in, marks && draw(&r) % 8 ? 0x300 + draw(&r) % 0x70 : some_character(&r));
        assert_ok(utf8_nfc(in.data, in.len, &out, why));
        len = utf8proc_map((const utf8proc_uint8_t *)in.data, (utf8proc_ssize_t)in.len, &expected,
                           UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        assert_int_equal(len, out.len);
        assert_memory_equal(expected, out.data, out.len);
        free(expected);
    }
    str_deinit(&in);
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_prefixes),
        cmocka_unit_test(each_maximal_subpart_is_replaced_by_one),
        cmocka_unit_test(every_code_point_comes_back),
        cmocka_unit_test(widths),
        cmocka_unit_test(nfc),
        cmocka_unit_test(nfc_is_that_of_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
