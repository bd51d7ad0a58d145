/* exchange.h - one request of MCP between the side that received it and the side that answers it.
 *
 * The core speaks revision 2026-07-28, whatever the two peers speak: a request carries what its
 * client can do, and an answer is a result, a request for input (`input_required`; the client then
 * sends the request again with the input), a task, or an error. Legacy is translated at the edges:
 * mcp/server for clients, mcp/client for servers. So a hub is an mcp_handler that opens exchanges
 * of its own towards mcp_clients.
 *
 *   edge                                     handler
 *   mcp_exchange_new, mcp_exchange_start ->  start
 *                  note  <- mcp_exchange_note        (progress, log lines; any number)
 *                  done  <- mcp_exchange_finish      (exactly once, also after cancel)
 *   mcp_exchange_cancel                  ->  cancel
 *
 * `done` may come inside mcp_exchange_start and inside mcp_exchange_cancel. The exchange is
 * reference counted; all texts of it live as long. Everything is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_EXCHANGE_EXCHANGE_H
#define TROUPE_MCP_EXCHANGE_EXCHANGE_H

#include "mcp/rpc/mcp.h"
#include "mcp/rpc/rpc.h"

/* ---- who asks. Reference counted, immutable after mcp_caller_new. */
struct mcp_caller {
    int32_t refs;
    /* Who it is: answers, sessions, parked calls and tasks never cross from one principal to
     * another. The name of a token, or "stdio". */
    char *principal;
    /* What keeps the state of a client apart from other clients of the principal: a legacy session
     * or a stdio connection. "" for a modern client over HTTP. */
    char *session;
    char *view; /* the view of the hub that it sees; "" for the default one */
    enum mcp_revision revision;
    unsigned can;                  /* enum mcp_ability bits */
    struct json_view capabilities; /* an object, as the client sent it */
    struct json_view client_info;  /* the same; or none */
    char *text;                    /* what the views above are lent from */
};
struct mcp_caller_spec {
    const char *principal, *session, *view; /* copied; NULL: "" */
    enum mcp_revision revision;
    struct json_view capabilities, client_info; /* copied */
};
struct mcp_caller *mcp_caller_new(const struct mcp_caller_spec *s);
struct mcp_caller *mcp_caller_ref(struct mcp_caller *c);
void mcp_caller_unref(struct mcp_caller *c); /* NULL is fine */

/* ---- the answer */
enum mcp_answer_kind {
    MCP_COMPLETE,       /* result: an object; resultType is absent or "complete" */
    MCP_INPUT_REQUIRED, /* result: {inputRequests?, requestState?} */
    MCP_TASK,           /* result: {taskId, status, ...}, for callers with MCP_CAN_TASKS */
    MCP_ERROR,
};
/* Lent during the call that hands it over. */
struct mcp_answer {
    enum mcp_answer_kind kind;
    struct json_view result; /* not of MCP_ERROR; with or without a resultType */
    int64_t code;            /* of MCP_ERROR: JSON-RPC's */
    const char *message;
    struct json_view data; /* or none */
    bool is_cancelled; /* an error since the exchange was cancelled: there may be no one to tell */
};

struct mcp_exchange;

struct mcp_handler {
    void *ctx;
    /* Answers now or later with mcp_exchange_finish. A request that the handler does not know is
     * finished with RPC_METHOD_NOT_FOUND. MCP_DISCOVER is answered with the result of
     * server/discover; the edges make `initialize` of it. MCP_LISTEN stays open: its first note is
     * MCP_ACKNOWLEDGED with the part of `notifications` that is honoured; its notes carry no
     * subscription id, which the edges add. */
    void (*start)(void *ctx, struct mcp_exchange *x);
    /* The answer is not wanted any more; finish follows soon (MCP_ERROR, is_cancelled). */
    void (*cancel)(void *ctx, struct mcp_exchange *x);
    /* The state of this client is no longer needed: its session has ended. May be NULL. */
    void (*caller_gone)(void *ctx, struct mcp_caller *c);
    /* The client said that its roots have changed (legacy). May be NULL. */
    void (*roots_changed)(void *ctx, struct mcp_caller *c);
};

