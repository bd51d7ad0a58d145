/* mcp_auth.c - see mcp_auth.h.
 *
 * Requests wait in one list. An outcome marks them ready; a timer then gives it to them, so that no
 * callback comes from inside a call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/mcp_auth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_dpop.h"
#include "mcp/auth/auth_flow.h"
#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_url.h"
#include "mcp/auth/www_authenticate.h"
#include "runtime/base/memory.h"
#include "runtime/config/secret.h"
#include "runtime/loop/loop.h"

struct mcp_auth_wait {
    struct mcp_auth_wait *next;
    struct mcp_auth *auth;
    mcp_auth_done done;
    void *ctx;
    bool is_ready;
    enum mcp_auth_outcome outcome;
    struct error err;
};

struct mcp_auth {
    struct auth_config config;
    struct str header, proof;
    struct signature_key *dpop; /* of the token; NULL: a Bearer token */
    struct auth_flow *flow;
    struct str login_url; /* of the login that goes on without anyone waiting; "": none */
    struct mcp_auth_wait *waits;
    struct loop_timer *deliver;
    bool *gone; /* set when it is freed inside a callback */
};

/* ---- waiting requests */

static void on_deliver(void *ctx)
{
    struct mcp_auth *a = ctx;
    bool gone = false;

    loop_timer_free(a->deliver);
    a->deliver = NULL;
    a->gone = &gone;
    for (;;) {
        struct mcp_auth_wait **at = &a->waits, *w;

        while (*at && !(*at)->is_ready)
            at = &(*at)->next;
        w = *at;
        if (!w)
            break;
        *at = w->next;
        w->done(
            w->ctx, w->outcome,
            w->outcome == MCP_AUTH_LOGIN && a->login_url.len > 0 ? str_cstr(&a->login_url) : NULL,
            &w->err);
        free(w);
        if (gone)
            return;
    }
    a->gone = NULL;
}

static void make_ready(struct mcp_auth_wait *w, enum mcp_auth_outcome outcome,
                       const struct error *err)
{
    w->is_ready = true;
    w->outcome = outcome;
    w->err = err ? *err : ERROR_INIT;
    if (!w->auth->deliver)
        w->auth->deliver = loop_timer_new(w->auth->config.env.loop, 0, on_deliver, w->auth);
}

static void all_ready(struct mcp_auth *a, enum mcp_auth_outcome outcome, const struct error *err)
{
    for (struct mcp_auth_wait *w = a->waits; w; w = w->next)
        if (!w->is_ready)
            make_ready(w, outcome, err);
}

void mcp_auth_cancel(struct mcp_auth_wait *w)
{
    struct mcp_auth_wait **at = &w->auth->waits;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
}

/* ---- the token */

static void set_header(struct mcp_auth *a)
{
    const struct auth_token *t = &a->config.saved.token;

    if (a->header.data)
        explicit_bzero(a->header.data, a->header.len);
    str_clear(&a->header);
    signature_key_free(a->dpop);
    a->dpop = NULL;
    if (!t->access)
        return;
    if (t->dpop_pem && signature_key_from_pem(t->dpop_pem, strlen(t->dpop_pem), &a->dpop, NULL))
        return; /* the file was changed by hand: a login makes another key */
    str_printf(&a->header, "%s %s", a->dpop ? "DPoP" : "Bearer", t->access);
}

const char *mcp_auth_proof(struct mcp_auth *a, const char *method)
{
    str_clear(&a->proof);
    if (!a->dpop || auth_dpop_prove(a->dpop, a->config.env.seams, method, a->config.o.server_url,
                                    a->config.saved.token.access, str_cstr(&a->config.server_nonce),
                                    &a->proof, NULL))
        return NULL;
    return str_cstr(&a->proof);
}

const char *mcp_auth_header(const struct mcp_auth *a)
{
    return a->header.len > 0 ? str_cstr(&a->header) : NULL;
}

enum status mcp_auth_log_out(struct mcp_auth *a, struct error *err)
{
    auth_token_deinit(&a->config.saved.token);
    set_header(a);
    return auth_store_forget(a->config.o.store_path, a->config.env.seams, a->config.o.server_url,
                             err);
}

/* ---- a flow */

static bool on_login(void *ctx, const char *url)
{
    struct mcp_auth *a = ctx;

    str_clear(&a->login_url);
    if (a->config.o.open_url(a->config.o.ctx, url))
        return true;
    str_puts(&a->login_url, url);
    all_ready(a, MCP_AUTH_LOGIN, NULL);
    return false;
}

static void on_flow_done(void *ctx, enum status st, const struct error *err)
{
    struct mcp_auth *a = ctx;

    a->flow = NULL;
    str_clear(&a->login_url);
    set_header(a);
    all_ready(a,
              st == STATUS_WAITING ? MCP_AUTH_LOGIN
              : st                 ? MCP_AUTH_FAILED
                                   : MCP_AUTH_RETRY,
              err);
}

