/* test_mcp_client_http.c - requests over Streamable HTTP of both eras, the transport before it,
 * authorization.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_site.h"

/* ---- header fields */

static void modern_requests_repeat_what_they_ask_for_in_fields(void **state)
{
    static const struct {
        enum mcp_method method;
        const char *params, *name;
    } cases[] = {
        {MCP_PROMPTS_GET, "{\"name\":\"plain name\"}", "plain name"},
        {MCP_RESOURCES_READ, "{\"uri\":\"file:///a\"}", "file:///a"},
        {MCP_TASKS_GET, "{\"taskId\":\"t1\"}", "t1"},
        {MCP_PROMPTS_GET, "{\"name\":\"caf\\u00e9\"}", "=?base64?Y2Fmw6k=?="},
        {MCP_PROMPTS_GET, "{\"name\":\" blank\"}", "=?base64?IGJsYW5r?="},
        {MCP_PROMPTS_GET, "{\"name\":\"=?base64?YQ==?=\"}", "=?base64?PT9iYXNlNjQ/WVE9PT89?="},
        {MCP_PROMPTS_GET, "{\"name\":\"a\\nb\"}", "=?base64?YQpi?="},
        {MCP_PROMPTS_LIST, "{\"name\":\"x\"}", ""},
    };
    struct site s;

    (void)state;
    site_init(&s, true);
    site_ready(&s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct http_memory_request *q;
        struct asked a;

        site_ask(&s, &a, cases[i].method, cases[i].params);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_COMPLETE);
        q = site_last(&s, mcp_method_facts(cases[i].method)->name);
        assert_string_equal(site_field(q, "mcp-name"), cases[i].name);
        assert_string_equal(site_field(q, "mcp-method"), mcp_method_facts(cases[i].method)->name);
        assert_string_equal(site_field(q, "mcp-protocol-version"), "2026-07-28");
        assert_string_equal(site_field(q, "accept"), "application/json, text/event-stream");
        assert_string_equal(site_field(q, "content-type"), "application/json");
        assert_string_equal(site_field(q, "mcp-session-id"), "");
        asked_deinit(&a);
    }
    site_deinit(&s);
}

#define TOOLS                                                                                      \
    "{\"tools\":[{\"name\":\"good\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"         \
    "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"                                \
    "\"deep\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-header\":"  \
    "\"N\"}}}}}},{\"name\":\"bad\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"array\","    \
    "\"x-mcp-header\":\"A\"}}}}]}"

static void arguments_are_repeated_in_fields_and_wrong_tools_are_left_out(void **state)
{
    struct site s;
    struct asked a;
    const struct http_memory_request *q;

    (void)state;
    site_init(&s, true);
    s.tools = TOOLS;
    site_ready(&s);
    /* The list is not known yet: it is fetched before the call. */
    site_ask(&s, &a, MCP_TOOLS_CALL,
             "{\"name\":\"good\",\"arguments\":{\"region\":\"\\u00e9\",\"deep\":{\"n\":-42}}}");
    world_answer(&s.w, &a);
    assert_int_equal(site_count(&s, "tools/list"), 1);
    q = site_last(&s, "tools/call");
    assert_string_equal(site_field(q, "mcp-param-region"), "=?base64?w6k=?=");
    assert_string_equal(site_field(q, "mcp-param-n"), "-42");
    asked_deinit(&a);
    site_ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"good\",\"arguments\":{\"region\":null}}");
    world_answer(&s.w, &a);
    assert_int_equal(site_count(&s, "tools/list"), 1);
    assert_string_equal(site_field(site_last(&s, "tools/call"), "mcp-param-region"), "");
    asked_deinit(&a);
    site_ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    assert_non_null(strstr(str_cstr(&a.result), "\"good\""));
    assert_null(strstr(str_cstr(&a.result), "\"bad\""));
    asked_deinit(&a);
    assert_int_equal(site_count(&s, "tools/list"), 2);
    site_ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"bad\"}");
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.message), "server: the tool \"bad\" has a wrong x-mcp-header");
    asked_deinit(&a);
    site_deinit(&s);
}

/* ---- the era */

