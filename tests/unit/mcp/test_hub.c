/* test_hub.c - many servers behind one: lists, routes, input through the hop, faults of one server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/check.h"
#include "tests/unit/mcp/hub_scene.h"

#define TOOL(name) "{\"name\":\"" name "\",\"inputSchema\":{\"type\":\"object\"}}"
#define SHOWN(server, name)                                                                        \
    "{\"inputSchema\":{\"type\":\"object\"},\"name\":\"" server "__" name "\"}"
#define TAIL ",\"ttlMs\":30000,\"cacheScope\":\"private\"}\n"

static int setup(void **state)
{
    struct scene *s = xcalloc(1, sizeof(*s));

    scene_open(s, NULL);
    *state = s;
    return 0;
}

/* A test closes its scene itself, since its servers are its variables. */
static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void the_lists_of_all_servers_are_one_sorted_list(void **state)
{
    struct scene *s = *state;
    struct fake b = {.name = "b", .lists = {"{\"tools\":[" TOOL("z") "," TOOL("a") "]}"}};
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("a") "]}"}};

    scene_add(s, &b, NULL, false);
    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_string_equal(scene_heard(s), "complete {\"tools\":[" SHOWN("a", "a") "," SHOWN(
                                            "b", "a") "," SHOWN("b", "z") "]" TAIL);
    scene_ask(s, "p", "", MCP_PROMPTS_LIST, NULL);
    assert_string_equal(scene_heard(s), "complete {\"prompts\":[]" TAIL);
    /* both report changes, so that a list is read once */
    scene_ask(s, "q", "", MCP_TOOLS_LIST, NULL);
    assert_non_null(strstr(scene_heard(s), "b__z"));
    assert_int_equal(a.fetched, 1);
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&b);
}

static void a_call_reaches_its_server_under_its_own_name(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a",
                     .lists = {"{\"tools\":[" TOOL("t") "]}"},
                     .answers = {"{\"content\":[]}", "!-32602 bad"},
                     .notes = "{\"progress\":1}"};

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_CALL,
              "{\"name\":\"a__t\",\"arguments\":{\"x\":[1, 2]},\"_meta\":{\"k\":1}}");
    assert_string_equal(scene_heard(s),
                        "notifications/progress {\"progress\":1}\ncomplete {\"content\":[]}\n");
    assert_string_equal(str_cstr(&a.asked),
                        "{\"arguments\":{\"x\":[1, 2]},\"_meta\":{\"k\":1},\"name\":\"t\"}");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_non_null(strstr(scene_heard(s), "error -32602 bad\n"));
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__no\"}");
    assert_string_equal(scene_heard(s), "error -32602 unknown tool: a__no\n");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"t\"}");
    assert_string_equal(scene_heard(s), "error -32602 unknown tool: t\n");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"arguments\":{}}");
    assert_non_null(strstr(scene_heard(s), "error -32602 the params of tools/call"));
    scene_ask(s, "p", "no such view", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(s), "error -32602 unknown tool: a__t\n");
    scene_close(s);
    fake_deinit(&a);
}

/* A server that reads keys without case would take the second name. */
static void a_member_in_other_case_reaches_no_server(void **state)
{
    static const struct {
        enum mcp_method method;
        const char *params;
        bool refused;
    } cases[] = {
        {MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"Name\":\"secret\"}", true},
        {MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"n\\u0041me\":\"secret\"}", true},
        {MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"arguments\":{},\"argument\\u017f\":{}}", true},
        {MCP_RESOURCES_READ, "{\"uri\":\"troupe://a/u:1\",\"URI\":\"u:2\"}", true},
        {MCP_COMPLETION, "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"a__p\",\"Name\":\"q\"}}",
         true},
        {MCP_COMPLETION, "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"a__p\"},\"Ref\":{}}", true},
        {MCP_TASKS_GET, "{\"taskId\":\"x\",\"tas\\u212aId\":\"y\"}", true},
        {MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"arguments\":{\"Name\":\"x\",\"name\":\"y\"}}",
         false},
        {MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"names\":1,\"nam\":2}", false},
    };
    struct scene *s = *state;
    struct fake a = {.name = "a",
                     .lists = {"{\"tools\":[" TOOL("t") "]}", "{\"prompts\":[{\"name\":\"p\"}]}",
                               "{\"resources\":[{\"uri\":\"u:1\",\"name\":\"x\"}]}"},
                     .always = "{\"content\":[]}"};

    scene_add(s, &a, NULL, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int before = a.n_asked;
        const char *heard;

        scene_ask(s, "p", "", cases[i].method, cases[i].params);
        heard = scene_heard(s);
        if (a.n_asked != before + !cases[i].refused ||
            (strstr(heard, "error -32602 the member \"") != NULL) != cases[i].refused)
            fail_msg("%s: %s", cases[i].params, heard);
    }
    scene_close(s);
    fake_deinit(&a);
}

