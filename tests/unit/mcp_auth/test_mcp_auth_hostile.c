/* test_mcp_auth_hostile.c - the client of authorization against servers, redirects and users that
 * mean harm, or are broken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "auth_world.h"

static const struct hostile {
    const char *name;
    struct script script;
    const char *says;  /* part of the message */
    enum status st;    /* 0: not checked */
    int n_logins;      /* exactly */
    int n_tokens;      /* requests to the token endpoint, exactly */
    const char *never; /* a URL that nothing went to */
} cases[] = {
    {"metadata of the server redirects to another origin",
     {.prm_redirect = "https://evil.example/prm"},
     "redirects to another origin",
     .st = STATUS_REJECTED,
     .never = "https://evil.example"},
    {"metadata redirects to http",
     {.prm_redirect = "http://mcp.example/prm"},
     "redirects to another origin",
     .st = STATUS_REJECTED,
     .never = "http://"},
    {"metadata redirects in a circle",
     {.prm_redirect = "/.well-known/oauth-protected-resource/mcp"},
     "more than 3 redirects",
     .st = STATUS_LIMIT},
    {"metadata redirects to the cloud's metadata",
     {.prm_redirect = "http://169.254.169.254/latest"},
     "redirects to another origin",
     .st = STATUS_REJECTED,
     .never = "http://169"},
    {"the challenge names the cloud's metadata",
     {.challenge = "Bearer resource_metadata=\"https://169.254.169.254/latest\""},
     "169.254.169.254",
     .st = STATUS_REJECTED,
     .never = "https://169"},
    {"the challenge names http",
     {.challenge = "Bearer resource_metadata=\"http://mcp.example/prm\""},
     "resource_metadata",
     .st = STATUS_REJECTED,
     .never = "http://"},
    {"the challenge names a file",
     {.challenge = "Bearer resource_metadata=\"file:///etc/passwd\""},
     "resource_metadata",
     .st = STATUS_INVALID},
    {"the challenge has no end",
     {.challenge = "Bearer scope=\"a b"},
     "without its end",
     .st = STATUS_INVALID},
    {"the challenge says it twice",
     {.challenge = "Bearer resource_metadata=\"https://a.example\", "
                   "resource_metadata=\"https://mcp.example/x\""},
     "resource_metadata twice",
     .st = STATUS_INVALID,
     .never = "https://a.example"},
    {"another scheme",
     {.challenge = "Digest realm=\"x\""},
     "scheme Digest",
     .st = STATUS_UNSUPPORTED},
    {"a token that is not bound to a key, though the server wants that",
     {.challenge = "DPoP algs=\"ES256\""},
     "not of the type DPoP",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"scopes with quotes",
     {.challenge_scope = "a\\\"b"},
     "character that is not allowed",
     .st = STATUS_INVALID},
    {"the metadata is an array", {.prm_reply = "[]"}, "not a JSON object", .st = STATUS_INVALID},
    {"the metadata has a key twice",
     {.prm_reply = "{\"resource\":\"https://mcp.example/mcp\",\"resource\":\"https://e.example\"}"},
     "no metadata of its protected resource",
     .st = STATUS_NOT_FOUND},
    {"the server takes tokens in the URL alone",
     {.prm_reply = "{\"resource\":\"https://mcp.example/mcp\",\"bearer_methods_supported\":"
                   "[\"query\"],\"authorization_servers\":[\"https://as.example\"]}"},
     "takes no token in a header",
     .st = STATUS_UNSUPPORTED},
    {"the resource is a longer path",
     {.resource = "https://mcp.example/mc"},
     "that of another resource",
     .st = STATUS_REJECTED},
    {"the resource is another host with the same beginning",
     {.resource = "https://mcp.example.evil.example/mcp"},
     "that of another resource",
     .st = STATUS_REJECTED},
    {"the resource has a user",
     {.resource = "https://mcp.example@evil.example/mcp"},
     "that of another resource",
     .st = STATUS_REJECTED},
    {"the issuer is this machine",
     {.issuer = "https://127.0.0.1"},
     "127.0.0.1",
     .st = STATUS_REJECTED,
     .never = "https://127"},
    {"the issuer is http",
     {.issuer = "http://as.example"},
     "the issuer",
     .st = STATUS_REJECTED,
     .never = "http://"},
    {"the issuer has a query", {.issuer = AS_URL "?a=b"}, "it has a query", .st = STATUS_INVALID},
    {"another issuer's metadata with a better endpoint",
     {.metadata_issuer = "https://evil.example", .token_url = "https://evil.example/token"},
     "that of another issuer",
     .st = STATUS_REJECTED,
     .never = "https://evil.example"},
    {"the issuer differs by a slash",
     {.metadata_issuer = AS_URL "/"},
     "that of another issuer",
     .st = STATUS_REJECTED},
    {"the issuer differs by its case",
     {.metadata_issuer = "https://AS.example"},
     "that of another issuer",
     .st = STATUS_REJECTED},
    {"PKCE is not mentioned", {.no_pkce = true}, "PKCE", .st = STATUS_REJECTED},
    {"the token endpoint is http",
     {.token_url = "http://as.example/token"},
     "token_endpoint",
     .st = STATUS_REJECTED},
    {"the token endpoint is a private address",
     {.token_url = "https://10.0.0.1/token"},
     "token_endpoint",
     .st = STATUS_REJECTED},
    {"the login is a script",
     {.authorize_url = "javascript:alert(1)"},
     "authorization_endpoint",
     .st = STATUS_INVALID},
    {"the login is a file",
     {.authorize_url = "file:///etc/passwd"},
     "authorization_endpoint",
     .st = STATUS_INVALID},
    {"the login has a command",
     {.authorize_url = "https://as.example/`id`"},
     "authorization_endpoint",
     .st = STATUS_INVALID},
    {"the login has a user",
     {.authorize_url = "https://a:b@as.example/authorize"},
     "authorization_endpoint",
     .st = STATUS_INVALID},
    {"the login has a fragment",
     {.authorize_url = "https://as.example/authorize#x"},
     "authorization_endpoint",
     .st = STATUS_INVALID},
    {"no registration, no client",
     {.no_registration = true},
     "takes no registration",
     .st = STATUS_CONFIG},
    {"a code of another login",
     {.redirect = "code=st0len&state=%s"},
     "invalid_grant",
     .st = STATUS_REJECTED,
     .n_logins = 1,
     .n_tokens = 1},
    {"two codes",
     {.redirect = "code=c0de-1&code=st0len&state=%s"},
     "code is there twice",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"two issuers",
     {.redirect = "code=c0de-1&state=%s&iss=https://as.example&iss=https://evil.example"},
     "iss is there twice",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"a token in the redirect",
     {.redirect = "access_token=t0k3n&token_type=bearer&state=%s"},
     "no parameter code",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"an error of another server",
     {.redirect = "error=access_denied&iss=https://evil.example&state=%s"},
     "another authorization server",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"the user refuses",
     {.redirect = "error=access_denied&error_description=c0de-1&state=%s"},
     "refused the login: access_denied",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"an error that is not a code",
     {.redirect = "error=%3Cscript%3E&state=%s"},
     "an unknown error",
     .st = STATUS_REJECTED,
     .n_logins = 1},
    {"a token with a line end",
     {.token_reply = "{\"access_token\":\"a\\r\\nX-Evil: 1\",\"token_type\":\"Bearer\"}"},
     "characters that a header cannot have",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"a refresh token with a blank",
     {.token_reply =
          "{\"access_token\":\"a\",\"refresh_token\":\"a b\",\"token_type\":\"Bearer\"}"},
     "characters that a header cannot have",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"a token of another type",
     {.token_reply = "{\"access_token\":\"a\",\"token_type\":\"mac\"}"},
     "not of the type Bearer",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"no token",
     {.token_reply = "{}"},
     "not of the type Bearer",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"a page instead of a token",
     {.token_reply = "<html>"},
     "not JSON",
     .st = STATUS_INVALID,
     .n_logins = 1,
     .n_tokens = 1},
    {"every token is refused",
     {.never_valid = true},
     "issued just now",
     .st = STATUS_REJECTED,
     .n_logins = 1,
     .n_tokens = 1},
    {"no answer", {.slow = {.fault = HTTP_MEMORY_NO_ANSWER}}, "300ms", .st = STATUS_TIMEOUT},
    {"an answer that stops",
     {.slow = {.fault = HTTP_MEMORY_STALL, .at = 5}},
     "300ms",
     .st = STATUS_TIMEOUT},
    {"an answer drop by drop",
     {.slow = {.piece_bytes = 1, .piece_ms = 20}},
     "300ms",
     .st = STATUS_TIMEOUT},
};

