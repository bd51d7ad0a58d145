/* home.h - the user's home folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_HOME_H
#define TROUPE_RUNTIME_BASE_HOME_H

#include <stddef.h>

#include "runtime/base/status.h"

/* HOME; if it is not set, the home folder from the password file, like a shell's ~.
 * STATUS_NOT_FOUND: neither names one. */
MUST_CHECK enum status home_folder(char *out, size_t n, struct error *err);

#endif
