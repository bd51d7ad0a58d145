/* client_internal.h - one client, as its files see it.
 *
 *   client.c         life, states, the link       client_facts.c    what is known
 *   client_request.c requests of our own ids, answers to those of the server
 *   client_probe.c   which era the server speaks  client_receive.c  what comes from the server
 *   client_call.c    exchanges                    client_park.c     calls that wait for input
 *   client_listen.c  MCP_LISTEN                   client_change.c   bursts of list_changed
 *   client_salvage.c lists with an entry that is not valid
 *   client_envelope.c  params and results of both eras
 *
 * Callbacks of an exchange may start, cancel and end other exchanges, and stop the client: what is
 * needed after one is looked up again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_INTERNAL_H
#define TROUPE_MCP_CLIENT_CLIENT_INTERNAL_H

#include "mcp/client/client.h"
#include "mcp/client/client_link.h"
#include "mcp/client/param_headers.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

struct client_call;
struct client_changes;
struct client_listen;
struct client_lists;

/* ---- one request to the server */

/* How it ended: an answer of the server, or a reason. Lent. */
struct client_reply {
    const struct rpc_message *message; /* RPC_RESULT or RPC_ERROR; NULL: none came */
    int http_code;                     /* 0: not known */
    bool session_gone;
    const struct error *err; /* without a message: why */
};

struct client_request {
    struct mcp_client *client;
    int64_t id; /* also its progress token */
    enum mcp_method method;
    int64_t limit_ms;
    struct loop_timer *timer;
    struct client_call *call; /* of an exchange; else NULL */
    void *ctx;
    /* Once; the request is gone when it is called. */
    void (*done)(void *ctx, const struct client_reply *reply);
    /* MCP_PROGRESS, MCP_MESSAGE, and those of a listen stream. May be NULL. */
    void (*note)(void *ctx, enum mcp_method note, struct json_view params);
};

struct client_request_spec {
    enum mcp_method method;
    struct json_view params;          /* complete; or none */
    int64_t limit_ms;                 /* 0: none */
    const char *name;                 /* for Mcp-Name; NULL: none */
    const struct http_fields *fields; /* Mcp-Param-*; NULL: none */
    struct client_call *call;
    void *ctx;
    void (*done)(void *ctx, const struct client_reply *reply);
    void (*note)(void *ctx, enum mcp_method note, struct json_view params);
};
/* `done` never comes inside. An error means that nothing was sent. */
MUST_CHECK enum status client_request_send(struct mcp_client *c,
                                           const struct client_request_spec *spec,
                                           struct client_request **out, struct error *err);
struct client_request *client_request_find(struct mcp_client *c, int64_t id); /* or NULL */
/* Ends the request with this reply. */
void client_request_end(struct client_request *r, const struct client_reply *reply);
/* No callback follows. cancel: the server is asked to stop, with our id. NULL is fine. */
void client_request_drop(struct client_request *r, bool cancel);
/* Its time begins again; or does not count for now. */
void client_request_limit(struct client_request *r, bool counts);
/* Every request that is open ends with this error. */
void client_requests_fail(struct mcp_client *c, const struct error *err);
/* A notification, or an answer to the server: one message. Failures are for the log. */
void client_send_text(struct mcp_client *c, enum mcp_method method, const struct str *text);
/* Answers a request of the server: with a result, with an error. */
void client_send_result(struct mcp_client *c, struct json_view id, struct json_view result);
void client_refuse(struct mcp_client *c, struct json_view id, int64_t code, const char *message);

/* ---- the client */

