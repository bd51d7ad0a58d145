/* byte_chars.c - the map between bytes and their printable characters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/byte_chars.h"

#include <stdbool.h>

/* '!'..'~', U+00A1..U+00AC, U+00AE..U+00FF. */
static bool is_printable_byte(uint32_t c)
{
    return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

uint32_t byte_char_of(uint8_t byte)
{
    if (is_printable_byte(byte))
        return byte;
    if (byte <= 32)
        return 256u + byte; /* 0..32 are the first 33 */
    if (byte <= 160)
        return 256u + 33u + (byte - 127u); /* 127..160 the next 34 */
    return 256u + 67u;                     /* 173 */
}

int byte_of_char(uint32_t c)
{
    if (is_printable_byte(c))
        return (int)c;
    if (c < 256 || c > 256 + 67)
        return -1;
    c -= 256;
    return (int)(c <= 32 ? c : c <= 66 ? c - 33 + 127 : 173);
}
