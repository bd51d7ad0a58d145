/* http_server.h - an HTTP/1.1 server on the event loop.
 *
 * libwebsockets accepts, encrypts and moves bytes; the head is parsed here (http_head.h), before
 * anything is routed. A request reaches the handler once its body is complete. The handler replies
 * now or later: with one body, or with a stream of chunks. Everything is on the loop's thread.
 *
 * Nothing that a client sends, or fails to send, ends the process or grows without a limit: see the
 * limits below. A request that breaks a rule is answered by the server itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_SERVER_H
#define TROUPE_RUNTIME_HTTP_HTTP_SERVER_H

#include "runtime/base/log.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/http/http_head.h"

struct loop;
struct http_server;
struct http_call; /* one request and its reply; valid until on_gone returns or the reply has ended
                   */

/* What a route allows; asked when the head is complete, before the body is read. */
struct http_route {
    int reject;          /* an HTTP status: answered at once, the body is not read; 0: go on */
    const char *message; /* of the rejection */
    const char *allow;   /* for 405: "GET, POST" */
    int64_t max_body;    /* bytes; a longer body is 413 */
    bool is_open;        /* needs no token (/healthz) */
    int32_t id;          /* the handler's, for `ended`; 0: none */
};

/* A request that has ended: its reply is complete, or its client has left. Texts are lent. */
struct http_ended {
    enum http_method method; /* HTTP_OTHER also for a head that was not understood */
    int32_t route;           /* http_route.id; 0 if there is none */
    int code;                /* of the reply; 0: the client left before it */
    bool aborted;            /* the client left, or the handler cut the stream */
    int64_t took_us;         /* since the head was complete */
    int64_t bytes;           /* of the reply, with its head */
    const char *path;        /* decoded; "" if it is not kept: after a stream */
    const char *subject;     /* the same */
    void *note;              /* of http_call_note; NULL: none */
};

#define HTTP_ERROR_ID_BYTES 33
struct http_handler {
    void *ctx;
    struct http_route (*route)(void *ctx, const struct http_request *q);
    /* The request is complete. The reply is given now or later, but exactly once. */
    void (*serve)(void *ctx, struct http_call *c);
    /* The body of an error that the server found itself (400, 401, 413, ...), as JSON, appended
     * to `out`. q: NULL if the head was not understood. NULL: {"error":{"message":...}}. */
    void (*error_body)(void *ctx, const struct http_request *q, int code, const char *message,
                       struct str *out);
    /* The id of such an error, for its field X-Request-Id: the handler finds it in its log by it.
     * May be NULL. */
    void (*error_id)(void *ctx, const struct http_request *q, int code, const char *message,
                     char out[HTTP_ERROR_ID_BYTES]);
    /* Once for each request, last: after on_gone. May be NULL. */
    void (*ended)(void *ctx, const struct http_ended *e);
};

/* A zero is the default in brackets. */
struct http_limits {
    int32_t max_connections;          /* [10000] */
    int32_t max_connections_per_peer; /* [256] off loopback; on loopback only max_connections */
    int32_t max_streams_per_subject; /* [1000] streamed replies at a time of one token; more: 429 */
    int64_t head_ms;  /* [10000] absolute, from the first byte of a head; of the first one, from
                       * the start of the connection */
    int64_t body_ms;  /* [30000], and a second more for each KiB that has come */
    int64_t stall_ms; /* [30000] a client that reads nothing */
    int64_t idle_ms;  /* [75000] between requests */
    int64_t keep_alive_ms; /* [15000] between comments in an idle event stream */
    int64_t linger_ms;     /* [2000] for a client that still sends after an error was replied */
    int64_t backlog_bytes; /* [256 KiB] unsent bytes of a stream */
    int64_t bodies_bytes;  /* [256 MiB] bodies of requests under way, of all connections; one that
                            * does not fit is 503 before it is read */
};

/* Who may call. Texts and arrays are lent for the life of the server. */
struct http_access {
    /* Is this bearer token valid? Gives the name of its subject (lent). Must take the same time
     * whether or not it is. NULL: no token is needed. */
    bool (*token)(void *ctx, const char *token, size_t n, const char **subject);
    void *ctx;
    /* Another value of WWW-Authenticate for a 401, lent; NULL: the usual one. May be NULL. */
    const char *(*challenge)(void *ctx, const struct http_request *q, bool with_token);
    /* (n_hosts) allowed values of Host, with the port unless it is the scheme's; any other is 400.
     * The address itself is allowed; on loopback also "localhost"; on 0.0.0.0 and :: every IP
     * address (no name that an attacker owns can be one). */
    const char *const *host;
    int32_t n_hosts;
    /* (n_origins) allowed values of Origin; any other is 403. That of the server itself is
     * allowed. */
    const char *const *origin;
    int32_t n_origins;
};

