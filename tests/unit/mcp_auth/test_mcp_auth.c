/* test_mcp_auth.c - the client of authorization against right servers: the scenarios of the
 * conformance suite by name, refreshing, step-up, registration, more requests at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "auth_world.h"
#include "mcp/auth/auth_store.h"
#include "mcp/auth/auth_url.h"
#include "runtime/base/file_open.h"
#include "runtime/loop/loop.h"
#include "test_keys.h"
#include "tests/support/temp_dir.h"

/* What must be true after tools/list and tools/call. NULL and 0: not checked. */
struct scenario {
    const char *name;
    struct script script;
    const char *client_id, *client_secret, *issuer;
    bool has_url;                         /* the client has a metadata document */
    int code;                             /* of the last request; 0: it was not answered */
    const char *says;                     /* part of the message, if it was not */
    int n_logins, n_registered, n_tokens; /* -1: none */
    const char *scope;                    /* "": none was asked for */
    const char *proof, *id;
    const char *resource;
    const char *never; /* a URL that nothing went to */
};

static const struct scenario scenarios[] = {
    {.name = "auth/metadata-default",
     .code = 200,
     .n_logins = 1,
     .n_registered = 1,
     .scope = "",
     .never = "https://mcp.example/.well-known/oauth-protected-resource?"},
    {.name = "auth/metadata-var1: not named, OpenID Connect",
     .script = {.prm_unnamed = true, .as_place = "/.well-known/openid-configuration"},
     .code = 200},
    {.name = "auth/metadata-var2: at the root, tenant inserted, resource without a path",
     .script = {.prm_place = "/.well-known/oauth-protected-resource",
                .prm_unnamed = true,
                .issuer = AS_URL "/tenant1",
                .as_place = "/.well-known/oauth-authorization-server/tenant1",
                .resource = "https://mcp.example"},
     .code = 200,
     .resource = "https://mcp.example",
     .never = AS_URL "/.well-known/oauth-authorization-server?"},
    {.name = "auth/metadata-var3: another place, tenant before",
     .script = {.prm_place = "/custom/metadata/location.json",
                .issuer = AS_URL "/tenant1",
                .as_place = "/tenant1/.well-known/openid-configuration"},
     .code = 200},
    {.name = "auth/basic-cimd",
     .script = {.takes_url = true},
     .has_url = true,
     .code = 200,
     .id = CIMD,
     .proof = "none " CIMD,
     .n_registered = -1},
    {.name = "auth/basic-cimd: not supported, so registered",
     .has_url = true,
     .code = 200,
     .id = "client-of-as.example",
     .n_registered = 1},
    {.name = "auth/scope-from-www-authenticate",
     .script = {.challenge_scope = "mcp:basic", .prm_scopes = "mcp:a mcp:b"},
     .code = 200,
     .scope = "mcp:basic"},
    {.name = "auth/scope-from-scopes-supported",
     .script = {.prm_scopes = "mcp:basic mcp:read mcp:write"},
     .code = 200,
     .scope = "mcp:basic mcp:read mcp:write"},
    {.name = "auth/scope-omitted-when-undefined", .code = 200, .scope = ""},
    {.name = "auth/scope-step-up: the union is asked for",
     .script = {.challenge_scope = "mcp:basic", .step_up_scope = "mcp:write"},
     .code = 200,
     .n_logins = 2,
     .n_registered = 1,
     .scope = "mcp:basic mcp:write"},
    {.name = "auth/scope-retry-limit",
     .script = {.challenge_scope = "mcp:admin", .never_enough = true},
     .n_logins = 1,
     .says = "names none that was not granted"},
    {.name = "auth/token-endpoint-auth-basic",
     .script = {.auth = "client_secret_basic", .registers_secret = true},
     .code = 200,
     .proof = "Basic Y2xpZW50LW9mLWFzLmV4YW1wbGU6czNjcmV0"},
    {.name = "auth/token-endpoint-auth-post",
     .script = {.auth = "client_secret_post", .registers_secret = true},
     .code = 200,
     .proof = "post client-of-as.example:s3cret"},
    {.name = "auth/token-endpoint-auth-none", .code = 200, .proof = "none client-of-as.example"},
    {.name = "auth/pre-registration",
     .script = {.no_registration = true, .auth = "client_secret_basic"},
     .client_id = "me",
     .client_secret = "a b",
     .issuer = AS_URL,
     .code = 200,
     .id = "me",
     .proof = "Basic bWU6YSUyMGI="},
    {.name = "auth/resource-mismatch",
     .script = {.resource = "https://evil.example/mcp"},
     .says = "that of another resource",
     .n_logins = -1,
     .n_registered = -1},
    {.name = "auth/offline-access-scope",
     .script = {.prm_scopes = "mcp:basic", .as_scopes = "mcp:basic offline_access"},
     .code = 200,
     .scope = "mcp:basic offline_access"},
    {.name = "auth/offline-access-not-supported",
     .script = {.prm_scopes = "mcp:basic offline_access", .as_scopes = "mcp:basic"},
     .code = 200,
     .scope = "mcp:basic"},
    {.name = "auth/authorization-server-migration",
     .script = {.moves = true, .registers_secret = true, .auth = "client_secret_post"},
     .code = 200,
     .n_logins = 2,
     .n_registered = 2,
     .id = "client-of-as2.example",
     .proof = "post client-of-as2.example:s3cret"},
    {.name = "auth/iss-supported", .script = {.advertises_iss = true, .iss = "="}, .code = 200},
    {.name = "auth/iss-not-advertised", .code = 200},
    {.name = "auth/iss-not-advertised, but sent", .script = {.iss = "="}, .code = 200},
    {.name = "auth/iss-supported-missing",
     .script = {.advertises_iss = true},
     .says = "does not say which authorization server",
     .n_logins = 1,
     .n_tokens = -1},
    {.name = "auth/iss-wrong-issuer",
     .script = {.advertises_iss = true, .iss = "https://evil.example"},
     .says = "from another authorization server",
     .n_tokens = -1},
    {.name = "auth/iss-unexpected",
     .script = {.iss = "https://evil.example"},
     .says = "from another authorization server",
     .n_tokens = -1},
    {.name = "auth/iss-normalized",
     .script = {.advertises_iss = true, .iss = AS_URL "/"},
     .says = "from another authorization server",
     .n_tokens = -1},
    {.name = "auth/metadata-issuer-mismatch",
     .script = {.metadata_issuer = "https://attacker.example"},
     .says = "that of another issuer",
     .n_logins = -1,
     .n_registered = -1},
    {.name = "auth/client-credentials-basic",
     .script = {.auth = "client_secret_basic", .prm_scopes = "mcp:a"},
     .client_id = "robot",
     .client_secret = "s",
     .code = 200,
     .scope = "mcp:a",
     .proof = "Basic cm9ib3Q6cw==",
     .n_logins = -1},
};

