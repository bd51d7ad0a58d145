/* auth_grant.c - see auth_grant.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_grant.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_dpop.h"
#include "mcp/auth/auth_url.h"
#include "runtime/base/memory.h"

#define FORM       "application/x-www-form-urlencoded"
#define ID_TOKEN   "urn:ietf:params:oauth:token-type:id_token"
#define ID_JAG     "urn:ietf:params:oauth:token-type:id-jag"
#define EXCHANGE   "urn:ietf:params:oauth:grant-type:token-exchange"
#define JWT_BEARER "urn:ietf:params:oauth:grant-type:jwt-bearer"

struct auth_grant {
    enum auth_grant_kind kind;
    struct auth_fetch *fetch;
    struct auth_env env;
    struct str url, form, header;
    struct str scopes, who, client_id, dpop_pem;
    const struct signature_key *dpop;
    struct str *nonce;
    bool is_second; /* it was sent again, with a nonce */
    void *ctx;
    void (*done)(void *ctx, enum status st, struct auth_token *token, const char *refusal,
                 const struct error *err);
};

static void erase(struct str *s)
{
    if (s->data)
        explicit_bzero(s->data, s->len);
    str_deinit(s);
}

static void free_grant(struct auth_grant *g)
{
    erase(&g->form);
    erase(&g->header);
    erase(&g->dpop_pem);
    str_deinit(&g->url);
    str_deinit(&g->scopes);
    str_deinit(&g->who);
    str_deinit(&g->client_id);
    free(g);
}

/* ---- the form */

static void put_secret(const struct auth_grant_spec *s, struct str *form)
{
    static const struct {
        const char *grant, *secret;
    } names[] = {
        [GRANT_CODE] = {"authorization_code", "code"},
        [GRANT_REFRESH] = {"refresh_token", "refresh_token"},
        [GRANT_CLIENT] = {"client_credentials", NULL},
        [GRANT_ASSERTION] = {JWT_BEARER, "assertion"},
        [GRANT_EXCHANGE] = {EXCHANGE, "subject_token"},
    };

    auth_form_put(form, "grant_type", names[s->kind].grant);
    if (names[s->kind].secret)
        auth_form_put(form, names[s->kind].secret, s->secret);
    if (s->kind == GRANT_CODE) {
        auth_form_put(form, "redirect_uri", s->redirect_uri);
        auth_form_put(form, "code_verifier", s->verifier);
    } else if (s->kind == GRANT_EXCHANGE) {
        auth_form_put(form, "subject_token_type", ID_TOKEN);
        auth_form_put(form, "requested_token_type", ID_JAG);
        auth_form_put(form, "audience", s->server->issuer);
    }
    if (s->kind > GRANT_REFRESH && *s->scopes) /* of a code and a refresh token they are known */
        auth_form_put(form, "scope", s->scopes);
    auth_form_put(form, "resource", s->resource);
}

static enum status put_proof(const struct auth_grant_spec *s, struct str *form, struct str *header,
                             struct error *err)
{
    enum client_auth how = CLIENT_AUTH_NONE;
    enum status st = STATUS_OK;

    if (!s->client->id) /* the assertion says who it is */
        return STATUS_OK;
    if (s->kind != GRANT_EXCHANGE)
        st = auth_client_choose(s->client, s->key, s->server, &how, err);
    return st ? st
              : auth_client_prove(s->client, how, s->key, s->server->issuer, s->env->seams, form,
                                  header, err);
}

/* ---- the answer */

/* RFC 8693, 2.2.1: what is issued is not an access token: token_type says nothing. */
static enum status read_assertion(const struct str *body, struct auth_token *out, struct error *err)
{
    struct json *doc = NULL;
    enum status st = STATUS_OK;

    if (jv_parse_max(str_cstr(body), body->len, METADATA_BYTES_MAX, "token", &doc, NULL) ||
        strcmp(jv_get_string(jv_get(doc, "issued_token_type"), ""), ID_JAG) != 0 ||
        !*jv_get_string(jv_get(doc, "access_token"), ""))
        st = error_set(err, STATUS_INVALID,
                       "the answer to the exchange of the identity token has no assertion "
                       "(" ID_JAG ")");
    else
        *out =
            (struct auth_token){.access = xstrdup(jv_get_string(jv_get(doc, "access_token"), ""))};
    jv_unref(doc);
    return st;
}

