/* env_list.h - declares the environments of environments.def, for env_common.c and themselves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_LIST_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_LIST_H

#include "tools/environments/environment.h"

#define ENVIRONMENT(name) extern const struct env_ops name##_env;
#include "tools/environments/environments.def"
#undef ENVIRONMENT

#endif
