/* test_mcp_client_http.c - Streamable HTTP of both eras, and the transport before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"
#include "mcp/rpc/rpc.h"
#include "tests/support/http_memory.h"

#define CALL "{\"name\":\"echo\",\"arguments\":{}}"

/* A server: one function from a request to its answer; texts are copied. */
struct server {
    struct world w;
    bool is_modern;
    int refusal; /* code for server/discover of a legacy server */
    const char *refusal_body;
    int n_sessions, n_lost; /* the session is lost n_lost times */
    const char *call;       /* result of tools/call and others */
    const char *tools;      /* result of tools/list */
    struct str text;
    char session[32];
    struct http_field fields[1];
};

static const char *field(const struct http_memory_request *q, const char *name)
{
    const char *v = http_field_value(q->fields, q->n_fields, name);

    return v ? v : "";
}

static void reply(struct server *s, const struct rpc_message *m, const char *result,
                  struct http_memory_reply *out)
{
    str_clear(&s->text);
    str_printf(&s->text, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}", (int)m->id.n, m->id.at,
               result);
    out->type = "application/json; charset=utf-8";
    out->body = str_cstr(&s->text);
}

static void discover(struct server *s, const struct rpc_message *m, struct http_memory_reply *out)
{
    if (s->is_modern) {
        reply(s, m,
              "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
              "\"resultType\":\"complete\"}",
              out);
        return;
    }
    out->code = s->refusal;
    out->type = "application/json";
    out->body = s->refusal_body ? s->refusal_body : "Bad Request: Server not initialized";
}

static void initialize(struct server *s, const struct rpc_message *m, struct http_memory_reply *out)
{
    reply(s, m, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}", out);
    (void)snprintf(s->session, sizeof(s->session), "session-%d", ++s->n_sessions);
    s->fields[0] = (struct http_field){"mcp-session-id", s->session};
    out->fields = s->fields;
    out->n_fields = 1;
}

static void serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out)
{
    struct server *s = ctx;
    struct rpc_message m;
    enum rpc_code code;

    if (strcmp(q->method, "POST") != 0) {
        out->code = 405;
        return;
    }
    assert_ok(rpc_read(q->body, q->body_bytes, STR_MAX_DEFAULT, &m, &code, why));
    if (!m.id.at || !m.method.at)
        out->code = 202;
    else if (json_view_is(m.method, "server/discover"))
        discover(s, &m, out);
    else if (json_view_is(m.method, "initialize"))
        initialize(s, &m, out);
    else if (!s->is_modern &&
             (strcmp(field(q, "mcp-session-id"), s->session) != 0 || s->n_lost > 0))
        out->code = s->n_lost-- > 0 ? 404 : 400;
    else
        reply(s, &m, json_view_is(m.method, "tools/list") && s->tools ? s->tools : s->call, out);
}

static void init(struct server *s, bool is_modern)
{
    *s = (struct server){.is_modern = is_modern, .refusal = 400, .call = "{\"content\":[]}"};
    world_init(&s->w, is_modern);
    world_over_http(&s->w);
    s->text = STR_INIT;
    http_memory_serve(s->w.memory, serve, s);
}

static void ready(struct server *s)
{
    world_start(&s->w);
    mcp_client_start(s->w.client);
    world_until_int(s->w.loop, (const int *)&s->w.state, MCP_CLIENT_READY);
    assert_int_equal(s->w.state, MCP_CLIENT_READY);
}

static void deinit(struct server *s)
{
    world_deinit(&s->w);
    str_deinit(&s->text);
}

/* The last request whose body has the text. */
static const struct http_memory_request *last(struct server *s, const char *text)
{
    for (int32_t i = http_memory_n_requests(s->w.memory); i-- > 0;) {
        const struct http_memory_request *q = http_memory_request(s->w.memory, i);

        if (strstr(q->body, text))
            return q;
    }
    fail_msg("no request has %s", text);
    return NULL;
}

static int count(struct server *s, const char *text)
{
    int n = 0;

    for (int32_t i = 0; i < http_memory_n_requests(s->w.memory); i++)
        n += strstr(http_memory_request(s->w.memory, i)->body, text) != NULL;
    return n;
}

