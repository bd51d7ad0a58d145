/* test_mcp_config_edit.c - what an edit changes in a file, and what stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "mcp/config/mcp_config_edit.h"
#include "tests/support/temp_dir.h"

#define SERVERS "mcpServers"

static void test_texts(void **state)
{
    static const struct {
        const char *text, *list, *key, *value, *expected; /* value NULL: removed */
    } cases[] = {
        {"{}", SERVERS, "a", "{\"command\":\"x\"}",
         "{\n  \"mcpServers\": {\n    \"a\": {\n      \"command\": \"x\"\n    }\n  }\n}"},
        {"{\"z\": 1, \"mcpServers\": {}}", SERVERS, "a", "1",
         "{\"z\": 1, \"mcpServers\": {\n  \"a\": 1\n}}"},
        {"{\n\t\"mcpServers\": {\n\t\t\"b\": {}\n\t},\n\t\"y\": 2\n}", SERVERS, "a", "1",
         "{\n\t\"mcpServers\": {\n\t\t\"b\": {},\n\t\t\"a\": 1\n\t},\n\t\"y\": 2\n}"},
        {"{\n  \"mcpServers\": {\n    \"a\": {\"k\": 1}, // one\n    \"b\": {}, // two\n  },\n}",
         SERVERS, "a", "2",
         "{\n  \"mcpServers\": {\n    \"a\": 2, // one\n    \"b\": {}, // two\n  },\n}"},
        {"{\n  \"mcpServers\": {\n    \"b\": {}, // two\n  },\n}", SERVERS, "a", "[1]",
         "{\n  \"mcpServers\": {\n    \"b\": {},\n    \"a\": [\n      1\n    ], // two\n  },\n}"},
        {"{\"mcpServers\": {\"a\": 1, \"b\": 2, \"c\": 3}}", SERVERS, "a", NULL,
         "{\"mcpServers\": {\"b\": 2, \"c\": 3}}"},
        {"{\"mcpServers\": {\"a\": 1, \"b\": 2, \"c\": 3}}", SERVERS, "b", NULL,
         "{\"mcpServers\": {\"a\": 1, \"c\": 3}}"},
        {"{\"mcpServers\": {\"a\": 1, \"b\": 2, \"c\": 3}}", SERVERS, "c", NULL,
         "{\"mcpServers\": {\"a\": 1, \"b\": 2}}"},
        {"{\"mcpServers\": {\n  \"a\": 1 ,\n}}", SERVERS, "a", NULL, "{\"mcpServers\": {\n}}"},
        {"{\"mcpServers\": {\"\\u0061\": 1}}", SERVERS, "a", NULL, "{\"mcpServers\": {}}"},
        {"{\"inputs\": [1]}", NULL, "inputs", "[1,2]", "{\"inputs\": [\n  1,\n  2\n]}"},
        {"// empty\n{ /* here */ }\n", NULL, "k", "\"\\u00e9\"",
         "// empty\n{\n  \"k\": \"\xc3\xa9\"\n/* here */ }\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *value = cases[i].value ? fixture_json(cases[i].value) : NULL;
        struct str out = STR_INIT;

        assert_ok(mcp_edit_text(cases[i].text, strlen(cases[i].text), cases[i].list, cases[i].key,
                                value, &out, why));
        assert_string_equal(str_cstr(&out), cases[i].expected);
        jv_unref(value);
        str_deinit(&out);
    }
}

