/* test_mcp_memory.c - each allocation of a request fails once: a reply or a closed connection, and
 * the next request is served.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "endpoint_world.h"

#define TRIES 400

static const struct {
    const char *name, *fields, *body;
} requests[] = {
    {"a call", CALL_FIELDS("echo"), CALL("1", "echo", "\"arguments\":{\"region\":null},")},
    {"a stream", CALL_FIELDS("note"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"note\"," META(
         ",\"progressToken\":1,\"x\":2") "}}"},
    {"a subscription", MODERN_FIELDS("subscriptions/listen"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{"
     "\"notifications\":{}," META("") "}}"},
    {"a fault", MODERN_FIELDS("x"),
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META("") "}}"},
    {"an unknown version", JSON_FIELDS "MCP-Protocol-Version: x\r\nMcp-Method: x\r\n",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{"
     "\"io.modelcontextprotocol/protocolVersion\":\"x\","
     "\"io.modelcontextprotocol/clientCapabilities\":{}}}}"},
    {"a session", JSON_FIELDS,
     "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
     "\"2025-11-25\",\"capabilities\":{}}}"},
};

static void fail_each(struct world *w, const char *name, const char *fields, const char *body)
{
    for (int i = 1; i < TRIES; i++) {
        struct client *c = client_new(w);
        int code;

        w->fail_at = (uint64_t)i;
        client_send(c, "POST", fields, body);
        w->fail_at = 0;
        while (w->n_open > 0)
            world_finish(w->open[0], "{\"content\":[]}");
        client_pump(c);
        code = client_code(c);
        if (code == 0 && !c->closed)
            fail_msg("%s, %d: no reply", name, i);
        client_free(c);
        world_turn(w, 0);
    }
}

static void modern_requests(void **state)
{
    struct world *w = *state;

    w->tools = "{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"properties\":{\"region\":{"
               "\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}}]}";
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct client *c;

        fail_each(w, requests[i].name, requests[i].fields, requests[i].body);
        c = client_new(w);
        client_send(c, "POST", CALL_FIELDS("echo"), CALL("2", "echo", ""));
        assert_int_equal(client_code(c), 200);
        client_free(c);
    }
    assert_int_equal(mcp_server_counts(w->server).calls, 0);
    assert_int_equal(mcp_server_counts(w->server).streams, 0);
}

static void legacy_requests(void **state)
{
    static const char *const bodies[] = {
        "\"method\":\"tools/call\",\"params\":{\"name\":\"ask\"}}",
        "\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}",
        "\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"u\"}}",
    };
    struct world *w = *state;
    struct client *c = client_new(w);
    char fields[512], body[256];

    client_send(c, "POST", JSON_FIELDS,
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"elicitation\":{},"
                "\"roots\":{}}}}");
    assert_int_equal(client_code(c), 200);
    (void)snprintf(fields, sizeof(fields), JSON_FIELDS "MCP-Session-Id: %s\r\n",
                   client_field(c, "mcp-session-id"));
    client_free(c);
    for (int i = 1; i < TRIES; i++) {
        (void)snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",\"id\":%d,%s", i, bodies[i % 3]);
        c = client_new(w);
        w->fail_at = (uint64_t)i / 3 + 1;
        client_send(c, "POST", fields, body);
        w->fail_at = 0;
        (void)snprintf(body, sizeof(body),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                       "\"requestId\":%d}}",
                       i);
        client_free(c);
        c = client_new(w);
        client_send(c, "POST", fields, body);
        assert_int_equal(client_code(c), 202);
        client_free(c);
        world_turn(w, 0);
    }
    c = client_new(w);
    client_send(c, "POST", fields, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    assert_int_equal(client_code(c), 200);
    client_free(c);
    assert_int_equal(mcp_server_counts(w->server).calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {TEST(modern_requests), TEST(legacy_requests)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
