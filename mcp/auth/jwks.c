/* jwks.c - see jwks.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/jwks.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/base64.h"
#include "runtime/base/memory.h"

struct key {
    char *kid; /* NULL: none */
    struct signature_key *key;
};
struct jwks {
    struct key key[JWKS_KEYS_MAX];
    size_t n;
};

/* The bytes of a member; empty if it is not base64url. */
static struct str bytes_of(const struct json *jwk, const char *member)
{
    const char *text = jv_get_string(jv_get(jwk, member), "");
    struct str out = STR_INIT;

    (void)base64url_decode(text, strlen(text), &out);
    return out;
}

static enum status read_numbers(const struct json *jwk, enum signature_alg alg,
                                struct signature_key **out, struct error *err)
{
    bool is_rsa = alg == SIGNATURE_RS256;
    struct str a = bytes_of(jwk, is_rsa ? "n" : "x"), b = bytes_of(jwk, is_rsa ? "e" : "y");
    enum status st;

    if (is_rsa)
        st = signature_key_rsa(str_cstr(&a), a.len, str_cstr(&b), b.len, out, err);
    else if (a.len != 32 || (alg == SIGNATURE_ES256 && b.len != 32))
        st = error_set(err, STATUS_INVALID, "its numbers have not 32 bytes each");
    else if (alg == SIGNATURE_ES256)
        st = signature_key_p256((const uint8_t *)a.data, (const uint8_t *)b.data, out, err);
    else
        st = signature_key_ed25519((const uint8_t *)a.data, out, err);
    str_deinit(&a);
    str_deinit(&b);
    return st;
}

/* false: a key of another kind or for another use. */
static bool kind_of(const struct json *jwk, enum signature_alg *out)
{
    const char *kty = jv_get_string(jv_get(jwk, "kty"), "");
    const char *crv = jv_get_string(jv_get(jwk, "crv"), "");
    const char *alg = jv_get_string(jv_get(jwk, "alg"), NULL);

    if (strcmp(jv_get_string(jv_get(jwk, "use"), "sig"), "sig") != 0)
        return false;
    if (strcmp(kty, "RSA") == 0)
        *out = SIGNATURE_RS256;
    else if (strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0)
        *out = SIGNATURE_ES256;
    else if (strcmp(kty, "OKP") == 0 && strcmp(crv, "Ed25519") == 0)
        *out = SIGNATURE_EDDSA;
    else
        return false;
    return !alg || strcmp(alg, signature_alg_name(*out)) == 0;
}

static enum status add_key(struct jwks *k, const struct json *jwk, struct error *err)
{
    struct key *key = &k->key[k->n];
    enum signature_alg alg;
    enum status st;

    if (jv_get(jwk, "d") || jv_get(jwk, "k"))
        return error_set(err, STATUS_INVALID,
                         "it is a secret key; a key set for checking tokens has public keys alone");
    if (!kind_of(jwk, &alg))
        return STATUS_OK;
    st = read_numbers(jwk, alg, &key->key, err);
    if (!st) {
        const char *kid = jv_get_string(jv_get(jwk, "kid"), NULL);

        key->kid = kid ? xstrdup(kid) : NULL;
        k->n++;
    }
    return st;
}

static enum status read_set(struct jwks *k, const struct json *doc, const char *name,
                            struct error *err)
{
    const struct json *keys = jv_get(doc, "keys");
    enum status st = STATUS_OK;

    if (jv_kind(keys) != JV_ARRAY)
        return error_set(err, STATUS_INVALID, "%s: not a key set; expected {\"keys\": [...]}",
                         name);
    if (jv_size(keys) > JWKS_KEYS_MAX)
        return error_set(err, STATUS_LIMIT, "%s: more than %d keys", name, JWKS_KEYS_MAX);
    for (size_t i = 0; i < jv_size(keys) && !st; i++) {
        st = add_key(k, jv_at(keys, i), err);
        if (st)
            error_note(err, "%s: key %zu", name, i + 1);
    }
    if (!st && k->n == 0)
        st = error_set(err, STATUS_INVALID,
                       "%s: there is no key for RS256, ES256 or EdDSA (Ed25519)", name);
    return st;
}

enum status jwks_parse(const char *json, size_t n, const char *name, struct jwks **out,
                       struct error *err)
{
    struct jwks *k = xcalloc(1, sizeof(*k));
    struct json *doc = NULL;
    enum status st = jv_parse_max(json, n, JWKS_BYTES_MAX, name, &doc, err);

    if (!st)
        st = read_set(k, doc, name, err);
    jv_unref(doc);
    if (st)
        jwks_free(k);
    else
        *out = k;
    return st;
}

void jwks_free(struct jwks *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++) {
        free(k->key[i].kid);
        signature_key_free(k->key[i].key);
    }
    free(k);
}

bool jwks_verify(const struct jwks *k, const struct jwt *t, const char *text, bool *knows_kid)
{
    bool is_valid = false, knows = false;

    for (size_t i = 0; i < k->n; i++) {
        const struct key *key = &k->key[i];

        if (signature_key_alg(key->key) != t->alg ||
            (t->kid && key->kid && strcmp(t->kid, key->kid) != 0))
            continue;
        knows = true;
        is_valid |= signature_is_valid(key->key, text, t->signed_bytes, str_cstr(&t->signature),
                                       t->signature.len);
    }
    if (knows_kid)
        *knows_kid = knows;
    return is_valid;
}
