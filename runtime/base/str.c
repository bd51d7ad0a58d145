/* str.c - the growable byte string, and text put into it as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#define STR_FIRST_CAP 64

void str_init(struct str *s, size_t max_bytes)
{
    *s = (struct str){.max = max_bytes};
}

void str_deinit(struct str *s)
{
    free(s->data);
    *s = (struct str){.max = s->max};
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->data)
        s->data[0] = '\0';
}

bool str_ok(const struct str *s)
{
    return !s->failed;
}

const char *str_cstr(const struct str *s)
{
    return s->data ? s->data : "";
}

char *str_take(struct str *s)
{
    char *text = s->data ? s->data : xstrdup("");

    *s = (struct str){.max = s->max};
    return text;
}

/* Room for n more bytes and the NUL. A failure is permanent: later appends fail
 * as well. */
static bool str_reserve(struct str *s, size_t n)
{
    size_t cap;

    if (s->failed)
        return false;
    if (n > s->max || s->len > s->max - n) {
        s->failed = true;
        return false;
    }
    if (n < s->cap && s->len < s->cap - n)
        return true;
    cap = s->cap ? s->cap : STR_FIRST_CAP;
    while (cap <= s->len + n)
        cap = cap > SIZE_MAX / 2 ? s->len + n + 1 : cap * 2;
    if (!mem_grow((void **)&s->data, cap, 1)) {
        s->failed = true;
        return false;
    }
    s->cap = cap;
    return true;
}

void str_expect(struct str *s, size_t n)
{
    if (n <= s->max && s->len <= s->max - n)
        (void)str_reserve(s, n);
}

void str_append(struct str *s, const char *bytes, size_t n)
{
    if (!str_reserve(s, n))
        return;
    if (n)
        memcpy(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void str_puts(struct str *s, const char *text)
{
    str_append(s, text, strlen(text));
}

void str_putc(struct str *s, char c)
{
    if (!str_reserve(s, 1))
        return;
    s->data[s->len++] = c;
    s->data[s->len] = '\0';
}

void str_printf(struct str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(s, fmt, ap);
    va_end(ap);
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
    va_list again;
    size_t room;
    int n;

    if (!str_reserve(s, 0))
        return;
    room = s->cap - s->len;
    va_copy(again, ap);
    n = vsnprintf(s->data + s->len, room, fmt, ap);
    if (n < 0)
        s->failed = true;
    else if (str_reserve(s, (size_t)n) && (size_t)n >= room)
        vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
    va_end(again);
    if (!s->failed)
        s->len += (size_t)n;
    s->data[s->len] = '\0';
}

/* A character that JSON requires to be escaped. */
static void put_escape(struct str *s, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    char letter = 0;

    switch (c) {
    case '"':
    case '\\':
        letter = (char)c;
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        break;
    }
    if (letter) {
        text[1] = letter;
        str_append(s, text, 2);
    } else {
        str_append(s, text, sizeof(text));
    }
}

void str_put_json_string(struct str *s, const char *utf8, size_t n)
{
    size_t from = 0; /* what is not yet copied begins here */
    size_t i = 0;

    str_putc(s, '"');
    while (i < n) {
        unsigned char c = (unsigned char)utf8[i];
        size_t at = i;

        if (c >= 0x80) {
            /* What is not UTF-8 must not reach a peer as JSON. */
            bool is_text = utf8_next(utf8, n, &i) != UTF8_REPLACEMENT;

            if (is_text || (i - at == 3 && memcmp(utf8 + at, "\xef\xbf\xbd", 3) == 0))
                continue;
            str_append(s, utf8 + from, at - from);
            str_append(s, "\xef\xbf\xbd", 3);
            from = i;
            continue;
        }
        i++;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        str_append(s, utf8 + from, at - from);
        put_escape(s, c);
        from = i;
    }
    str_append(s, utf8 + from, n - from);
    str_putc(s, '"');
}
