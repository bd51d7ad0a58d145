/* test_http_conn.c - a connection in memory: whatever way the bytes come, and whenever the client
 * leaves, stalls or comes too late.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/str.h"
#include "runtime/http/http_conn.h"

struct world {
    int64_t now_ms;
    struct seams seams;
    struct http_server_options o;
    struct http_shared *shared;
    struct http_conn *conn;
    struct str sent; /* all that was sent */
    size_t window;   /* bytes that the client still reads */
    bool wants_write, paused, closed;
    enum http_close how;
    struct http_call *call; /* the open one of /later and /stream */
    bool stream_refused;
    int n_served, n_gone, n_drained;
    char subject[32];
};

/* ---- the clock, the link and the handler */

static int64_t mono_us(void *ctx)
{
    return ((struct world *)ctx)->now_ms * 1000;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */
}

static void want_write(void *ctx)
{
    ((struct world *)ctx)->wants_write = true;
}

static void on_pause(void *ctx, bool yes)
{
    struct world *w = ctx;

    assert_int_equal(w->paused, !yes);
    w->paused = yes;
}

static void on_close(void *ctx, enum http_close how)
{
    struct world *w = ctx;

    assert_false(w->closed);
    w->closed = true;
    w->how = how;
}

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)ctx;
    if (strcmp(q->path, "/open") == 0 || strcmp(q->path, "/abort") == 0 ||
        strcmp(q->path, "/burst") == 0)
        return (struct http_route){.is_open = true, .max_body = 100};
    if (strcmp(q->path, "/echo") == 0 && q->method != HTTP_POST && q->method != HTTP_HEAD)
        return (struct http_route){.reject = 405, .message = "POST it", .allow = "POST, HEAD"};
    if (strcmp(q->path, "/echo") == 0)
        return (struct http_route){.max_body = 1000000};
    if (strcmp(q->path, "/later") == 0 || strcmp(q->path, "/stream") == 0 ||
        strcmp(q->path, "/raw") == 0)
        return (struct http_route){.max_body = 10};
    return (struct http_route){.reject = 404, .message = "there is nothing"};
}

static void gone(void *ctx)
{
    struct world *w = ctx;

    w->n_gone++;
    w->call = NULL;
}

static void drained(void *ctx)
{
    ((struct world *)ctx)->n_drained++;
}

static void serve(void *ctx, struct http_call *c)
{
    struct world *w = ctx;
    const struct http_request *q = http_call_request(c);

    w->n_served++;
    (void)snprintf(w->subject, sizeof(w->subject), "%s", q->subject);
    assert_non_null(q->body);
    assert_int_equal(q->body[q->body_bytes], '\0');
    if (strcmp(q->path, "/abort") == 0) {
        http_call_abort(c);
    } else if (strcmp(q->path, "/burst") == 0) {
        if (http_call_stream(c, &(struct http_reply){.code = 200}) && http_call_write(c, "all", 3))
            http_call_end(c);
    } else if (strcmp(q->path, "/later") == 0) {
        w->call = c;
        http_call_on_gone(c, gone, w);
    } else if (strcmp(q->path, "/stream") == 0 || strcmp(q->path, "/raw") == 0) {
        struct http_reply r = {.code = 200,
                               .type = q->path[1] == 's' ? "text/event-stream" : "text/plain"};

        http_call_on_gone(c, gone, w);
        w->stream_refused = !http_call_stream(c, &r);
        if (w->stream_refused)
            return;
        w->call = c;
        http_call_on_drain(c, drained, w);
    } else {
        http_call_reply(c, &(struct http_reply){.code = 200,
                                                .type = "text/plain",
                                                .body = q->body,
                                                .body_bytes = (size_t)q->body_bytes});
    }
}

static bool token_ok(void *ctx, const char *token, size_t n, const char **subject)
{
    (void)ctx;
    *subject = "ann";
    return n == 6 && memcmp(token, "secret", 6) == 0;
}