static void fail_if(const struct scenario *s, const struct world *w, bool wrong, const char *what)
{
    if (wrong)
        fail_msg("%s: %s; code %d, %d logins, %d registered, %d tokens, scope \"%s\", id \"%s\", "
                 "proof \"%s\", resource \"%s\": %s",
                 s->name, what, w->code_got, w->n_logins, w->n_registered, w->n_tokens,
                 str_cstr(&w->scope), str_cstr(&w->client_id), str_cstr(&w->proof),
                 str_cstr(&w->authorize_resource), w->err.message);
}

static bool differs(int expected, int got)
{
    return expected != 0 && got != (expected < 0 ? 0 : expected);
}

static bool unlike(const char *expected, const struct str *got)
{
    return expected && strcmp(str_cstr(got), expected) != 0;
}

static void check_scenario(const struct scenario *s)
{
    void *state;
    struct world *w;
    bool is_robot = strstr(s->name, "client-credentials") != NULL;
    const char *resource = s->resource ? s->resource : MCP_URL;

    world_setup(&state);
    w = state;
    w->script = s->script;
    w->options.client_id = s->client_id;
    w->options.client_secret = s->client_secret;
    w->options.issuer = s->issuer;
    w->options.client_metadata_url = s->has_url ? CIMD : NULL;
    w->options.grant = is_robot ? MCP_AUTH_CLIENT_CREDENTIALS : MCP_AUTH_CODE;
    world_client(w);
    if (world_request(w, "tools/list") == 200)
        world_request(w, "tools/call");
    fail_if(s, w, s->code && w->code_got != s->code, "code");
    fail_if(s, w, s->says && !strstr(w->err.message, s->says), "message");
    fail_if(s, w, s->says && w->outcome != MCP_AUTH_FAILED, "outcome");
    fail_if(s, w, differs(s->n_logins, w->n_logins), "logins");
    fail_if(s, w, differs(s->n_registered, w->n_registered), "registrations");
    fail_if(s, w, differs(s->n_tokens, w->n_tokens), "tokens");
    fail_if(s, w, unlike(s->scope, &w->scope), "scope");
    fail_if(s, w, unlike(s->id, &w->client_id), "id");
    fail_if(s, w, unlike(s->proof, &w->proof), "proof");
    fail_if(s, w, s->code && !is_robot && unlike(resource, &w->authorize_resource),
            "resource of the login");
    fail_if(s, w, s->code && unlike(resource, &w->token_resource), "resource of the token");
    fail_if(s, w, s->never && world_count(w, s->never) > 0, "a request that must not be");
    world_teardown(&state);
}

