/* text.c - UTF-8: checking, cleaning, widths and NFC. Numbers are in text_number.c.
 *
 * Valid is what the Unicode standard (table 3-7) calls well-formed: no overlong
 * forms, no surrogates, nothing above U+10FFFF.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT 0xfffdU

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Length of the well-formed sequence at p, or 0. */
static size_t sequence_len(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c < 0xe0)
        return n >= 2 && continues(p[1]) ? 2 : 0;
    if (c < 0xf0) {
        unsigned char low = c == 0xe0 ? 0xa0 : 0x80;
        unsigned char high = c == 0xed ? 0x9f : 0xbf;

        return n >= 3 && p[1] >= low && p[1] <= high && continues(p[2]) ? 3 : 0;
    } else {
        unsigned char low = c == 0xf0 ? 0x90 : 0x80;
        unsigned char high = c == 0xf4 ? 0x8f : 0xbf;

        return n >= 4 && p[1] >= low && p[1] <= high && continues(p[2]) && continues(p[3]) ? 4 : 0;
    }
}

/* Length of the ASCII at the start, eight bytes at a time. */
static size_t ascii_prefix(const char *bytes, size_t n)
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

    while ((i += ascii_prefix(bytes + i, n - i)) < n) {
        size_t len = sequence_len((const unsigned char *)bytes + i, n - i);

        if (len == 0)
            break;
        i += len;
    }
    return i;
}

void utf8_clean(const char *bytes, size_t n, struct str *out)
{
    size_t i = 0;

    while (i < n) {
        size_t valid = utf8_valid_prefix(bytes + i, n - i);

        str_append(out, bytes + i, valid);
        i += valid;
        if (i < n) {
            utf8_put(out, REPLACEMENT);
            i++;
        }
    }
}

uint32_t utf8_next(const char *bytes, size_t n, size_t *i)
{
    const unsigned char *p = (const unsigned char *)bytes + *i;
    size_t len = sequence_len(p, n - *i);

    *i += len ? len : 1;
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
        return REPLACEMENT;
    }
}

void utf8_put(struct str *out, uint32_t code_point)
{
    uint32_t c = code_point;
    char text[4];
    size_t n;

    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = REPLACEMENT;
    if (c < 0x80) {
        text[0] = (char)c;
        n = 1;
    } else if (c < 0x800) {
        text[0] = (char)(0xc0 | c >> 6);
        n = 2;
    } else if (c < 0x10000) {
        text[0] = (char)(0xe0 | c >> 12);
        n = 3;
    } else {
        text[0] = (char)(0xf0 | c >> 18);
        n = 4;
    }
    for (size_t i = 1; i < n; i++)
        text[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    str_append(out, text, n);
}

size_t utf8_width(const char *bytes, size_t n)
{
    size_t width = 0;
    size_t i = 0;

    while (i < n) {
        uint32_t c = utf8_next(bytes, n, &i);
        int columns = utf8proc_charwidth((utf8proc_int32_t)c);

        if (columns > 0)
            width += (size_t)columns;
    }
    return width;
}

enum status utf8_nfc(const char *bytes, size_t n, struct str *out, struct error *err)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t len;

    if (ascii_prefix(bytes, n) == n) {
        str_append(out, bytes, n);
    } else {
        if (n > (size_t)1 << 30)
            return error_set(err, STATUS_LIMIT, "text of %zu bytes is too long to normalise", n);
        /* With a length and without NULLTERM a NUL is a character like any other. */
        len = utf8proc_map((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)n, &composed,
                           UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        if (len == UTF8PROC_ERROR_NOMEM)
            return error_set(err, STATUS_NO_MEMORY, "no memory to normalise %zu bytes", n);
        if (len < 0)
            return error_set(err, STATUS_INVALID, "text is not valid UTF-8");
        str_append(out, (const char *)composed, (size_t)len);
        free(composed);
    }
    if (!str_ok(out))
        return error_set(err, STATUS_NO_MEMORY, "no room for %zu bytes of normalised text", n);
    return STATUS_OK;
}
