/* test_mcp_legacy.c - clients of 2025-11-25 and older over HTTP: sessions, input rounds, streams
 * that are resumed, limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <malloc.h>

#include "endpoint_world.h"

#define INITIALIZE(version, capabilities)                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"" version "\",\"capabilities\":" capabilities                                               \
    ",\"clientInfo\":{\"name\":\"c\",\"version\":"                                                 \
    "\"1\"}}}"
#define REQUEST(id, method, params)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define TOOL(id, name, more) REQUEST(id, "tools/call", "\"name\":\"" name "\"" more)
#define NOTE(method, params)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"

struct session {
    struct world *world;
    char fields[512]; /* of each request */
    char get_fields[512];
    char id[64];
};

static struct session begin_as(struct world *w, const char *who, const char *version,
                               const char *capabilities)
{
    struct client *c = client_new(w);
    struct session s = {.world = w};
    struct str body = STR_INIT, fields = STR_INIT;

    str_printf(&body, INITIALIZE("%s", "%s"), version, capabilities);
    str_printf(&fields, JSON_FIELDS "X-Principal: %s\r\n", who);
    client_send(c, "POST", str_cstr(&fields), str_cstr(&body));
    assert_int_equal(client_code(c), 200);
    (void)snprintf(s.id, sizeof(s.id), "%s", client_field(c, "mcp-session-id"));
    assert_int_equal(strlen(s.id), 32);
    (void)snprintf(s.fields, sizeof(s.fields),
                   JSON_FIELDS "X-Principal: %s\r\nMCP-Session-Id: %s\r\n"
                               "MCP-Protocol-Version: %s\r\n",
                   who, s.id, version);
    (void)snprintf(s.get_fields, sizeof(s.get_fields),
                   "Accept: text/event-stream\r\nX-Principal: %s\r\nMCP-Session-Id: %s\r\n", who,
                   s.id);
    client_free(c);
    str_deinit(&body);
    str_deinit(&fields);
    return s;
}

static struct session begin(struct world *w, const char *capabilities)
{
    return begin_as(w, "ann", "2025-11-25", capabilities);
}

/* A request that stays open, or has its reply. */
static struct client *post(struct session *s, const char *body)
{
    struct client *c = client_new(s->world);

    client_send(c, "POST", s->fields, body);
    return c;
}

static void expect(struct session *s, const char *body, int code, const char *reply)
{
    struct client *c = post(s, body);

    if (client_code(c) != code || strcmp(client_body(c), reply) != 0)
        fail_msg("%s: %d %s\nexpected %s", body, client_code(c), str_cstr(&c->sent), reply);
    client_free(c);
}

static struct client *get(struct session *s, const char *last_id)
{
    struct client *c = client_new(s->world);
    struct str fields = STR_INIT;

    str_puts(&fields, s->get_fields);
    if (last_id)
        str_printf(&fields, "Last-Event-ID: %s\r\n", last_id);
    client_send(c, "GET", str_cstr(&fields), NULL);
    str_deinit(&fields);
    return c;
}

/* ---- initialize */

