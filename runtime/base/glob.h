/* glob.h - patterns of names: `*` is any text, `?` one character, all else itself.
 *
 * No recursion, and at most length of the pattern times length of the text, so that patterns may
 * come from anyone. A character is one of UTF-8; an invalid byte counts as one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_GLOB_H
#define TROUPE_RUNTIME_BASE_GLOB_H

#include <stdbool.h>

bool glob_match(const char *pattern, const char *text);
bool glob_is_plain(const char *pattern); /* without `*` and `?` */

#endif
