/* base64.c - see base64.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char plain_digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put(struct str *out, const uint8_t *byte, size_t n, const char *digit)
{
    unsigned bits = 0, n_bits = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | byte[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            str_putc(out, digit[bits >> (n_bits - 6) & 63]);
    }
    if (n_bits > 0)
        str_putc(out, digit[bits << (6 - n_bits) & 63]);
}

void base64_put(struct str *out, const void *bytes, size_t n)
{
    put(out, bytes, n, plain_digit);
    str_append(out, "==", (3 - n % 3) % 3);
}

void base64url_put(struct str *out, const void *bytes, size_t n)
{
    put(out, bytes, n, url_digit);
}

static bool decode(const char *text, size_t n, const char *digit, struct str *out)
{
    size_t before = out->len;
    unsigned bits = 0, n_bits = 0;
    bool valid = n % 4 != 1;

    for (size_t i = 0; i < n && valid; i++) {
        const char *at = text[i] ? strchr(digit, text[i]) : NULL;

        valid = at != NULL;
        if (!valid)
            break;
        bits = bits << 6 | (unsigned)(at - digit);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            str_putc(out, (char)(uint8_t)(bits >> n_bits & 255));
        }
    }
    if (valid && (bits & ((1U << n_bits) - 1)) == 0)
        return true;
    if (out->len > before) {
        out->len = before;
        out->data[before] = '\0';
    }
    return false;
}

bool base64url_decode(const char *text, size_t n, struct str *out)
{
    return decode(text, n, url_digit, out);
}

bool base64_decode(const char *text, size_t n, struct str *out)
{
    size_t padding = 0;

    if (n % 4 != 0)
        return false;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
        padding++;
    return decode(text, n - padding, plain_digit, out);
}
