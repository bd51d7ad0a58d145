/* auth_world.c - see auth_world.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "auth_world.h"
#include "dpop_check.h"

#include "mcp/auth/auth_url.h"
#include "mcp/auth/jwt.h"
#include "runtime/base/base64.h"
#include "runtime/base/hash.h"
#include "runtime/loop/loop.h"
#include "tests/support/temp_dir.h"

#define PRM_PLACE "/.well-known/oauth-protected-resource/mcp"
#define AS_PLACE  "/.well-known/oauth-authorization-server"

static const char *either(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void reply_json(struct world *w, struct http_memory_reply *out, int code)
{
    out->code = code;
    out->type = "application/json";
    out->body = str_cstr(&w->reply);
}

static const char *issuer_of(const struct world *w)
{
    return w->script.moves && w->n_accepted > 0 ? AS2_URL : either(w->script.issuer, AS_URL);
}

/* ---- the MCP server */

static bool needs_step_up(const struct world *w, const char *body)
{
    return w->script.step_up_scope && strstr(body, "tools/call") &&
           !strstr(str_cstr(&w->granted), w->script.step_up_scope);
}

static void refuse(struct world *w, int code, const char *problem, const char *scope,
                   struct http_memory_reply *out)
{
    static struct http_field field; /* copied by the memory when it replies */

    str_clear(&w->www);
    str_printf(&w->www, "%s realm=\"mcp\", error=\"%s\"", w->script.dpop ? "DPoP" : "Bearer",
               problem);
    if (scope)
        str_printf(&w->www, ", scope=\"%s\"", scope);
    if (!w->script.prm_unnamed)
        str_printf(&w->www, ", resource_metadata=\"https://mcp.example%s\"",
                   either(w->script.prm_place, PRM_PLACE));
    field = (struct http_field){"WWW-Authenticate", either(w->script.challenge, str_cstr(&w->www))};
    out->code = code;
    out->fields = &field;
    out->n_fields = 1;
    out->body = "{}";
}

/* Is the proof of this request right? With a wrong nonce it is answered here, and false. */
static bool proof_is_right(struct world *w, const struct http_memory_request *q, const char *token,
                           const char *nonce, int code, struct http_memory_reply *out)
{
    static struct http_field fields[2];
    const char *proof = http_field_value(q->fields, q->n_fields, "dpop");
    struct str key = STR_INIT, jti = STR_INIT, got = STR_INIT;
    bool is_right;

    assert_non_null(proof);
    dpop_check(proof, "POST", q->url, token, &key, &jti, &got);
    if (w->proof_key.len > 0)
        assert_string_equal(str_cstr(&key), str_cstr(&w->proof_key)); /* of all of them */
    assert_string_not_equal(str_cstr(&jti), str_cstr(&w->proof_jti)); /* no proof twice */
    is_right = !nonce || strcmp(str_cstr(&got), nonce) == 0;
    str_clear(&w->proof_key);
    str_puts(&w->proof_key, str_cstr(&key));
    str_clear(&w->proof_jti);
    str_puts(&w->proof_jti, str_cstr(&jti));
    str_deinit(&key);
    str_deinit(&jti);
    str_deinit(&got);
    if (is_right)
        return true;
    w->n_nonces++;
    fields[0] = (struct http_field){"DPoP-Nonce", nonce};
    fields[1] = (struct http_field){"WWW-Authenticate", "DPoP error=\"use_dpop_nonce\""};
    *out = (struct http_memory_reply){
        .code = code, .fields = fields, .n_fields = 2, .body = "{\"error\":\"use_dpop_nonce\"}"};
    return false;
}

static void serve_mcp(struct world *w, const struct http_memory_request *q,
                      struct http_memory_reply *out)
{
    const char *sent = http_field_value(q->fields, q->n_fields, "authorization");
    const char *scheme = w->script.dpop ? "DPoP " : "Bearer ";
    bool is_valid = sent && begins(sent, scheme) && w->token.len > 0 &&
                    strcmp(sent + strlen(scheme), str_cstr(&w->token)) == 0 &&
                    !w->script.never_valid;