/* ---- the world */

static void open_conn(struct world *w)
{
    struct http_link link = {w, want_write, on_pause, on_close};

    w->conn = http_conn_new(w->shared, &link, "192.0.2.7");
    w->window = SIZE_MAX;
    w->paused = w->closed = w->wants_write = false;
    str_clear(&w->sent);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->now_ms = 1000000;
    w->seams = *seams_real();
    w->seams.clock = (struct clock_seam){w, wall_ms, mono_us};
    w->o.address = "127.0.0.1";
    w->o.seams = &w->seams;
    w->o.handler = (struct http_handler){w, route, serve, NULL};
    w->o.limits.max_streams_per_subject = 2;
    w->shared = http_shared_new(&w->o, 80);
    str_init(&w->sent, (size_t)64 << 20);
    open_conn(w);
    *state = w;
    return 0;
}

static void reopen_with(struct world *w)
{
    http_conn_free(w->conn);
    http_shared_free(w->shared);
    w->shared = http_shared_new(&w->o, 80);
    open_conn(w);
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct http_counts *n;

    http_conn_free(w->conn);
    n = http_shared_counts(w->shared);
    assert_int_equal(n->connections, 0);
    assert_int_equal(n->requests, 0);
    assert_int_equal(n->streams, 0);
    http_shared_free(w->shared);
    str_deinit(&w->sent);
    free(w);
    return 0;
}

/* Sends as far as the client reads. */
static void pump(struct world *w)
{
    const char *bytes;
    size_t n;

    while (!w->closed && w->window > 0 && (n = http_conn_unsent(w->conn, &bytes)) > 0) {
        if (n > w->window)
            n = w->window;
        w->window -= n;
        str_append(&w->sent, bytes, n);
        http_conn_sent(w->conn, n);
    }
    w->wants_write = false;
}

static void feed(struct world *w, const char *bytes, size_t n)
{
    if (w->closed)
        return;
    http_conn_feed(w->conn, bytes, n);
    pump(w);
}

static void feeds(struct world *w, const char *text)
{
    feed(w, text, strlen(text));
}

static int count(const struct world *w, const char *what)
{
    int n = 0;

    for (const char *p = str_cstr(&w->sent); (p = strstr(p, what)); p++)
        n++;
    return n;
}

#define assert_sent(w, what)     assert_int_equal(count(w, what), 1)
#define assert_not_sent(w, what) assert_int_equal(count(w, what), 0)

/* Time passes; each deadline is kept. */
static void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now_ms + ms;

    while (!w->closed && http_conn_deadline(w->conn) <= end) {
        int64_t d = http_conn_deadline(w->conn);

        if (d > w->now_ms)
            w->now_ms = d;
        http_conn_due(w->conn);
        pump(w);
        if (!w->closed)
            assert_true(http_conn_deadline(w->conn) > w->now_ms);
    }
    w->now_ms = end;
}

/* ---- requests and replies */

#define H                   "Host: 127.0.0.1\r\n"
#define POST(path, n, body) "POST " path " HTTP/1.1\r\n" H "Content-Length: " n "\r\n\r\n" body
#define GET(path)           "GET " path " HTTP/1.1\r\n" H "\r\n"

static void a_reply_is_written_as_it_should_be(void **state)
{
    struct world *w = *state;

    feeds(w, POST("/echo", "5", "hello"));
    assert_string_equal(str_cstr(&w->sent), "HTTP/1.1 200 OK\r\n"
                                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                            "Content-Type: text/plain\r\n"
                                            "Content-Length: 5\r\n\r\nhello");
    assert_false(w->closed);
}