static void ask(struct server *s, struct asked *a, enum mcp_method method, const char *params)
{
    world_ask_spec(&s->w, a, (struct mcp_exchange_spec){.method = method, .wants_progress = true},
                   params, NULL);
}

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
    struct server s;

    (void)state;
    init(&s, true);
    ready(&s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct http_memory_request *q;
        struct asked a;

        ask(&s, &a, cases[i].method, cases[i].params);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_COMPLETE);
        q = last(&s, mcp_method_facts(cases[i].method)->name);
        assert_string_equal(field(q, "mcp-name"), cases[i].name);
        assert_string_equal(field(q, "mcp-method"), mcp_method_facts(cases[i].method)->name);
        assert_string_equal(field(q, "mcp-protocol-version"), "2026-07-28");
        assert_string_equal(field(q, "accept"), "application/json, text/event-stream");
        assert_string_equal(field(q, "content-type"), "application/json");
        assert_string_equal(field(q, "mcp-session-id"), "");
        asked_deinit(&a);
    }
    deinit(&s);
}

#define TOOLS                                                                                      \
    "{\"tools\":[{\"name\":\"good\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"         \
    "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"                                \
    "\"deep\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-header\":"  \
    "\"N\"}}}}}},{\"name\":\"bad\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"array\","    \
    "\"x-mcp-header\":\"A\"}}}}]}"

static void arguments_are_repeated_in_fields_and_wrong_tools_are_left_out(void **state)
{
    struct server s;
    struct asked a;
    const struct http_memory_request *q;

    (void)state;
    init(&s, true);
    s.tools = TOOLS;
    ready(&s);
    /* The list is not known yet: it is fetched before the call. */
    ask(&s, &a, MCP_TOOLS_CALL,
        "{\"name\":\"good\",\"arguments\":{\"region\":\"\\u00e9\",\"deep\":{\"n\":-42}}}");
    world_answer(&s.w, &a);
    assert_int_equal(count(&s, "tools/list"), 1);
    q = last(&s, "tools/call");
    assert_string_equal(field(q, "mcp-param-region"), "=?base64?w6k=?=");
    assert_string_equal(field(q, "mcp-param-n"), "-42");
    asked_deinit(&a);
    ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"good\",\"arguments\":{\"region\":null}}");
    world_answer(&s.w, &a);
    assert_int_equal(count(&s, "tools/list"), 1);
    assert_string_equal(field(last(&s, "tools/call"), "mcp-param-region"), "");
    asked_deinit(&a);
    ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    assert_non_null(strstr(str_cstr(&a.result), "\"good\""));
    assert_null(strstr(str_cstr(&a.result), "\"bad\""));
    asked_deinit(&a);
    assert_int_equal(count(&s, "tools/list"), 2);
    ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"bad\"}");
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.message), "server: the tool \"bad\" has a wrong x-mcp-header");
    asked_deinit(&a);
    deinit(&s);
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
        struct server s;
        struct asked a;
        const struct http_memory_request *q;

        init(&s, false);
        s.refusal = cases[i].code;
        s.refusal_body = cases[i].body;
        ready(&s);
        assert_int_equal(mcp_client_facts(s.w.client).revision, cases[i].expected);
        ask(&s, &a, MCP_TOOLS_CALL, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_COMPLETE);
        q = last(&s, "tools/call");
        assert_string_equal(field(q, "mcp-session-id"), "session-1");
        assert_string_equal(field(q, "mcp-protocol-version"), "2025-11-25");
        assert_string_equal(field(q, "mcp-method"), "");
        assert_string_equal(field(last(&s, "\"initialize\""), "mcp-protocol-version"), "");
        asked_deinit(&a);
        deinit(&s);
    }
}

static void a_modern_error_keeps_the_server_modern(void **state)
{
    struct server s;

    (void)state;
    init(&s, true);
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .body_contains = "server/discover",
            .code = 400,
            .type = "application/json",
            .body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\","
                    "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"x\"}}}"});
    ready(&s);
    assert_int_equal(mcp_client_facts(s.w.client).revision, MCP_2026_07_28);
    assert_int_equal(count(&s, "server/discover"), 2);
    assert_int_equal(count(&s, "\"initialize\""), 0);
    deinit(&s);
}

static void no_connection_says_nothing_about_the_era(void **state)
{
    struct server s;

    (void)state;
    init(&s, true);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.fault = HTTP_MEMORY_REFUSE});
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_DOWN);
    assert_int_equal(count(&s, "\"initialize\""), 0);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    assert_int_equal(s.w.state, MCP_CLIENT_STARTING + 1);
    deinit(&s);
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
        struct server s;
        struct str body = STR_INIT;

        init(&s, false);
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
            assert_string_equal(last(&s, "notifications/initialized")->url,
                                "https://mcp.example/messages?s=1");
        }
        deinit(&s);
        str_deinit(&body);
    }
}

