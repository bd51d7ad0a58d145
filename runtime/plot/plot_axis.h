/* plot_axis.h - positions of values on a panel, for plot.c and plot_layout.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_PLOT_AXIS_H
#define TROUPE_RUNTIME_PLOT_PLOT_AXIS_H

#include "runtime/plot/plot.h"

/* x in decades where the axis is logarithmic. */
struct plot_range {
    double x0, x1, y0, y1;
};
struct plot_range plot_range_of(const struct plot_panel *p);
/* 0 at the left and bottom, 1 at the right and top. */
double plot_at_x(const struct plot_panel *p, const struct plot_range *r, double x);
double plot_at_y(const struct plot_range *r, double y);

#endif