/* No message has anything that was secret in this login. */
static void check_message(const struct hostile *c, const struct world *w)
{
    const struct str *const secrets[] = {&w->state, &w->challenge, &w->code, &w->token};
    static const char *const words[] = {"c0de-", "st0len", "t0k3n", "s3cret", "code_verifier"};

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (secrets[i]->len > 0 && strstr(w->err.message, str_cstr(secrets[i])))
            fail_msg("%s: a secret is in the message: %s", c->name, w->err.message);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(w->err.message, words[i]))
            fail_msg("%s: %s is in the message: %s", c->name, words[i], w->err.message);
}

static void check_case(const struct hostile *c)
{
    void *state;
    struct world *w;

    world_setup(&state);
    w = state;
    w->script = c->script;
    w->options.fetch_ms = strstr(c->says, "300ms") ? 300 : 0;
    world_client(w);
    world_request(w, "tools/list");
    if (w->outcome != MCP_AUTH_FAILED || !strstr(w->err.message, c->says) ||
        (c->st && w->err.status != c->st))
        fail_msg("%s: outcome %d, %s: %s", c->name, (int)w->outcome, status_name(w->err.status),
                 w->err.message);
    if (w->n_logins != c->n_logins || w->n_tokens != c->n_tokens)
        fail_msg("%s: %d logins, %d tokens", c->name, w->n_logins, w->n_tokens);
    if (c->never && world_count(w, c->never) > 0)
        fail_msg("%s: a request to %s", c->name, c->never);
    assert_int_equal(w->n_accepted, 0);
    check_message(c, w);
    world_teardown(&state);
}

