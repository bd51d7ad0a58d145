/* plot.c - the series of a plot, and the plot as text: braille dots for a single curve (2 x 4 dots
 * a cell), a letter a curve where there are several. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/plot/plot.h"
#include "runtime/plot/plot_axis.h"

#define LABEL 9 /* columns of the numbers at the left */

struct plot_panel *plot_panel(struct plot_set *set, const char *title)
{
    struct plot_panel *p;

    for (int32_t i = 0; i < set->n; i++)
        if (strcmp(set->panel[i].title, title) == 0)
            return &set->panel[i];
    if (set->n == PLOT_MAX_PANELS)
        return NULL;
    p = &set->panel[set->n++];
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->title, sizeof(p->title), "%s", title);
    return p;
}

struct plot_series *plot_series(struct plot_panel *p, const char *name)
{
    struct plot_series *s;

    for (int32_t i = 0; i < p->n; i++)
        if (strcmp(p->series[i].name, name) == 0)
            return &p->series[i];
    if (p->n == PLOT_MAX_SERIES)
        return NULL;
    s = &p->series[p->n++];
    memset(s, 0, sizeof(*s));
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    return s;
}

void plot_add_interval(struct plot_series *s, double x, double y, double low, double high)
{
    int32_t at;

    if (!s)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * (size_t)s->cap : 64;

        s->cap = (int32_t)cap;
        s->x = xrealloc(s->x, cap * sizeof(double));
        s->y = xrealloc(s->y, cap * sizeof(double));
        s->low = xrealloc(s->low, cap * sizeof(double));
        s->high = xrealloc(s->high, cap * sizeof(double));
    }
    for (at = s->n++; at > 0 && s->x[at - 1] > x; at--) {
        s->x[at] = s->x[at - 1];
        s->y[at] = s->y[at - 1];
        s->low[at] = s->low[at - 1];
        s->high[at] = s->high[at - 1];
    }
    s->x[at] = x;
    s->y[at] = y;
    s->low[at] = low;
    s->high[at] = high;
}

void plot_add(struct plot_series *s, double x, double y)
{
    plot_add_interval(s, x, y, NAN, NAN);
}

bool plot_is_empty(const struct plot_panel *p)
{
    for (int32_t i = 0; i < p->n; i++)
        for (int32_t k = 0; k < p->series[i].n; k++)
            if (!isnan(p->series[i].y[k]))
                return false;
    return true;
}

void plot_set_deinit(struct plot_set *set)
{
    for (int32_t k = 0; k < set->n; k++)
        for (int32_t i = 0; i < set->panel[k].n; i++) {
            free(set->panel[k].series[i].x);
            free(set->panel[k].series[i].y);
            free(set->panel[k].series[i].low);
            free(set->panel[k].series[i].high);
        }
    memset(set, 0, sizeof(*set));
}

/* ---- ranges, for text and picture */

static double place(double v, bool log_scale)
{
    return log_scale ? log10(v > 0 ? v : 1e-12) : v;
}

struct plot_range plot_range_of(const struct plot_panel *p)
{
    struct plot_range r = {INFINITY, -INFINITY, INFINITY, -INFINITY};

    for (int32_t i = 0; i < p->n; i++) {
        const struct plot_series *s = &p->series[i];

        for (int32_t k = 0; k < s->n; k++) {
            double x = place(s->x[k], p->log_x);

            if (isnan(s->y[k]))
                continue;
            r.x0 = fmin(r.x0, x);
            r.x1 = fmax(r.x1, x);
            r.y0 = fmin(r.y0, s->y[k]);
            r.y1 = fmax(r.y1, s->y[k]);
        }
    }
    if (p->unit_y) {
        r.y0 = 0;
        r.y1 = 1;
    }
    if (!(r.x1 > r.x0))
        r.x1 = r.x0 + 1;
    if (!(r.y1 > r.y0))
        r.y1 = r.y0 + 1;
    return r;
}

double plot_at_x(const struct plot_panel *p, const struct plot_range *r, double x)
{
    return (place(x, p->log_x) - r->x0) / (r->x1 - r->x0);
}

double plot_at_y(const struct plot_range *r, double y)
{
    double at = (y - r->y0) / (r->y1 - r->y0);

    return at < 0 ? 0 : at > 1 ? 1 : at;
}

/* ---- text */

struct canvas {
    int32_t columns, rows;
    bool dots;
    uint8_t *cell; /* (rows, columns) braille bits, or the letter */
};