static enum status read_answer(struct auth_grant *g, int code, const struct str *body,
                               struct auth_token *out, const char **refusal, struct error *err)
{
    enum status st;

    if (code != 200) {
        const char *known = auth_error_code(str_cstr(body), body->len);
        bool is_refused = code == 400 || code == 401;

        *refusal = is_refused ? known : NULL;
        return error_set(err, is_refused ? STATUS_REJECTED : STATUS_IO,
                         "the token endpoint of %.200s answered %d%s%s", str_cstr(&g->who), code,
                         *known ? ": " : "", known);
    }
    st = g->kind == GRANT_EXCHANGE
             ? read_assertion(body, out, err)
             : auth_token_read(str_cstr(body), body->len, str_cstr(&g->scopes),
                               g->dpop ? str_cstr(&g->dpop_pem) : NULL, seams_wall_ms(g->env.seams),
                               out, err);
    if (!st)
        out->client_id = xstrdup(str_cstr(&g->client_id));
    return st;
}

static enum status send(struct auth_grant *g, struct error *err);

/* RFC 9449, 8: the same again, once, with the nonce that came. */
static bool wants_nonce(const struct auth_grant *g, int code, const struct str *body)
{
    return g->dpop && !g->is_second && code == 400 && g->nonce->len > 0 &&
           strcmp(auth_error_code(str_cstr(body), body->len), "use_dpop_nonce") == 0;
}

static void on_done(void *ctx, enum status st, int code, const struct str *body,
                    const struct error *err)
{
    struct auth_grant *g = ctx;
    struct auth_token token = {.access = NULL};
    struct error why = *err;
    const char *refusal = NULL;

    g->fetch = NULL;
    if (!st && wants_nonce(g, code, body)) {
        g->is_second = true;
        st = send(g, &why);
        if (!st)
            return;
    } else if (!st) {
        st = read_answer(g, code, body, &token, &refusal, &why);
    }
    g->done(g->ctx, st, &token, refusal, &why);
    free_grant(g);
}

static enum status send(struct auth_grant *g, struct error *err)
{
    struct str proof = STR_INIT;
    enum status st = STATUS_OK;

    if (g->dpop)
        st = auth_dpop_prove(g->dpop, g->env.seams, "POST", str_cstr(&g->url), NULL,
                             str_cstr(g->nonce), &proof, err);
    if (!st)
        st = auth_fetch_start(&g->env,
                              &(struct auth_fetch_spec){.url = str_cstr(&g->url),
                                                        .type = FORM,
                                                        .body = str_cstr(&g->form),
                                                        .body_bytes = g->form.len,
                                                        .authorization = str_cstr(&g->header),
                                                        .dpop = str_cstr(&proof),
                                                        .nonce = g->dpop ? g->nonce : NULL,
                                                        .what = "the token endpoint",
                                                        .ctx = g,
                                                        .done = on_done},
                              &g->fetch, err);
    str_deinit(&proof);
    return st;
}

enum status auth_grant_start(const struct auth_grant_spec *s, struct auth_grant **out,
                             struct error *err)
{
    struct auth_grant *g = xcalloc(1, sizeof(*g));
    bool exchanges = s->kind == GRANT_EXCHANGE; /* an assertion is not bound */
    enum status st;

    *g = (struct auth_grant){.kind = s->kind,
                             .env = *s->env,
                             .dpop = exchanges ? NULL : s->dpop,
                             .nonce = s->nonce,
                             .ctx = s->ctx,
                             .done = s->done};
    g->url = g->form = g->header = g->scopes = g->who = g->client_id = g->dpop_pem = STR_INIT;
    str_puts(&g->url, exchanges ? s->endpoint : s->server->token_endpoint);
    str_puts(&g->scopes, s->scopes);
    str_puts(&g->who, exchanges ? "the identity provider" : s->server->issuer);
    str_puts(&g->client_id, s->client->id ? s->client->id : "");
    str_puts(&g->dpop_pem, g->dpop ? s->dpop_pem : "");
    put_secret(s, &g->form);
    st = put_proof(s, &g->form, &g->header, err);
    if (!st)
        st = send(g, err);
    if (st)
        free_grant(g);
    else
        *out = g;
    return st;
}

void auth_grant_cancel(struct auth_grant *g)
{
    if (!g)
        return;
    auth_fetch_cancel(g->fetch);
    free_grant(g);
}