/* ---- streams */

static void notes_and_the_answer_come_on_the_stream_of_the_request(void **state)
{
    struct server s;
    struct asked a;

    (void)state;
    init(&s, true);
    ready(&s);
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .body_contains = "prompts/get",
            .type = "text/event-stream",
            .body = ": hello\n\n"
                    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                    "\"progressToken\":2,\"progress\":1}}\n\n"
                    "data: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"of\":\"another\"}}\n\n"
                    "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"messages\":[]}}\n\n"
                    "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"again\":1}}\n\n",
            .piece_bytes = 7});
    ask(&s, &a, MCP_PROMPTS_GET, CALL);
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.result), "{\"messages\":[]}");
    assert_string_equal(str_cstr(&a.notes), "{\"progress\":1}\n");
    assert_int_equal(mcp_client_counts(s.w.client).unknown, 1);
    asked_deinit(&a);
    deinit(&s);
}

static void a_stream_that_ends_without_the_answer_is_an_error(void **state)
{
    static const struct {
        int code;
        const char *type, *body, *message;
    } cases[] = {
        {200, "text/event-stream", ": nothing\n\n",
         "server: the server's answer ended without a response"},
        {200, "application/json", "[]", "server: the server's answer ended without a response"},
        {200, "text/html", "<html>", "server: the server's answer ended without a response"},
        {202, NULL, "", "server: the server's answer ended without a response"},
        {503, "text/html", "<html>", "server: the server answers with the code 503"},
        {400, "application/json",
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"bad\"}}", "bad"},
        {400, "application/json",
         "{\"jsonrpc\":\"2.0\",\"id\":77,\"error\":{\"code\":-32602,\"message\":\"other\"}}",
         "server: the server answers with the code 400"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server s;
        struct asked a;

        init(&s, true);
        ready(&s);
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "prompts/get",
                                                                  .code = cases[i].code,
                                                                  .type = cases[i].type,
                                                                  .body = cases[i].body});
        ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_ERROR);
        assert_string_equal(str_cstr(&a.message), cases[i].message);
        asked_deinit(&a);
        deinit(&s);
    }
}

static void a_legacy_stream_is_resumed_after_its_retry_time(void **state)
{
    struct server s;
    struct asked a;
    const struct http_memory_request *q = NULL;

    (void)state;
    init(&s, false);
    ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.body_contains = "tools/call",
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 20\ndata:\n\n"});
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .method = "GET",
            .type = "text/event-stream",
            .body = "id: e2\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"n\":1}}\n\n"});
    ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.result), "{\"n\":1}");
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++) {
        if (strcmp(http_memory_request(s.w.memory, i)->method, "GET") == 0)
            q = http_memory_request(s.w.memory, i);
    }
    assert_non_null(q);
    assert_string_equal(field(q, "last-event-id"), "e1");
    assert_string_equal(field(q, "mcp-session-id"), "session-1");
    assert_string_equal(field(q, "accept"), "text/event-stream");
    assert_int_equal(count(&s, "tools/call"), 1);
    asked_deinit(&a);
    deinit(&s);
}

static void resuming_has_an_end(void **state)
{
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.body_contains = "tools/call",
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata:\n\n"});
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .method = "GET", .times = -1, .type = "text/event-stream", .body = ":\n\n"});
    ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_in_range(http_memory_n_requests(s.w.memory), 10, 20);
    asked_deinit(&a);
    deinit(&s);
}

static void a_server_that_always_has_an_event_does_not_keep_us_busy(void **state)
{
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    s.w.spec.limits.call_ms = 300;
    ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.body_contains = "tools/call",
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata: {}\n\n"});
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.method = "GET",
                                                  .times = -1,
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata: {}\n\n"});
    ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_in_range(http_memory_n_requests(s.w.memory), 5, 25);
    asked_deinit(&a);
    deinit(&s);
}

static void what_comes_back_for_an_answer_is_no_message(void **state)
{
    static const char asks[] = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
                               "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n\n";
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    ready(&s);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "\"result\":{}",
                                                              .times = -1,
                                                              .type = "text/event-stream",
                                                              .body = asks});
    http_memory_reply(
        s.w.memory, &(struct http_memory_reply){
                        .body_contains = "tools/call", .type = "text/event-stream", .body = asks});
    ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 20);
    assert_int_equal(count(&s, "\"result\":{}"), 2);
    asked_deinit(&a);
    deinit(&s);
}