    if (is_valid && w->script.moves && w->n_accepted > 0 && !strstr(sent, "as2"))
        is_valid = false;
    if (is_valid && w->script.dpop &&
        !proof_is_right(w, q, str_cstr(&w->token), w->script.rs_nonce, 401, out))
        return;
    if (strchr(q->url, '?'))
        fail_msg("a request to the MCP server has a query: %s", q->url);
    if (!is_valid) {
        refuse(w, 401, "invalid_token", w->script.challenge_scope, out);
    } else if (w->script.never_enough) {
        refuse(w, 403, "insufficient_scope", w->script.challenge_scope, out);
    } else if (needs_step_up(w, q->body)) {
        refuse(w, 403, "insufficient_scope", w->script.step_up_scope, out);
    } else {
        w->n_accepted++;
        out->code = 200;
        out->body = "{}";
    }
}

static void put_words(struct str *out, const char *key, const char *words)
{
    str_printf(out, ",\"%s\":[", key);
    for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ')
        str_printf(out, "%s\"%.*s\"", at == words ? "" : ",", (int)strcspn(at, " "), at);
    str_putc(out, ']');
}

static void serve_prm(struct world *w, struct http_memory_reply *out)
{
    static struct http_field field;

    if (w->script.prm_redirect) {
        field = (struct http_field){"Location", w->script.prm_redirect};
        *out = (struct http_memory_reply){.code = 302, .fields = &field, .n_fields = 1, .body = ""};
        return;
    }
    str_printf(&w->reply, "{\"resource\":\"%s\",\"authorization_servers\":[\"%s\"]",
               either(w->script.resource, MCP_URL), issuer_of(w));
    if (w->script.prm_scopes)
        put_words(&w->reply, "scopes_supported", w->script.prm_scopes);
    str_putc(&w->reply, '}');
    reply_json(w, out, 200);
    if (w->script.prm_reply)
        out->body = w->script.prm_reply;
}

/* ---- the authorization server */

static void serve_metadata(struct world *w, const char *origin, struct http_memory_reply *out)
{
    const struct script *s = &w->script;

    str_printf(&w->reply,
               "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s\",\"token_endpoint\":\"%s%s\","
               "\"response_types_supported\":[\"code\"]",
               either(s->metadata_issuer, issuer_of(w)),
               either(s->authorize_url, "https://as.example/authorize?keep=1"),
               s->token_url ? "" : origin, either(s->token_url, "/token"));
    if (!s->no_registration)
        str_printf(&w->reply, ",\"registration_endpoint\":\"%s/register\"", origin);
    if (!s->no_pkce)
        put_words(&w->reply, "code_challenge_methods_supported", "plain S256");
    if (s->advertises_iss)
        str_puts(&w->reply, ",\"authorization_response_iss_parameter_supported\":true");
    if (s->takes_url)
        str_puts(&w->reply, ",\"client_id_metadata_document_supported\":true");
    if (s->as_scopes)
        put_words(&w->reply, "scopes_supported", s->as_scopes);
    put_words(&w->reply, "token_endpoint_auth_methods_supported", either(s->auth, "none"));
    str_putc(&w->reply, '}');
    reply_json(w, out, 200);
    if (s->as_reply)
        out->body = s->as_reply;
}

static void serve_register(struct world *w, const char *origin, const struct http_memory_request *q,
                           struct http_memory_reply *out)
{
    w->n_registered++;
    str_clear(&w->registration);
    str_puts(&w->registration, q->body);
    str_printf(&w->reply, "{\"client_id\":\"client-of-%s\"", origin + strlen("https://"));
    if (w->script.registers_secret)
        str_printf(&w->reply, ",\"client_secret\":\"s3cret\",\"token_endpoint_auth_method\":\"%s\"",
                   either(w->script.auth, "none"));
    str_putc(&w->reply, '}');
    reply_json(w, out, 201);
}

static void form(const char *body, const char *name, struct str *out)
{
    if (auth_query_value(body, name, out, NULL) == STATUS_INVALID)
        fail_msg("the form has %s twice, or not as a text: %s", name, body);
}