/* What the edge wants to hear. */
struct mcp_exchange_events {
    /* A notification that belongs to this request: MCP_PROGRESS (params without a token),
     * MCP_MESSAGE, MCP_ELICIT_COMPLETE (which modern clients do not know), and those of
     * MCP_LISTEN. params are lent. May be NULL. */
    void (*note)(void *ctx, struct mcp_exchange *x, enum mcp_method note, struct json_view params);
    /* The answer. The edge drops its reference in it or later. */
    void (*done)(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a);
    void *ctx;
};

struct mcp_exchange_spec {
    enum mcp_method method;    /* MCP_OF_CLIENT */
    struct mcp_caller *caller; /* a reference is taken */
    /* Copied; an object or none. inputResponses and requestState are members of it, as in the
     * protocol. `_meta` holds what the client sent but the keys of the protocol and the progress
     * token: trace context, extensions. */
    struct json_view params;
    /* Of a legacy client that answered an input request with an error: {key: {code, message}}. Not
     * part of the protocol: a legacy server gets the error, there is no way to send it to a modern
     * one. Copied. */
    struct json_view input_errors;
    /* Of MCP_TOOLS_LIST, by the edge itself: it needs only the tool of this name, so the handler
     * may leave others out and ask no other server. Copied; NULL: the whole list. */
    const char *only;
    bool wants_progress;
    enum mcp_log_level log_level; /* MCP_LOG_NONE: no MCP_MESSAGE is wanted */
    int64_t deadline_ms;          /* wall clock; 0: none. The handler's own limits count too */
    struct mcp_exchange_events events;
};

enum mcp_exchange_state { MCP_EXCHANGE_NEW, MCP_EXCHANGE_OPEN, MCP_EXCHANGE_FINISHED };

struct mcp_exchange {
    /* For the handler to read. */
    enum mcp_method method;
    struct mcp_caller *caller;
    struct json_view params, input_errors;
    const char *only; /* NULL: all */
    bool wants_progress;
    enum mcp_log_level log_level;
    int64_t deadline_ms;
    bool is_cancelled;
    enum mcp_exchange_state state;
    void *work; /* the handler's own, from start to finish */
    /* Of exchange.c. */
    int32_t refs;
    char *text;
    const struct mcp_handler *handler;
    struct mcp_exchange_events events;
};

/* One reference, the edge's. NULL without memory. */
struct mcp_exchange *mcp_exchange_new(const struct mcp_exchange_spec *s);
struct mcp_exchange *mcp_exchange_ref(struct mcp_exchange *x);
void mcp_exchange_unref(struct mcp_exchange *x); /* NULL is fine */
/* handler: lent until `done`. */
void mcp_exchange_start(struct mcp_exchange *x, const struct mcp_handler *handler);
/* Nothing if it has finished. `done` still follows. */
void mcp_exchange_cancel(struct mcp_exchange *x);
/* The edge has gone: no events from now on; cancels if it is open. */
void mcp_exchange_abandon(struct mcp_exchange *x);

/* ---- for handlers */
void mcp_exchange_note(struct mcp_exchange *x, enum mcp_method note, struct json_view params);
void mcp_exchange_finish(struct mcp_exchange *x, const struct mcp_answer *a);
/* The shorthands of it. */
void mcp_exchange_complete(struct mcp_exchange *x, struct json_view result);
void mcp_exchange_fail(struct mcp_exchange *x, int64_t code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void mcp_exchange_fail_status(struct mcp_exchange *x, const struct error *err);
void mcp_exchange_fail_cancelled(struct mcp_exchange *x);
/* The caller lacks abilities: RPC_MISSING_CAPABILITY with data.requiredCapabilities. */
void mcp_exchange_fail_abilities(struct mcp_exchange *x, unsigned needed);

#endif