static void test_the_scenarios_of_the_suite(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        check_scenario(&scenarios[i]);
}

/* ---- registration */

static void test_the_registration_says_what_this_client_is(void **state)
{
    struct world *w = *state;
    struct json *doc;

    w->script.challenge_scope = "mcp:basic";
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    doc = fixture_json(str_cstr(&w->registration));
    assert_string_equal(jv_get_string(jv_get(doc, "application_type"), ""), "native");
    assert_string_equal(jv_get_string(jv_at(jv_get(doc, "redirect_uris"), 0), ""),
                        "http://localhost:3000/callback");
    assert_string_equal(jv_get_string(jv_at(jv_get(doc, "grant_types"), 1), ""), "refresh_token");
    assert_string_equal(jv_get_string(jv_get(doc, "token_endpoint_auth_method"), ""), "none");
    assert_string_equal(jv_get_string(jv_get(doc, "scope"), ""), "mcp:basic");
    jv_unref(doc);
}

/* auth/client-credentials-jwt: nobody logs in, and the secret key stays here. */
static void test_client_credentials_with_a_signed_assertion(void **state)
{
    struct world *w = *state;
    struct test_key key;

    test_key_new(&key, "P-256", "x");
    w->script.auth = "private_key_jwt";
    w->script.prm_scopes = "mcp:a";
    w->script.as_scopes = "mcp:a offline_access";
    w->options.grant = MCP_AUTH_CLIENT_CREDENTIALS;
    w->options.client_id = "robot";
    w->options.client_key_pem = str_cstr(&key.pem);
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_string_equal(str_cstr(&w->proof), "jwt robot");
    assert_string_equal(w->assertion_aud, AS_URL);
    assert_string_equal(str_cstr(&w->scope), "mcp:a");
    assert_string_equal(str_cstr(&w->token_resource), MCP_URL);
    str_clear(&w->token); /* expired: another one, without a refresh token */
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_refreshes, 0);
    assert_int_equal(w->n_logins, 0);
    test_key_deinit(&key);
}