/* How did the client prove who it is? "basic ID:SECRET", "post ID:SECRET", "jwt ID", "none ID". */
static void read_proof(struct world *w, const struct http_memory_request *q)
{
    const char *basic = http_field_value(q->fields, q->n_fields, "authorization");
    struct str value = STR_INIT;

    str_clear(&w->proof);
    form(q->body, "client_id", &value);
    if (basic) {
        str_printf(&w->proof, "%s", basic);
    } else if (strstr(q->body, "client_assertion=")) {
        struct jwt t;

        str_printf(&w->proof, "jwt %s", str_cstr(&value));
        form(q->body, "client_assertion", &value);
        assert_int_equal(jwt_parse(str_cstr(&value), value.len, &t, NULL), STATUS_OK);
        snprintf(w->assertion_aud, sizeof(w->assertion_aud), "%s",
                 jv_get_string(jv_get(t.claims, "aud"), ""));
        jwt_deinit(&t);
    } else {
        struct str secret = STR_INIT;

        form(q->body, "client_secret", &secret);
        str_printf(&w->proof, "%s %s", secret.len > 0 ? "post" : "none", str_cstr(&value));
        if (secret.len > 0)
            str_printf(&w->proof, ":%s", str_cstr(&secret));
        str_deinit(&secret);
    }
    str_deinit(&value);
}

static bool pkce_fits(struct world *w, const char *body)
{
    struct str verifier = STR_INIT, made = STR_INIT;
    struct sha256 hash;
    bool fits;

    form(body, "code_verifier", &verifier);
    hash = sha256_of(str_cstr(&verifier), verifier.len);
    base64url_put(&made, hash.byte, sizeof(hash.byte));
    fits = verifier.len >= 43 && strcmp(str_cstr(&made), str_cstr(&w->challenge)) == 0;
    str_deinit(&verifier);
    str_deinit(&made);
    return fits;
}

/* "" or the error code. */
static const char *check_grant(struct world *w, const char *body)
{
    struct str grant = STR_INIT, value = STR_INIT;
    const char *problem = "";

    form(body, "grant_type", &grant);
    form(body, "resource", &w->token_resource);
    if (strcmp(str_cstr(&grant), "authorization_code") == 0) {
        form(body, "code", &value);
        if (w->code.len == 0 || strcmp(str_cstr(&value), str_cstr(&w->code)) != 0 ||
            !pkce_fits(w, body))
            problem = "invalid_grant";
        form(body, "redirect_uri", &value);
        if (strcmp(str_cstr(&value), str_cstr(&w->redirect_uri)) != 0)
            problem = "invalid_grant";
        str_clear(&w->code);
    } else if (strcmp(str_cstr(&grant), "refresh_token") == 0) {
        form(body, "refresh_token", &value);
        w->n_refreshes++;
        if (w->script.refresh_fails || strcmp(str_cstr(&value), str_cstr(&w->refresh)) != 0)
            problem = "invalid_grant";
    } else {
        form(body, "scope", &w->scope);
        form(body, "assertion", &w->assertion);
    }
    str_deinit(&grant);
    str_deinit(&value);
    return problem;
}

static void serve_token(struct world *w, const char *origin, const struct http_memory_request *q,
                        struct http_memory_reply *out)
{
    const char *problem;

    if (w->script.dpop && !proof_is_right(w, q, NULL, w->script.as_nonce, 400, out))
        return;
    problem = check_grant(w, q->body);
    w->n_tokens++;
    read_proof(w, q);
    if (w->script.token_reply || *problem) {
        str_printf(&w->reply, "{\"error\":\"%s\",\"error_description\":\"of %s\"}", problem,
                   q->body);
        reply_json(w, out, *problem ? 400 : 200);
        if (w->script.token_reply)
            out->body = w->script.token_reply;
        if (w->script.token_code)
            out->code = w->script.token_code;
        return;
    }
    str_clear(&w->token);
    str_printf(&w->token, "t0ken-%s-%d", strstr(origin, "as2") ? "as2" : "as", w->n_tokens);
    str_clear(&w->granted);
    str_puts(&w->granted, str_cstr(&w->scope));
    str_printf(&w->reply, "{\"access_token\":\"%s\",\"token_type\":\"%s\",\"expires_in\":%s",
               str_cstr(&w->token), w->script.dpop ? "DPoP" : "bearer",
               w->script.expires_in ? w->script.expires_in : "3600");
    if (w->refresh.len == 0 || w->script.rotates) {
        str_clear(&w->refresh);
        str_printf(&w->refresh, "r3fresh-%d", w->n_tokens);
        str_printf(&w->reply, ",\"refresh_token\":\"%s\"", str_cstr(&w->refresh));
    }
    str_putc(&w->reply, '}');
    reply_json(w, out, 200);
}

/* The identity provider: whatever it gets, it gives an assertion. */
static void serve_provider(struct world *w, const struct http_memory_request *q,
                           struct http_memory_reply *out)
{
    str_clear(&w->exchange);
    str_puts(&w->exchange, q->body);
    str_puts(&w->reply, "{\"access_token\":\"the-jag\",\"token_type\":\"N_A\",\"issued_token_"
                        "type\":\"urn:ietf:params:oauth:token-type:id-jag\"}");
    reply_json(w, out, 200);
}

