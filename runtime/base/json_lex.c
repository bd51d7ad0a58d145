/* json_lex.c - see json_lex.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_lex.h"

#include <string.h>

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

const char *json_lex_number(const char *at, const char *end, bool *is_real)
{
    const char *p = at + (*at == '-'), *from = p;

    *is_real = false;
    p = digits_end(p, end);
    if (p == from || (*from == '0' && p > from + 1))
        return NULL;
    if (p < end && *p == '.') {
        *is_real = true;
        from = ++p;
        p = digits_end(p, end);
        if (p == from)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *is_real = true;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        from = p;
        p = digits_end(p, end);
        if (p == from)
            return NULL;
    }
    return p;
}

/* Four hexadecimal digits; -1: they are not. */
static int32_t read_hex(const char **at, const char *end)
{
    int32_t v = 0;

    if (end - *at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *(*at)++;

        if (c >= '0' && c <= '9')
            v = v * 16 + c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + (c | 32) - 'a' + 10;
        else
            return -1;
    }
    return v;
}

/* After "\u". */
static bool read_unicode(const char **at, const char *end, uint32_t *code)
{
    int32_t c = read_hex(at, end), low;

    if (c >= 0xd800 && c < 0xdc00) {
        if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return false;
        *at += 2;
        low = read_hex(at, end);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c <= 0 || (c >= 0xdc00 && c < 0xe000)) {
        return false;
    }
    *code = (uint32_t)c;
    return true;
}

bool json_lex_escape(const char **at, const char *end, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (*at == end)
        return false;
    c = *(*at)++;
    if (c == 'u')
        return read_unicode(at, end, code);
    found = c ? strchr(letters, c) : NULL;
    if (found)
        *code = (uint32_t)(unsigned char)values[found - letters];
    return found != NULL;
}
