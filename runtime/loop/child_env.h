/* child_env.h - a clean environment for a child.
 *
 * The hub's own environment may contain keys of models and other servers. A child gets the
 * variables of CHILD_ENV_KEPT as they are here, and those that its configuration names; a named one
 * replaces a kept one. Not kept on purpose: XDG_RUNTIME_DIR, DBUS_* and SSH_AUTH_SOCK (doors to
 * other services), *_PROXY (may contain passwords), LD_* and the like.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_CHILD_ENV_H
#define TROUPE_RUNTIME_LOOP_CHILD_ENV_H

#include "runtime/base/status.h"

#define CHILD_ENV_KEPT                                                                             \
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "LANG", "LANGUAGE",        \
        "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME",                \
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "SSL_CERT_FILE",   \
        "SSL_CERT_DIR"

/* named: "NAME=VALUE", ends with NULL; NULL: none. The last one of a name counts. STATUS_INVALID:
 * an element without a name or without `=`. *out is for child_spec.env. */
MUST_CHECK enum status child_env_new(const char *const *named, char ***out, struct error *err);
void child_env_free(char **env);

#endif
