/* test_http_conn.c - a connection in memory: the same replies whatever way the bytes come, who may
 * call, and deadlines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conn_world.h"

static void a_reply_is_written_as_it_should_be(void **state)
{
    struct world *w = *state;

    world_feeds(w, POST("/echo", "5", "hello"));
    assert_string_equal(str_cstr(&w->sent), "HTTP/1.1 200 OK\r\n"
                                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                            "Content-Type: text/plain\r\n"
                                            "Content-Length: 5\r\n\r\nhello");
    assert_false(w->closed);
}

static void errors_have_a_body_and_say_what_is_allowed(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/echo"));
    assert_sent(w, "HTTP/1.1 405 Method Not Allowed\r\n");
    assert_sent(w, "Allow: POST, HEAD\r\n");
    assert_sent(w, "\r\n\r\n{\"error\":{\"message\":\"POST it\"}}\n");
    world_feeds(w, GET("/none"));
    assert_sent(w, "HTTP/1.1 404 Not Found\r\n");
    assert_false(w->closed); /* the framing is certain */
    world_feeds(w, "bad\r\n\r\n");
    assert_sent(w, "HTTP/1.1 400 Bad Request\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
}

/* Everything that can be decided by bytes alone. The last one closes. */
static const char script[] =
    POST("/echo", "5", "hello") "HEAD /echo HTTP/1.1\r\n" H "\r\n" GET("/none")
        POST("/none", "3", "abc") GET("/echo") POST("/open", "0", "")
            POST("/echo", "12", "GET / HTTP/1") "POST /echo HTTP/1.1\r\n" H
                                                "Connection: close\r\nContent-Length: 2\r\n\r\nxy";

static void bytes_cut_anywhere_give_the_same_replies(void **state)
{
    struct world *w = *state;
    struct str all = STR_INIT;
    size_t n = sizeof(script) - 1;

    world_feed(w, script, n);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
    assert_int_equal(world_count(w, "HTTP/1.1 200 OK"), 5);
    assert_int_equal(world_count(w, "HTTP/1.1 4"), 3);
    str_append(&all, w->sent.data, w->sent.len);
    for (size_t cut = 1; cut < n; cut++) {
        http_conn_free(w->conn);
        world_open(w);
        world_feed(w, script, cut);
        world_feed(w, script + cut, n - cut);
        assert_true(w->closed);
        assert_int_equal(w->sent.len, all.len);
        assert_memory_equal(w->sent.data, all.data, all.len);
    }
    http_conn_free(w->conn);
    world_open(w);
    for (size_t i = 0; i < n; i++)
        world_feed(w, script + i, 1);
    assert_true(w->closed);
    assert_string_equal(w->sent.data, all.data);
    str_deinit(&all);
}

static void the_body_of_a_refused_request_is_skipped(void **state)
{
    struct world *w = *state;

    world_feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nGET");
    assert_sent(w, " 404 ");
    assert_not_sent(w, "Connection: close\r\n");
    world_feeds(w, " / HTT" GET("/open"));
    assert_sent(w, " 200 ");
    world_feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nGET");
    world_pass(w, 9999);
    assert_false(w->closed);
    world_pass(w, 1);
    assert_true(w->closed);
}

/* Too long to be read for nothing. */
static void a_long_refused_body_closes(void **state)
{
    struct world *w = *state;

    world_feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n");
    assert_sent(w, " 404 ");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
}

static void a_body_has_the_limit_of_its_route(void **state)
{
    struct world *w = *state;

    world_feeds(w, POST("/later", "9", "123456789"));
    assert_int_equal(w->n_served, 1);
    http_call_reply_json(w->call, 200, "{}", 2);
    world_pump(w);
    world_feeds(w, POST("/later", "10", "1234567890"));
    assert_int_equal(w->n_served, 2);
    http_call_reply_json(w->call, 200, "{}", 2);
    world_pump(w);
    world_feeds(w, POST("/later", "11", "12345"));
    assert_int_equal(w->n_served, 2);
    assert_sent(w, "HTTP/1.1 413 Content Too Large\r\n");
}

