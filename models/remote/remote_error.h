/* remote_error.h - what a server's error means.
 *
 * Functions of documents: the code and the body of an answer, or the error inside a
 * stream. Bodies are JSON in several shapes, plain text or HTML. Messages are one short line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_ERROR_H
#define TROUPE_MODELS_REMOTE_REMOTE_ERROR_H

#include "models/model.h"
#include "models/remote/remote_spec.h"

struct remote_fault {
    enum model_fault whose; /* NONE: the answer's, if an answer was read; else this process's */
    bool passes;            /* the same request may succeed later */
    bool is_outage;         /* the server fails as a whole: counts for the circuit */
    bool refuses_logprobs;  /* a request without log-probs may succeed */
    int64_t retry_after_ms; /* the shortest wait that it asks for; 0: none */
};

/* An answer with a code other than 200. */
struct remote_refusal {
    int code;
    const char *body; /* (n) */
    size_t n;
    int64_t retry_after_ms; /* http_retry.h; below 0: it does not say */
    const char *location;   /* of a redirect; NULL: none */
};
/* Statuses: STATUS_LIMIT (the context is too small), STATUS_NOT_FOUND (no such model or path),
 * STATUS_BUSY (too many requests, overload), STATUS_INVALID (a bad request), STATUS_FAILED (the
 * key, the account, a redirect, the server itself). */
enum status remote_error_http(const struct remote_spec *spec, const struct remote_refusal *r,
                              struct remote_fault *out, struct error *err);
/* Hints that the address of the API may lack its /v1; nothing if it does not look so. */
void remote_error_hint_path(const struct remote_spec *spec, struct error *err);
/* Is this document of a stream, or of an answer with code 200, an error? Its error, else
 * STATUS_OK. */
MUST_CHECK enum status remote_error_inside(const struct remote_spec *spec, const struct json *doc,
                                           struct remote_fault *out, struct error *err);

#endif
