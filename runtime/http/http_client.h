/* http_client.h - HTTP requests on the event loop: streaming, deadlines, cancellation.
 *
 * libcurl (multi) moves the bytes. A name is resolved once and its addresses are checked against
 * the policy before anything connects (address_policy.h); the connection goes to one of those that
 * are allowed. A redirect is a new request under the same rules: credentials, other headers of the
 * caller and the body never cross to another origin. No proxy, cookie or password file of the
 * environment is used, no content coding is asked for or undone, and HTTP/1.1 is spoken. Everything
 * is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_CLIENT_H
#define TROUPE_RUNTIME_HTTP_HTTP_CLIENT_H

#include "runtime/base/seams.h"
#include "runtime/http/address_policy.h"
#include "runtime/http/http.h"

struct loop;
struct http_client;
struct http_fetch; /* one request under way */

struct http_client_options {
    const struct seams *seams; /* NULL: the real ones */
    int32_t max_connections;   /* requests at a time; 0: 256. More wait, without their deadlines but
                                * deadline_ms */
    const char *ca_file;       /* PEM; NULL: the system's */
};
MUST_CHECK enum status http_client_new(struct loop *l, const struct http_client_options *o,
                                       struct http_client **out, struct error *err);
/* Cancels what is under way, without on_done. NULL is allowed. Not inside a callback. */
void http_client_free(struct http_client *c);

/* Times are from the start of the request, or from the last byte; 0: the default in brackets. A
 * request that waits for a connection has not started; a redirect starts again, except for
 * deadline_ms. */
struct http_fetch_spec {
    enum http_method method;
    const char *url; /* http or https, without user and password */
    /* Names in any case. Those that frame the message (Host, Content-Length, Connection, ...) are
     * refused. */
    const struct http_field *fields;
    int32_t n_fields;
    const char *body; /* (body_bytes) lent until on_done */
    size_t body_bytes;
    const struct address_policy *policy; /* lent until on_done; NULL: public addresses, https */
    int64_t connect_ms;                  /* [10000] name, connection and TLS */
    int64_t first_byte_ms;               /* [600000] until the head of the answer is complete */
    int64_t idle_ms;                     /* [60000] without a byte of the body; not while paused */
    int64_t deadline_ms;                 /* [0: none] for the whole, waiting included */
    int64_t max_body;                    /* [64 MiB]; a longer answer is STATUS_LIMIT */
    int32_t max_redirects;               /* [0]: a redirect is an answer like any other */
    void *ctx;
    /* The head of the final answer. Field names are in lower case. May be NULL. */
    void (*on_head)(void *ctx, int code, const struct http_field *fields, int32_t n);
    /* Bytes of the body as they come. false: cancels, and on_done follows with STATUS_CANCELLED.
     * NULL: they are dropped. */
    bool (*on_body)(void *ctx, const char *bytes, size_t n);
    /* Once, last, never inside http_fetch_start; the fetch is gone. STATUS_OK: the answer is
     * complete, whatever its code. `sent`: the request may have reached the server. `err` is lent.
     *   STATUS_TIMEOUT   a deadline passed; the message names it
     *   STATUS_NOT_FOUND there is no such host
     *   STATUS_IO        no connection, or cut off
     *   STATUS_REJECTED  the policy refuses the address or the redirect, or the certificate of the
     *                    server is not valid
     *   STATUS_INVALID   the answer is not HTTP, or the URL of a redirect is not valid
     *   STATUS_LIMIT     the answer is too long, or there were too many redirects */
    void (*on_done)(void *ctx, enum status st, bool sent, const struct error *err);
};
/* Copies url and fields. An error (STATUS_USAGE: the URL or a field; STATUS_REJECTED: the policy)
 * means that nothing has begun; no callback follows. */
MUST_CHECK enum status http_fetch_start(struct http_client *c, const struct http_fetch_spec *spec,
                                        struct http_fetch **out, struct error *err);
/* No callback follows; f is gone. Allowed in its on_head and on_body, not in its on_done. */
void http_fetch_cancel(struct http_fetch *f);
/* Stops and goes on reading the body; the peer then waits. A piece that is on its way may still
 * come. */
void http_fetch_pause(struct http_fetch *f, bool yes);

/* A client over another way to move bytes and to find addresses (http_fetch_ops.h), for tests. It
 * makes the same checks and keeps the same deadlines. ops is copied; options may be NULL. */
struct http_fetch_ops;
struct http_client *http_client_with(struct loop *l, const struct http_client_options *o,
                                     const struct http_fetch_ops *ops);

#endif