/* auth/wif-jwt-bearer: the platform renews the file; a refused assertion is not sent again. */
static void test_an_assertion_from_a_file(void **state)
{
    struct world *w = *state;

    temp_dir_put(w->dir, "token", "first", 5);
    w->options.grant = MCP_AUTH_ASSERTION;
    w->options.assertion = "${file:token}";
    w->options.folder = w->dir;
    w->script.no_registration = true;
    {
        struct str path = STR_INIT;

        str_printf(&path, "%s/token", w->dir);
        assert_int_equal(chmod(str_cstr(&path), 0600), 0);
        str_deinit(&path);
    }
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_string_equal(str_cstr(&w->assertion), "first");
    assert_string_equal(str_cstr(&w->token_resource), MCP_URL);
    temp_dir_put(w->dir, "token", "second", 6);
    str_clear(&w->token);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_string_equal(str_cstr(&w->assertion), "second");
    str_clear(&w->token);
    w->script.token_reply = "{\"error\":\"invalid_grant\"}";
    w->script.token_code = 400;
    w->n_tokens = 0;
    world_request(w, "tools/list");
    assert_int_equal(w->outcome, MCP_AUTH_FAILED);
    assert_non_null(strstr(w->err.message, "400: invalid_grant"));
    assert_int_equal(w->n_tokens, 1);
    assert_int_equal(w->n_logins, 0);
}

/* auth/enterprise-managed-authorization */
static void test_an_identity_token_is_exchanged(void **state)
{
    static const struct {
        const char *name, *value;
    } row[] = {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
               {"subject_token", "the-id-token"},
               {"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"},
               {"requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"},
               {"audience", AS_URL},
               {"resource", MCP_URL},
               {"client_id", "at-idp"}};
    struct world *w = *state;
    struct str value = STR_INIT;

    w->options.grant = MCP_AUTH_ASSERTION;
    w->options.assertion = "the-id-token";
    w->options.idp_token_endpoint = IDP_URL "/token";
    w->options.idp_client_id = "at-idp";
    w->options.client_id = "me";
    w->options.client_secret = "s3cret";
    w->script.auth = "client_secret_basic";
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        assert_ok(auth_query_value(str_cstr(&w->exchange), row[i].name, &value, why));
        assert_string_equal(str_cstr(&value), row[i].value);
    }
    assert_null(strstr(str_cstr(&w->exchange), "s3cret"));
    assert_string_equal(str_cstr(&w->assertion), "the-jag");
    assert_string_equal(str_cstr(&w->proof), "Basic bWU6czNjcmV0");
    str_deinit(&value);
}

/* auth/dpop: the servers check each proof. A new process and a refresh use the same key. */
static void test_tokens_that_are_bound_to_a_key(void **state)
{
    struct world *w = *state;

    w->script.dpop = true;
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(strncmp(mcp_auth_header(w->auth), "DPoP ", 5), 0);
    assert_int_equal(world_request(w, "tools/call"), 200);
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    str_clear(&w->token);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_refreshes, 1);
    assert_int_equal(w->n_logins, 1);
    assert_ok(mcp_auth_log_out(w->auth, why));
    assert_null(mcp_auth_proof(w->auth, "POST"));
}

/* auth/dpop-nonce */
static void test_nonces_of_both_servers(void **state)
{
    struct world *w = *state;

    w->script.dpop = true;
    w->script.as_nonce = "n-of-as";
    w->script.rs_nonce = "n-of-rs";
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_nonces, 2);
    assert_int_equal(world_request(w, "tools/call"), 200);
    assert_int_equal(w->n_nonces, 2); /* it is remembered */
    w->script.rs_nonce = "another";
    assert_int_equal(world_request(w, "tools/call"), 200);
    assert_int_equal(w->n_nonces, 3);
    assert_int_equal(w->n_logins, 1);
    w->script.rs_nonce = "not a nonce"; /* and never right: no endless repetition */
    world_request(w, "tools/call");
    assert_int_equal(w->outcome, MCP_AUTH_FAILED);
}

static void test_options_that_cannot_work(void **state)
{
    struct world *w = *state;
    struct mcp_auth *a = NULL;
    struct mcp_auth_options o = {.server_url = MCP_URL, .store_path = w->store, .http = w->http};
    struct error err = ERROR_INIT;

    o.client_secret = "s3cret";
    assert_int_equal(mcp_auth_new(w->loop, &o, &a, &err), STATUS_CONFIG);
    o.client_id = "me";
    o.client_secret = "${env:TROUPE_TEST_NOT_SET}";
    assert_int_equal(mcp_auth_new(w->loop, &o, &a, &err), STATUS_CONFIG);
    o.client_secret = NULL;
    o.client_key_pem = "-----BEGIN PRIVATE KEY-----";
    assert_int_equal(mcp_auth_new(w->loop, &o, &a, &err), STATUS_CONFIG);
    o.client_key_pem = NULL;
    o.server_url = "http://mcp.example/mcp";
    assert_int_equal(mcp_auth_new(w->loop, &o, &a, &err), STATUS_REJECTED);
    assert_null(a);
}

