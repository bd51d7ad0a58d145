/* http_conn.h - one connection of the server as a state machine: no socket, no timer of its own.
 *
 * Its owner (http_listen.c for libwebsockets; a test for memory) gives it bytes and the time, and
 * sends what it writes. Pipelined requests are served one after the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_CONN_H
#define TROUPE_RUNTIME_HTTP_HTTP_CONN_H

#include "runtime/http/http_server.h"

struct http_conn;

/* What a connection needs from its owner. */
struct http_link {
    void *ctx;
    void (*want_write)(void *ctx);      /* http_conn_writable is to be called when it can be sent */
    void (*pause)(void *ctx, bool yes); /* stop or go on reading */
    void (*close)(void *ctx);           /* close after what was written; http_conn_free follows */
};
struct http_shared; /* what all connections of a server share: options, counts, draining */

struct http_shared *http_shared_new(const struct http_server_options *o);
void http_shared_free(struct http_shared *s);
void http_shared_drain(struct http_shared *s);
struct http_counts *http_shared_counts(struct http_shared *s);

/* NULL: no memory. peer: lent for its life. */
struct http_conn *http_conn_new(struct http_shared *s, const struct http_link *link,
                                const char *peer, int64_t now_ms);
void http_conn_free(struct http_conn *c); /* on_gone for an open call */
void http_conn_feed(struct http_conn *c, const char *bytes, size_t n, int64_t now_ms);
void http_conn_closed(struct http_conn *c); /* the client has closed its side */
/* The next bytes to send, lent until http_conn_sent; 0: nothing to send. */
size_t http_conn_unsent(struct http_conn *c, const char **bytes);
void http_conn_sent(struct http_conn *c, size_t n, int64_t now_ms);
/* When http_conn_due must be called, on the clock of now_ms; INT64_MAX: never. */
int64_t http_conn_deadline(const struct http_conn *c);
void http_conn_due(struct http_conn *c, int64_t now_ms);

#endif