/* What can be said without asking anyone. STATUS_OK: a flow is needed. */
static enum status check_challenge(const struct mcp_auth *a, const struct mcp_auth_challenge *c,
                                   const struct bearer_challenge *b, struct error *err)
{
    const struct auth_token *t = &a->config.saved.token;

    if (b->other[0] && !b->is_bearer && !b->is_dpop)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the MCP server wants authorization of the scheme %s; Bearer and DPoP "
                         "are supported",
                         b->other);
    if (c->code == 403 && strcmp(str_cstr(&b->problem), "insufficient_scope") != 0)
        return error_set(err, STATUS_REJECTED, "the MCP server forbids this request (403)");
    if (c->code == 403 &&
        (b->scope.len == 0 || (t->scope && scope_covers(t->scope, str_cstr(&b->scope)))))
        return error_set(err, STATUS_REJECTED,
                         "the MCP server wants more scopes, but names none that was not granted");
    if (c->n_tries >= MCP_AUTH_TRIES_MAX)
        return error_set(err, STATUS_REJECTED,
                         "the MCP server still refuses this request after %d authorizations",
                         (int)c->n_tries);
    if (c->code == 401 && c->n_tries > 0 && a->config.is_new)
        return error_set(err, STATUS_REJECTED,
                         "the MCP server refuses a token that was issued just now");
    return STATUS_OK;
}

/* "Bearer TOKEN", "DPoP TOKEN" */
static const char *token_of(const char *header)
{
    return header + strcspn(header, " ") + 1;
}

/* RFC 9449, 9: the same again with the nonce that came. */
static bool take_nonce(struct mcp_auth *a, const struct mcp_auth_challenge *c,
                       const struct bearer_challenge *b)
{
    const char *nonce = http_field_value(c->fields, c->n_fields, "dpop-nonce");

    if (!nonce || !auth_dpop_is_nonce(nonce))
        return false;
    str_clear(&a->config.server_nonce);
    str_puts(&a->config.server_nonce, nonce);
    return a->dpop && c->n_tries < MCP_AUTH_TRIES_MAX &&
           strcmp(str_cstr(&b->problem), "use_dpop_nonce") == 0;
}

static void start_flow(struct mcp_auth *a, const struct mcp_auth_challenge *c,
                       const struct bearer_challenge *b, struct mcp_auth_wait *w)
{
    struct error why = ERROR_INIT;
    enum status st = check_challenge(a, c, b, &why);

    if (!st)
        st = auth_flow_start(&(struct auth_flow_spec){.config = &a->config,
                                                      .code = c->code,
                                                      .place = str_cstr(&b->resource_metadata),
                                                      .scope = str_cstr(&b->scope),
                                                      .used = c->used ? token_of(c->used) : "",
                                                      .is_dpop = b->is_dpop,
                                                      .ctx = a,
                                                      .on_login = on_login,
                                                      .done = on_flow_done},
                             &a->flow, &why);
    if (st)
        make_ready(w, MCP_AUTH_FAILED, &why);
}

struct mcp_auth_wait *mcp_auth_answer(struct mcp_auth *a, const struct mcp_auth_challenge *c,
                                      mcp_auth_done done, void *ctx)
{
    struct mcp_auth_wait *w = xcalloc(1, sizeof(*w)), **at = &a->waits;
    const char *now = mcp_auth_header(a);
    struct bearer_challenge b;
    struct error why = ERROR_INIT;

    assert(!c->used || strchr(c->used, ' '));
    *w = (struct mcp_auth_wait){.auth = a, .done = done, .ctx = ctx};
    while (*at)
        at = &(*at)->next;
    *at = w;
    if (bearer_challenge_read(c->fields, c->n_fields, &b, &why))
        make_ready(w, MCP_AUTH_FAILED, &why);
    else if (now && strcmp(now, c->used ? c->used : "") != 0) /* another request has got one */
        make_ready(w, MCP_AUTH_RETRY, NULL);
    else if (take_nonce(a, c, &b))
        make_ready(w, MCP_AUTH_RETRY, NULL);
    else if (a->flow && a->login_url.len > 0)
        make_ready(w, MCP_AUTH_LOGIN, NULL);
    else if (!a->flow)
        start_flow(a, c, &b, w);
    bearer_challenge_deinit(&b);
    return w;
}

enum status mcp_auth_redirected(struct mcp_auth *a, const char *query, struct error *err)
{
    if (!a->flow)
        return error_set(err, STATUS_NOT_FOUND, "no login is under way");
    return auth_flow_redirected(a->flow, query, err);
}

/* ---- options */

static enum status resolve(const char *text, const char *folder, char **out, struct error *err)
{
    struct str value = STR_INIT;
    enum status st = STATUS_OK;

    if (!text)
        return STATUS_OK;
    st = secret_resolve(text, folder, &value, err);
    if (!st && value.len > 0)
        *out = xstrdup(str_cstr(&value));
    if (value.data)
        explicit_bzero(value.data, value.len);
    str_deinit(&value);
    return st;
}

static enum status read_client(struct auth_config *config, const struct mcp_auth_options *o,
                               struct error *err)
{
    char *pem = NULL;
    enum status st;