static void initialize_is_the_result_of_discover(void **state)
{
    static const struct {
        const char *asked, *answered;
    } versions[] = {
        {"2024-11-05", "2024-11-05"}, {"2025-03-26", "2025-03-26"}, {"2025-06-18", "2025-06-18"},
        {"2025-11-25", "2025-11-25"}, {"2026-07-28", "2025-11-25"}, {"1999-01-01", "2025-11-25"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct client *c = client_new(w);
        struct str body = STR_INIT, reply = STR_INIT;

        str_printf(&body, INITIALIZE("%s", "{}"), versions[i].asked);
        str_printf(&reply,
                   "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"%s\","
                   "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"world\","
                   "\"version\":\"1\"}}}",
                   versions[i].answered);
        client_send(c, "POST", JSON_FIELDS, str_cstr(&body));
        assert_int_equal(client_code(c), 200);
        assert_string_equal(client_body(c), str_cstr(&reply));
        client_free(c);
        str_deinit(&body);
        str_deinit(&reply);
    }
}

static void a_bad_initialize_begins_nothing(void **state)
{
    struct world *w = *state;
    struct client *c = client_new(w);

    client_send(c, "POST", JSON_FIELDS, REQUEST("1", "initialize", "\"protocolVersion\":5"));
    assert_int_equal(client_code(c), 400);
    assert_non_null(strstr(client_body(c), "\"id\":1,\"error\":{\"code\":-32602,"));
    assert_int_equal(mcp_server_counts(w->server).sessions, 0);
    client_free(c);
}

/* ---- sessions */

static const struct {
    const char *method, *fields;
    bool has_id;
    int code;
} others[] = {
    {"DELETE", "X-Principal: bob\r\n", true, 404},
    {"DELETE", "", false, 405},
    {"GET", "X-Principal: bob\r\nAccept: text/event-stream\r\n", true, 404},
    {"GET", "Accept: text/event-stream\r\n", false, 405},
    {"GET", "Accept: application/json\r\n", true, 406},
    {"GET", "", true, 406},
    {"PUT", "", true, 405},
    {"GET", "Accept: text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n", true, 400},
};

static void requests_need_a_session_of_their_principal(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}"), other = s;
    struct client *c = client_new(w);

    client_send(c, "POST", JSON_FIELDS, REQUEST("1", "tools/list", ""));
    assert_int_equal(client_code(c), 400); /* no session */
    client_free(c);
    (void)snprintf(other.fields, sizeof(other.fields),
                   JSON_FIELDS "X-Principal: bob\r\nMCP-Session-Id: %s\r\n", s.id);
    expect(
        &other, REQUEST("1", "ping", ""), 404,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"there is no such "
        "session: begin one with initialize\"}}");
    expect(&s, REQUEST("1", "ping", ""), 200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    (void)snprintf(other.fields, sizeof(other.fields),
                   JSON_FIELDS "MCP-Session-Id: %s\r\nMCP-Protocol-Version: nonsense\r\n", s.id);
    expect(&other, REQUEST("1", "ping", ""), 400,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":"
           "\"MCP-Protocol-Version is not the revision of a session\"}}");
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        c = client_new(w);
        (void)snprintf(other.get_fields, sizeof(other.get_fields), "%s%s%s\r\n", others[i].fields,
                       others[i].has_id ? "MCP-Session-Id: " : "X: ", s.id);
        client_send(c, others[i].method, other.get_fields, NULL);
        assert_int_equal(client_code(c), others[i].code);
        client_free(c);
    }
    c = client_new(w);
    client_send(c, "DELETE", s.get_fields, NULL);
    assert_int_equal(client_code(c), 204);
    client_free(c);
    assert_int_equal(w->n_gone, 1);
    c = post(&s, REQUEST("1", "ping", ""));
    assert_int_equal(client_code(c), 404);
    client_free(c);
}

