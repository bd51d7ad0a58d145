/* env_tools.h - the environments' tools in the registry, so that they can be listed.
 *
 * An environment's tool needs an episode, so only an agent step with an environment can call it,
 * through struct env_ops. The registry has its name ("ledger_get"), its schema and the environment
 * as its source; a call from there fails and says where to use the tool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_TOOLS_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_TOOLS_H

#include "tools/registry.h"

MUST_CHECK enum status env_register_tools(struct tool_registry *r, struct error *err);

#endif
