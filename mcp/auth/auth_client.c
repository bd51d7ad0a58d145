/* auth_client.c - see auth_client.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_client.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_url.h"
#include "mcp/auth/jwt.h"
#include "runtime/base/base64.h"
#include "runtime/base/memory.h"

#define ASSERTION_LIFE_S 120
#define TEXT_BYTES_MAX   2048 /* of an id or a secret */

void auth_client_deinit(struct auth_client *c)
{
    if (c->secret)
        explicit_bzero(c->secret, strlen(c->secret));
    free(c->id);
    free(c->secret);
    free(c->redirect_uri);
    *c = (struct auth_client){.id = NULL};
}

void auth_client_copy(const struct auth_client *c, struct auth_client *out)
{
    *out = *c;
    out->id = c->id ? xstrdup(c->id) : NULL;
    out->secret = c->secret ? xstrdup(c->secret) : NULL;
    out->redirect_uri = c->redirect_uri ? xstrdup(c->redirect_uri) : NULL;
}

enum status auth_client_choose(const struct auth_client *c, const struct signature_key *key,
                               const struct server_metadata *server, enum client_auth *out,
                               struct error *err)
{
    unsigned able = CLIENT_AUTH_NONE;

    if (c->auth) { /* as it was registered */
        *out = c->auth;
        return STATUS_OK;
    }
    if (c->secret)
        able |= CLIENT_AUTH_BASIC | CLIENT_AUTH_POST;
    if (key)
        able |= CLIENT_AUTH_JWT;
    if (!server->lists_auth && !c->secret)
        able &= ~(unsigned)CLIENT_AUTH_BASIC; /* the default needs a secret */
    if (able & server->auth & CLIENT_AUTH_JWT)
        *out = CLIENT_AUTH_JWT;
    else if (able & server->auth & CLIENT_AUTH_BASIC)
        *out = CLIENT_AUTH_BASIC;
    else if (able & server->auth & CLIENT_AUTH_POST)
        *out = CLIENT_AUTH_POST;
    else if ((server->auth & CLIENT_AUTH_NONE) || !server->lists_auth)
        *out = key && !server->lists_auth ? CLIENT_AUTH_JWT : CLIENT_AUTH_NONE;
    else
        return error_set(err, STATUS_CONFIG,
                         "the authorization server wants a secret or key of the client, and there "
                         "is none that it supports");
    return STATUS_OK;
}

static struct json *strings(const char *first, const char *second)
{
    struct json *array = jv_array();

    jv_append_adopt(array, jv_string(first));
    if (second)
        jv_append_adopt(array, jv_string(second));
    return array;
}

void auth_client_registration(const char *name, const char *redirect_uri, const char *scopes,
                              const struct server_metadata *server, struct str *out)
{
    struct json *doc = jv_object();
    enum client_auth auth = server->auth & CLIENT_AUTH_NONE || !server->lists_auth
                                ? CLIENT_AUTH_NONE
                            : server->auth & CLIENT_AUTH_BASIC ? CLIENT_AUTH_BASIC
                            : server->auth & CLIENT_AUTH_POST  ? CLIENT_AUTH_POST
                                                               : CLIENT_AUTH_NONE;

    jv_set_string(doc, "client_name", name);
    jv_set_adopt(doc, "redirect_uris", strings(redirect_uri, NULL));
    jv_set_adopt(doc, "grant_types",
                 strings("authorization_code", server->refreshes ? "refresh_token" : NULL));
    jv_set_adopt(doc, "response_types", strings("code", NULL));
    jv_set_string(doc, "token_endpoint_auth_method", client_auth_name(auth));
    jv_set_string(doc, "application_type", "native");
    if (*scopes)
        jv_set_string(doc, "scope", scopes);
    jv_write(doc, 0, out);
    jv_unref(doc);
}

/* Visible ASCII: it becomes part of a form or of a header. */
static bool is_plain(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return n > 0 && n <= TEXT_BYTES_MAX;
}

