/* header_text.c - see header_text.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/header_text.h"

#include <string.h>

#include "runtime/base/base64.h"

#define WRAP_BEGIN "=?base64?"
#define WRAP_END   "?="

static bool looks_wrapped(const char *text, size_t n)
{
    size_t begin = strlen(WRAP_BEGIN), end = strlen(WRAP_END);

    return n >= begin + end && memcmp(text, WRAP_BEGIN, begin) == 0 &&
           memcmp(text + n - end, WRAP_END, end) == 0;
}

static bool is_plain(const char *text, size_t n)
{
    if (n == 0 || text[0] == ' ' || text[n - 1] == ' ' || looks_wrapped(text, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return false;
    }
    return true;
}

void header_text_put(struct str *out, const char *utf8, size_t n)
{
    if (is_plain(utf8, n)) {
        str_append(out, utf8, n);
        return;
    }
    str_puts(out, WRAP_BEGIN);
    base64_put(out, utf8, n);
    str_puts(out, WRAP_END);
}

bool header_text_read(const char *field, struct str *out)
{
    size_t n = strlen(field), begin = strlen(WRAP_BEGIN);

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)field[i];

        if (c >= 0x7f || (c < 0x20 && c != '\t'))
            return false;
    }
    if (looks_wrapped(field, n))
        return base64_decode(field + begin, n - begin - strlen(WRAP_END), out);
    str_append(out, field, n);
    return true;
}
