/* auth_flow.c - see auth_flow.h.
 *
 * At any time at most one of discovery, fetch, request and login waits for something.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_flow.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_discover.h"
#include "mcp/auth/auth_grant.h"
#include "mcp/auth/auth_login.h"
#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_url.h"
#include "runtime/base/memory.h"
#include "runtime/config/secret.h"
#include "runtime/loop/loop.h"

#define LOGIN_MS    300000
#define HOLD_GAP_MS 100

struct auth_flow {
    struct auth_flow_spec s;
    struct auth_config *config;
    struct str place, challenged, used, scopes;
    struct auth_discovery *discovery;
    struct auth_fetch *fetch;   /* the registration */
    struct auth_grant *request; /* for a token */
    struct auth_login *login;
    struct resource_metadata resource;
    struct server_metadata server;
    struct auth_saved saved;   /* of the issuer and resource that were found */
    struct auth_client client; /* that is used */
    enum auth_grant_kind grant;
    struct signature_key *dpop; /* NULL: a Bearer token */
    struct str dpop_pem;
    int hold;                 /* auth_store_hold; -1: none */
    bool has_turn;            /* to refresh */
    struct loop_timer *timer; /* before it is tried again */
    int64_t waited_ms;
};

static void end_turn(struct auth_flow *f)
{
    if (f->hold >= 0)
        auth_store_release(f->hold);
    f->hold = -1;
}

static void free_flow(struct auth_flow *f)
{
    loop_timer_free(f->timer);
    end_turn(f);
    auth_login_free(f->login);
    resource_metadata_deinit(&f->resource);
    server_metadata_deinit(&f->server);
    auth_saved_deinit(&f->saved);
    auth_client_deinit(&f->client);
    signature_key_free(f->dpop);
    if (f->dpop_pem.data)
        explicit_bzero(f->dpop_pem.data, f->dpop_pem.len);
    str_deinit(&f->dpop_pem);
    if (f->used.data)
        explicit_bzero(f->used.data, f->used.len);
    str_deinit(&f->place);
    str_deinit(&f->challenged);
    str_deinit(&f->used);
    str_deinit(&f->scopes);
    free(f);
}

static void finish(struct auth_flow *f, enum status st, const struct error *err)
{
    f->s.done(f->s.ctx, st, err);
    free_flow(f);
}

/* ---- the end: a token */

/* f->saved becomes that of the server. */
static void adopt(struct auth_flow *f)
{
    auth_saved_deinit(&f->config->saved);
    f->config->saved = f->saved;
    f->saved = (struct auth_saved){.issuer = NULL};
}

static enum status save(struct auth_flow *f, struct error *err)
{
    return auth_store_put(f->config->o.store_path, f->config->env.seams, f->config->o.server_url,
                          &f->saved, err);
}

/* Another process, or another server of the same resource, may have got a token meanwhile. */
static bool has_other_token(const struct auth_flow *f)
{
    const struct auth_token *t = &f->saved.token;

    return t->access && strcmp(t->access, str_cstr(&f->used)) != 0 &&
           scope_covers(t->scope ? t->scope : "", str_cstr(&f->challenged)) &&
           (t->expires_ms == 0 || t->expires_ms > seams_wall_ms(f->config->env.seams));
}

/* ---- the token endpoint */

static enum status begin_login(struct auth_flow *f, struct error *err);

/* Takes `got` over. */
static enum status take_token(struct auth_flow *f, struct auth_token *got, struct error *err)
{
    struct auth_token *old = &f->saved.token;
    enum status st;

    if (f->grant == GRANT_REFRESH && !got->refresh && old->refresh)
        got->refresh = xstrdup(old->refresh); /* it was not rotated */
    auth_token_deinit(old);
    *old = *got;
    f->config->is_new = f->grant != GRANT_REFRESH;
    st = save(f, err);
    adopt(f); /* also if the file cannot be written: the next request has the token */
    return st;
}

/* The old refresh token is of no use. It was perhaps rotated by another process just now. */
static enum status after_refused_refresh(struct auth_flow *f, bool *has_token, struct error *err)
{
    struct auth_saved again = {.issuer = NULL};
    enum status st = auth_store_issuer(f->config->o.store_path, f->server.issuer,
                                       f->resource.resource, &again, err);

