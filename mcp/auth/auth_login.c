/* auth_login.c - see auth_login.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_login.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_token.h"
#include "mcp/auth/auth_url.h"
#include "runtime/base/base64.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/signature.h"
#include "runtime/http/http_server.h"
#include "runtime/loop/loop.h"

#define RANDOM_BYTES  32
#define PATH          "/callback"
#define REPLY_WAIT_MS 2000 /* until the browser has read the page */

struct auth_login {
    struct auth_env env;
    struct auth_login_spec spec;
    struct str redirect_uri, url, issuer, code;
    bool sends_iss;
    char state[AUTH_VERIFIER_BYTES], verifier[AUTH_VERIFIER_BYTES];
    struct http_server *server[2]; /* IPv4 and IPv6; NULL: none */
    struct loop_timer *timer;      /* first of its time, then until `done` */
    bool taken;
    enum status st;
    struct error err;
};

/* 43 characters of base64url. */
static void put_random(const struct seams *seams, char out[AUTH_VERIFIER_BYTES])
{
    uint8_t bytes[RANDOM_BYTES];
    struct str text = STR_INIT;

    seams->random.fill(seams->random.ctx, bytes, sizeof(bytes));
    base64url_put(&text, bytes, sizeof(bytes));
    memcpy(out, str_cstr(&text), text.len + 1);
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text.data, text.len);
    str_deinit(&text);
}

static void on_finished(void *ctx)
{
    struct auth_login *l = ctx;

    loop_timer_free(l->timer);
    l->timer = NULL;
    l->spec.done(l->spec.ctx, l->st, str_cstr(&l->code), &l->err);
}

static void finish_after(struct auth_login *l, int64_t ms)
{
    loop_timer_free(l->timer);
    l->timer = loop_timer_new(l->env.loop, ms, on_finished, l);
}

static void on_late(void *ctx)
{
    struct auth_login *l = ctx;

    l->taken = true;
    l->st = error_set(&l->err, STATUS_TIMEOUT, "nobody has logged in within %lld s",
                      (long long)(l->spec.life_ms / 1000));
    on_finished(l);
}

/* ---- the redirect */

/* The parameters of an answer whose state is right. */
static enum status read_answer(struct auth_login *l, const char *query, struct error *err)
{
    struct str value = STR_INIT;
    enum status st = auth_query_value(query, "iss", &value, err);

    if (st == STATUS_NOT_FOUND)
        st = l->sends_iss ? error_set(err, STATUS_REJECTED,
                                      "the redirect does not say which authorization server it "
                                      "comes from (iss), which the server promised")
                          : STATUS_OK;
    else if (!st && strcmp(str_cstr(&value), str_cstr(&l->issuer)) != 0)
        st = error_set(err, STATUS_REJECTED,
                       "the redirect comes from another authorization server than %.200s",
                       str_cstr(&l->issuer));
    if (!st && auth_query_value(query, "error", &value, NULL) != STATUS_NOT_FOUND) {
        const char *known = auth_error_known(str_cstr(&value));

        st = error_set(err, STATUS_REJECTED, "the authorization server refused the login: %s",
                       *known ? known : "an unknown error");
    }
    if (!st)
        st = auth_query_value(query, "code", &l->code, err);
    str_deinit(&value);
    return st ? STATUS_REJECTED : STATUS_OK;
}

enum status auth_login_take(struct auth_login *l, const char *query, struct error *err)
{
    struct str state = STR_INIT;
    enum status st = STATUS_OK;

    if (l->taken)
        st = error_set(err, STATUS_REJECTED, "this login is over");
    else if (auth_query_value(query, "state", &state, NULL) || state.len != strlen(l->state) ||
             !bytes_equal_slowly(str_cstr(&state), l->state, state.len))
        st = error_set(err, STATUS_REJECTED, "the redirect is not the answer to this login");
    str_deinit(&state);
    if (st)
        return st;
    l->taken = true;
    l->st = read_answer(l, query, &l->err);
    l->err.status = l->st;
    finish_after(l, 0);
    return STATUS_OK;
}

/* ---- the listener */

static struct http_route on_route(void *ctx, const struct http_request *q)
{
    struct http_route r = {.allow = "GET"};

    (void)ctx;
    if (strcmp(q->path, PATH) != 0)
        r.reject = 404;
    else if (q->method != HTTP_GET)
        r.reject = 405;
    return r;
}

