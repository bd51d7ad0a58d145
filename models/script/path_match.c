/* path_match.c - the two-pointer glob, once over segments and once inside one.
 *
 * Each level backtracks only to its last star: backtracking to an earlier one cannot help. So the
 * worst-case cost is the product of the lengths.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/path_match.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static size_t segment_length(const char *s)
{
    return strcspn(s, "/");
}

/* The start of the next segment, or NULL after the last. */
static const char *next_segment(const char *s)
{
    s += segment_length(s);
    return *s == '/' ? s + 1 : NULL;
}

static bool segment_match(const char *p, size_t np, const char *s, size_t ns)
{
    size_t i = 0;
    size_t j = 0;
    size_t star = SIZE_MAX; /* the last star, and how much it matches so far */
    size_t given = 0;

    while (j < ns) {
        if (i < np && p[i] == '*') {
            star = i++;
            given = j;
        } else if (i < np && p[i] == s[j]) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++given;
        } else {
            return false;
        }
    }
    while (i < np && p[i] == '*')
        i++;
    return i == np;
}

static bool is_deep(const char *p)
{
    return segment_length(p) == 2 && p[0] == '*' && p[1] == '*';
}

bool path_match(const char *pattern, const char *path)
{
    const char *p = pattern;
    const char *s = path;
    const char *deep = NULL; /* what follows the last `**`; NULL too when nothing does */
    const char *given = NULL;
    bool has_deep = false;

    while (s) {
        if (p && is_deep(p)) {
            p = next_segment(p);
            deep = p;
            given = s;
            has_deep = true;
        } else if (p && segment_match(p, segment_length(p), s, segment_length(s))) {
            p = next_segment(p);
            s = next_segment(s);
        } else if (has_deep) {
            if (!deep)
                return true; /* the end of the pattern: it matches the rest */
            given = next_segment(given);
            s = given;
            p = deep;
        } else {
            return false;
        }
    }
    while (p && is_deep(p))
        p = next_segment(p);
    return p == NULL;
}
