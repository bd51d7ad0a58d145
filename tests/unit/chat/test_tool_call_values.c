/* test_tool_call_values.c - values of the XML grammar: the end and the type of each.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/tool_calls.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

/* The calls of a reply as JSON: {"name": arguments, or the error's text}, in a list. */
static char *calls_of(const char *tools_text, const char *text)
{
    struct json *tools = NULL, *list = jv_array();
    struct parsed_reply r;
    char *out;

    assert_ok(jv_parse(tools_text, strlen(tools_text), "tools", &tools, why));
    assert_ok(tool_calls_parse(TOOL_CALLS_XML, text, strlen(text), false, false, tools, &r, why));
    for (int32_t i = 0; i < r.n_calls; i++) {
        struct json *one = jv_object();

        if (r.call[i].error)
            jv_set_string(one, r.call[i].name, r.call[i].error);
        else
            jv_set_adopt(one, r.call[i].name, jv_ref(r.call[i].arguments));
        jv_append_adopt(list, one);
    }
    out = jv_dump(list);
    parsed_reply_deinit(&r);
    jv_unref(list);
    jv_unref(tools);
    return out;
}

#define PUT_TOOL                                                                                   \
    "[{\"name\":\"put\",\"parameters\":{\"properties\":{\"s\":{\"type\":\"string\"},"              \
    "\"n\":{\"type\":\"integer\"},\"m\":{\"type\":\"integer\"}}}},{\"name\":\"get\"}]"
#define CALL(inside) "<tool_call>\n<function=put>\n" inside "</function>\n</tool_call>"
#define ARG(k, v)    "<parameter=" k ">\n" v "\n</parameter>\n"

/* Right values, or an error that names the parameter: never the next parameter in a value. */
static void test_tags_that_are_missing_or_wrong(void **state)
{
    static const struct {
        const char *text, *want; /* all calls, or a part of the error */
    } cases[] = {
        {CALL("<parameter=s>\nabc\n<parameter=n>\n5\n</parameter>\n" ARG("m", "6")), "\\\"s\\\""},
        {CALL("<parameter=s>abc<parameter=n>5</parameter><parameter=m>6</parameter>"), "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n<parameter=other>\n5\n</parameter>\n" ARG("m", "6")),
         "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n</parameter\n" ARG("n", "5")), "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n</s>\n" ARG("n", "5")), "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n</param>\n" ARG("n", "5")), "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n</parameter=s>\n" ARG("n", "5")), "\\\"s\\\""},
        {CALL("<parameter=s>\nabc\n</function>\n" ARG("n", "5")), "\\\"s\\\""},
        {CALL(ARG("s", "abc") "<parameter=n>\n5\n"), "\\\"n\\\""},
        {CALL("<parameter=s>abc</parameter>\n<param=n>5</param>\n" ARG("m", "6")), "\\\"s\\\""},
        {CALL("<parameter=s>abc</parameter>\n<parameter name=\"n\">5</parameter>\n"), "not closed"},
        {CALL("<parameter name=\"n\">5</parameter>\n"), "not closed by </function>"},
        {CALL("<parameter=s>abc<parameter name=\"n\">5</parameter>\n"), "\\\"s\\\""},
        {"<tool_call><function=put>" ARG("n", "5") "</tool_call></function>",
         "not closed by </function>"},
        /* ... of the call before: the next call is read on its own */
        {"<tool_call><function=put><parameter=s>abc</function></tool_call>\n" CALL(ARG("s", "x")),
         "{\"put\":{\"s\":\"x\"}}]"},
        {"<tool_call><function=put><parameter=s>abc</tool_call>\n" CALL(ARG("s", "x")),
         "{\"put\":{\"s\":\"x\"}}]"},
        {"<tool_call><function=put><parameter=s>abc\n" CALL(ARG("s", "x")),
         "{\"put\":{\"s\":\"x\"}}]"},
        {"<function=put><parameter=s>abc</function> and <function=put>" ARG("s", "x") "</function>",
         "{\"put\":{\"s\":\"x\"}}]"},
        {"<tool_call><function=put>" ARG("s", "y") "</function>\n" CALL(ARG("s", "x")),
         "{\"put\":{\"s\":\"x\"}}]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = calls_of(PUT_TOOL, cases[i].text);

        if (!strstr(got, cases[i].want) || strstr(got, "\"s\":\"abc") ||
            (!strstr(got, "not closed by") && !strstr(got, "After </function>")))
            fail_msg("case %zu: %s", i, got);
        free(got);
    }
}

/* Tags in pairs, and tags that are only text, stay in the value. */
static void test_values_that_hold_tags(void **state)
{
    static const char *const values[] = {
        "see:\n<parameter=n>\n5\n</parameter>\nand so on",
        "<parameter=n>\n5\n</parameter>",
        "<parameter=n>\n5\n</parameter>\n<parameter=m>\n6\n</parameter>",
        "<tool_call>\n<function=get>\n<parameter=q>\n1\n</parameter>\n</function>\n</tool_call>",
        "x <tool_call><function=put><parameter=s>1</parameter></function></tool_call> y",
        "#define OPEN \"<parameter=\"\n",
        "write <parameter=NAME> for each",
        "a </parameter> in between",
        "the end tags are </function> and </tool_call>, as said",
        "<plugin>\n <parameter name=\"a\">x</parameter>\n <parameter "
        "name=\"b\">y</parameter>\n</plugin>",
        "<bean><parameter name=\"a\" value=\"b\"/></bean>",
        "<function=unknown> is a word",
        "<think>not a thought</think>",
        "if (a < b && c > d) { return x<y>(); }",
        "",
        "\n\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct json *want = jv_array(), *one = jv_object(), *arguments = jv_object();
        struct str text = STR_INIT;
        char *got, *wanted;

        str_printf(&text, CALL("<parameter=s>\n%s\n</parameter>\n" ARG("n", "7")), values[i]);
        jv_set_string(arguments, "s", values[i]);
        jv_set_int(arguments, "n", 7);
        jv_set_adopt(one, "put", arguments);
        jv_append_adopt(want, one);
        wanted = jv_dump(want);
        got = calls_of(PUT_TOOL, text.data);
        assert_string_equal(got, wanted);
        free(got);
        free(wanted);
        jv_unref(want);
        str_deinit(&text);
    }
}

