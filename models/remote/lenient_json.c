/* lenient_json.c - see lenient_json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/lenient_json.h"

#include <string.h>

#include "runtime/base/unicode.h"

/* The code unit of an escape "\uXXXX" at p, or -1. */
static int32_t unit_at(const char *p, size_t n)
{
    int32_t unit = 0;

    if (n < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        unit = 16 * unit + digit;
    }
    return unit;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* A backslash is only part of a string in JSON, so that the text needs no other parsing here. */
static void mend_escapes(const char *p, size_t n, struct str *out)
{
    while (n > 0) {
        const char *at = memchr(p, '\\', n);
        size_t plain = at ? (size_t)(at - p) : n, take = 2;
        int32_t unit;

        str_append(out, p, plain);
        p += plain;
        n -= plain;
        if (n == 0)
            return;
        unit = unit_at(p, n);
        if (is_high(unit) && is_low(unit_at(p + 6, n - 6)))
            take = 12;
        else if (unit >= 0)
            take = 6;
        if (take == 6 && (unit == 0 || is_high(unit) || is_low(unit)))
            str_puts(out, "\\ufffd");
        else
            str_append(out, p, take < n ? take : n);
        p += take < n ? take : n;
        n -= take < n ? take : n;
    }
}

enum status lenient_json(const char *bytes, size_t n, const char *name, struct json **out,
                         struct error *err)
{
    struct str clean = STR_INIT, mended = STR_INIT;
    enum status st;

    utf8_clean(bytes, n, &clean);
    if (str_ok(&clean))
        mend_escapes(str_cstr(&clean), clean.len, &mended);
    if (!str_ok(&clean) || !str_ok(&mended))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", n);
    else
        st = jv_parse_max(str_cstr(&mended), mended.len, STR_MAX_DEFAULT, name, out, err);
    str_deinit(&clean);
    str_deinit(&mended);
    return st;
}
