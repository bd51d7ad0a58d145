/* http_conn_internal.h - struct http_conn and struct http_shared, for http_conn.c, http_reply.c,
 * http_stream.c and http_shared.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_CONN_INTERNAL_H
#define TROUPE_RUNTIME_HTTP_HTTP_CONN_INTERNAL_H

#include "runtime/base/map.h"
#include "runtime/base/str.h"
#include "runtime/http/http_conn.h"
#include "runtime/http/http_gate.h"

enum http_conn_state {
    CONN_HEAD,   /* waits for a head, or for the rest of one */
    CONN_BODY,   /* reads the body of the request `q` */
    CONN_CALL,   /* the handler has the call */
    CONN_STREAM, /* the handler writes a stream */
    CONN_FLUSH,  /* sends the rest, then closes as `how` says; drops what comes */
    CONN_DONE,   /* link.close was called */
};

struct http_call {
    void (*on_gone)(void *ctx);
    void *gone_ctx;
    void (*on_drain)(void *ctx);
    void *drain_ctx;
};

/* The streams of one subject. */
struct http_subject {
    int64_t streams;
    char *name;
};

struct http_conn {
    struct http_shared *shared;
    struct http_link link;
    const char *peer;
    struct http_conn *prev, *next; /* in shared->waiting; prev is NULL for the first */
    enum http_conn_state state;
    enum http_close how;
    bool call_open;  /* the handler has `call`; in CONN_DONE until http_conn_free says on_gone */
    bool is_waiting; /* is in shared->waiting */
    bool is_first;   /* no head was complete yet */
    bool is_paused;
    bool keep_alive;    /* after the reply to q */
    bool is_head;       /* the reply has no body: HEAD */
    bool is_chunked;    /* the stream */
    bool is_events;     /* the stream has comments when idle */
    bool write_refused; /* on_drain is due */
    /* `in` is pinned while q points into it; what comes meanwhile goes to `more`. */
    struct str in, more;
    size_t in_off; /* bytes of `in` that are used up */
    struct http_request *q;
    int64_t skip; /* bytes that are still to come of the body of a refused request */
    struct str body;
    int64_t body_held; /* bytes of it that count for shared->counts.bodies_bytes */
    struct str out;
    size_t out_off;               /* bytes of `out` that were sent */
    int64_t since_ms;             /* begin of the wait for a head, of the head, or of the body */
    int64_t wrote_ms;             /* last progress of sending */
    struct http_subject *subject; /* of the stream */
    /* Of the request, until `ended` was called. */
    bool is_counted; /* `ended` is due */
    int32_t route;
    enum http_method method;
    int code;
    int64_t began_us, reply_bytes;
    void *note;
    struct http_call call;
};

struct http_shared {
    struct http_server_options o;
    struct http_limits limits; /* without zeros */
    struct http_gate gate;
    struct http_counts counts;
    struct map *subjects;           /* name -> struct http_subject */
    struct http_conn *first, *last; /* those that wait for a complete head, the longest first */
    bool is_draining;
    int64_t date_s; /* the second of `date` */
    char date[32];  /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/* ---- http_shared.c */
int64_t http_now_ms(const struct http_shared *s);
int64_t http_now_us(const struct http_shared *s);
const char *http_date(struct http_shared *s);
/* Adds to, or removes from, the list of those that wait for a complete head. */
void http_wait_begin(struct http_conn *c);
void http_wait_end(struct http_conn *c);
/* NULL: the subject has as many streams as it may have. */
struct http_subject *http_subject_take(struct http_shared *s, const char *name);
void http_subject_give(struct http_shared *s, struct http_subject *u);

/* ---- http_conn.c */
static inline size_t http_unsent_bytes(const struct http_conn *c)
{
    return c->out.len - c->out_off;
}
/* Ends the connection now, whatever is unsent. */
void http_conn_cut(struct http_conn *c, enum http_close how);
/* The reply to q, or its stream, is complete in `out`. */
void http_conn_replied(struct http_conn *c);
/* Bytes were added to `out`; without memory for them, the connection is cut. */
void http_conn_wrote(struct http_conn *c, bool was_empty);
/* Frees q with all that it points to; what came after it is read next. */
void http_conn_drop_request(struct http_conn *c);
/* Calls `ended`, unless it was. */
void http_conn_ended(struct http_conn *c, bool aborted);
/* The handler has no call any more. */
void http_conn_end_call(struct http_conn *c);
/* Has the client sent more than the request q? */
bool http_conn_has_more(const struct http_conn *c);

/* ---- http_reply.c */
/* The answer of the server itself to q (may be NULL). challenge: of WWW-Authenticate, allow: of
 * Allow; NULL: none. message: NULL for the text of the code. Calls http_conn_replied. */
void http_reply_error(struct http_conn *c, int code, const char *message, const char *challenge,
                      const char *allow);
/* The answer to a browser that asks whether a page of a listed origin may send a request (CORS): it
 * sends no token with the question, and the request itself is checked like any other. */
void http_reply_preflight(struct http_conn *c);
/* Head of a reply into `out`. length < 0: a stream. */
void http_reply_head(struct http_conn *c, const struct http_reply *r, int64_t length);

#endif
