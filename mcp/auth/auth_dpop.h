/* auth_dpop.h - proofs that this client has the key to which its token is bound (DPoP, RFC 9449).
 *
 * A proof is a JSON Web Token for one request. The key, on P-256, is made here, for one server, and
 * is kept with the token.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_DPOP_H
#define TROUPE_MCP_AUTH_AUTH_DPOP_H

#include "runtime/base/seams.h"
#include "runtime/base/signature.h"

/* Appends the proof of a request. Query and fragment of the URL are left out. token: that is sent
 * with it; NULL: none yet. nonce "": the server gave none. */
MUST_CHECK enum status auth_dpop_prove(const struct signature_key *key, const struct seams *seams,
                                       const char *method, const char *url, const char *token,
                                       const char *nonce, struct str *out, struct error *err);
/* A nonce as a server may give it: 1 to 512 characters of RFC 9449, 8.1. */
bool auth_dpop_is_nonce(const char *text);

#endif