/* ---- what is kept */

static void test_a_new_process_has_the_token_from_the_file(void **state)
{
    struct world *w = *state;
    struct stat info;
    char *bytes = NULL;
    size_t n;

    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    world_client(w);
    assert_non_null(mcp_auth_header(w->auth));
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_logins, 1);
    assert_int_equal(w->tries, 0);
    assert_int_equal(stat(w->store, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(file_read(w->store, 65536, &bytes, &n, why));
    assert_non_null(strstr(bytes, str_cstr(&w->token)));
    free(bytes);
    assert_ok(mcp_auth_log_out(w->auth, why));
    assert_null(mcp_auth_header(w->auth));
    world_client(w);
    assert_null(mcp_auth_header(w->auth));
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_registered, 1); /* the client is known still */
}

static void test_the_file_is_in_the_state_folder(void **state)
{
    struct world *w = *state;
    struct str path = STR_INIT;

    assert_int_equal(setenv("XDG_STATE_HOME", w->dir, 1), 0);
    world_client(w);
    mcp_auth_free(w->auth);
    w->options.store_path = NULL;
    assert_ok(mcp_auth_new(w->loop, &w->options, &w->auth, why));
    assert_int_equal(world_request(w, "tools/list"), 200);
    str_printf(&path, "%s/troupe/mcp-auth.json", w->dir);
    assert_true(file_exists(str_cstr(&path)));
    unsetenv("XDG_STATE_HOME");
    str_deinit(&path);
}

static void test_a_file_that_others_can_read_is_refused(void **state)
{
    struct world *w = *state;
    struct mcp_auth *other = NULL;
    struct error err = ERROR_INIT;

    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(chmod(w->store, 0644), 0);
    assert_int_equal(mcp_auth_new(w->loop, &w->options, &other, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "other users can read"));
}

/* ---- refreshing */

static void test_an_expired_token_is_refreshed_and_rotated(void **state)
{
    struct world *w = *state;

    w->script.rotates = true;
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    for (int i = 1; i <= 3; i++) {
        str_clear(&w->token); /* the server forgets it */
        str_puts(&w->token, "another");
        assert_int_equal(world_request(w, "tools/list"), 200);
        assert_int_equal(w->n_refreshes, i);
    }
    assert_int_equal(w->n_logins, 1);
}

/* A time that is none is not known: the token is then used until it is refused. */
static void test_the_end_of_a_token_is_kept_where_it_is_a_time(void **state)
{
    static const struct {
        const char *expires_in;
        int64_t life_ms;
    } cases[] = {{"3600", 3600000}, {"0.5", 500}, {"0", 0},    {"-5", 0},      {"1e300", 0},
                 {"-1e300", 0},     {"1e18", 0},  {"null", 0}, {"\"3600\"", 0}};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct auth_saved saved;
        int64_t from = seams_wall_ms(seams_real()), life = cases[i].life_ms, ends;

        w->script.expires_in = cases[i].expires_in;
        str_clear(&w->token);
        (void)unlink(w->store);
        world_client(w);
        assert_int_equal(world_request(w, "tools/list"), 200);
        assert_ok(auth_store_server(w->store, MCP_URL, &saved, why));
        ends = saved.token.expires_ms;
        if (life ? ends < from + life || ends > seams_wall_ms(seams_real()) + life : ends != 0)
            fail_msg("%s: it ends at %lld", cases[i].expires_in, (long long)ends);
        auth_saved_deinit(&saved);
    }
}

static void test_a_refresh_token_that_is_not_rotated_is_kept(void **state)
{
    struct world *w = *state;

    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    for (int i = 0; i < 3; i++) {
        str_clear(&w->token);
        assert_int_equal(world_request(w, "tools/list"), 200);
    }
    assert_int_equal(w->n_refreshes, 3);
    assert_int_equal(w->n_logins, 1);
}