static void errors_have_a_body_and_say_what_is_allowed(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/echo"));
    assert_sent(w, "HTTP/1.1 405 Method Not Allowed\r\n");
    assert_sent(w, "Allow: POST, HEAD\r\n");
    assert_sent(w, "\r\n\r\n{\"error\":{\"message\":\"POST it\"}}\n");
    feeds(w, GET("/none"));
    assert_sent(w, "HTTP/1.1 404 Not Found\r\n");
    assert_false(w->closed); /* the framing is certain */
    feeds(w, "bad\r\n\r\n");
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

    feed(w, script, n);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
    assert_int_equal(count(w, "HTTP/1.1 200 OK"), 5);
    assert_int_equal(count(w, "HTTP/1.1 4"), 3);
    str_append(&all, w->sent.data, w->sent.len);
    for (size_t cut = 1; cut < n; cut++) {
        http_conn_free(w->conn);
        open_conn(w);
        feed(w, script, cut);
        feed(w, script + cut, n - cut);
        assert_true(w->closed);
        assert_int_equal(w->sent.len, all.len);
        assert_memory_equal(w->sent.data, all.data, all.len);
    }
    http_conn_free(w->conn);
    open_conn(w);
    for (size_t i = 0; i < n; i++)
        feed(w, script + i, 1);
    assert_true(w->closed);
    assert_string_equal(w->sent.data, all.data);
    str_deinit(&all);
}

static void the_body_of_a_refused_request_is_skipped(void **state)
{
    struct world *w = *state;

    feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nGET");
    assert_sent(w, " 404 ");
    assert_not_sent(w, "Connection: close\r\n");
    feeds(w, " / HTT" GET("/open"));
    assert_sent(w, " 200 ");
    feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nGET");
    pass(w, 9999);
    assert_false(w->closed);
    pass(w, 1);
    assert_true(w->closed);
}

/* Too long to be read for nothing. */
static void a_long_refused_body_closes(void **state)
{
    struct world *w = *state;

    feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n");
    assert_sent(w, " 404 ");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
}

static void a_body_has_the_limit_of_its_route(void **state)
{
    struct world *w = *state;

    feeds(w, POST("/later", "9", "123456789"));
    assert_int_equal(w->n_served, 1);
    http_call_reply_json(w->call, 200, "{}", 2);
    pump(w);
    feeds(w, POST("/later", "10", "1234567890"));
    assert_int_equal(w->n_served, 2);
    http_call_reply_json(w->call, 200, "{}", 2);
    pump(w);
    feeds(w, POST("/later", "11", "12345"));
    assert_int_equal(w->n_served, 2);
    assert_sent(w, "HTTP/1.1 413 Content Too Large\r\n");
}

static void each_byte_of_a_large_body_arrives(void **state)
{
    struct world *w = *state;
    struct str body = STR_INIT;
    const char *found;

    for (int i = 0; i < 1000000; i++)
        str_putc(&body, (char)('a' + i % 26));
    feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\n");
    for (size_t at = 0; at < body.len; at += 7777)
        feed(w, body.data + at, body.len - at < 7777 ? body.len - at : 7777);
    found = strstr(str_cstr(&w->sent), "\r\n\r\n");
    assert_non_null(found);
    assert_string_equal(found + 4, body.data);
    str_deinit(&body);
}

/* ---- HEAD, HTTP/1.0, 100-continue */

