/* plot_svg.c - panels as one SVG document: no scripts, no fonts of its own, readable on light and
 * dark pages alike since it brings its own background. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>

#include "runtime/app/plot.h"
#include "runtime/app/plot_axis.h"

#define PANEL_W 440
#define PANEL_H 270
#define LEFT    52
#define RIGHT   14
#define TOP     34
#define BOTTOM  38
#define HEAD    34 /* above all panels */
#define LINE    15 /* of the legend */

/* Colours that those who see fewer of them can tell apart (Okabe and Ito 2008). */
static const char *const colour[PLOT_MAX_SERIES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                    "#e69f00", "#56b4e9", "#000000", "#999999"};

static void put_text(const char *text, struct str *out)
{
    for (; *text; text++) {
        if (*text == '<')
            str_puts(out, "&lt;");
        else if (*text == '&')
            str_puts(out, "&amp;");
        else
            str_putc(out, *text);
    }
}

static void put_label(double x, double y, const char *anchor, const char *text, struct str *out)
{
    str_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    put_text(text, out);
    str_puts(out, "</text>\n");
}

struct frame {
    const struct plot_panel *p;
    struct plot_range r;
    double x, y; /* of the panel's corner */
};

static double x_of(const struct frame *f, double x)
{
    return f->x + LEFT + plot_at_x(f->p, &f->r, x) * (PANEL_W - LEFT - RIGHT);
}

static double y_of(const struct frame *f, double y)
{
    return f->y + TOP + (1 - plot_at_y(&f->r, y)) * (PANEL_H - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten, so that about five lines fit. */
static double step_of(double span)
{
    double raw = span / 5, power = pow(10, floor(log10(raw))), times = raw / power;

    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void put_y_axis(const struct frame *f, struct str *out)
{
    double step = step_of(f->r.y1 - f->r.y0);
    char text[32];

    for (double v = ceil(f->r.y0 / step - 1e-9) * step; v <= f->r.y1 + step * 1e-9; v += step) {
        str_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
                   f->x + LEFT, y_of(f, v), f->x + PANEL_W - RIGHT, y_of(f, v));
        (void)snprintf(text, sizeof(text), "%g", fabs(v) < step * 1e-6 ? 0 : v);
        put_label(f->x + LEFT - 6, y_of(f, v) + 4, "end", text, out);
    }
}

static void put_x_axis(const struct frame *f, struct str *out)
{
    double step = f->p->log_x ? 1 : step_of(f->r.x1 - f->r.x0);
    char text[64];

    for (double v = ceil(f->r.x0 / step - 1e-9) * step; v <= f->r.x1 + step * 1e-9; v += step) {
        double x = f->p->log_x ? pow(10, v) : v;

        (void)snprintf(text, sizeof(text), "%g", x);
        put_label(x_of(f, x), f->y + PANEL_H - BOTTOM + 16, "middle", text, out);
    }
    put_label(f->x + LEFT + (PANEL_W - LEFT - RIGHT) / 2., f->y + PANEL_H - 6, "middle",
              f->p->x_name, out);
}

/* The band of the interval: along the upper bounds and back along the lower. */
static void put_interval(const struct frame *f, const struct plot_series *s, const char *fill,
                         struct str *out)
{
    bool any = false;

    for (int32_t k = 0; k < s->n; k++)
        any = any || !isnan(s->low[k]);
    if (!any)
        return;
    str_puts(out, "<polygon points=\"");
    for (int32_t k = 0; k < s->n; k++)
        if (!isnan(s->high[k]))
            str_printf(out, "%.1f,%.1f ", x_of(f, s->x[k]), y_of(f, s->high[k]));
    for (int32_t k = s->n - 1; k >= 0; k--)
        if (!isnan(s->low[k]))
            str_printf(out, "%.1f,%.1f ", x_of(f, s->x[k]), y_of(f, s->low[k]));
    str_printf(out, "\" fill=\"%s\" opacity=\"0.15\"/>\n", fill);
}

static void put_series(const struct frame *f, int32_t which, struct str *out)
{
    const struct plot_series *s = &f->p->series[which];
    const char *stroke = s->dashed ? "#777" : colour[which];

    put_interval(f, s, stroke, out);
    str_puts(out, "<polyline points=\"");
    for (int32_t k = 0; k < s->n; k++)
        if (!isnan(s->y[k]))
            str_printf(out, "%.1f,%.1f ", x_of(f, s->x[k]), y_of(f, s->y[k]));
    str_printf(out, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s/>\n", stroke,
               s->dashed ? " stroke-dasharray=\"5 4\"" : "");
    for (int32_t k = 0; k < s->n && s->n <= 20 && !s->dashed; k++)
        if (!isnan(s->y[k]))
            str_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n",
                       x_of(f, s->x[k]), y_of(f, s->y[k]), stroke);
}

static void put_legend(const struct frame *f, struct str *out)
{
    double y = f->y + PANEL_H - BOTTOM - 8 - LINE * (f->p->n - 1);

    for (int32_t i = 0; f->p->n > 1 && i < f->p->n; i++, y += LINE) {
        const struct plot_series *s = &f->p->series[i];

        str_printf(out,
                   "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                   "stroke-width=\"2\"%s/>\n",
                   f->x + LEFT + 10, y - 4, f->x + LEFT + 30, y - 4, s->dashed ? "#777" : colour[i],
                   s->dashed ? " stroke-dasharray=\"5 4\"" : "");
        put_label(f->x + LEFT + 36, y, "start", s->name, out);
    }
}

static void put_panel(const struct plot_panel *p, double x, double y, struct str *out)
{
    struct frame f = {.p = p, .r = plot_range_of(p), .x = x, .y = y};

    put_label(x + LEFT, y + TOP - 12, "start", p->title, out);
    put_y_axis(&f, out);
    put_x_axis(&f, out);
    str_printf(out,
               "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"none\" "
               "stroke=\"#888\"/>\n",
               x + LEFT, y + TOP, PANEL_W - LEFT - RIGHT, PANEL_H - TOP - BOTTOM);
    for (int32_t i = p->n - 1; i >= 0; i--)
        put_series(&f, i, out);
    put_legend(&f, out);
}

void plot_svg(const struct plot_panel *p, int32_t n, const char *title, struct str *out)
{
    int32_t shown = 0, columns, rows;

    for (int32_t i = 0; i < n; i++)
        shown += !plot_is_empty(&p[i]);
    columns = shown > 1 ? 2 : 1;
    rows = (shown + columns - 1) / columns;
    str_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
               columns * PANEL_W, rows * PANEL_H + HEAD, columns * PANEL_W, rows * PANEL_H + HEAD);
    str_puts(out, "<g font-size=\"15\">");
    put_label(LEFT, 22, "start", title, out);
    str_puts(out, "</g>\n");
    for (int32_t i = 0, k = 0; i < n; i++) {
        if (plot_is_empty(&p[i]))
            continue;
        put_panel(&p[i], k % columns * PANEL_W, HEAD + k / columns * PANEL_H, out);
        k++;
    }
    str_puts(out, "</svg>\n");
}
