/* test_mcp_client_streams.c - streams, sessions and what comes outside of answers over Streamable
 * HTTP.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_site.h"
#include "mcp/client/client_link.h"
#include "runtime/base/seams.h"

/* ---- streams */

static void notes_and_the_answer_come_on_the_stream_of_the_request(void **state)
{
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, true);
    site_ready(&s);
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
    site_ask(&s, &a, MCP_PROMPTS_GET, CALL);
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.result), "{\"messages\":[]}");
    assert_string_equal(str_cstr(&a.notes), "{\"progress\":1}\n");
    assert_int_equal(mcp_client_counts(s.w.client).unknown, 1);
    asked_deinit(&a);
    site_deinit(&s);
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
        struct site s;
        struct asked a;

        site_init(&s, true);
        site_ready(&s);
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "prompts/get",
                                                                  .code = cases[i].code,
                                                                  .type = cases[i].type,
                                                                  .body = cases[i].body});
        site_ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, MCP_ERROR);
        assert_string_equal(str_cstr(&a.message), cases[i].message);
        asked_deinit(&a);
        site_deinit(&s);
    }
}

static void a_legacy_stream_is_resumed_after_its_retry_time(void **state)
{
    struct site s;
    struct asked a;
    const struct http_memory_request *q = NULL;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
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
    site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_string_equal(str_cstr(&a.result), "{\"n\":1}");
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++) {
        if (strcmp(http_memory_request(s.w.memory, i)->method, "GET") == 0)
            q = http_memory_request(s.w.memory, i);
    }
    assert_non_null(q);
    assert_string_equal(site_field(q, "last-event-id"), "e1");
    assert_string_equal(site_field(q, "mcp-session-id"), "session-1");
    assert_string_equal(site_field(q, "accept"), "text/event-stream");
    assert_int_equal(site_count(&s, "tools/call"), 1);
    asked_deinit(&a);
    site_deinit(&s);
}

static void resuming_has_an_end(void **state)
{
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.body_contains = "tools/call",
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata:\n\n"});
    http_memory_reply(
        s.w.memory,
        &(struct http_memory_reply){
            .method = "GET", .times = -1, .type = "text/event-stream", .body = ":\n\n"});
    site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_in_range(http_memory_n_requests(s.w.memory), 10, 20);
    asked_deinit(&a);
    site_deinit(&s);
}

static void a_server_that_always_has_an_event_does_not_keep_us_busy(void **state)
{
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    s.w.spec.limits.call_ms = 300;
    site_ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.body_contains = "tools/call",
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata: {}\n\n"});
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.method = "GET",
                                                  .times = -1,
                                                  .type = "text/event-stream",
                                                  .body = "id: e1\nretry: 0\ndata: {}\n\n"});
    site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_in_range(http_memory_n_requests(s.w.memory), 5, 25);
    asked_deinit(&a);
    site_deinit(&s);
}

static void what_comes_back_for_an_answer_is_no_message(void **state)
{
    static const char asks[] = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
                               "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n\n";
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "\"result\":{}",
                                                              .times = -1,
                                                              .type = "text/event-stream",
                                                              .body = asks});
    http_memory_reply(
        s.w.memory, &(struct http_memory_reply){
                        .body_contains = "tools/call", .type = "text/event-stream", .body = asks});
    site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 20);
    assert_int_equal(site_count(&s, "\"result\":{}"), 2);
    asked_deinit(&a);
    site_deinit(&s);
}

static void cancel_closes_a_modern_stream_and_is_a_note_to_a_legacy_server(void **state)
{
    (void)state;
    for (int modern = 0; modern < 2; modern++) {
        struct site s;
        struct asked a;

        site_init(&s, modern);
        site_ready(&s);
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "prompts/get",
                                                                  .fault = HTTP_MEMORY_NO_ANSWER});
        site_ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_wait(s.w.loop, 5);
        mcp_exchange_cancel(a.x);
        assert_true(a.is_cancelled);
        world_wait(s.w.loop, 5);
        assert_int_equal(site_count(&s, "notifications/cancelled"), modern ? 0 : 1);
        if (!modern)
            assert_non_null(site_last(&s, "{\"requestId\":3}"));
        asked_deinit(&a);
        site_deinit(&s);
    }
}