static void serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out)
{
    struct world *w = ctx;
    const struct script *s = &w->script;
    const char *at = strstr(q->url, "://") + 3, *path = at + strcspn(at, "/");
    char origin[64];

    snprintf(origin, sizeof(origin), "%.*s", (int)(path - q->url), q->url);
    str_clear(&w->reply);
    *out = s->slow;
    if (begins(q->url, "https://mcp.example")) {
        *out = (struct http_memory_reply){.code = 404, .body = "no"};
        if (strcmp(path, "/mcp") == 0)
            serve_mcp(w, q, out);
        else if (strcmp(path, either(s->prm_place, PRM_PLACE)) == 0)
            serve_prm(w, out);
        return;
    }
    if (begins(q->url, IDP_URL))
        serve_provider(w, q, out);
    else if (strcmp(path, either(s->as_place, AS_PLACE)) == 0)
        serve_metadata(w, origin, out);
    else if (strcmp(path, "/register") == 0)
        serve_register(w, origin, q, out);
    else if (strcmp(path, "/token") == 0)
        serve_token(w, origin, q, out);
    else
        *out = (struct http_memory_reply){.code = 404, .body = "<html>"};
}

/* ---- the browser */

static void answer_login(void *ctx)
{
    struct world *w = ctx;
    struct str query = STR_INIT;
    const char *iss = either(w->script.iss, "");

    str_clear(&w->code);
    str_printf(&w->code, "c0de-%d", w->n_logins);
    if (w->script.redirect) {
        const char *mark = strstr(w->script.redirect, "%s");

        str_append(&query, w->script.redirect, (size_t)(mark - w->script.redirect));
        str_printf(&query, "%s%s", str_cstr(&w->state), mark + 2);
    } else {
        auth_form_put(&query, "code", str_cstr(&w->code));
        auth_form_put(&query, "state", str_cstr(&w->state));
        if (*iss)
            auth_form_put(&query, "iss", strcmp(iss, "=") == 0 ? issuer_of(w) : iss);
    }
    w->redirected = w->auth ? mcp_auth_redirected(w->auth, str_cstr(&query), &w->err) : STATUS_OK;
    str_deinit(&query);
}

static bool open_url(void *ctx, const char *url)
{
    struct world *w = ctx;
    const char *query = strchr(url, '?') + 1;
    struct str value = STR_INIT;

    w->n_logins++;
    form(query, "code_challenge", &w->challenge);
    form(query, "scope", &w->scope);
    form(query, "client_id", &w->client_id);
    form(query, "redirect_uri", &w->redirect_uri);
    form(query, "resource", &w->authorize_resource);
    form(query, "state", &w->state);
    form(query, "code_challenge_method", &value);
    assert_string_equal(str_cstr(&value), "S256");
    form(query, "response_type", &value);
    assert_string_equal(str_cstr(&value), "code");
    str_deinit(&value);
    if (!w->ignores_login)
        loop_defer(w->loop, answer_login, w);
    return !w->ignores_login;
}

/* ---- the client */

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct world *w = ctx;
    const char *www = http_field_value(fields, n, "www-authenticate");
    const char *nonce = http_field_value(fields, n, "dpop-nonce");

    w->code_got = code;
    str_clear(&w->www);
    str_puts(&w->www, www ? www : "");
    str_clear(&w->nonce);
    str_puts(&w->nonce, nonce ? nonce : "");
}

static void send(struct world *w);

static void on_outcome(void *ctx, enum mcp_auth_outcome outcome, const char *url,
                       const struct error *err)
{
    struct world *w = ctx;

    (void)url;
    w->outcome = outcome;
    w->tries++;
    if (outcome == MCP_AUTH_RETRY) {
        send(w);
        return;
    }
    w->err = *err;
    w->is_over = true;
    loop_stop(w->loop);
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct world *w = ctx;
    struct http_field fields[] = {{"www-authenticate", str_cstr(&w->www)},
                                  {"dpop-nonce", str_cstr(&w->nonce)}};

    (void)sent;
    if (st)
        fail_msg("%s", err->message);
    if (w->code_got == 401 || w->code_got == 403) {
        mcp_auth_answer(
            w->auth,
            &(struct mcp_auth_challenge){.code = w->code_got,
                                         .fields = fields,
                                         .n_fields = w->nonce.len > 0 ? 2 : 1,
                                         .used = w->used.len ? str_cstr(&w->used) : NULL,
                                         .n_tries = w->tries},
            on_outcome, w);
        return;
    }
    w->is_over = true;
    loop_stop(w->loop);
}

