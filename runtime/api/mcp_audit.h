/* mcp_audit.h - the rows of the MCP hub's calls, in the store of a troupe.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_MCP_AUDIT_H
#define TROUPE_RUNTIME_API_MCP_AUDIT_H

#include "mcp/hub/hub_audit.h"

struct store;

/* s: lent for as long as the hub lives; NULL: no rows are left. Rows are written by the store's
 * thread, many with one sync. */
struct hub_audit mcp_audit(struct store *s);

#endif
