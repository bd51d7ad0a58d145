/* test_mcp_launch.c - references resolved at the start of a server: values, environment, inputs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "mcp/config/mcp_launch.h"
#include "tests/support/mcp_files.h"

static const char *env_of(const struct mcp_launch *l, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;

    for (char **e = l->env; *e; e++) {
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') {
            assert_null(found); /* once */
            found = *e + n + 1;
        }
    }
    return found;
}

static void test_a_process(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;
    struct mcp_launch l = {0};
    struct str expected = STR_INIT;

    (void)state;
    assert_int_equal(setenv("TROUPE_TEST_A", "va", 1) || setenv("TROUPE_TEST_EMPTY", "", 1), 0);
    assert_int_equal(setenv("HOME", "/home/x", 1), 0);
    mcp_files_init(&f);
    temp_dir_put(f.folder, ".env", "# c\nexport A = 'one two'\nB=\"2\"\nC=from file\n\n", 45);
    mcp_files_put(&f, 0,
                  "{\"mcpServers\": {\"s\": {\"command\": \"./bin/run\", \"args\": ["
                  "\"${TROUPE_TEST_A}\", \"${env:TROUPE_TEST_A}-${TROUPE_TEST_A}\", "
                  "\"${TROUPE_TEST_NONE:-d e}\", \"${TROUPE_TEST_EMPTY:-d}\", "
                  "\"${TROUPE_TEST_EMPTY}\", \"${workspaceFolder}\", \"${userHome}\", \"$HOME $$\","
                  " 3, true],\n"
                  "\"env\": {\"C\": \"${TROUPE_TEST_A}\", \"PATH\": null, \"N\": 5}, "
                  "\"envFile\": \"${workspaceFolder}/.env\", \"cwd\": \"sub\"}}}");
    c = mcp_files_load(&f);
    assert_ok(mcp_launch_resolve(mcp_config_find(c, "s"), &f.inputs, &l, why));
    str_printf(&expected, "%s/./bin/run", f.folder);
    assert_string_equal(l.argv[0], str_cstr(&expected));
    {
        const char *const args[] = {"va",     "va-va",   "d e",      "d", "",
                                    f.folder, "/home/x", "$HOME $$", "3", "true"};

        for (size_t i = 0; i < ARRAY_LEN(args); i++)
            assert_string_equal(l.argv[i + 1], args[i]);
        assert_null(l.argv[ARRAY_LEN(args) + 1]);
    }
    assert_string_equal(env_of(&l, "A"), "one two");
    assert_string_equal(env_of(&l, "B"), "2");
    assert_string_equal(env_of(&l, "C"), "va");
    assert_string_equal(env_of(&l, "N"), "5");
    assert_string_equal(env_of(&l, "HOME"), "/home/x");
    assert_null(env_of(&l, "PATH"));
    assert_null(env_of(&l, "TROUPE_TEST_A")); /* ours, and not named */
    str_clear(&expected);
    str_printf(&expected, "%s/sub", f.folder);
    assert_string_equal(l.cwd, str_cstr(&expected));
    mcp_launch_deinit(&l);
    mcp_config_free(c);
    str_deinit(&expected);
    mcp_files_deinit(&f);
}