static void test_a_refused_refresh_leads_to_a_login(void **state)
{
    struct world *w = *state;

    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    w->script.refresh_fails = true;
    str_clear(&w->token);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_refreshes, 1);
    assert_int_equal(w->n_logins, 2);
}

/* Two processes with one file: the second takes the token of the first, and does not use the
 * refresh token, which is spent. */
static void test_a_token_that_another_process_has_got_is_taken(void **state)
{
    struct world *w = *state;
    struct mcp_auth *first;

    w->script.rotates = true;
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    first = w->auth;
    w->auth = NULL;
    world_client(w);
    str_clear(&w->token);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_refreshes, 1);
    mcp_auth_free(w->auth);
    w->auth = first;
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_refreshes, 1);
    assert_int_equal(w->n_logins, 1);
    assert_int_equal(w->tries, 1);
}

static void on_refreshed(void *ctx, enum mcp_auth_outcome outcome, const char *url,
                         const struct error *err)
{
    int *n_retry = ctx;

    (void)url;
    (void)err;
    *n_retry += outcome == MCP_AUTH_RETRY;
}

/* A refresh token that is used twice may end the login, so two clients take turns. */
static void test_two_clients_do_not_refresh_at_the_same_time(void **state)
{
    struct world *w = *state;
    struct mcp_auth *second = NULL;
    struct str used = STR_INIT;
    struct mcp_auth_challenge c = {.code = 401};
    int n_retry = 0;

    w->script.rotates = true;
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_ok(mcp_auth_new(w->loop, &w->options, &second, why));
    str_puts(&used, mcp_auth_header(second));
    c.used = str_cstr(&used);
    w->script.slow = (struct http_memory_reply){.head_ms = 50};
    mcp_auth_answer(w->auth, &c, on_refreshed, &n_retry);
    mcp_auth_answer(second, &c, on_refreshed, &n_retry);
    while (n_retry < 2)
        world_run(w, 20);
    assert_int_equal(w->n_refreshes, 1);
    assert_string_equal(mcp_auth_header(w->auth), mcp_auth_header(second));
    mcp_auth_free(second);
    str_deinit(&used);
}

static void test_a_server_that_is_down_costs_no_refresh_token(void **state)
{
    struct world *w = *state;

    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    str_clear(&w->token);
    w->script.token_reply = "{\"error\":\"server_error\"}";
    w->script.token_code = 503;
    world_request(w, "tools/list");
    assert_int_equal(w->outcome, MCP_AUTH_FAILED);
    assert_int_equal(w->err.status, STATUS_IO);
    w->script.token_reply = NULL;
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_int_equal(w->n_logins, 1);
}

/* ---- nobody there */

static void test_without_a_person_the_outcome_is_login(void **state)
{
    struct world *w = *state;

    world_client(w);
    mcp_auth_free(w->auth);
    w->options.open_url = NULL;
    assert_ok(mcp_auth_new(w->loop, &w->options, &w->auth, why));
    assert_int_equal(world_request(w, "tools/list"), 401);
    assert_int_equal(w->outcome, MCP_AUTH_LOGIN);
    assert_int_equal(w->n_registered, 0);
}

static void test_a_login_goes_on_after_the_request_ended(void **state)
{
    struct world *w = *state;
    struct str query = STR_INIT;

    w->ignores_login = true;
    world_client(w);
    for (int i = 0; i < 2; i++) { /* the second one finds the same login */
        assert_int_equal(world_request(w, "tools/list"), 401);
        assert_int_equal(w->outcome, MCP_AUTH_LOGIN);
        assert_int_equal(w->n_logins, 1);
    }
    str_puts(&w->code, "late");
    str_printf(&query, "code=late&state=%s", str_cstr(&w->state));
    assert_ok(mcp_auth_redirected(w->auth, str_cstr(&query), why));
    world_run(w, 50);
    assert_non_null(mcp_auth_header(w->auth));
    assert_int_equal(world_request(w, "tools/list"), 200);
    str_deinit(&query);
}