/* ---- sessions */

static void a_lost_session_begins_again_and_only_safe_requests_are_repeated(void **state)
{
    struct site s;
    struct asked list, call;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    s.n_lost = 1;
    site_ask(&s, &list, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &list);
    assert_int_equal(list.kind, MCP_COMPLETE);
    assert_int_equal(site_count(&s, "\"initialize\""), 2);
    assert_int_equal(site_count(&s, "tools/list"), 2);
    assert_string_equal(site_field(site_last(&s, "tools/list"), "mcp-session-id"), "session-2");
    s.n_lost = 1;
    site_ask(&s, &call, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &call);
    assert_string_equal(
        str_cstr(&call.message),
        "server: the server has ended the session; the request was not carried out");
    assert_int_equal(site_count(&s, "tools/call"), 1);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    world_wait(s.w.loop, 5);
    assert_int_equal(s.n_sessions, 3);
    assert_int_equal(s.w.state, MCP_CLIENT_READY);
    asked_deinit(&list);
    asked_deinit(&call);
    site_deinit(&s);
}

/* The stream outside requests belongs to a session. */
static void a_new_session_has_a_new_get_stream(void **state)
{
    struct site s;
    struct asked a;
    const char *last_session = "";
    int n = 0;

    (void)state;
    site_init(&s, false);
    site_ready(&s); /* GET is refused */
    s.n_lost = 1;
    site_ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 5);
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++) {
        const struct http_memory_request *q = http_memory_request(s.w.memory, i);

        if (strcmp(q->method, "GET") != 0)
            continue;
        last_session = site_field(q, "mcp-session-id");
        n++;
    }
    assert_int_equal(n, 2);
    assert_string_equal(last_session, "session-2");
    asked_deinit(&a);
    site_deinit(&s);
}

static void a_server_that_loses_every_session_makes_no_loop(void **state)
{
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    s.n_lost = 1000;
    site_ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_ERROR);
    assert_int_equal(site_count(&s, "\"initialize\""), 2);
    asked_deinit(&a);
    site_deinit(&s);
}

static void a_session_is_ended_when_the_client_stops(void **state)
{
    struct site s;
    const struct http_memory_request *q;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    mcp_client_stop(s.w.client);
    assert_int_equal(s.w.state, MCP_CLIENT_DOWN);
    world_wait(s.w.loop, 5);
    q = http_memory_request(s.w.memory, http_memory_n_requests(s.w.memory) - 1);
    assert_string_equal(q->method, "DELETE");
    assert_string_equal(site_field(q, "mcp-session-id"), "session-1");
    site_deinit(&s);
}

/* ---- input in the course of a call: the stream says of which */

static void a_request_belongs_to_the_call_of_its_stream(void **state)
{
    static const char elicit[] = "data: {\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":"
                                 "\"elicitation/create\",\"params\":{\"message\":\"?\"}}\n\n";
    struct site s;
    struct asked a, b, c;
    struct mcp_caller *bob = world_caller("bob", "", ALL_CAPABILITIES);
    char params[512];
    struct json_view text;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "second",
                                                              .fault = HTTP_MEMORY_NO_ANSWER});
    world_ask_spec(&s.w, &b, (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .caller = bob},
                   "{\"name\":\"second\"}", NULL);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.body_contains = "first",
                                                              .type = "text/event-stream",
                                                              .body = elicit,
                                                              .fault = HTTP_MEMORY_STALL,
                                                              .at = sizeof(elicit)});
    site_ask(&s, &a, MCP_TOOLS_CALL, "{\"name\":\"first\"}");
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    text = json_view_get(json_view_str(&a.result), "requestState");
    (void)snprintf(params, sizeof(params),
                   "{\"name\":\"first\",\"requestState\":%.*s,\"inputResponses\":{\"input-1\":{"
                   "\"action\":\"decline\"}}}",
                   (int)text.n, text.at);
    site_ask(&s, &c, MCP_TOOLS_CALL, params);
    world_wait(s.w.loop, 5);
    assert_non_null(site_last(&s, "\"id\":\"e\",\"result\":{\"action\":\"decline\"}"));
    asked_deinit(&c);
    assert_false(b.is_done);
    asked_deinit(&a);
    asked_deinit(&b);
    mcp_caller_unref(bob);
    site_deinit(&s);
}