    if (st)
        return st;
    auth_saved_deinit(&f->saved);
    f->saved = again;
    *has_token = has_other_token(f);
    if (*has_token) {
        adopt(f);
        return STATUS_OK;
    }
    free(f->saved.token.refresh);
    f->saved.token.refresh = NULL;
    st = save(f, err);
    end_turn(f); /* a login takes minutes */
    return st ? st : begin_login(f, err);
}

/* A registration that the server does not know any more: the next login registers again. */
static enum status forget_client(struct auth_flow *f, struct error *err)
{
    const char *id = f->saved.client.id;

    if (!id || !f->client.id || strcmp(f->client.id, id) != 0)
        return STATUS_OK;
    auth_client_deinit(&f->saved.client);
    return save(f, err);
}

static enum status ask_for_token(struct auth_flow *f, const char *secret, struct error *err);

static void on_token(void *ctx, enum status st, struct auth_token *token, const char *refusal,
                     const struct error *err)
{
    struct auth_flow *f = ctx;
    struct error why = *err;
    bool is_over = true;

    f->request = NULL;
    if (!st && f->grant == GRANT_EXCHANGE) {
        f->grant = GRANT_ASSERTION;
        st = ask_for_token(f, token->access, &why);
        auth_token_deinit(token);
        is_over = st != STATUS_OK;
    } else if (!st) {
        st = take_token(f, token, &why);
    } else if (refusal && f->grant == GRANT_REFRESH) {
        is_over = false;
        st = after_refused_refresh(f, &is_over, &why);
    } else if (refusal && strcmp(refusal, "invalid_client") == 0) {
        enum status saved = forget_client(f, &why);

        st = saved ? saved : st;
    }
    if (st || is_over)
        finish(f, st, &why);
}

/* f->grant and f->client say how; `secret` is what the grant needs. */
static enum status ask_for_token(struct auth_flow *f, const char *secret, struct error *err)
{
    struct auth_config *config = f->config;
    struct auth_client at_provider = {.id = config->idp_client_id};
    bool exchanges = f->grant == GRANT_EXCHANGE;

    return auth_grant_start(
        &(struct auth_grant_spec){.env = &config->env,
                                  .kind = f->grant,
                                  .server = &f->server,
                                  .resource = f->resource.resource,
                                  .scopes = str_cstr(&f->scopes),
                                  .client = exchanges ? &at_provider : &f->client,
                                  .key = config->key,
                                  .secret = secret,
                                  .redirect_uri = f->login ? auth_login_redirect_uri(f->login) : "",
                                  .verifier = f->login ? auth_login_verifier(f->login) : "",
                                  .endpoint = config->o.idp_token_endpoint,
                                  .dpop = f->dpop,
                                  .dpop_pem = str_cstr(&f->dpop_pem),
                                  .nonce = &config->as_nonce,
                                  .ctx = f,
                                  .done = on_token},
        &f->request, err);
}

/* An assertion or identity token is read for each request: files with such tokens are renewed. */
static enum status ask_with_assertion(struct auth_flow *f, struct error *err)
{
    const struct mcp_auth_options *o = &f->config->o;
    struct str text = STR_INIT;
    enum status st = secret_resolve(o->assertion, o->folder, &text, err);

    f->grant = o->idp_token_endpoint ? GRANT_EXCHANGE : GRANT_ASSERTION;
    if (!st)
        st = ask_for_token(f, str_cstr(&text), err);
    if (text.data)
        explicit_bzero(text.data, text.len);
    str_deinit(&text);
    return st;
}

/* ---- the login */

static void on_code(void *ctx, enum status st, const char *code, const struct error *err)
{
    struct auth_flow *f = ctx;
    struct error why = *err;

    f->grant = GRANT_CODE;
    if (!st)
        st = ask_for_token(f, code, &why);
    if (st)
        finish(f, st, &why);
}

static void show_login(struct auth_flow *f)
{
    f->s.on_login(f->s.ctx, auth_login_url(f->login, &f->server, f->client.id, f->resource.resource,
                                           str_cstr(&f->scopes)));
}

