/* remote_headers.h - the header fields of one request, with its secrets.
 *
 * References are resolved when the request is made, and the values are wiped with it. A server may
 * repeat a secret in an error, so messages are masked before they leave.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_HEADERS_H
#define TROUPE_MODELS_REMOTE_REMOTE_HEADERS_H

#include "models/remote/remote_spec.h"
#include "runtime/base/trace_context.h"
#include "runtime/http/http.h"

struct remote_headers {
    struct http_field *fields; /* (n) */
    int32_t n;
    char **value; /* (n) owned: the values of fields */
    bool *secret; /* (n) is the value one? */
};

/* With `traceparent` if `trace` is set. STATUS_FAILED: a reference that cannot be resolved, a value
 * with a line break. */
MUST_CHECK enum status remote_headers_build(const struct remote_spec *spec,
                                            const struct trace_context *trace,
                                            struct remote_headers *out, struct error *err);
/* Can all references be resolved now? STATUS_CONFIG, at the place in the configuration file. */
MUST_CHECK enum status remote_headers_check(const struct remote_spec *spec, struct error *err);
void remote_headers_deinit(struct remote_headers *h); /* wipes */
/* The secret in value i, or NULL. */
const char *remote_headers_secret(const struct remote_headers *h, int32_t i);
/* Replaces secrets, and parts of them of 8 bytes or more, by asterisks. */
void remote_headers_mask(const struct remote_headers *h, struct error *err);

#endif
