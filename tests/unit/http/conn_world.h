/* conn_world.h - one connection in memory, with a clock of its own and a client that reads as much
 * as the test says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_HTTP_CONN_WORLD_H
#define TROUPE_TESTS_UNIT_HTTP_CONN_WORLD_H

#include "runtime/base/str.h"
#include "runtime/http/http_conn.h"
#include "tests/support/check.h"

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
    int n_served, n_gone, n_drained, n_ended;
    struct http_ended ended; /* the last one, whose texts are below */
    char ended_path[32], ended_subject[32];
    char subject[32];
};

/* Paths: /open (needs no token) and /echo (POST) reply with the body; /later waits for the test;
 * /stream (events) and /raw are streams that the test writes; /burst is one that ends at once;
 * /abort is cut. At most 100 bytes of body, /later and the streams 10, /echo a million. */
int world_setup(void **state);
int world_teardown(void **state);   /* asserts that nothing is left open, and
                                     * that each request has ended */
void world_open(struct world *w);   /* another connection; the caller keeps or frees the old one */
void world_reopen(struct world *w); /* with changed options */
bool world_token(void *ctx, const char *token, size_t n, const char **subject); /* "secret" */

/* The client sends, and reads what w->window allows. */
void world_feed(struct world *w, const char *bytes, size_t n);
void world_feeds(struct world *w, const char *text);
void world_pump(struct world *w);                         /* reads on */
void world_pass(struct world *w, int64_t ms);             /* time passes; each deadline is kept */
int world_count(const struct world *w, const char *what); /* how often it was sent */

#define assert_sent(w, what)     assert_int_equal(world_count(w, what), 1)
#define assert_not_sent(w, what) assert_int_equal(world_count(w, what), 0)

#define H                   "Host: 127.0.0.1\r\n"
#define POST(path, n, body) "POST " path " HTTP/1.1\r\n" H "Content-Length: " n "\r\n\r\n" body
#define GET(path)           "GET " path " HTTP/1.1\r\n" H "\r\n"

#endif