static void cancel_closes_a_modern_stream_and_is_a_note_to_a_legacy_server(void **state)
{
    (void)state;
    for (int modern = 0; modern < 2; modern++) {
        struct server s;
        struct asked a;

        init(&s, modern);
        ready(&s);
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "prompts/get",
                                                                  .fault = HTTP_MEMORY_NO_ANSWER});
        ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_wait(s.w.loop, 5);
        mcp_exchange_cancel(a.x);
        assert_true(a.is_cancelled);
        world_wait(s.w.loop, 5);
        assert_int_equal(count(&s, "notifications/cancelled"), modern ? 0 : 1);
        if (!modern)
            assert_non_null(last(&s, "{\"requestId\":3}"));
        asked_deinit(&a);
        deinit(&s);
    }
}

/* ---- sessions */

static void a_lost_session_begins_again_and_only_safe_requests_are_repeated(void **state)
{
    struct server s;
    struct asked list, call;

    (void)state;
    init(&s, false);
    ready(&s);
    s.n_lost = 1;
    ask(&s, &list, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &list);
    assert_int_equal(list.kind, MCP_COMPLETE);
    assert_int_equal(count(&s, "\"initialize\""), 2);
    assert_int_equal(count(&s, "tools/list"), 2);
    assert_string_equal(field(last(&s, "tools/list"), "mcp-session-id"), "session-2");
    s.n_lost = 1;
    ask(&s, &call, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &call);
    assert_string_equal(
        str_cstr(&call.message),
        "server: the server has ended the session; the request was not carried out");
    assert_int_equal(count(&s, "tools/call"), 1);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    world_wait(s.w.loop, 5);
    assert_int_equal(s.n_sessions, 3);
    assert_int_equal(s.w.state, MCP_CLIENT_READY);
    asked_deinit(&list);
    asked_deinit(&call);
    deinit(&s);
}

/* The stream outside requests belongs to a session. */
static void a_new_session_has_a_new_get_stream(void **state)
{
    struct server s;
    struct asked a;
    const char *last_session = "";
    int n = 0;

    (void)state;
    init(&s, false);
    ready(&s); /* GET is refused */
    s.n_lost = 1;
    ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 5);
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++) {
        const struct http_memory_request *q = http_memory_request(s.w.memory, i);

        if (strcmp(q->method, "GET") != 0)
            continue;
        last_session = field(q, "mcp-session-id");
        n++;
    }
    assert_int_equal(n, 2);
    assert_string_equal(last_session, "session-2");
    asked_deinit(&a);
    deinit(&s);
}

static void a_server_that_loses_every_session_makes_no_loop(void **state)
{
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    ready(&s);
    s.n_lost = 1000;
    ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_int_equal(count(&s, "\"initialize\""), 2);
    asked_deinit(&a);
    deinit(&s);
}

static void a_session_is_ended_when_the_client_stops(void **state)
{
    struct server s;
    const struct http_memory_request *q;

    (void)state;
    init(&s, false);
    ready(&s);
    mcp_client_stop(s.w.client);
    assert_int_equal(s.w.state, MCP_CLIENT_DOWN);
    world_wait(s.w.loop, 5);
    q = http_memory_request(s.w.memory, http_memory_n_requests(s.w.memory) - 1);
    assert_string_equal(q->method, "DELETE");
    assert_string_equal(field(q, "mcp-session-id"), "session-1");
    deinit(&s);
}

/* ---- input in the course of a call: the stream says of which */

static void a_request_belongs_to_the_call_of_its_stream(void **state)
{
    static const char elicit[] = "data: {\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":"
                                 "\"elicitation/create\",\"params\":{\"message\":\"?\"}}\n\n";
    struct server s;
    struct asked a, b, c;
    struct mcp_caller *bob = world_caller("bob", "", ALL_CAPABILITIES);
    char params[512];
    struct json_view text;

    (void)state;
    init(&s, false);
    ready(&s);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "second",
                                                              .fault = HTTP_MEMORY_NO_ANSWER});
    world_ask_spec(&s.w, &b, (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .caller = bob},
                   "{\"name\":\"second\"}", NULL);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "first",
                                                              .type = "text/event-stream",
                                                              .body = elicit,
                                                              .fault = HTTP_MEMORY_STALL,
                                                              .at = sizeof(elicit)});
    ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"first\"}");
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    text = json_view_get(json_view_str(&a.result), "requestState");
    (void)snprintf(params, sizeof(params),
                   "{\"name\":\"first\",\"requestState\":%.*s,\"inputResponses\":{\"input-1\":{"
                   "\"action\":\"decline\"}}}",
                   (int)text.n, text.at);
    ask(&s, &c, MCP_TOOLS_CALL, params);
    world_wait(s.w.loop, 5);
    assert_non_null(last(&s, "\"id\":\"e\",\"result\":{\"action\":\"decline\"}"));
    asked_deinit(&c);
    assert_false(b.is_done);
    asked_deinit(&a);
    asked_deinit(&b);
    mcp_caller_unref(bob);
    deinit(&s);
}

