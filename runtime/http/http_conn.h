/* http_conn.h - one connection of the server as a state machine: no socket, no timer of its own.
 *
 * Its owner (http_wire.c for libwebsockets; a test for memory) gives it bytes, sends what it writes
 * and calls it when its deadline has come. The clock is that of the options. Pipelined requests are
 * served one after the other. No function here calls http_conn_free; link functions must not call
 * back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_CONN_H
#define TROUPE_RUNTIME_HTTP_HTTP_CONN_H

#include "runtime/http/http_server.h"

struct http_conn;

enum http_close {
    HTTP_CLOSE,        /* everything was sent, or nothing is owed */
    HTTP_CLOSE_LINGER, /* everything was sent, but the client may still be sending: close the write
                        * side and read for a while, so that the reply is not lost */
    HTTP_CLOSE_RESET,  /* the client must not take what it has for complete */
};
/* What a connection needs from its owner. */
struct http_link {
    void *ctx;
    void (*want_write)(void *ctx);                 /* there is something in http_conn_unsent */
    void (*pause)(void *ctx, bool yes);            /* stop or go on reading */
    void (*close)(void *ctx, enum http_close how); /* once; http_conn_free follows later */
};
struct http_shared; /* what all connections of a server share: options, counts, draining */

/* Options are copied, not what they point to. The port is that of the Host field. */
struct http_shared *http_shared_new(const struct http_server_options *o, int32_t port);
void http_shared_free(struct http_shared *s); /* after all connections */
/* The limits with the defaults in place of zeros. */
struct http_limits http_limits_filled(const struct http_limits *l);
struct http_counts *http_shared_counts(struct http_shared *s);
/* Requests that come now are answered with 503; idle connections close. */
void http_shared_drain(struct http_shared *s);
/* Closes the connection that has waited longest for a complete head. false: none waits. */
bool http_shared_evict(struct http_shared *s);

/* NULL: no memory. peer: lent for its life. */
struct http_conn *http_conn_new(struct http_shared *s, const struct http_link *link,
                                const char *peer);
void http_conn_free(struct http_conn *c); /* on_gone for an open call; NULL is allowed */
void http_conn_feed(struct http_conn *c, const char *bytes, size_t n);
/* The next bytes to send, lent until http_conn_sent or any http_call function; 0: none. */
size_t http_conn_unsent(struct http_conn *c, const char **bytes);
void http_conn_sent(struct http_conn *c, size_t n);
/* When http_conn_due must be called, in ms of the clock; INT64_MAX: never. It may move to a later
 * time at any call, and to an earlier one only where want_write was called, or in http_conn_feed,
 * http_conn_sent and http_conn_due. */
int64_t http_conn_deadline(const struct http_conn *c);
void http_conn_due(struct http_conn *c);

#endif