enum status auth_client_registered(const char *json, size_t n, const char *redirect_uri,
                                   struct auth_client *out, struct error *err)
{
    struct json *doc = NULL;
    const char *id, *secret, *auth;
    struct auth_client c = {.id = NULL};
    enum status st = STATUS_OK;

    if (jv_parse_max(json, n, METADATA_BYTES_MAX, "registration", &doc, NULL))
        return error_set(err, STATUS_INVALID, "the answer to the registration is not JSON");
    id = jv_get_string(jv_get(doc, "client_id"), "");
    secret = jv_get_string(jv_get(doc, "client_secret"), NULL);
    auth = jv_get_string(jv_get(doc, "token_endpoint_auth_method"), NULL);
    if (!is_plain(id) || (secret && !is_plain(secret)))
        st = error_set(err, STATUS_INVALID,
                       "the answer to the registration has no valid client_id, or a secret that "
                       "is not a text");
    else if (auth && (!client_auth_parse(auth, &c.auth) || c.auth == CLIENT_AUTH_JWT ||
                      (c.auth != CLIENT_AUTH_NONE && !secret)))
        st = error_set(err, STATUS_INVALID,
                       "the authorization server registered this client with "
                       "a token_endpoint_auth_method that it did not ask for");
    if (!st) {
        c.id = xstrdup(id);
        c.secret = secret ? xstrdup(secret) : NULL;
        c.redirect_uri = xstrdup(redirect_uri);
        c.secret_expires_ms = jv_get_int(jv_get(doc, "client_secret_expires_at"), 0);
        c.secret_expires_ms *=
            c.secret_expires_ms > 0 && c.secret_expires_ms < INT32_MAX ? 1000 : 0;
        *out = c;
    }
    jv_unref(doc);
    return st;
}

static void put_basic(const struct auth_client *c, struct str *header)
{
    struct str pair = STR_INIT;

    auth_form_escape(&pair, c->id);
    str_putc(&pair, ':');
    auth_form_escape(&pair, c->secret);
    str_puts(header, "Basic ");
    base64_put(header, str_cstr(&pair), pair.len);
    explicit_bzero(pair.data, pair.len);
    str_deinit(&pair);
}

static enum status put_assertion(const struct auth_client *c, const struct signature_key *key,
                                 const char *issuer, const struct seams *seams, struct str *form,
                                 struct error *err)
{
    struct json *claims = jv_object();
    struct str token = STR_INIT;
    int64_t now_s = seams_wall_ms(seams) / 1000;
    char jti[37];
    enum status st;

    seams_uuid7(seams, jti);
    jv_set_string(claims, "iss", c->id);
    jv_set_string(claims, "sub", c->id);
    jv_set_string(claims, "aud", issuer);
    jv_set_string(claims, "jti", jti);
    jv_set_int(claims, "iat", now_s);
    jv_set_int(claims, "exp", now_s + ASSERTION_LIFE_S);
    st = jwt_make(key, claims, &token, err);
    if (!st) {
        auth_form_put(form, "client_assertion_type",
                      "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        auth_form_put(form, "client_assertion", str_cstr(&token));
    }
    str_deinit(&token);
    jv_unref(claims);
    return st;
}

enum status auth_client_prove(const struct auth_client *c, enum client_auth how,
                              const struct signature_key *key, const char *issuer,
                              const struct seams *seams, struct str *form, struct str *header,
                              struct error *err)
{
    if (how == CLIENT_AUTH_BASIC) {
        put_basic(c, header);
        return STATUS_OK;
    }
    auth_form_put(form, "client_id", c->id);
    if (how == CLIENT_AUTH_POST)
        auth_form_put(form, "client_secret", c->secret);
    return how == CLIENT_AUTH_JWT ? put_assertion(c, key, issuer, seams, form, err) : STATUS_OK;
}
