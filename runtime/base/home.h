/* home.h - where the user's own files are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_HOME_H
#define TROUPE_RUNTIME_BASE_HOME_H

#include <stddef.h>

#include "runtime/base/status.h"

/* HOME, or where it is not set the home folder of the password file, as a shell's ~ does.
 * STATUS_NOT_FOUND: neither says; then no file may be made from it. */
MUST_CHECK enum status home_folder(char *out, size_t n, struct error *err);

#endif