static void a_head_reply_has_the_length_but_no_body(void **state)
{
    struct world *w = *state;

    feeds(w, "HEAD /open HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
    assert_sent(w, "Content-Length: 3\r\n\r\n");
    assert_not_sent(w, "abc");
    feeds(w, "HEAD /none HTTP/1.1\r\n" H "\r\n");
    assert_sent(w, " 404 ");
    assert_not_sent(w, "error");
    feeds(w, POST("/echo", "5", "hello")); /* the next one has its body */
    assert_sent(w, "hello");
}

static void http_1_0_closes_unless_it_asks(void **state)
{
    struct world *w = *state;

    feeds(w, "GET /open HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
    assert_sent(w, "Connection: keep-alive\r\n");
    assert_false(w->closed);
    feeds(w, "GET /open HTTP/1.0\r\n" H "\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
}

static void a_stream_to_http_1_0_ends_with_the_connection(void **state)
{
    struct world *w = *state;

    feeds(w, "GET /stream HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
    assert_not_sent(w, "chunked");
    assert_sent(w, "Connection: close\r\n");
    assert_true(http_call_write(w->call, "data: 1\n\n", 9));
    pump(w);
    assert_sent(w, "\r\n\r\ndata: 1\n\n");
    http_call_end(w->call);
    pump(w);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
}

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    struct world *w = *state;

    feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_string_equal(str_cstr(&w->sent), "HTTP/1.1 100 Continue\r\n\r\n");
    feeds(w, "hello");
    assert_sent(w, "HTTP/1.1 200 OK");
    /* The body is there already. */
    str_clear(&w->sent);
    feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    assert_not_sent(w, " 100 ");
    /* HTTP/1.0 does not know it. */
    str_clear(&w->sent);
    feeds(w, "POST /echo HTTP/1.0\r\n" H "Connection: keep-alive\r\nContent-Length: 5\r\n"
             "Expect: 100-continue\r\n\r\n");
    assert_not_sent(w, " 100 ");
    feeds(w, "hello");
    /* A refusal comes instead; the client need not send the body, so the connection closes. */
    feeds(w, "POST /none HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
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
        .token = token_ok, .host = hosts, .n_hosts = 1, .origin = origins, .n_origins = 1};
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char text[300], line[32];

        reopen_with(w);
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n%s\r\n", c[i].path, c[i].fields);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", c[i].code);
        feeds(w, text);
        if (w->call) {
            assert_string_equal(w->subject, "ann");
            http_call_reply_json(w->call, 200, "{}", 2);
            w->call = NULL;
            pump(w);
        }
        if (count(w, line) != 1)
            fail_msg("case %zu: %s gave %s", i, text, str_cstr(&w->sent));
        assert_int_equal(count(w, "WWW-Authenticate: Bearer realm=\"troupe\""), c[i].code == 401);
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
        reopen_with(w);
        (void)snprintf(text, sizeof(text), "GET /open HTTP/1.1\r\nHost: %s\r\n\r\n", c[i].host);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", c[i].code);
        feeds(w, text);
        if (count(w, line) != 1)
            fail_msg("case %zu: %s on %s", i, c[i].host, c[i].address);
    }
}

/* ---- deadlines */

static void a_head_must_come_within_its_time(void **state)
{
    struct world *w = *state;

    pass(w, 9999); /* from the start of the connection, whatever drips in */
    assert_false(w->closed);
    feeds(w, "GET /open HTTP/1.1\r\n");
    pass(w, 1);
    assert_sent(w, "HTTP/1.1 408 Request Timeout\r\n");
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
}

static void dripping_does_not_extend_the_time_of_a_head(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/open"));
    pass(w, 5000);
    for (int i = 0; i < 9; i++) {
        feeds(w, i ? "X" : "GET /");
        pass(w, 1000);
        assert_false(w->closed);
    }
    pass(w, 999);
    assert_false(w->closed);
    pass(w, 1);
    assert_true(w->closed);
    assert_sent(w, " 408 ");
}

static void connections_without_a_request_close_in_silence(void **state)
{
    struct world *w = *state;

    pass(w, 10000);
    assert_true(w->closed);
    assert_int_equal(w->sent.len, 0);
    http_conn_free(w->conn);
    open_conn(w);
    feeds(w, GET("/open"));
    str_clear(&w->sent);
    pass(w, 74999);
    assert_false(w->closed);
    pass(w, 1);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE);
    assert_int_equal(w->sent.len, 0);
}

static void a_body_must_come_within_its_time(void **state)
{
    struct world *w = *state;
    char kib[1024];

    memset(kib, 'x', sizeof(kib));
    feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\n");
    pass(w, 29999);
    feed(w, kib, sizeof(kib)); /* gives a second more */
    pass(w, 1000);
    feed(w, kib, sizeof(kib) - 1);
    assert_false(w->closed);
    pass(w, 1);
    assert_true(w->closed);
    assert_sent(w, " 408 ");
    assert_int_equal(w->n_served, 0);
}

