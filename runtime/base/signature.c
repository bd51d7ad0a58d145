/* signature.c - see signature.h. All by OpenSSL's EVP.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/signature.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define RSA_BITS_MIN    2048
#define RSA_BITS_MAX    16384
#define SIGNATURE_BYTES 2048 /* of the longest RSA key */

struct signature_key {
    EVP_PKEY *pkey;
    enum signature_alg alg;
    bool is_private;
};

static const char *const alg_name[] = {"RS256", "ES256", "EdDSA"};

const char *signature_alg_name(enum signature_alg alg)
{
    return alg_name[alg];
}

bool signature_alg_parse(const char *name, enum signature_alg *out)
{
    for (size_t i = 0; i < ARRAY_LEN(alg_name); i++)
        if (strcmp(alg_name[i], name) == 0) {
            *out = (enum signature_alg)i;
            return true;
        }
    return false;
}

/* The algorithm of a key; takes pkey over, which may be NULL. */
static enum status adopt_key(EVP_PKEY *pkey, bool is_private, struct signature_key **out,
                             struct error *err)
{
    struct signature_key *key;
    char curve[32] = "";
    int bits = pkey ? EVP_PKEY_get_bits(pkey) : 0;
    enum signature_alg alg;

    if (pkey && EVP_PKEY_is_a(pkey, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) {
        alg = SIGNATURE_RS256;
    } else if (pkey && EVP_PKEY_is_a(pkey, "EC") &&
               EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve,
                                              sizeof(curve), NULL) &&
               strcmp(curve, "prime256v1") == 0) {
        alg = SIGNATURE_ES256;
    } else if (pkey && EVP_PKEY_is_a(pkey, "ED25519")) {
        alg = SIGNATURE_EDDSA;
    } else {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return error_set(err, STATUS_INVALID,
                         "not a usable key; expected RSA with %d to %d bits, P-256 or Ed25519",
                         RSA_BITS_MIN, RSA_BITS_MAX);
    }
    key = xmalloc(sizeof(*key));
    *key = (struct signature_key){.pkey = pkey, .alg = alg, .is_private = is_private};
    *out = key;
    return STATUS_OK;
}

/* Without it OpenSSL asks the terminal for the password of an encrypted key. */
static int no_password(char *out, int n, int writing, void *ctx)
{
    (void)out;
    (void)n;
    (void)writing;
    (void)ctx;
    return -1;
}

enum status signature_key_from_pem(const char *pem, size_t n, struct signature_key **out,
                                   struct error *err)
{
    BIO *in = n <= 65536 ? BIO_new_mem_buf(pem, (int)n) : NULL;
    EVP_PKEY *pkey = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
    enum status st = adopt_key(pkey, true, out, err);

    BIO_free(in);
    if (st) {
        error_note(err, "private key");
        error_hint(err, "the file must be PEM without a password, as `openssl genpkey` writes it");
    }
    return error_as_config(st, err);
}

/* A public key of this kind from built parameters, which are taken over. */
static EVP_PKEY *from_params(const char *kind, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, kind, NULL) : NULL;
    EVP_PKEY *pkey = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

enum status signature_key_rsa(const void *n, size_t n_bytes, const void *e, size_t e_bytes,
                              struct signature_key **out, struct error *err)
{
    bool fits = n_bytes <= RSA_BITS_MAX / 8 && e_bytes <= 8;
    BIGNUM *modulus = fits ? BN_bin2bn(n, (int)n_bytes, NULL) : NULL;
    BIGNUM *exponent = fits ? BN_bin2bn(e, (int)e_bytes, NULL) : NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    /* An exponent of 1 would make every text its own signature. */
    if (bld && modulus && exponent && BN_is_odd(exponent) && !BN_is_one(exponent) &&
        BN_is_odd(modulus) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent))
        pkey = from_params("RSA", OSSL_PARAM_BLD_to_param(bld));
    OSSL_PARAM_BLD_free(bld);
    BN_free(modulus);
    BN_free(exponent);
    return adopt_key(pkey, false, out, err);
}