static void on_registered(void *ctx, enum status st, int code, const struct str *body,
                          const struct error *err)
{
    struct auth_flow *f = ctx;
    struct error why = *err;

    f->fetch = NULL;
    if (!st && code != 201 && code != 200) {
        const char *known = auth_error_code(str_cstr(body), body->len);

        st = error_set(&why, STATUS_REJECTED, "the registration at %.200s was answered with %d%s%s",
                       f->server.issuer, code, *known ? ": " : "", known);
        error_hint(&why, "register a client there, and set its client_id");
    }
    if (!st) {
        auth_client_deinit(&f->saved.client);
        st = auth_client_registered(str_cstr(body), body->len, auth_login_redirect_uri(f->login),
                                    &f->saved.client, &why);
    }
    if (!st)
        st = save(f, &why);
    if (st) {
        finish(f, st, &why);
        return;
    }
    auth_client_copy(&f->saved.client, &f->client);
    show_login(f);
}

static enum status start_registration(struct auth_flow *f, struct error *err)
{
    struct str body = STR_INIT;
    enum status st;

    auth_client_registration(f->config->o.client_name, auth_login_redirect_uri(f->login),
                             str_cstr(&f->scopes), &f->server, &body);
    st = auth_fetch_start(&f->config->env,
                          &(struct auth_fetch_spec){.url = f->server.registration_endpoint,
                                                    .type = "application/json",
                                                    .body = str_cstr(&body),
                                                    .body_bytes = body.len,
                                                    .what = "the registration endpoint",
                                                    .ctx = f,
                                                    .done = on_registered},
                          &f->fetch, err);
    str_deinit(&body);
    return st;
}

/* The given client belongs to the issuer of the configuration, or else to the one that the server
 * named first. */
static bool given_is_for(const struct auth_flow *f)
{
    const char *bound = f->config->o.issuer ? f->config->o.issuer : f->config->saved.issuer;

    return f->config->given.id && (!bound || strcmp(bound, f->server.issuer) == 0);
}

static bool is_registered(const struct auth_flow *f)
{
    const struct auth_client *c = &f->saved.client;

    return c->id && c->redirect_uri &&
           strcmp(c->redirect_uri, auth_login_redirect_uri(f->login)) == 0 &&
           (c->secret_expires_ms == 0 ||
            c->secret_expires_ms > seams_wall_ms(f->config->env.seams));
}

static enum status no_client(struct auth_flow *f, struct error *err)
{
    if (f->config->given.id)
        (void)error_set(err, STATUS_CONFIG,
                        "the MCP server now names the authorization server %.200s, which is not "
                        "the one that the client was registered with",
                        f->server.issuer);
    else
        (void)error_set(err, STATUS_CONFIG,
                        "the authorization server %.200s takes no registration by programs",
                        f->server.issuer);
    error_hint(err, "register a client there, and set its client_id and issuer");
    return STATUS_CONFIG;
}

/* In the order of MCP: registered beforehand, a metadata URL, registered dynamically. */
static enum status find_client(struct auth_flow *f, struct error *err)
{
    auth_client_deinit(&f->client);
    if (given_is_for(f))
        auth_client_copy(&f->config->given, &f->client);
    else if (f->server.takes_metadata_url && f->config->o.client_metadata_url)
        f->client = (struct auth_client){.id = xstrdup(f->config->o.client_metadata_url),
                                         .auth = CLIENT_AUTH_NONE};
    else if (is_registered(f))
        auth_client_copy(&f->saved.client, &f->client);
    else if (f->server.registration_endpoint)
        return start_registration(f, err);
    else
        return no_client(f, err);
    show_login(f);
    return STATUS_OK;
}

/* A client that was registered with a port of ours needs the same again. */
static int32_t registered_port(const struct auth_flow *f)
{
    static const char begin[] = "http://localhost:";
    const char *uri = f->saved.client.redirect_uri;

    return uri && strncmp(uri, begin, sizeof(begin) - 1) == 0
               ? (int32_t)strtol(uri + sizeof(begin) - 1, NULL, 10)
               : 0;
}

static enum status new_login(struct auth_flow *f, int32_t port, struct error *err)
{
    const struct mcp_auth_options *o = &f->config->o;

    return auth_login_new(&f->config->env,
                          &(struct auth_login_spec){.redirect_uri = o->redirect_uri,
                                                    .port = port,
                                                    .life_ms = o->login_ms ? o->login_ms : LOGIN_MS,
                                                    .ctx = f,
                                                    .done = on_code},
                          &f->login, err);
}