static void a_client_that_reads_nothing_is_cut(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/later"));
    w->window = 10;
    http_call_reply_json(w->call, 200, "{}", 2);
    pump(w);
    pass(w, 29999);
    assert_false(w->closed);
    w->window = 1; /* any progress counts */
    pump(w);
    pass(w, 29999);
    assert_false(w->closed);
    pass(w, 1);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_RESET);
}

static void a_handler_may_take_any_time(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/later"));
    pass(w, 1000000);
    assert_false(w->closed);
    http_call_fail(w->call, 503, NULL);
    w->call = NULL;
    pump(w);
    assert_sent(w, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_sent(w, "Retry-After: 1\r\n");
}

/* ---- the client leaves */

static void on_gone_comes_once_for_an_open_call(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/later"));
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    assert_int_equal(http_shared_counts(w->shared)->aborted, 1);
    open_conn(w);
    feeds(w, GET("/later"));
    http_call_reply_json(w->call, 200, "{}", 2); /* the reply is not sent, but the call is over */
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    open_conn(w);
    feeds(w, GET("/stream"));
    assert_true(http_call_write(w->call, "x", 1));
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 2);
    open_conn(w);
    feeds(w, GET("/stream"));
    http_call_abort(w->call);
    assert_true(w->closed);
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 2);
    open_conn(w);
}

/* Between the cut and the end of the connection the handler may go on with its call. */
static void a_cut_call_can_still_be_used(void **state)
{
    static const char *const paths[] = {GET("/later"), GET("/stream"), GET("/later")};
    struct world *w = *state;

    for (int how = 0; how < 3; how++) {
        feeds(w, paths[how]);
        w->window = 0;
        if (how == 1) {
            assert_true(http_call_write(w->call, "x", 1));
            pass(w, 30000);
        } else { /* the reply to an earlier request stalls */
            feeds(w, GET("/open"));
            http_call_reply_json(w->call, 200, "{}", 2);
            w->call = NULL;
            pass(w, 30000);
        }
        assert_true(w->closed);
        if (w->call) {
            assert_true(http_call_write(w->call, "x", 1));
            http_call_end(w->call);
        }
        http_conn_free(w->conn);
        assert_int_equal(w->n_gone, 0);
        open_conn(w);
    }
}

/* ---- pipelining and back-pressure */

static void the_next_request_waits_for_the_reply(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/later") POST("/echo", "2", "AB") GET("/later"));
    assert_int_equal(w->n_served, 1);
    feeds(w, POST("/echo", "2", "CD"));
    assert_int_equal(w->sent.len, 0);
    http_call_reply_json(w->call, 200, "\"one\"", 5);
    w->call = NULL;
    pump(w);
    assert_int_equal(w->n_served, 3);
    assert_true(strstr(w->sent.data, "one") < strstr(w->sent.data, "AB"));
    http_call_reply_json(w->call, 200, "\"two\"", 5);
    pump(w);
    assert_true(strstr(w->sent.data, "two") < strstr(w->sent.data, "CD"));
    assert_int_equal(w->n_served, 4);
}

static void a_client_that_sends_and_does_not_read_is_paused(void **state)
{
    struct world *w = *state;
    struct str many = STR_INIT;
    int fed = 0;
    const char *bytes;

    for (int i = 0; i < 100; i++)
        str_puts(&many, GET("/none"));
    w->window = 0;
    while (!w->paused && fed < 1000) {
        feed(w, many.data, many.len);
        fed++;
    }
    assert_true(w->paused);
    assert_true(fed < 20);
    assert_true(http_conn_unsent(w->conn, &bytes) < 20000);
    w->window = SIZE_MAX;
    pump(w);
    assert_false(w->paused);
    assert_int_equal(count(w, " 404 "), fed * 100);
    /* The same while a handler works. */
    feeds(w, GET("/later"));
    for (fed = 0; !w->paused && fed < 1000; fed++)
        feed(w, many.data, many.len);
    assert_true(fed < 20);
    http_call_reply_json(w->call, 200, "{}", 2);
    pump(w);
    assert_false(w->paused);
    str_deinit(&many);
}

