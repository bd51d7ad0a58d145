/* www_authenticate.h - reads the Bearer or DPoP challenge of WWW-Authenticate fields, writes
 * Bearer.
 *
 * RFC 9110, 11.6.1: a field holds several challenges, each a scheme with parameters or with one
 * token68. Parameters: RFC 6750, 3, RFC 9449, 7.1, and RFC 9728, 5.1. A value without quotes may
 * have characters that need them, as in resource_metadata=https://...: servers send that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_WWW_AUTHENTICATE_H
#define TROUPE_MCP_AUTH_WWW_AUTHENTICATE_H

#include "runtime/base/str.h"
#include "runtime/http/http.h"

#define WWW_BYTES_MAX ((size_t)16384) /* of all fields together */

struct bearer_challenge {
    bool is_bearer; /* there is a Bearer challenge; the first counts */
    bool is_dpop;   /* there is none, but a DPoP challenge; the first counts */
    char other[32]; /* the first other scheme; "" if there is none */
    struct str resource_metadata, scope, problem; /* "" if they are not there; problem: `error` */
};
/* Names of fields in lower case. *out is initialised, and freed by the caller, also on failure.
 * STATUS_INVALID: the field breaks the syntax, or a parameter of Bearer is there twice. */
MUST_CHECK enum status bearer_challenge_read(const struct http_field *fields, int32_t n,
                                             struct bearer_challenge *out, struct error *err);
void bearer_challenge_deinit(struct bearer_challenge *c);

/* Appends `Bearer resource_metadata="...", error="...", scope="..."`; NULL or "": left out. */
void bearer_challenge_put(struct str *out, const char *resource_metadata, const char *problem,
                          const char *scope);

#endif