static void uris_name_their_server(void **state)
{
    struct scene *s = *state;
    struct fake a = {
        .name = "a",
        .lists = {[HUB_TOOLS] = "{\"tools\":[" TOOL("t") "]}",
                  [HUB_RESOURCES] = "{\"resources\":[{\"uri\":\"file:///x\",\"name\":\"x\"}]}"},
        .answers = {"{\"contents\":[{\"uri\":\"file:///x\",\"text\":\"hi\"}]}",
                    "{\"content\":[{\"type\":\"resource_link\",\"uri\":\"file:///y\"},"
                    "{\"type\":\"text\",\"text\":\"uri\"},"
                    "{\"type\":\"resource\",\"resource\":{\"uri\":\"u:1\"}}]}"}};

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_RESOURCES_LIST, NULL);
    assert_string_equal(scene_heard(s), "complete {\"resources\":[{\"name\":\"x\",\"uri\":"
                                        "\"troupe://a/file:///x\"}]" TAIL);
    scene_ask(s, "p", "", MCP_RESOURCES_READ, "{\"uri\":\"troupe://a/file:///x\"}");
    assert_string_equal(scene_heard(s), "complete {\"contents\":[{\"text\":\"hi\",\"uri\":"
                                        "\"troupe://a/file:///x\"}]}\n");
    assert_string_equal(str_cstr(&a.asked), "{\"uri\":\"file:///x\"}");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(s),
                        "complete {\"content\":[{\"type\":\"resource_link\",\"uri\":"
                        "\"troupe://a/file:///y\"},{\"type\":\"text\",\"text\":\"uri\"},"
                        "{\"type\":\"resource\",\"resource\":{\"uri\":\"troupe://a/u:1\"}}]}\n");
    scene_close(s);
    fake_deinit(&a);
}

static void a_state_of_a_server_is_sealed_for_the_client(void **state)
{
    static const char input[] = "{\"inputRequests\":{\"k\":{\"method\":\"roots/list\"}},"
                                "\"requestState\":\"my \\\"state\"}";
    struct scene *s = *state;
    struct fake a = {.name = "a",
                     .lists = {"{\"tools\":[" TOOL("t") "," TOOL("u") "]}"},
                     .answers = {input, "{\"content\":[]}", "{\"content\":[]}"}};
    struct str params = STR_INIT;
    char *sealed;

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"arguments\":{\"x\":1,\"y\":2}}");
    sealed = scene_between(scene_heard(s), "\"requestState\":\"", "\"");
    assert_null(strstr(sealed, "state"));
    /* another principal, another request, a changed state */
    str_printf(&params,
               "{\"name\":\"a__t\",\"requestState\":\"%s\",\"inputResponses\":{},"
               "\"arguments\":{\"y\":2,\"x\":1}}",
               sealed);
    scene_ask(s, "q", "", MCP_TOOLS_CALL, str_cstr(&params));
    assert_string_equal(scene_heard(s), "error -32602 requestState is not one that this server "
                                        "gave for this request\n");
    assert_int_equal(a.n_answered, 1);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, str_cstr(&params));
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
    assert_non_null(strstr(str_cstr(&a.asked), "\"requestState\":\"my \\\"state\""));
    str_clear(&params);
    str_printf(&params, "{\"name\":\"a__u\",\"requestState\":\"%s\"}", sealed);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, str_cstr(&params));
    assert_non_null(strstr(scene_heard(s), "error -32602 requestState"));
    sealed[5] ^= 1;
    str_clear(&params);
    str_printf(&params,
               "{\"name\":\"a__t\",\"requestState\":\"%s\",\"arguments\":{\"x\":1,\"y\":2}}",
               sealed);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, str_cstr(&params));
    assert_non_null(strstr(scene_heard(s), "error -32602 requestState"));
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\",\"requestState\":\"\"}");
    assert_non_null(strstr(scene_heard(s), "error -32602 requestState"));
    assert_int_equal(a.n_answered, 2);
    free(sealed);
    str_deinit(&params);
    scene_close(s);
    fake_deinit(&a);
}

