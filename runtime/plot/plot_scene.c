/* plot_scene.c - the list of shapes of a picture, and its colours.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/plot/plot_scene.h"

/* Colours that colour-blind readers can distinguish, after Okabe and Ito 2008. Yellow and pink are
 * darker on light pages, all are lighter on dark ones. */
uint32_t plot_ink_rgb(int32_t ink, bool dark)
{
    static const uint32_t rgb[PLOT_N_INKS][2] = {
        [PLOT_INK_PAGE] = {0xffffff, 0x0d1117},       [PLOT_INK_TEXT] = {0x1f2328, 0xe6edf3},
        [PLOT_INK_QUIET] = {0x656d76, 0x9198a1},      [PLOT_INK_GRID] = {0xe4e8ec, 0x262c36},
        [PLOT_INK_AXIS] = {0x8c959f, 0x6e7681},       [PLOT_INK_SERIES] = {0xd55e00, 0xff8f3f},
        [PLOT_INK_SERIES + 1] = {0x0072b2, 0x58a6ff}, [PLOT_INK_SERIES + 2] = {0x009e73, 0x3fc996},
        [PLOT_INK_SERIES + 3] = {0xb0568a, 0xe79ac6}, [PLOT_INK_SERIES + 4] = {0xc28800, 0xf2c14e},
        [PLOT_INK_SERIES + 5] = {0x3aa0d8, 0x8fd3ff}, [PLOT_INK_SERIES + 6] = {0x6f4fa8, 0xbc9cf2},
        [PLOT_INK_SERIES + 7] = {0x444c56, 0xc9d1d9},
    };

    return rgb[ink][dark];
}

void plot_scene_deinit(struct plot_scene *s)
{
    free(s->shape);
    free(s->point);
    str_deinit(&s->text);
    memset(s, 0, sizeof(*s));
}

struct plot_shape *plot_scene_path(struct plot_scene *s, enum plot_kind kind, int32_t ink,
                                   double size)
{
    if (s->n_shapes == s->cap_shapes) {
        s->cap_shapes = s->cap_shapes ? 2 * s->cap_shapes : 128;
        s->shape = xrealloc(s->shape, (size_t)s->cap_shapes * sizeof(*s->shape));
    }
    s->shape[s->n_shapes] = (struct plot_shape){
        .kind = kind, .ink = ink, .size = size, .opacity = 1, .first = s->n_points};
    return &s->shape[s->n_shapes++];
}

void plot_scene_to(struct plot_scene *s, double x, double y)
{
    if (s->n_points == s->cap_points) {
        s->cap_points = s->cap_points ? 2 * s->cap_points : 512;
        s->point = xrealloc(s->point, (size_t)s->cap_points * sizeof(*s->point));
    }
    s->point[s->n_points++] = (struct plot_point){x, y};
    s->shape[s->n_shapes - 1].n++;
}

struct plot_shape *plot_scene_line(struct plot_scene *s, double x0, double y0, double x1, double y1,
                                   int32_t ink, double width)
{
    struct plot_shape *shape = plot_scene_path(s, PLOT_LINE, ink, width);

    plot_scene_to(s, x0, y0);
    plot_scene_to(s, x1, y1);
    return shape;
}

void plot_scene_disc(struct plot_scene *s, double x, double y, double radius, int32_t ink)
{
    (void)plot_scene_path(s, PLOT_DISC, ink, radius);
    plot_scene_to(s, x, y);
}

struct plot_shape *plot_scene_text(struct plot_scene *s, double x, double y, double size,
                                   enum plot_anchor anchor, int32_t ink, const char *text)
{
    struct plot_shape *shape = plot_scene_path(s, PLOT_TEXT, ink, size);

    if (s->text.max == 0)
        str_init(&s->text, STR_MAX_DEFAULT);
    shape->anchor = anchor;
    shape->text = s->text.len;
    str_append(&s->text, text, strlen(text) + 1);
    plot_scene_to(s, x, y);
    return shape;
}

const char *plot_scene_words(const struct plot_scene *s, const struct plot_shape *shape)
{
    return shape->text < s->text.len ? s->text.data + shape->text : "";
}
