/* plot_layout.c - panels as shapes: titles, legends, axes, curves. One panel is drawn large;
 * several are drawn in two columns. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/plot/plot_axis.h"
#include "runtime/plot/plot_scene.h"
#include "runtime/plot/stroke_font.h"

#define LEFT   58 /* of the frame, for the numbers */
#define RIGHT  22
#define BOTTOM 46
#define HEAD   40 /* for the set's title */
#define LINE   18 /* of the legend */
#define SAMPLE 26 /* of a curve in the legend, with the gap after it */
#define GAP    20 /* between entries */
#define CAP    3.5

#define MAX_NAMED 10
#define ROOM      32 /* between numbers of the axis */

#define TITLE_SIZE 14.
#define NOTE_SIZE  11.5
#define TEXT_SIZE  12.

struct frame {
    const struct plot_panel *p;
    struct plot_range r;
    double x0, y0, x1, y1; /* where curves are drawn, y0 above */
    double left, width;    /* of the panel */
    struct plot_scene *out;
};

static double x_of(const struct frame *f, double x)
{
    return f->x0 + plot_at_x(f->p, &f->r, x) * (f->x1 - f->x0);
}

static double y_of(const struct frame *f, double y)
{
    return f->y1 - plot_at_y(&f->r, y) * (f->y1 - f->y0);
}

static int32_t ink_of(const struct frame *f, int32_t which)
{
    int32_t n = 0;

    if (f->p->series[which].dashed)
        return PLOT_INK_QUIET;
    for (int32_t i = 0; i < which; i++)
        n += !f->p->series[i].dashed;
    return PLOT_INK_SERIES + n % (PLOT_N_INKS - PLOT_INK_SERIES);
}

/* ---- axes */

