/* signature.h - signs and verifies with the algorithms of JSON Web Tokens (RFC 7518, RFC 8037).
 *
 * Signatures have the form of RFC 7518: for ES256 both numbers side by side, 64 bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_SIGNATURE_H
#define TROUPE_RUNTIME_BASE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

enum signature_alg {
    SIGNATURE_RS256, /* RSA, 2048 to 16384 bits, PKCS #1 v1.5, SHA-256 */
    SIGNATURE_ES256, /* ECDSA on P-256, SHA-256 */
    SIGNATURE_EDDSA, /* Ed25519 */
};
const char *signature_alg_name(enum signature_alg alg); /* "RS256", "ES256", "EdDSA" */
/* false: another name, also of another case. "none" and HS256 are others. */
bool signature_alg_parse(const char *name, enum signature_alg *out);

/* A key has one algorithm: the one that its kind allows. Immutable; any thread may use it. */
struct signature_key;
/* A private key: PEM, PKCS #8 or the older forms, not encrypted. STATUS_CONFIG; the message has
 * nothing of the key. */
MUST_CHECK enum status signature_key_from_pem(const char *pem, size_t n, struct signature_key **out,
                                              struct error *err);
/* Public keys from the numbers of a JWK, big endian. STATUS_INVALID: not a key, or too weak. */
MUST_CHECK enum status signature_key_rsa(const void *n, size_t n_bytes, const void *e,
                                         size_t e_bytes, struct signature_key **out,
                                         struct error *err);
MUST_CHECK enum status signature_key_p256(const uint8_t x[32], const uint8_t y[32],
                                          struct signature_key **out, struct error *err);
MUST_CHECK enum status signature_key_ed25519(const uint8_t x[32], struct signature_key **out,
                                             struct error *err);
/* A new private key on P-256; its PEM; the numbers of its public half. */
MUST_CHECK enum status signature_key_generate(struct signature_key **out, struct error *err);
MUST_CHECK enum status signature_key_put_pem(const struct signature_key *key, struct str *out,
                                             struct error *err);
bool signature_key_numbers(const struct signature_key *key, uint8_t x[32], uint8_t y[32]);
void signature_key_free(struct signature_key *key); /* NULL is allowed */
enum signature_alg signature_key_alg(const struct signature_key *key);

/* Appends the signature. STATUS_USAGE: the key is a public one. */
MUST_CHECK enum status signature_make(const struct signature_key *key, const void *bytes, size_t n,
                                      struct str *out, struct error *err);
bool signature_is_valid(const struct signature_key *key, const void *bytes, size_t n,
                        const void *signature, size_t signature_bytes);

/* Are n bytes equal? Takes the same time wherever they differ. */
bool bytes_equal_slowly(const void *a, const void *b, size_t n);

#endif