static void results_have_no_modern_members(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}");

    w->tools =
        "{\"tools\":[],\"ttlMs\":5,\"cacheScope\":\"public\",\"resultType\":\"complete\"," INFO
        ",\"nextCursor\":\"n\"}";
    expect(&s, REQUEST("1", "tools/list", ""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],\"nextCursor\":\"n\"}}");
    expect(&s, TOOL("\"1\"", "echo", ",\"arguments\":{\"ttlMs\":1}"), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{\"content\":[{\"type\":\"text\","
           "\"text\":\"{\\\"ttlMs\\\":1}\"}]}}");
    expect(
        &s, REQUEST("2", "server/x", ""), 200,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"there is no such "
        "method\"}}");
    expect(&s, NOTE("notifications/initialized", ""), 202, "");
    expect(&s, NOTE("notifications/roots/list_changed", ""), 202, "");
    assert_int_equal(w->n_roots, 1);
    expect(&s, REQUEST("3", "logging/setLevel", "\"level\":\"loud\""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32602,\"message\":\"\\\"level\\\" "
           "must be one of debug, info, notice, warning, error, critical, alert, emergency\"}}");
    expect(&s, REQUEST("3", "logging/setLevel", "\"level\":\"error\""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
}

/* ---- streams */

static void a_stream_begins_with_an_empty_event(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}"), old = begin_as(w, "ann", "2025-06-18", "{}");
    struct client *c = post(&s, TOOL("4", "note", ",\"_meta\":{\"progressToken\":9}"));

    assert_string_equal(
        client_body(c),
        "id: 1-0\nretry: 1000\ndata: \n\n"
        "id: 1-1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
        "\"progress\":1,\"progressToken\":9}}\n\n"
        "id: 1-2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{"
        "\"level\":\"info\", \"data\":1}}\n\n");
    world_finish(w->open[0], "{\"content\":[],\"resultType\":\"complete\"}");
    assert_non_null(strstr(client_body(c),
                           "id: 1-3\ndata: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":"
                           "{\"content\":[]}}\n\n"));
    client_free(c);
    c = post(&old, TOOL("4", "note", ",\"_meta\":{\"progressToken\":9}"));
    assert_non_null(strstr(client_body(c), "id: 1-1\ndata: {"));
    assert_null(strstr(client_body(c), "retry"));
    world_finish(w->open[0], "{\"content\":[]}");
    client_free(c);
}

static void a_disconnect_is_not_a_cancel_and_the_stream_goes_on(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}");
    struct client *c = post(&s, TOOL("4", "note", ",\"_meta\":{\"progressToken\":9}"));

    assert_int_equal(client_code(c), 200);
    client_free(c);
    assert_int_equal(w->n_cancelled, 0);
    world_note(w->open[0], MCP_PROGRESS, "{\"progress\":2}");
    c = get(&s, "1-1"); /* while it goes on */
    assert_non_null(strstr(client_body(c), "id: 1-2\n"));
    assert_non_null(strstr(client_body(c),
                           "id: 1-3\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                           "\"notifications/progress\",\"params\":{\"progress\":2,"));
    assert_null(strstr(client_body(c), "id: 1-1\n"));
    world_finish(w->open[0], "{\"content\":[]}");
    assert_non_null(strstr(client_body(c), "id: 1-4\ndata: {\"jsonrpc\":\"2.0\",\"id\":4,"));
    assert_non_null(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n"));
    client_free(c);
    c = get(&s, "1-3"); /* after its end */
    assert_string_equal(client_body(c), "id: 1-4\ndata: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{"
                                        "\"content\":[]}}\n\n");
    client_free(c);
    c = get(&s, "one");
    assert_int_equal(client_code(c), 400);
    client_free(c);
}

static void a_slow_call_gets_a_stream_and_may_be_polled(void **state)
{
    struct world *w = *state;
    struct session s;
    struct client *c;

    w->o.limits.stream_after_ms = 10;
    w->o.limits.poll_after_ms = 10;
    world_restart(w);
    s = begin(w, "{}");
    c = post(&s, TOOL("4", "hold", ""));
    assert_int_equal(client_code(c), 0);
    world_turn(w, 300);
    assert_string_equal(client_body(c), "id: 1-0\nretry: 1000\ndata: \n\n");
    assert_non_null(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n")); /* closed: come back */
    assert_int_equal(w->n_cancelled, 0);
    client_free(c);
    c = get(&s, "1-0");
    world_finish(w->open[0], "{\"content\":[]}");
    assert_string_equal(client_body(c), "id: 1-1\ndata: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{"
                                        "\"content\":[]}}\n\n");
    client_free(c);
}

static void cancelled_is_by_the_id_of_the_same_session(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}"), other = begin(w, "{}");
    struct client *c = post(&s, TOOL("101", "hold", ""));

    expect(&other, NOTE("notifications/cancelled", "\"requestId\":101"), 202, "");
    expect(&s, NOTE("notifications/cancelled", "\"requestId\":\"101\""), 202, "");
    expect(&s, NOTE("notifications/cancelled", ""), 202, "");
    assert_int_equal(w->n_cancelled, 0);
    expect(
        &s, TOOL("101", "echo", ""), 200,
        "{\"jsonrpc\":\"2.0\",\"id\":101,\"error\":{\"code\":-32600,\"message\":\"a request with "
        "this id is in flight\"}}");
    expect(&s, NOTE("notifications/cancelled", "\"requestId\":101"), 202, "");
    assert_int_equal(w->n_cancelled, 1);
    assert_int_equal(client_code(c), 202);
    assert_string_equal(client_body(c), "");
    client_free(c);
}

/* ---- input */

#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"
#define ABLE               "{\"elicitation\":{},\"roots\":{}}"

static void input_becomes_requests_and_their_answers_a_second_exchange(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, ABLE), other = begin(w, ABLE);
    struct client *c = post(&s, TOOL("1", "ask", ""));

    assert_non_null(strstr(client_body(c),
                           "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\","
                           "\"params\":{\"message\":\"A?\"}}\n\n"));
    assert_non_null(strstr(client_body(c),
                           "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\"}\n\n"));
    expect(&other, ANSWER("1", "{\"action\":\"accept\"}"), 202, ""); /* not theirs to answer */
    expect(&s, ANSWER("\"1\"", "{\"action\":\"accept\"}"), 202, "");
    expect(&s, ANSWER("7", "{}"), 202, "");
    expect(&s, ANSWER("2", "{\"roots\":[]}"), 202, "");
    expect(&s, ANSWER("2", "{\"roots\":[1]}"), 202, ""); /* twice */
    assert_int_equal(w->n_started, 3);
    expect(&s, ANSWER("1", "{\"action\":\"decline\"}"), 202, "");
    assert_string_equal(str_cstr(&w->heard),
                        "{\"name\":\"ask\",\"inputResponses\":{\"b\":{\"roots\":[]},\"a\":{"
                        "\"action\":\"decline\"}},\"requestState\":\"s1\"}");
    assert_non_null(
        strstr(client_body(c), "\"id\":1,\"result\":{\"content\":[{\"type\":\"text\","));
    client_free(c);
}

/* A modern server has neither ids of URLs nor the note: both are made for a client of 2025-11-25.
 */
static void a_url_has_an_id_and_its_end_is_reported(void **state)
{
    static const char *const actions[] = {"accept", "decline"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        struct session s = begin(w, "{\"elicitation\":{\"url\":{}}}");
        struct client *c = post(&s, TOOL("1", "url", ""));
        const char *at = strstr(client_body(c), "\"elicitationId\":\"");
        struct str note = STR_INIT, answer = STR_INIT;

        assert_non_null(at);
        str_printf(&note,
                   "\"method\":\"notifications/elicitation/complete\",\"params\":{%.*s\"}}\n\n",
                   (int)(strlen("\"elicitationId\":\"") + 36), at);
        str_printf(&answer, ANSWER("1", "{\"action\":\"%s\"}"), actions[i]);
        expect(&s, str_cstr(&answer), 202, "");
        assert_non_null(strstr(client_body(c), "\"id\":1,\"result\":{\"content\""));
        assert_int_equal(strstr(client_body(c), str_cstr(&note)) != NULL, i == 0);
        client_free(c);
        str_deinit(&note);
        str_deinit(&answer);
    }
}

static void a_completed_url_of_a_legacy_server_is_reported_on_the_stream_of_its_call(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, ABLE), old = begin_as(w, "bob", "2025-06-18", ABLE);
    struct session *sessions[] = {&s, &old};

    for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
        struct client *c = post(sessions[i], TOOL("1", "hold", ""));

        world_note(w->open[0], MCP_ELICIT_COMPLETE, "{\"elicitationId\":\"e\"}");
        world_finish(w->open[0], "{\"content\":[]}");
        assert_int_equal(strstr(client_body(c), "notifications/elicitation/complete\",\"params\":{"
                                                "\"elicitationId\":\"e\"}") != NULL,
                         i == 0);
        client_free(c);
    }
}