/* The answer to tools/list cannot be `input_required`. */
static void a_request_in_the_course_of_a_list_is_refused(void **state)
{
    static const char body[] = "data: {\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":"
                               "\"elicitation/create\",\"params\":{\"message\":\"?\"}}\n\n"
                               "data: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"tools\":[]}}\n\n";
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    http_memory_reply(
        s.w.memory, &(struct http_memory_reply){
                        .body_contains = "tools/list", .type = "text/event-stream", .body = body});
    site_ask(&s, &a, MCP_TOOLS_LIST, NULL);
    world_answer(&s.w, &a);
    world_wait(s.w.loop, 5);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_non_null(site_last(&s, "\"id\":\"e\",\"error\":{\"code\":-32601"));
    asked_deinit(&a);
    site_deinit(&s);
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
        struct site s;
        struct asked a;
        struct str body;

        site_init(&s, true);
        site_ready(&s);
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
        site_ask(&s, &a, MCP_PROMPTS_GET, CALL);
        world_answer(&s.w, &a);
        assert_int_equal(a.kind, cases[i].fits ? MCP_COMPLETE : MCP_ERROR);
        if (cases[i].fits)
            assert_in_range(a.result.len, cases[i].bytes - 60, cases[i].bytes);
        else
            assert_string_equal(str_cstr(&a.message),
                                "server: an answer of server has more than 16777216 bytes");
        asked_deinit(&a);
        site_deinit(&s);
        str_deinit(&body);
    }
}

/* ---- subscriptions: Kuadrant/mcp-gateway#1484 */

static void a_modern_server_without_subscriptions_stays_connected(void **state)
{
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, true);
    site_ready(&s);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){
                          .body_contains = "subscriptions/listen", .times = -1, .code = 404});
    site_ask(&s, &a, MCP_LISTEN, "{\"notifications\":{\"toolsListChanged\":true}}");
    world_wait(s.w.loop, 100);
    assert_string_equal(str_cstr(&a.notes), "{\"notifications\":{}}\n");
    assert_false(a.is_done);
    assert_int_equal(site_count(&s, "subscriptions/listen"), 1);
    assert_int_equal(mcp_client_counts(s.w.client).starts, 1);
    asked_deinit(&a);
    site_deinit(&s);
}

static void a_legacy_server_without_a_get_stream_is_asked_once(void **state)
{
    struct site s;
    struct asked a, b;
    int n = 0;

    (void)state;
    site_init(&s, false);
    site_ready(&s);
    site_ask(&s, &a, MCP_LISTEN, "{\"notifications\":{}}");
    world_wait(s.w.loop, 10);
    site_ask(&s, &b, MCP_LISTEN, "{\"notifications\":{}}");
    world_wait(s.w.loop, 10);
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++)
        n += strcmp(http_memory_request(s.w.memory, i)->method, "GET") == 0;
    assert_int_equal(n, 1); /* when it was ready */
    assert_int_equal(a.n_notes, 1);
    asked_deinit(&a);
    asked_deinit(&b);
    site_deinit(&s);
}

