/* raster.c - see raster.h. Lines and discs cover a pixel by its distance from them, areas by the
 * share of four scan lines in it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/plot/raster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define SCANS 4

enum status raster_init(struct raster *r, int32_t width, int32_t height, uint32_t rgb,
                        struct error *err)
{
    size_t n = (size_t)width * (size_t)height;

    memset(r, 0, sizeof(*r));
    r->width = width;
    r->height = height;
    r->rgb = mem_alloc(n, 3);
    r->mask = mem_alloc(n, 1);
    if (!r->rgb || !r->mask) {
        raster_deinit(r);
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d x %d pixels", width, height);
    }
    memset(r->mask, 0, n);
    for (size_t i = 0; i < n; i++) {
        r->rgb[3 * i] = (uint8_t)(rgb >> 16);
        r->rgb[3 * i + 1] = (uint8_t)(rgb >> 8);
        r->rgb[3 * i + 2] = (uint8_t)rgb;
    }
    r->x0 = r->y0 = INT32_MAX;
    return STATUS_OK;
}

void raster_deinit(struct raster *r)
{
    free(r->rgb);
    free(r->mask);
    memset(r, 0, sizeof(*r));
}

static int32_t clamp(double v, int32_t most)
{
    return v <= 0 ? 0 : v >= most ? most : (int32_t)v;
}

struct box {
    int32_t x0, y0, x1, y1; /* pixels, the last ones not included */
};

/* The pixels that a part may touch; they join what will be painted. */
static struct box reach(struct raster *r, double x0, double y0, double x1, double y1)
{
    struct box b = {clamp(floor(x0), r->width), clamp(floor(y0), r->height),
                    clamp(ceil(x1), r->width), clamp(ceil(y1), r->height)};

    if (b.x0 >= b.x1 || b.y0 >= b.y1)
        return (struct box){0};
    r->x0 = b.x0 < r->x0 ? b.x0 : r->x0;
    r->y0 = b.y0 < r->y0 ? b.y0 : r->y0;
    r->x1 = b.x1 > r->x1 ? b.x1 : r->x1;
    r->y1 = b.y1 > r->y1 ? b.y1 : r->y1;
    return b;
}

static void cover(struct raster *r, int32_t x, int32_t y, double share)
{
    uint8_t *at = &r->mask[(size_t)y * (size_t)r->width + (size_t)x];
    uint8_t v = share <= 0 ? 0 : share >= 1 ? 255 : (uint8_t)(share * 255 + .5);

    *at = v > *at ? v : *at;
}

void raster_line(struct raster *r, double x0, double y0, double x1, double y1, double width)
{
    double half = width / 2, dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy;
    struct box b = reach(r, fmin(x0, x1) - half - 1, fmin(y0, y1) - half - 1,
                         fmax(x0, x1) + half + 1, fmax(y0, y1) + half + 1);

    for (int32_t y = b.y0; y < b.y1; y++)
        for (int32_t x = b.x0; x < b.x1; x++) {
            double px = x + .5 - x0, py = y + .5 - y0;
            double t = length2 > 0 ? fmax(0, fmin(1, (px * dx + py * dy) / length2)) : 0;

            cover(r, x, y, half + .5 - hypot(px - t * dx, py - t * dy));
        }
}

void raster_disc(struct raster *r, double x, double y, double radius)
{
    raster_line(r, x, y, x, y, 2 * radius);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Where edges cross the scan line, from left to right. */
static int32_t crossings(const double *xy, int32_t n, double y, double *out)
{
    int32_t k = 0;

    for (int32_t i = 0; i < n; i++) {
        const double *a = &xy[2 * i], *b = &xy[2 * ((i + 1) % n)];

        if ((a[1] <= y) != (b[1] <= y))
            out[k++] = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
    }
    qsort(out, (size_t)k, sizeof(*out), compare);
    return k;
}

static void add_span(float *row, int32_t width, double from, double to)
{
    from = fmax(from, 0);
    to = fmin(to, width);
    for (int32_t x = clamp(from, width - 1); from < to && x <= clamp(to, width - 1); x++)
        row[x] += (float)(fmax(0, fmin(to, x + 1) - fmax(from, x)) / SCANS);
}

void raster_area(struct raster *r, const double *xy, int32_t n)
{
    double top = INFINITY, end = -INFINITY, left = INFINITY, right = -INFINITY, *cross;
    float *row;
    struct box b;

    for (int32_t i = 0; i < n; i++) {
        left = fmin(left, xy[2 * i]);
        right = fmax(right, xy[2 * i]);
        top = fmin(top, xy[2 * i + 1]);
        end = fmax(end, xy[2 * i + 1]);
    }
    b = reach(r, left, top, right, end);
    row = xcalloc((size_t)r->width, sizeof(*row));
    cross = xcalloc((size_t)n, sizeof(*cross));
    for (int32_t y = b.y0; y < b.y1; y++) {
        memset(row, 0, (size_t)r->width * sizeof(*row));
        for (int32_t s = 0; s < SCANS; s++) {
            int32_t k = crossings(xy, n, y + (s + .5) / SCANS, cross);

            for (int32_t i = 0; i + 1 < k; i += 2)
                add_span(row, r->width, cross[i], cross[i + 1]);
        }
        for (int32_t x = b.x0; x < b.x1; x++)
            cover(r, x, y, (double)row[x]);
    }
    free(cross);
    free(row);
}

void raster_paint(struct raster *r, uint32_t rgb, double opacity)
{
    const uint8_t ink[3] = {(uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb};

    for (int32_t y = r->y0; y < r->y1; y++)
        for (int32_t x = r->x0; x < r->x1; x++) {
            size_t at = (size_t)y * (size_t)r->width + (size_t)x;
            double share = opacity * r->mask[at] / 255;

            for (int32_t c = 0; c < 3 && share > 0; c++)
                r->rgb[3 * at + (size_t)c] =
                    (uint8_t)(r->rgb[3 * at + (size_t)c] * (1 - share) + ink[c] * share + .5);
            r->mask[at] = 0;
        }
    r->x0 = r->y0 = INT32_MAX;
    r->x1 = r->y1 = 0;
}
