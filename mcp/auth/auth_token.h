/* auth_token.h - the answer of a token endpoint (RFC 6749, 5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_TOKEN_H
#define TROUPE_MCP_AUTH_AUTH_TOKEN_H

#include <stdint.h>

#include "runtime/base/str.h"

#define TOKEN_BYTES_MAX ((size_t)16384)

struct auth_token {
    char *access;       /* visible ASCII; NULL: there is none */
    char *refresh;      /* NULL: none */
    char *scope;        /* what was granted; if the server does not say, what was asked for */
    char *client_id;    /* that it was given to */
    char *dpop_pem;     /* the private key to which it is bound (DPoP); NULL: a Bearer token */
    int64_t expires_ms; /* 0: the server did not say */
};
void auth_token_deinit(struct auth_token *t); /* a zeroed one is fine; secrets are erased */

/* `asked`: the scopes of the request; dpop_pem: the key of the proof that was sent with it, or
 * NULL. client_id of *out stays NULL. STATUS_INVALID: a token of another type, or one with
 * characters that a header cannot have. */
MUST_CHECK enum status auth_token_read(const char *json, size_t n, const char *asked,
                                       const char *dpop_pem, int64_t now_ms, struct auth_token *out,
                                       struct error *err);

/* The error code of an endpoint's answer ("invalid_grant"), if it is one that the standards
 * define; else "". Nothing else of such an answer is shown: it may repeat what was sent. */
const char *auth_error_code(const char *json, size_t n);
/* The same of a code that was taken from a redirect. */
const char *auth_error_known(const char *code);

#endif
