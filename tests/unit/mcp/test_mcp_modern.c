/* test_mcp_modern.c - requests of 2026-07-28 over HTTP: what is refused and how, streams,
 * subscriptions, cancellation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "endpoint_world.h"

#define ERROR(id, code, message)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\"}" \
    "}"
#define V "\"io.modelcontextprotocol/protocolVersion\":"
#define C "\"io.modelcontextprotocol/clientCapabilities\":"
#define DISCOVER(id, meta)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"server/discover\",\"params\":{" meta "}}"
#define REVISIONS "[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]"
#define UNSUPPORTED(id, requested)                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":-32022,\"message\":\"this protocol "   \
    "version is not supported in this form\",\"data\":{\"supported\":" REVISIONS                   \
    ",\"requested\":" requested "}}}"
#define TEXT(id, text)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" id                                                              \
    ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text                                \
    "\"}],\"resultType\":\"complete\"," INFO "}}"

/* One request, one plain reply. */
struct row {
    const char *name, *method, *fields, *body;
    int code;
    const char *reply; /* NULL: whatever it is */
};

static const struct row rows[] = {
    {"GET", "GET", JSON_FIELDS, NULL, 405, NULL},
    {"DELETE", "DELETE", JSON_FIELDS, NULL, 405, NULL},
    {"PUT", "PUT", JSON_FIELDS, "{}", 405, NULL},
    {"no content type", "POST", "Accept: application/json, text/event-stream\r\n", "{}", 415,
     ERROR("null", "-32600", "Content-Type must be application/json")},
    {"a form", "POST", "Content-Type: text/plain\r\nAccept: */*\r\n", "{}", 415, NULL},
    {"no Accept", "POST", "Content-Type: application/json\r\n", "{}", 406,
     ERROR("null", "-32600", "Accept must list application/json and text/event-stream")},
    {"half an Accept", "POST", "Content-Type: application/json\r\nAccept: application/json\r\n",
     "{}", 406, NULL},
    {"any Accept, a charset", "POST",
     "Content-Type: Application/JSON; charset=utf-8\r\nAccept: */*\r\n", "[]", 400,
     ERROR("null", "-32600", "batches are not part of MCP")},
    {"not JSON", "POST", JSON_FIELDS, "{", 400, NULL},
    {"a batch", "POST", JSON_FIELDS, "[" DISCOVER("1", META("")) "]", 400,
     ERROR("null", "-32600", "batches are not part of MCP")},
    {"an id of null", "POST", MODERN_FIELDS("server/discover"), DISCOVER("null", META("")), 400,
     ERROR("null", "-32600", "\\\"id\\\" must be a string or an integer")},
    {"an id with a fraction", "POST", MODERN_FIELDS("server/discover"), DISCOVER("1.5", META("")),
     400, NULL},
    {"a key twice", "POST", MODERN_FIELDS("server/discover"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"method\":\"x\"}", 400, NULL},
    {"a key in capitals", "POST", MODERN_FIELDS("server/discover"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"METHOD\":\"server/discover\"}", 400,
     ERROR("1", "-32600", "\\\"method\\\" must be a string")},
    {"no _meta", "POST", MODERN_FIELDS("server/discover"), DISCOVER("7", ""), 400,
     ERROR("7", "-32602",
           "\\\"_meta\\\" is missing in params; it needs "
           "\\\"io.modelcontextprotocol/protocolVersion\\\" and "
           "\\\"io.modelcontextprotocol/clientCapabilities\\\"")},
    {"no version", "POST", MODERN_FIELDS("server/discover"), DISCOVER("7", "\"_meta\":{" C "{}}"),
     400,
     ERROR("7", "-32602", "_meta needs \\\"io.modelcontextprotocol/protocolVersion\\\", a string")},
    {"no capabilities", "POST", MODERN_FIELDS("server/discover"),
     DISCOVER("7", "\"_meta\":{" V "\"2026-07-28\"}"), 400,
     ERROR("7", "-32602",
           "_meta needs \\\"io.modelcontextprotocol/clientCapabilities\\\", an object")},
    {"a log level that is none", "POST", MODERN_FIELDS("server/discover"),
     DISCOVER("7", META(",\"io.modelcontextprotocol/logLevel\":\"loud\"")), 400,
     ERROR("7", "-32602", "\\\"io.modelcontextprotocol/logLevel\\\" is not a log level")},
    {"a progress token of null", "POST", MODERN_FIELDS("server/discover"),
     DISCOVER("7", META(",\"progressToken\":null")), 400, NULL},
    {"no version header", "POST", JSON_FIELDS "Mcp-Method: server/discover\r\n",
     DISCOVER("7", META("")), 400,
     ERROR("7", "-32020", "the header MCP-Protocol-Version is missing")},
    {"another version header", "POST",
     JSON_FIELDS "MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: server/discover\r\n",
     DISCOVER("7", META("")), 400,
     ERROR("7", "-32020", "the header MCP-Protocol-Version does not agree with the body")},
    {"a version header twice", "POST",
     MODERN_FIELDS("server/discover") "MCP-Protocol-Version: 2026-07-28\r\n",
     DISCOVER("7", META("")), 400,
     ERROR("7", "-32020", "the header MCP-Protocol-Version is there twice")},
    {"no method header", "POST", JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\n",
     DISCOVER("7", META("")), 400, ERROR("7", "-32020", "the header Mcp-Method is missing")},
    {"a method header in capitals", "POST", MODERN_FIELDS("Server/Discover"),
     DISCOVER("7", META("")), 400,
     ERROR("7", "-32020", "the header Mcp-Method does not agree with the body")},
    {"no name header", "POST", MODERN_FIELDS("tools/call"), CALL("7", "echo", ""), 400,
     ERROR("7", "-32020", "the header Mcp-Name is missing")},
    {"another name header", "POST", CALL_FIELDS("Echo"), CALL("7", "echo", ""), 400,
     ERROR("7", "-32020", "the header Mcp-Name does not agree with the body")},
    {"raw UTF-8 in a name header", "POST", CALL_FIELDS("\xc3\xa9"), CALL("7", "\xc3\xa9", ""), 400,
     ERROR("7", "-32020", "the header Mcp-Name does not agree with the body")},
    {"base64 in a name header", "POST", CALL_FIELDS("=?base64?ZWNobw==?="),
     CALL("\"s\"", "echo", ""), 200, TEXT("\"s\"", "null")},
    {"bad base64 in a name header", "POST", CALL_FIELDS("=?base64?ZWNobw?="), CALL("7", "echo", ""),
     400, NULL},
    {"an unknown version", "POST",
     JSON_FIELDS "MCP-Protocol-Version: 2031-01-01\r\nMcp-Method: server/discover\r\n",
     DISCOVER("7", "\"_meta\":{" V "\"2031-01-01\"," C "{}}"), 400,
     UNSUPPORTED("7", "\"2031-01-01\"")},
    {"a legacy version", "POST",
     JSON_FIELDS "MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: server/discover\r\n",
     DISCOVER("7", "\"_meta\":{" V "\"2025-11-25\"," C "{}}"), 400,
     UNSUPPORTED("7", "\"2025-11-25\"")},
    {"an unknown method", "POST", MODERN_FIELDS("x/y"),
     "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"x/y\",\"params\":{" META("") "}}", 404,
     ERROR("\"q\"", "-32601", "there is no such method")},
    {"a method of legacy", "POST", MODERN_FIELDS("ping"),
     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\",\"params\":{" META("") "}}", 404,
     ERROR("2", "-32601", "there is no such method")},
    {"a request of servers", "POST", MODERN_FIELDS("roots/list"),
     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\",\"params\":{" META("") "}}", 404,
     NULL},
    {"a method that the handler does not know", "POST", MODERN_FIELDS("prompts/list"),
     "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"prompts/list\",\"params\":{" META("") "}}", 404,
     ERROR("2", "-32601", "there is no such method")},
    {"an answer", "POST", JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\n",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 400, NULL},
    {"a notification", "POST", JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\n",
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", 202, ""},
    {"an error of a handler", "POST", CALL_FIELDS("fail"), CALL("3", "fail", ""), 200,
     ERROR("3", "-32602", "bad \\\"thing\\\"")},
    {"a missing capability", "POST", CALL_FIELDS("needy"), CALL("3", "needy", ""), 400,
     "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32021,\"message\":\"the client lacks a "
     "capability that this request "
     "needs\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}}"},
    {"discover", "POST", MODERN_FIELDS("server/discover"), DISCOVER("1", META("")), 200,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capabilities\":{\"tools\":{},\"extensions\":{}},"
     "\"resultType\":\"complete\"," INFO
     ",\"ttlMs\":0,\"cacheScope\":\"private\",\"supportedVersions\":" REVISIONS "}}"},
    {"a list", "POST", MODERN_FIELDS("tools/list"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META("") "}}", 200,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"echo\"}],\"resultType\":"
     "\"complete\"," INFO ",\"ttlMs\":0,\"cacheScope\":\"private\"}}"},
    {"a call", "POST", CALL_FIELDS("echo"),
     CALL("9007199254740993", "echo", "\"arguments\":{\"a\":[1]},"), 200,
     TEXT("9007199254740993", "{\\\"a\\\":[1]}")},
    {"a request for input", "POST", CALL_FIELDS("ask"), CALL("1", "ask", ""), 200,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"inputRequests\":{\"a\":{\"method\":"
     "\"elicitation/create\",\"params\":{\"message\":\"A?\"}},\"b\":{\"method\":\"roots/list\"}},"
     "\"requestState\":\"s1\",\"resultType\":\"input_required\"," INFO "}}"},
};

static void each_request_has_its_reply(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct client *c = client_new(w);

        client_send(c, r->method, r->fields, r->body);
        if (client_code(c) != r->code)
            fail_msg("%s: %d, %s", r->name, client_code(c), client_body(c));
        if (r->reply && strcmp(client_body(c), r->reply) != 0)
            fail_msg("%s: %s\nexpected %s", r->name, str_cstr(&c->body), r->reply);
        client_free(c);
    }
}

static void deep_and_long_messages_are_refused(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);
    struct str deep = STR_INIT;

    str_puts(&deep, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":");
    for (int i = 0; i < 100; i++)
        str_putc(&deep, '[');
    for (int i = 0; i < 100; i++)
        str_putc(&deep, ']');
    str_puts(&deep, "}}");
    client_send(c, "POST", MODERN_FIELDS("x"), str_cstr(&deep));
    assert_int_equal(client_code(c), 400);
    client_free(c);
    str_deinit(&deep);
    c = client_new(w);
    client_send(c, "POST", MODERN_FIELDS("x") "Content-Length: 4194305\r\n", NULL);
    assert_int_equal(client_code(c), 413);
    client_free(c);
}

static void the_handler_gets_no_metadata_of_the_protocol(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(c, "POST", CALL_FIELDS("echo"),
                CALL("1", "echo", "\"inputResponses\":{},\"requestState\":\"x\","));
    assert_string_equal(str_cstr(&w->heard),
                        "{\"name\":\"echo\",\"inputResponses\":{},\"requestState\":\"x\"}");
    client_free(c);
    c = client_new(w);
    client_send(c, "POST", CALL_FIELDS("echo"),
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                "call\",\"params\":{\"name\":\"echo\"," META(
                    ",\"progressToken\":1,\"traceparent\":\"00-1\"") "}}");
    assert_string_equal(str_cstr(&w->heard),
                        "{\"name\":\"echo\",\"_meta\":{\"traceparent\":\"00-1\"}}");
    client_free(c);
}

#define NOTE_CALL(meta)                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":\"n\",\"method\":\"tools/"                                        \
    "call\",\"params\":{\"name\":\"note\"," META(meta) "}}"

static void a_notification_makes_a_stream_of_the_answer(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(
        c, "POST", CALL_FIELDS("note"),
        NOTE_CALL(",\"progressToken\":\"t\",\"io.modelcontextprotocol/logLevel\":\"debug\""));
    assert_int_equal(client_code(c), 200);
    assert_string_equal(client_field(c, "content-type"), "text/event-stream");
    assert_string_equal(client_field(c, "x-accel-buffering"), "no");
    assert_null(client_field(c, "mcp-session-id"));
    assert_string_equal(
        client_body(c),
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":"
        "1,\"progressToken\":\"t\"}}\n\n"
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
        "\"info\", \"data\":1}}\n\n");
    world_finish(w->open[0], "{\"content\":[]}");
    assert_non_null(strstr(client_body(c),
                           "data: {\"jsonrpc\":\"2.0\",\"id\":\"n\",\"result\":{\"content\":[],"
                           "\"resultType\":\"complete\"," INFO "}}\n\n"));
    assert_non_null(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n"));
    client_free(c);
}

static void nothing_is_sent_that_was_not_asked_for(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(c, "POST", CALL_FIELDS("note"), NOTE_CALL(""));
    assert_int_equal(client_code(c), 0);
    world_finish(w->open[0], "{\"content\":[]}");
    assert_int_equal(client_code(c), 200);
    assert_string_equal(client_field(c, "content-type"), "application/json");
    client_free(c);
}

static void a_client_that_leaves_has_cancelled(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(c, "POST", CALL_FIELDS("hold"), CALL("1", "hold", ""));
    assert_int_equal(w->n_open, 1);
    client_free(c);
    assert_int_equal(w->n_cancelled, 1);
    c = client_new(w);
    client_send(c, "POST", CALL_FIELDS("note"), NOTE_CALL(",\"progressToken\":1"));
    assert_int_equal(client_code(c), 200);
    client_free(c);
    assert_int_equal(w->n_cancelled, 2);
    assert_int_equal(mcp_server_counts(w->server).calls, 0);
    assert_int_equal(mcp_server_counts(w->server).streams, 0);
}

/* 200 clients with the same id: each gets its own answer, in any order. */
static void answers_do_not_cross(void **state)
{
    struct world *w = *state;
    struct client *c[200];

    for (int i = 0; i < 200; i++) {
        c[i] = client_new(w);
        client_send(c[i], "POST", CALL_FIELDS("hold"), CALL("0", "hold", ""));
    }
    assert_int_equal(w->n_open, 200);
    for (int i = 199; i >= 0; i--) { /* the i-th is the i-th client's */
        struct mcp_exchange *x = w->open[i];
        char result[64];

        (void)snprintf(result, sizeof(result), "{\"content\":[],\"marker\":%d}", i);
        world_finish(x, result);
    }
    for (int i = 0; i < 200; i++) {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "\"marker\":%d,", i);
        assert_int_equal(client_code(c[i]), 200);
        assert_non_null(strstr(client_body(c[i]), expected));
        client_free(c[i]);
    }
}

#define LISTEN                                                                                     \
    "{\"jsonrpc\":\"2.0\",\"id\":\"sub\",\"method\":\"subscriptions/listen\",\"params\":{"         \
    "\"notifications\":{\"toolsListChanged\":true}," META("") "}}"
#define SUBSCRIBED "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"sub\"}"

static void a_subscription_is_a_stream_that_ends_in_a_result(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(c, "POST", MODERN_FIELDS("subscriptions/listen"), LISTEN);
    world_note(w->open[0], MCP_TOOLS_CHANGED, NULL);
    assert_string_equal(
        client_body(c),
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
        "\"params\":{\"notifications\":{\"toolsListChanged\":true}," SUBSCRIBED "}}\n\n"
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":"
        "{" SUBSCRIBED "}}\n\n");
    mcp_server_drain(w->server);
    assert_non_null(
        strstr(client_body(c), "\"id\":\"sub\",\"result\":{\"resultType\":\"complete\","));
    assert_non_null(strstr(client_body(c), "\"io.modelcontextprotocol/subscriptionId\":\"sub\""));
    assert_non_null(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n"));
    assert_int_equal(w->n_cancelled, 1);
    client_free(c);
}

/* ---- x-mcp-header */

static const char region_tools[] =
    "{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
    "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"},"
    "\"deep\":{\"type\":\"object\",\"properties\":{\"flag\":{\"type\":\"boolean\","
    "\"x-mcp-header\":\"Flag\"}}}}}}]}";

static const struct {
    const char *fields, *arguments;
    int code;
} params[] = {
    {"Mcp-Param-Region: eu\r\n", "{\"region\":\"eu\"}", 200},
    {"mcp-param-region: =?base64?ZXU=?=\r\n", "{\"region\":\"eu\"}", 200},
    {"Mcp-Param-Region: ZXU=\r\n", "{\"region\":\"ZXU=\"}", 200},
    {"Mcp-Param-Region: =?base64?ZXU=\r\n", "{\"region\":\"=?base64?ZXU=\"}", 200},
    {"Mcp-Param-Region: =?base64?ZXU?=\r\n", "{\"region\":\"eu\"}", 400},
    {"Mcp-Param-Region: EU\r\n", "{\"region\":\"eu\"}", 400},
    {"", "{\"region\":\"eu\"}", 400},
    {"Mcp-Param-Region: eu\r\n", "{}", 400},
    {"Mcp-Param-Region: eu\r\n", "{\"region\":null}", 400},
    {"", "{\"region\":null}", 200},
    {"Mcp-Param-Region: eu\r\nMcp-Param-Region: eu\r\n", "{\"region\":\"eu\"}", 400},
    {"Mcp-Param-N: 42\r\n", "{\"n\":42}", 200},
    {"Mcp-Param-N: 42.0\r\n", "{\"n\":42}", 200},
    {"Mcp-Param-N: 43\r\n", "{\"n\":42}", 400},
    {"Mcp-Param-Flag: true\r\n", "{\"deep\":{\"flag\":true}}", 200},
    {"Mcp-Param-Flag: True\r\n", "{\"deep\":{\"flag\":true}}", 400},
    {"Mcp-Param-Other: x\r\n", "{}", 200},
};

static void annotated_arguments_agree_with_their_headers(void **state)
{
    struct world *w = *state;

    w->tools = region_tools;
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        struct client *c = client_new(w);
        struct str fields = STR_INIT, body = STR_INIT;

        str_printf(&fields, "%s%s", CALL_FIELDS("echo"), params[i].fields);
        str_printf(&body, CALL("5", "echo", "\"arguments\":%s,"), params[i].arguments);
        client_send(c, "POST", str_cstr(&fields), str_cstr(&body));
        if (client_code(c) != params[i].code)
            fail_msg("%s %s: %d %s", params[i].fields, params[i].arguments, client_code(c),
                     client_body(c));
        if (params[i].code == 400)
            assert_non_null(strstr(client_body(c), "\"id\":5,\"error\":{\"code\":-32020,"));
        client_free(c);
        str_deinit(&fields);
        str_deinit(&body);
    }
}

/* A tool that lost its annotation: what was kept must not refuse the call. */
static void a_stale_list_refuses_nothing(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    w->tools = region_tools;
    client_send(c, "POST", CALL_FIELDS("echo") "Mcp-Param-Region: eu\r\n",
                CALL("1", "echo", "\"arguments\":{\"region\":\"eu\"},"));
    assert_int_equal(client_code(c), 200);
    client_free(c);
    w->tools = "{\"tools\":[]}";
    c = client_new(w);
    client_send(c, "POST", CALL_FIELDS("echo"),
                CALL("1", "echo", "\"arguments\":{\"region\":\"eu\"},"));
    assert_int_equal(client_code(c), 200);
    client_free(c);
}

/* A server behind the handler that hangs holds up the list, and no call. */
static void a_list_that_is_read_again_delays_no_call(void **state)
{
    struct world *w = *state;

    w->tools = region_tools;
    for (int i = 0; i < 3; i++) {
        struct client *c = client_new(w);

        client_send(c, "POST", CALL_FIELDS("echo") "Mcp-Param-Region: eu\r\n",
                    CALL("1", "echo", "\"arguments\":{\"region\":\"eu\"},"));
        assert_int_equal(client_code(c), 200);
        client_free(c);
        assert_string_equal(w->only, "echo"); /* and no other tool */
        assert_int_equal(w->n_open, i > 0);   /* it is asked for once */
        w->tools = NULL;
        w->now_ms += 3600000;
    }
    world_finish(w->open[0], "{\"tools\":[]}");
}

/* ---- a client that does not read */

static void a_client_that_does_not_read_is_cut(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);
    struct str data = STR_INIT;

    w->o.limits.queue_bytes = 64 << 10;
    world_restart(w);
    client_send(c, "POST", MODERN_FIELDS("subscriptions/listen"), LISTEN);
    assert_int_equal(client_code(c), 200);
    c->is_stuck = true;
    str_puts(&data, "{\"uri\":\"");
    for (int i = 0; i < 10000; i++)
        str_putc(&data, 'x');
    str_puts(&data, "\"}");
    for (int i = 0; i < 100 && w->n_open > 0; i++)
        world_note(w->open[0], MCP_RESOURCE_UPDATED, str_cstr(&data));
    assert_true(c->closed);
    assert_int_equal(w->n_cancelled, 0); /* not inside the note */
    world_turn(w, 5);
    assert_int_equal(w->n_cancelled, 1);
    assert_int_equal(mcp_server_counts(w->server).streams, 0);
    client_free(c);
    str_deinit(&data);
}

/* Sizes around those of the buffers on the way, in plain replies and in streams whose client reads
 * late. */
static void answers_of_any_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {2047,  2048,  2049,   32767,  32768,   65535,
                                   65536, 65537, 262143, 262145, 5000000, 15u << 20};
    struct world *w = *state;

    w->o.limits.queue_bytes = (size_t)32 << 20;
    world_restart(w);
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i / 2];
        bool streams = i % 2;
        struct client *c = client_new(w);
        char *result = malloc(n + 1), *at;

        memset(result, 'x', n);
        memcpy(result, "{\"content\":[],\"x\":\"", 19);
        memcpy(result + n - 2, "\"}", 3);
        client_send(c, "POST", CALL_FIELDS("note"),
                    streams ? NOTE_CALL(",\"progressToken\":1") : NOTE_CALL(""));
        c->is_stuck = true;
        world_finish(w->open[0], result);
        c->is_stuck = false;
        assert_int_equal(client_code(c), 200);
        at = strstr(client_body(c), "\"id\":\"n\",\"result\":");
        assert_non_null(at);
        assert_memory_equal(at + strlen("\"id\":\"n\",\"result\":"), result, n - 1);
        assert_int_equal(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n") != NULL, streams);
        client_free(c);
        free(result);
    }
}

