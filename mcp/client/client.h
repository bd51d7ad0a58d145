/* client.h - the side of MCP towards one server, whatever revision and transport it speaks.
 *
 * mcp_client_handler gives an mcp_handler (exchange.h): exchanges of many callers are forwarded to
 * the server under ids and progress tokens of the client's own. A legacy server is translated: what
 * it asks in the course of a call becomes an `input_required` answer of that call, which waits
 * ("parked") until the exchange is sent again with the input.
 *
 *   new -> starting -> ready -> down        start again: down -> starting
 *
 * The era is found out while starting: `server/discover`, then `initialize` in the same process
 * (`prefers_legacy`: the other way round), then, over HTTP, the transport of 2024-11-05. A client
 * does not start again by itself: its owner decides when. Everything is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_H
#define TROUPE_MCP_CLIENT_CLIENT_H

#include "mcp/exchange/exchange.h"
#include "runtime/base/seams.h"
#include "runtime/http/http.h"

struct address_policy;
struct http_client;
struct loop;
struct mcp_client;
struct supervisor;

enum mcp_client_state { MCP_CLIENT_NEW, MCP_CLIENT_STARTING, MCP_CLIENT_READY, MCP_CLIENT_DOWN };
enum mcp_transport { MCP_OVER_STDIO, MCP_OVER_HTTP, MCP_OVER_HTTP_SSE };

/* Authorization of HTTP requests: client_auth.h makes one of mcp/auth. */
struct mcp_client_challenge {
    int code;                        /* 401 or 403 */
    const struct http_field *fields; /* (n_fields) of the answer, names in lower case */
    int32_t n_fields;
    const char *used; /* the value of Authorization that was sent; NULL: none */
    int32_t n_tries;  /* how often this request was sent again already */
};
struct mcp_client_auth {
    void *ctx;
    /* The value of Authorization for the next request, lent until the loop turns; NULL: none. */
    const char *(*header)(void *ctx);
    /* That of DPoP, for this request alone; lent until the next call; NULL: none. */
    const char *(*proof)(void *ctx, enum http_method method);
    /* Calls `done` once, never inside: true, send the request again. Returns what cancel takes;
     * NULL: no more can be done, and done is not called. */
    void *(*answer)(void *ctx, const struct mcp_client_challenge *c,
                    void (*done)(void *arg, bool again, const struct error *err), void *arg);
    void (*cancel)(void *ctx, void *wait); /* no callback follows */
};

/* 0: the default in brackets. */
struct mcp_client_limits {
    int64_t probe_ms;      /* [10000] for the answer to server/discover */
    int64_t initialize_ms; /* [30000] */
    int64_t call_ms;       /* [300000] for an answer; progress begins it again. Not while parked */
    int64_t park_ms;       /* [600000] a parked call waits that long for its input */
    int64_t kept_ms;       /* [60000] the answer to a retry is kept, for a retry sent twice */
    int64_t stop_ms;       /* [3000] after its input was closed, a process has that long to end */
    int64_t quiet_ms;      /* [50] without list_changed, before one is passed on */
    size_t message_bytes;  /* [16 MiB] of one message of the server */
    int32_t calls;         /* [1024] open and waiting */
    int32_t parks;         /* [32] parked calls of a principal */
    size_t park_bytes;     /* [64 KiB] of notes kept for a parked call */
    size_t kept_bytes;     /* [32 MiB] of answers kept */
};

struct mcp_client_events {
    void *ctx;
    /* Any of these may be NULL. None may free the client; mcp_client_stop is allowed. */
    void (*state)(void *ctx, enum mcp_client_state state);
    /* MCP_TOOLS_CHANGED, MCP_RESOURCES_CHANGED, MCP_PROMPTS_CHANGED: bursts are one; params: none.
     * MCP_RESOURCE_UPDATED. Listeners (MCP_LISTEN) get them besides. */
    void (*changed)(void *ctx, enum mcp_method note, struct json_view params);
    /* A log line of the server that belongs to no call: params of notifications/message. */
    void (*message)(void *ctx, struct json_view params);
    /* What a person may want to read: a line of the server's standard error (is_error), or what
     * this client has to say about its server. Without a line end; lent. */
    void (*line)(void *ctx, bool is_error, const char *text, size_t n);
};

