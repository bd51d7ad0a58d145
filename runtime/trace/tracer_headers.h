/* tracer_headers.h - header fields from the value of OTEL_EXPORTER_OTLP_HEADERS.
 *
 * "name=value,name=value" (W3C Baggage without properties): blanks around names and values are
 * dropped, and values are percent-decoded. The texts may be secrets: they are wiped at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_TRACE_TRACER_HEADERS_H
#define TROUPE_RUNTIME_TRACE_TRACER_HEADERS_H

#include "runtime/base/status.h"
#include "runtime/http/http.h"

#define TRACER_HEADERS_MAX 16 /* with content-type, which comes first */

struct tracer_headers {
    struct http_field field[TRACER_HEADERS_MAX];
    int32_t n;
    char *text; /* owned: what the fields point into */
    size_t text_bytes;
};
/* STATUS_CONFIG: an entry without "=" or without a name, or too many. The message has no value. */
MUST_CHECK enum status tracer_headers_parse(const char *text, struct tracer_headers *out,
                                            struct error *err);
void tracer_headers_deinit(struct tracer_headers *h); /* wipes */

#endif
