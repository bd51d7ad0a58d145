/* test_http_stream.c - a connection in memory: clients that leave, pipelining, back-pressure,
 * streams, the end of the server, and faults.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conn_world.h"
#include "runtime/base/rng.h"

/* ---- the client leaves */

static void on_gone_comes_once_for_an_open_call(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    assert_int_equal(http_shared_counts(w->shared)->aborted, 1);
    world_open(w);
    world_feeds(w, GET("/later"));
    http_call_reply_json(w->call, 200, "{}", 2); /* the reply is not sent, but the call is over */
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    world_open(w);
    world_feeds(w, GET("/stream"));
    assert_true(http_call_write(w->call, "x", 1));
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 2);
    world_open(w);
    world_feeds(w, GET("/stream"));
    http_call_abort(w->call);
    assert_true(w->closed);
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 2);
    world_open(w);
}

/* Between the cut and the end of the connection the handler may go on with its call. */
static void a_cut_call_can_still_be_used(void **state)
{
    static const char *const paths[] = {GET("/later"), GET("/stream"), GET("/later")};
    struct world *w = *state;

    for (int how = 0; how < 3; how++) {
        world_feeds(w, paths[how]);
        w->window = 0;
        if (how == 1) {
            assert_true(http_call_write(w->call, "x", 1));
            world_pass(w, 30000);
        } else { /* the reply to an earlier request stalls */
            world_feeds(w, GET("/open"));
            http_call_reply_json(w->call, 200, "{}", 2);
            w->call = NULL;
            world_pass(w, 30000);
        }
        assert_true(w->closed);
        if (w->call) {
            assert_true(http_call_write(w->call, "x", 1));
            http_call_end(w->call);
        }
        http_conn_free(w->conn);
        assert_int_equal(w->n_gone, 0);
        world_open(w);
    }
}

/* ---- pipelining and back-pressure */

static void the_next_request_waits_for_the_reply(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later") POST("/echo", "2", "AB") GET("/later"));
    assert_int_equal(w->n_served, 1);
    world_feeds(w, POST("/echo", "2", "CD"));
    assert_int_equal(w->sent.len, 0);
    http_call_reply_json(w->call, 200, "\"one\"", 5);
    w->call = NULL;
    world_pump(w);
    assert_int_equal(w->n_served, 3);
    assert_true(strstr(w->sent.data, "one") < strstr(w->sent.data, "AB"));
    http_call_reply_json(w->call, 200, "\"two\"", 5);
    world_pump(w);
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
        world_feed(w, many.data, many.len);
        fed++;
    }
    assert_true(w->paused);
    assert_true(fed < 20);
    assert_true(http_conn_unsent(w->conn, &bytes) < 20000);
    w->window = SIZE_MAX;
    world_pump(w);
    assert_false(w->paused);
    assert_int_equal(world_count(w, " 404 "), fed * 100);
    /* The same while a handler works. */
    world_feeds(w, GET("/later"));
    for (fed = 0; !w->paused && fed < 1000; fed++)
        world_feed(w, many.data, many.len);
    assert_true(fed < 20);
    http_call_reply_json(w->call, 200, "{}", 2);
    world_pump(w);
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
    world_reopen(w);
    world_feeds(w, GET("/stream"));
    w->window = 0;
    while (http_call_write(w->call, block, sizeof(block)))
        n++;
    assert_int_equal(n, 9); /* with the frames of their chunks */
    assert_true(http_call_backlog(w->call) <= 10000);
    w->window = 3000;
    world_pump(w);
    assert_int_equal(w->n_drained, 0);
    w->window = 2000;
    world_pump(w);
    assert_int_equal(w->n_drained, 1);
    w->window = SIZE_MAX;
    world_pump(w);
    assert_int_equal(w->n_drained, 1); /* only after a refusal */
    assert_int_equal(http_call_backlog(w->call), 0);
    w->window = 0;
    assert_true(http_call_write(w->call, w->sent.data, 9000));
    assert_false(http_call_write(w->call, w->sent.data, 9000));
    http_call_end(w->call);
    w->window = SIZE_MAX;
    world_pump(w);
    assert_sent(w, "\r\n0\r\n\r\n");
}

/* ---- streams */

static void a_stream_is_sent_in_chunks(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/raw"));
    assert_sent(w, "Transfer-Encoding: chunked\r\n\r\n");
    assert_not_sent(w, "Content-Length");
    str_clear(&w->sent);
    assert_true(http_call_write(w->call, "hello", 5));
    assert_true(http_call_write(w->call, "", 0)); /* not the last chunk */
    assert_true(http_call_write(w->call, "0123456789abcdef0", 17));
    assert_int_equal(w->sent.len, 0); /* in one write */
    world_pump(w);
    http_call_end(w->call);
    world_pump(w);
    assert_string_equal(w->sent.data, "5\r\nhello\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n");
    assert_false(w->closed);
    world_feeds(w, GET("/open"));
    assert_sent(w, "HTTP/1.1 200 OK");
}

static void a_stream_may_end_at_once(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/burst"));
    assert_sent(w, "\r\n\r\n3\r\nall\r\n0\r\n\r\n");
    world_feeds(w, GET("/burst"));
    assert_int_equal(world_count(w, "3\r\nall\r\n0\r\n\r\n"), 2);
    assert_false(w->closed);
    world_feeds(w, GET("/abort") GET("/open"));
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_RESET);
}

