/* unicode.c - replacement of invalid bytes, and width. NFC is in unicode_nfc.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/unicode.h"

#include <utf8proc.h>

void utf8_put(struct str *out, uint32_t code_point)
{
    char text[UTF8_MAX_BYTES];

    str_append(out, text, utf8_encode(code_point, text));
}

void utf8_clean(const char *bytes, size_t n, struct str *out)
{
    size_t i = 0;

    while (i < n) {
        size_t valid = utf8_valid_prefix(bytes + i, n - i);
        bool cut;

        str_append(out, bytes + i, valid);
        i += valid;
        if (i < n) {
            utf8_put(out, UTF8_REPLACEMENT);
            i += utf8_invalid_prefix(bytes + i, n - i, &cut);
        }
    }
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

/* Letters that are symbols: circled and squared ones. */
static bool is_enclosed_letter(uint32_t c)
{
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
           (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}

bool utf8_is_word(uint32_t code_point)
{
    switch (utf8proc_category((utf8proc_int32_t)code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return code_point == 0x200c || code_point == 0x200d || is_enclosed_letter(code_point);
    }
}