enum status signature_key_p256(const uint8_t x[32], const uint8_t y[32], struct signature_key **out,
                               struct error *err)
{
    uint8_t point[65] = {4}; /* not compressed */
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;

    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        pkey = from_params("EC", OSSL_PARAM_BLD_to_param(bld));
    OSSL_PARAM_BLD_free(bld);
    return adopt_key(pkey, false, out, err);
}

enum status signature_key_ed25519(const uint8_t x[32], struct signature_key **out,
                                  struct error *err)
{
    return adopt_key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, 32), false, out, err);
}

enum status signature_key_generate(struct signature_key **out, struct error *err)
{
    return adopt_key(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), true, out, err);
}

enum status signature_key_put_pem(const struct signature_key *key, struct str *out,
                                  struct error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    long n = 0;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1)
        n = BIO_get_mem_data(bio, &text);
    str_append(out, text ? text : "", n > 0 ? (size_t)n : 0);
    BIO_free(bio);
    ERR_clear_error();
    return n > 0 ? STATUS_OK : error_set(err, STATUS_USAGE, "a public key has no private PEM");
}

bool signature_key_numbers(const struct signature_key *key, uint8_t x[32], uint8_t y[32])
{
    BIGNUM *bx = NULL, *by = NULL;
    bool ok = key->alg == SIGNATURE_ES256 &&
              EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &bx) == 1 &&
              EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &by) == 1 &&
              BN_bn2binpad(bx, x, 32) == 32 && BN_bn2binpad(by, y, 32) == 32;

    BN_free(bx);
    BN_free(by);
    ERR_clear_error();
    return ok;
}

void signature_key_free(struct signature_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum signature_alg signature_key_alg(const struct signature_key *key)
{
    return key->alg;
}

/* ---- the two forms of an ECDSA signature */

/* DER to r and s, 32 bytes each. */
static bool sides_from_der(const uint8_t *der, size_t n, uint8_t out[64])
{
    const uint8_t *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32;

    ECDSA_SIG_free(sig);
    return ok;
}

/* Returns its bytes; 0: no memory. */
static size_t der_from_sides(const uint8_t side[64], uint8_t der[80])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(side, 32, NULL), *s = BN_bin2bn(side + 32, 32, NULL);
    int n = 0;

    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        uint8_t *at = der;

        n = i2d_ECDSA_SIG(sig, &at);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

static const EVP_MD *digest_of(const struct signature_key *key)
{
    return key->alg == SIGNATURE_EDDSA ? NULL : EVP_sha256(); /* Ed25519 hashes by itself */
}

enum status signature_make(const struct signature_key *key, const void *bytes, size_t n,
                           struct str *out, struct error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t made[SIGNATURE_BYTES], side[64];
    size_t made_bytes = sizeof(made);
    bool ok = ctx && key->is_private &&
              EVP_DigestSignInit(ctx, NULL, digest_of(key), NULL, key->pkey) == 1 &&
              EVP_DigestSign(ctx, made, &made_bytes, bytes, n) == 1;

    EVP_MD_CTX_free(ctx);
    if (ok && key->alg == SIGNATURE_ES256) {
        ok = sides_from_der(made, made_bytes, side);
        str_append(out, (const char *)side, ok ? sizeof(side) : 0);
    } else if (ok) {
        str_append(out, (const char *)made, made_bytes);
    }
    ERR_clear_error();
    if (!ok)
        return error_set(err, key->is_private ? STATUS_FAILED : STATUS_USAGE, "%s",
                         key->is_private ? "signing failed" : "a public key cannot sign");
    return STATUS_OK;
}

bool signature_is_valid(const struct signature_key *key, const void *bytes, size_t n,
                        const void *signature, size_t signature_bytes)
{
    EVP_MD_CTX *ctx;
    uint8_t der[80];
    bool ok;

    if (key->alg == SIGNATURE_ES256) {
        if (signature_bytes != 64)
            return false;
        signature_bytes = der_from_sides(signature, der);
        signature = der;
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key->pkey) == 1 &&
         EVP_DigestVerify(ctx, signature, signature_bytes, bytes, n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

bool bytes_equal_slowly(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
