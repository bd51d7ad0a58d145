/* test_json_span.c - where the parts of a JSON text are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_span.h"
#include "tests/support/check.h"

static const char text[] =
    "\n {\"a\" : [1, \"x,]\\\"\", {\"b\":{}}],\t\"q\\u0041\": -2.5e3, \"\":null}";

static void assert_part(const char *bytes, size_t from, size_t to, const char *expected)
{
    assert_int_equal(to - from, strlen(expected));
    assert_memory_equal(bytes + from, expected, to - from);
}

static void test_members_and_items_have_their_bytes(void **state)
{
    static const char *const values[] = {"[1, \"x,]\\\"\", {\"b\":{}}]", "-2.5e3", "null"};
    static const char *const keys[] = {"a", "qA", ""};
    static const char *const items[] = {"1", "\"x,]\\\"\"", "{\"b\":{}}"};
    size_t n = strlen(text), k = 0;
    struct json_spans members = json_spans_of(text, n, 0), parts;
    struct json_span span, item;

    (void)state;
    for (; json_spans_next(&members, &span); k++) {
        assert_part(text, span.value, span.end, values[k]);
        assert_true(json_span_key_is(text, &span, keys[k]));
        assert_false(json_span_key_is(text, &span, "other"));
        assert_int_equal(text[span.key], '"');
    }
    assert_int_equal(k, 3);
    assert_true(json_span_get(text, n, 0, "a", &span));
    parts = json_spans_of(text, n, span.value);
    for (k = 0; json_spans_next(&parts, &item); k++)
        assert_part(text, item.value, item.end, items[k]);
    assert_int_equal(k, 3);
    assert_true(json_span_get(text, n, 0, "qA", &span));
    assert_part(text, span.key, span.key + 9, "\"q\\u0041\"");
    assert_false(json_span_get(text, n, 0, "b", &span)); /* not at this level */
}

static void test_other_texts_end_inside(void **state)
{
    static const char *const cases[] = {
        "",  " ",         "{", "[",  "{\"a",  "{\"a\"", "{\"a\":",  "{\"a\":[", "[1,",     "[\"\\",
        "3", "{\"a\" 1}", "]", "[}", "{a:1}", "[[[[",   "{\"a\":}", "[,,",      "[\"a\\\""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i]);
        char *copy =
            malloc(n ? n : 1); /* of exactly this size: the sanitizer finds a read past it */
        struct json_spans s;
        struct json_span span;

        memcpy(copy, cases[i], n);
        s = json_spans_of(copy, n, 0);
        while (json_spans_next(&s, &span))
            assert_true(span.key <= span.value && span.value < span.end && span.end <= n);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_and_items_have_their_bytes),
        cmocka_unit_test(test_other_texts_end_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