static void test_a_login_ends_after_its_time(void **state)
{
    struct world *w = *state;

    w->ignores_login = true;
    w->options.login_ms = 30;
    world_client(w);
    world_request(w, "tools/list");
    world_run(w, 100);
    assert_int_equal(mcp_auth_redirected(w->auth, "code=x&state=y", NULL), STATUS_NOT_FOUND);
    world_request(w, "tools/list");
    assert_int_equal(w->n_logins, 2);
}

/* ---- many requests */

struct many {
    struct world *w;
    int n_retry, n_left;
    bool frees;
};

static void on_one(void *ctx, enum mcp_auth_outcome outcome, const char *url,
                   const struct error *err)
{
    struct many *m = ctx;

    (void)url;
    (void)err;
    m->n_retry += outcome == MCP_AUTH_RETRY;
    if (m->frees) {
        mcp_auth_free(m->w->auth);
        m->w->auth = NULL;
        loop_stop(m->w->loop);
    } else if (--m->n_left == 0) {
        loop_stop(m->w->loop);
    }
}

static void test_requests_at_the_same_time_share_one_login(void **state)
{
    struct world *w = *state;
    struct many m = {.w = w, .n_left = 99};
    const struct mcp_auth_challenge c = {.code = 401};

    world_client(w);
    for (int i = 0; i < 99; i++)
        mcp_auth_answer(w->auth, &c, on_one, &m);
    mcp_auth_cancel(mcp_auth_answer(w->auth, &c, on_one, &m));
    loop_run(w->loop);
    assert_int_equal(m.n_retry, 99);
    assert_int_equal(w->n_logins, 1);
    assert_int_equal(w->n_tokens, 1);
}

static void test_it_may_be_freed_at_any_time(void **state)
{
    struct world *w = *state;
    const struct mcp_auth_challenge c = {.code = 401};

    for (int turns = 0; turns < 12; turns++) { /* before, within and after each step */
        struct many m = {.w = w, .n_left = 1000};

        world_client(w);
        assert_ok(mcp_auth_log_out(w->auth, why));
        mcp_auth_answer(w->auth, &c, on_one, &m);
        world_run(w, turns);
        mcp_auth_free(w->auth);
        w->auth = NULL;
    }
    for (int i = 0; i < 2; i++) {
        struct many m = {.w = w, .frees = true};

        world_client(w);
        mcp_auth_answer(w->auth, &c, on_one, &m);
        mcp_auth_answer(w->auth, &c, on_one, &m);
        while (w->auth)
            loop_run(w->loop);
    }
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scenarios_of_the_suite),
        WORLD(test_the_registration_says_what_this_client_is),
        WORLD(test_client_credentials_with_a_signed_assertion),
        WORLD(test_an_assertion_from_a_file),
        WORLD(test_an_identity_token_is_exchanged),
        WORLD(test_tokens_that_are_bound_to_a_key),
        WORLD(test_nonces_of_both_servers),
        WORLD(test_options_that_cannot_work),
        WORLD(test_a_new_process_has_the_token_from_the_file),
        WORLD(test_the_file_is_in_the_state_folder),
        WORLD(test_a_file_that_others_can_read_is_refused),
        WORLD(test_an_expired_token_is_refreshed_and_rotated),
        WORLD(test_the_end_of_a_token_is_kept_where_it_is_a_time),
        WORLD(test_a_refresh_token_that_is_not_rotated_is_kept),
        WORLD(test_a_refused_refresh_leads_to_a_login),
        WORLD(test_a_token_that_another_process_has_got_is_taken),
        WORLD(test_two_clients_do_not_refresh_at_the_same_time),
        WORLD(test_a_server_that_is_down_costs_no_refresh_token),
        WORLD(test_without_a_person_the_outcome_is_login),
        WORLD(test_a_login_goes_on_after_the_request_ended),
        WORLD(test_a_login_ends_after_its_time),
        WORLD(test_requests_at_the_same_time_share_one_login),
        WORLD(test_it_may_be_freed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
