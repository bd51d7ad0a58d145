/* test_param_headers.c - x-mcp-header: which annotations are valid, and what is sent for them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/param_headers.h"
#include "mcp/rpc/header_text.h"
#include "tests/support/check.h"

#define A(name) "\"x-mcp-header\":" name

static struct json_view view(const char *text)
{
    return json_view_of(text, strlen(text));
}

static void annotations_are_checked(void **state)
{
    static const struct {
        const char *schema;
        bool is_valid;
    } cases[] = {
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"Name\"") "}}}", true},
        {"{\"properties\":{\"a\":{\"type\":\"integer\"," A("\"Name\"") "}}}", true},
        {"{\"properties\":{\"a\":{\"type\":\"boolean\"," A("\"Name\"") "}}}", true},
        {"{\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
         "\"string\"," A("\"N\"") "}}}}}",
         true},
        {"{\"properties\":{\""
         "x-mcp-header"
         "\":{\"type\":\"string\"}}}",
         true}, /* a name */
        {"{\"properties\":{\"a\":{\"type\":\"string\",\"default\":{" A("7") "}}}}",
         true}, /* data */
        {"{\"properties\":{\"a\":{\"type\":\"number\"," A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"object\"," A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"array\"," A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"null\"," A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]," A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{" A("\"Name\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"a b\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"a:\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"\\u00e9\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("\"a\\r\\nb\"") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A("7") "}}}", false},
        {"{\"properties\":{\"a\":{\"type\":\"string\"," A(
             "\"N\"") "},\"b\":{\"type\":\"string\"," A("\"n\"") "}}}",
         false},
        {"{" A("\"Root\"") ",\"type\":\"object\"}", false},
        {"{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\"," A(
             "\"N\"") "}}}}",
         false},
        {"{\"oneOf\":[{\"properties\":{\"a\":{\"type\":\"string\"," A("\"N\"") "}}}]}", false},
        {"{\"$defs\":{\"d\":{\"type\":\"string\"," A("\"N\"") "}}}", false},
        {"{\"additionalProperties\":{\"type\":\"string\"," A("\"N\"") "}}", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct param_headers *h = param_headers_new();
        struct str list = STR_INIT, out = STR_INIT;

        str_printf(&list,
                   "{\"tools\":[{\"name\":\"t\",\"inputSchema\":%s},{\"name\":\"u\"}],\"ttlMs\":1}",
                   cases[i].schema);
        if (param_headers_take(h, json_view_str(&list), &out) != !cases[i].is_valid)
            fail_msg("%s", cases[i].schema);
        assert_int_equal(param_headers_refuses(h, view("\"t\"")), !cases[i].is_valid);
        if (!cases[i].is_valid)
            assert_string_equal(str_cstr(&out), "{\"ttlMs\":1,\"tools\":[{\"name\":\"u\"}]}");
        str_deinit(&list);
        str_deinit(&out);
        param_headers_free(h);
    }
}

static void values_are_sent_as_they_are_or_wrapped(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"\"plain text\"", "plain text"},
        {"\"\"", "=?base64?"
                 "?="},
        {"\"tab\\there\"", "=?base64?dGFiCWhlcmU=?="},
        {"\"a\\r\\nb\"", "=?base64?YQ0KYg==?="},
        {"-7", "-7"},
        {"3.0", "3.0"},
        {"true", "true"},
        {"null", NULL},
        {"{}", NULL},
        {"[1]", NULL},
    };
    static const char list[] = "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"properties\":{"
                               "\"k\\u00e9y\":{\"type\":\"string\"," A("\"Name\"") "}}}}]}";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct param_headers *h = param_headers_new();
        struct http_fields fields;
        struct str arguments = STR_INIT, out = STR_INIT;

        http_fields_init(&fields);
        assert_false(param_headers_take(h, view(list), &out));
        str_printf(&arguments, "{\"k\xc3\xa9y\":%s}", cases[i].value);
        assert_ok(param_headers_put(h, view("\"t\""), json_view_str(&arguments), &fields, why));
        assert_int_equal(fields.n, cases[i].expected != NULL);
        if (cases[i].expected) {
            assert_string_equal(http_fields_list(&fields)[0].name, "mcp-param-name");
            assert_string_equal(http_fields_list(&fields)[0].value, cases[i].expected);
        }
        http_fields_deinit(&fields);
        str_deinit(&arguments);
        str_deinit(&out);
        param_headers_free(h);
    }
}

/* A list that is read again replaces what was known of its tools. */
static void a_tool_that_lost_its_annotation_has_no_field(void **state)
{
    struct param_headers *h = param_headers_new();
    struct http_fields fields;
    struct str out = STR_INIT;

    (void)state;
    http_fields_init(&fields);
    (void)param_headers_take(
        h,
        view("{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"properties\":{"
             "\"a\":{\"type\":\"string\"," A(
                 "\"N\"") "}}}},{\"name\":\"u\","
                          "\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\"," A(
                              "\"N\"") "}}}}]}"),
        &out);
    (void)param_headers_take(
        h,
        view("{\"tools\":[{\"name\":\"t\"},{\"name\":\"u\",\"inputSchema\":{"
             "\"properties\":{\"a\":{\"type\":\"string\"," A("\"N\"") "}}}}]}"),
        &out);
    assert_ok(param_headers_put(h, view("\"t\""), view("{\"a\":\"x\"}"), &fields, why));
    assert_int_equal(fields.n, 0);
    assert_ok(param_headers_put(h, view("\"u\""), view("{\"a\":\"x\"}"), &fields, why));
    assert_int_equal(fields.n, 1);
    http_fields_deinit(&fields);
    str_deinit(&out);
    param_headers_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_are_checked),
        cmocka_unit_test(values_are_sent_as_they_are_or_wrapped),
        cmocka_unit_test(a_tool_that_lost_its_annotation_has_no_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
