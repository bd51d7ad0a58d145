/* serve_internal.h - struct serve, for the files of runtime/serve.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_INTERNAL_H
#define TROUPE_RUNTIME_SERVE_SERVE_INTERNAL_H

#include <sys/stat.h>

#include "runtime/serve/serve.h"
#include "runtime/serve/serve_token.h"

struct api_events;
struct mcp_server;
struct serve_oauth;
struct troupe_watch;
struct v1_call;

struct serve {
    struct serve_options o;
    struct troupe *troupe;
    struct loop *loop;
    struct http_server *http;
    struct mcp_server *mcp;    /* NULL: there is no hub */
    bool mcp_stopped;          /* its calls were answered that the server stops */
    struct serve_oauth *oauth; /* NULL: none */
    struct token_file *tokens; /* NULL: no token is needed */
    struct stat tokens_seen;   /* of the file that they are from; zero: there was none */
    struct loop_timer *tokens_timer;
    char *url;
    bool draining;
    volatile int stopping;
    struct loop_timer *timer;       /* of the end */
    struct loop_timer *store_timer; /* looks whether the store still takes records */
    int64_t until_ms;               /* monotonic: how long the present step of the end may take */
    void (*on_drained)(void *ctx);
    void *drained_ctx;
    struct agent_host *agents;  /* of chat calls */
    struct served_model *model; /* (n_models) v1.h */
    int32_t n_models, max_queue;
    int32_t n_v1;             /* replies below /v1 under way or waiting */
    struct v1_call *v1_calls; /* of v1_model_call.c */
    int64_t began_ms;
    uint64_t random_seed, n_random; /* of v1_random */
    struct serve_metrics *metrics;
    uint64_t next_span;         /* serve_new_span */
    int32_t n_calls;            /* requests under way, which end before the server has drained */
    struct troupe_watch *watch; /* drives the runs of the store */
    struct api_events *events;
};

#define ROUTE_PARTS 3
/* A request on its route: `part` are the texts of the {parts}, lent until the function returns. */
typedef void (*route_fn)(struct serve *s, struct http_call *c, const char *const *part);

/* A line of route.def. */
struct route {
    enum http_method method;
    const char *path;
    unsigned scopes;
    int64_t max_body;
    route_fn fn;
};

#define ROUTE(method, path, scopes, max_body, fn)                                                  \
    void fn(struct serve *s, struct http_call *c, const char *const *part);
#include "runtime/serve/route.def"
#undef ROUTE

/* serve_reload.c: the tokens, if the server has any; they follow their file. */
MUST_CHECK enum status serve_tokens_open(struct serve *s, struct error *err);
/* When no request is under way any more. */
void serve_tokens_close(struct serve *s);

MUST_CHECK enum status serve_mcp_open(struct serve *s, struct error *err); /* route_mcp.c */

/* serve_route.c */
struct http_route serve_route(void *serve, const struct http_request *q);
void serve_dispatch(void *serve, struct http_call *c);

/* By http_route.id, from 1 on; NULL past the end. */
const struct route *serve_route_at(int32_t id);

/* serve_error.c: the body of an error, in the form of the API that the path belongs to. */
void serve_error_body(void *serve, const struct http_request *q, int code, const char *message,
                      struct str *out);
/* Replies with the HTTP code that fits the error. */
void serve_fail(struct http_call *c, const struct error *err);
/* Replies with a document (adopted). */
void serve_reply_json(struct http_call *c, int code, struct json *adopt_document);

#endif
