/* stroke_font.h - letters made of lines, for pictures without a system font.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_STROKE_FONT_H
#define TROUPE_RUNTIME_PLOT_STROKE_FONT_H

#include <stdbool.h>
#include <stdint.h>

/* The width of the text in the units of `size`, the height of the em. It is close to that of other
 * sans-serif fonts, so that layouts fit both. A character outside ASCII counts as one letter. */
double stroke_font_width(const char *utf8, double size);

/* Calls `line` for every line of the text, from (x0, y0) to (x1, y1). The text starts at x on the
 * base line y, which grows downward. */
typedef void stroke_font_line(void *ctx, double x0, double y0, double x1, double y1);
void stroke_font_draw(const char *utf8, double x, double y, double size, stroke_font_line *line,
                      void *ctx);

#endif