struct mcp_client {
    struct mcp_client_spec spec; /* texts: copies of ours */
    struct arena *texts;         /* what spec lends */
    struct mcp_handler handler;
    enum mcp_client_state state;
    enum mcp_transport transport;
    enum mcp_revision revision;
    int eras_known; /* of an HTTP server, once found out: enum mcp_era; 0: not yet */
    struct client_link *link, *leaving;
    struct loop_timer *tidy; /* frees links that have ended */
    struct str about;        /* result of server/discover, or of initialize */
    struct str fault;
    struct str left_out;           /* entries of lists that are not valid: an array of texts */
    struct map *left_out_known;    /* NULL: none */
    bool is_closing, starts_again; /* a start in the course of the end waits for it */
    struct str info;               /* our client info */

    int64_t next_id;
    struct map *requests;         /* id (8 bytes) -> struct client_request */
    struct client_request *probe; /* discover or initialize under way */
    bool has_retried;             /* discover was sent again after -32022 */
    bool may_be_modern;           /* initialize came first: if it is refused, discover follows */
    bool has_reinitialized;       /* for a lost session; reset by an answer */

    struct client_call *calls, *last_call; /* all, oldest first */
    int32_t n_calls;
    int64_t next_call;

    enum mcp_log_level level, level_wanted; /* legacy: set; being set */
    struct client_request *level_request;
    struct param_headers *headers;      /* modern HTTP */
    struct client_lists *headers_lists; /* being fetched for it */
    struct mcp_caller *self;            /* who asks for our own lists */
    bool headers_known;

    struct map *rounds; /* state text -> struct park_round */
    size_t kept_bytes;
    struct client_listen *listen;
    struct client_changes *changes;
    struct mcp_client_counts counts;
};

bool client_is_modern(const struct mcp_client *c);
/* A capability of the server: client_can(c, "resources", "subscribe"). `part` may be NULL. */
bool client_can(const struct mcp_client *c, const char *key, const char *part);
void client_line(struct mcp_client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What the server says of itself, and the revision to speak from now on. */
void client_agree(struct mcp_client *c, enum mcp_revision r, struct json_view about);
void client_set_ready(struct mcp_client *c);
/* To down; everything that is open fails with the error. */
void client_set_down(struct mcp_client *c, const struct error *err);
/* The link ends in order; another one may be opened. */
void client_leave_link(struct mcp_client *c);
MUST_CHECK enum status client_open_link(struct mcp_client *c, enum mcp_transport t,
                                        struct error *err);

/* client_probe.c */
void client_probe(struct mcp_client *c);
/* The server lost the session: initialize again, at most once between two answers. */
void client_probe_again(struct mcp_client *c);

/* client_receive.c */
bool client_receive(void *ctx, int64_t from, const char *bytes, size_t n);
void client_ended(void *ctx, int64_t id, const struct client_link_end *end);

/* client_salvage.c */
/* A broken answer to this request without its broken entries, malloc'd; NULL: it is not a list, or
 * has none that can be left out. It is read again. */
char *client_salvage(struct mcp_client *c, const struct client_request *r, const char *bytes,
                     size_t n);
void client_salvage_forget(struct mcp_client *c);

/* client_listen.c */
struct client_listen *client_listen_new(struct mcp_client *c);
void client_listen_free(struct client_listen *l);
void client_listen_start(struct mcp_client *c, struct mcp_exchange *x);
void client_listen_cancel(struct mcp_client *c, struct mcp_exchange *x);
/* The connection is ready, or was lost: listeners stay. */
void client_listen_ready(struct mcp_client *c);
void client_listen_lost(struct mcp_client *c);
/* All listeners end with this error. */
void client_listen_fail(struct mcp_client *c, const struct error *err);
/* A change to pass on. */
void client_listen_note(struct mcp_client *c, enum mcp_method note, struct json_view params);

/* client_change.c */
struct client_changes *client_changes_new(struct mcp_client *c);
void client_changes_free(struct client_changes *ch);
/* A list of the server has changed: passed on when it has been quiet. */
void client_changed(struct mcp_client *c, enum mcp_method note);
/* Passed on at once: MCP_RESOURCE_UPDATED. */
void client_updated(struct mcp_client *c, struct json_view params);

#endif
