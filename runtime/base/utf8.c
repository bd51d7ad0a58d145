/* utf8.c - UTF-8: checking, reading and writing one character.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/utf8.h"

#include <string.h>

/* What a lead byte asks for: the length of its sequence (0: no lead byte) and the range of the
 * second byte; all others are 80..BF. Table 3-7 of the Unicode standard. */
struct lead {
    unsigned char len, low, high;
};

static struct lead lead_of(unsigned char c)
{
    if (c < 0x80)
        return (struct lead){1, 0, 0};
    if (c < 0xc2 || c > 0xf4)
        return (struct lead){0, 0, 0};
    if (c < 0xe0)
        return (struct lead){2, 0x80, 0xbf};
    if (c < 0xf0)
        return (struct lead){3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    return (struct lead){4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
}

/* How many bytes of p[0..n), n > 0, the sequence that begins there has, up to its length. */
static size_t matching(const unsigned char *p, size_t n, struct lead lead)
{
    size_t i = 1;

    if (n < 2 || lead.len < 2 || p[1] < lead.low || p[1] > lead.high)
        return 1;
    for (i = 2; i < lead.len && i < n && (p[i] & 0xc0) == 0x80;)
        i++;
    return i;
}

/* Length of the valid sequence at p, or 0. */
static size_t sequence_len(const unsigned char *p, size_t n)
{
    struct lead lead = lead_of(p[0]);

    return lead.len && matching(p, n, lead) == lead.len ? lead.len : 0;
}

/* Eight bytes at a time. */
size_t utf8_ascii_prefix(const char *bytes, size_t n)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        uint64_t word;

        memcpy(&word, bytes + i, sizeof(word));
        if (word & 0x8080808080808080U)
            break;
    }
    while (i < n && (unsigned char)bytes[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_prefix(const char *bytes, size_t n)
{
    size_t i = 0;

    while ((i += utf8_ascii_prefix(bytes + i, n - i)) < n) {
        size_t len = sequence_len((const unsigned char *)bytes + i, n - i);

        if (len == 0)
            break;
        i += len;
    }
    return i;
}

size_t utf8_text_prefix(const char *bytes, size_t n)
{
    size_t valid = utf8_valid_prefix(bytes, n);
    const char *nul = valid ? memchr(bytes, '\0', valid) : NULL;

    return nul ? (size_t)(nul - bytes) : valid;
}

void utf8_place(const char *bytes, size_t offset, long *line, long *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)bytes[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

size_t utf8_invalid_prefix(const char *bytes, size_t n, bool *cut)
{
    const unsigned char *p = (const unsigned char *)bytes;
    struct lead lead = lead_of(p[0]);
    size_t len = matching(p, n, lead);

    *cut = lead.len > len && len == n;
    return len;
}

uint32_t utf8_next(const char *bytes, size_t n, size_t *i)
{
    const unsigned char *p = (const unsigned char *)bytes + *i;
    size_t len = sequence_len(p, n - *i);
    bool cut;

    *i += len ? len : utf8_invalid_prefix((const char *)p, n - *i, &cut);
    switch (len) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
    case 3:
        return (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
    case 4:
        return (p[0] & 0x07U) << 18 | (p[1] & 0x3fU) << 12 | (p[2] & 0x3fU) << 6 | (p[3] & 0x3fU);
    default:
        return UTF8_REPLACEMENT;
    }
}

size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX_BYTES])
{
    uint32_t c = code_point;
    size_t n;

    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = UTF8_REPLACEMENT;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c >> (6 * (n - 1)));
    for (size_t i = 1; i < n; i++)
        out[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    return n;
}

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

size_t utf8_space_after(const char *bytes, size_t n, size_t i)
{
    while (i < n) {
        size_t next = i;

        if (!is_space(utf8_next(bytes, n, &next)))
            break;
        i = next;
    }
    return i;
}

size_t utf8_space_before(const char *bytes, size_t from, size_t i)
{
    while (i > from) {
        size_t back = i - 1, next;

        while (back > from && i - back < UTF8_MAX_BYTES && ((uint8_t)bytes[back] & 0xc0) == 0x80)
            back--;
        next = back;
        if (!is_space(utf8_next(bytes, i, &next)) || next != i)
            break;
        i = back;
    }
    return i;
}
