/* glob.c - see glob.h.
 *
 * After a `*` the rest is tried at each place in turn; a later `*` makes the earlier one final,
 * since the leftmost fit of what is between them is as good as any other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/glob.h"

#include <stddef.h>
#include <string.h>

#include "runtime/base/utf8.h"

static size_t character_bytes(const char *text)
{
    size_t n = strnlen(text, UTF8_MAX_BYTES), i = 0;

    (void)utf8_next(text, n, &i);
    return i;
}

bool glob_match(const char *pattern, const char *text)
{
    const char *after_star = NULL, *retry = NULL;

    while (*text) {
        if (*pattern == '*') {
            after_star = ++pattern;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            text += character_bytes(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (after_star) {
            retry += character_bytes(retry);
            text = retry;
            pattern = after_star;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool glob_is_plain(const char *pattern)
{
    return !strpbrk(pattern, "*?");
}