static void a_full_stream_refuses_until_half_is_sent(void **state)
{
    struct world *w = *state;
    char block[1000];
    int n = 0;

    memset(block, 'x', sizeof(block));
    w->o.limits.backlog_bytes = 10000;
    reopen_with(w);
    feeds(w, GET("/stream"));
    w->window = 0;
    while (http_call_write(w->call, block, sizeof(block)))
        n++;
    assert_int_equal(n, 9); /* with the frames of their chunks */
    assert_true(http_call_backlog(w->call) <= 10000);
    w->window = 3000;
    pump(w);
    assert_int_equal(w->n_drained, 0);
    w->window = 2000;
    pump(w);
    assert_int_equal(w->n_drained, 1);
    w->window = SIZE_MAX;
    pump(w);
    assert_int_equal(w->n_drained, 1); /* only after a refusal */
    assert_int_equal(http_call_backlog(w->call), 0);
    w->window = 0;
    assert_true(http_call_write(w->call, w->sent.data, 9000));
    assert_false(http_call_write(w->call, w->sent.data, 9000));
    http_call_end(w->call);
    w->window = SIZE_MAX;
    pump(w);
    assert_sent(w, "\r\n0\r\n\r\n");
}

/* ---- streams */

static void a_stream_is_sent_in_chunks(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/raw"));
    assert_sent(w, "Transfer-Encoding: chunked\r\n\r\n");
    assert_not_sent(w, "Content-Length");
    str_clear(&w->sent);
    assert_true(http_call_write(w->call, "hello", 5));
    assert_true(http_call_write(w->call, "", 0)); /* not the last chunk */
    assert_true(http_call_write(w->call, "0123456789abcdef0", 17));
    assert_int_equal(w->sent.len, 0); /* in one write */
    pump(w);
    http_call_end(w->call);
    pump(w);
    assert_string_equal(w->sent.data, "5\r\nhello\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n");
    assert_false(w->closed);
    feeds(w, GET("/open"));
    assert_sent(w, "HTTP/1.1 200 OK");
}

static void a_stream_may_end_at_once(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/burst"));
    assert_sent(w, "\r\n\r\n3\r\nall\r\n0\r\n\r\n");
    feeds(w, GET("/burst"));
    assert_int_equal(count(w, "3\r\nall\r\n0\r\n\r\n"), 2);
    assert_false(w->closed);
    feeds(w, GET("/abort") GET("/open"));
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_RESET);
}

static void idle_event_streams_get_comments(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/stream"));
    str_clear(&w->sent);
    pass(w, 14999);
    assert_int_equal(w->sent.len, 0);
    pass(w, 1);
    assert_string_equal(w->sent.data, "3\r\n:\n\n\r\n");
    pass(w, 14999);
    assert_true(http_call_write(w->call, "x", 1));
    pump(w);
    pass(w, 14999);
    assert_int_equal(count(w, ":\n\n"), 1);
    pass(w, 30001);
    assert_int_equal(count(w, ":\n\n"), 4);
    /* A peer that has vanished: the comment is not read, and the stream is cut. */
    w->window = 0;
    pass(w, 15000 + 30000);
    assert_true(w->closed);
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    open_conn(w);
    /* Other streams have none. */
    feeds(w, GET("/raw"));
    str_clear(&w->sent);
    pass(w, 1000000);
    assert_int_equal(w->sent.len, 0);
    assert_false(w->closed);
}

