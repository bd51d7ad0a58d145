/* jwt.h - signed JSON Web Tokens in their compact form (RFC 7515, RFC 7519).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_JWT_H
#define TROUPE_MCP_AUTH_JWT_H

#include "runtime/base/json.h"
#include "runtime/base/signature.h"

#define JWT_BYTES_MAX ((size_t)8192)

/* Appends the token of these claims. */
MUST_CHECK enum status jwt_make(const struct signature_key *key, const struct json *claims,
                                struct str *out, struct error *err);

/* The same with a header of its own, to which `alg` is added. */
MUST_CHECK enum status jwt_make_with(const struct signature_key *key, struct json *header,
                                     const struct json *claims, struct str *out, struct error *err);

/* A token taken apart; nothing of it is verified. */
struct jwt {
    enum signature_alg alg;
    char *kid;           /* NULL: none */
    struct json *claims; /* an object */
    struct str signature;
    size_t signed_bytes; /* the beginning of the text that is signed */
};
/* STATUS_INVALID: not a compact token, or its header has `crit`, an algorithm that is not one of
 * signature.h, or a `typ` that is not a JWT's. Duplicate keys are refused. The message has nothing
 * of the token. */
MUST_CHECK enum status jwt_parse(const char *text, size_t n, struct jwt *out, struct error *err);
void jwt_deinit(struct jwt *t); /* a zeroed one is fine */

#endif