static void a_cancelled_call_is_cancelled_at_its_server_alone(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct fake b = {.name = "b", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct mcp_exchange *x;

    scene_add(s, &a, NULL, false);
    scene_add(s, &b, NULL, false);
    x = scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"b__t\"}");
    mcp_exchange_cancel(x);
    assert_string_equal(scene_heard(s), "error -32603 the request was cancelled\n");
    assert_int_equal(a.cancelled, 1);
    assert_int_equal(b.cancelled, 0);
    fake_answer(&b, "{\"content\":[]}");
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&b);
}

static void a_server_that_does_not_answer_costs_only_itself(void **state)
{
    static const struct hub_source_limits limits = {
        .call_ms = 300, .max_in_flight = 2, .max_waiting = 1};
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}, .answers = {NULL}};
    struct fake b = {
        .name = "b", .lists = {"{\"tools\":[" TOOL("t") "]}"}, .answers = {"{\"content\":[]}"}};

    scene_add(s, &a, &limits, false);
    scene_add(s, &b, NULL, false);
    for (int i = 0; i < 3; i++)
        scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(str_cstr(&s->heard), "");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(s), "error -32603 server a has too many requests (1 wait); "
                                        "try again later\n");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"b__t\"}");
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
    scene_run(s, 700);
    assert_non_null(strstr(scene_heard(s), "error -32603 server a did not answer within 300 ms"));
    assert_int_equal(hub_source_counts(hub_find(s->hub, "a")).in_flight, 0);
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&b);
}

/* Progress begins the time again, but not for ever. */
static void a_call_with_endless_progress_ends(void **state)
{
    static const struct hub_source_limits limits = {.call_ms = 200, .total_ms = 600};
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct str kept = STR_INIT;
    int64_t began_us = seams_mono_us(seams_real()), took_ms;

    scene_add(s, &a, &limits, false);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    for (int i = 0; i < 100 && !strstr(str_cstr(&kept), "error"); i++) {
        scene_run(s, 50);
        if (a.open)
            mcp_exchange_note(a.open, MCP_PROGRESS, json_view_of("{\"progress\":1}", 14));
        str_puts(&kept, scene_heard(s));
    }
    took_ms = (seams_mono_us(seams_real()) - began_us) / 1000;
    assert_non_null(
        strstr(str_cstr(&kept), "error -32603 server a did not answer within 600 ms\n"));
    assert_true(took_ms >= 600 && took_ms < 3000);
    assert_int_equal(a.cancelled, 1);
    str_deinit(&kept);
    scene_close(s);
    fake_deinit(&a);
}

/* A name says whose tool it is: a server that hangs is not asked. */
static void a_tool_is_looked_for_at_its_own_server_alone(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .never_answers = true};
    struct fake b = {.name = "b",
                     .lists = {"{\"tools\":[" TOOL("t") "," TOOL("u") "]}"},
                     .always = "{\"content\":[]}"};
    struct hub_views *views = hub_views_new();
    static const char text[] = "v: {rename: {b__t: work}}\n";
    struct yaml *y;

    assert_ok(yaml_parse(text, strlen(text), "views", &y, why));
    assert_ok(hub_views_add(views, y, yaml_root(y), why));
    yaml_free(y);
    hub_set_views(s->hub, views);
    scene_add(s, &a, NULL, false);
    scene_add(s, &b, NULL, false);
    s->only = "b__t";
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_string_equal(scene_heard(s), "complete {\"tools\":[" SHOWN("b", "t") "]" TAIL);
    s->only = "work";
    scene_ask(s, "p", "v", MCP_TOOLS_LIST, NULL);
    assert_non_null(strstr(scene_heard(s), "\"name\":\"work\"}]"));
    s->only = NULL;
    scene_ask(s, "q", "v", MCP_TOOLS_CALL, "{\"name\":\"work\"}");
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
    assert_int_equal(a.opened, 0);
    scene_close(s);
    hub_views_free(views);
    fake_deinit(&a);
    fake_deinit(&b);
}

