/* auth_store.h - what was learnt by authorization, in one file that only its owner can read.
 *
 * JSON. Clients and tokens are below the issuer that gave them, so that none is ever sent to
 * another authorization server; each MCP server names the issuer and resource in use. Every change
 * reads the file again under a lock (FILE.lock) and replaces it whole, so processes share it.
 * It has the secrets themselves, since a client of OAuth must send them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_STORE_H
#define TROUPE_MCP_AUTH_AUTH_STORE_H

#include <stdbool.h>

#include "mcp/auth/auth_client.h"
#include "mcp/auth/auth_token.h"
#include "runtime/base/seams.h"

/* Appends the path that is used by default: $XDG_STATE_HOME/troupe/mcp-auth.json, or in
 * ~/.local/state. STATUS_NOT_FOUND: there is no home folder. */
MUST_CHECK enum status auth_store_default_path(struct str *out, struct error *err);

struct auth_saved {
    char *issuer, *resource;   /* NULL: this server was never authorized */
    struct auth_client client; /* registered with the issuer; id NULL: none */
    struct auth_token token;   /* of issuer and resource; access NULL: none */
};
void auth_saved_deinit(struct auth_saved *s); /* a zeroed one is fine */

/* What is known of the MCP server at this URL. A file that does not exist is empty. STATUS_CONFIG:
 * other users can read the file, or it cannot be understood. */
MUST_CHECK enum status auth_store_server(const char *path, const char *url, struct auth_saved *out,
                                         struct error *err);
/* The same for an issuer and resource. */
MUST_CHECK enum status auth_store_issuer(const char *path, const char *issuer, const char *resource,
                                         struct auth_saved *out, struct error *err);
/* Writes all of `s` as that of this server: a client or token that is NULL is removed. STATUS_BUSY:
 * another process keeps the lock. */
MUST_CHECK enum status auth_store_put(const char *path, const struct seams *seams, const char *url,
                                      const struct auth_saved *s, struct error *err);
/* Removes the token of the server; clients stay. */
MUST_CHECK enum status auth_store_forget(const char *path, const struct seams *seams,
                                         const char *url, struct error *err);

/* Takes the right to refresh the token of an issuer and resource, which no other process (and no
 * other client here) then has: a refresh token that is used twice may end the whole login.
 * STATUS_BUSY: another one has it; its token is in the file when it is done. The right ends with
 * the process, or auth_store_release. */
MUST_CHECK enum status auth_store_hold(const char *path, const char *issuer, const char *resource,
                                       int *fd, struct error *err);
void auth_store_release(int fd);

#endif