    if (!o->client_id && (o->grant == MCP_AUTH_CLIENT_CREDENTIALS || o->client_secret))
        return error_set(err, STATUS_CONFIG, "authorization: a client_id is missing");
    if ((o->grant == MCP_AUTH_ASSERTION) != (o->assertion != NULL))
        return error_set(err, STATUS_CONFIG,
                         "authorization: an assertion is missing, or is not used");
    config->given.id = o->client_id ? xstrdup(o->client_id) : NULL;
    st = resolve(o->client_secret, o->folder, &config->given.secret, err);
    if (!st)
        st = resolve(o->client_key_pem, o->folder, &pem, err);
    if (!st && pem)
        st = signature_key_from_pem(pem, strlen(pem), &config->key, err);
    if (pem)
        explicit_bzero(pem, strlen(pem));
    free(pem);
    return st;
}

static const char *copied(const char *text, const char *otherwise)
{
    const char *from = text ? text : otherwise;

    return from ? xstrdup(from) : NULL;
}

static void copy_options(struct auth_config *config, const struct mcp_auth_options *o)
{
    config->o = *o;
    config->o.store_path = NULL;
    config->o.server_url = copied(o->server_url, NULL);
    config->o.issuer = copied(o->issuer, NULL);
    config->o.client_metadata_url = copied(o->client_metadata_url, NULL);
    config->o.client_name = copied(o->client_name, "Troupe");
    config->o.scopes = copied(o->scopes, NULL);
    config->o.redirect_uri = copied(o->redirect_uri, NULL);
    config->o.assertion = copied(o->assertion, NULL);
    config->o.idp_token_endpoint = copied(o->idp_token_endpoint, NULL);
    config->o.folder = copied(o->folder, NULL);
    config->idp_client_id = o->idp_client_id ? xstrdup(o->idp_client_id) : NULL;
    config->o.client_id = config->o.client_secret = config->o.client_key_pem = NULL;
    config->o.idp_client_id = NULL;
}

static enum status copy_store_path(struct auth_config *config, const char *path, struct error *err)
{
    struct str text = STR_INIT;
    enum status st = STATUS_OK;

    if (path)
        str_puts(&text, path);
    else
        st = auth_store_default_path(&text, err);
    config->o.store_path = str_take(&text);
    return st;
}

static void free_options(struct mcp_auth_options *o)
{
    const char *const all[] = {
        o->server_url, o->store_path,   o->issuer,    o->client_metadata_url, o->client_name,
        o->scopes,     o->redirect_uri, o->assertion, o->idp_token_endpoint,  o->folder};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free((char *)(uintptr_t)all[i]);
}

static enum status check_server_url(const struct mcp_auth_options *o, struct error *err)
{
    enum status st = auth_url_check(o->server_url, o->policy, "the URL of the MCP server", err);

    if (st == STATUS_REJECTED) {
        struct error why = *err;

        st =
            error_set(err, st, "%s; `allow_local: true` in troupe.yaml permits one of this network",
                      why.message);
    }
    return st;
}

enum status mcp_auth_new(struct loop *l, const struct mcp_auth_options *o, struct mcp_auth **out,
                         struct error *err)
{
    struct mcp_auth *a = xcalloc(1, sizeof(*a));
    enum status st;

    a->header = a->proof = a->login_url = STR_INIT;
    a->config.server_nonce = a->config.as_nonce = STR_INIT;
    copy_options(&a->config, o);
    a->config.env = (struct auth_env){.loop = l,
                                      .http = o->http,
                                      .seams = o->seams ? o->seams : seams_real(),
                                      .policy = o->policy,
                                      .fetch_ms = o->fetch_ms};
    st = check_server_url(o, err);
    if (!st && o->idp_token_endpoint)
        st = auth_url_check(o->idp_token_endpoint, o->policy, "idp_token_endpoint", err);
    if (!st)
        st = read_client(&a->config, o, err);
    if (!st)
        st = copy_store_path(&a->config, o->store_path, err);
    if (!st)
        st = auth_store_server(a->config.o.store_path, o->server_url, &a->config.saved, err);
    if (st) {
        mcp_auth_free(a);
        return st;
    }
    set_header(a);
    *out = a;
    return STATUS_OK;
}

void mcp_auth_free(struct mcp_auth *a)
{
    if (!a)
        return;
    if (a->gone)
        *a->gone = true;
    auth_flow_cancel(a->flow);
    loop_timer_free(a->deliver);
    while (a->waits)
        mcp_auth_cancel(a->waits);
    auth_token_deinit(&a->config.saved.token);
    set_header(a);
    str_deinit(&a->header);
    str_deinit(&a->proof);
    str_deinit(&a->config.server_nonce);
    str_deinit(&a->config.as_nonce);
    str_deinit(&a->login_url);
    auth_saved_deinit(&a->config.saved);
    auth_client_deinit(&a->config.given);
    signature_key_free(a->config.key);
    free(a->config.idp_client_id);
    free_options(&a->config.o);
    free(a);
}
