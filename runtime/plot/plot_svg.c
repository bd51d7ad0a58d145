/* plot_svg.c - a scene as one SVG document, without scripts or embedded fonts. It has a background
 * of its own, so it fits on light and dark pages. It is dark if the reader prefers dark and the
 * viewer supports that preference, else light. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>

#include "runtime/plot/plot_scene.h"

static void put_text(const char *text, struct str *out)
{
    for (; *text; text++) {
        if (*text == '<')
            str_puts(out, "&lt;");
        else if (*text == '&')
            str_puts(out, "&amp;");
        else if ((unsigned char)*text >= ' ')
            str_putc(out, *text);
    }
}

/* Classes l0 ... of lines and f0 ... of fills, only for inks that are used. */
static void put_inks(const bool used[PLOT_N_INKS], bool dark, struct str *out)
{
    for (int32_t i = 0; i < PLOT_N_INKS; i++)
        if (used[i])
            str_printf(out, ".l%d{stroke:#%06x}.f%d{fill:#%06x}\n", i, plot_ink_rgb(i, dark), i,
                       plot_ink_rgb(i, dark));
}

static void put_style(const struct plot_scene *s, struct str *out)
{
    bool used[PLOT_N_INKS] = {[PLOT_INK_PAGE] = true};

    for (int32_t i = 0; i < s->n_shapes; i++)
        used[s->shape[i].ink] = true;
    str_puts(out, "<style>\npolyline{fill:none;stroke-linejoin:round;stroke-linecap:round}\n");
    put_inks(used, false, out);
    str_puts(out, "@media (prefers-color-scheme:dark){\n");
    put_inks(used, true, out);
    str_puts(out, "}\n</style>\n");
}

static void put_points(const struct plot_scene *s, const struct plot_shape *p, struct str *out)
{
    for (int32_t i = p->first; i < p->first + p->n; i++)
        str_printf(out, "%s%.1f,%.1f", i > p->first ? " " : "", s->point[i].x, s->point[i].y);
}

static void put_shape(const struct plot_scene *s, const struct plot_shape *p, struct str *out)
{
    static const char *const anchor[] = {
        [PLOT_START] = "start", [PLOT_MIDDLE] = "middle", [PLOT_END] = "end"};
    const struct plot_point *at = &s->point[p->first];

    switch (p->kind) {
    case PLOT_LINE:
        str_printf(out, "<polyline class=\"l%d\" stroke-width=\"%g\"%s points=\"", p->ink, p->size,
                   p->dashed ? " stroke-dasharray=\"6 5\"" : "");
        put_points(s, p, out);
        str_puts(out, "\"/>\n");
        break;
    case PLOT_AREA:
        str_printf(out, "<polygon class=\"f%d\" opacity=\"%g\" points=\"", p->ink, p->opacity);
        put_points(s, p, out);
        str_puts(out, "\"/>\n");
        break;
    case PLOT_DISC:
        str_printf(out, "<circle class=\"f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%g\"/>\n", p->ink, at->x,
                   at->y, p->size);
        break;
    case PLOT_TEXT:
        str_printf(out,
                   "<text class=\"f%d\" x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" "
                   "text-anchor=\"%s\"%s>",
                   p->ink, at->x, at->y, p->size, anchor[p->anchor],
                   p->bold ? " font-weight=\"600\"" : "");
        put_text(plot_scene_words(s, p), out);
        str_puts(out, "</text>\n");
        break;
    }
}

void plot_svg(const struct plot_scene *s, struct str *out)
{
    str_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
               "viewBox=\"0 0 %g %g\" font-family=\"system-ui,-apple-system,'Segoe UI',"
               "Helvetica,Arial,sans-serif\">\n",
               s->width, s->height, s->width, s->height);
    put_style(s, out);
    str_printf(out, "<rect class=\"f%d\" width=\"%g\" height=\"%g\" rx=\"6\"/>\n", PLOT_INK_PAGE,
               s->width, s->height);
    for (int32_t i = 0; i < s->n_shapes; i++)
        put_shape(s, &s->shape[i], out);
    str_puts(out, "</svg>\n");
}
