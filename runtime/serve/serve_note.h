/* serve_note.h - what is kept of a request until it has ended: for the access log and its span.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_NOTE_H
#define TROUPE_RUNTIME_SERVE_SERVE_NOTE_H

#include "runtime/serve/serve_internal.h"

/* Before the request is dispatched: notes it if somebody logs or traces it. */
void serve_note_begin(struct serve *s, struct http_call *c, const struct route *r);
/* The handler's `ended`: metrics, access log, span. */
void serve_ended(void *serve, const struct http_ended *e);
/* The context that the work for this request belongs to: its own span if it is traced, else what
 * its `traceparent` says; unset: neither. */
struct trace_context serve_trace_of(const struct serve *s, const struct http_call *c);
/* The same as the member `traceparent` of a run's configuration; nothing if it is unset. */
void serve_put_trace(const struct serve *s, const struct http_call *c, struct json *config);
/* The id of the request: that of the access log and the span, if it is logged or traced; else a new
 * one. */
#define SERVE_ID_BYTES 17
void serve_request_id(struct serve *s, const struct http_call *c, char out[SERVE_ID_BYTES]);
/* The handler's `error_id`: a new one, with which the error is in the log (debug). */
void serve_error_id(void *serve, const struct http_request *q, int code, const char *message,
                    char out[HTTP_ERROR_ID_BYTES]);
/* An id for a span that does not belong to a step of a run; never zero. */
void serve_new_span(struct serve *s, uint8_t out[8]);

#endif