/* The answer to tools/list cannot be `input_required`. */
static void a_request_in_the_course_of_a_list_is_refused(void **state)
{
    static const char body[] = "data: {\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":"
                               "\"elicitation/create\",\"params\":{\"message\":\"?\"}}\n\n"
                               "data: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"tools\":[]}}\n\n";
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    ready(&s);
    http_memory_reply(
        s.w.memory, &(struct http_memory_reply){
                        .body_contains = "tools/list", .type = "text/event-stream", .body = body});
    ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 5);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_non_null(last(&s, "\"id\":\"e\",\"error\":{\"code\":-32601"));
    asked_deinit(&a);
    deinit(&s);
}

/* ---- sizes: TokenRhythm/opensquilla PR#953 */

static void answers_of_any_size_up_to_the_cap_are_whole(void **state)
{
    static const struct {
        size_t bytes;
        size_t piece;
        bool is_sse, fits;
    } cases[] = {
        {65535, 0, false, true},
        {65536, 0, false, true},
        {65537, 1000, false, true},
        {65537, 999, true, true},
        {(size_t)15 << 20, 65536, true, true},
        {(size_t)15 << 20, 65536, false, true},
        {(size_t)17 << 20, 65536, false, false},
        {(size_t)17 << 20, 65536, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server s;
        struct asked a;
        struct str body;

        init(&s, true);
        ready(&s);
        str_init(&body, (size_t)20 << 20);
        if (cases[i].is_sse)
            str_puts(&body, "data: ");
        str_puts(&body, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"text\":\"");
        while (body.len + 6 < cases[i].bytes)
            str_puts(&body, "\xe2\x82\xac"); /* a euro sign, cut by the pieces */
        str_puts(&body, "\"}}");
        if (cases[i].is_sse)
            str_puts(&body, "\n\n");
        http_memory_reply(s.w.memory,
                          &(struct http_memory_reply){
                              .body_contains = "prompts/get",
                              .type = cases[i].is_sse ? "text/event-stream" : "application/json",
                              .body = str_cstr(&body),
                              .body_bytes = body.len,
                              .piece_bytes = cases[i].piece});
        ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, cases[i].fits ? MCP_COMPLETE : MCP_ERROR);
        if (cases[i].fits)
            assert_in_range(a.result.len, cases[i].bytes - 60, cases[i].bytes);
        else
            assert_string_equal(str_cstr(&a.message),
                                "server: an answer of server has more than 16777216 bytes");
        asked_deinit(&a);
        deinit(&s);
        str_deinit(&body);
    }
}

/* ---- subscriptions: Kuadrant/mcp-gateway#1484 */

static void a_modern_server_without_subscriptions_stays_connected(void **state)
{
    struct server s;
    struct asked a;

    (void)state;
    init(&s, true);
    ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){
                          .body_contains = "subscriptions/listen", .times = -1, .code = 404});
    ask(&s, &a, MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    world_wait(s.w.loop, 100);
    assert_string_equal(str_cstr(&a.notes), "{\"notifications\":{}}\n");
    assert_false(a.is_done);
    assert_int_equal(count(&s, "subscriptions/listen"), 1);
    assert_int_equal(mcp_client_counts(s.w.client).starts, 1);
    asked_deinit(&a);
    deinit(&s);
}

static void a_legacy_server_without_a_get_stream_is_asked_once(void **state)
{
    struct server s;
    struct asked a, b;
    int n = 0;

    (void)state;
    init(&s, false);
    ready(&s);
    ask(&s, &a, MCP_LISTEN, "{\"notifications\":{}}");
    world_wait(s.w.loop, 10);
    ask(&s, &b, MCP_LISTEN, "{\"notifications\":{}}");
    world_wait(s.w.loop, 10);
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++)
        n += strcmp(http_memory_request(s.w.memory, i)->method, "GET") == 0;
    assert_int_equal(n, 1); /* when it was ready */
    assert_int_equal(a.n_notes, 1);
    asked_deinit(&a);
    asked_deinit(&b);
    deinit(&s);
}