static void send(struct world *w)
{
    const char *header = mcp_auth_header(w->auth);
    const char *proof = mcp_auth_proof(w->auth, "POST");
    struct http_field fields[] = {{"authorization", header}, {"dpop", proof}};
    struct http_fetch *f;

    str_clear(&w->used);
    str_puts(&w->used, header ? header : "");
    assert_ok(
        http_fetch_start(w->http,
                         &(struct http_fetch_spec){.method = HTTP_POST,
                                                   .url = MCP_URL,
                                                   .fields = fields,
                                                   .n_fields = (header != NULL) + (proof != NULL),
                                                   .body = w->method,
                                                   .body_bytes = strlen(w->method),
                                                   .ctx = w,
                                                   .on_head = on_head,
                                                   .on_done = on_done},
                         &f, why));
}

static void begin(void *ctx)
{
    send(ctx);
}

static void on_late(void *ctx)
{
    (void)ctx;
    fail_msg("the request is not answered within 20 s");
}

int world_request(struct world *w, const char *method)
{
    struct loop_timer *late = loop_timer_new(w->loop, 20000, on_late, w);

    w->method = method;
    w->tries = 0;
    w->is_over = false;
    w->err = ERROR_INIT;
    loop_defer(w->loop, begin, w);
    while (!w->is_over)
        loop_run(w->loop);
    loop_timer_free(late);
    return w->code_got;
}

static void on_enough(void *ctx)
{
    struct world *w = ctx;

    loop_stop(w->loop);
}

void world_run(struct world *w, int64_t ms)
{
    struct loop_timer *t = loop_timer_new(w->loop, ms, on_enough, w);

    loop_run(w->loop);
    loop_timer_free(t);
}

int world_count(const struct world *w, const char *url)
{
    int n = 0;

    for (int32_t i = 0; i < http_memory_n_requests(w->memory); i++)
        n += begins(http_memory_request(w->memory, i)->url, url);
    return n;
}

void world_client(struct world *w)
{
    mcp_auth_free(w->auth);
    w->auth = NULL;
    w->options.server_url = MCP_URL;
    w->options.store_path = w->store;
    w->options.http = w->http;
    w->options.ctx = w;
    w->options.open_url = open_url;
    if (!w->options.redirect_uri)
        w->options.redirect_uri = "http://localhost:3000/callback";
    assert_ok(mcp_auth_new(w->loop, &w->options, &w->auth, why));
}

static struct str *const *texts(struct world *w, size_t *n)
{
    static struct str *all[21];
    struct str *const here[] = {&w->challenge,      &w->scope,        &w->granted,
                                &w->client_id,      &w->redirect_uri, &w->authorize_resource,
                                &w->token_resource, &w->proof,        &w->code,
                                &w->token,          &w->refresh,      &w->nonce,
                                &w->proof_key,      &w->proof_jti,    &w->assertion,
                                &w->exchange,       &w->registration, &w->reply,
                                &w->used,           &w->www,          &w->state};

    memcpy(all, here, sizeof(here));
    *n = ARRAY_LEN(here);
    return all;
}

int world_setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    size_t n;
    struct str *const *all = texts(w, &n);

    for (size_t i = 0; i < n; i++)
        *all[i] = STR_INIT;
    temp_dir(w->dir);
    snprintf(w->store, sizeof(w->store), "%s/state/auth.json", w->dir);
    assert_ok(loop_new(seams_real(), &w->loop, why));
    w->memory = http_memory_new(w->loop);
    http_memory_serve(w->memory, serve, w);
    w->http = http_client_with(w->loop, NULL, http_memory_ops(w->memory));
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    struct world *w = *state;
    size_t n;
    struct str *const *all = texts(w, &n);

    mcp_auth_free(w->auth);
    http_client_free(w->http);
    http_memory_free(w->memory);
    loop_free(w->loop);
    for (size_t i = 0; i < n; i++)
        str_deinit(all[i]);
    temp_dir_remove(w->dir);
    free(w);
    return 0;
}
