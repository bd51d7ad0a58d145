/* http_peer.h - a server on a loopback address for tests, which can do wrong what a server can; and
 * what came of a request.
 *
 * The server has a thread for each connection and gives each request to `serve`, which writes the
 * bytes of the answer itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_HTTP_PEER_H
#define TROUPE_TESTS_HTTP_PEER_H

#include "runtime/base/str.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/loop.h"

struct peer;
struct peer_conn;

struct peer_request {
    const char *text; /* all of it: head and body */
    char method[16], path[512];
    const char *body;
    size_t body_bytes;
};
/* true: the connection goes on with the next request. */
typedef bool (*peer_serve)(void *ctx, struct peer_conn *c, const struct peer_request *q);

/* port 0: a free one. cert_file and key_file (PEM): with TLS. */
struct peer *peer_new(const char *address, int port, const char *cert_file, const char *key_file,
                      peer_serve serve, void *ctx);
void peer_free(struct peer *p); /* closes all connections, waits for the threads */
int peer_port(const struct peer *p);
int peer_n_connections(const struct peer *p); /* since the start */
int peer_most_at_once(const struct peer *p);
int peer_n_requests(const struct peer *p);

bool peer_write(struct peer_conn *c, const char *bytes, size_t n); /* false: the client left */
bool peer_puts(struct peer_conn *c, const char *text);
void peer_wait_closed(struct peer_conn *c); /* until the client or peer_free closes */
void peer_sleep(int ms);
/* "HTTP/1.1 200 OK" with a body of n bytes. */
bool peer_answer(struct peer_conn *c, const char *bytes, size_t n);

/* What came of a request. */
struct got {
    struct loop *loop; /* stopped when *left falls to 0 */
    int *left;
    int code, n_heads, n_pieces, n_done;
    struct str fields; /* "name: value\n" */
    struct str body;
    enum status st;
    bool sent;
    struct error err;
    /* Called after each piece; may be NULL. false: no more. */
    bool (*on_piece)(struct got *g);
    void *ctx;
    struct http_fetch *fetch;
};
void got_deinit(struct got *g);
/* Sets ctx and callbacks of the spec and starts it; fails the test if it does not start. */
void got_start(struct got *g, struct http_client *c, struct http_fetch_spec spec);

/* A loop, a client and a policy for loopback addresses. */
struct bench {
    struct loop *loop;
    struct http_client *client;
    struct address_policy policy;
    int left;
};
struct bench *bench_new(const struct http_client_options *o);
void bench_free(struct bench *b);
/* One request, until it is done. The spec needs only a URL and what is special. */
void bench_fetch(struct bench *b, struct got *g, struct http_fetch_spec spec);
void bench_start(struct bench *b, struct got *g, struct http_fetch_spec spec);
void bench_run(struct bench *b); /* until all that was started is done */
void bench_run_ms(struct bench *b, int64_t ms);

/* A bench, and a server on 127.0.0.1 for it. */
struct site {
    struct bench *bench;
    struct peer *peer;
};
void site_open(struct site *s, peer_serve serve, void *ctx);
void site_close(struct site *s);
/* The URL of a path, in `out`, which is given back. */
const char *site_url(const struct site *s, const char *path, char out[256]);

#endif
