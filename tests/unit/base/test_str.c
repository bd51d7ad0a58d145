/* test_str.c - strings grow to their maximum, and numbers read back as they were.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <float.h>
#include <math.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/str.h"
#include "tests/support/check.h"

static void grows_and_ends_in_nul(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    assert_string_equal(str_cstr(&s), "");
    for (int i = 0; i < 1000; i++) {
        str_putc(&s, 'a');
        str_append(&s, "bc", 2);
        str_puts(&s, "d");
        assert_int_equal(s.len, (size_t)4 * (size_t)(i + 1));
        assert_int_equal(s.data[s.len], '\0');
    }
    assert_true(str_ok(&s));
    assert_memory_equal(s.data, "abcdabcd", 8);
    str_clear(&s);
    assert_string_equal(str_cstr(&s), "");
    str_deinit(&s);
    str_deinit(&s);
}

static void stays_as_it_was_at_its_maximum(void **state)
{
    struct str s;

    (void)state;
    str_init(&s, 5);
    str_puts(&s, "12345");
    assert_true(str_ok(&s));
    str_putc(&s, '6');
    assert_false(str_ok(&s));
    assert_string_equal(str_cstr(&s), "12345");
    str_clear(&s);
    assert_true(str_ok(&s));
    str_puts(&s, "123");
    str_printf(&s, "%d", 456);
    assert_false(str_ok(&s));
    assert_string_equal(str_cstr(&s), "123");
    str_puts(&s, "4"); /* would fit, but what came before it is missing */
    assert_string_equal(str_cstr(&s), "123");
    str_deinit(&s);
}

static void no_memory_is_a_failure_not_an_end(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    mem_fail_after(1);
    str_puts(&s, "x");
    assert_false(str_ok(&s));
    assert_string_equal(str_cstr(&s), "");
    mem_fail_after(0);
    str_deinit(&s);
}

static void take_hands_over(void **state)
{
    struct str s = STR_INIT;
    char *text = str_take(&s);

    (void)state;
    assert_string_equal(text, "");
    free(text);
    str_puts(&s, "abc");
    text = str_take(&s);
    assert_string_equal(text, "abc");
    assert_int_equal(s.len, 0);
    str_puts(&s, "d");
    assert_string_equal(str_cstr(&s), "d");
    free(text);
    str_deinit(&s);
}

static void printf_of_any_length(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    for (int width = 1; width < 300; width += 13) {
        size_t before = s.len;

        str_printf(&s, "%*d", width, 7);
        assert_int_equal(s.len, before + (size_t)width);
        assert_int_equal(s.data[s.len - 1], '7');
        assert_int_equal(s.data[s.len], '\0');
    }
    str_deinit(&s);
}

static void integers(void **state)
{
    static const int64_t cases[] = {0,         1,          9,         10,        99,
                                    100,       12345,      -1,        -10,       INT64_MAX,
                                    INT64_MIN, 1000000000, INT32_MIN, UINT32_MAX};
    struct str s = STR_INIT;
    struct str expected = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        str_clear(&expected);
        str_put_i64(&s, cases[i]);
        str_printf(&expected, "%lld", (long long)cases[i]);
        assert_string_equal(str_cstr(&s), str_cstr(&expected));
    }
    str_deinit(&s);
    str_deinit(&expected);
}

static void doubles_are_short(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {-1.0, "-1.0"},
                 {0.1, "0.1"},
                 {0.3, "0.3"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e15, "1000000000000000.0"},
                 {9007199254740993.0, "9007199254740992.0"},
                 {1e16, "1e+16"},
                 {1e-5, "1e-05"},
                 {1e100, "1e+100"},
                 {3.141592653589793, "3.141592653589793"},
                 {5e-324, "5e-324"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {(double)INFINITY, "null"},
                 {(double)-INFINITY, "null"},
                 {(double)NAN, "null"}};
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        str_put_double(&s, cases[i].v);
        assert_string_equal(str_cstr(&s), cases[i].text);
    }
    str_deinit(&s);
}

static void floats_are_short(void **state)
{
    static const struct {
        float v;
        const char *text;
    } cases[] = {{0.1F, "0.1"},
                 {1.0F, "1.0"},
                 {16777216.0F, "16777216.0"},
                 {0.3F, "0.3"},
                 {1e-10F, "1e-10"},
                 {3.4028235e38F, "3.4028235e+38"},
                 {1e-45F, "1e-45"},
                 {-2.5F, "-2.5"},
                 {(float)NAN, "null"},
                 {0.33333334F, "0.33333334"}};
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        str_put_float(&s, cases[i].v);
        assert_string_equal(str_cstr(&s), cases[i].text);
    }
    str_deinit(&s);
}

/* Any bits that are a number come back as they were. */
static void random_numbers_read_back(void **state)
{
    struct str s = STR_INIT;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        struct rng_block b = rng_philox(42, i, 0, 0, 0);
        uint64_t bits = (uint64_t)b.word[0] << 32 | b.word[1];
        double d;
        float f;

        memcpy(&d, &bits, sizeof(d));
        memcpy(&f, &b.word[2], sizeof(f));
        if (isfinite(d)) {
            str_clear(&s);
            str_put_double(&s, d);
            assert_true(strtod(str_cstr(&s), NULL) == d);
        }
        if (isfinite(f)) {
            str_clear(&s);
            str_put_float(&s, f);
            assert_true(strtof(str_cstr(&s), NULL) == f);
        }
    }
    str_deinit(&s);
}

static void json_strings(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\xc3\xa4/\xf0\x9f\x98\x80", 7, "\"\xc3\xa4/\xf0\x9f\x98\x80\""},
        {"a\xff\xfe"
         "b",
         4,
         "\"a\xef\xbf\xbd\xef\xbf\xbd"
         "b\""},
        {"\xc3", 1, "\"\xef\xbf\xbd\""},
        {"\xef\xbf\xbd", 3, "\"\xef\xbf\xbd\""},
    };
    struct str s = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&s);
        str_put_json_string(&s, cases[i].bytes, cases[i].n);
        assert_string_equal(str_cstr(&s), cases[i].text);
    }
    str_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_ends_in_nul),
        cmocka_unit_test(stays_as_it_was_at_its_maximum),
        cmocka_unit_test(no_memory_is_a_failure_not_an_end),
        cmocka_unit_test(take_hands_over),
        cmocka_unit_test(printf_of_any_length),
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles_are_short),
        cmocka_unit_test(floats_are_short),
        cmocka_unit_test(random_numbers_read_back),
        cmocka_unit_test(json_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