static void an_error_for_input_is_told_apart(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, ABLE);
    struct client *c = post(&s, TOOL("1", "ask", ""));

    expect(&s, ANSWER("2", "{\"roots\":[]}"), 202, "");
    expect(&s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}", 202,
           "");
    assert_string_equal(str_cstr(&w->heard),
                        "{\"name\":\"ask\",\"inputResponses\":{\"b\":{\"roots\":[]}},"
                        "\"requestState\":\"s1\"}{\"a\":{\"code\":-1,\"message\":\"no\"}}");
    client_free(c);
}

static void what_the_client_cannot_do_is_not_asked(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{\"roots\":{}}");
    struct client *c = post(&s, TOOL("1", "ask", ""));

    assert_int_equal(client_code(c), 200);
    assert_non_null(strstr(client_body(c), "\"id\":1,\"error\":{\"code\":-32603,"));
    client_free(c);
}

static void a_call_is_cancelled_while_it_waits_for_input(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, ABLE);
    struct client *c = post(&s, TOOL("1", "ask", ""));

    expect(&s, NOTE("notifications/cancelled", "\"requestId\":1"), 202, "");
    assert_non_null(strstr(str_cstr(&c->sent), "roots/list"));
    client_pump(c);
    assert_non_null(strstr(str_cstr(&c->sent), "\r\n0\r\n\r\n"));
    expect(&s, ANSWER("1", "{}"), 202, "");
    expect(&s, ANSWER("2", "{}"), 202, "");
    assert_int_equal(w->n_started, 2);
    assert_int_equal(mcp_server_counts(w->server).calls, 0);
    client_free(c);
}