static void a_server_that_ends_rests_and_starts_again(void **state)
{
    static const struct hub_source_limits limits = {.gap_ms = 150, .max_gap_ms = 400};
    struct scene *s = *state;
    struct fake a = {.name = "a",
                     .lists = {"{\"tools\":[" TOOL("t") "]}"},
                     .answers = {NULL, "{\"content\":[]}"}};

    scene_add(s, &a, &limits, false);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    fake_down(&a, "exit code 1");
    assert_string_equal(scene_heard(s), "error -32603 the server ended\n");
    assert_int_equal(a.closed, 1);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_non_null(strstr(scene_heard(s), "error -32603 server a is not running (exit code 1); it "
                                           "is started again in"));
    scene_run(s, 200);
    a.n_answered = 1;
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
    assert_int_equal(a.opened, 2);
    scene_close(s);
    fake_deinit(&a);
}

/* A server that never starts is tried with growing gaps, and does not keep others from the list. */
static void a_server_that_cannot_start_is_left_out(void **state)
{
    static const struct hub_source_limits limits = {.gap_ms = 40, .max_gap_ms = 10000};
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct fake bad = {.name = "bad"};

    error_set(&bad.fails, STATUS_NOT_FOUND, "no such program");
    scene_add(s, &a, NULL, false);
    scene_add(s, &bad, &limits, false);
    for (int i = 0; i < 60; i++) {
        scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
        assert_string_equal(scene_heard(s), "complete {\"tools\":[" SHOWN("a", "t") "]" TAIL);
        scene_run(s, 10);
    }
    /* in 600 ms or more: gaps of 40, 80, 160, 320, 640 ms */
    assert_true(bad.opened >= 3 && bad.opened <= 6);
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&bad);
}

static void a_slow_server_is_left_out_of_a_list_and_reported_later(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct fake slow = {
        .name = "slow", .lists = {"{\"tools\":[" TOOL("t") "]}"}, .is_slow_to_start = true};

    scene_close(s);
    scene_open(s, &(struct hub_options){.list_ms = 100});
    scene_add(s, &a, NULL, false);
    scene_add(s, &slow, NULL, false);
    scene_ask(s, "p", "", MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    assert_string_equal(scene_heard(s), "notifications/subscriptions/acknowledged "
                                        "{\"notifications\":{\"toolsListChanged\":true}}\n");
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_string_equal(scene_heard(s), "complete {\"tools\":[" SHOWN("a", "t") "]" TAIL);
    fake_ready(&slow);
    assert_string_equal(scene_heard(s), "notifications/tools/list_changed null\n");
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_non_null(strstr(scene_heard(s), "slow__t"));
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&slow);
}

/* Each page, and each list of later, would take list_ms again. */
static void a_server_that_never_starts_delays_one_list(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "," TOOL("u") "]}"}};
    struct fake slow = {
        .name = "slow", .lists = {"{\"tools\":[" TOOL("t") "]}"}, .is_slow_to_start = true};

    scene_close(s);
    scene_open(s, &(struct hub_options){.list_ms = 300, .page = 1});
    scene_add(s, &a, NULL, false);
    scene_add(s, &slow, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_string_equal(str_cstr(&s->heard), "");
    assert_non_null(strstr(scene_heard(s), "complete {\"tools\":[" SHOWN("a", "t") "]"));
    scene_ask(s, "p", "", MCP_TOOLS_LIST, "{\"cursor\":\"YV9fdA\"}");
    assert_string_equal(str_cstr(&s->heard), "complete {\"tools\":[" SHOWN("a", "u") "]" TAIL);
    str_clear(&s->heard);
    fake_ready(&slow);
    scene_run(s, 100);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, "{\"cursor\":\"YV9fdQ\"}");
    assert_non_null(strstr(str_cstr(&s->heard), "slow__t"));
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&slow);
}