static enum status begin_login(struct auth_flow *f, struct error *err)
{
    const struct mcp_auth_options *o = &f->config->o;
    int32_t port = o->redirect_port ? o->redirect_port : registered_port(f);
    enum status st;

    if (!f->server.authorization_endpoint)
        return error_set(err, STATUS_INVALID, "%.200s has no authorization_endpoint",
                         f->server.issuer);
    if (!f->server.has_s256)
        return error_set(err, STATUS_REJECTED,
                         "%.200s does not say that it supports PKCE with S256 "
                         "(code_challenge_methods_supported), so a stolen code could be used",
                         f->server.issuer);
    if (!o->open_url)
        return error_set(err, STATUS_WAITING, "a person must log in");
    st = new_login(f, port, err);
    if (st && !o->redirect_port && port) /* another program has it: a free one */
        st = new_login(f, 0, err);
    return st ? st : find_client(f, err);
}

/* ---- what to do */

static enum status choose_scopes(struct auth_flow *f, struct error *err)
{
    const char *asked =
        f->challenged.len > 0 ? str_cstr(&f->challenged) : str_cstr(&f->resource.scopes);
    bool is_listed = scope_has(str_cstr(&f->server.scopes), "offline_access");
    enum status st = scope_add(&f->scopes, f->saved.token.scope ? f->saved.token.scope : "", err);

    if (!st)
        st = scope_add(&f->scopes, asked, err);
    if (!st && f->config->o.scopes)
        st = scope_add(&f->scopes, f->config->o.scopes, err);
    if (st)
        return st;
    if (!is_listed || f->config->o.grant != MCP_AUTH_CODE)
        scope_remove(&f->scopes, "offline_access");
    else if (f->scopes.len > 0 && f->server.refreshes) /* alone it would ask for nothing else */
        st = scope_add(&f->scopes, "offline_access", err);
    return st;
}

/* The key of the token that is there (a refresh token may be bound to it), or a new one. */
static enum status choose_key(struct auth_flow *f, struct error *err)
{
    const char *old = f->saved.token.dpop_pem;
    enum status st;

    if (f->dpop)
        return STATUS_OK;
    if (old) {
        str_puts(&f->dpop_pem, old);
        return signature_key_from_pem(old, strlen(old), &f->dpop, err);
    }
    st = signature_key_generate(&f->dpop, err);
    return st ? st : signature_key_put_pem(f->dpop, &f->dpop_pem, err);
}

/* The client that the refresh token was given to. */
static bool find_refreshing_client(struct auth_flow *f)
{
    const struct auth_token *t = &f->saved.token;
    const char *url = f->config->o.client_metadata_url;

    if (!t->refresh || !t->client_id)
        return false;
    if (given_is_for(f) && strcmp(f->config->given.id, t->client_id) == 0)
        auth_client_copy(&f->config->given, &f->client);
    else if (f->saved.client.id && strcmp(f->saved.client.id, t->client_id) == 0)
        auth_client_copy(&f->saved.client, &f->client);
    else if (url && strcmp(url, t->client_id) == 0)
        f->client = (struct auth_client){.id = xstrdup(url), .auth = CLIENT_AUTH_NONE};
    else
        return false;
    return true;
}

static enum status decide(struct auth_flow *f, bool *has_token, struct error *err);

static void on_tried_again(void *ctx)
{
    struct auth_flow *f = ctx;
    struct error why = ERROR_INIT;
    bool has_token = false;
    enum status st;

    loop_timer_free(f->timer);
    f->timer = NULL;
    auth_saved_deinit(&f->saved);
    auth_client_deinit(&f->client);
    st = decide(f, &has_token, &why);
    if (st || has_token)
        finish(f, st, &why);
}

/* Refreshes are made one at a time. *waits: another one is under way; f goes on later. A process
 * that holds the right for too long is stopped or lost. */
static enum status take_turn(struct auth_flow *f, bool *waits, struct error *err)
{
    const struct auth_env *env = &f->config->env;
    enum status st = auth_store_hold(f->config->o.store_path, f->server.issuer,
                                     f->resource.resource, &f->hold, err);

