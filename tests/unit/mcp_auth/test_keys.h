/* test_keys.h - new keys of each kind, as a private key that signs and as a public JWK.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_TEST_KEYS_H
#define TROUPE_TESTS_TEST_KEYS_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "runtime/base/base64.h"
#include "runtime/base/signature.h"
#include "tests/support/check.h"

struct test_key {
    struct signature_key *key; /* private */
    struct str pem, jwk;       /* jwk: {"kty":...,"kid":...} */
};

static inline void test_key_put_number(struct str *out, const EVP_PKEY *pkey, const char *param,
                                       const char *name, int pad)
{
    BIGNUM *bn = NULL;
    uint8_t bytes[1024];
    int n;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    n = BN_bn2binpad(bn, bytes, pad ? pad : BN_num_bytes(bn));
    str_printf(out, ",\"%s\":\"", name);
    base64url_put(out, bytes, (size_t)n);
    str_putc(out, '"');
    BN_free(bn);
}

static inline void test_key_put_jwk(struct str *out, const EVP_PKEY *pkey, const char *kid)
{
    str_printf(out, "{\"kid\":\"%s\",\"use\":\"sig\"", kid);
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        str_puts(out, ",\"kty\":\"RSA\"");
        test_key_put_number(out, pkey, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        test_key_put_number(out, pkey, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        str_puts(out, ",\"kty\":\"EC\",\"crv\":\"P-256\"");
        test_key_put_number(out, pkey, OSSL_PKEY_PARAM_EC_PUB_X, "x", 32);
        test_key_put_number(out, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, "y", 32);
    } else {
        uint8_t x[32];
        size_t n = sizeof(x);

        assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, x, &n), 1);
        str_puts(out, ",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        base64url_put(out, x, n);
        str_putc(out, '"');
    }
    str_putc(out, '}');
}

/* kind: "RSA", "P-256", "ED25519". */
static inline void test_key_new(struct test_key *k, const char *kind, const char *kid)
{
    EVP_PKEY *pkey = strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                     : strcmp(kind, "P-256") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                                  : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n;

    k->pem = k->jwk = STR_INIT;
    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &text);
    str_append(&k->pem, text, (size_t)n);
    assert_ok(signature_key_from_pem(str_cstr(&k->pem), k->pem.len, &k->key, why));
    test_key_put_jwk(&k->jwk, pkey, kid);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static inline void test_key_deinit(struct test_key *k)
{
    signature_key_free(k->key);
    str_deinit(&k->pem);
    str_deinit(&k->jwk);
}

#endif
