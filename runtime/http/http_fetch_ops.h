/* http_fetch_ops.h - what the HTTP client needs below: a way to move bytes and to find addresses.
 *
 * libcurl and the system's resolver (http_client_curl.c), or memory (tests). The client has checked
 * URL, fields and address; it follows redirects, keeps the deadlines and counts the bytes. All
 * calls and callbacks are on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_FETCH_OPS_H
#define TROUPE_RUNTIME_HTTP_HTTP_FETCH_OPS_H

#include "runtime/http/http.h"
#include "runtime/http/http_url.h"
#include "runtime/http/name_lookup.h"

struct http_client_options;
struct loop;

/* One request to one address, and its answer. All of it is lent until on_end, or cancel. */
struct http_hop {
    enum http_method method;
    const struct http_url *url;
    const char *address; /* to connect to; the name in the URL is for TLS and Host alone */
    const struct http_field *fields;
    int32_t n_fields;
    const char *body;
    size_t body_bytes;
    void *ctx;
    /* The connection is made; from now on the request may reach the server. */
    void (*on_sent)(void *ctx);
    /* The final head (no 1xx), names in lower case. Lent for the call. */
    void (*on_head)(void *ctx, int code, const struct http_field *fields, int32_t n);
    void (*on_body)(void *ctx, const char *bytes, size_t n);
    /* Once, last, never inside start. STATUS_OK: the answer is complete as its head says. */
    void (*on_end)(void *ctx, enum status st, const struct error *err);
};

struct http_fetch_ops {
    void *ctx;
    void (*free)(void *ctx); /* may be NULL; nothing is under way */
    enum status (*start)(void *ctx, const struct http_hop *hop, void **out, struct error *err);
    /* No callback follows. Allowed inside the callbacks but its own on_end. */
    void (*cancel)(void *ctx, void *started);
    /* Stops and goes on reading the body; may be called inside the callbacks, and calls none. */
    void (*pause)(void *ctx, void *started, bool yes);
    /* As name_lookup_start and name_lookup_cancel. */
    void *(*look_up)(void *ctx, const char *host, name_found found, void *arg);
    void (*stop_look_up)(void *ctx, void *started);
};

/* Over libcurl. */
MUST_CHECK enum status http_client_curl(struct loop *l, const struct http_client_options *o,
                                        struct http_fetch_ops *out, struct error *err);

#endif
