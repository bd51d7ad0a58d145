/* secret.h - the one rule for secrets in configuration: they are named, not written down.
 *
 * A value may be ${env:NAME}, the environment's variable, or ${file:PATH}, a file's first line, a
 * relative PATH from `folder`. Both may stand inside other text ("Bearer ${env:TOKEN}"); $$ is a
 * dollar. What is resolved never appears in a message, and its owner keeps it out of records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_SECRET_H
#define TROUPE_RUNTIME_CONFIG_SECRET_H

#include <stdbool.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

/* Appends text with its references resolved to `out`, which on failure is as it was. STATUS_CONFIG:
 * a variable that is not set or empty, a file that cannot be read or that others may read, a
 * reference of another kind. */
MUST_CHECK enum status secret_resolve(const char *text, const char *folder, struct str *out,
                                      struct error *err);
/* Does the text name a secret? Then only the text, not what it stands for, is shown and stored. */
bool secret_is_reference(const char *text);

#endif