static void put_dot(struct canvas *c, int32_t x, int32_t y, char letter)
{
    static const uint8_t bit[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    int32_t wide = c->dots ? 2 : 1, high = c->dots ? 4 : 1;
    uint8_t *cell;

    if (x < 0 || y < 0 || x >= c->columns * wide || y >= c->rows * high)
        return;
    cell = &c->cell[(size_t)(y / high) * (size_t)c->columns + (size_t)(x / wide)];
    if (c->dots)
        *cell |= bit[y % 4][x % 2];
    else
        *cell = (uint8_t)letter;
}

/* From point to point, at least one dot a column. */
static void draw_line(struct canvas *c, double x0, double y0, double x1, double y1, char letter)
{
    double wide = c->columns * (c->dots ? 2 : 1) - 1, high = c->rows * (c->dots ? 4 : 1) - 1;
    double dx = (x1 - x0) * wide, dy = (y1 - y0) * high;
    int32_t n = (int32_t)ceil(fmax(fabs(dx), fabs(dy)));

    for (int32_t i = 0; i <= n; i++) {
        double at = n > 0 ? (double)i / n : 0;

        put_dot(c, (int32_t)lround(x0 * wide + at * dx), (int32_t)lround((1 - y0) * high - at * dy),
                letter);
    }
}

static void draw_series(struct canvas *c, const struct plot_panel *p, const struct plot_range *r,
                        int32_t which)
{
    const struct plot_series *s = &p->series[which];
    double x0 = NAN, y0 = NAN;

    for (int32_t k = 0; k < s->n; k++) {
        double x = plot_at_x(p, r, s->x[k]), y = plot_at_y(r, s->y[k]);

        if (isnan(s->y[k]))
            continue;
        draw_line(c, isnan(x0) ? x : x0, isnan(x0) ? y : y0, x, y,
                  s->dashed ? '.' : (char)('a' + which));
        x0 = x;
        y0 = y;
    }
}

static void put_cell(uint8_t cell, bool dots, struct str *out)
{
    if (!dots) {
        str_putc(out, cell ? (char)cell : ' ');
        return;
    }
    /* U+2800 and the bits, as UTF-8. */
    str_putc(out, (char)0xe2);
    str_putc(out, (char)(0xa0 | cell >> 6));
    str_putc(out, (char)(0x80 | (cell & 63)));
}

static void put_axis(const struct plot_panel *p, const struct plot_range *r, int32_t columns,
                     struct str *out)
{
    char left[32], right[64];
    int32_t gap;

    (void)snprintf(left, sizeof(left), "%g", p->log_x ? pow(10, r->x0) : r->x0);
    (void)snprintf(right, sizeof(right), "%s %g", p->x_name, p->log_x ? pow(10, r->x1) : r->x1);
    gap = columns - (int32_t)strlen(left) - (int32_t)strlen(right);
    str_printf(out, "%*s%s%*s%s\n", LABEL + 2, "", left, gap > 1 ? gap : 1, "", right);
}

void plot_text(const struct plot_panel *p, int32_t width, int32_t height, struct str *out)
{
    struct plot_range r = plot_range_of(p);
    struct canvas c = {.columns = width - LABEL - 2, .rows = height, .dots = p->n == 1};

    if (plot_is_empty(p) || c.columns < 8 || c.rows < 2)
        return;
    c.cell = xcalloc((size_t)c.columns * (size_t)c.rows, 1);
    for (int32_t i = p->n - 1; i >= 0; i--) /* the first is on top */
        draw_series(&c, p, &r, i);
    str_printf(out, "%s\n", p->title);
    for (int32_t y = 0; y < c.rows; y++) {
        if (y == 0 || y == c.rows - 1)
            str_printf(out, "%*.4g |", LABEL, y == 0 ? r.y1 : r.y0);
        else
            str_printf(out, "%*s |", LABEL, "");
        for (int32_t x = 0; x < c.columns; x++)
            put_cell(c.cell[(size_t)y * (size_t)c.columns + (size_t)x], c.dots, out);
        str_putc(out, '\n');
    }
    put_axis(p, &r, c.columns, out);
    for (int32_t i = 0; p->n > 1 && i < p->n; i++)
        str_printf(out, "%*s%c %s\n", LABEL + 2, "", p->series[i].dashed ? '.' : 'a' + i,
                   p->series[i].name);
    free(c.cell);
}
