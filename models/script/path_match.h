/* path_match.h - patterns over step paths: `*` is one segment, `**` any number of them.
 *
 * Segments are what stands between slashes. Inside a segment `*` stands for any characters, so
 * `turn:*` is any turn. All else matches itself; there is no escape, since the paths of steps
 * write their own stars escaped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_PATH_MATCH_H
#define TROUPE_MODELS_SCRIPT_PATH_MATCH_H

#include <stdbool.h>

bool path_match(const char *pattern, const char *path);

#endif