static void idle_event_streams_get_comments(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/stream"));
    str_clear(&w->sent);
    world_pass(w, 14999);
    assert_int_equal(w->sent.len, 0);
    world_pass(w, 1);
    assert_string_equal(w->sent.data, "3\r\n:\n\n\r\n");
    world_pass(w, 14999);
    assert_true(http_call_write(w->call, "x", 1));
    world_pump(w);
    world_pass(w, 14999);
    assert_int_equal(world_count(w, ":\n\n"), 1);
    world_pass(w, 30001);
    assert_int_equal(world_count(w, ":\n\n"), 4);
    /* A peer that has vanished: the comment is not read, and the stream is cut. */
    w->window = 0;
    world_pass(w, 15000 + 30000);
    assert_true(w->closed);
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    world_open(w);
    /* Other streams have none. */
    world_feeds(w, GET("/raw"));
    str_clear(&w->sent);
    world_pass(w, 1000000);
    assert_int_equal(w->sent.len, 0);
    assert_false(w->closed);
}

static void requests_during_a_stream_are_dropped(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/raw"));
    world_feeds(w, GET("/open"));
    assert_int_equal(w->n_served, 1);
    http_call_end(w->call);
    world_pump(w);
    assert_true(w->closed);
    assert_int_equal(w->how, HTTP_CLOSE_LINGER);
    http_conn_free(w->conn);
    world_open(w);
    world_feeds(w, GET("/raw") GET("/open")); /* known in time: it is announced */
    assert_sent(w, "Connection: close\r\n");
    http_call_end(w->call);
    world_pump(w);
    assert_true(w->closed);
}

static void a_stream_to_head_has_no_chunks(void **state)
{
    struct world *w = *state;

    world_feeds(w, "HEAD /stream HTTP/1.1\r\n" H "\r\n");
    str_clear(&w->sent);
    assert_true(http_call_write(w->call, "x", 1));
    world_pass(w, 60000);
    http_call_end(w->call);
    world_pump(w);
    assert_int_equal(w->sent.len, 0);
    world_feeds(w, GET("/open"));
    assert_sent(w, " 200 ");
}

static void a_subject_has_so_many_streams(void **state)
{
    struct world *w = *state;
    struct http_conn *conns[2];

    for (int i = 0; i < 2; i++) {
        world_feeds(w, GET("/stream"));
        assert_false(w->stream_refused);
        conns[i] = w->conn;
        world_open(w);
    }
    assert_int_equal(http_shared_counts(w->shared)->streams, 2);
    world_feeds(w, GET("/stream"));
    assert_true(w->stream_refused);
    assert_sent(w, "HTTP/1.1 429 Too Many Requests\r\n");
    assert_sent(w, "Retry-After: 1\r\n");
    http_conn_free(conns[0]);
    world_feeds(w, GET("/stream"));
    assert_false(w->stream_refused);
    http_conn_free(conns[1]);
}

static void values_cannot_add_fields(void **state)
{
    struct world *w = *state;
    struct http_field f = {"Location", "/a\r\nSet-Cookie: x\n\ty"};

    world_feeds(w, GET("/later"));
    http_call_reply(w->call, &(struct http_reply){.code = 302, .fields = &f, .n_fields = 1});
    world_pump(w);
    assert_sent(w, "Location: /a  Set-Cookie: x \ty\r\n");
}

static void no_content_has_no_length(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    http_call_reply(w->call, &(struct http_reply){.code = 204, .body = "x", .body_bytes = 1});
    world_pump(w);
    assert_not_sent(w, "Content-Length");
    assert_int_equal(strlen(strstr(w->sent.data, "\r\n\r\n")), 4);
}

/* ---- draining and giving way */

static void a_draining_server_ends_what_has_begun(void **state)
{
    struct world *w = *state;
    struct http_conn *idle = w->conn, *busy;

    world_feeds(w, GET("/open"));
    world_open(w);
    world_feeds(w, GET("/later"));
    busy = w->conn;
    world_open(w);
    world_feeds(w, "GET /open HTTP/1.1\r\n"); /* half a head */
    http_shared_drain(w->shared);
    assert_true(w->closed); /* only the idle one */
    http_conn_free(idle);
    w->closed = false;
    world_feeds(w, H "\r\n");
    assert_sent(w, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
    http_conn_free(w->conn);
    w->conn = busy;
    w->closed = false;
    str_clear(&w->sent);
    http_call_reply_json(w->call, 200, "{}", 2);
    world_pump(w);
    assert_sent(w, "HTTP/1.1 200 OK\r\n");
    assert_sent(w, "Connection: close\r\n");
    assert_true(w->closed);
}

static void the_one_that_waits_longest_gives_way(void **state)
{
    struct world *w = *state;
    struct http_conn *oldest = w->conn;

    world_feeds(w, GET("/later"));
    world_open(w);
    world_feeds(w, "GET"); /* half a head gives way, a call does not */
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
    world_reopen(w);
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
                world_feed(w, piece, cut);
            use_call(w, &c);
            world_pump(w);
            if (draw(&c, 10) == 0)
                world_pass(w, draw(&c, 20000));
            mem_fail_after(0);
        }
        http_conn_free(w->conn);
        assert_int_equal(http_shared_counts(w->shared)->requests, 0);
        assert_int_equal(http_shared_counts(w->shared)->streams, 0);
        world_open(w);
    }
    assert_true(w->n_served > 3000);
    assert_true(w->n_gone > 100);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
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
