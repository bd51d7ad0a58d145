/* mcp_call.h - one request of a client in flight, from the message to its answer.
 *
 * It does not know the transport: what it says goes to a sink. Of a legacy session, a request for
 * input becomes requests of ours to the client (mcp_round.h), and the exchange is started again
 * with the answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MCP_CALL_H
#define TROUPE_MCP_SERVER_MCP_CALL_H

#include "mcp/server/server_internal.h"

/* Where the messages of a call go. Views are lent. */
struct mcp_sink {
    void *ctx;
    /* A message before the answer. may_drop: the client can do without it. */
    void (*message)(void *ctx, struct json_view message, bool may_drop);
    /* The end of the call, which is gone afterwards. message: none if the client cancelled it.
     * code: of an error, else 0. */
    void (*answer)(void *ctx, struct json_view message, int64_t code);
};

/* Answers a request without a call. */
void mcp_sink_error(const struct mcp_sink *sink, struct json_view id, int64_t code,
                    const char *message, struct json_view data);

struct mcp_call_spec {
    struct mcp_server *server;
    struct mcp_session *session; /* NULL: modern */
    struct mcp_caller *caller;   /* a reference is taken */
    enum mcp_method method;      /* INITIALIZE, or one that the handler knows */
    struct json_view id, params; /* as the client sent them; copied */
    struct json_view token;      /* progressToken, or none; copied */
    enum mcp_log_level log_level;
    struct map *in_flight; /* of the client, by the text of the id; lent as long as the call */
    struct mcp_sink sink;
};

struct mcp_call {
    struct mcp_server *server;
    struct mcp_call *previous, *next; /* of the server */
    struct mcp_session *session;
    struct mcp_caller *caller;
    enum mcp_method method;
    enum mcp_log_level log_level;
    struct map *in_flight;
    struct mcp_sink sink;
    struct mcp_exchange *first; /* the request as the client sent it */
    struct mcp_exchange *x;     /* the same, or the last one of several rounds */
    struct mcp_round *round;    /* while answers of the client are awaited */
    int32_t n_rounds;
    struct str urls; /* ids of ours of URLs that the client went to, a line each */
    bool is_cancelled;
    char *token; /* text; NULL: none */
    char id[];   /* text */
};

/* NULL: no memory. */
struct mcp_call *mcp_call_new(const struct mcp_call_spec *s);
/* It may have ended, and be gone, when this returns. */
void mcp_call_start(struct mcp_call *c);
/* The client does not want the answer; sink.answer follows, without a message. */
void mcp_call_cancel(struct mcp_call *c);
/* The client has gone: no more of the sink, the call is gone. */
void mcp_call_abandon(struct mcp_call *c);
/* LISTEN: ends it with a result. */
void mcp_call_end_listen(struct mcp_call *c);

/* ---- for mcp_round.c */
/* Starts the exchange again: params of the first one, with these members. */
void mcp_call_again(struct mcp_call *c, struct json_view responses, struct json_view state,
                    struct json_view errors);
#define MCP_CALL_STOPPING "the server is stopping"
void mcp_call_fail(struct mcp_call *c, int64_t code, const char *message);

#endif
