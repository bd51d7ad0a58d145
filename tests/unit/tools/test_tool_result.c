/* test_tool_result.c - results as they are stored, as later steps see them, as a model is shown
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/check.h"
#include "tools/tool_result.h"

static struct json *json_of(const char *text)
{
    struct json *v = NULL;
    struct error err = ERROR_INIT;

    if (text && jv_parse(text, strlen(text), "json", &v, &err))
        fail_msg("%s", err.message);
    return v;
}

static void results_take_one_form(void **state)
{
    static const struct {
        const char *value, *content;       /* what the tool gave */
        const char *stored, *seen, *shown; /* shown as text */
    } cases[] = {
        {"{\"bytes\":3}", NULL, "{\"bytes\":3}", "{\"bytes\":3}", "{\"bytes\":3}"},
        {"\"words\"", NULL, "\"words\"", "\"words\"", "words"},
        {NULL, NULL, "null", "null", "null"},
        {NULL, "[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"text\",\"text\":\"two\"}]",
         "{\"$content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"text\",\"text\":\"two\"}]"
         "}",
         "\"one\\ntwo\"", "one\ntwo"},
        /* a value wins for later steps, the text for the model */
        {"{\"n\":1}", "[{\"type\":\"text\",\"text\":\"n is 1\"}]",
         "{\"$content\":[{\"type\":\"text\",\"text\":\"n is 1\"}],\"value\":{\"n\":1}}",
         "{\"n\":1}", "n is 1"},
        {NULL, "[{\"type\":\"image\",\"data\":\"QUJDREVG\",\"mimeType\":\"image/png\"}]",
         "{\"$content\":[{\"type\":\"image\",\"data\":\"QUJDREVG\",\"mimeType\":\"image/png\"}]}",
         "[{\"type\":\"image\",\"data\":\"QUJDREVG\",\"mimeType\":\"image/png\"}]",
         "[image, image/png, 6 bytes]"},
        {NULL,
         "[{\"type\":\"resource\",\"resource\":{\"uri\":\"file:///a\",\"text\":\"hi\"}},"
         "{\"type\":\"resource\",\"resource\":{\"uri\":\"file:///b\",\"blob\":\"QUJD\"}},"
         "{\"type\":\"resource_link\",\"uri\":\"file:///c\",\"name\":\"c\"}]",
         NULL, NULL, "file:///a\nhi\nfile:///b\n[file, unknown type, 3 bytes]\n[c: file:///c]"},
        /* a value that looks like the stored form of content stays a value */
        {"{\"$content\":[{\"type\":\"text\",\"text\":\"x\"}]}", NULL,
         "{\"$content\":[],\"value\":{\"$content\":[{\"type\":\"text\",\"text\":\"x\"}]}}",
         "{\"$content\":[{\"type\":\"text\",\"text\":\"x\"}]}",
         "{\"$content\":[{\"type\":\"text\",\"text\":\"x\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tool_result r = {.value = json_of(cases[i].value),
                                .content = json_of(cases[i].content)};
        struct json *stored = tool_result_json(&r), *seen = tool_result_value(stored);
        struct str shown = STR_INIT;
        char *stored_text = jv_dump(stored), *seen_text = jv_dump(seen);

        if (r.content)
            assert_int_equal(tool_content_check(r.content, NULL), STATUS_OK);
        tool_result_show(stored, &shown);
        assert_string_equal(str_cstr(&shown), cases[i].shown);
        if (cases[i].stored) {
            assert_string_equal(stored_text, cases[i].stored);
            assert_string_equal(seen_text, cases[i].seen);
        }
        free(stored_text);
        free(seen_text);
        str_deinit(&shown);
        jv_unref(stored);
        jv_unref(seen);
        tool_result_deinit(&r);
    }
}

static void unknown_blocks_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "content: expected an array, got object"},
        {"[{\"type\":\"text\"}]", "content[0]: text is missing"},
        {"[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"film\"}]",
         "content[1]: unknown type \"film\""},
        {"[{\"type\":\"image\",\"data\":\"\"}]", "content[0]: mimeType is missing"},
        {"[{\"type\":\"resource\"}]", "content[0]: resource.uri is missing"},
        {"[7]", "content[0]: unknown type \"\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json *v = json_of(cases[i][0]);
        struct error err = ERROR_INIT;

        assert_int_equal(tool_content_check(v, &err), STATUS_INVALID);
        assert_string_equal(err.message, cases[i][1]);
        jv_unref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_take_one_form),
        cmocka_unit_test(unknown_blocks_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
