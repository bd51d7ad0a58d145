/* test_mcp_docs.c - the configuration files of the guide (docs/mcp.md) mean what it says, and its
 * tables have every field.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_config.h"
#include "mcp/config/mcp_launch.h"
#include "mcp/hub/hub_view.h"
#include "runtime/base/seams.h"
#include "tests/support/check.h"

static void assert_clean(const struct mcp_config *c)
{
    const struct mcp_notes *notes = mcp_config_notes(c);

    for (size_t i = 0; i < notes->n; i++)
        fail_msg("%s: %s", notes->note[i].where, notes->note[i].text);
}

static void test_the_files_of_a_project(void **state)
{
    char folder[512];
    struct mcp_inputs inputs = {0};
    struct mcp_launch l = {0};
    struct mcp_config *c;
    const struct mcp_server_spec *s;

    (void)state;
    assert_int_equal(setenv("TRACKER_TOKEN", "t0ken", 1) || unsetenv("FILES_FOLDER"), 0);
    c = mcp_config_load_folder(fixture_path(folder, "docs/examples/mcp"), "/none/config.yaml",
                               &inputs);
    assert_clean(c);
    assert_int_equal(mcp_config_size(c), 3);
    s = mcp_config_find(c, "files");
    assert_int_equal(s->settings.instances, MCP_PER_CLIENT);
    assert_false(mcp_server_spec_has_tool(s, "delete_file"));
    assert_ok(mcp_launch_resolve(s, &inputs, &l, why));
    assert_string_equal(l.argv[3], ".");
    mcp_launch_deinit(&l);
    s = mcp_config_find(c, "git");
    assert_int_equal(s->settings.timeout_ms, 30000);
    assert_int_equal(mcp_server_spec_effect(s, "git_diff_staged"), EFFECT_READ);
    assert_int_equal(mcp_server_spec_effect(s, "git_add"), EFFECT_ONCE);
    s = mcp_config_find(c, "tracker");
    assert_int_equal(s->settings.pins, MCP_PINS_STRICT);
    assert_ok(mcp_launch_resolve(s, &inputs, &l, why));
    assert_string_equal(l.headers[0].value, "Bearer t0ken");
    mcp_launch_deinit(&l);
    mcp_config_free(c);
    mcp_inputs_deinit(&inputs);
}

static void test_the_views(void **state)
{
    static const char *const git[] = {"git_log", "git_add"};
    static const char *const files[] = {"read_text", "delete_file"};
    char yaml[512];
    struct mcp_config_options o = {0};
    struct hub_names *names = hub_names_new();
    struct hub_views *views = hub_views_new();
    struct mcp_inputs inputs = {0};
    struct mcp_config *c;
    const struct yaml *y;
    const struct yaml_node *section;
    const struct hub_view *v;
    struct hub_seen seen;

    (void)state;
    o.inputs = &inputs;
    o.project_yaml = fixture_path(yaml, "docs/examples/mcp/troupe.yaml");
    c = mcp_config_load(&o);
    assert_true(mcp_config_section(c, 0, &y, &section));
    assert_ok(hub_views_add(views, y, yaml_get(section, "views"), why));
    hub_names_set(names, HUB_TOOL, "git", git, 2);
    hub_names_set(names, HUB_TOOL, "files", files, 2);
    v = hub_views_find(views, "reader");
    assert_true(hub_view_see(v, names, HUB_TOOL, "git", "git_log", &seen));
    assert_string_equal(seen.name, "history");
    assert_false(hub_view_see(v, names, HUB_TOOL, "git", "git_add", &seen));
    assert_false(hub_view_see(v, names, HUB_TOOL, "files", "delete_file", &seen));
    v = hub_views_find(views, "files_only");
    assert_true(hub_view_see(v, names, HUB_TOOL, "files", "read_text", &seen));
    assert_string_equal(seen.name, "read_text");
    assert_ok(hub_views_set_budget(views, y, yaml_get(section, "tool_budget"), why));
    assert_int_equal(hub_view_budget(v, views), 8000);
    mcp_config_free(c);
    hub_views_free(views);
    hub_names_free(names);
}

static void test_the_file_of_vs_code(void **state)
{
    char path[512];
    struct mcp_inputs inputs = {0};
    struct mcp_config *c = NULL;
    const struct mcp_server_spec *s;

    (void)state;
    assert_ok(mcp_config_load_file(fixture_path(path, "docs/examples/mcp/.vscode/mcp.json"),
                                   &inputs, &c, why));
    assert_clean(c);
    s = mcp_config_find(c, "weather");
    assert_string_equal(mcp_launch_open_input(s, &inputs)->description,
                        "Key of the weather service");
    assert_true(mcp_launch_open_input(s, &inputs)->password);
    assert_string_equal(strrchr(s->workspace, '/'), "/mcp"); /* above .vscode */
    mcp_config_free(c);
    mcp_inputs_deinit(&inputs);
}

static void test_the_tables_have_every_field(void **state)
{
    static const char *const fields[] = {
#define F(key, where, reader, help) key,
#include "mcp/config/mcp_spec_fields.def"
#undef F
        "servers", "allow", "deny", "hide", "rename", "describe", "names", "tool_budget", "always"};
    char path[512], *page = NULL;
    struct str cell = STR_INIT;

    (void)state;
    assert_ok(file_read(fixture_path(path, "docs/mcp.md"), 65536, &page, NULL, why));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        str_clear(&cell);
        str_printf(&cell, "`%s`", fields[i]);
        if (!strstr(page, str_cstr(&cell)))
            fail_msg("docs/mcp.md has no row of %s", fields[i]);
    }
    str_deinit(&cell);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_files_of_a_project),
        cmocka_unit_test(test_the_views),
        cmocka_unit_test(test_the_file_of_vs_code),
        cmocka_unit_test(test_the_tables_have_every_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
