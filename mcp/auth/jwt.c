/* jwt.c - see jwt.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/jwt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/base64.h"
#include "runtime/base/memory.h"

static void put_part(const struct json *v, struct str *out)
{
    struct str text = STR_INIT;

    jv_write(v, 0, &text);
    base64url_put(out, str_cstr(&text), text.len);
    str_deinit(&text);
}

enum status jwt_make_with(const struct signature_key *key, struct json *header,
                          const struct json *claims, struct str *out, struct error *err)
{
    struct str made = STR_INIT, signature = STR_INIT;
    enum status st;

    jv_set_string(header, "alg", signature_alg_name(signature_key_alg(key)));
    put_part(header, &made);
    str_putc(&made, '.');
    put_part(claims, &made);
    st = signature_make(key, str_cstr(&made), made.len, &signature, err);
    if (!st) {
        str_append(out, str_cstr(&made), made.len);
        str_putc(out, '.');
        base64url_put(out, str_cstr(&signature), signature.len);
    }
    str_deinit(&made);
    str_deinit(&signature);
    return st;
}

enum status jwt_make(const struct signature_key *key, const struct json *claims, struct str *out,
                     struct error *err)
{
    struct json *header = jv_object();
    enum status st;

    jv_set_string(header, "typ", "JWT");
    st = jwt_make_with(key, header, claims, out, err);
    jv_unref(header);
    return st;
}

static enum status not_a_token(struct error *err)
{
    return error_set(err, STATUS_INVALID, "the token is not a JSON Web Token");
}

/* An object in base64url. */
static enum status read_part(const char *text, size_t n, struct json **out, struct error *err)
{
    struct str bytes = STR_INIT;
    enum status st = STATUS_OK;

    if (!base64url_decode(text, n, &bytes) ||
        jv_parse(str_cstr(&bytes), bytes.len, "token", out, NULL) || jv_kind(*out) != JV_OBJECT)
        st = not_a_token(err);
    str_deinit(&bytes);
    return st;
}

static enum status read_header(const struct json *header, struct jwt *out, struct error *err)
{
    const struct json *typ = jv_get(header, "typ"), *kid = jv_get(header, "kid");
    const char *type = jv_get_string(typ, typ ? "" : "JWT");

    if (!signature_alg_parse(jv_get_string(jv_get(header, "alg"), ""), &out->alg))
        return error_set(err, STATUS_INVALID, "the token is not signed with RS256, ES256 or EdDSA");
    if (jv_get(header, "crit"))
        return error_set(err, STATUS_INVALID, "the token has extensions that must be understood");
    if (strcasecmp(type, "JWT") != 0 && strcasecmp(type, "at+jwt") != 0 &&
        strcasecmp(type, "application/at+jwt") != 0)
        return error_set(err, STATUS_INVALID, "the token is of another type than an access token");
    if (kid && jv_kind(kid) != JV_STRING)
        return not_a_token(err);
    out->kid = kid ? xstrdup(jv_get_string(kid, "")) : NULL;
    return STATUS_OK;
}

enum status jwt_parse(const char *text, size_t n, struct jwt *out, struct error *err)
{
    const char *first = memchr(text, '.', n);
    const char *second = first ? memchr(first + 1, '.', n - (size_t)(first + 1 - text)) : NULL;
    struct jwt t = {.signature = STR_INIT};
    struct json *header = NULL;
    enum status st;

    if (n > JWT_BYTES_MAX || !second)
        return not_a_token(err);
    t.signed_bytes = (size_t)(second - text);
    st = read_part(text, (size_t)(first - text), &header, err);
    if (!st)
        st = read_header(header, &t, err);
    if (!st)
        st = read_part(first + 1, (size_t)(second - first) - 1, &t.claims, err);
    if (!st && !base64url_decode(second + 1, n - t.signed_bytes - 1, &t.signature))
        st = not_a_token(err);
    jv_unref(header);
    if (st)
        jwt_deinit(&t);
    else
        *out = t;
    return st;
}

void jwt_deinit(struct jwt *t)
{
    free(t->kid);
    jv_unref(t->claims);
    str_deinit(&t->signature);
    *t = (struct jwt){.kid = NULL};
}
