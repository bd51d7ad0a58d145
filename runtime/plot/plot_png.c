/* plot_png.c - a scene as a PNG picture, twice its size in pixels.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/plot/plot_scene.h"

#ifdef TROUPE_WITH_PNG
#include <png.h>

#include "runtime/base/memory.h"
#include "runtime/plot/raster.h"
#include "runtime/plot/stroke_font.h"

#define SCALE 2.
#define DASH  6. /* on, and GAP off: as in the SVG */
#define GAP   5.

struct brush {
    struct raster *r;
    double width;
};

static void put_stroke(void *ctx, double x0, double y0, double x1, double y1)
{
    struct brush *b = ctx;

    raster_line(b->r, x0, y0, x1, y1, b->width);
}

/* One segment of a dashed line; `before`: the length of the line before it. */
static void put_dashes(struct brush *b, const struct plot_point *p, double before)
{
    double dx = p[1].x - p[0].x, dy = p[1].y - p[0].y, length = hypot(dx, dy);

    for (double at = floor(before / (DASH + GAP)) * (DASH + GAP) - before; at < length;
         at += DASH + GAP) {
        double from = fmax(at, 0) / length, to = fmin(at + DASH, length) / length;

        if (to > from)
            put_stroke(b, SCALE * (p[0].x + from * dx), SCALE * (p[0].y + from * dy),
                       SCALE * (p[0].x + to * dx), SCALE * (p[0].y + to * dy));
    }
}

static void put_line(struct brush *b, const struct plot_shape *s, const struct plot_point *p)
{
    double before = 0;

    for (int32_t i = 0; i + 1 < s->n; i++) {
        if (s->dashed)
            put_dashes(b, &p[i], before);
        else
            put_stroke(b, SCALE * p[i].x, SCALE * p[i].y, SCALE * p[i + 1].x, SCALE * p[i + 1].y);
        before += hypot(p[i + 1].x - p[i].x, p[i + 1].y - p[i].y);
    }
}

static void put_area(struct raster *r, const struct plot_shape *s, const struct plot_point *p)
{
    double *xy = xcalloc((size_t)s->n, 2 * sizeof(*xy));

    for (int32_t i = 0; i < s->n; i++) {
        xy[2 * i] = SCALE * p[i].x;
        xy[2 * i + 1] = SCALE * p[i].y;
    }
    raster_area(r, xy, s->n);
    free(xy);
}

static void put_shape(struct raster *r, const struct plot_scene *scene, const struct plot_shape *s)
{
    const struct plot_point *p = &scene->point[s->first];
    struct brush b = {r, SCALE * s->size};
    const char *words;
    double left;

    switch (s->kind) {
    case PLOT_LINE:
        put_line(&b, s, p);
        break;
    case PLOT_AREA:
        put_area(r, s, p);
        break;
    case PLOT_DISC:
        raster_disc(r, SCALE * p->x, SCALE * p->y, SCALE * s->size);
        break;
    case PLOT_TEXT:
        words = plot_scene_words(scene, s);
        left = stroke_font_width(words, s->size) * (s->anchor == PLOT_END      ? 1
                                                    : s->anchor == PLOT_MIDDLE ? .5
                                                                               : 0);
        b.width = SCALE * s->size * (s->bold ? .115 : .08);
        stroke_font_draw(words, SCALE * (p->x - left), SCALE * p->y, SCALE * s->size, put_stroke,
                         &b);
        break;
    }
    raster_paint(r, plot_ink_rgb(s->ink, false), s->opacity);
}

static enum status encode(const struct raster *r, struct str *out, struct error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)r->width,
                       .height = (png_uint_32)r->height,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(image);
    enum status st = STATUS_OK;
    char *bytes = mem_alloc(n, 1);

    if (!bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a picture of %d x %d", r->width,
                         r->height);
    if (png_image_write_to_memory(&image, bytes, &n, 0, r->rgb, 0, NULL))
        str_append(out, bytes, n);
    else
        st = error_set(err, STATUS_FAILED, "libpng: %s", image.message);
    png_image_free(&image);
    free(bytes);
    return st;
}

enum status plot_png(const struct plot_scene *s, struct str *out, struct error *err)
{
    struct raster r;
    enum status st =
        raster_init(&r, (int32_t)ceil(SCALE * s->width), (int32_t)ceil(SCALE * s->height),
                    plot_ink_rgb(PLOT_INK_PAGE, false), err);

    if (st)
        return st;
    for (int32_t i = 0; i < s->n_shapes; i++)
        put_shape(&r, s, &s->shape[i]);
    st = encode(&r, out, err);
    raster_deinit(&r);
    return st;
}

#else

enum status plot_png(const struct plot_scene *s, struct str *out, struct error *err)
{
    (void)s;
    (void)out;
    (void)error_set(err, STATUS_UNSUPPORTED, "troupe was built without libpng");
    error_hint(err, "write FILE.svg, or install libpng-dev and build again");
    return STATUS_UNSUPPORTED;
}

#endif
