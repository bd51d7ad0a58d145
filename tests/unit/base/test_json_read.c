/* test_json_read.c - the quick reader of JSON gives what jansson gives, or nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>

#include "runtime/base/json.h"
#include "runtime/base/json_read.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

static json_t *read_slowly(const char *text)
{
    return json_loadb(text, strlen(text), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static void what_is_valid_is_read_as_jansson_reads_it(void **state)
{
    static const char *const texts[] = {
        "null",
        " true ",
        "\r\n\t false\n",
        "0",
        "-0",
        "-0.0",
        "12",
        "-9223372036854775808",
        "9223372036854775807",
        "0.1",
        "1e2",
        "1E+2",
        "1.5e-3",
        "1e-400",
        "1.7976931348623157e308",
        "0.1234567890123456789012345678901234567890123456789",
        "\"\"",
        "\"a b\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e4\\u20AC\\ud83d\\ude00x\"",
        "\"\xc3\xa4\xf0\x9f\x98\x80\"",
        "\"\x7f\"",
        "[]",
        "[ ]",
        "{ }",
        "[1,[2,[3]],\"x\",null]",
        "{\"a\":1,\"b\":{\"a\":[{}]},\"\":2}",
        "{\"\\u0061b\":\"\\n\", \"\\n\":{\"\\t\":\"\\u0001\"}}",
        "{\"a\" : 1 , \"A\" : [ 1 , 2 ] }",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_t *got = (json_t *)json_read(texts[i], strlen(texts[i])),
               *want = read_slowly(texts[i]);
        char *a, *b;

        if (!got || !want || !json_equal(got, want))
            fail_msg("%s", texts[i]);
        a = json_dumps(got, JSON_ENCODE_ANY);
        b = json_dumps(want, JSON_ENCODE_ANY);
        assert_string_equal(a, b); /* the order of members, and -0.0 */
        free(a);
        free(b);
        json_decref(got);
        json_decref(want);
    }
}

static void what_is_not_valid_is_left_to_jansson(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "nulls",
        "True",
        "01",
        "-",
        "-a",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "0x10",
        "9223372036854775808",
        "-9223372036854775809",
        "1e400",
        "\"",
        "\"a",
        "\"a\n\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0000\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0061\"",
        "\"\\ude00\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "[1]x",
        "1 2",
        "{}}",
        "'a'",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        /* in a block of its own size, so that a read past the end is seen */
        size_t n = strlen(texts[i]);
        char *text = memcpy(xmalloc(n ? n : 1), texts[i], n);

        if (json_read(text, n) || read_slowly(texts[i]))
            fail_msg("%s", texts[i]);
        free(text);
    }
}

/* Rarely seen, and right all the same: jansson reads them. */
static void numbers_with_very_many_digits_are_left_to_jansson(void **state)
{
    static const char text[] =
        "[0.12345678901234567890123456789012345678901234567890123456789012345678901234567890]";
    struct json *v = fixture_json(text);

    (void)state;
    assert_null(json_read(text, strlen(text)));
    assert_true(jv_get_number(jv_at(v, 0), 0) == 0.12345678901234568);
    jv_unref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_valid_is_read_as_jansson_reads_it),
        cmocka_unit_test(what_is_not_valid_is_left_to_jansson),
        cmocka_unit_test(numbers_with_very_many_digits_are_left_to_jansson),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
