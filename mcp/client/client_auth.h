/* client_auth.h - mcp/auth for an mcp_client: authorization of its HTTP requests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_AUTH_H
#define TROUPE_MCP_CLIENT_CLIENT_AUTH_H

#include "mcp/client/client.h"

struct mcp_auth;

struct client_auth;
/* auth: lent. name: of the server, for messages; lent. */
struct client_auth *client_auth_new(struct mcp_auth *auth, const char *name);
void client_auth_free(struct client_auth *c); /* after its client; NULL is fine */
/* For mcp_client_spec.auth. */
struct mcp_client_auth client_auth_ops(struct client_auth *c);

#endif
