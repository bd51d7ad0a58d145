/* sse.h - server-sent events: writes them and parses them.
 *
 * WHATWG HTML, "Server-sent events". A parser takes bytes cut anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_SSE_H
#define TROUPE_RUNTIME_HTTP_SSE_H

#include "runtime/base/status.h"
#include "runtime/base/str.h"

/* Appends an event. event, id: NULL for none. A line break in data begins a new data line. */
void sse_write(struct str *out, const char *event, const char *id, const char *data, size_t n);
void sse_comment(struct str *out, const char *text);

struct sse_event {
    const char *event; /* "message" when the stream names none */
    const char *id;    /* the last id of the stream, "" before the first */
    const char *data;  /* (n) joined by line feeds; NUL after it */
    size_t n;
    int64_t retry_ms; /* -1: not given */
};

struct sse_parser;
/* An event that is longer than max_bytes ends the stream with STATUS_LIMIT.
 * on_event: not 0 stops, and sse_feed returns it. */
struct sse_parser *sse_parser_new(size_t max_bytes,
                                  enum status (*on_event)(void *ctx, const struct sse_event *e,
                                                          struct error *err),
                                  void *ctx);
void sse_parser_free(struct sse_parser *p);
MUST_CHECK enum status sse_feed(struct sse_parser *p, const char *bytes, size_t n,
                                struct error *err);
const char *sse_last_id(const struct sse_parser *p);

#endif