static void a_legacy_server_is_found_whatever_it_says_to_discover(void **state)
{
    static const struct {
        int code;
        const char *body;
        enum mcp_revision expected;
    } cases[] = {
        {400, NULL, MCP_2025_11_25},
        {400, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\"}}",
         MCP_2025_11_25},
        {404, "not found", MCP_2025_11_25},
        {200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}",
         MCP_2025_11_25},
        {200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"no\"}}",
         MCP_2025_11_25},
        {200, "<html>", MCP_2025_11_25},
        {500, "oops", MCP_2025_11_25},
        {400,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{"
         "\"supported\":[\"2025-11-25\"]}}}",
         MCP_2025_11_25},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        struct asked a;
        const struct http_memory_request *q;

        site_init(&s, false);
        s.refusal = cases[i].code;
        s.refusal_body = cases[i].body;
        site_ready(&s);
        assert_int_equal(mcp_client_facts(s.w.client).revision, cases[i].expected);
        site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_COMPLETE);
        q = site_last(&s, "tools/call");
        assert_string_equal(site_field(q, "mcp-session-id"), "session-1");
        assert_string_equal(site_field(q, "mcp-protocol-version"), "2025-11-25");
        assert_string_equal(site_field(q, "mcp-method"), "");
        assert_string_equal(site_field(site_last(&s, "\"initialize\""), "mcp-protocol-version"),
                            "");
        asked_deinit(&a);
        site_deinit(&s);
    }
}

static void a_modern_error_keeps_the_server_modern(void **state)
{
    struct site s;

    (void)state;
    site_init(&s, true);
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .body_contains = "server/discover",
            .code = 400,
            .type = "application/json",
            .body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\","
                    "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"x\"}}}"});
    site_ready(&s);
    assert_int_equal(mcp_client_facts(s.w.client).revision, MCP_2026_07_28);
    assert_int_equal(site_count(&s, "server/discover"), 2);
    assert_int_equal(site_count(&s, "\"initialize\""), 0);
    site_deinit(&s);
}

static void no_connection_says_nothing_about_the_era(void **state)
{
    struct site s;

    (void)state;
    site_init(&s, true);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_REFUSE});
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_DOWN);
    assert_int_equal(site_count(&s, "\"initialize\""), 0);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    assert_int_equal(s.w.state, MCP_CLIENT_STARTING + 1);
    site_deinit(&s);
}

/* ---- HTTP+SSE */

#define PAD "                                                                                "

static void the_transport_of_2024_is_the_last_that_is_tried(void **state)
{
    static const struct {
        const char *endpoint;
        bool is_ready;
        const char *fault;
    } cases[] = {
        {"/messages?s=1", true, ""},
        {"https://mcp.example/messages?s=1", true, ""},
        {"https://evil.example/messages", false,
         "the server wants messages at https://evil.example, which is not its own origin"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        struct str body = STR_INIT;

        site_init(&s, false);
        str_printf(&body, "event: endpoint\ndata: %s\n\n", cases[i].endpoint);
        /* Ids: 1 discover, 2 initialize, 3 initialize again, over this stream. */
        while (body.len < 120)
            str_puts(&body, ":\n");
        str_puts(&body, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{"
                        "\"protocolVersion\":\"2024-11-05\",\"capabilities\":{}}}\n\n");
        http_memory_reply(
            s.w.memory,
            &(struct http_memory_reply){
                .method = "POST", .url = "https://mcp.example/mcp", .times = -1, .code = 405});
        http_memory_reply(
            s.w.memory,
            &(struct http_memory_reply){
                .method = "POST", .url = "https://mcp.example/mess", .times = -1, .code = 202});
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "GET",
                                                                  .type = "text/event-stream",
                                                                  .body = str_cstr(&body),
                                                                  .piece_bytes = 110,
                                                                  .piece_ms = 10,
                                                                  .fault = HTTP_MEMORY_STALL,
                                                                  .at = body.len});
        world_start(&s.w);
        mcp_client_start(s.w.client);
        world_until_int(s.w.loop, (const int *)&s.w.state,
                        cases[i].is_ready ? MCP_CLIENT_READY : MCP_CLIENT_DOWN);
        assert_string_equal(mcp_client_facts(s.w.client).fault, cases[i].fault);
        if (cases[i].is_ready) {
            assert_int_equal(mcp_client_facts(s.w.client).revision, MCP_2024_11_05);
            assert_int_equal(mcp_client_facts(s.w.client).transport, MCP_OVER_HTTP_SSE);
            world_wait(s.w.loop, 5);
            assert_string_equal(site_last(&s, "notifications/initialized")->url,
                                "https://mcp.example/messages?s=1");
        }
        site_deinit(&s);
        str_deinit(&body);
    }
}