static void input_has_a_deadline(void **state)
{
    struct world *w = *state;
    struct session s;
    struct client *c;

    w->o.limits.input_ms = 10;
    world_restart(w);
    s = begin(w, ABLE);
    c = post(&s, TOOL("1", "ask", ""));
    world_turn(w, 40);
    assert_non_null(strstr(client_body(c),
                           "\"error\":{\"code\":-32603,\"message\":\"the client did "
                           "not answer a request for input\"}"));
    client_free(c);
}

static void rounds_are_bounded(void **state)
{
    struct world *w = *state;
    struct session s;
    struct client *c;

    w->o.limits.input_rounds = 2;
    world_restart(w);
    s = begin(w, ABLE);
    c = post(&s, TOOL("1", "again", ""));
    expect(&s, ANSWER("1", "{\"roots\":[]}"), 202, "");
    assert_non_null(strstr(client_body(c), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"));
    assert_null(strstr(client_body(c), "error"));
    expect(&s, ANSWER("2", "{\"roots\":[]}"), 202, "");
    assert_non_null(strstr(client_body(c),
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,"
                           "\"message\":\"the server asks for input again and "
                           "again\"}}"));
    client_free(c);
}

static void a_server_may_want_to_be_called_again_later(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}");
    struct client *c = post(&s, TOOL("1", "later", ""));

    assert_int_equal(client_code(c), 0);
    world_turn(w, 1300);
    assert_non_null(strstr(client_body(c), "\"id\":1,\"result\":{\"content\":[]}"));
    assert_string_equal(str_cstr(&w->heard), "{\"name\":\"later\",\"requestState\":\"s\"}");
    client_free(c);
}

/* ---- notifications */

static void lists_and_resources_are_reported_on_the_get_stream(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}");
    struct client *c = get(&s, NULL);

    assert_int_equal(client_code(c), 200);
    assert_int_equal(w->n_open, 1);
    expect(&s, REQUEST("5", "resources/subscribe", "\"uri\":\"u:1\""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}");
    assert_string_equal(str_cstr(&w->heard),
                        "{\"notifications\":{\"resourceSubscriptions\":[\"u:1\"]}}");
    world_note(w->open[0], MCP_TOOLS_CHANGED, NULL);
    world_note(w->open[1], MCP_RESOURCE_UPDATED, "{\"uri\":\"u:1\"}");
    assert_string_equal(
        client_body(c),
        "id: 0-0\nretry: 1000\ndata: \n\n"
        "id: 0-1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
        "id: 0-2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
        "\"params\":{\"uri\":\"u:1\"}}\n\n");
    client_free(c); /* lists need a listener; a subscription is kept */
    assert_int_equal(w->n_open, 1);
    world_note(w->open[0], MCP_RESOURCE_UPDATED, "{\"uri\":\"u:1\"}");
    c = get(&s, NULL); /* what was never sent comes now */
    assert_non_null(strstr(client_body(c), "id: 0-2\nretry"));
    assert_non_null(strstr(client_body(c), "id: 0-3\ndata: {"));
    client_free(c);
    c = get(&s, "0-1");
    assert_non_null(strstr(client_body(c), "id: 0-2\ndata: {"));
    assert_non_null(strstr(client_body(c), "id: 0-3\ndata: {"));
    client_free(c);
    expect(&s, REQUEST("6", "resources/unsubscribe", "\"uri\":\"u:1\""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{}}");
    assert_int_equal(w->n_open, 0);
}

static void a_handler_without_subscriptions_says_so(void **state)
{
    struct world *w = *state;
    struct session s = begin(w, "{}");
    struct client *c;

    w->no_listen = true;
    c = get(&s, NULL);
    expect(
        &s, REQUEST("5", "resources/subscribe", "\"uri\":\"u:1\""), 200,
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32601,\"message\":\"there is no such "
        "method\"}}");
    client_free(c);
}

static void what_is_kept_for_a_stream_is_bounded(void **state)
{
    struct world *w = *state;
    struct session s;
    struct client *c;

    w->o.limits.kept_events = 3;
    world_restart(w);
    s = begin(w, "{}");
    expect(&s, REQUEST("5", "resources/subscribe", "\"uri\":\"u:1\""), 200,
           "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}");
    for (int i = 0; i < 10; i++)
        world_note(w->open[0], MCP_RESOURCE_UPDATED, "{\"uri\":\"u:1\"}");
    c = get(&s, "0-0");
    assert_null(strstr(client_body(c), "id: 0-7\n"));
    assert_non_null(strstr(client_body(c), "id: 0-8\n"));
    assert_non_null(strstr(client_body(c), "id: 0-10\n"));
    client_free(c);
}

static char *large_result(size_t n)
{
    struct str text = STR_INIT;

    str_puts(&text, "{\"content\":[],\"x\":\"");
    while (text.len < n)
        str_puts(&text, "0123456789");
    str_puts(&text, "\"}");
    return str_take(&text);
}

static void large_answers_are_kept_only_for_those_who_have_not_got_them(void **state)
{
    struct world *w = *state;
    char *large = large_result(100000);
    struct session s;
    struct client *c;

    w->o.limits.kept_bytes = 50000;
    world_restart(w);
    s = begin(w, "{}");
    c = post(&s, TOOL("4", "note", ",\"_meta\":{\"progressToken\":9}"));
    world_finish(w->open[0], large);
    client_pump(c);
    client_free(c);
    c = get(&s, "1-2");
    assert_string_equal(client_body(c), "");
    client_free(c);
    c = post(&s, TOOL("4", "note", ",\"_meta\":{\"progressToken\":9}"));
    assert_int_equal(client_code(c), 200);
    client_free(c);
    world_finish(w->open[0], large);
    c = get(&s, "2-2");
    assert_true(strlen(client_body(c)) > 100000);
    client_free(c);
    free(large);
}

/* ---- limits */

static void the_oldest_idle_session_makes_room(void **state)
{
    struct world *w = *state;
    struct session a, b, c;
    struct client *held;

    w->o.limits.sessions = 2;
    world_restart(w);
    a = begin(w, "{}");
    b = begin(w, "{}");
    held = post(&a, TOOL("1", "hold", "")); /* a is busy */
    c = begin(w, "{}");
    expect(&a, REQUEST("2", "ping", ""), 200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    expect(&c, REQUEST("2", "ping", ""), 200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    assert_int_equal(mcp_server_counts(w->server).sessions, 2);
    (void)begin_as(w, "bob", "2025-11-25", "{}"); /* has a limit of his own */
    assert_int_equal(mcp_server_counts(w->server).sessions, 3);
    assert_int_equal(w->n_gone, 1);
    client_free(held);
    held = post(&b, REQUEST("2", "ping", ""));
    assert_int_equal(client_code(held), 404);
    client_free(held);
}

static void idle_sessions_expire(void **state)
{
    struct world *w = *state;
    struct session s;

    w->o.limits.session_idle_ms = 80; /* looked at each 10 ms */
    world_restart(w);
    s = begin(w, "{}");
    world_turn(w, 30);
    assert_int_equal(mcp_server_counts(w->server).sessions, 1);
    w->now_ms = 1000;
    world_turn(w, 30);
    assert_int_equal(mcp_server_counts(w->server).sessions, 0);
    assert_int_equal(w->n_gone, 1);
    expect(
        &s, REQUEST("1", "ping", ""), 404,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"there is no such "
        "session: begin one with initialize\"}}");
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* its mallinfo is empty */
#endif

/* A client whose stream has just been lost comes back to its session. */
static void a_session_is_not_idle_while_it_has_a_stream(void **state)
{
    struct world *w = *state;
    struct session s;
    struct client *c;

    w->o.limits.session_idle_ms = 80;
    world_restart(w);
    s = begin(w, "{}");
    c = get(&s, NULL);
    w->now_ms = 1000;
    world_turn(w, 30);
    assert_int_equal(mcp_server_counts(w->server).sessions, 1);
    client_free(c);
    world_turn(w, 30);
    assert_int_equal(mcp_server_counts(w->server).sessions, 1);
    w->now_ms = 2000;
    world_turn(w, 30);
    assert_int_equal(mcp_server_counts(w->server).sessions, 0);
}

static size_t bytes_in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

static void flood(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        struct client *c = client_new(w);

        client_send(c, "POST", JSON_FIELDS, INITIALIZE("2025-11-25", "{}"));
        assert_int_equal(client_code(c), 200);
        client_free(c);
    }
}

/* Each ends one that was abandoned before it: nothing grows. */
static void abandoned_sessions_do_not_add_up(void **state)
{
    struct world *w = *state;
    int n = 100000;
    size_t before;

    w->o.limits.sessions = 100;
    world_restart(w);
    flood(w, 1000);
    before = bytes_in_use();
    flood(w, n);
    assert_int_equal(mcp_server_counts(w->server).sessions, 100);
    assert_true(bytes_in_use() < before + (64 << 10));
    assert_int_equal(w->n_gone, n + 1000 - 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(initialize_is_the_result_of_discover),
        TEST(a_bad_initialize_begins_nothing),
        TEST(requests_need_a_session_of_their_principal),
        TEST(results_have_no_modern_members),
        TEST(a_stream_begins_with_an_empty_event),
        TEST(a_disconnect_is_not_a_cancel_and_the_stream_goes_on),
        TEST(a_slow_call_gets_a_stream_and_may_be_polled),
        TEST(cancelled_is_by_the_id_of_the_same_session),
        TEST(input_becomes_requests_and_their_answers_a_second_exchange),
        TEST(a_url_has_an_id_and_its_end_is_reported),
        TEST(a_completed_url_of_a_legacy_server_is_reported_on_the_stream_of_its_call),
        TEST(an_error_for_input_is_told_apart),
        TEST(what_the_client_cannot_do_is_not_asked),
        TEST(a_call_is_cancelled_while_it_waits_for_input),
        TEST(input_has_a_deadline),
        TEST(rounds_are_bounded),
        TEST(a_server_may_want_to_be_called_again_later),
        TEST(lists_and_resources_are_reported_on_the_get_stream),
        TEST(a_handler_without_subscriptions_says_so),
        TEST(what_is_kept_for_a_stream_is_bounded),
        TEST(the_oldest_idle_session_makes_room),
        TEST(idle_sessions_expire),
        TEST(a_session_is_not_idle_while_it_has_a_stream),
        TEST(large_answers_are_kept_only_for_those_who_have_not_got_them),
        TEST(abandoned_sessions_do_not_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
