/* table.c - see table.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/time_text.h"
#include "runtime/base/unicode.h"

struct table {
    int32_t n;
    size_t *width;
    bool *right, *shown;
    char **cell; /* (n_rows + 1) * n; the first row is the header */
    size_t n_rows;
};

static void put_row(struct table *t, const char *const *cells)
{
    size_t base = t->n_rows * (size_t)t->n;

    t->cell = xrealloc(t->cell, (base + (size_t)t->n) * sizeof(*t->cell));
    for (int32_t i = 0; i < t->n; i++) {
        size_t w = utf8_width(cells[i], strlen(cells[i]));
        t->cell[base + (size_t)i] = xstrdup(cells[i]);
        if (w > t->width[i])
            t->width[i] = w;
        if (t->n_rows > 0 && strcmp(cells[i], "-") != 0)
            t->shown[i] = true;
    }
    t->n_rows++;
}

struct table *table_new(const char *const *columns, int32_t n)
{
    struct table *t = xcalloc(1, sizeof(*t));
    const char **names = xcalloc((size_t)n, sizeof(*names));

    t->n = n;
    t->width = xcalloc((size_t)n, sizeof(*t->width));
    t->right = xcalloc((size_t)n, sizeof(*t->right));
    t->shown = xcalloc((size_t)n, sizeof(*t->shown));
    for (int32_t i = 0; i < n; i++) {
        t->shown[i] = columns[i][0] != '?';
        names[i] = columns[i] + (t->shown[i] ? 0 : 1);
        t->right[i] = names[i][0] == '>';
        names[i] += t->right[i] ? 1 : 0;
    }
    put_row(t, names);
    free(names);
    return t;
}

void table_row(struct table *t, const char *const *cells)
{
    put_row(t, cells);
}

void table_write(const struct table *t, struct str *out)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        for (int32_t i = 0; i < t->n; i++) {
            const char *cell = t->cell[r * (size_t)t->n + (size_t)i];
            size_t pad = t->width[i] - utf8_width(cell, strlen(cell));
            if (!t->shown[i])
                continue;
            if (i > 0)
                str_puts(out, "  ");
            for (size_t k = 0; t->right[i] && k < pad; k++)
                str_putc(out, ' ');
            str_puts(out, cell);
            for (size_t k = 0; !t->right[i] && i + 1 < t->n && k < pad; k++)
                str_putc(out, ' ');
        }
        str_putc(out, '\n');
    }
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_rows * (size_t)t->n; i++)
        free(t->cell[i]);
    free(t->cell);
    free(t->width);
    free(t->right);
    free(t->shown);
    free(t);
}

void format_duration_ms(int64_t ms, char *out, size_t n)
{
    long long s = ms / 1000;

    if (ms < 0)
        snprintf(out, n, "-");
    else if (ms < 10000)
        snprintf(out, n, "%.2f s", (double)ms / 1000);
    else if (s < 60)
        snprintf(out, n, "%lld s", s);
    else if (s < 3600)
        snprintf(out, n, "%lld m %02lld s", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(out, n, "%lld h %02lld m", s / 3600, s / 60 % 60);
    else
        snprintf(out, n, "%lld d %02lld h", s / 86400, s / 3600 % 24);
}

void format_time_ms(int64_t ms, char *out, size_t n)
{
    struct str text = STR_INIT;

    if (ms > 0)
        time_put_local(&text, ms);
    snprintf(out, n, "%s", ms > 0 ? str_cstr(&text) : "-");
    str_deinit(&text);
}

void format_one_line(const char *text, size_t width, struct str *out)
{
    size_t n = strlen(text), i = 0, columns = 0;

    while (i < n) {
        size_t from = i;
        uint32_t c = utf8_next(text, n, &i);
        size_t w = c < 32 || c == 127 ? 1 : utf8_width(text + from, i - from);
        if (columns + w > width - (width > 3 ? 3 : 0) && i < n) {
            str_puts(out, "...");
            return;
        }
        if (c < 32 || c == 127)
            str_putc(out, ' ');
        else
            utf8_put(out, c);
        columns += w;
    }
}
