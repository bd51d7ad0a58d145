/* auth_token.c - see auth_token.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp/auth/auth_scope.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

#define ANSWER_BYTES_MAX ((size_t)256 << 10)
#define LIFE_MAX_S       ((int64_t)10 * 365 * 86400)

/* RFC 6749, 4.1.2.1 and 5.2; RFC 7591, 3.2.2; RFC 8707, 2; RFC 9449, 12.2; OpenID Connect
 * Core, 3.1.2.6. */
static const char *const known[] = {
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "use_dpop_nonce",
};

static void erase(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void auth_token_deinit(struct auth_token *t)
{
    erase(t->access);
    erase(t->refresh);
    erase(t->dpop_pem);
    free(t->scope);
    free(t->client_id);
    *t = (struct auth_token){.access = NULL};
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static bool is_token(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return n > 0 && n <= TOKEN_BYTES_MAX;
}

static enum status read_answer(const struct json *doc, const char *asked, const char *dpop_pem,
                               int64_t now_ms, struct auth_token *out, struct error *err)
{
    const char *access = jv_get_string(jv_get(doc, "access_token"), "");
    const char *type = jv_get_string(jv_get(doc, "token_type"), "");
    const char *refresh = jv_get_string(jv_get(doc, "refresh_token"), NULL);
    const struct json *scope = jv_get(doc, "scope");
    double life_s = jv_get_number(jv_get(doc, "expires_in"), 0);
    struct str granted = STR_INIT;
    const char *wanted = dpop_pem ? "DPoP" : "Bearer"; /* what was proved is not given up */
    enum status st;

    if (strcasecmp(type, wanted) != 0)
        return error_set(err, STATUS_INVALID, "the token is not of the type %s", wanted);
    if (!is_token(access) || (refresh && !is_token(refresh)))
        return error_set(err, STATUS_INVALID,
                         "the token has characters that a header cannot have, or is too long");
    st = scope_add(&granted, scope ? jv_get_string(scope, "") : asked, err);
    if (!st) {
        if (!(life_s > 0 && life_s <= LIFE_MAX_S)) /* before it becomes an integer */
            life_s = 0;
        *out =
            (struct auth_token){.access = xstrdup(access),
                                .refresh = copy(refresh),
                                .dpop_pem = copy(dpop_pem),
                                .scope = xstrdup(str_cstr(&granted)),
                                .expires_ms = life_s > 0 ? now_ms + (int64_t)(life_s * 1000) : 0};
    }
    str_deinit(&granted);
    return st;
}

enum status auth_token_read(const char *json, size_t n, const char *asked, const char *dpop_pem,
                            int64_t now_ms, struct auth_token *out, struct error *err)
{
    struct json *doc = NULL;
    enum status st;

    if (jv_parse_max(json, n, ANSWER_BYTES_MAX, "token", &doc, NULL))
        return error_set(err, STATUS_INVALID, "the token endpoint's answer is not JSON");
    st = read_answer(doc, asked, dpop_pem, now_ms, out, err);
    jv_unref(doc);
    return st;
}

const char *auth_error_known(const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], code) == 0)
            return known[i];
    return "";
}

const char *auth_error_code(const char *json, size_t n)
{
    struct json *doc = NULL;
    const char *code = "";

    if (jv_parse_max(json, n, ANSWER_BYTES_MAX, "error", &doc, NULL) == STATUS_OK)
        code = auth_error_known(jv_get_string(jv_get(doc, "error"), ""));
    jv_unref(doc);
    return code;
}