/* An event at its beginning does not make it a stream that lives. */
static void a_get_stream_that_ends_at_once_is_opened_with_growing_gaps(void **state)
{
    struct site s;
    int n = 0;

    (void)state;
    site_init(&s, false);
    http_memory_reply(s.w.memory,
                      &(struct http_memory_reply){.method = "GET",
                                                  .times = -1,
                                                  .type = "text/event-stream",
                                                  .body = "retry: 50\nid: 1\ndata:\n\n"});
    site_ready(&s);
    world_wait(s.w.loop, 1000);
    for (int32_t i = 0; i < http_memory_n_requests(s.w.memory); i++)
        n += strcmp(http_memory_request(s.w.memory, i)->method, "GET") == 0;
    assert_in_range(n, 3, 6); /* at 0, 50, 150, 350 and 750 ms, not all 50 */
    site_deinit(&s);
}

/* Over HTTP messages go their own ways: a call could arrive before notifications/initialized, or
 * before the stream on which the server wants to ask something. */
static void a_client_is_ready_once_the_server_knows_and_its_stream_is_open(void **state)
{
    static const struct {
        int64_t note_ms, get_ms;
        enum http_memory_fault get;
        int64_t least_ms;
    } cases[] = {
        {80, 0, HTTP_MEMORY_WHOLE, 80},
        {0, 80, HTTP_MEMORY_WHOLE, 80},
        {0, 0, HTTP_MEMORY_REFUSE, 0},
        {0, 0, HTTP_MEMORY_NO_ANSWER, LINK_SETTLE_MS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        int64_t begin = seams_mono_us(seams_real()), took_ms;

        site_init(&s, false);
        http_memory_reply(s.w.memory,
                          &(struct http_memory_reply){.body_contains = "notifications/initialized",
                                                      .code = 202,
                                                      .head_ms = cases[i].note_ms});
        http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "GET",
                                                                  .type = "text/event-stream",
                                                                  .body = ":\n\n",
                                                                  .piece_ms = 60000,
                                                                  .head_ms = cases[i].get_ms,
                                                                  .fault = cases[i].get});
        site_ready(&s);
        took_ms = (seams_mono_us(seams_real()) - begin) / 1000;
        assert_true(took_ms >= cases[i].least_ms - 1);
        assert_true(took_ms < cases[i].least_ms + 2000);
        site_deinit(&s);
    }
}

static void notes_come_on_the_get_stream(void **state)
{
    static const char body[] = "data: {\"jsonrpc\":\"2.0\",\"method\":"
                               "\"notifications/tools/list_changed\"}\n\n:\n";
    struct site s;
    struct asked a;

    (void)state;
    site_init(&s, false);
    http_memory_reply(s.w.memory, &(struct http_memory_reply){.method = "GET",
                                                              .type = "text/event-stream",
                                                              .body = body,
                                                              .fault = HTTP_MEMORY_STALL,
                                                              .at = sizeof(body) - 2});
    site_ready(&s);
    site_ask(&s, &a, MCP_LISTEN, "{\"notifications\":{}}");
    world_until_int(s.w.loop, &s.w.n_changed, 1);
    asked_deinit(&a);
    site_deinit(&s);
}

/* Each answer is a connection, and those of all servers together are limited. */
static void a_server_that_pings_without_end_gets_a_bounded_number_of_answers(void **state)
{
    struct site s;
    struct str body = STR_INIT;
    struct asked a;

    (void)state;
    site_init(&s, false);
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
    site_ready(&s);
    world_wait(s.w.loop, 50);
    site_ask(&s, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&s.w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_int_equal(site_count(&s, "\"result\":{}"), 64);
    asked_deinit(&a);
    site_deinit(&s);
    str_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(a_get_stream_that_ends_at_once_is_opened_with_growing_gaps),
        cmocka_unit_test(a_client_is_ready_once_the_server_knows_and_its_stream_is_open),
        cmocka_unit_test(notes_come_on_the_get_stream),
        cmocka_unit_test(a_server_that_pings_without_end_gets_a_bounded_number_of_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
