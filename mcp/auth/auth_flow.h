/* auth_flow.h - one answer to a challenge, from the metadata to the token.
 *
 *     discover -> (another process has a token) | refresh | client credentials | login
 *     login:  listen -> (register) -> URL -> redirect -> exchange of the code
 *
 * For mcp_auth.c, which keeps at most one flow and the requests that wait for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_FLOW_H
#define TROUPE_MCP_AUTH_AUTH_FLOW_H

#include "mcp/auth/auth_fetch.h"
#include "mcp/auth/auth_store.h"
#include "mcp/auth/mcp_auth.h"

/* What all flows of an mcp_auth share; lent. */
struct auth_config {
    struct auth_env env;
    struct mcp_auth_options o; /* its texts are copies */
    struct auth_client given;  /* registered beforehand; id NULL: none */
    struct signature_key *key; /* of the given client; NULL: none */
    char *idp_client_id;       /* NULL: none */
    struct str server_nonce;   /* DPoP-Nonce of the MCP server; \"\": none */
    struct str as_nonce;       /* and of the authorization server */
    struct auth_saved saved;   /* of the server; a flow replaces it when it has a token */
    bool is_new;               /* saved.token came from a login, or from client credentials, and
                                * not from the file or by refreshing */
};

struct auth_flow_spec {
    struct auth_config *config;
    int code;          /* of the challenge */
    const char *place; /* resource_metadata, copied; "": none */
    const char *scope; /* of the challenge, copied; "": none */
    const char *used;  /* the token that was sent, copied; "": none */
    bool is_dpop;      /* the challenge wants a token that is bound to a key */
    void *ctx;
    /* A login has begun at this URL (lent until the end of the flow). false: nobody waits for it;
     * the flow goes on. */
    bool (*on_login)(void *ctx, const char *url);
    /* Once, last; the flow is gone. STATUS_OK: config->saved has another token than `used`.
     * STATUS_WAITING: a person must log in, and nobody can be asked. */
    void (*done)(void *ctx, enum status st, const struct error *err);
};
struct auth_flow;
/* An error means that no callback follows. */
MUST_CHECK enum status auth_flow_start(const struct auth_flow_spec *s, struct auth_flow **out,
                                       struct error *err);
void auth_flow_cancel(struct auth_flow *f); /* no callback follows; NULL is allowed */
/* auth_login_take of the login under way. STATUS_NOT_FOUND: none is. */
MUST_CHECK enum status auth_flow_redirected(struct auth_flow *f, const char *query,
                                            struct error *err);

#endif