static void requests_during_a_stream_are_dropped(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/raw"));
    feeds(w, GET("/open"));
    assert_int_equal(w->n_served, 1);
    http_call_end(w->call);
    pump(w);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
    http_conn_free(w->conn);
    open_conn(w);
    feeds(w, GET("/raw") GET("/open")); /* known in time: it is announced */
    assert_sent(w, "Connection: close\r\n");
    http_call_end(w->call);
    pump(w);
    assert_true(w->closed);
}

static void a_stream_to_head_has_no_chunks(void **state)
{
    struct world *w = *state;

    feeds(w, "HEAD /stream HTTP/1.1\r\n" H "\r\n");
    str_clear(&w->sent);
    assert_true(http_call_write(w->call, "x", 1));
    pass(w, 60000);
    http_call_end(w->call);
    pump(w);
    assert_int_equal(w->sent.len, 0);
    feeds(w, GET("/open"));
    assert_sent(w, " 200 ");
}

static void a_subject_has_so_many_streams(void **state)
{
    struct world *w = *state;
    struct http_conn *conns[2];

    for (int i = 0; i < 2; i++) {
        feeds(w, GET("/stream"));
        assert_false(w->stream_refused);
        conns[i] = w->conn;
        open_conn(w);
    }
    assert_int_equal(http_shared_counts(w->shared)->streams, 2);
    feeds(w, GET("/stream"));
    assert_true(w->stream_refused);
    assert_sent(w, "HTTP/1.1 429 Too Many Requests\r\n");
    assert_sent(w, "Retry-After: 1\r\n");
    http_conn_free(conns[0]);
    feeds(w, GET("/stream"));
    assert_false(w->stream_refused);
    http_conn_free(conns[1]);
}

static void values_cannot_add_fields(void **state)
{
    struct world *w = *state;
    struct http_field f = {"Location", "/a\r\nSet-Cookie: x\n\ty"};

    feeds(w, GET("/later"));
    http_call_reply(w->call, &(struct http_reply){.code = 302, .fields = &f, .n_fields = 1});
    pump(w);
    assert_sent(w, "Location: /a  Set-Cookie: x \ty\r\n");
}

static void no_content_has_no_length(void **state)
{
    struct world *w = *state;

    feeds(w, GET("/later"));
    http_call_reply(w->call, &(struct http_reply){.code = 204, .body = "x", .body_bytes = 1});
    pump(w);
    assert_not_sent(w, "Content-Length");
    assert_int_equal(strlen(strstr(w->sent.data, "\r\n\r\n")), 4);
}

/* ---- draining and giving way */