/* 1, 2 or 5 times a power of ten, so that about five lines fit. */
static double step_of(double span)
{
    double raw = span / 5, power = pow(10, floor(log10(raw))), times = raw / power;

    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void put_y_axis(const struct frame *f)
{
    double step = step_of(f->r.y1 - f->r.y0);
    char text[32];

    for (double v = ceil(f->r.y0 / step - 1e-9) * step; v <= f->r.y1 + step * 1e-9; v += step) {
        double y = y_of(f, v), value = fabs(v) < step * 1e-6 ? 0 : v; /* no -0 */

        (void)plot_scene_line(f->out, f->x0, y, f->x1, y, PLOT_INK_GRID, 1);
        if (f->p->unit_y)
            (void)snprintf(text, sizeof(text), "%.0f %%", 100 * value);
        else
            (void)snprintf(text, sizeof(text), "%g", value);
        (void)plot_scene_text(f->out, f->x0 - 10, y + 4, TEXT_SIZE, PLOT_END, PLOT_INK_QUIET, text);
    }
}

static void put_x_tick(const struct frame *f, double x, bool named)
{
    char text[32];

    (void)plot_scene_line(f->out, x_of(f, x), f->y1, x_of(f, x), f->y1 + (named ? 5 : 3),
                          PLOT_INK_AXIS, 1);
    if (!named)
        return;
    (void)snprintf(text, sizeof(text), "%.10g", x);
    (void)plot_scene_text(f->out, x_of(f, x), f->y1 + 18, TEXT_SIZE, PLOT_MIDDLE, PLOT_INK_QUIET,
                          text);
}

/* Each decade at 1 and 3, over a short range at 1, 2 and 5, over a long one at 1. */
static bool is_named(int32_t times, double decades)
{
    if (times == 1)
        return true;
    return decades < 1.3 ? times == 2 || times == 5 : decades < 4.5 && times == 3;
}

static void put_log_ticks(const struct frame *f, bool named)
{
    for (double d = floor(f->r.x0); d <= f->r.x1; d++)
        for (int32_t times = 1; times < 10; times++) {
            double at = d + log10(times);

            if (at > f->r.x0 - 1e-9 && at < f->r.x1 + 1e-9)
                put_x_tick(f, times * pow(10, d), named && is_named(times, f->r.x1 - f->r.x0));
        }
}

/* Ticks at the measured values if they are few and their labels fit; else returns 0. */
static int32_t measured_at(const struct frame *f, double x[MAX_NAMED])
{
    int32_t n = 0;

    for (int32_t i = 0; i < f->p->n; i++)
        for (int32_t k = 0; k < f->p->series[i].n && !f->p->series[i].dashed; k++) {
            double v = f->p->series[i].x[k];
            bool known = false;

            for (int32_t j = 0; j < n && !known; j++) {
                known = x[j] == v;
                if (!known && fabs(x_of(f, x[j]) - x_of(f, v)) < ROOM)
                    return 0;
            }
            if (!known && n == MAX_NAMED)
                return 0;
            if (!known)
                x[n++] = v;
        }
    return n;
}

static void put_x_ticks(const struct frame *f)
{
    double step = step_of(f->r.x1 - f->r.x0), x[MAX_NAMED];
    int32_t n = f->p->log_x ? measured_at(f, x) : 0;

    if (f->p->log_x)
        put_log_ticks(f, n == 0);
    for (int32_t i = 0; i < n; i++)
        put_x_tick(f, x[i], true);
    for (double v = ceil(f->r.x0 / step - 1e-9) * step; !f->p->log_x && v <= f->r.x1 + step * 1e-9;
         v += step)
        put_x_tick(f, fabs(v) < step * 1e-6 ? 0 : v, true);
}

static void put_x_axis(const struct frame *f)
{
    (void)plot_scene_line(f->out, f->x0, f->y1, f->x1, f->y1, PLOT_INK_AXIS, 1);
    put_x_ticks(f);
    (void)plot_scene_text(f->out, (f->x0 + f->x1) / 2, f->y1 + 38, TEXT_SIZE, PLOT_MIDDLE,
                          PLOT_INK_TEXT, f->p->x_name);
}

/* ---- curves */

static bool has_interval(const struct plot_series *s, int32_t k)
{
    return !isnan(s->y[k]) && !isnan(s->low[k]) && !isnan(s->high[k]);
}

static void put_band(const struct frame *f, const struct plot_series *s, int32_t ink)
{
    int32_t n = 0;

    for (int32_t k = 0; k < s->n; k++)
        n += has_interval(s, k);
    if (n < 2)
        return;
    plot_scene_path(f->out, PLOT_AREA, ink, 0)->opacity = .16;
    for (int32_t k = 0; k < s->n; k++)
        if (has_interval(s, k))
            plot_scene_to(f->out, x_of(f, s->x[k]), y_of(f, s->high[k]));
    for (int32_t k = s->n - 1; k >= 0; k--)
        if (has_interval(s, k))
            plot_scene_to(f->out, x_of(f, s->x[k]), y_of(f, s->low[k]));
}

static void put_bars(const struct frame *f, const struct plot_series *s, int32_t ink)
{
    for (int32_t k = 0; k < s->n; k++) {
        double x = x_of(f, s->x[k]), low = y_of(f, s->low[k]), high = y_of(f, s->high[k]);

        if (!has_interval(s, k))
            continue;
        (void)plot_scene_line(f->out, x, low, x, high, ink, 1.4);
        (void)plot_scene_line(f->out, x - CAP, low, x + CAP, low, ink, 1.4);
        (void)plot_scene_line(f->out, x - CAP, high, x + CAP, high, ink, 1.4);
    }
}

static void put_series(const struct frame *f, int32_t which)
{
    const struct plot_series *s = &f->p->series[which];
    int32_t ink = ink_of(f, which);

    if (f->p->bars)
        put_bars(f, s, ink);
    else
        put_band(f, s, ink);
    plot_scene_path(f->out, PLOT_LINE, ink, s->dashed ? 1.6 : 2)->dashed = s->dashed;
    for (int32_t k = 0; k < s->n; k++)
        if (!isnan(s->y[k]))
            plot_scene_to(f->out, x_of(f, s->x[k]), y_of(f, s->y[k]));
    for (int32_t k = 0; k < s->n && (f->p->bars || s->n <= 20) && !s->dashed; k++)
        if (!isnan(s->y[k]))
            plot_scene_disc(f->out, x_of(f, s->x[k]), y_of(f, s->y[k]), f->p->bars ? 3.6 : 2.6,
                            ink);
}

/* ---- the panel */

/* Entries from left to right, as many in a line as fit; returns the height. Nothing is drawn
 * without f->out: then it only measures. */
static double put_legend(const struct frame *f, double top)
{
    double x = f->x0, y = top;

    if (f->p->n < 2)
        return 0;
    for (int32_t i = 0; i < f->p->n; i++) {
        const struct plot_series *s = &f->p->series[i];
        double wide = SAMPLE + stroke_font_width(s->name, TEXT_SIZE);

        if (x > f->x0 && x + wide > f->left + f->width - 8) {
            x = f->x0;
            y += LINE;
        }
        if (f->out) {
            plot_scene_line(f->out, x, y + 8, x + SAMPLE - 7, y + 8, ink_of(f, i), 2.2)->dashed =
                s->dashed;
            if (f->p->bars && !s->dashed)
                plot_scene_disc(f->out, x + (SAMPLE - 7) / 2., y + 8, 3.6, ink_of(f, i));
            (void)plot_scene_text(f->out, x + SAMPLE, y + 12, TEXT_SIZE, PLOT_START, PLOT_INK_TEXT,
                                  s->name);
        }
        x += wide + GAP;
    }
    return y + LINE - top;
}

/* A logarithmic axis, whose points are few, gets some room at its ends. */
static struct plot_range range_of(const struct plot_panel *p)
{
    struct plot_range r = plot_range_of(p);
    double room = (r.x1 - r.x0) * .035;

    if (p->log_x) {
        r.x0 -= room;
        r.x1 += room;
    }
    return r;
}

static void put_panel(const struct plot_panel *p, double x, double y, double width, double height,
                      struct plot_scene *out)
{
    struct frame f = {.p = p,
                      .r = range_of(p),
                      .x0 = x + LEFT,
                      .x1 = x + width - RIGHT,
                      .y1 = y + height - BOTTOM,
                      .left = x,
                      .width = width,
                      .out = out};
    double top = y + 22;

    plot_scene_text(out, f.x0, top, TITLE_SIZE, PLOT_START, PLOT_INK_TEXT, p->title)->bold = true;
    if (p->note[0]) {
        top += 19;
        (void)plot_scene_text(out, f.x0, top, NOTE_SIZE, PLOT_START, PLOT_INK_QUIET, p->note);
    }
    top += 10;
    f.y0 = top + put_legend(&f, top) + 10;
    put_y_axis(&f);
    put_x_axis(&f);
    /* References below measurements, the first curve on top. */
    for (int32_t i = 0; i < p->n; i++)
        if (p->series[i].dashed)
            put_series(&f, i);
    for (int32_t i = p->n - 1; i >= 0; i--)
        if (!p->series[i].dashed)
            put_series(&f, i);
}

/* All panels have the height of the one with the highest legend. */
static double height_of(const struct plot_set *set, double width, double frame)
{
    double most = 0;

    for (int32_t i = 0; i < set->n; i++) {
        const struct plot_panel *p = &set->panel[i];
        struct frame f = {.p = p, .x0 = LEFT, .width = width};

        if (!plot_is_empty(p))
            most = fmax(most, 42 + (p->note[0] ? 19 : 0) + put_legend(&f, 0));
    }
    return most + frame + BOTTOM;
}

void plot_layout(const struct plot_set *set, struct plot_scene *out)
{
    int32_t shown = 0, columns, rows;
    double width, height, head = set->title[0] ? HEAD : 6;

    for (int32_t i = 0; i < set->n; i++)
        shown += !plot_is_empty(&set->panel[i]);
    columns = shown > 1 ? 2 : 1;
    rows = (shown + columns - 1) / columns;
    width = shown > 1 ? 460 : 760;
    height = height_of(set, width, shown > 1 ? 190 : 300);
    out->width = columns * width;
    out->height = rows * height + head + 8;
    if (set->title[0])
        plot_scene_text(out, LEFT, 27, 16, PLOT_START, PLOT_INK_TEXT, set->title)->bold = true;
    for (int32_t i = 0, k = 0; i < set->n; i++) {
        if (plot_is_empty(&set->panel[i]))
            continue;
        put_panel(&set->panel[i], k % columns * width, head + k / columns * height, width, height,
                  out);
        k++;
    }
}
