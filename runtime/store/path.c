/* path.c - building, escaping and comparing the paths of steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/path.h"

#include <string.h>

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_structure(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '/' || c == '[' || c == ']' || c == '@' || c == '%';
}

static void put_escaped(struct str *out, const char *name, bool colon_too)
{
    const char *from = name;

    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        char three[3];

        if (!is_structure(c) && !(colon_too && c == ':'))
            continue;
        str_append(out, from, (size_t)(p - from));
        three[0] = '%';
        three[1] = hex_digits[c >> 4];
        three[2] = hex_digits[c & 15];
        str_append(out, three, sizeof(three));
        from = p + 1;
    }
    str_puts(out, from);
}

/* The parent, and the '/' when there is one. */
static void begin(struct str *out, const char *parent)
{
    str_clear(out);
    if (parent && *parent) {
        str_puts(out, parent);
        str_putc(out, '/');
    }
}

void path_child(struct str *out, const char *parent, const char *name)
{
    begin(out, parent);
    put_escaped(out, name, true);
}

void path_index(struct str *out, const char *parent, int64_t i)
{
    str_clear(out);
    str_puts(out, parent ? parent : "");
    str_putc(out, '[');
    str_put_i64(out, i);
    str_putc(out, ']');
}

void path_attempt(struct str *out, const char *parent, int64_t k)
{
    str_clear(out);
    str_puts(out, parent ? parent : "");
    if (k == 0)
        return;
    str_putc(out, '@');
    str_put_i64(out, k);
}

void path_turn(struct str *out, const char *parent, int64_t n)
{
    begin(out, parent);
    str_puts(out, "turn:");
    str_put_i64(out, n);
}

void path_model(struct str *out, const char *parent, int64_t n)
{
    begin(out, parent);
    str_puts(out, "model:");
    str_put_i64(out, n);
}

void path_tool(struct str *out, const char *parent, int64_t n, const char *name)
{
    begin(out, parent);
    str_puts(out, "tool:");
    str_put_i64(out, n);
    str_putc(out, ':');
    put_escaped(out, name, false);
}

void path_escape(struct str *out, const char *name)
{
    put_escaped(out, name, false);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

void path_unescape(struct str *out, const char *segment, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int hi = -1, lo = -1;

        if (segment[i] == '%' && n - i > 2) {
            hi = hex_value(segment[i + 1]);
            lo = hex_value(segment[i + 2]);
        }
        if (hi < 0 || lo < 0) {
            str_putc(out, segment[i]);
            continue;
        }
        str_putc(out, (char)(hi * 16 + lo));
        i += 2;
    }
}

bool path_is_under(const char *path, const char *ancestor)
{
    size_t n;

    if (!ancestor || !*ancestor)
        return true;
    n = strlen(ancestor);
    if (strncmp(path, ancestor, n) != 0)
        return false;
    return path[n] == '\0' || path[n] == '/' || path[n] == '[' || path[n] == '@';
}

bool path_is_child(const char *path, const char *parent)
{
    size_t n = parent ? strlen(parent) : 0;

    if (n == 0)
        return *path && !strchr(path, '/');
    return strncmp(path, parent, n) == 0 && path[n] == '/' && path[n + 1] &&
           !strchr(path + n + 1, '/');
}

size_t path_parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) : 0;
}

const char *path_last(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int32_t path_depth(const char *path)
{
    int32_t n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}
