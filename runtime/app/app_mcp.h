/* app_mcp.h - the MCP servers of an invocation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MCP_H
#define TROUPE_RUNTIME_APP_APP_MCP_H

#include "runtime/api/troupe_mcp.h"
#include "runtime/app/app.h"

/* Opens the hub over the servers of the working folder and of the user; starts nothing. follow: the
 * files are read again when they change. */
MUST_CHECK enum status app_mcp_open(struct app *a, bool follow, struct error *err);

#endif
