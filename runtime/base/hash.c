/* hash.c - SHA-256 by OpenSSL, FNV-1a, and their small helpers. CRC-32C is in crc32c.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "runtime/base/memory.h"

/* The only way in which OpenSSL's digests fail is lack of memory. */
static void must(int ok)
{
    if (!ok)
        mem_exhausted(sizeof(struct sha256));
}

struct sha256 sha256_of(const void *bytes, size_t n)
{
    struct sha256 h;

    if (!SHA256(n ? bytes : "", n, h.byte))
        mem_exhausted(sizeof(h));
    return h;
}

/* struct hasher is OpenSSL's context under our name. */
static EVP_MD_CTX *context_of(struct hasher *h)
{
    return (EVP_MD_CTX *)(void *)h;
}

struct hasher *hasher_new(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    must(ctx != NULL);
    must(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL));
    return (struct hasher *)(void *)ctx;
}

void hasher_add(struct hasher *h, const void *bytes, size_t n)
{
    if (n)
        must(EVP_DigestUpdate(context_of(h), bytes, n));
}

struct sha256 hasher_next(struct hasher *h)
{
    struct sha256 out;

    must(EVP_DigestFinal_ex(context_of(h), out.byte, NULL));
    must(EVP_DigestInit_ex(context_of(h), NULL, NULL));
    return out;
}

struct sha256 hasher_finish(struct hasher *h)
{
    struct sha256 out;

    must(EVP_DigestFinal_ex(context_of(h), out.byte, NULL));
    hasher_free(h);
    return out;
}

void hasher_free(struct hasher *h)
{
    EVP_MD_CTX_free(context_of(h));
}

struct sha256 hmac_sha256(const void *key, size_t key_bytes, const void *bytes, size_t n)
{
    struct sha256 h;

    must(HMAC(EVP_sha256(), key, (int)key_bytes, n ? bytes : (const void *)"", n, h.byte, NULL) !=
         NULL);
    return h;
}

void sha256_hex(const struct sha256 *h, char out[65])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof(h->byte); i++) {
        out[2 * i] = digits[h->byte[i] >> 4];
        out[2 * i + 1] = digits[h->byte[i] & 15];
    }
    out[64] = '\0';
}

uint64_t sha256_first64(const struct sha256 *h)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | h->byte[i];
    return v;
}

/* Fowler, Noll, Vo; constants of the 64-bit variant. */
uint64_t fnv1a64(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3U;
    return h;
}
