/* test_http_client_faults.c - servers that stall, cut, lie and flood; deadlines, limits, cancelling
 * and back-pressure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_peer.h"
#include "runtime/base/memory.h"

struct world {
    struct site site;
    atomic_size_t flooded;   /* bytes that the server could send */
    atomic_int n_left_early; /* requests whose client left before the end */
};

static void flood(struct world *w, struct peer_conn *c, size_t most)
{
    char bytes[16384];

    memset(bytes, 'x', sizeof(bytes));
    for (size_t n = 0; n < most; n += sizeof(bytes)) {
        if (!peer_write(c, bytes, sizeof(bytes)))
            return;
        atomic_fetch_add(&w->flooded, sizeof(bytes));
    }
}

/* What the server does before it closes: `send`, then `what`. */
enum then { CLOSE, WAIT, FLOOD, DRIP, REPEAT, REPEAT_FIELD, TRAILERS };
static const struct script {
    const char *path, *send;
    enum then then;
} scripts[] = {
    {"/stall_head", "HTTP/1.1 200 OK\r\n", WAIT},
    {"/silent", "", WAIT},
    {"/close", "", CLOSE},
    {"/cut_head", "HTTP/1.1 200 OK\r\nX: ", CLOSE},
    {"/cut_line", "HTTP/1.", CLOSE},
    {"/stall_body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", WAIT},
    {"/cut_body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", CLOSE},
    {"/long_body", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more", WAIT},
    {"/until_close", "HTTP/1.1 200 OK\r\n\r\nall of it", CLOSE},
    {"/http_1_0", "HTTP/1.0 200 OK\r\n\r\nall of it", CLOSE},
    {"/cut_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf", CLOSE},
    {"/no_last_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", CLOSE},
    {"/bad_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n", CLOSE},
    {"/not_http", "220 mail.example ESMTP\r\n", CLOSE},
    {"/http_0_9", "<html>hello</html>", CLOSE},
    {"/no_colon", "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", CLOSE},
    {"/bad_name", "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", CLOSE},
    {"/empty_name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", CLOSE},
    {"/bad_length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nfour", CLOSE},
    {"/flood", "HTTP/1.1 200 OK\r\n\r\n", FLOOD},
    {"/flood_chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", FLOOD},
    {"/announced", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", FLOOD},
    {"/flood_line", "HTTP/1.1 200 OK\r\nX: ", FLOOD},
    {"/flood_fields", "X-Field: some value\r\n", REPEAT_FIELD},
    {"/flood_heads", "HTTP/1.1 103 Early Hints\r\n\r\n", REPEAT},
    {"/flood_trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n",
     TRAILERS},
    {"/drip", "HTTP/1.1 200 OK\r\n\r\n", DRIP},
    {"/drip_head", "HTTP/1.1 200 OK\r\nX-Long: ", DRIP},
};

static void act(struct world *w, struct peer_conn *c, const struct script *s)
{
    if (s->then == REPEAT_FIELD)
        (void)peer_puts(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    (void)peer_puts(c, s->send);
    if (s->then == WAIT)
        peer_wait_closed(c);
    if (s->then == FLOOD)
        flood(w, c, (size_t)1 << 30);
    for (int i = 0; s->then == DRIP && peer_puts(c, "."); i++)
        peer_sleep(10);
    for (int i = 0; s->then >= REPEAT && peer_puts(c, s->then == TRAILERS ? "X: y\r\n" : s->send);
         i++)
        ;
}

static bool serve(void *ctx, struct peer_conn *c, const struct peer_request *q)
{
    struct world *w = ctx;

    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        if (strcmp(q->path, scripts[i].path) != 0)
            continue;
        act(w, c, &scripts[i]);
        return false;
    }
    if (strncmp(q->path, "/bytes/", 7) == 0) {
        size_t n = strtoul(q->path + 7, NULL, 10);
        char head[128];

        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
        (void)peer_puts(c, head);
        flood(w, c, n);
        return true;
    }
    return peer_answer(c, "ok", 2);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    site_open(&w->site, serve, w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    site_close(&w->site);
    free(w);
    return 0;
}

/* ---- what servers do wrong */

#define LIMITS .first_byte_ms = 300, .idle_ms = 300, .deadline_ms = 600, .max_body = 100000

static const struct {
    const char *path;
    enum status st;
    int code;         /* 0: no head was delivered */
    const char *body; /* NULL: any */
    const char *says; /* in the message */
} faults[] = {
    {"/silent", STATUS_TIMEOUT, 0, "", "no answer within 300ms"},
    {"/stall_head", STATUS_TIMEOUT, 0, "", "no answer within 300ms"},
    {"/drip_head", STATUS_TIMEOUT, 0, "", "no answer within 300ms"},
    {"/flood_heads", STATUS_LIMIT, 0, "", "bytes of header lines"},
    {"/close", STATUS_IO, 0, "", "http://127.0.0.1"},
    {"/cut_head", STATUS_IO, 0, "", "http://127.0.0.1"},
    {"/cut_line", STATUS_IO, 0, "", "http://127.0.0.1"},
    {"/stall_body", STATUS_TIMEOUT, 200, "half", "stopped for 300ms"},
    {"/cut_body", STATUS_IO, 200, "half", "http://127.0.0.1"},
    {"/long_body", STATUS_OK, 200, "four", ""},
    {"/until_close", STATUS_OK, 200, "all of it", ""},
    {"/http_1_0", STATUS_OK, 200, "all of it", ""},
    {"/cut_chunk", STATUS_IO, 200, "half", "http://127.0.0.1"},
    {"/no_last_chunk", STATUS_IO, 200, "half", "http://127.0.0.1"},
    {"/bad_chunk", STATUS_IO, 200, "", "http://127.0.0.1"},
    {"/not_http", STATUS_INVALID, 0, "", "http://127.0.0.1"},
    {"/http_0_9", STATUS_INVALID, 0, "", "http://127.0.0.1"},
    {"/no_colon", STATUS_INVALID, 0, "", "http://127.0.0.1"},
    {"/bad_name", STATUS_INVALID, 0, "", "not a token"},
    {"/empty_name", STATUS_INVALID, 0, "", "not a token"},
    {"/flood", STATUS_LIMIT, 200, NULL, "longer than 100000 bytes"},
    {"/flood_chunked", STATUS_LIMIT, 200, NULL, "longer than 100000 bytes"},
    {"/announced", STATUS_LIMIT, 0, "", "longer than 100000 bytes"},
    {"/flood_line", STATUS_LIMIT, 0, "", "a header line"},
    {"/flood_fields", STATUS_LIMIT, 0, "", "more than 256"},
    {"/flood_trailers", STATUS_LIMIT, 200, "body", "bytes of header lines"},
    {"/drip", STATUS_TIMEOUT, 200, NULL, "not complete after 600ms"},
};

static void test_faults(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct got bad = {.code = 0}, good = {.code = 0};
        char url[256];

        bench_fetch(
            w->site.bench, &bad,
            (struct http_fetch_spec){.url = site_url(&w->site, faults[i].path, url), LIMITS});
        if (bad.st != faults[i].st || bad.code != faults[i].code || !bad.sent ||
            !strstr(bad.err.message, faults[i].says))
            fail_msg("%s: %s, %d: %s", faults[i].path, status_name(bad.st), bad.code,
                     bad.err.message);
        if (faults[i].body)
            assert_string_equal(str_cstr(&bad.body), faults[i].body);
        assert_true(bad.body.len <= 100000);
        assert_int_equal(bad.n_done, 1);
        /* The next request is not harmed by what was left of this one. */
        bench_fetch(w->site.bench, &good,
                    (struct http_fetch_spec){.url = site_url(&w->site, "/ok", url)});
        assert_int_equal(good.st, STATUS_OK);
        assert_string_equal(str_cstr(&good.body), "ok");
        got_deinit(&bad);
        got_deinit(&good);
    }
}

/* A connection that is accepted, but whose other side never speaks TLS. */
static void test_no_connection(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", peer_port(w->site.peer));
    bench_fetch(w->site.bench, &g, (struct http_fetch_spec){.url = url, .connect_ms = 150});
    assert_int_equal(g.st, STATUS_TIMEOUT);
    assert_false(g.sent);
    assert_non_null(strstr(g.err.message, "no connection within 150ms"));
    got_deinit(&g);
}

/* A request that waits for a connection is bound by deadline_ms alone. */
static void test_waiting_for_a_connection(void **state)
{
    struct world *w = *state;
    struct http_client_options one = {.max_connections = 1};
    struct bench *b = bench_new(&one);
    struct got slow = {.code = 0}, patient = {.code = 0}, hasty = {.code = 0};
    char url[256];

    bench_start(
        b, &slow,
        (struct http_fetch_spec){.url = site_url(&w->site, "/silent", url), .first_byte_ms = 300});
    bench_start(
        b, &patient,
        (struct http_fetch_spec){
            .url = site_url(&w->site, "/ok", url), .first_byte_ms = 150, .connect_ms = 150});
    bench_start(
        b, &hasty,
        (struct http_fetch_spec){.url = site_url(&w->site, "/ok", url), .deadline_ms = 100});
    bench_run(b);
    assert_int_equal(slow.st, STATUS_TIMEOUT);
    assert_int_equal(patient.st, STATUS_OK);
    assert_int_equal(hasty.st, STATUS_TIMEOUT);
    assert_false(hasty.sent);
    got_deinit(&slow);
    got_deinit(&patient);
    got_deinit(&hasty);
    bench_free(b);
}

/* ---- cancelling */

static bool no_more(struct got *g)
{
    (void)g;
    return false;
}

static void test_the_reader_stops(void **state)
{
    struct world *w = *state;
    struct got g = {.on_piece = no_more};
    char url[256];

    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, "/flood", url)});
    assert_int_equal(g.st, STATUS_CANCELLED);
    assert_true(g.sent);
    assert_int_equal(g.n_pieces, 1);
    assert_int_equal(g.n_done, 1);
    got_deinit(&g);
}