/* 12 bytes of bodies at a time: the call of one connection leaves room for 3 of another. */
static void the_bodies_of_all_connections_have_a_limit(void **state)
{
    struct world *w = *state;
    struct http_conn *first;
    struct http_call *call;

    w->o.limits.bodies_bytes = 12;
    world_reopen(w);
    world_feeds(w, POST("/later", "9", "123456789"));
    assert_int_equal(http_shared_counts(w->shared)->bodies_bytes, 9);
    first = w->conn;
    call = w->call;
    world_open(w);
    str_clear(&w->sent);
    world_feeds(w, POST("/echo", "4", "1234"));
    assert_sent(w, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_sent(w, "Retry-After: 1\r\n");
    assert_false(w->closed);
    world_feeds(w, POST("/echo", "3", "123") GET("/open"));
    assert_int_equal(world_count(w, " 200 OK"), 2);
    http_call_reply_json(call, 200, "{}", 2); /* the body is not needed any more */
    assert_int_equal(http_shared_counts(w->shared)->bodies_bytes, 0);
    world_feeds(w, POST("/echo", "12", "123456789012"));
    assert_int_equal(world_count(w, " 200 OK"), 3);
    http_conn_free(first);
    world_feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 8\r\n\r\n123");
    assert_int_equal(http_shared_counts(w->shared)->bodies_bytes, 8);
    http_conn_free(w->conn); /* the client leaves before its body is complete */
    assert_int_equal(http_shared_counts(w->shared)->bodies_bytes, 0);
    world_open(w);
}

static void each_byte_of_a_large_body_arrives(void **state)
{
    struct world *w = *state;
    struct str body = STR_INIT;
    const char *found;

    for (int i = 0; i < 1000000; i++)
        str_putc(&body, (char)('a' + i % 26));
    world_feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n");
    for (size_t at = 0; at < body.len; at += 7777)
        world_feed(w, body.data + at, body.len - at < 7777 ? body.len - at : 7777);
    found = strstr(str_cstr(&w->sent), "\r\n\r\n");
    assert_non_null(found);
    assert_string_equal(found + 4, body.data);
    str_deinit(&body);
}

/* ---- HEAD, HTTP/1.0, 100-continue */

static void a_head_reply_has_the_length_but_no_body(void **state)
{
    struct world *w = *state;

    world_feeds(w, "HEAD /open HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
    assert_sent(w, "Content-Length: 3\r\n\r\n");
    assert_not_sent(w, "abc");
    world_feeds(w, "HEAD /none HTTP/1.1\r\n" H "\r\n");
    assert_sent(w, " 404 ");
    assert_not_sent(w, "error");
    world_feeds(w, POST("/echo", "5", "hello")); /* the next one has its body */
    assert_sent(w, "hello");
}

static void http_1_0_closes_unless_it_asks(void **state)
{
    struct world *w = *state;

    world_feeds(w, "GET /open HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
    assert_sent(w, "Connection: keep-alive\r\n");
    assert_false(w->closed);
    world_feeds(w, "GET /open HTTP/1.0\r\n" H "\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
}

static void a_stream_to_http_1_0_ends_with_the_connection(void **state)
{
    struct world *w = *state;

    world_feeds(w, "GET /stream HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
    assert_not_sent(w, "chunked");
    assert_sent(w, "Connection: close\r\n");
    assert_true(http_call_write(w->call, "data: 1\n\n", 9));
    world_pump(w);
    assert_sent(w, "\r\n\r\ndata: 1\n\n");
    http_call_end(w->call);
    world_pump(w);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
}

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    struct world *w = *state;

    world_feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_string_equal(str_cstr(&w->sent), "HTTP/1.1 100 Continue\r\n\r\n");
    world_feeds(w, "hello");
    assert_sent(w, "HTTP/1.1 200 OK");
    /* The body is there already. */
    str_clear(&w->sent);
    world_feeds(
        w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    assert_not_sent(w, " 100 ");
    /* HTTP/1.0 does not know it. */
    str_clear(&w->sent);
    world_feeds(w, "POST /echo HTTP/1.0\r\n" H "Connection: keep-alive\r\nContent-Length: 5\r\n"
                   "Expect: 100-continue\r\n\r\n");
    assert_not_sent(w, " 100 ");
    world_feeds(w, "hello");
    /* A refusal comes instead; the client need not send the body, so the connection closes. */
    world_feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_not_sent(w, " 100 ");
    assert_sent(w, " 404 ");
    assert_true(w->closed);
}

/* ---- who may call */

static void hosts_origins_and_tokens_are_checked(void **state)
{
    static const char *const hosts[] = {"example.org:443"};
    static const char *const origins[] = {"https://app.example"};
    static const struct {
        int code;
        const char *path, *fields;
    } c[] = {
        {401, "/later", "Host: 127.0.0.1\r\n"},
        {200, "/open", "Host: 127.0.0.1\r\n"},
        {200, "/later", "Host: 127.0.0.1\r\nAuthorization: Bearer secret\r\n"},
        {200, "/later", "Host: 127.0.0.1\r\nAuthorization: bearer   secret\r\n"},
        {401, "/later", "Host: 127.0.0.1\r\nAuthorization: Bearer secre\r\n"},
        {401, "/later", "Host: 127.0.0.1\r\nAuthorization: Bearer secretx\r\n"},
        {401, "/later", "Host: 127.0.0.1\r\nAuthorization: Bearer\r\n"},
        {401, "/later", "Host: 127.0.0.1\r\nAuthorization: Basic secret\r\n"},
        {401, "/none", "Host: 127.0.0.1\r\n"}, /* what exists is not shown */
        {404, "/none", "Host: 127.0.0.1\r\nAuthorization: Bearer secret\r\n"},
        {200, "/open", "Host: 127.0.0.1:80\r\n"},
        {200, "/open", "Host: localhost\r\n"},
        {200, "/open", "Host: LOCALHOST:80\r\n"},
        {200, "/open", "Host: Example.org:443\r\n"},
        {400, "/open", "Host: example.org\r\n"},
        {400, "/open", "Host: example.org:80\r\n"},
        {400, "/open", "Host: 127.0.0.1:81\r\n"},
        {400, "/open", "Host: 127.0.0.1:080\r\n"},
        {400, "/open", "Host: 127.0.0.1:\r\n"},
        {400, "/open", "Host: 127.0.0.2\r\n"},
        {400, "/open", "Host: 127.1\r\n"},
        {400, "/open", "Host: [::1]\r\n"},
        {400, "/open", "Host: \r\n"},
        {400, "/open", "Host: evil.example\r\n"},
        {400, "/open", "Host: 127.0.0.1.evil.example\r\n"},
        {400, "/open", "Host: localhost.evil.example\r\n"},
        {400, "/open", "Host: user@127.0.0.1\r\n"},
        {200, "/open", "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"},
        {200, "/open", "Host: localhost\r\nOrigin: http://localhost\r\n"},
        {200, "/open", "Host: 127.0.0.1\r\nOrigin: https://app.example\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: http://localhost\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: https://127.0.0.1\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1:8080\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: null\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: \r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: http://app.example\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: https://app.example.evil\r\n"},
        {403, "/open", "Host: 127.0.0.1\r\nOrigin: https://app.example/\r\n"},
    };
    struct world *w = *state;

    w->o.access = (struct http_access){
        .token = world_token, .host = hosts, .n_hosts = 1, .origin = origins, .n_origins = 1};
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char text[300], line[32];

        world_reopen(w);
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n%s\r\n", c[i].path, c[i].fields);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", c[i].code);
        world_feeds(w, text);
        if (w->call) {
            assert_string_equal(w->subject, "ann");
            http_call_reply_json(w->call, 200, "{}", 2);
            w->call = NULL;
            world_pump(w);
        }
        if (world_count(w, line) != 1)
            fail_msg("case %zu: %s gave %s", i, text, str_cstr(&w->sent));
        assert_int_equal(world_count(w, "WWW-Authenticate: Bearer realm=\"troupe\""),
                         c[i].code == 401);
    }
}

static void other_addresses_have_other_hosts(void **state)
{
    static const struct {
        const char *address, *host;
        int code;
    } c[] = {
        {"::1", "[::1]", 200},
        {"::1", "::1", 400},
        {"::1", "localhost", 200},
        {"192.0.2.1", "192.0.2.1", 200},
        {"192.0.2.1", "localhost", 400},
        {"0.0.0.0", "10.1.2.3", 200},
        {"0.0.0.0", "[fd00::1]:80", 200},
        {"0.0.0.0", "10.1.2.3:81", 400},
        {"0.0.0.0", "evil.example", 400},
        {"0.0.0.0", "10.1.2.3.evil", 400},
        {"0.0.0.0", "localhost", 200},
        {"::", "[::1]", 200},
        {"::", "0x7f.1", 400},
        {"::", "[evil]", 400},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char text[100], line[32];

        w->o.address = c[i].address;
        world_reopen(w);
        (void)snprintf(text, sizeof(text), "GET /open HTTP/1.1\r\nHost: %s\r\n\r\n", c[i].host);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", c[i].code);
        world_feeds(w, text);
        if (world_count(w, line) != 1)
            fail_msg("case %zu: %s on %s", i, c[i].host, c[i].address);
    }
}

/* ---- deadlines */

static void a_head_must_come_within_its_time(void **state)
{
    struct world *w = *state;

    world_pass(w, 9999); /* from the start of the connection, whatever drips in */
    assert_false(w->closed);
    world_feeds(w, "GET /open HTTP/1.1\r\n");
    world_pass(w, 1);
    assert_sent(w, "HTTP/1.1 408 Request Timeout\r\n");
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
}

static void dripping_does_not_extend_the_time_of_a_head(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/open"));
    world_pass(w, 5000);
    for (int i = 0; i < 9; i++) {
        world_feeds(w, i ? "X" : "GET /");
        world_pass(w, 1000);
        assert_false(w->closed);
    }
    world_pass(w, 999);
    assert_false(w->closed);
    world_pass(w, 1);
    assert_true(w->closed);
    assert_sent(w, " 408 ");
}

static void connections_without_a_request_close_in_silence(void **state)
{
    struct world *w = *state;

    world_pass(w, 10000);
    assert_true(w->closed);
    assert_int_equal(w->sent.len, 0);
    http_conn_free(w->conn);
    world_open(w);
    world_feeds(w, GET("/open"));
    str_clear(&w->sent);
    world_pass(w, 74999);
    assert_false(w->closed);
    world_pass(w, 1);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
    assert_int_equal(w->sent.len, 0);
}

static void a_body_must_come_within_its_time(void **state)
{
    struct world *w = *state;
    char kib[1024];

    memset(kib, 'x', sizeof(kib));
    world_feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\n");
    world_pass(w, 29999);
    world_feed(w, kib, sizeof(kib)); /* gives a second more */
    world_pass(w, 1000);
    world_feed(w, kib, sizeof(kib) - 1);
    assert_false(w->closed);
    world_pass(w, 1);
    assert_true(w->closed);
    assert_sent(w, " 408 ");
    assert_int_equal(w->n_served, 0);
}

static void a_client_that_reads_nothing_is_cut(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    w->window = 10;
    http_call_reply_json(w->call, 200, "{}", 2);
    world_pump(w);
    world_pass(w, 29999);
    assert_false(w->closed);
    w->window = 1; /* any progress counts */
    world_pump(w);
    world_pass(w, 29999);
    assert_false(w->closed);
    world_pass(w, 1);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_RESET);
}

static void a_handler_may_take_any_time(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    world_pass(w, 1000000);
    assert_false(w->closed);
    http_call_fail(w->call, 503, NULL);
    w->call = NULL;
    world_pump(w);
    assert_sent(w, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_sent(w, "Retry-After: 1\r\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_reply_is_written_as_it_should_be),
        T(errors_have_a_body_and_say_what_is_allowed),
        T(bytes_cut_anywhere_give_the_same_replies),
        T(the_body_of_a_refused_request_is_skipped),
        T(a_long_refused_body_closes),
        T(a_body_has_the_limit_of_its_route),
        T(the_bodies_of_all_connections_have_a_limit),
        T(each_byte_of_a_large_body_arrives),
        T(a_head_reply_has_the_length_but_no_body),
        T(http_1_0_closes_unless_it_asks),
        T(a_stream_to_http_1_0_ends_with_the_connection),
        T(expect_100_continue_is_answered_before_the_body),
        T(hosts_origins_and_tokens_are_checked),
        T(other_addresses_have_other_hosts),
        T(a_head_must_come_within_its_time),
        T(dripping_does_not_extend_the_time_of_a_head),
        T(connections_without_a_request_close_in_silence),
        T(a_body_must_come_within_its_time),
        T(a_client_that_reads_nothing_is_cut),
        T(a_handler_may_take_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
