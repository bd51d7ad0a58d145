/* jinja_text.c - characters, white space and searching.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_text.h"

#include <string.h>

#include "runtime/base/utf8.h"

static bool jinja_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t jinja_char_before(struct jinja_text t, size_t i)
{
    size_t back = i - 1;

    if (i == 0)
        return 0;
    while (back > 0 && i - back < 4 && ((unsigned char)t.p[back] & 0xc0) == 0x80)
        back--;
    return back;
}

static bool in_set(struct jinja_text t, size_t from, size_t to, const struct jinja_text *set)
{
    const unsigned char c = (unsigned char)t.p[from];
    size_t i = from;

    if (set == NULL)
        return jinja_is_space(c < 0x80 ? c : utf8_next(t.p, t.n, &i));
    return jinja_text_find(*set, (struct jinja_text){t.p + from, to - from}, 0) != (size_t)-1;
}

struct jinja_text jinja_strip(struct jinja_text t, const struct jinja_text *set, bool left,
                              bool right)
{
    size_t from = 0, to = t.n;

    while (left && from < to) {
        size_t next = from;

        if ((unsigned char)t.p[from] < 0x80)
            next++;
        else
            utf8_next(t.p, t.n, &next);
        if (!in_set(t, from, next, set))
            break;
        from = next;
    }
    while (right && to > from) {
        const size_t back = jinja_char_before(t, to);

        if (back < from || !in_set(t, back, to, set))
            break;
        to = back;
    }
    return (struct jinja_text){t.p + from, to - from};
}

size_t jinja_space_prefix(struct jinja_text t)
{
    return t.n - jinja_strip(t, NULL, true, false).n;
}

size_t jinja_space_suffix_start(struct jinja_text t)
{
    return jinja_strip(t, NULL, false, true).n;
}

size_t jinja_char_count(struct jinja_text t)
{
    size_t n = 0;

    for (size_t i = 0; i < t.n; i++)
        n += ((unsigned char)t.p[i] & 0xc0) != 0x80;
    return n;
}

size_t jinja_char_offset(struct jinja_text t, size_t i)
{
    size_t at = 0;

    while (at < t.n && i > 0) {
        at++;
        while (at < t.n && ((unsigned char)t.p[at] & 0xc0) == 0x80)
            at++;
        i--;
    }
    return at;
}

size_t jinja_text_find(struct jinja_text t, struct jinja_text what, size_t from)
{
    const char *found;

    if (from > t.n || what.n > t.n - from)
        return (size_t)-1;
    if (what.n == 0)
        return from;
    found = memmem(t.p + from, t.n - from, what.p, what.n);
    return found ? (size_t)(found - t.p) : (size_t)-1;
}

bool jinja_starts_with(struct jinja_text t, struct jinja_text with)
{
    return with.n <= t.n && (with.n == 0 || memcmp(t.p, with.p, with.n) == 0);
}

bool jinja_ends_with(struct jinja_text t, struct jinja_text with)
{
    return with.n <= t.n && (with.n == 0 || memcmp(t.p + t.n - with.n, with.p, with.n) == 0);
}
