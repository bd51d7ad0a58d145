/* hub_fold.h - members that a server may take for others.
 *
 * Keys are compared with case (mcp/rpc/rpc.h), but there are servers whose JSON reader ignores it:
 * to them, {"name": "a", "Name": "b"} asks for b. What the hub decides by must not be there a
 * second time for such a server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_FOLD_H
#define TROUPE_MCP_HUB_HUB_FOLD_H

#include "runtime/base/json_view.h"

/* Does a request's params, or the `ref` in it, have a member that differs from one the hub decides
 * by (name, arguments, uri, ref, type, taskId, requestState) only in case? key: it, or empty. */
bool hub_fold_find(struct json_view params, struct str *key);

#endif