static void a_server_of_one_era_says_so(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    w->o.eras = MCP_ERA_MODERN;
    world_restart(w);
    client_send(c, "POST", JSON_FIELDS,
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}");
    assert_int_equal(client_code(c), 400);
    assert_non_null(
        strstr(client_body(c), "\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\""));
    client_free(c);
    w->o.eras = MCP_ERA_LEGACY;
    world_restart(w);
    c = client_new(w);
    client_send(c, "POST", MODERN_FIELDS("server/discover"), DISCOVER("1", META("")));
    assert_int_equal(client_code(c), 400);
    client_free(c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_request_has_its_reply),
        TEST(deep_and_long_messages_are_refused),
        TEST(the_handler_gets_no_metadata_of_the_protocol),
        TEST(a_notification_makes_a_stream_of_the_answer),
        TEST(nothing_is_sent_that_was_not_asked_for),
        TEST(a_client_that_leaves_has_cancelled),
        TEST(answers_do_not_cross),
        TEST(a_subscription_is_a_stream_that_ends_in_a_result),
        TEST(annotated_arguments_agree_with_their_headers),
        TEST(a_stale_list_refuses_nothing),
        TEST(a_list_that_is_read_again_delays_no_call),
        TEST(a_client_that_does_not_read_is_cut),
        TEST(answers_of_any_size_arrive_whole),
        TEST(a_server_of_one_era_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