/* One parameter "v" with this schema beside $defs, a text, and the value as JSON. */
static void test_kinds_by_schema(void **state)
{
    static const struct {
        const char *schema, *text, *value;
    } cases[] = {
        {"{\"enum\":[1,2,3]}", "2", "2"},
        {"{\"enum\":[true,\"auto\"]}", "True", "true"},
        {"{\"enum\":[true,\"auto\"]}", "auto", "\"auto\""},
        {"{\"enum\":[\"1\",2]}", "1", "\"1\""},
        {"{\"enum\":[\"1\",2]}", "2", "2"},
        {"{\"enum\":[\"a\",\"b\"]}", "7", "\"7\""},
        {"{\"enum\":[1,2]}", "many", "\"many\""},
        {"{\"enum\":[0.5,1.5]}", "0.5", "0.5"},
        {"{\"enum\":[null,\"x\"]}", "null", "null"},
        {"{\"type\":[\"integer\",\"string\"],\"enum\":[\"7\",8]}", "7", "\"7\""},
        {"{\"const\":5}", "5", "5"},
        {"{\"const\":\"5\"}", "5", "\"5\""},
        {"{\"$ref\":\"#/$defs/count\"}", "12", "12"},
        {"{\"$ref\":\"#/$defs/point\"}", "{\"x\": 1}", "{\"x\":1}"},
        {"{\"$ref\":\"#/$defs/again\"}", "12", "12"},
        {"{\"$ref\":\"#/$defs/a~1b\"}", "false", "false"},
        {"{\"$ref\":\"#/$defs/color\"}", "red", "\"red\""},
        {"{\"$ref\":\"#/$defs/circle\"}", "1", "\"1\""},
        {"{\"$ref\":\"#/$defs/tree\"}", "1", "1"},
        {"{\"$ref\":\"#/nowhere\"}", "1", "\"1\""},
        {"{\"$ref\":\"http://example.org/x\"}", "1", "\"1\""},
        {"{\"anyOf\":[{\"$ref\":\"#/$defs/count\"},{\"type\":\"null\"}]}", "12", "12"},
        {"{\"anyOf\":[{\"$ref\":\"#/$defs/count\"},{\"type\":\"null\"}]}", "null", "null"},
        {"{\"oneOf\":[{\"enum\":[1]},{\"enum\":[\"off\"]}]}", "1", "1"},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/count\"},{\"minimum\":0}]}", "12", "12"},
        {"{\"anyOf\":[{\"anyOf\":[{\"type\":\"integer\"}]}]}", "12", "12"},
        {"{}", "12", "\"12\""},
        {"true", "12", "\"12\""},
        {"{\"description\":\"anything\"}", "{\"a\":1}", "\"{\\\"a\\\":1}\""},
        {"{\"type\":\"integer\"}", "\r\n25\r\n", "25"},
        {"{\"type\":\"string\"}", "\r\na\r\nb\r\n", "\"a\\r\\nb\""},
        {"{\"type\":\"string\"}", "\na\n\r\n", "\"a\\n\""},
        {"{\"type\":\"string\"}", "\r\n", "\"\""},
        {"{\"type\":\"string\"}", "\r", "\"\\r\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str tools = STR_INIT, text = STR_INIT, want = STR_INIT;
        char *got;

        str_printf(&tools,
                   "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"
                   "\"properties\":{\"v\":%s},\"$defs\":{\"count\":{\"type\":\"integer\"},"
                   "\"point\":{\"type\":\"object\"},\"again\":{\"$ref\":\"#/$defs/count\"},"
                   "\"a/b\":{\"type\":\"boolean\"},\"color\":{\"enum\":[\"red\"]},"
                   "\"circle\":{\"$ref\":\"#/$defs/circle\"},"
                   "\"tree\":{\"anyOf\":[{\"$ref\":\"#/$defs/tree\"},{\"$ref\":\"#/$defs/tree\"},"
                   "{\"type\":\"integer\"}]}}}}}]",
                   cases[i].schema);
        str_printf(&text, "<function=f><parameter=v>%s</parameter></function>", cases[i].text);
        str_printf(&want, "[{\"f\":{\"v\":%s}}]", cases[i].value);
        got = calls_of(tools.data, text.data);
        if (strcmp(got, want.data) != 0)
            fail_msg("%s, \"%s\": %s, want %s", cases[i].schema, cases[i].text, got, want.data);
        free(got);
        str_deinit(&tools);
        str_deinit(&text);
        str_deinit(&want);
    }
}

/* Properties that the schema of the tool has by reference. */
static void test_properties_by_reference(void **state)
{
    char *got = calls_of("[{\"name\":\"f\",\"parameters\":{\"$ref\":\"#/$defs/p\",\"$defs\":{\"p\":"
                         "{\"allOf\":[{\"properties\":{\"v\":{\"type\":\"integer\"}}}]}}}}]",
                         "<function=f><parameter=v>5</parameter></function>");

    (void)state;
    assert_string_equal(got, "[{\"f\":{\"v\":5}}]");
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags_that_are_missing_or_wrong),
        cmocka_unit_test(test_values_that_hold_tags),
        cmocka_unit_test(test_kinds_by_schema),
        cmocka_unit_test(test_properties_by_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
