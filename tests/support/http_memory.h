/* http_memory.h - an HTTP server in memory, for clients made by http_client_with.
 *
 *     struct http_memory *m = http_memory_new(loop);
 *     struct http_client *c = http_client_with(loop, NULL, http_memory_ops(m));
 *     http_memory_reply(m, &(struct http_memory_reply){.type = "text/event-stream", .body =
 * "..."});
 *
 * A request takes the first reply that fits and is not used up. What was requested is recorded.
 * Nothing is slow: without `_ms` all happens on the next turns of the loop. One thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_SUPPORT_HTTP_MEMORY_H
#define TROUPE_TESTS_SUPPORT_HTTP_MEMORY_H

#include "runtime/http/http_client.h"
#include "runtime/http/http_fetch_ops.h"

struct http_memory;
struct http_memory *http_memory_new(struct loop *l);
/* After the client was freed. */
void http_memory_free(struct http_memory *m);
const struct http_fetch_ops *http_memory_ops(struct http_memory *m);

enum http_memory_fault {
    HTTP_MEMORY_WHOLE,
    HTTP_MEMORY_REFUSE,    /* no connection */
    HTTP_MEMORY_HANG,      /* the connection is never made */
    HTTP_MEMORY_NO_ANSWER, /* the request is read, and nothing comes */
    HTTP_MEMORY_DROP,      /* the request is read, and the connection closed */
    HTTP_MEMORY_CUT,       /* closed after `at` bytes of the body */
    HTTP_MEMORY_STALL,     /* nothing more after `at` bytes of the body */
};

/* A zero is the default. Texts are lent until http_memory_free. */
struct http_memory_reply {
    /* Which requests: the method ("POST"), the beginning of the URL ("https://host/path"), a text
     * in the body. NULL: any. */
    const char *method, *url, *body_contains;
    int times; /* 0: once; -1: for all that come */
    /* The answer. */
    int code;         /* 0: 200 */
    const char *type; /* Content-Type */
    const struct http_field *fields;
    int32_t n_fields;
    const char *body;
    size_t body_bytes;  /* 0: up to its NUL */
    size_t piece_bytes; /* of each piece; 0: the body in one, or cut by seed */
    int64_t head_ms;    /* before the head */
    int64_t piece_ms;   /* before each piece */
    enum http_memory_fault fault;
    size_t at;
};
void http_memory_reply(struct http_memory *m, const struct http_memory_reply *r);

struct http_memory_request {
    const char *method, *url, *address;
    const struct http_field *fields; /* names in lower case */
    int32_t n_fields;
    const char *body; /* NUL after it */
    size_t body_bytes;
};
int32_t http_memory_n_requests(const struct http_memory *m);
/* The i-th since the start; lent until http_memory_free. NULL: there were fewer. */
const struct http_memory_request *http_memory_request(const struct http_memory *m, int32_t i);

/* Asked when no reply of the list fits: fills `out`, whose texts are copied. */
void http_memory_serve(struct http_memory *m,
                       void (*serve)(void *ctx, const struct http_memory_request *q,
                                     struct http_memory_reply *out),
                       void *ctx);

/* Faults by seed, in addition to those of the replies; the same seed and the same requests give the
 * same faults. */
struct http_memory_chaos {
    uint64_t seed;
    size_t split_bytes; /* pieces of 1 to that many bytes; 0: not cut */
    int64_t wait_ms;    /* 0 to that long before each piece */
    int32_t refuse_percent, drop_percent, cut_percent; /* of the requests */
};
void http_memory_chaos(struct http_memory *m, const struct http_memory_chaos *chaos);

/* The addresses of a host, with blanks between; NULL: there is no such host. Without a call each
 * host has one public address. Texts are lent. */
void http_memory_host(struct http_memory *m, const char *host, const char *addresses);

#endif
