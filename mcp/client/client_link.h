/* client_link.h - what the client needs of a transport: messages go out, messages come in.
 *
 * link_stdio.c (a process), link_http.c (Streamable HTTP of both eras), link_sse.c (HTTP+SSE of
 * 2024-11-05). No event comes inside a call of an operation. Inside an event a link may be stopped,
 * but not freed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_LINK_H
#define TROUPE_MCP_CLIENT_CLIENT_LINK_H

#include "mcp/rpc/mcp.h"
#include "runtime/base/str.h"
#include "runtime/http/http.h"

struct client_link;
struct mcp_client_spec;

/* How the stream of a request has ended without its answer. Lent. */
struct client_link_end {
    int http_code;     /* 0: none */
    bool session_gone; /* the server does not know the session any more */
    const char *body;  /* (n) of an HTTP error: perhaps a JSON-RPC error */
    size_t n;
    const struct error *err; /* never NULL */
};

struct client_link_events {
    void *ctx;
    /* A message, not checked. from: the request on whose stream it came; 0: not known. true: it is
     * the answer to an open request; of others a link may take fewer than come. */
    bool (*message)(void *ctx, int64_t from, const char *bytes, size_t n);
    /* Nothing more comes for this request. 0: a message that was too long; its request is not
     * known. Not after `drop`. */
    void (*ended)(void *ctx, int64_t id, const struct client_link_end *end);
    /* What `listen` began is there. */
    void (*settled)(void *ctx);
    /* The link cannot be used any more; last. */
    void (*down)(void *ctx, struct client_link *l, const struct error *err);
    /* A line of standard error. */
    void (*line)(void *ctx, const char *text, size_t n);
};

struct client_send {
    int64_t id;             /* of a request; 0: a notification, or an answer to the server */
    enum mcp_method method; /* MCP_METHOD_N: an answer */
    const char *name;       /* the value of Mcp-Name as it is in params; NULL: none */
    const struct http_field *fields; /* (n_fields) Mcp-Param-*, encoded */
    int32_t n_fields;
    const char *text; /* (n) one message */
    size_t n;
};

/* Answers to requests of the server that are on their way over HTTP. A server that asks faster than
 * they leave gets no more of them: each is a connection, and there are others who need one. */
#define CLIENT_ANSWERS_MAX 64

#define LINK_SETTLE_MS 250 /* some servers open a stream with its first event alone */

/* drop, use, listen and pid may be NULL: there is nothing to do, and no process. */
struct client_link_ops {
    /* Connects; `send` is allowed at once. */
    enum status (*start)(struct client_link *l, struct error *err);
    enum status (*send)(struct client_link *l, const struct client_send *s, struct error *err);
    /* The request is over: its stream is closed, nothing more comes of it. */
    void (*drop)(struct client_link *l, int64_t id);
    /* The revision that was agreed on. Before it: that of the request to come. */
    void (*use)(struct client_link *l, enum mcp_revision r);
    /* Legacy, after notifications/initialized was sent: messages outside requests are wanted. True:
     * `settled` follows, once the server has taken that notification and the stream of such
     * messages is open or refused, or LINK_SETTLE_MS have passed. Messages go their own ways over
     * HTTP, and servers refuse what comes before the notification, or lose what they have no stream
     * for. */
    bool (*listen)(struct client_link *l);
    int32_t (*pid)(const struct client_link *l);
    /* Ends in order: of all events only `line` and `down` follow. */
    void (*stop)(struct client_link *l);
    /* Ends at once, without an event. */
    void (*free)(struct client_link *l);
};

struct client_link {
    const struct client_link_ops *ops;
    struct client_link_events events;
    /* Of the client: links that end, or have ended. */
    struct client_link *next;
    bool is_over;
    bool is_http; /* has a stream for each request: closing it cancels the request (modern) */
};

static inline void client_link_drop(struct client_link *l, int64_t id)
{
    if (l->ops->drop)
        l->ops->drop(l, id);
}

static inline void client_link_use(struct client_link *l, enum mcp_revision r)
{
    if (l->ops->use)
        l->ops->use(l, r);
}

static inline bool client_link_listen(struct client_link *l)
{
    return l->ops->listen && l->ops->listen(l);
}

static inline int32_t client_link_pid(const struct client_link *l)
{
    return l->ops->pid ? l->ops->pid(l) : 0;
}

/* Texts of spec are lent for the life of the link. */
struct client_link *link_stdio_new(const struct mcp_client_spec *spec,
                                   const struct client_link_events *events);
struct client_link *link_http_new(const struct mcp_client_spec *spec,
                                  const struct client_link_events *events);
struct client_link *link_sse_new(const struct mcp_client_spec *spec,
                                 const struct client_link_events *events);

#endif
