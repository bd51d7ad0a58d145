/* http_client.h - HTTP requests on the event loop: streaming, deadlines, cancellation.
 *
 * libcurl (multi) moves the bytes. A name is resolved once and its address checked against the
 * policy before anything connects (address_policy.h); the connection goes to that address. A
 * redirect is a new request under the same rules: credentials, other headers of the caller and the
 * body never cross to another origin. Everything is on the loop's thread.
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
    const struct seams *seams;
    int32_t max_connections; /* in all; 0: 256. More wait */
    const char *ca_file;     /* PEM; NULL: the system's */
};
MUST_CHECK enum status http_client_new(struct loop *l, const struct http_client_options *o,
                                       struct http_client **out, struct error *err);
/* Cancels what is under way, without on_done. NULL is allowed. */
void http_client_free(struct http_client *c);

/* Times are from the start of the request, or from the last byte; 0: the default in brackets. */
struct http_fetch_spec {
    enum http_method method;
    const char *url; /* http or https, without user and password */
    const struct http_field *fields;
    int32_t n_fields;
    const char *body; /* (body_bytes) lent until on_done */
    size_t body_bytes;
    const struct address_policy *policy; /* lent until on_done; NULL: public addresses, https */
    int64_t connect_ms;                  /* [10000] */
    int64_t first_byte_ms;               /* [600000] until the head of the answer */
    int64_t idle_ms;                     /* [60000] without a byte of the answer */
    int64_t deadline_ms;                 /* [0: none] for the whole */
    int64_t max_body;                    /* [64 MiB]; a longer answer is an error */
    int32_t max_redirects;               /* [0]: a redirect is an answer like any other */
    void *ctx;
    /* The head of the final answer. Field names are in lower case. May be NULL. */
    void (*on_head)(void *ctx, int code, const struct http_field *fields, int32_t n);
    /* Bytes of the body as they come. false: cancels, and on_done follows with STATUS_CANCELLED. */
    bool (*on_body)(void *ctx, const char *bytes, size_t n);
    /* Once, last, never inside http_fetch_start. STATUS_OK: the answer is complete, whatever its
     * code. STATUS_TIMEOUT, STATUS_IO (no connection, cut off), STATUS_REJECTED (policy),
     * STATUS_USAGE (the URL). `sent`: the request may have reached the server. */
    void (*on_done)(void *ctx, enum status st, bool sent, const struct error *err);
};
/* Copies url and fields. */
MUST_CHECK enum status http_fetch_start(struct http_client *c, const struct http_fetch_spec *spec,
                                        struct http_fetch **out, struct error *err);
void http_fetch_cancel(struct http_fetch *f); /* no callback follows; f is gone */
/* Stops and goes on reading the answer; the peer then waits. */
void http_fetch_pause(struct http_fetch *f, bool yes);

/* Another way to move the bytes (tests: memory, with faults). The client calls it instead of
 * libcurl; specs are checked alike before. */
struct http_fetch_ops {
    void *ctx;
    enum status (*start)(void *ctx, const struct http_fetch_spec *spec, void **fetch,
                         struct error *err);
    void (*cancel)(void *ctx, void *fetch);
    void (*pause)(void *ctx, void *fetch, bool yes);
};
struct http_client *http_client_with(struct loop *l, const struct http_client_options *o,
                                     const struct http_fetch_ops *ops);

#endif
