/* jwks.h - a set of public keys (JSON Web Key Set, RFC 7517) that verifies tokens.
 *
 * RSA keys for RS256, P-256 for ES256, Ed25519 for EdDSA. A key of another kind, or one for
 * encryption, is left out. Immutable.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_JWKS_H
#define TROUPE_MCP_AUTH_JWKS_H

#include "mcp/auth/jwt.h"

#define JWKS_BYTES_MAX ((size_t)256 << 10)
#define JWKS_KEYS_MAX  64

struct jwks;
/* `name` is the source in errors. STATUS_INVALID: not a key set, a broken key, or no key that can
 * be used; a secret key (member d or k), which must not be there. */
MUST_CHECK enum status jwks_parse(const char *json, size_t n, const char *name, struct jwks **out,
                                  struct error *err);
void jwks_free(struct jwks *k); /* NULL is allowed */

/* Is the token signed by a key of the set? The key must be of the token's algorithm and, where
 * both have one, of its kid. `text` is what was parsed. *knows_kid (may be NULL): there is a key
 * that the token may mean. */
bool jwks_verify(const struct jwks *k, const struct jwt *t, const char *text, bool *knows_kid);

#endif