static bool cancel_here(struct got *g)
{
    http_fetch_cancel(g->fetch);
    loop_stop(g->loop);
    return g->n_pieces % 2; /* either answer is fine */
}

static void test_cancelled_in_a_callback(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 4; i++) {
        struct got g = {.on_piece = cancel_here, .n_pieces = i};
        char url[256];

        bench_start(w->site.bench, &g,
                    (struct http_fetch_spec){.url = site_url(&w->site, "/flood", url)});
        loop_run(w->site.bench->loop);
        w->site.bench->left--;
        bench_run_ms(w->site.bench, 10);
        assert_int_equal(g.n_done, 0);
        assert_int_equal(g.n_pieces, i + 1);
        got_deinit(&g);
    }
}

/* At every moment, from the start on: nothing comes after it, and the next request works. */
static void test_cancelled_at_any_time(void **state)
{
    static const char *const places[][2] = {
        {"http://localhost", "/bytes/1000000"}, {"https://127.0.0.1", "/"},
        {"http://127.0.0.1", "/silent"},        {"http://127.0.0.1", "/drip"},
        {"http://127.0.0.1", "/flood"},         {"http://127.0.0.1", "/ok"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (int ms = 0; ms < 8; ms++) {
            struct got g = {.code = 0}, next = {.code = 0};
            char url[256];
            int done, pieces;

            (void)snprintf(url, sizeof(url), "%s:%d%s", places[i][0], peer_port(w->site.peer),
                           places[i][1]);
            bench_start(w->site.bench, &g, (struct http_fetch_spec){.url = url});
            w->site.bench->left++; /* the loop is stopped by time */
            if (ms > 0)
                bench_run_ms(w->site.bench, ms - 1);
            w->site.bench->left = 0;
            done = g.n_done;
            pieces = g.n_pieces;
            g.left = NULL;
            if (!done)
                http_fetch_cancel(g.fetch);
            bench_fetch(w->site.bench, &next,
                        (struct http_fetch_spec){.url = site_url(&w->site, "/ok", url)});
            assert_int_equal(next.st, STATUS_OK);
            assert_int_equal(g.n_done, done);
            assert_int_equal(g.n_pieces, pieces);
            got_deinit(&g);
            got_deinit(&next);
        }
    }
}

/* One that gets bytes cancels all others. */
struct crowd {
    struct got all[20];
    int n_cancelled;
};

static bool cancel_others(struct got *g)
{
    struct crowd *c = g->ctx;

    for (int i = 0; i < 20; i++) {
        if (&c->all[i] == g || c->all[i].n_done || c->all[i].left == NULL)
            continue;
        http_fetch_cancel(c->all[i].fetch);
        c->all[i].left = NULL;
        c->n_cancelled++;
        --*g->left;
    }
    return g->body.len < 300000;
}

static void test_one_cancels_the_others(void **state)
{
    struct world *w = *state;

    for (int round = 0; round < 5; round++) {
        struct crowd *c = xcalloc(1, sizeof(*c));
        char url[256];
        int n_done = 0;

        for (int i = 0; i < 20; i++) {
            c->all[i].on_piece = cancel_others;
            c->all[i].ctx = c;
            bench_start(w->site.bench, &c->all[i],
                        (struct http_fetch_spec){.url = site_url(&w->site, "/flood", url),
                                                 .max_body = 1 << 30});
        }
        bench_run(w->site.bench);
        for (int i = 0; i < 20; i++) {
            n_done += c->all[i].n_done;
            got_deinit(&c->all[i]);
        }
        assert_int_equal(n_done + c->n_cancelled, 20);
        assert_true(c->n_cancelled > 0);
        free(c);
    }
}

/* A client that is freed ends everything. */
static void test_freeing_the_client(void **state)
{
    static const char *const paths[] = {"/silent", "/drip", "/flood", "/ok"};
    struct world *w = *state;
    struct got all[40] = {{.code = 0}};
    char url[256];

    for (int i = 0; i < 40; i++)
        bench_start(w->site.bench, &all[i],
                    (struct http_fetch_spec){.url = site_url(&w->site, paths[i % 4], url)});
    (void)snprintf(url, sizeof(url), "http://localhost:%d/ok", peer_port(w->site.peer));
    bench_run_ms(w->site.bench, 5);
    http_client_free(w->site.bench->client);
    w->site.bench->client = NULL;
    for (int i = 0; i < 40; i++) {
        int done = all[i].n_done;

        all[i].left = NULL;
        bench_run_ms(w->site.bench, 0);
        assert_int_equal(all[i].n_done, done);
        got_deinit(&all[i]);
    }
}

/* While names are looked up. */
static void test_freeing_the_client_during_a_look_up(void **state)
{
    struct world *w = *state;
    struct got all[40] = {{.code = 0}};

    for (int i = 0; i < 40; i++)
        bench_start(w->site.bench, &all[i],
                    (struct http_fetch_spec){.url = "https://no-such-host.invalid/"});
    bench_run_ms(w->site.bench, 0);
    http_client_free(w->site.bench->client);
    w->site.bench->client = NULL;
    for (int i = 0; i < 40; i++)
        got_deinit(&all[i]);
}

/* ---- back-pressure */

static bool pause_once(struct got *g)
{
    if (g->n_pieces == 1) {
        http_fetch_pause(g->fetch, true);
        loop_stop(g->loop);
    }
    return true;
}

#define MANY ((size_t)64 << 20)

static void test_a_paused_answer(void **state)
{
    struct world *w = *state;
    struct got g = {.on_piece = pause_once};
    char path[32], url[256];
    size_t flooded;

    (void)snprintf(path, sizeof(path), "/bytes/%zu", MANY);
    bench_start(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, path, url),
                                         .max_body = (int64_t)MANY,
                                         .idle_ms = 200,
                                         .deadline_ms = 60000});
    loop_run(w->site.bench->loop);
    bench_run_ms(w->site.bench, 400); /* longer than idle_ms */
    flooded = atomic_load(&w->flooded);
    bench_run_ms(w->site.bench, 100);
    assert_int_equal(g.n_pieces, 1);
    assert_int_equal(g.n_done, 0);
    assert_int_equal(atomic_load(&w->flooded), flooded); /* the server waits */
    assert_true(flooded < MANY / 2);                     /* the buffers of the sockets, no more */
    http_fetch_pause(g.fetch, false);
    assert_int_equal(g.n_pieces, 1); /* not inside the call */
    bench_run(w->site.bench);
    assert_int_equal(g.st, STATUS_OK);
    assert_int_equal(g.body.len, MANY);
    got_deinit(&g);
}

