/* server.h - MCP towards clients: both eras on one endpoint, over HTTP and stdio.
 *
 * Requests of clients become exchanges of one handler (mcp/exchange). Modern clients (2026-07-28)
 * carry all in each request. Legacy clients (2025-11-25 down to 2024-11-05) begin with `initialize`
 * and have a session, which is kept here: their subscriptions are LISTEN exchanges, and a request
 * for input becomes requests of ours to them.
 *
 * Ids of clients are echoed and compared among those of the same client, nothing else: the answer
 * to a request goes where the request came from. Everything is on the loop's thread.
 *
 * Source: MCP 2026-07-28 and 2025-11-25, "Transports" and "Lifecycle".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_SERVER_H
#define TROUPE_MCP_SERVER_SERVER_H

#include "mcp/exchange/exchange.h"
#include "runtime/base/log.h"
#include "runtime/base/seams.h"
#include "runtime/http/http_server.h"

struct loop;
struct mcp_server;

/* A zero is the default in brackets. */
struct mcp_server_limits {
    size_t message_bytes;    /* [4 MiB] of a message from a client */
    size_t queue_bytes;      /* [8 MiB] unsent messages of one stream; a stream over it is cut,
                              * and progress and log lines are left out from a quarter on */
    int32_t sessions;        /* [1000] of one principal; one more ends its oldest idle one */
    int64_t session_idle_ms; /* [30 min] without a request, a stream or a call */
    int32_t subscriptions;   /* [1000] resources of one session */
    int32_t kept_events;     /* [1000] of one session, for streams that are resumed */
    size_t kept_bytes;       /* [256 KiB] the same */
    int32_t input_rounds;    /* [16] of one request of a legacy client */
    int64_t input_ms;        /* [10 min] for the answers of one round */
    int32_t calls;           /* [1000] requests in flight of one session or connection */
    int64_t stream_after_ms; /* [1000] a legacy request that takes longer gets a stream, so that
                              * its answer can be fetched after a disconnect */
    int64_t poll_after_ms;   /* [never] such a stream is closed when it was silent for so long; the
                              * client comes back after retry_ms (2025-11-25) */
    int64_t retry_ms;        /* [1000] */
    int64_t drain_ms;        /* [5000] for the calls in flight when a client over stdio leaves */
};

struct mcp_server_options {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;                   /* NULL: none */
    const struct mcp_handler *handler; /* lent for the server's life */
    unsigned eras;                     /* enum mcp_era; 0: both */
    struct mcp_server_limits limits;
};

struct mcp_server *mcp_server_new(const struct mcp_server_options *o);
/* Cuts open streams and cancels all calls. Before the HTTP server is freed; stdio connections were
 * freed before. NULL is allowed. */
void mcp_server_free(struct mcp_server *s);
/* Ends the streams of subscriptions, as the protocol asks; calls go on. */
void mcp_server_drain(struct mcp_server *s);
/* Answers all calls in flight, and those that come, with an error that says that the server stops.
 * The caller gives the connections time to send it. */
void mcp_server_stop(struct mcp_server *s);

/* The longest body that a route for it should allow. */
int64_t mcp_server_max_body(const struct mcp_server *s);
/* Serves one request to the endpoint: POST, GET or DELETE; others are 405. Host, Origin and the
 * token were checked. principal: who asks; view: of the hub. Both are copied. */
void mcp_server_http(struct mcp_server *s, struct http_call *http, const char *principal,
                     const char *view);

struct mcp_server_counts {
    int64_t calls, sessions, streams; /* now */
    int64_t sessions_ended;           /* since the start: expired, deleted or replaced */
};
struct mcp_server_counts mcp_server_counts(const struct mcp_server *s);

#endif
