/* plot.h - curves: panels of one or more series, and the panels as text for a terminal. As a
 * picture: plot_scene.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_PLOT_H
#define TROUPE_RUNTIME_PLOT_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

#define PLOT_MAX_SERIES 9 /* eight measurements and a reference */
#define PLOT_MAX_PANELS 16

/* Points in the order of x; y may be NaN (a gap). low and high NaN: no interval. */
struct plot_series {
    char name[96];
    int32_t n, cap;
    double *x, *y, *low, *high;
    bool dashed; /* a reference, not a measurement */
};

struct plot_panel {
    char title[96], x_name[48];
    char note[160]; /* the meaning of y and how it was measured; may be empty */
    bool log_x;
    bool unit_y; /* a share: the axis goes from 0 to 1 */
    bool bars;   /* intervals as bars, points marked; else as a band */
    int32_t n;
    struct plot_series series[PLOT_MAX_SERIES];
};

struct plot_set {
    struct plot_panel panel[PLOT_MAX_PANELS];
    int32_t n;
    char title[256]; /* above all panels; may be empty */
};

/* The one with that name, or a new one at the end; NULL if the limit is reached. */
struct plot_panel *plot_panel(struct plot_set *set, const char *title);
struct plot_series *plot_series(struct plot_panel *p, const char *name);
/* Keeps the order of x. */
void plot_add(struct plot_series *s, double x, double y);
void plot_add_interval(struct plot_series *s, double x, double y, double low, double high);
bool plot_is_empty(const struct plot_panel *p);
void plot_set_deinit(struct plot_set *set);

/* width: columns of the whole, labels included. */
void plot_text(const struct plot_panel *p, int32_t width, int32_t height, struct str *out);

#endif