/* No text of the request is shown. */
static void reply_page(struct http_call *c, int code, const char *text)
{
    static const struct http_field fields[] = {
        {"Cache-Control", "no-store"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"}};

    http_call_reply(c, &(struct http_reply){.code = code,
                                            .type = "text/plain; charset=utf-8",
                                            .fields = fields,
                                            .n_fields = ARRAY_LEN(fields),
                                            .body = text,
                                            .body_bytes = strlen(text)});
}

static void on_serve(void *ctx, struct http_call *c)
{
    struct auth_login *l = ctx;

    if (auth_login_take(l, http_call_request(c)->query, NULL)) {
        reply_page(c, 400, "This page is not the answer to a login that is under way.\n");
        return;
    }
    finish_after(l, REPLY_WAIT_MS); /* or when the reply has been sent */
    reply_page(c, l->st ? 400 : 200,
               l->st ? "The login failed. The reason is in the terminal.\n"
                     : "You are logged in. You can close this page.\n");
}

static void on_reply_sent(void *ctx, const struct http_ended *e)
{
    struct auth_login *l = ctx;

    (void)e;
    if (l->taken && l->timer)
        finish_after(l, 0);
}

static enum status listen_at(struct auth_login *l, const char *address, int32_t port,
                             struct http_server **out, struct error *err)
{
    return http_server_new(
        l->env.loop,
        &(struct http_server_options){
            .address = address,
            .port = port,
            .limits = {.max_connections = 16},
            .handler = {.ctx = l, .route = on_route, .serve = on_serve, .ended = on_reply_sent},
            .seams = l->env.seams},
        out, err);
}

/* Browsers take either address for "localhost". A machine without IPv6 has one alone. */
static enum status start_listening(struct auth_login *l, struct error *err)
{
    enum status st = listen_at(l, "127.0.0.1", l->spec.port, &l->server[0], err);
    int32_t port;

    if (st) {
        error_note(err, "the listener for the redirect of the login");
        return st;
    }
    port = http_server_port(l->server[0]);
    if (listen_at(l, "::1", port, &l->server[1], NULL))
        l->server[1] = NULL;
    str_printf(&l->redirect_uri, "http://localhost:%d" PATH, (int)port);
    return STATUS_OK;
}

enum status auth_login_new(const struct auth_env *env, const struct auth_login_spec *s,
                           struct auth_login **out, struct error *err)
{
    struct auth_login *l = xcalloc(1, sizeof(*l));
    enum status st = STATUS_OK;

    l->env = *env;
    l->spec = *s;
    l->redirect_uri = l->url = l->issuer = l->code = STR_INIT;
    put_random(env->seams, l->state);
    put_random(env->seams, l->verifier);
    if (s->redirect_uri)
        str_puts(&l->redirect_uri, s->redirect_uri);
    else
        st = start_listening(l, err);
    if (st) {
        auth_login_free(l);
        return st;
    }
    l->timer = loop_timer_new(env->loop, s->life_ms, on_late, l);
    *out = l;
    return STATUS_OK;
}

void auth_login_free(struct auth_login *l)
{
    if (!l)
        return;
    loop_timer_free(l->timer);
    l->timer = NULL; /* closing the servers ends their calls */
    for (size_t i = 0; i < ARRAY_LEN(l->server); i++)
        http_server_free(l->server[i]);
    if (l->code.data)
        explicit_bzero(l->code.data, l->code.len);
    explicit_bzero(l->verifier, sizeof(l->verifier));
    str_deinit(&l->redirect_uri);
    str_deinit(&l->url);
    str_deinit(&l->issuer);
    str_deinit(&l->code);
    free(l);
}

/* ---- the URL */

const char *auth_login_redirect_uri(const struct auth_login *l)
{
    return str_cstr(&l->redirect_uri);
}

const char *auth_login_verifier(const struct auth_login *l)
{
    return l->verifier;
}

const char *auth_login_url(struct auth_login *l, const struct server_metadata *server,
                           const char *client_id, const char *resource, const char *scopes)
{
    struct sha256 hash = sha256_of(l->verifier, strlen(l->verifier));
    struct str challenge = STR_INIT;

    base64url_put(&challenge, hash.byte, sizeof(hash.byte));
    str_clear(&l->issuer);
    str_puts(&l->issuer, server->issuer);
    l->sends_iss = server->sends_iss;
    str_clear(&l->url);
    str_puts(&l->url, server->authorization_endpoint);
    if (!strchr(str_cstr(&l->url), '?')) /* a query of the endpoint is kept */
        str_putc(&l->url, '?');
    auth_form_put(&l->url, "response_type", "code");
    auth_form_put(&l->url, "client_id", client_id);
    auth_form_put(&l->url, "redirect_uri", str_cstr(&l->redirect_uri));
    auth_form_put(&l->url, "code_challenge", str_cstr(&challenge));
    auth_form_put(&l->url, "code_challenge_method", "S256");
    auth_form_put(&l->url, "state", l->state);
    auth_form_put(&l->url, "resource", resource);
    if (*scopes)
        auth_form_put(&l->url, "scope", scopes);
    if (scope_has(scopes, "offline_access")) /* OpenID Connect Core, 11 */
        auth_form_put(&l->url, "prompt", "consent");
    str_deinit(&challenge);
    return str_cstr(&l->url);
}
