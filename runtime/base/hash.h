/* hash.h - SHA-256 for content and identity; CRC-32C for framing; FNV-1a/64 for tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_HASH_H
#define TROUPE_RUNTIME_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint8_t byte[32];
};
struct hasher; /* a running SHA-256 */

struct sha256 sha256_of(const void *bytes, size_t n);
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *bytes, size_t n);
struct sha256 hasher_finish(struct hasher *h); /* frees h */
/* The digest, and h begins again: for many short texts, a third of the time of one each. */
struct sha256 hasher_next(struct hasher *h);
void hasher_free(struct hasher *h); /* NULL is fine */
struct sha256 hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t n);
void sha256_hex(const struct sha256 *h, char out[65]);
uint64_t sha256_first64(const struct sha256 *h); /* big endian */

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n); /* start with 0 */
uint64_t fnv1a64(const void *bytes, size_t n);

#endif