struct mcp_client_spec {
    struct loop *loop;
    const struct seams *seams; /* NULL: the real ones */
    const char *name;          /* for messages */
    enum mcp_transport transport;
    /* MCP_OVER_STDIO: as in child.h, copied. */
    const char *const *argv, *const *env;
    const char *program; /* argv[0] for messages, where it may have a secret; lent; NULL: argv[0] */
    const char *folder;
    struct supervisor *supervisor; /* lent; NULL: the process is our own child (child.h) */
    /* Of the other two. http and policy are lent for the client's life. */
    const char *url;
    struct http_client *http;
    const struct address_policy *policy;
    const struct http_field *fields; /* (n_fields) copied, for each request */
    int32_t n_fields;
    const struct mcp_client_auth *auth; /* copied; NULL: none */
    /* Who we are: the client info of `initialize`, and of callers that have none. */
    const char *client_name, *client_version;
    enum mcp_era eras; /* 0: MCP_ERA_BOTH. One of them: no other is tried */
    /* The only one who uses this connection is a legacy client: initialize comes first, and
     * server/discover after an error. A server of both eras may have tools that only a client of
     * their era can use. */
    bool prefers_legacy;
    /* What a legacy server may ask for in the course of calls; 0: forms, URLs and sampling with
     * tools; MCP_CAN_LIST_ROOTS only where the instance serves one principal. */
    unsigned abilities;
    struct json_view roots; /* an array, copied: the answer to roots/list outside calls; or none */
    struct mcp_client_limits limits;
    struct mcp_client_events events;
};
/* Starts nothing. STATUS_USAGE: the spec is not complete. */
MUST_CHECK enum status mcp_client_new(const struct mcp_client_spec *spec, struct mcp_client **out,
                                      struct error *err);
/* Ends everything at once: open exchanges fail. Not inside an event or an exchange's callback. */
void mcp_client_free(struct mcp_client *c);

/* From new or down; else nothing. An exchange that is started while new does the same. */
void mcp_client_start(struct mcp_client *c);
/* Ends the connection in order: down follows at once, the process or session ends in the
 * background. */
void mcp_client_stop(struct mcp_client *c);

/* Exchanges wait while starting, and fail while down. */
const struct mcp_handler *mcp_client_handler(struct mcp_client *c);

/* What is known. Texts are lent until the state changes. */
struct mcp_client_facts {
    enum mcp_client_state state;
    enum mcp_transport transport; /* found out */
    enum mcp_revision revision;   /* from ready on; MCP_REVISION_N before */
    struct json_view capabilities, server_info, instructions;
    struct json_view left_out; /* entries of its lists that are not valid JSON: texts; or none */
    const char *fault;         /* of down: why; "" after mcp_client_stop */
    int32_t pid;               /* of the process; 0: none */
};
struct mcp_client_facts mcp_client_facts(const struct mcp_client *c);

/* Since the client was made. */
struct mcp_client_counts {
    int64_t starts;          /* of the connection */
    int64_t requests;        /* sent */
    int64_t late, unknown;   /* answers that were dropped: to what is over, to what never was */
    int64_t unsent;          /* messages of ours that could not be sent */
    int64_t garbage;         /* messages that are not JSON-RPC, or too long */
    int64_t refused;         /* requests of the server that were answered with an error */
    int64_t changes, passed; /* list_changed received; passed on */
    int32_t open, parked;    /* now */
};
struct mcp_client_counts mcp_client_counts(const struct mcp_client *c);

#endif