/* ---- authorization */

struct gate {
    struct loop *loop;
    struct loop_timer *timer;
    void (*done)(void *arg, bool again, const struct error *err);
    void *arg;
    int n_challenges;
    bool has_token, refuses;
};

static const char *header(void *ctx)
{
    const struct gate *g = ctx;

    return g->has_token ? "Bearer good" : NULL;
}

static void on_token(void *ctx)
{
    struct gate *g = ctx;
    struct error err = ERROR_INIT;

    loop_timer_free(g->timer);
    g->timer = NULL;
    g->has_token = !g->refuses;
    (void)error_set(&err, STATUS_REJECTED, "log in first");
    g->done(g->arg, g->has_token, &err);
}

static void *answer(void *ctx, const struct mcp_client_challenge *c,
                    void (*done)(void *arg, bool again, const struct error *err), void *arg)
{
    struct gate *g = ctx;

    assert_int_equal(c->code, 401);
    assert_string_equal(http_field_value(c->fields, c->n_fields, "www-authenticate"), "Bearer x");
    assert_null(c->used);
    g->n_challenges++;
    g->done = done;
    g->arg = arg;
    g->timer = loop_timer_new(g->loop, 1, on_token, g);
    return g;
}

static void stop_waiting(void *ctx, void *wait)
{
    struct gate *g = ctx;

    assert_ptr_equal(wait, g);
    loop_timer_free(g->timer);
    g->timer = NULL;
}

static void serve_gate(void *ctx, const struct http_memory_request *q,
                       struct http_memory_reply *out)
{
    static const struct http_field challenge = {"www-authenticate", "Bearer x"};

    if (strcmp(site_field(q, "authorization"), "Bearer good") == 0) {
        site_serve(ctx, q, out);
        return;
    }
    out->code = 401;
    out->fields = &challenge;
    out->n_fields = 1;
}

static void a_challenge_is_answered_and_the_request_sent_again(void **state)
{
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        struct site s;
        struct gate g = {.refuses = refuses};
        const struct mcp_client_auth auth = {
            .ctx = &g, .header = header, .answer = answer, .cancel = stop_waiting};

        site_init(&s, true);
        g.loop = s.w.loop;
        s.w.spec.auth = &auth;
        http_memory_serve(s.w.memory, serve_gate, &s);
        world_start(&s.w);
        mcp_client_start(s.w.client);
        world_until_int(s.w.loop, (const int *)&s.w.state,
                        refuses ? MCP_CLIENT_DOWN : MCP_CLIENT_READY);
        assert_int_equal(g.n_challenges, 1);
        if (refuses)
            assert_string_equal(mcp_client_facts(s.w.client).fault, "log in first");
        else
            assert_int_equal(s.w.state, MCP_CLIENT_READY);
        site_deinit(&s);
    }
}

static void a_client_may_end_while_it_waits_for_authorization(void **state)
{
    struct site s;
    struct gate g = {.refuses = true};
    const struct mcp_client_auth auth = {
        .ctx = &g, .header = header, .answer = answer, .cancel = stop_waiting};

    (void)state;
    site_init(&s, true);
    g.loop = s.w.loop;
    s.w.spec.auth = &auth;
    http_memory_serve(s.w.memory, serve_gate, &s);
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, &g.n_challenges, 1);
    site_deinit(&s);
    assert_null(g.timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modern_requests_repeat_what_they_ask_for_in_fields),
        cmocka_unit_test(arguments_are_repeated_in_fields_and_wrong_tools_are_left_out),
        cmocka_unit_test(a_legacy_server_is_found_whatever_it_says_to_discover),
        cmocka_unit_test(a_modern_error_keeps_the_server_modern),
        cmocka_unit_test(no_connection_says_nothing_about_the_era),
        cmocka_unit_test(the_transport_of_2024_is_the_last_that_is_tried),
        cmocka_unit_test(a_challenge_is_answered_and_the_request_sent_again),
        cmocka_unit_test(a_client_may_end_while_it_waits_for_authorization),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
