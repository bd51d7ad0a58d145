/* trace_context.h - which trace and span something belongs to (W3C Trace Context, level 1).
 *
 * The ids of a run are functions of its UUID, and those of its steps of (UUID, path, attempt): a
 * run that is resumed, by whatever process, goes on in the same trace, and a span that is sent
 * twice has the same id.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_TRACE_CONTEXT_H
#define TROUPE_RUNTIME_BASE_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACEPARENT_BYTES 55 /* 00-TRACE-SPAN-FLAGS, without NUL */

/* A value. All zero: none. */
struct trace_context {
    uint8_t trace[16];
    uint8_t span[8];
    bool sampled; /* spans are recorded and sent */
};
bool trace_context_is_set(const struct trace_context *c);
/* The value of `traceparent`. False, and *out unchanged: not valid (other characters, capital
 * letters, an id of zeros, version ff). A later version is read as far as it is known. NULL: not
 * valid. */
bool trace_context_parse(const char *text, struct trace_context *out);
void trace_context_write(const struct trace_context *c, char out[TRACEPARENT_BYTES + 1]);

/* The trace of a run that nobody asked for within another trace: its UUID. The span is zero. False:
 * the text is not a UUID. */
bool trace_context_of_run(const char *uuid, struct trace_context *out);
/* The span of a step, in the same trace: the first 8 bytes of SHA-256 of "uuid NUL path NUL
 * attempt". The run itself has the path "" and attempt 0. */
void trace_span_of_step(const char *uuid, const char *path, int32_t attempt, uint8_t out[8]);

/* 2 n lower-case digits and a NUL. */
void trace_hex(const uint8_t *bytes, size_t n, char *out);

#endif
