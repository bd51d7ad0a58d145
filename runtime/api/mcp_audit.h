/* mcp_audit.h - the rows of the MCP hub's calls, in the store of a troupe.
 *
 * `audit:` in section `mcp:` of troupe.yaml says what a reply waits for: `written` (that the row
 * outlives this process; the default) or `synced` (that it outlives a power failure).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_MCP_AUDIT_H
#define TROUPE_RUNTIME_API_MCP_AUDIT_H

#include "mcp/config/mcp_config.h"
#include "mcp/hub/hub_audit.h"
#include "runtime/store/store.h"

struct mcp_audit {
    struct store *const *store; /* as it is at the call: NULL: no row is left */
    enum store_durability durability;
};

/* a: lent for as long as the hub lives; changes hold from the next call on. */
struct hub_audit mcp_audit_hub(struct mcp_audit *a);
/* Reads `audit:`, of the first file that has it. STATUS_CONFIG with the place. */
MUST_CHECK enum status mcp_audit_read(const struct mcp_config *config, enum store_durability *out,
                                      struct error *err);

#endif