static void read_back(const char *path, struct str *out)
{
    char *bytes = NULL;

    str_clear(out);
    assert_ok(file_read(path, 65536, &bytes, NULL, why));
    str_puts(out, bytes);
    free(bytes);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void test_files_are_created_edited_and_keep_their_mode(void **state)
{
    char folder[64], path[128];
    struct json *entry = fixture_json("{\"command\":\"x\"}");
    struct error err = ERROR_INIT;
    struct str text = STR_INIT;

    (void)state;
    temp_dir(folder);
    (void)snprintf(path, sizeof(path), "%s/.mcp.json", folder);
    assert_ok(mcp_edit_add(seams_real(), path, "one", entry, false, why));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_ok(mcp_edit_add(seams_real(), path, "two", entry, false, why));
    assert_int_equal(mode_of(path), 0640);
    assert_int_equal(mcp_edit_add(seams_real(), path, "two", entry, false, &err), STATUS_INVALID);
    assert_ok(mcp_edit_add(seams_real(), path, "two", entry, true, why));
    assert_int_equal(mcp_edit_remove(seams_real(), path, "twoo", &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "did you mean two?"));
    assert_ok(mcp_edit_remove(seams_real(), path, "one", why));
    read_back(path, &text);
    assert_string_equal(str_cstr(&text), "{\n  \"mcpServers\": {\n    \"two\": {\n      "
                                         "\"command\": \"x\"\n    }\n  }\n}\n");
    jv_unref(entry);
    str_deinit(&text);
    temp_dir_remove(folder);
}

static void test_a_fault_leaves_the_file(void **state)
{
    static const char *const texts[] = {"{\"mcpServers\": [", "[]", "{\"mcpServers\": 3}",
                                        "{\"mcpServers\": {}} // no comments here"};
    struct json *entry = fixture_json("{}");
    struct str text = STR_INIT;
    char folder[64], path[128];

    (void)state;
    temp_dir(folder);
    (void)snprintf(path, sizeof(path), "%s/.mcp.json", folder);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct error err = ERROR_INIT;

        temp_put(path, texts[i], strlen(texts[i]));
        assert_int_not_equal(mcp_edit_add(seams_real(), path, "a", entry, true, &err), STATUS_OK);
        assert_true(err.message[0] != '\0');
        read_back(path, &text);
        assert_string_equal(str_cstr(&text), texts[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/mcp.json", folder);
    temp_put(path, "{} // \0 {", 10); /* the parser does not see the comment */
    assert_int_equal(mcp_edit_add(seams_real(), path, "a", entry, true, NULL), STATUS_INVALID);
    jv_unref(entry);
    str_deinit(&text);
    temp_dir_remove(folder);
}

static void test_import_takes_what_is_new_with_its_inputs(void **state)
{
    static const char from[] =
        "// VS Code\n{\"servers\": {\"a\": {\"command\": \"new\"}, \"b\": {\"url\": "
        "\"https://b\", \"headers\": {\"X\": \"${input:k}\"}}}, \"inputs\": [{\"id\": \"k\"}]}";
    static const char mine[] = "{\"mcpServers\": {\"a\": {\"command\": \"old\"}}}";
    char folder[64], path[128], other[128];
    struct json *added = NULL, *kept = NULL;
    struct mcp_source *s = NULL;

    (void)state;
    temp_dir(folder);
    (void)snprintf(path, sizeof(path), "%s/.mcp.json", folder);
    (void)snprintf(other, sizeof(other), "%s/mcp.json", folder);
    temp_put(path, mine, strlen(mine));
    temp_put(other, from, strlen(from));
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(mcp_edit_import(seams_real(), path, other, &added, &kept, why));
        assert_int_equal(jv_size(added), twice ? 0 : 1);
        assert_int_equal(jv_size(kept), twice ? 2 : 1);
        jv_unref(added);
        jv_unref(kept);
    }
    assert_ok(mcp_source_open_json(path, NULL, &s, why));
    assert_string_equal(jv_get_string(jv_get(jv_get(jv_get(s->root, SERVERS), "a"), "command"), ""),
                        "old");
    assert_string_equal(jv_get_string(jv_get(jv_get(jv_get(s->root, SERVERS), "b"), "url"), ""),
                        "https://b");
    assert_int_equal(jv_size(jv_get(s->root, "inputs")), 1);
    mcp_source_free(s);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_files_are_created_edited_and_keep_their_mode),
        cmocka_unit_test(test_a_fault_leaves_the_file),
        cmocka_unit_test(test_import_takes_what_is_new_with_its_inputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