/* NousResearch/hermes-agent PR#115502 */
static void a_storm_of_changes_is_one_notification_and_two_fetches(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    scene_heard(s);
    assert_int_equal(a.fetched, 1);
    a.lists[HUB_TOOLS] = "{\"tools\":[" TOOL("new") "]}";
    for (int i = 0; i < 1000; i++)
        fake_note(&a, MCP_TOOLS_CHANGED, NULL);
    scene_run(s, 400);
    assert_string_equal(scene_heard(s), "notifications/tools/list_changed null\n");
    assert_true(a.fetched <= 3);
    /* reports without a change are not passed on, and get rarer fetches */
    for (int i = 0; i < 1000; i++) {
        fake_note(&a, MCP_TOOLS_CHANGED, NULL);
        if (i % 100 == 0)
            scene_run(s, 50);
    }
    assert_string_equal(str_cstr(&s->heard), "");
    assert_true(a.fetched <= 7);
    scene_close(s);
    fake_deinit(&a);
}

static void a_server_that_reports_a_change_with_each_list_makes_no_loop(void **state)
{
    struct scene *s = *state;
    struct fake a = {
        .name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}, .changes_with_each_list = true};

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    scene_heard(s);
    fake_note(&a, MCP_TOOLS_CHANGED, NULL);
    scene_run(s, 1000);
    assert_string_equal(str_cstr(&s->heard), "");
    assert_true(a.fetched <= 5);
    scene_close(s);
    fake_deinit(&a);
}

static void watched_resources_are_reported_to_those_who_watch(void **state)
{
    struct scene *s = *state;
    struct fake a = {
        .name = "a",
        .lists = {[HUB_RESOURCES] = "{\"resources\":[{\"uri\":\"u:1\",\"name\":\"x\"}]}"}};
    struct mcp_exchange *one;

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_RESOURCES_LIST, NULL);
    scene_heard(s);
    one = scene_ask(s, "p", "", MCP_LISTEN,
                    "{\"notifications\":{\"resourceSubscriptions\":[\"troupe://a/u:1\"]}}");
    assert_string_equal(scene_heard(s),
                        "notifications/subscriptions/acknowledged {\"notifications\":{"
                        "\"resourceSubscriptions\":[\"troupe://a/u:1\"]}}\n");
    fake_note(&a, MCP_RESOURCE_UPDATED, "{\"uri\":\"u:2\"}");
    fake_note(&a, MCP_RESOURCE_UPDATED, "{\"uri\":\"u:1\"}");
    assert_non_null(
        strstr(scene_heard(s), "notifications/resources/updated {\"uri\":\"troupe://a/u:1\"}\n"));
    mcp_exchange_cancel(one);
    scene_heard(s);
    scene_run(s, 50);
    assert_int_equal(a.cancelled, 1); /* the listen to u:1 */
    scene_close(s);
    fake_deinit(&a);
}

/* Each of them would have all resources of all looked up again. */
static void a_thousand_listeners_come_and_go(void **state)
{
    struct scene *s = *state;
    struct fake a = {
        .name = "a", .lists = {[HUB_RESOURCES] = "{\"resources\":[]}"}, .cancelled = 0};
    struct mcp_exchange *x[1000];
    struct str params = STR_INIT;
    int64_t begin;
    size_t n = 0;

    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_RESOURCES_LIST, NULL);
    scene_heard(s);
    begin = seams_mono_us(seams_real());
    for (size_t i = 0; i < ARRAY_LEN(x); i++) {
        str_clear(&params);
        str_puts(&params, "{\"notifications\":{\"resourceSubscriptions\":[");
        for (size_t k = 0; k < 50; k++)
            str_printf(&params, "%s\"troupe://a/u:%zu\"", k ? "," : "", k);
        str_puts(&params, "]}}");
        x[i] = scene_ask(s, i < 500 ? "p" : "q", "", MCP_LISTEN, str_cstr(&params));
    }
    for (const char *at = str_cstr(&s->heard); (at = strstr(at, "u:49\"]")); at++)
        n++;
    assert_int_equal(n, 200); /* the limit of each of the two is 5,000 */
    str_clear(&s->heard);
    for (size_t i = 0; i + 1 < ARRAY_LEN(x); i++)
        mcp_exchange_cancel(x[i]);
    assert_true(seams_mono_us(seams_real()) - begin < 5000000); /* it was minutes */
    scene_run(s, 100);
    mcp_exchange_cancel(x[ARRAY_LEN(x) - 1]);
    scene_run(s, 2000);
    assert_true(a.cancelled > 0 && a.cancelled < 200); /* listens to the server */
    scene_close(s);
    str_deinit(&params);
    fake_deinit(&a);
}

