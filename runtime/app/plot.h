/* plot.h - curves as text for a terminal and as SVG: panels of one or more series.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_PLOT_H
#define TROUPE_RUNTIME_APP_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

#define PLOT_MAX_SERIES 8

/* Points in the order of x; y may be NaN (a gap). low and high NULL: no interval. */
struct plot_series {
    char name[64];
    int32_t n, cap;
    double *x, *y, *low, *high;
    bool dashed; /* a reference, not a measurement */
};

struct plot_panel {
    char title[96], x_name[32];
    bool log_x;
    bool unit_y; /* a share: the axis goes from 0 to 1 */
    int32_t n;
    struct plot_series series[PLOT_MAX_SERIES];
};

/* A new one at the end, or the one of that name; NULL when the panel is full. */
struct plot_series *plot_series(struct plot_panel *p, const char *name);
void plot_add(struct plot_series *s, double x, double y);
void plot_add_interval(struct plot_series *s, double x, double y, double low, double high);
bool plot_is_empty(const struct plot_panel *p);
void plot_panel_deinit(struct plot_panel *p);

/* width: columns of the whole, labels included. */
void plot_text(const struct plot_panel *p, int32_t width, int32_t height, struct str *out);
/* All panels, two beside each other; `title` above them. */
void plot_svg(const struct plot_panel *p, int32_t n, const char *title, struct str *out);

#endif
