/* plot_scene.h - a picture as a list of shapes in the order of drawing. plot_layout.c creates it
 * from panels; plot_svg.c and plot_png.c write it, so that both show the same picture.
 *
 * Units are those of SVG: one is 1/96 inch at the usual size; y goes down.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_PLOT_SCENE_H
#define TROUPE_RUNTIME_PLOT_PLOT_SCENE_H

#include "runtime/plot/plot.h"

/* Colours by meaning; the actual colour depends on the page, light or dark. */
enum plot_ink {
    PLOT_INK_PAGE,
    PLOT_INK_TEXT,
    PLOT_INK_QUIET, /* notes, numbers at axes, references */
    PLOT_INK_GRID,
    PLOT_INK_AXIS,
    PLOT_INK_SERIES, /* and the seven after it */
    PLOT_N_INKS = PLOT_INK_SERIES + 8
};
/* 0xRRGGBB */
uint32_t plot_ink_rgb(int32_t ink, bool dark);

enum plot_kind { PLOT_LINE, PLOT_AREA, PLOT_DISC, PLOT_TEXT };
enum plot_anchor { PLOT_START, PLOT_MIDDLE, PLOT_END };

struct plot_point {
    double x, y;
};

struct plot_shape {
    enum plot_kind kind;
    int32_t ink;
    double size;    /* width of a line, radius of a disc, height of text's em */
    double opacity; /* 0 to 1 */
    bool dashed, bold;
    enum plot_anchor anchor;
    int32_t first, n; /* points[first], n of them; a disc and a text have one */
    size_t text;      /* where it begins in plot_scene.text, NUL-terminated there */
};

struct plot_scene {
    double width, height;
    struct plot_shape *shape;
    struct plot_point *point;
    int32_t n_shapes, n_points, cap_shapes, cap_points;
    struct str text;
};

void plot_scene_deinit(struct plot_scene *s);
/* These functions add a shape at the end. plot_scene_to() adds points to a line or an area. */
struct plot_shape *plot_scene_path(struct plot_scene *s, enum plot_kind kind, int32_t ink,
                                   double width);
void plot_scene_to(struct plot_scene *s, double x, double y);
struct plot_shape *plot_scene_line(struct plot_scene *s, double x0, double y0, double x1, double y1,
                                   int32_t ink, double width);
void plot_scene_disc(struct plot_scene *s, double x, double y, double radius, int32_t ink);
struct plot_shape *plot_scene_text(struct plot_scene *s, double x, double y, double size,
                                   enum plot_anchor anchor, int32_t ink, const char *text);
const char *plot_scene_words(const struct plot_scene *s, const struct plot_shape *shape);

/* All panels that have points, in two columns, under the title of the set. */
void plot_layout(const struct plot_set *set, struct plot_scene *out);

void plot_svg(const struct plot_scene *s, struct str *out);
/* Twice the scene's size in pixels, light. STATUS_UNSUPPORTED: built without
 * libpng. */
MUST_CHECK enum status plot_png(const struct plot_scene *s, struct str *out, struct error *err);

#endif
