/* test_mirror.c - which annotations of a schema count, and which make a tool invalid.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/mirror.h"
#include "tests/support/check.h"

#define A(type, name) "{\"type\":\"" type "\",\"x-mcp-header\":\"" name "\"}"
#define P(members)    "{\"properties\":{" members "}}"

static const struct {
    const char *schema;
    const char *names; /* of the valid ones, a blank after each; NULL: the tool is not valid */
} rows[] = {
    {"{}", ""},
    {P("\"a\":{\"type\":\"string\"}"), ""},
    {P("\"a\":{\"const\":\"x-mcp-header\"}"), ""},
    {P("\"a\":{\"default\":{\"x-mcp-header\":\"A\"}}"), ""},
    {P("\"x-mcp-header\":{\"type\":\"string\"}"), ""},
    {P("\"a\":" A("string", "Region")), "Region "},
    {P("\"a\":" A("integer", "N") ",\"b\":" A("boolean", "B")), "N B "},
    {P("\"a\":" P("\"b\":" A("string", "Deep"))), "Deep "},
    {P("\"a\":{\"type\":[\"string\",\"integer\"],\"x-mcp-header\":\"A\"}"), "A "},
    {P("\"a\":" A("string", "")), NULL},
    {P("\"a\":" A("string", "no blank")), NULL},
    {P("\"a\":" A("string", "caf\xc3\xa9")), NULL},
    {P("\"a\":" A("string", "a:b")), NULL},
    {P("\"a\":" A("string", "Same") ",\"b\":" A("string", "sAME")), NULL},
    {P("\"a\":" A("number", "A")), NULL},
    {P("\"a\":" A("object", "A")), NULL},
    {P("\"a\":" A("null", "A")), NULL},
    {P("\"a\":{\"x-mcp-header\":\"A\"}"), NULL},
    {P("\"a\":{\"type\":\"string\",\"x-mcp-header\":5}"), NULL},
    {P("\"a\":{\"items\":" A("string", "A") "}"), NULL},
    {"{\"oneOf\":[" P("\"a\":" A("string", "A")) "]}", NULL},
    {"{\"$defs\":{\"d\":" A("string", "A") "}}", NULL},
    {A("string", "A"), NULL},
};

static void annotations_count_only_below_properties(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mirror *m = mirror_read(json_view_of(rows[i].schema, strlen(rows[i].schema)));
        struct str names = STR_INIT;

        for (size_t k = 0; m && k < mirror_size(m); k++)
            str_printf(&names, "%s ", mirror_name(m, k));
        if ((rows[i].names == NULL) != (m && !mirror_is_valid(m)) ||
            (rows[i].names && strcmp(rows[i].names, str_cstr(&names)) != 0))
            fail_msg("%s: %s", rows[i].schema, str_cstr(&names));
        str_deinit(&names);
        mirror_free(m);
    }
}

static void values_are_found_at_their_path(void **state)
{
    static const char schema[] =
        P("\"a\":" A("string", "A") ",\"b\":" P("\"c\":" A("integer", "C")));
    static const char arguments[] = "{\"b\":{\"c\":7,\"a\":1},\"a\":null}";
    struct mirror *m = mirror_read(json_view_of(schema, strlen(schema)));
    struct json_view v = json_view_of(arguments, strlen(arguments));

    (void)state;
    assert_int_equal(mirror_size(m), 2);
    assert_null(mirror_value(m, 0, v).at);
    assert_int_equal(json_view_int(mirror_value(m, 1, v), 0), 7);
    assert_null(mirror_value(m, 1, JSON_VIEW_NONE).at);
    mirror_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(annotations_count_only_below_properties),
        cmocka_unit_test(values_are_found_at_their_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
