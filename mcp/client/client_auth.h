/* client_auth.h - authorization by mcp/auth, as a client of MCP wants it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_AUTH_H
#define TROUPE_MCP_CLIENT_CLIENT_AUTH_H

#include "mcp/auth/mcp_auth.h"
#include "mcp/client/client.h"

/* For mcp_client_spec. `a` is lent for the client's life. */
struct mcp_client_auth mcp_client_auth_of(struct mcp_auth *a);

#endif
