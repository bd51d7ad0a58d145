/* dpop_check.h - the checks of a server of a DPoP proof (RFC 9449, 4.3), with other code than the
 * client's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_DPOP_CHECK_H
#define TROUPE_TESTS_DPOP_CHECK_H

#include "runtime/base/base64.h"
#include "runtime/base/hash.h"
#include "runtime/base/signature.h"
#include "tests/support/check.h"

static inline struct json *dpop_part(const char *from, size_t n)
{
    struct str text = STR_INIT;
    struct json *v;

    assert_true(base64url_decode(from, n, &text));
    v = fixture_json(str_cstr(&text));
    str_deinit(&text);
    return v;
}

static inline const char *dpop_text(const struct json *v, const char *key)
{
    return jv_get_string(jv_get(v, key), "");
}

/* Fails the test if the proof is wrong in any way but its nonce, which is appended to `nonce`. The
 * x of the key is appended to `key`, the jti to `jti`. token NULL: at the token endpoint. */
static inline void dpop_check(const char *proof, const char *method, const char *url,
                              const char *token, struct str *key, struct str *jti,
                              struct str *nonce)
{
    const char *first = strchr(proof, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    struct str x = STR_INIT, y = STR_INIT, signature = STR_INIT, ath = STR_INIT;
    struct signature_key *public = NULL;
    struct json *header, *claims;
    const struct json *jwk;

    assert_non_null(second);
    header = dpop_part(proof, (size_t)(first - proof));
    claims = dpop_part(first + 1, (size_t)(second - first) - 1);
    jwk = jv_get(header, "jwk");
    assert_string_equal(dpop_text(header, "typ"), "dpop+jwt");
    assert_string_equal(dpop_text(header, "alg"), "ES256");
    assert_null(jv_get(jwk, "d"));
    assert_true(base64url_decode(dpop_text(jwk, "x"), strlen(dpop_text(jwk, "x")), &x));
    assert_true(base64url_decode(dpop_text(jwk, "y"), strlen(dpop_text(jwk, "y")), &y));
    assert_true(base64url_decode(second + 1, strlen(second + 1), &signature));
    assert_int_equal(x.len, 32);
    assert_int_equal(y.len, 32);
    assert_ok(signature_key_p256((const uint8_t *)x.data, (const uint8_t *)y.data, &public, why));
    assert_true(
        signature_is_valid(public, proof, (size_t)(second - proof), signature.data, signature.len));
    assert_string_equal(dpop_text(claims, "htm"), method);
    assert_string_equal(dpop_text(claims, "htu"), url);
    assert_true(jv_get_int(jv_get(claims, "iat"), 0) > 1600000000);
    if (token) {
        struct sha256 hash = sha256_of(token, strlen(token));

        base64url_put(&ath, hash.byte, sizeof(hash.byte));
    }
    assert_string_equal(dpop_text(claims, "ath"), str_cstr(&ath));
    str_puts(key, dpop_text(jwk, "x"));
    str_puts(jti, dpop_text(claims, "jti"));
    str_puts(nonce, dpop_text(claims, "nonce"));
    jv_unref(header);
    jv_unref(claims);
    signature_key_free(public);
    str_deinit(&x);
    str_deinit(&y);
    str_deinit(&signature);
    str_deinit(&ath);
}

#endif
