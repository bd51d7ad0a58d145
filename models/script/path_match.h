/* path_match.h - patterns over step paths: `*` is one segment, `**` any number of them.
 *
 * Slashes separate segments. Inside a segment `*` matches any characters, so `turn:*` is any
 * turn. Other characters match themselves. An escape is not needed, since the paths of steps escape
 * their own stars.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_PATH_MATCH_H
#define TROUPE_MODELS_SCRIPT_PATH_MATCH_H

#include <stdbool.h>

bool path_match(const char *pattern, const char *path);

#endif
