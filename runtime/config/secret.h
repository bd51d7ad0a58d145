/* secret.h - references to secrets in configuration values.
 *
 * ${env:NAME} is an environment variable. ${file:PATH} is the first line of a file; a relative PATH
 * starts at `folder`. Both may be part of other text ("Bearer ${env:TOKEN}"); $$ is a dollar sign.
 * Resolved values never appear in messages; the caller keeps them out of records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_SECRET_H
#define TROUPE_RUNTIME_CONFIG_SECRET_H

#include <stdbool.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

/* Appends text with its references resolved to `out`; on failure `out` is unchanged. STATUS_CONFIG:
 * a variable that is not set or empty, a file that cannot be read or that other users can read, an
 * unknown kind of reference. */
MUST_CHECK enum status secret_resolve(const char *text, const char *folder, struct str *out,
                                      struct error *err);
/* Does the text refer to a secret? Then only the text is shown and stored, never the value. */
bool secret_is_reference(const char *text);

#endif