static void test_each_case_ends_with_an_error_and_no_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_case(&cases[i]);
}

static void test_huge_and_deep_metadata(void **state)
{
    struct world *w = *state;
    size_t n = (size_t)300 << 10;
    char *huge = xmalloc(n + 1), *deep = xmalloc(1001);

    memset(huge, ' ', n);
    memcpy(huge, "{}", 2);
    huge[n] = '\0';
    memset(deep, '[', 1000);
    deep[1000] = '\0';
    w->script.prm_reply = huge;
    world_client(w);
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_LIMIT);
    w->script.prm_reply = NULL;
    w->script.as_reply = huge;
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_LIMIT);
    w->script.as_reply = deep;
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_NOT_FOUND);
    w->script.as_reply = NULL;
    w->script.token_reply = huge;
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_LIMIT);
    assert_null(mcp_auth_header(w->auth));
    free(huge);
    free(deep);
}

/* A redirect is taken once, and only with the state of the login that waits. */
static void test_a_redirect_with_another_state_or_again(void **state)
{
    struct world *w = *state;
    struct str query = STR_INIT;
    static const char *const bad[] = {
        "code=st0len",        "code=st0len&state=", "code=st0len&state=AAAA", "state=%zz", "",
        "error=access_denied"};

    w->ignores_login = true;
    world_client(w);
    world_request(w, "tools/list");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(mcp_auth_redirected(w->auth, bad[i], NULL), STATUS_REJECTED);
    str_printf(&query, "code=st0len&state=%s&state=%s", str_cstr(&w->state), str_cstr(&w->state));
    assert_int_equal(mcp_auth_redirected(w->auth, str_cstr(&query), NULL), STATUS_REJECTED);
    str_clear(&query);
    str_puts(&w->code, "right");
    str_printf(&query, "code=right&state=%s", str_cstr(&w->state));
    assert_ok(mcp_auth_redirected(w->auth, str_cstr(&query), why));
    assert_int_equal(mcp_auth_redirected(w->auth, str_cstr(&query), NULL), STATUS_REJECTED);
    world_run(w, 50);
    assert_int_equal(mcp_auth_redirected(w->auth, str_cstr(&query), NULL), STATUS_NOT_FOUND);
    assert_int_equal(w->n_tokens, 1);
    assert_non_null(mcp_auth_header(w->auth));
    str_deinit(&query);
}

static void test_states_and_verifiers_are_new_each_time(void **state)
{
    struct world *w = *state;
    struct str first = STR_INIT, challenge = STR_INIT;

    w->script.redirect = "error=access_denied&state=%s";
    world_client(w);
    world_request(w, "tools/list");
    str_puts(&first, str_cstr(&w->state));
    str_puts(&challenge, str_cstr(&w->challenge));
    assert_int_equal(first.len, 43);
    world_request(w, "tools/list");
    assert_string_not_equal(str_cstr(&first), str_cstr(&w->state));
    assert_string_not_equal(str_cstr(&challenge), str_cstr(&w->challenge));
    str_deinit(&first);
    str_deinit(&challenge);
}

/* Without an issuer in the options the first one counts; the secret never goes to another. */
static void test_a_secret_stays_with_its_issuer(void **state)
{
    struct world *w = *state;

    w->script.moves = true;
    w->script.no_registration = true;
    w->script.auth = "client_secret_post";
    w->options.client_id = "me";
    w->options.client_secret = "s3cret";
    world_client(w);
    assert_int_equal(world_request(w, "tools/list"), 200);
    assert_string_equal(str_cstr(&w->proof), "post me:s3cret");
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_CONFIG);
    assert_non_null(strstr(w->err.message, "not the one that the client was registered with"));
    world_client(w); /* a new process remembers it */
    world_request(w, "tools/list");
    assert_int_equal(w->err.status, STATUS_CONFIG);
    assert_int_equal(world_count(w, AS2_URL "/token"), 0);
}

static void test_a_403_that_is_not_about_scopes_begins_nothing(void **state)
{
    struct world *w = *state;

    w->script.never_enough = true;
    world_client(w);
    world_request(w, "tools/list"); /* no scope is named */
    assert_int_equal(w->outcome, MCP_AUTH_FAILED);
    assert_int_equal(w->n_logins, 1);
    w->script.challenge = "Bearer error=\"invalid_request\"";
    world_request(w, "tools/list");
    assert_non_null(strstr(w->err.message, "forbids this request"));
    assert_int_equal(w->n_logins, 1);
}

int main(void)
{
#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_ends_with_an_error_and_no_token),
        WORLD(test_huge_and_deep_metadata),
        WORLD(test_a_redirect_with_another_state_or_again),
        WORLD(test_states_and_verifiers_are_new_each_time),
        WORLD(test_a_secret_stays_with_its_issuer),
        WORLD(test_a_403_that_is_not_about_scopes_begins_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
