/* auth_discover.h - finds the metadata of an MCP server and of its authorization server.
 *
 * First the resource (RFC 9728): at the URL of the challenge, else at the well-known places, the
 * one with the path first. Then the authorization server (RFC 8414, then OpenID Connect). A place
 * that has no document (a code that is not 200, or not JSON) leads to the next; a document that
 * breaks a rule ends it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_DISCOVER_H
#define TROUPE_MCP_AUTH_AUTH_DISCOVER_H

#include "mcp/auth/auth_fetch.h"
#include "mcp/auth/auth_metadata.h"

struct auth_discovery;
struct auth_discovery_spec {
    const char *server_url; /* lent */
    const char *place;  /* resource_metadata of the challenge, copied; "": the well-known ones */
    const char *wanted; /* the issuer to prefer, copied; NULL: the first */
    void *ctx;
    /* Once, last; the discovery is gone. On STATUS_OK the callee takes both over. */
    void (*done)(void *ctx, enum status st, struct resource_metadata *resource,
                 struct server_metadata *server, const struct error *err);
};
/* An error means that no callback follows. */
MUST_CHECK enum status auth_discovery_start(const struct auth_env *env,
                                            const struct auth_discovery_spec *s,
                                            struct auth_discovery **out, struct error *err);
void auth_discovery_cancel(struct auth_discovery *d); /* no callback follows; NULL is allowed */

#endif
