/* sse.h - server-sent events: writes them and parses them.
 *
 * WHATWG HTML, "Server-sent events". A parser takes bytes cut anywhere: also within a character,
 * a line end or the byte order mark. Bytes that are not UTF-8 are passed on as they are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_SSE_H
#define TROUPE_RUNTIME_HTTP_SSE_H

#include "runtime/base/status.h"
#include "runtime/base/str.h"

/* Appends an event. event, id: NULL for none; what follows a line break in them is left out. A line
 * break in data (LF, CR LF or CR) begins a new data line, so the parser gives LF for each. */
void sse_write(struct str *out, const char *event, const char *id, const char *data, size_t n);
void sse_comment(struct str *out, const char *text);

struct sse_event {
    const char *event; /* "message" when the stream names none */
    const char *id;    /* the last id of the stream, "" before the first */
    const char *data;  /* (n) joined by line feeds; NUL after it */
    size_t n;
    int64_t retry_ms; /* the last of the stream; -1: not given */
};

struct sse_parser;
/* An event that is longer than max_bytes ends the stream with STATUS_LIMIT. on_event: not 0 stops,
 * sse_feed returns it, now and for all that follows; the parser must not be freed inside. An event
 * without the blank line at its end is not delivered: the stream was cut. */
struct sse_parser *sse_parser_new(size_t max_bytes,
                                  enum status (*on_event)(void *ctx, const struct sse_event *e,
                                                          struct error *err),
                                  void *ctx);
void sse_parser_free(struct sse_parser *p);
MUST_CHECK enum status sse_feed(struct sse_parser *p, const char *bytes, size_t n,
                                struct error *err);
/* Where to go on after a reconnect: the id of the last complete event. "" before the first. */
const char *sse_last_id(const struct sse_parser *p);
int64_t sse_retry_ms(const struct sse_parser *p); /* the wait before it; -1: not given */

#endif
