/* env_tools.h - the environments' tools as entries of the registry, to be listed and shown.
 *
 * An environment's tool acts on an episode, which the registry does not have: an agent step with an
 * environment calls it through struct env_ops. Here it has a name, "ledger_get", a schema and the
 * environment as its source; a call says where it can be made.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_TOOLS_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_TOOLS_H

#include "tools/registry.h"

MUST_CHECK enum status env_register_tools(struct tool_registry *r, struct error *err);

#endif
