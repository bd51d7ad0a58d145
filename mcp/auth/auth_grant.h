/* auth_grant.h - one request to a token endpoint (RFC 6749, 3.2), and what came of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_GRANT_H
#define TROUPE_MCP_AUTH_AUTH_GRANT_H

#include "mcp/auth/auth_client.h"
#include "mcp/auth/auth_fetch.h"
#include "mcp/auth/auth_token.h"

enum auth_grant_kind {
    GRANT_CODE,      /* authorization_code */
    GRANT_REFRESH,   /* refresh_token */
    GRANT_CLIENT,    /* client_credentials */
    GRANT_ASSERTION, /* RFC 7523, 2.1: an assertion of someone that the server trusts */
    GRANT_EXCHANGE,  /* RFC 8693: an identity token for such an assertion, at its issuer */
};

/* All is lent for the call of auth_grant_start. */
struct auth_grant_spec {
    const struct auth_env *env;
    enum auth_grant_kind kind;
    const struct server_metadata *server; /* for GRANT_EXCHANGE the one that the assertion is for */
    const char *resource, *scopes;        /* scopes "": none */
    const struct auth_client *client;
    const struct signature_key *key; /* of the client; NULL: none */
    /* The code, refresh token, assertion or identity token; NULL for GRANT_CLIENT. */
    const char *secret;
    const char *redirect_uri, *verifier; /* GRANT_CODE */
    const char *endpoint;                /* GRANT_EXCHANGE */
    /* The key for a token that is bound to it, and its PEM; NULL: a Bearer token. nonce: the last
     * one of this server, which may be replaced; lent until `done`. */
    const struct signature_key *dpop;
    const char *dpop_pem;
    struct str *nonce;
    void *ctx;
    /* Once, last; the grant is gone. STATUS_OK: the callee takes the token over; of GRANT_EXCHANGE
     * `access` is the assertion. refusal: NULL unless the server refused (400, 401); its error
     * code, or "". */
    void (*done)(void *ctx, enum status st, struct auth_token *token, const char *refusal,
                 const struct error *err);
};
struct auth_grant;
/* An error means that no callback follows. */
MUST_CHECK enum status auth_grant_start(const struct auth_grant_spec *s, struct auth_grant **out,
                                        struct error *err);
void auth_grant_cancel(struct auth_grant *g); /* no callback follows; NULL is allowed */

#endif
