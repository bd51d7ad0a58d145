/* stroke_font.h - letters drawn by lines, for pictures that are made without a font of the system.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_STROKE_FONT_H
#define TROUPE_RUNTIME_PLOT_STROKE_FONT_H

#include <stdbool.h>
#include <stdint.h>

/* Of the text in the units of `size`, the height of the em; nearly that of other sans-serif fonts,
 * so that layouts hold for both. Bytes outside of ASCII count as one letter a character. */
double stroke_font_width(const char *utf8, double size);

/* Hands every line of the text, begun at x on the base line y (growing downward), to `line`: from
 * (x0, y0) to (x1, y1). */
typedef void stroke_font_line(void *ctx, double x0, double y0, double x1, double y1);
void stroke_font_draw(const char *utf8, double x, double y, double size, stroke_font_line *line,
                      void *ctx);

#endif