struct http_server_options {
    const char *address;            /* "127.0.0.1", "::1", "0.0.0.0" */
    int32_t port;                   /* 0: a free one */
    const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS */
    struct http_access access;
    struct http_limits limits;
    struct http_handler handler;
    const struct seams *seams;
    struct log *log; /* lent */
};
/* Listens. Texts, arrays, seams and log of the options are lent for its life. STATUS_CONFIG: the
 * address is none, or the certificate cannot be read. STATUS_FAILED, STATUS_IO: the address is in
 * use, or not of this machine. */
MUST_CHECK enum status http_server_new(struct loop *l, const struct http_server_options *o,
                                       struct http_server **out, struct error *err);
int32_t http_server_port(const struct http_server *s);
/* Reads certificate and key again (SIGHUP); the old ones stay on failure. */
MUST_CHECK enum status http_server_reload(struct http_server *s, struct error *err);
/* Accepts no more connections and no more requests (503 with Connection: close); calls that have
 * begun go on. */
void http_server_drain(struct http_server *s);
/* Closes all connections; on_gone comes for each open call. Not from inside a callback of this
 * server. The loop must run, or be freed, afterwards. NULL is allowed. */
void http_server_free(struct http_server *s);

struct http_counts {
    int64_t connections, requests, streams; /* now: open connections, open calls, open streams */
    int64_t accepted, rejected, total, aborted; /* since the start; aborted: the client left */
    int64_t bytes_in, bytes_out;
    int64_t bodies_bytes; /* now: of the requests under way, as they were announced */
};
struct http_counts http_server_counts(const struct http_server *s);

/* ---- a call */
/* Valid until the reply or http_call_stream: a stream keeps no request in memory. */
const struct http_request *http_call_request(const struct http_call *c);
/* Something of the handler's that `ended` gets. */
void http_call_note(struct http_call *c, void *note);
void *http_call_noted(const struct http_call *c);
/* Called once if the client leaves (or the server is freed) before the reply has ended; then the
 * call is gone. A client that closes its write side has left. May be NULL. */
void http_call_on_gone(struct http_call *c, void (*fn)(void *ctx), void *ctx);

struct http_reply {
    int code;                        /* 200 to 599 */
    const char *type;                /* Content-Type; NULL: none */
    const struct http_field *fields; /* not Date, Connection, Content-Length, Transfer-Encoding */
    int32_t n_fields;
    const char *body; /* (body_bytes) copied */
    size_t body_bytes;
};
/* The whole reply. The call is gone. */
void http_call_reply(struct http_call *c, const struct http_reply *r);
void http_call_reply_json(struct http_call *c, int code, const char *json, size_t n);
/* With the body of handler.error_body. message: NULL for the text of the code. */
void http_call_fail(struct http_call *c, int code, const char *message);

/* A streamed reply: body and body_bytes of r are not used. Sent in chunks, or up to the end of the
 * connection in HTTP/1.0. For "text/event-stream" the server sends a comment when nothing was
 * written for keep_alive_ms. false: the subject has too many streams; 429 was replied, and the call
 * is gone. If the client sends more requests during a stream, they are dropped, and the connection
 * closes after it. */
MUST_CHECK bool http_call_stream(struct http_call *c, const struct http_reply *r);
/* Copies and queues; what is queued in one turn of the loop goes out in one write. false: n more
 * bytes would make a backlog of more than backlog_bytes (one write into a queue of at most 2 KiB
 * may be larger); nothing is queued, and the caller waits for on_drain or ends the call. */
bool http_call_write(struct http_call *c, const char *bytes, size_t n);
size_t http_call_backlog(const struct http_call *c);
/* Called each time that the backlog falls to half of backlog_bytes after a refused write. */
void http_call_on_drain(struct http_call *c, void (*fn)(void *ctx), void *ctx);
/* The stream is complete; queued bytes are still sent. The call is gone. */
void http_call_end(struct http_call *c);
/* Cuts the connection: the client must not take the stream for a complete one. The call is gone. */
void http_call_abort(struct http_call *c);

#endif