static void notes_come_on_the_get_stream(void **state)
{
    static const char body[] = "data: {\"jsonrpc\":\"2.0\",\"method\":"
                               "\"notifications/tools/list_changed\"}\n\n:\n";
    struct server s;
    struct asked a;

    (void)state;
    init(&s, false);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "GET",
                                                              .type = "text/event-stream",
                                                              .body = body,
                                                              .fault = HTTP_MEMORY_STALL,
                                                              .at = sizeof(body) - 2});
    ready(&s);
    ask(&s, &a, MCP_LISTEN, "{\"notifications\":{}}");
    world_until_int(s.w.loop, &s.w.n_changed, 1);
    asked_deinit(&a);
    deinit(&s);
}

/* Each answer is a connection, and those of all servers together are limited. */
static void a_server_that_pings_without_end_gets_a_bounded_number_of_answers(void **state)
{
    struct server s;
    struct str body = STR_INIT;
    struct asked a;

    (void)state;
    init(&s, false);
    for (int i = 0; i < 1000; i++)
        str_printf(&body, "data: {\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}\n\n", i);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "POST",
                                                              .body_contains = "\"result\":{}",
                                                              .times = -1,
                                                              .code = 202,
                                                              .head_ms = 60000});
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "GET",
                                                              .type = "text/event-stream",
                                                              .body = str_cstr(&body),
                                                              .fault = HTTP_MEMORY_STALL,
                                                              .at = body.len - 1});
    ready(&s);
    world_wait(s.w.loop, 50);
    ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_int_equal(count(&s, "\"result\":{}"), 64);
    asked_deinit(&a);
    deinit(&s);
    str_deinit(&body);
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

    if (strcmp(field(q, "authorization"), "Bearer good") == 0) {
        serve(ctx, q, out);
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
        struct server s;
        struct gate g = {.refuses = refuses};
        const struct mcp_client_auth auth = {
            .ctx = &g, .header = header, .answer = answer, .cancel = stop_waiting};

        init(&s, true);
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
        deinit(&s);
    }
}

static void a_client_may_end_while_it_waits_for_authorization(void **state)
{
    struct server s;
    struct gate g = {.refuses = true};
    const struct mcp_client_auth auth = {
        .ctx = &g, .header = header, .answer = answer, .cancel = stop_waiting};

    (void)state;
    init(&s, true);
    g.loop = s.w.loop;
    s.w.spec.auth = &auth;
    http_memory_serve(s.w.memory, serve_gate, &s);
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, &g.n_challenges, 1);
    deinit(&s);
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
        cmocka_unit_test(notes_and_the_answer_come_on_the_stream_of_the_request),
        cmocka_unit_test(a_stream_that_ends_without_the_answer_is_an_error),
        cmocka_unit_test(a_legacy_stream_is_resumed_after_its_retry_time),
        cmocka_unit_test(resuming_has_an_end),
        cmocka_unit_test(what_comes_back_for_an_answer_is_no_message),
        cmocka_unit_test(a_server_that_always_has_an_event_does_not_keep_us_busy),
        cmocka_unit_test(cancel_closes_a_modern_stream_and_is_a_note_to_a_legacy_server),
        cmocka_unit_test(a_lost_session_begins_again_and_only_safe_requests_are_repeated),
        cmocka_unit_test(a_new_session_has_a_new_get_stream),
        cmocka_unit_test(a_server_that_loses_every_session_makes_no_loop),
        cmocka_unit_test(a_session_is_ended_when_the_client_stops),
        cmocka_unit_test(a_request_belongs_to_the_call_of_its_stream),
        cmocka_unit_test(a_request_in_the_course_of_a_list_is_refused),
        cmocka_unit_test(answers_of_any_size_up_to_the_cap_are_whole),
        cmocka_unit_test(a_modern_server_without_subscriptions_stays_connected),
        cmocka_unit_test(a_legacy_server_without_a_get_stream_is_asked_once),
        cmocka_unit_test(notes_come_on_the_get_stream),
        cmocka_unit_test(a_server_that_pings_without_end_gets_a_bounded_number_of_answers),
        cmocka_unit_test(a_challenge_is_answered_and_the_request_sent_again),
        cmocka_unit_test(a_client_may_end_while_it_waits_for_authorization),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