static void each_client_has_its_own_instance_where_that_is_asked(void **state)
{
    static const struct hub_source_limits limits = {.max_instances = 2};
    struct scene *s = *state;
    struct fake a = {.name = "a",
                     .lists = {"{\"tools\":[" TOOL("t") "]}"},
                     .answers = {"{\"content\":[]}", "{\"content\":[]}", "{\"content\":[]}",
                                 "{\"content\":[]}"}};

    scene_add(s, &a, &limits, true);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_ask(s, "q", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_run(s, 10);
    assert_int_equal(a.opened, 2);
    scene_ask(s, "r", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_run(s, 10);
    assert_int_equal(a.opened, 3);
    assert_int_equal(a.closed, 1);
    assert_string_equal(scene_heard(s), "complete {\"content\":[]}\ncomplete {\"content\":[]}\n"
                                        "complete {\"content\":[]}\ncomplete {\"content\":[]}\n");
    scene_close(s);
    fake_deinit(&a);
}

static void a_removed_server_ends_its_calls(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[" TOOL("t") "]}"}};
    struct fake slow = {.name = "slow", .is_slow_to_start = true};

    scene_add(s, &a, NULL, false);
    scene_add(s, &slow, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    hub_remove(s->hub, "a");
    assert_string_equal(scene_heard(s), "error -32603 the server was removed\n");
    hub_remove(s->hub, "slow");
    assert_string_equal(scene_heard(s), "complete {\"tools\":[]" TAIL);
    assert_int_equal(hub_size(s->hub), 0);
    scene_close(s);
    fake_deinit(&a);
    fake_deinit(&slow);
}

/* The answer to the fetch is the last that holds the server. */
static void a_server_is_removed_while_its_list_is_fetched(void **state)
{
    struct scene *s = *state;
    struct fake a = {.name = "a", .lists = {"{\"tools\":[]}"}, .never_answers = true};
    struct fake b = {.name = "b", .lists = {"{\"tools\":[]}"}, .never_answers = true};

    scene_add(s, &a, NULL, false);
    scene_add(s, &b, NULL, true);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    scene_run(s, 10);
    assert_non_null(a.open);
    assert_non_null(b.open);
    hub_remove(s->hub, "a");
    assert_int_equal(a.closed, 1);
    scene_close(s); /* the same with the end of the hub */
    assert_int_equal(b.closed, 1);
    fake_deinit(&a);
    fake_deinit(&b);
}

static void a_long_list_comes_in_pages(void **state)
{
    struct scene *s = *state;
    struct str list = STR_INIT, params = STR_INIT;
    struct fake a = {.name = "a"};
    char *cursor;

    scene_close(s);
    scene_open(s, &(struct hub_options){.page = 60});
    str_puts(&list, "{\"tools\":[");
    for (int i = 0; i < 100; i++)
        str_printf(&list, "%s{\"name\":\"t%02d\"}", i ? "," : "", i);
    str_puts(&list, "]}");
    a.lists[HUB_TOOLS] = str_cstr(&list);
    scene_add(s, &a, NULL, false);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    cursor = scene_between(scene_heard(s), "\"nextCursor\":\"", "\"");
    assert_null(strstr(str_cstr(&s->last), "a__t60"));
    str_printf(&params, "{\"cursor\":\"%s\"}", cursor);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, str_cstr(&params));
    scene_heard(s);
    assert_null(strstr(str_cstr(&s->last), "a__t59"));
    assert_non_null(strstr(str_cstr(&s->last), "a__t60"));
    assert_non_null(strstr(str_cstr(&s->last), "a__t99"));
    assert_null(strstr(str_cstr(&s->last), "nextCursor"));
    scene_ask(s, "p", "", MCP_TOOLS_LIST, "{\"cursor\":\"!\"}");
    assert_string_equal(scene_heard(s), "error -32602 the cursor is not one of this server\n");
    free(cursor);
    str_deinit(&list);
    str_deinit(&params);
    scene_close(s);
    fake_deinit(&a);
}

/* Kuadrant/mcp-gateway#1484 */
static void a_server_that_cannot_listen_stays_and_is_asked_again_after_its_ttl(void **state)
{
    struct scene *s = *state;
    struct fake a = {
        .name = "a", .lists = {"{\"tools\":[" TOOL("t") "],\"ttlMs\":200}"}, .cannot_listen = true};

    scene_add(s, &a, NULL, false);
    for (int i = 0; i < 3; i++) {
        scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
        assert_non_null(strstr(scene_heard(s), "a__t"));
    }
    assert_int_equal(a.fetched, 1);
    a.lists[HUB_TOOLS] = "{\"tools\":[" TOOL("new") "],\"ttlMs\":200}";
    scene_run(s, 250);
    scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
    assert_non_null(strstr(scene_heard(s), "a__new"));
    assert_int_equal(a.fetched, 2);
    assert_int_equal(a.opened, 1);
    scene_close(s);
    fake_deinit(&a);
}

#define LONG30 "aaaaaaaaaabbbbbbbbbbcccccccccc"

/* google-gemini/gemini-cli#28970: equal in the first and the last 30 characters. */
static void long_names_are_listed_and_called_each_as_its_own(void **state)
{
    static const char *const own[] = {LONG30 "-one-" LONG30, LONG30 "-two-" LONG30};
    struct scene *s = *state;
    struct str params = STR_INIT;
    char *shown[2][2];

    for (int start = 0; start < 2; start++) { /* the second one: after a restart */
        struct fake a = {.name = "a",
                         .lists = {"{\"tools\":[" TOOL(LONG30 "-one-" LONG30) "," TOOL(
                             LONG30 "-two-" LONG30) "]}"},
                         .always = "{\"content\":[]}"};

        if (start)
            scene_open(s, NULL);
        scene_add(s, &a, NULL, false);
        scene_ask(s, "p", "", MCP_TOOLS_LIST, NULL);
        scene_heard(s);
        shown[start][0] = scene_between(str_cstr(&s->last), "\"name\":\"", "\"");
        shown[start][1] = scene_between(strstr(str_cstr(&s->last), "},{"), "\"name\":\"", "\"");
        for (int i = 0; i < 2; i++) {
            assert_true(strlen(shown[start][i]) <= HUB_NAME_MAX);
            str_clear(&params);
            str_printf(&params, "{\"name\":\"%s\"}", shown[start][i]);
            scene_ask(s, "p", "", MCP_TOOLS_CALL, str_cstr(&params));
            assert_string_equal(scene_heard(s), "complete {\"content\":[]}\n");
            assert_true((strstr(str_cstr(&a.asked), own[0]) != NULL) !=
                        (strstr(str_cstr(&a.asked), own[1]) != NULL));
            if (i == 1 && start == 0)
                assert_string_not_equal(shown[0][0], shown[0][1]);
        }
        scene_close(s);
        fake_deinit(&a);
    }
    for (int i = 0; i < 2; i++) {
        assert_string_equal(shown[0][i], shown[1][i]);
        free(shown[0][i]);
        free(shown[1][i]);
    }
    str_deinit(&params);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_lists_of_all_servers_are_one_sorted_list),
        CASE(a_call_reaches_its_server_under_its_own_name),
        CASE(a_member_in_other_case_reaches_no_server),
        CASE(uris_name_their_server),
        CASE(a_state_of_a_server_is_sealed_for_the_client),
        CASE(a_cancelled_call_is_cancelled_at_its_server_alone),
        CASE(a_server_that_does_not_answer_costs_only_itself),
        CASE(a_call_with_endless_progress_ends),
        CASE(a_tool_is_looked_for_at_its_own_server_alone),
        CASE(a_server_that_ends_rests_and_starts_again),
        CASE(a_server_that_cannot_start_is_left_out),
        CASE(a_slow_server_is_left_out_of_a_list_and_reported_later),
        CASE(a_server_that_never_starts_delays_one_list),
        CASE(a_storm_of_changes_is_one_notification_and_two_fetches),
        CASE(a_server_that_reports_a_change_with_each_list_makes_no_loop),
        CASE(watched_resources_are_reported_to_those_who_watch),
        CASE(a_thousand_listeners_come_and_go),
        CASE(each_client_has_its_own_instance_where_that_is_asked),
        CASE(a_removed_server_ends_its_calls),
        CASE(a_server_is_removed_while_its_list_is_fetched),
        CASE(a_long_list_comes_in_pages),
        CASE(a_server_that_cannot_listen_stays_and_is_asked_again_after_its_ttl),
        CASE(long_names_are_listed_and_called_each_as_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
