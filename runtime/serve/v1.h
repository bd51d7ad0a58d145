/* v1.h - requests below /v1: one request is one or several chat calls, or one run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_V1_H
#define TROUPE_RUNTIME_SERVE_V1_H

#include "runtime/serve/openai.h"
#include "runtime/serve/serve_note.h"

/* A model that is offered under its name. */
struct served_model {
    char *id;
    char *name; /* as runs record it: a path in it is absolute */
    struct model *model;
};

/* Opens the models to offer: those of the configuration, else all of `models:` and the default. */
MUST_CHECK enum status serve_models_open(struct serve *s, struct error *err);
void serve_models_close(struct serve *s);
/* 404 for a name that is not offered: the nearest one, and what is. */
void serve_model_missing(const struct serve *s, const char *id, struct openai_error *e);
/* NULL: not offered. No name of a request ever opens a file. */
struct model *serve_model_find(const struct serve *s, const char *id);
/* The name for a run, lent for the life of the server; STATUS_USAGE if it is not offered. */
MUST_CHECK enum status serve_run_model(const struct serve *s, const char *id,
                                       const char *const **out, struct error *err);
/* After "X is not offered": the nearest of the names, and the first of them; `where` is said if
 * there are more. */
void serve_offered_put(const char *id, const char *const *name, size_t n, const char *where,
                       struct str *out);

/* v1_reply.c */

/* For ids and seeds, not for secrets: without a system call. */
uint64_t v1_random(struct serve *s);
/* Who sent a request, as its replies and its lines in the log need it; copied when it begins, since
 * a stream keeps no request. */
struct v1_client {
    struct serve *s;
    char id[SERVE_ID_BYTES]; /* in X-Request-Id and in the log */
    bool sees_details;       /* what errors say of this server: its token has the scope api, too */
};
void v1_client_of(struct serve *s, struct http_call *c, struct v1_client *out);
/* The error of a failed call (openai_error_of), as this client may see it. What is not about the
 * request is written to the log with all details; `what` failed: "model x". */
void v1_error_of(const struct v1_client *who, const char *what, const struct chat_result *r,
                 struct openai_error *out);
/* Each of these sends X-Request-Id. run: the id of the run, or NULL. */
/* Replies with the error. The client is asked not to start another run. */
void v1_fail(const struct v1_client *who, struct http_call *c, const struct openai_error *e,
             const char *run);
void v1_reply(const struct v1_client *who, struct http_call *c, const struct str *json,
              const char *run);
/* http_call_stream for events. */
MUST_CHECK bool v1_stream(const struct v1_client *who, struct http_call *c, const char *run);
void v1_head(struct serve *s, const struct openai_request *q, const struct model_info *m,
             struct openai_head *out);
/* The data of an event are appended to `events` between these. The buffer is the caller's, and used
 * again for the next. */
void v1_event_begin(struct str *events);
void v1_event_end(struct str *events);
/* Empties the buffer. false: nothing was queued (http_call_write), or memory ran out. */
MUST_CHECK bool v1_events_send(struct http_call *c, struct str *events);

/* v1_observe.c: metrics and spans of calls */

/* A chat call of a request: its span, unset if it is not traced, below that of the request. */
struct v1_span {
    struct trace_context context;
    uint8_t parent[8];
    int64_t start_us;
};
void v1_span_begin(struct serve *s, const struct trace_context *around, struct v1_span *out);
/* The call has ended. */
void v1_observe_chat(struct serve *s, const struct v1_span *span, const struct openai_request *q,
                     const struct chat_result *r);
/* A run for a request has ended. */
void v1_observe_run(struct serve *s, const char *offer, bool is_agent, int64_t took_us,
                    const struct troupe_result *r);

/* Both take over the request, also when they fail; it was parsed from c. */
void v1_model_call(const struct v1_client *who, struct http_call *c, struct openai_request *adopt_q,
                   struct model *m);
void v1_offer_call(const struct v1_client *who, struct http_call *c, struct openai_request *adopt_q,
                   const struct serve_offer *o);
/* The server stops: all that is under way gets an error now. */
void v1_model_calls_stop(struct serve *s);

#endif
