/* auth_dpop.c - see auth_dpop.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_dpop.h"

#include <string.h>

#include "mcp/auth/jwt.h"
#include "runtime/base/base64.h"
#include "runtime/base/hash.h"

#define NONCE_BYTES_MAX 512

static void set_bytes(struct json *object, const char *key, const void *bytes, size_t n)
{
    struct str text = STR_INIT;

    base64url_put(&text, bytes, n);
    jv_set_string(object, key, str_cstr(&text));
    str_deinit(&text);
}

static struct json *header_of(const struct signature_key *key)
{
    struct json *header = jv_object(), *jwk = jv_object();
    uint8_t x[32], y[32];

    if (signature_key_numbers(key, x, y)) {
        jv_set_string(jwk, "kty", "EC");
        jv_set_string(jwk, "crv", "P-256");
        set_bytes(jwk, "x", x, sizeof(x));
        set_bytes(jwk, "y", y, sizeof(y));
    }
    jv_set_string(header, "typ", "dpop+jwt");
    jv_set_adopt(header, "jwk", jwk);
    return header;
}

enum status auth_dpop_prove(const struct signature_key *key, const struct seams *seams,
                            const char *method, const char *url, const char *token,
                            const char *nonce, struct str *out, struct error *err)
{
    struct json *header = header_of(key), *claims = jv_object();
    char jti[37];
    enum status st;

    seams_uuid7(seams, jti);
    jv_set_string(claims, "jti", jti);
    jv_set_string(claims, "htm", method);
    jv_set_adopt(claims, "htu", jv_string_n(url, strcspn(url, "?#")));
    jv_set_int(claims, "iat", seams_wall_ms(seams) / 1000);
    if (token) {
        struct sha256 hash = sha256_of(token, strlen(token));

        set_bytes(claims, "ath", hash.byte, sizeof(hash.byte));
    }
    if (*nonce)
        jv_set_string(claims, "nonce", nonce);
    st = jwt_make_with(key, header, claims, out, err);
    jv_unref(header);
    jv_unref(claims);
    return st;
}

bool auth_dpop_is_nonce(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x21 || text[i] > 0x7e || text[i] == '"' || text[i] == '\\')
            return false;
    return n > 0 && n <= NONCE_BYTES_MAX;
}
