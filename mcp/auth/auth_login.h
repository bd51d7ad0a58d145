/* auth_login.h - the step in the browser: the URL to open, and the redirect that comes back.
 *
 * A login has its own state (256 random bits) and PKCE verifier (RFC 7636), and ends with the first
 * redirect that has this state, or after its time. The redirect is received by a listener of ours
 * on 127.0.0.1 and ::1, or is given to auth_login_take. `iss` is compared with the issuer as a text
 * (RFC 9207), also in a redirect that reports an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_LOGIN_H
#define TROUPE_MCP_AUTH_AUTH_LOGIN_H

#include "mcp/auth/auth_fetch.h"
#include "mcp/auth/auth_metadata.h"

#define AUTH_VERIFIER_BYTES 44 /* with its NUL */

struct auth_login;
struct auth_login_spec {
    const char *redirect_uri; /* received elsewhere; copied. NULL: by a listener */
    int32_t port;             /* of the listener; 0: a free one */
    int64_t life_ms;
    void *ctx;
    /* Once, on a turn of the loop of its own. The login is still there, but takes nothing more; the
     * code is lent until it is freed. STATUS_REJECTED: the user or the server refused, or the
     * redirect is not that server's; STATUS_TIMEOUT. */
    void (*done)(void *ctx, enum status st, const char *code, const struct error *err);
};
/* STATUS_FAILED: another program uses the port. */
MUST_CHECK enum status auth_login_new(const struct auth_env *env, const struct auth_login_spec *s,
                                      struct auth_login **out, struct error *err);
void auth_login_free(struct auth_login *l); /* not inside a callback of the HTTP server */

const char *auth_login_redirect_uri(const struct auth_login *l);
const char *auth_login_verifier(const struct auth_login *l);
/* Makes the URL to open, lent; the login keeps what it needs of `server`. scopes "": none. */
const char *auth_login_url(struct auth_login *l, const struct server_metadata *server,
                           const char *client_id, const char *resource, const char *scopes);

/* The query of a redirect: "code=...&state=...". STATUS_REJECTED: it is not the answer to this
 * login, which still waits. STATUS_OK: `done` follows, whatever the answer was. */
MUST_CHECK enum status auth_login_take(struct auth_login *l, const char *query, struct error *err);

#endif