static void a_draining_server_ends_what_has_begun(void **state)
{
    struct world *w = *state;
    struct http_conn *idle = w->conn, *busy;

    feeds(w, GET("/open"));
    open_conn(w);
    feeds(w, GET("/later"));
    busy = w->conn;
    open_conn(w);
    feeds(w, "GET /open HTTP/1.1\r\n"); /* half a head */
    http_shared_drain(w->shared);
    assert_true(w->closed); /* only the idle one */
    http_conn_free(idle);
    w->closed = false;
    feeds(w, H "\r\n");
    assert_sent(w, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
    http_conn_free(w->conn);
    w->conn = busy;
    w->closed = false;
    str_clear(&w->sent);
    http_call_reply_json(w->call, 200, "{}", 2);
    pump(w);
    assert_sent(w, "HTTP/1.1 200 OK\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
}

static void the_one_that_waits_longest_gives_way(void **state)
{
    struct world *w = *state;
    struct http_conn *oldest = w->conn;

    feeds(w, GET("/later"));
    open_conn(w);
    feeds(w, "GET"); /* half a head gives way, a call does not */
    assert_true(http_shared_evict(w->shared));
    assert_true(w->closed);
    assert_false(http_shared_evict(w->shared));
    http_conn_free(oldest);
}

/* ---- faults */

struct chance {
    uint64_t seed;
    uint32_t at;
};

static uint32_t draw(struct chance *c, uint32_t n)
{
    return rng_below(rng_philox(c->seed, c->at++, 0, 0, 0).word[0], n);
}

/* Whole requests first: they are drawn more often. */
static const char *const pieces[] = {
    GET("/later"),
    GET("/stream"),
    POST("/echo", "5", "hello"),
    GET("/open"),
    GET("/none"),
    GET("/raw"),
    "HEAD /stream HTTP/1.1\r\n" H "\r\n",
    "POST /echo HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "123456789",
    "POST /none HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\n",
    "123456789",
    "GET /stream HTTP/1.0\r\n" H "\r\n",
    GET("/burst"),
    "GET / HTTP/1.1\r\nHost",
    GET("/abort"),
    "\r\n",
};

static void use_call(struct world *w, struct chance *c)
{
    static const char block[3000];
    struct http_call *call = w->call;
    bool streams = call && http_call_request(call) == NULL;

    if (!call)
        return;
    switch (draw(c, 20)) {
    case 0:
        w->call = NULL;
        if (streams)
            http_call_end(call);
        else
            http_call_reply_json(call, 200, "{}", 2);
        return;
    case 1:
        w->call = NULL;
        if (streams)
            http_call_abort(call);
        else
            http_call_fail(call, 500, "x");
        return;
    default:
        if (streams)
            (void)http_call_write(call, block, draw(c, sizeof(block)));
    }
}

/* Random clients and handlers, with memory that runs out. teardown checks the counts. */
static void nothing_is_lost_whatever_happens(void **state)
{
    struct world *w = *state;

    w->o.limits.backlog_bytes = 5000;
    reopen_with(w);
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct chance c = {seed, 0};

        w->call = NULL;
        for (int step = 0; step < 40 && !w->closed; step++) {
            uint32_t a = draw(&c, ARRAY_LEN(pieces)), b = draw(&c, ARRAY_LEN(pieces));
            const char *piece = pieces[a < b ? a : b];
            size_t cut = draw(&c, (uint32_t)strlen(piece) + 1);

            mem_fail_after(draw(&c, 20) == 0 ? 1 + draw(&c, 10) : 0);
            w->window = draw(&c, 3) ? draw(&c, 3000) : 0;
            if (draw(&c, 10))
                cut = strlen(piece);
            if (draw(&c, 2) == 0 && !w->paused)
                feed(w, piece, cut);
            use_call(w, &c);
            pump(w);
            if (draw(&c, 10) == 0)
                pass(w, draw(&c, 20000));
            mem_fail_after(0);
        }
        http_conn_free(w->conn);
        assert_int_equal(http_shared_counts(w->shared)->requests, 0);
        assert_int_equal(http_shared_counts(w->shared)->streams, 0);
        open_conn(w);
    }
    assert_true(w->n_served > 3000);
    assert_true(w->n_gone > 100);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_reply_is_written_as_it_should_be),
        T(errors_have_a_body_and_say_what_is_allowed),
        T(bytes_cut_anywhere_give_the_same_replies),
        T(the_body_of_a_refused_request_is_skipped),
        T(a_long_refused_body_closes),
        T(a_body_has_the_limit_of_its_route),
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
        T(on_gone_comes_once_for_an_open_call),
        T(a_cut_call_can_still_be_used),
        T(the_next_request_waits_for_the_reply),
        T(a_client_that_sends_and_does_not_read_is_paused),
        T(a_full_stream_refuses_until_half_is_sent),
        T(a_stream_is_sent_in_chunks),
        T(a_stream_may_end_at_once),
        T(idle_event_streams_get_comments),
        T(requests_during_a_stream_are_dropped),
        T(a_stream_to_head_has_no_chunks),
        T(a_subject_has_so_many_streams),
        T(values_cannot_add_fields),
        T(no_content_has_no_length),
        T(a_draining_server_ends_what_has_begun),
        T(the_one_that_waits_longest_gives_way),
        T(nothing_is_lost_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
