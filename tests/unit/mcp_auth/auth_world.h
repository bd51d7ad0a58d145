/* auth_world.h - an MCP server and its authorization servers in memory, and a client of them.
 *
 * A script says what they do, right or wrong. The servers check what a right client must do: PKCE,
 * resource, redirect_uri, the proof of the client. The browser is open_url of the test: it follows
 * the URL itself and gives back what the redirect says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_AUTH_WORLD_H
#define TROUPE_TESTS_AUTH_WORLD_H

#include "mcp/auth/mcp_auth.h"
#include "runtime/base/str.h"
#include "tests/support/check.h"
#include "tests/support/http_memory.h"

#define MCP_URL "https://mcp.example/mcp"
#define AS_URL  "https://as.example"
#define AS2_URL "https://as2.example"
#define IDP_URL "https://idp.example"
#define CIMD    "https://client.example/metadata.json"

/* NULL, false and 0: what a right server does. */
struct script {
    const char *prm_place; /* ["/.well-known/oauth-protected-resource/mcp"] */
    bool prm_unnamed;      /* the challenge does not name it */
    const char *challenge; /* the whole value of WWW-Authenticate */
    const char *resource;  /* [MCP_URL] */
    const char *prm_scopes, *challenge_scope,
        *step_up_scope;   /* step_up_scope: tools/call needs it */
    bool never_enough;    /* tools/list is always 403 */
    bool never_valid;     /* every token is 401 */
    const char *issuer;   /* [AS_URL] */
    const char *as_place; /* ["/.well-known/oauth-authorization-server"] */
    const char *metadata_issuer;
    bool no_pkce, no_registration, takes_url, advertises_iss;
    const char *iss;  /* in the redirect: ["": none]; "=": the issuer */
    const char *auth; /* token_endpoint_auth_methods_supported: ["none"] */
    const char *as_scopes;
    const char *authorize_url, *token_url; /* of the metadata */
    const char *redirect;                  /* the whole query of the redirect; %s is the state */
    const char *token_reply;               /* the whole answer of the token endpoint */
    int token_code;
    const char *expires_in; /* [3600] */
    bool registers_secret, rotates, refresh_fails,
        moves; /* moves: to AS2 after the first request */
    const char *prm_reply, *as_reply;
    struct http_memory_reply slow;   /* merged into every reply of the authorization server */
    const char *prm_redirect;        /* 302 to this place */
    bool dpop;                       /* tokens are bound to a key */
    const char *rs_nonce, *as_nonce; /* that proofs must have; NULL: none */
};

struct world {
    struct loop *loop;
    struct http_memory *memory;
    struct http_client *http;
    struct mcp_auth *auth;
    struct mcp_auth_options options;
    struct script script;
    char dir[64], store[128];
    /* ---- what the servers know */
    int n_logins, n_tokens, n_refreshes, n_registered, n_accepted;
    struct str challenge; /* of PKCE */
    struct str scope, granted, client_id, redirect_uri, authorize_resource, token_resource, proof;
    struct str code, token, refresh, registration, reply;
    struct str assertion, exchange; /* of RFC 7523; the form that the identity provider got */
    char assertion_aud[128];
    struct str proof_key, proof_jti; /* of DPoP: the key at the token endpoint, the last jti */
    int n_nonces;                    /* answers that asked for one */
    /* ---- of the request under way */
    struct str used, www, nonce, state;
    int code_got, tries;
    const char *method;
    enum mcp_auth_outcome outcome;
    enum status redirected; /* of mcp_auth_redirected */
    struct error err;
    bool ignores_login, is_over;
};

int world_setup(void **state);
int world_teardown(void **state);
/* A client with w->options and w->script; the one before is freed. */
void world_client(struct world *w);
/* Sends a request until it is answered, or cannot be; 200, or the last code. */
int world_request(struct world *w, const char *method);
/* Runs the loop for this long. */
void world_run(struct world *w, int64_t ms);
/* How many requests went to URLs that begin so? */
int world_count(const struct world *w, const char *url);

#endif
