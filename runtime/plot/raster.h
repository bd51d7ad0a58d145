/* raster.h - draws on a pixel image with anti-aliased edges. One thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_RASTER_H
#define TROUPE_RUNTIME_PLOT_RASTER_H

#include <stdint.h>

#include "runtime/base/status.h"

struct raster {
    int32_t width, height;
    uint8_t *rgb;           /* (height, width, 3) */
    uint8_t *mask;          /* (height, width): the coverage of each pixel by the current shape */
    int32_t x0, y0, x1, y1; /* the part where the mask is not 0 */
};

MUST_CHECK enum status raster_init(struct raster *r, int32_t width, int32_t height, uint32_t rgb,
                                   struct error *err);
void raster_deinit(struct raster *r);

/* A shape is built from parts, which may overlap, and then painted once. Coordinates are in
 * pixels; (0, 0) is the upper left corner of the first. */
void raster_line(struct raster *r, double x0, double y0, double x1, double y1, double width);
void raster_disc(struct raster *r, double x, double y, double radius);
/* The inside of a polygon by the even-odd rule; xy is (n, 2). */
void raster_area(struct raster *r, const double *xy, int32_t n);
void raster_paint(struct raster *r, uint32_t rgb, double opacity);

#endif
