/* test_hub_catalog.c - search_tools and call_tool in place of a list that is too long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_index.h"
#include "mcp/hub/hub_internal.h"
#include "tests/support/check.h"
#include "tests/unit/mcp/hub_scene.h"

#define TOOL(name, text)                                                                           \
    "{\"name\":\"" name "\",\"description\":\"" text                                               \
    "\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}}}}"
#define FILES                                                                                      \
    "{\"tools\":[" TOOL("read", "Reads a file from the disk.") "," TOOL(                           \
        "write", "Writes a file to the disk.") "," TOOL("push", "Sends commits to a remote "       \
                                                                "repository.") "]}"
#define DONE "{\"content\":[]}"

struct world {
    struct scene s;
    struct fake files;
    struct hub_views *views;
};

static void open_world(struct world *w, const char *text)
{
    struct yaml *y = NULL;

    *w = (struct world){.files = {.name = "files", .lists = {FILES}, .always = DONE}};
    assert_ok(yaml_parse(text, strlen(text), "views", &y, why));
    w->views = hub_views_new();
    assert_ok(hub_views_add(w->views, y, yaml_get(yaml_root(y), "views"), why));
    if (yaml_get(yaml_root(y), "tool_budget"))
        assert_ok(hub_views_set_budget(w->views, y, yaml_get(yaml_root(y), "tool_budget"), why));
    yaml_free(y);
    scene_open(&w->s, &(struct hub_options){.views = w->views});
    scene_add(&w->s, &w->files, NULL, false);
}

static void close_world(struct world *w)
{
    scene_close(&w->s);
    hub_views_free(w->views);
    fake_deinit(&w->files);
}

static const char *ask(struct world *w, const char *view, const char *params)
{
    scene_ask(&w->s, "p", view, MCP_TOOLS_CALL, params);
    return scene_heard(&w->s);
}

/* How many of these names a list has. */
static int count(const char *list, const char *name)
{
    int n = 0;

    for (const char *at = list; (at = strstr(at, name)); at++)
        n++;
    return n;
}

static void a_list_over_the_budget_is_two_tools_and_those_that_are_always_there(void **state)
{
    struct world w;
    const char *list;

    (void)state;
    open_world(&w, "tool_budget: 60\n"
                   "views:\n"
                   "  some: {always: [files__read]}\n"
                   "  more: {tool_budget: 1000}\n"
                   "  none: {tool_budget: 0}\n"
                   "  few: {allow: [files__read]}\n");
    scene_ask(&w.s, "p", "", MCP_TOOLS_LIST, NULL);
    list = scene_heard(&w.s);
    assert_int_equal(count(list, "\"name\":\"call_tool\""), 1);
    assert_int_equal(count(list, "\"name\":\"search_tools\""), 1);
    assert_int_equal(count(list, "\"inputSchema\""), 2);
    scene_ask(&w.s, "p", "some", MCP_TOOLS_LIST, NULL);
    list = scene_heard(&w.s);
    assert_true(strstr(list, "call_tool") < strstr(list, "\"name\":\"files__read\""));
    assert_int_equal(count(list, "files__"), 1);
    for (int i = 0; i < 2; i++) {
        scene_ask(&w.s, "p", i ? "none" : "more", MCP_TOOLS_LIST, NULL);
        list = scene_heard(&w.s);
        assert_null(strstr(list, "call_tool"));
        assert_int_equal(count(list, "files__"), 3);
    }
    scene_ask(&w.s, "p", "few", MCP_TOOLS_LIST, NULL);
    assert_null(strstr(scene_heard(&w.s), "call_tool"));
    close_world(&w);
}

