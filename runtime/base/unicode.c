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