static void test_troupe_yaml_has_its_own_rules(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;
    struct mcp_launch l = {0};
    char token[128];

    (void)state;
    mcp_files_init(&f);
    temp_dir_put(f.folder, "token", "t0ken\nmore\n", 11);
    (void)snprintf(token, sizeof(token), "%s/token", f.folder);
    assert_int_equal(chmod(token, 0600), 0);
    mcp_files_put(&f, 1,
                  "mcp: {servers: {s: {url: 'https://a/$$x', headers: {Authorization: 'Bearer "
                  "${file:token}'}, roots: [., /abs]}}}\n");
    c = mcp_files_load(&f);
    assert_ok(mcp_launch_resolve(mcp_config_find(c, "s"), &f.inputs, &l, why));
    assert_string_equal(l.url, "https://a/$x");
    assert_string_equal(l.headers[0].value, "Bearer t0ken");
    assert_string_equal(l.roots[1], "/abs");
    assert_null(l.roots[2]);
    mcp_launch_deinit(&l);
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

struct asker {
    int asked;
    const char *answer;
};

static enum status ask(void *ctx, const struct mcp_input *input, struct str *answer,
                       struct error *err)
{
    struct asker *a = ctx;

    a->asked++;
    if (!a->answer)
        return error_set(err, STATUS_CANCELLED, "nobody answers %s", input->id);
    str_puts(answer, a->answer);
    return STATUS_OK;
}

static void test_an_input_is_asked_once(void **state)
{
    static const char text[] =
        "{\"inputs\": [{\"id\": \"k\", \"type\": \"promptString\", \"password\": true}, "
        "{\"id\": \"p\", \"type\": \"pickString\", \"options\": [\"one\", {\"value\": \"two\"}]}, "
        "{\"id\": \"c\", \"type\": \"command\"}],\n"
        " \"mcpServers\": {\"s\": {\"command\": \"x\", \"args\": [\"${input:k}${input:k}\"]},\n"
        "  \"t\": {\"command\": \"x\", \"env\": {\"K\": \"${input:k}\"}},\n"
        "  \"u\": {\"url\": \"https://u/${input:p}\"},\n"
        "  \"v\": {\"url\": \"https://u/${input:c}\"}}}";
    struct mcp_files f;
    struct mcp_config *c, *again = NULL;
    struct mcp_launch l = {0};
    struct error err = ERROR_INIT;
    struct asker a = {0, NULL};

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0, text);
    c = mcp_files_load(&f);
    assert_non_null(mcp_config_find(c, "v")->problem);
    assert_int_equal(mcp_launch_resolve(mcp_config_find(c, "s"), &f.inputs, &l, &err),
                     STATUS_WAITING);
    assert_string_equal(mcp_launch_open_input(mcp_config_find(c, "s"), &f.inputs)->id, "k");
    assert_int_equal(mcp_launch_ask(mcp_config_find(c, "s"), &f.inputs, ask, &a, &err),
                     STATUS_CANCELLED);
    a.answer = "hunter2";
    assert_ok(mcp_launch_ask(mcp_config_find(c, "s"), &f.inputs, ask, &a, why));
    assert_ok(mcp_launch_ask(mcp_config_find(c, "t"), &f.inputs, ask, &a, why));
    assert_int_equal(a.asked, 2);
    err = ERROR_INIT;
    assert_int_equal(mcp_launch_ask(mcp_config_find(c, "u"), &f.inputs, ask, &a, &err),
                     STATUS_INVALID);
    assert_null(strstr(err.message, "hunter2"));
    a.answer = "two";
    assert_ok(mcp_launch_ask(mcp_config_find(c, "u"), &f.inputs, ask, &a, why));
    assert_ok(mcp_config_reload(c, &again, why)); /* answers survive */
    assert_ok(mcp_launch_resolve(mcp_config_find(again, "s"), &f.inputs, &l, why));
    assert_string_equal(l.argv[1], "hunter2hunter2");
    mcp_launch_deinit(&l);
    assert_ok(mcp_launch_resolve(mcp_config_find(again, "u"), &f.inputs, &l, why));
    assert_string_equal(l.url, "https://u/two");
    mcp_launch_deinit(&l);
    mcp_config_free(c);
    mcp_config_free(again);
    mcp_files_deinit(&f);
}

static void test_what_cannot_be_resolved_names_its_place_and_no_value(void **state)
{
    static const struct {
        const char *fields, *place, *words;
    } cases[] = {
        {"{\"command\": \"x\", \"envFile\": \"none\"}", ".mcp.json:2:3", "envFile"},
        {"{\"command\": \"x\", \"envFile\": \"bad\"}", "bad:2", "expected NAME=VALUE"},
        {"{\"url\": \"https://a\", \"headers\": {\"H\": \"${TROUPE_TEST_LINES}\"}}",
         ".mcp.json:2:3", "header H"},
        {"{\"url\": \"${TROUPE_TEST_LINES}\"}", ".mcp.json:2:3", "begins with"},
        {"{\"command\": \"${TROUPE_TEST_EMPTY}\"}", ".mcp.json:2:3", "empty"},
        {"{\"command\": \"${TROUPE_TEST_NONE}\"}", ".mcp.json:2:20", "TROUPE_TEST_NONE"},
    };

    (void)state;
    assert_int_equal(setenv("TROUPE_TEST_LINES", "s3cret\r\nX: y", 1), 0);
    assert_int_equal(setenv("TROUPE_TEST_EMPTY", "", 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_files f;
        struct mcp_config *c;
        struct mcp_launch l = {0};
        struct error err = ERROR_INIT;
        struct str text = STR_INIT;

        mcp_files_init(&f);
        temp_dir_put(f.folder, "bad", "A=1\ns3cret\n", 11);
        str_printf(&text, "{\"mcpServers\": {\n  \"s\": %s}}", cases[i].fields);
        mcp_files_put(&f, 0, str_cstr(&text));
        c = mcp_files_load(&f);
        assert_int_equal(mcp_launch_resolve(mcp_config_find(c, "s"), &f.inputs, &l, &err),
                         STATUS_CONFIG);
        if (!strstr(err.where, cases[i].place) || !strstr(err.message, cases[i].words) ||
            strstr(err.message, "s3cret"))
            fail_msg("%s: %s %s", cases[i].fields, err.where, err.message);
        mcp_config_free(c);
        str_deinit(&text);
        mcp_files_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process),
        cmocka_unit_test(test_troupe_yaml_has_its_own_rules),
        cmocka_unit_test(test_an_input_is_asked_once),
        cmocka_unit_test(test_what_cannot_be_resolved_names_its_place_and_no_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
