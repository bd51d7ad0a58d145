/* test_trace_span.c - a span in OTLP/JSON, read back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/trace/trace_span.h"
#include "tests/support/check.h"

static struct trace_span a_span(void)
{
    struct trace_span s = {.name = "chat \"m\"\n",
                           .kind = TRACE_CLIENT,
                           .start_us = 1700000000123456,
                           .end_us = 1700000001000000};

    assert_true(
        trace_context_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &s.context));
    return s;
}

static struct json *written(const struct trace_span *s)
{
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    struct json *doc = NULL;

    trace_span_write(s, &out);
    assert_int_equal(jv_parse(str_cstr(&out), out.len, "span", &doc, &err), STATUS_OK);
    str_deinit(&out);
    return doc;
}

#define assert_member(o, key, text) assert_string_equal(jv_get_string(jv_get(o, key), ""), text)

static void ids_are_hexadecimal_and_times_are_decimal_text(void **state)
{
    struct trace_span s = a_span();
    struct json *doc = written(&s);

    (void)state;
    assert_member(doc, "traceId", "0af7651916cd43dd8448eb211c80319c");
    assert_member(doc, "spanId", "b7ad6b7169203331");
    assert_null(jv_get(doc, "parentSpanId"));
    assert_member(doc, "name", "chat \"m\"\n");
    assert_int_equal(jv_get_int(jv_get(doc, "kind"), 0), 3);
    assert_member(doc, "startTimeUnixNano", "1700000000123456000");
    assert_member(doc, "endTimeUnixNano", "1700000001000000000");
    assert_int_equal(jv_size(jv_get(doc, "status")), 0);
    jv_unref(doc);
    s.parent[7] = 1;
    s.failed = true;
    s.end_us = s.start_us - 1; /* a clock that was set back */
    doc = written(&s);
    assert_member(doc, "parentSpanId", "0000000000000001");
    assert_member(doc, "endTimeUnixNano", "1700000000123456000");
    assert_int_equal(jv_get_int(jv_get(jv_get(doc, "status"), "code"), 0), 2);
    assert_null(jv_get(jv_get(doc, "status"), "message"));
    jv_unref(doc);
}

static void attributes_have_their_types(void **state)
{
    const struct trace_attribute a[] = {
        {.key = "t", .text = "x\x01\xff"},
        {.key = "l", .type = TRACE_LIST, .text = "stop"},
        {.key = "i", .type = TRACE_INT, .number = INT64_MIN},
        {.key = "r", .type = TRACE_REAL, .real = 0.25},
    };
    struct trace_span s = a_span();
    struct json *doc, *list, *v;

    (void)state;
    s.attribute = a;
    s.n_attributes = (int32_t)ARRAY_LEN(a);
    s.failed = true;
    s.message = "why";
    doc = written(&s);
    list = jv_get(doc, "attributes");
    assert_int_equal(jv_size(list), 4);
    assert_member(jv_at(list, 0), "key", "t");
    assert_member(jv_get(jv_at(list, 0), "value"), "stringValue", "x\x01\xef\xbf\xbd");
    v = jv_get(jv_get(jv_get(jv_at(list, 1), "value"), "arrayValue"), "values");
    assert_member(jv_at(v, 0), "stringValue", "stop");
    assert_member(jv_get(jv_at(list, 2), "value"), "intValue", "-9223372036854775808");
    assert_true(jv_get_number(jv_get(jv_get(jv_at(list, 3), "value"), "doubleValue"), 0) == 0.25);
    assert_member(jv_get(doc, "status"), "message", "why");
    jv_unref(doc);
}

static void a_long_text_is_cut_at_a_character(void **state)
{
    struct trace_attribute a = {.key = "t"};
    struct trace_span s = a_span();
    char *text = xmalloc(2 * TRACE_TEXT_MAX);
    struct json *doc, *v;

    (void)state;
    memset(text, 'a', 2 * TRACE_TEXT_MAX);
    memcpy(text + TRACE_TEXT_MAX - 1, "\xc3\xa4", 2);
    text[2 * TRACE_TEXT_MAX - 1] = 0;
    a.text = text;
    s.attribute = &a;
    s.n_attributes = 1;
    doc = written(&s);
    v = jv_get(jv_get(jv_at(jv_get(doc, "attributes"), 0), "value"), "stringValue");
    assert_int_equal(jv_string_len(v), TRACE_TEXT_MAX - 1);
    jv_unref(doc);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_hexadecimal_and_times_are_decimal_text),
        cmocka_unit_test(attributes_have_their_types),
        cmocka_unit_test(a_long_text_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
