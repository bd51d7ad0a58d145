/* session_stream.h - the event streams of a legacy session, and what is kept to resume them.
 *
 * The id of an event is STREAM-NUMBER; stream 0 is that of GET, the others belong to a POST each. A
 * stream goes on without a connection: what it says is kept, within limits, until the client comes
 * back with Last-Event-ID.
 *
 * Source: MCP 2025-11-25, "Resumability and redelivery" (SEP-1699: polling).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_SESSION_STREAM_H
#define TROUPE_MCP_SERVER_SESSION_STREAM_H

#include "mcp/server/sse_out.h"

/* ---- what was sent, oldest first */
struct event_log {
    struct kept_event *first, *last;
    int32_t n;
    size_t bytes;
};
void event_log_deinit(struct event_log *l);

struct session_stream {
    struct mcp_server *server;
    struct event_log *log;
    int64_t number;             /* 0: of GET */
    int64_t n_events;           /* number of the last one */
    int64_t n_sent;             /* of the last one that was written to a connection */
    struct sse_out *out;        /* NULL: nobody is connected */
    void (*on_gone)(void *ctx); /* its connection was lost; may be NULL */
    void *ctx;
    bool has_priming; /* an event without data is sent first (2025-11-25) */
};

/* Connects the stream; an earlier connection of it ends. after: the last event that the client has,
 * those since then are sent again; -1: those that were never sent. false: the client has too many
 * streams, the reply is given. */
bool session_stream_attach(struct session_stream *s, struct http_call *http, int64_t after);
void session_stream_send(struct session_stream *s, struct json_view message, bool may_drop);
/* The connection ends, what is queued is sent. The stream can go on. */
void session_stream_detach(struct session_stream *s);
/* The whole reply, of a stream that has ended. */
void session_stream_replay_ended(struct mcp_server *server, struct event_log *log,
                                 struct http_call *http, int64_t number, int64_t after);
/* "12-3"; false: not such an id. */
bool session_stream_read_id(const char *id, int64_t *stream, int64_t *event);

#endif
