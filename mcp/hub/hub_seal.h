/* hub_seal.h - the requestState that the hub gives to a client: sealed, bound and limited in time.
 *
 * A client sends the state back with its next try, and may send anything. A sealed state opens only
 * with the key that made it, for the same principal, the same server and the same request, and
 * until it expires. It is not secret: it holds what the server behind the hub gave.
 *
 * Form: base64url of HMAC-SHA-256, expiry, nonce, inner state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_SEAL_H
#define TROUPE_MCP_HUB_HUB_SEAL_H

#include "runtime/base/hash.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

#define HUB_KEY_BYTES 32

struct hub_seal;
/* key (HUB_KEY_BYTES) copied; NULL: a new one, which lives as long as the process. */
struct hub_seal *hub_seal_new(const struct seams *seams, const unsigned char *key);
void hub_seal_free(struct hub_seal *s); /* NULL is fine */

/* What a state is bound to. */
struct hub_bond {
    const char *principal, *server;
    struct sha256 request; /* of what the client asks for, without the input */
};

#define HUB_NONCE_BYTES 16
/* Appends the sealed form of `inner`; false: no memory. */
bool hub_seal_put(struct hub_seal *s, const struct hub_bond *bond, int64_t expires_ms,
                  const char *inner, size_t n, struct str *out);
/* STATUS_REJECTED: made with another key, changed, or of another principal, server or request;
 * STATUS_TIMEOUT: expired. nonce: the same for every use of one state. inner: appended. */
MUST_CHECK enum status hub_seal_open(struct hub_seal *s, const struct hub_bond *bond,
                                     const char *text, size_t n,
                                     unsigned char nonce[HUB_NONCE_BYTES], struct str *inner,
                                     struct error *err);

#endif