    *waits = st == STATUS_BUSY && f->waited_ms < (env->fetch_ms ? env->fetch_ms : AUTH_FETCH_MS);
    if (*waits) {
        f->waited_ms += HOLD_GAP_MS;
        f->timer = loop_timer_new(env->loop, HOLD_GAP_MS, on_tried_again, f);
    }
    f->has_turn = !*waits;
    return st == STATUS_BUSY ? STATUS_OK : st;
}

static enum status refresh(struct auth_flow *f, bool *has_token, struct error *err)
{
    bool waits = false;
    enum status st = f->has_turn ? STATUS_OK : take_turn(f, &waits, err);

    if (st || waits)
        return st;
    if (f->grant != GRANT_REFRESH) { /* the file is as the one before has left it */
        f->grant = GRANT_REFRESH;
        auth_saved_deinit(&f->saved);
        auth_client_deinit(&f->client);
        return decide(f, has_token, err);
    }
    return ask_for_token(f, f->saved.token.refresh, err);
}

static enum status ask_without_person(struct auth_flow *f, struct error *err)
{
    if (f->config->given.id && !given_is_for(f))
        return no_client(f, err);
    auth_client_copy(&f->config->given, &f->client);
    if (f->config->o.grant == MCP_AUTH_ASSERTION)
        return ask_with_assertion(f, err);
    f->grant = GRANT_CLIENT;
    return ask_for_token(f, NULL, err);
}

static enum status decide(struct auth_flow *f, bool *has_token, struct error *err)
{
    enum status st = auth_store_issuer(f->config->o.store_path, f->server.issuer,
                                       f->resource.resource, &f->saved, err);

    if (st)
        return st;
    *has_token = has_other_token(f);
    if (*has_token) {
        f->config->is_new = false;
        adopt(f);
        return STATUS_OK;
    }
    st = choose_scopes(f, err);
    if (!st && (f->s.is_dpop || f->resource.wants_dpop || f->saved.token.dpop_pem))
        st = choose_key(f, err);
    if (st)
        return st;
    if (f->config->o.grant != MCP_AUTH_CODE)
        return ask_without_person(f, err);
    if (f->s.code == 401 && find_refreshing_client(f))
        return refresh(f, has_token, err);
    return begin_login(f, err);
}

static void on_discovered(void *ctx, enum status st, struct resource_metadata *resource,
                          struct server_metadata *server, const struct error *err)
{
    struct auth_flow *f = ctx;
    struct error why = *err;
    bool has_token = false;

    f->discovery = NULL;
    if (!st) {
        f->resource = *resource;
        f->server = *server;
        st = decide(f, &has_token, &why);
    }
    if (st || has_token)
        finish(f, st, &why);
}

enum status auth_flow_start(const struct auth_flow_spec *s, struct auth_flow **out,
                            struct error *err)
{
    struct auth_flow *f = xcalloc(1, sizeof(*f));
    const struct auth_config *config = s->config;
    enum status st;

    f->s = *s;
    f->hold = -1;
    f->config = s->config;
    f->resource.scopes = f->server.scopes = STR_INIT;
    f->place = f->challenged = f->used = f->scopes = f->dpop_pem = STR_INIT;
    str_puts(&f->place, s->place);
    str_puts(&f->used, s->used);
    st = scope_add(&f->challenged, s->scope, err);
    if (!st)
        st = auth_discovery_start(&config->env,
                                  &(struct auth_discovery_spec){.server_url = config->o.server_url,
                                                                .place = str_cstr(&f->place),
                                                                .wanted = config->o.issuer,
                                                                .ctx = f,
                                                                .done = on_discovered},
                                  &f->discovery, err);
    if (st)
        free_flow(f);
    else
        *out = f;
    return st;
}

void auth_flow_cancel(struct auth_flow *f)
{
    if (!f)
        return;
    auth_discovery_cancel(f->discovery);
    auth_fetch_cancel(f->fetch);
    auth_grant_cancel(f->request);
    free_flow(f);
}

enum status auth_flow_redirected(struct auth_flow *f, const char *query, struct error *err)
{
    if (!f->login)
        return error_set(err, STATUS_NOT_FOUND, "no login is under way");
    return auth_login_take(f->login, query, err);
}