static void search_tools_finds_by_words_what_the_view_shows(void **state)
{
    struct world w;
    const char *found;

    (void)state;
    open_world(&w, "tool_budget: 60\nviews: {no_push: {deny: [\"*push\"]}}\n");
    found =
        ask(&w, "", "{\"name\":\"search_tools\",\"arguments\":{\"query\":\"remote repository\"}}");
    assert_non_null(strstr(found, "\"structuredContent\":{\"tools\":[{\"name\":\"files__push\","
                                  "\"description\":\"Sends commits to a remote repository.\","
                                  "\"inputSchema\":{\"type\":\"object\""));
    found =
        ask(&w, "", "{\"name\":\"search_tools\",\"arguments\":{\"query\":\"file\",\"limit\":1}}");
    assert_int_equal(count(found, "\"name\":\"files__"), 1);
    found = ask(&w, "no_push",
                "{\"name\":\"search_tools\",\"arguments\":{\"query\":\"remote repository\"}}");
    assert_non_null(strstr(found, "\"structuredContent\":{\"tools\":[]}"));
    assert_string_equal(ask(&w, "", "{\"name\":\"search_tools\",\"arguments\":{}}"),
                        "error -32602 search_tools needs a \"query\": words of what a tool does\n");
    assert_int_equal(w.files.n_asked, 0);
    close_world(&w);
}

/* Of views, of lists, and of descriptions: what a search finds is always what the list has now. */
static void an_index_is_kept_while_the_list_is_the_same(void **state)
{
    static const char query[] =
        "{\"name\":\"search_tools\",\"arguments\":{\"query\":\"remote repository\"}}";
    struct hub_source_limits limits = {0};
    const struct hub_indexes *x;
    struct world w;

    (void)state;
    open_world(&w, "tool_budget: 60\nviews: {no_push: {deny: [\"*push\"]}}\n");
    x = w.s.hub->indexes;
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(ask(&w, "", query), "files__push"));
        assert_null(strstr(ask(&w, "no_push", query), "files__push"));
    }
    assert_int_equal(hub_indexes_made(x), 2); /* one for each view, not for each search */
    w.files.lists[HUB_TOOLS] =
        "{\"tools\":[" TOOL("pull", "Gets commits from a remote repository.") "]}";
    hub_settings_changed(w.s.hub, "files", &limits);
    assert_non_null(strstr(ask(&w, "", query), "files__pull"));
    assert_int_equal(hub_indexes_made(x), 3);
    hub_set_views(w.s.hub, w.views);
    assert_non_null(strstr(ask(&w, "", query), "files__pull"));
    assert_int_equal(hub_indexes_made(x), 4);
    close_world(&w);
}

static void call_tool_is_a_call_like_any_other(void **state)
{
    struct world w;

    (void)state;
    open_world(&w,
               "tool_budget: 60\nviews: {no_push: {deny: [\"*push\"]}, free: {tool_budget: 0}}\n");
    assert_string_equal(ask(&w, "",
                            "{\"name\":\"call_tool\",\"_meta\":{\"k\":1},\"arguments\":{\"name\":"
                            "\"files__push\",\"arguments\":{\"path\":\"x\"}}}"),
                        "complete " DONE "\n");
    assert_string_equal(str_cstr(&w.files.asked),
                        "{\"_meta\":{\"k\":1},\"arguments\":{\"path\":\"x\"},\"name\":\"push\"}");
    assert_string_equal(
        ask(&w, "no_push", "{\"name\":\"call_tool\",\"arguments\":{\"name\":\"files__push\"}}"),
        "error -32602 unknown tool: files__push\n");
    assert_string_equal(
        ask(&w, "", "{\"name\":\"call_tool\",\"arguments\":{\"name\":\"call_tool\"}}"),
        "error -32602 call_tool needs the \"name\" of a tool that search_tools has found\n");
    assert_string_equal(ask(&w, "",
                            "{\"name\":\"call_tool\",\"arguments\":{\"name\":\"files__push\","
                            "\"arguments\":[]}}"),
                        "error -32602 the \"arguments\" of the tool must be an object, as its "
                        "inputSchema says\n");
    assert_string_equal(ask(&w, "free", "{\"name\":\"call_tool\",\"arguments\":{}}"),
                        "error -32602 unknown tool: call_tool\n");
    assert_int_equal(w.files.n_asked, 1);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_over_the_budget_is_two_tools_and_those_that_are_always_there),
        cmocka_unit_test(search_tools_finds_by_words_what_the_view_shows),
        cmocka_unit_test(an_index_is_kept_while_the_list_is_the_same),
        cmocka_unit_test(call_tool_is_a_call_like_any_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