static bool pause_each(struct got *g)
{
    http_fetch_pause(g->fetch, true);
    if (g->n_pieces % 2)
        http_fetch_pause(g->fetch, false);
    return true;
}

static void go_on(void *ctx)
{
    struct got *g = ctx;

    if (!g->n_done)
        http_fetch_pause(g->fetch, false);
}

static void test_pausing_often(void **state)
{
    struct world *w = *state;
    struct got g = {.on_piece = pause_each};
    struct loop_timer *t = loop_timer_every(w->site.bench->loop, 1, go_on, &g);
    char url[256];

    bench_fetch(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, "/bytes/1048576", url)});
    loop_timer_free(t);
    assert_int_equal(g.st, STATUS_OK);
    assert_int_equal(g.body.len, 1048576);
    assert_true(g.n_pieces > 10);
    got_deinit(&g);
}

/* Before the answer: the head comes, the body waits. Cancelled while paused. */
static void test_paused_from_the_start(void **state)
{
    struct world *w = *state;
    struct got g = {.code = 0};
    char url[256];

    bench_start(w->site.bench, &g,
                (struct http_fetch_spec){.url = site_url(&w->site, "/flood", url), .idle_ms = 50});
    http_fetch_pause(g.fetch, true);
    bench_run_ms(w->site.bench, 200);
    assert_int_equal(g.n_heads, 1);
    assert_int_equal(g.n_pieces, 0);
    assert_int_equal(g.n_done, 0);
    http_fetch_cancel(g.fetch);
    w->site.bench->left = 0;
    got_deinit(&g);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_faults),
        T(test_no_connection),
        T(test_waiting_for_a_connection),
        T(test_the_reader_stops),
        T(test_cancelled_in_a_callback),
        T(test_cancelled_at_any_time),
        T(test_one_cancels_the_others),
        T(test_freeing_the_client),
        T(test_freeing_the_client_during_a_look_up),
        T(test_a_paused_answer),
        T(test_pausing_often),
        T(test_paused_from_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
