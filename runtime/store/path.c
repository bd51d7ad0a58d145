/* path.c - building, escaping and comparing the paths of steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/path.h"

#include <stdlib.h>
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

bool path_each_around(const char *path,
                      bool (*fn)(void *ctx, const char *path, size_t n, int64_t attempt), void *ctx)
{
    for (size_t n = 1; path[0] && path[n]; n++) {
        int64_t attempt = path[n] == '@' ? strtoll(path + n + 1, NULL, 10) : 0;

        if (strchr("/[@", path[n]) && !fn(ctx, path, n, attempt))
            return false;
    }
    return true;
}

const char *path_last(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}
