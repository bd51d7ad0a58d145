/* trace_span.h - one span, and its form in OTLP/JSON.
 *
 * Source: opentelemetry-proto, trace.proto, in the JSON mapping of the OTLP specification: ids are
 * hexadecimal, 64-bit integers are decimal text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_TRACE_TRACE_SPAN_H
#define TROUPE_RUNTIME_TRACE_TRACE_SPAN_H

#include "runtime/base/str.h"
#include "runtime/base/trace_context.h"

#define TRACE_TEXT_MAX ((size_t)16 << 10) /* bytes of one text; the rest is cut at a character */

enum trace_kind { TRACE_INTERNAL = 1, TRACE_SERVER = 2, TRACE_CLIENT = 3 };
enum trace_type { TRACE_TEXT, TRACE_LIST /* of one text */, TRACE_INT, TRACE_REAL };

struct trace_attribute {
    const char *key;
    enum trace_type type;
    const char *text;
    int64_t number;
    double real;
};

/* All is lent. */
struct trace_span {
    struct trace_context context; /* its own */
    uint8_t parent[8];            /* zero: none */
    const char *name;
    enum trace_kind kind;
    int64_t start_us, end_us; /* wall clock, since the epoch */
    bool failed;
    const char *message; /* of a failure; NULL: none */
    const struct trace_attribute *attribute;
    int32_t n_attributes;
};
/* Appends an element of `spans`. */
void trace_span_write(const struct trace_span *s, struct str *out);
/* Appends {"key": ..., "value": ...}. */
void trace_attribute_write(const struct trace_attribute *a, struct str *out);

#endif
