/* test_plot_picture.c - pictures of curves: pixels, letters, the layout of panels, the SVG.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "runtime/base/memory.h"
#include "runtime/plot/plot_scene.h"
#include "runtime/plot/raster.h"
#include "runtime/plot/stroke_font.h"
#include "tests/support/check.h"

#define SIDE 40

static void open_raster(struct raster *r)
{
    assert_ok(raster_init(r, SIDE, SIDE, 0xffffff, why));
}

/* How much ink is on the page, in pixels: black on white. */
static double ink_on(const struct raster *r)
{
    double sum = 0;

    for (int32_t i = 0; i < SIDE * SIDE; i++)
        sum += (255 - r->rgb[3 * i]) / 255.;
    return sum;
}

static void areas_cover_what_they_enclose(void **state)
{
    const double square[] = {10.5, 10.5, 20.5, 10.5, 20.5, 20.5, 10.5, 20.5};
    const double outside[] = {-5, -5, -5, 100, 3, 100, 3, -5};
    struct raster r;

    (void)state;
    open_raster(&r);
    raster_area(&r, square, 4);
    raster_paint(&r, 0x000000, 1);
    assert_true(fabs(ink_on(&r) - 100) < 1);
    assert_int_equal(r.rgb[3 * (15 * SIDE + 15)], 0);
    assert_in_range(r.rgb[3 * (15 * SIDE + 10)], 126, 129); /* half of the pixel */
    assert_int_equal(r.rgb[3 * (15 * SIDE + 21)], 255);
    raster_area(&r, outside, 4);
    raster_paint(&r, 0x000000, 1);
    assert_true(fabs(ink_on(&r) - 100 - 3 * SIDE) < 1);
    raster_deinit(&r);
}

static void lines_and_discs_have_their_size(void **state)
{
    struct raster r;

    (void)state;
    open_raster(&r);
    raster_disc(&r, 20, 20, 8);
    raster_paint(&r, 0x000000, 1);
    assert_true(fabs(ink_on(&r) - M_PI * 64) < 3);
    raster_deinit(&r);

    open_raster(&r);
    raster_line(&r, 5, 20, 35, 20, 4);
    raster_line(&r, 5, 20, 35, 20, 4); /* what overlaps is painted once */
    raster_paint(&r, 0x000000, .5);
    assert_true(fabs(ink_on(&r) - .5 * (30 * 4 + M_PI * 4)) < 2);
    raster_paint(&r, 0x000000, 1); /* nothing is left to be painted */
    assert_true(fabs(ink_on(&r) - .5 * (30 * 4 + M_PI * 4)) < 2);
    raster_line(&r, -1e9, -1e9, -1e8, -1e8, 4); /* nowhere near */
    raster_paint(&r, 0x000000, 1);
    assert_true(fabs(ink_on(&r) - .5 * (30 * 4 + M_PI * 4)) < 2);
    raster_deinit(&r);
}

static void no_memory_for_pixels_is_an_error(void **state)
{
    struct error err = ERROR_INIT;
    struct raster r;

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_after(n);
        assert_int_equal(raster_init(&r, SIDE, SIDE, 0, &err), STATUS_NO_MEMORY);
        mem_fail_after(0);
    }
}

struct extent {
    double x0, y0, x1, y1, length;
};

static void grow(void *ctx, double x0, double y0, double x1, double y1)
{
    struct extent *e = ctx;

    e->x0 = fmin(e->x0, fmin(x0, x1));
    e->x1 = fmax(e->x1, fmax(x0, x1));
    e->y0 = fmin(e->y0, fmin(y0, y1));
    e->y1 = fmax(e->y1, fmax(y0, y1));
    e->length += hypot(x1 - x0, y1 - y0);
}

static struct extent extent_of(const char *text)
{
    struct extent e = {INFINITY, INFINITY, -INFINITY, -INFINITY, 0};

    stroke_font_draw(text, 0, 0, 20, grow, &e);
    return e;
}

static void each_letter_is_drawn_within_its_box(void **state)
{
    (void)state;
    for (char c = '!'; c <= '~'; c++) {
        const char text[2] = {c, 0};
        struct extent e = extent_of(text);

        assert_true(e.length >= 1);
        assert_true(e.x0 >= 0 && e.x1 <= stroke_font_width(text, 20) - 3);
        assert_true(e.y0 >= -15 && e.y1 <= 4); /* y goes down */
    }
    assert_true(extent_of("H").y0 == -14 && extent_of("H").y1 == 0);
    assert_true(extent_of("x").y0 == -10 && extent_of("p").y1 == 4);
    assert_true(extent_of(" ").length == 0);
    assert_true(fabs(stroke_font_width("ab", 10) - stroke_font_width("a", 10) -
                     stroke_font_width("b", 10)) < 1e-12);
    assert_true(extent_of("\xc3\xa9").length > 0); /* not ours: a box, one for both bytes */
    assert_true(stroke_font_width("\xc3\xa9", 20) < stroke_font_width("ee", 20));
}

static void pencil(void *ctx, double x0, double y0, double x1, double y1)
{
    raster_line(ctx, x0, y0, x1, y1, 2);
}

/* Two letters that look alike are one that nobody can read. */
static void letters_differ(void **state)
{
    struct raster r['~' + 1];

    (void)state;
    for (char c = '!'; c <= '~'; c++) {
        const char text[2] = {c, 0};

        open_raster(&r[(int)c]);
        stroke_font_draw(text, 4, 30, 34, pencil, &r[(int)c]);
        raster_paint(&r[(int)c], 0, 1);
    }
    for (char c = '!'; c <= '~'; c++)
        for (char d = '!'; d < c; d++) {
            if (c == 'l' && d == 'I')
                continue; /* as in most fonts without serifs */
            assert_memory_not_equal(r[(int)c].rgb, r[(int)d].rgb, 3 * SIDE * SIDE);
        }
    for (char c = '!'; c <= '~'; c++)
        raster_deinit(&r[(int)c]);
}

static void fill(struct plot_set *set)
{
    static const double h[] = {10, 30, 100, 300, 1000};
    struct plot_panel *p = plot_panel(set, "a < b & c");
    struct plot_series *s;

    p->unit_y = p->log_x = p->bars = true;
    (void)snprintf(p->x_name, sizeof(p->x_name), "horizon");
    for (int32_t i = 4; i >= 0; i--) /* in any order */
        plot_add_interval(plot_series(p, "model"), h[i], .9 - i * .1, .8 - i * .1, .95 - i * .1);
    for (int32_t i = 0; i < 5; i++)
        plot_add(plot_series(p, "ceiling"), h[i], pow(.99, h[i]));
    s = plot_series(p, "ceiling");
    s->dashed = true;
    assert_null(plot_panel(&(struct plot_set){.n = PLOT_MAX_PANELS}, "one more"));
}

static int32_t count(const struct plot_scene *s, enum plot_kind kind, int32_t ink)
{
    int32_t n = 0;

    for (int32_t i = 0; i < s->n_shapes; i++)
        n += s->shape[i].kind == kind && s->shape[i].ink == ink;
    return n;
}

static bool says(const struct plot_scene *s, const char *words)
{
    for (int32_t i = 0; i < s->n_shapes; i++)
        if (s->shape[i].kind == PLOT_TEXT && strcmp(plot_scene_words(s, &s->shape[i]), words) == 0)
            return true;
    return false;
}

static void a_panel_has_axes_legend_bars_and_curves(void **state)
{
    static const char *const words[] = {"a < b & c", "horizon", "model", "ceiling", "0 %",
                                        "100 %",     "10",      "30",    "100",     "1000"};
    struct plot_set *set = xcalloc(1, sizeof(*set));
    struct plot_scene s = {0};

    (void)state;
    fill(set);
    plot_layout(set, &s);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_true(says(&s, words[i]));
    assert_false(says(&s, "2"));
    assert_int_equal(count(&s, PLOT_DISC, PLOT_INK_SERIES), 5 + 1); /* and the legend's */
    /* three lines a bar, the curve, the legend's sample */
    assert_int_equal(count(&s, PLOT_LINE, PLOT_INK_SERIES), 15 + 2);
    assert_int_equal(count(&s, PLOT_LINE, PLOT_INK_QUIET), 2);
    for (int32_t i = 0; i < s.n_shapes; i++)
        for (int32_t k = s.shape[i].first; k < s.shape[i].first + s.shape[i].n; k++) {
            assert_true(s.point[k].x >= 0 && s.point[k].x <= s.width);
            assert_true(s.point[k].y >= 0 && s.point[k].y <= s.height);
        }
    plot_scene_deinit(&s);
    plot_set_deinit(set);
    free(set);
}

static void intervals_without_bars_are_a_band(void **state)
{
    struct plot_set *set = xcalloc(1, sizeof(*set));
    struct plot_scene s = {0};

    (void)state;
    fill(set);
    set->panel[0].bars = false;
    (void)plot_panel(set, "one without points");
    plot_layout(set, &s);
    assert_false(says(&s, "one without points"));
    assert_int_equal(count(&s, PLOT_AREA, PLOT_INK_SERIES), 1);
    assert_int_equal(count(&s, PLOT_LINE, PLOT_INK_SERIES), 2);
    plot_scene_deinit(&s);
    plot_set_deinit(set);
    free(set);
}

static void the_svg_escapes_words_and_knows_dark_pages(void **state)
{
    struct plot_set *set = xcalloc(1, sizeof(*set));
    struct plot_scene s = {0};
    struct str out = STR_INIT;

    (void)state;
    fill(set);
    plot_layout(set, &s);
    plot_svg(&s, &out);
    assert_true(str_ok(&out));
    assert_non_null(strstr(str_cstr(&out), "a &lt; b &amp; c"));
    assert_non_null(strstr(str_cstr(&out), "prefers-color-scheme:dark"));
    assert_non_null(strstr(str_cstr(&out), "stroke-dasharray"));
    assert_null(strstr(str_cstr(&out), "nan"));
    str_deinit(&out);
    plot_scene_deinit(&s);
    plot_set_deinit(set);
    free(set);
}

/* Every ink is visible on its page: contrast by relative luminance (WCAG 2.2, 1.4.11: 3 to 1
 * for what must be seen; grid lines are meant to be faint). */
static double luminance(uint32_t rgb)
{
    double sum = 0;

    for (int32_t c = 0; c < 3; c++) {
        static const double weight[3] = {.2126, .7152, .0722};
        double v = (rgb >> (16 - 8 * c) & 255) / 255.;

        sum += weight[c] * (v <= .04045 ? v / 12.92 : pow((v + .055) / 1.055, 2.4));
    }
    return sum;
}

static void inks_stand_out_on_light_and_dark(void **state)
{
    (void)state;
    for (int32_t dark = 0; dark < 2; dark++)
        for (int32_t i = 0; i < PLOT_N_INKS; i++) {
            double page = luminance(plot_ink_rgb(PLOT_INK_PAGE, dark)) + .05;
            double ink = luminance(plot_ink_rgb(i, dark)) + .05;
            double least = i == PLOT_INK_TEXT || i == PLOT_INK_QUIET ? 4.5
                           : i >= PLOT_INK_AXIS                      ? 2.9
                                                                     : 0;

            assert_true(fmax(page, ink) / fmin(page, ink) >= least);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_cover_what_they_enclose),
        cmocka_unit_test(lines_and_discs_have_their_size),
        cmocka_unit_test(no_memory_for_pixels_is_an_error),
        cmocka_unit_test(each_letter_is_drawn_within_its_box),
        cmocka_unit_test(letters_differ),
        cmocka_unit_test(a_panel_has_axes_legend_bars_and_curves),
        cmocka_unit_test(intervals_without_bars_are_a_band),
        cmocka_unit_test(the_svg_escapes_words_and_knows_dark_pages),
        cmocka_unit_test(inks_stand_out_on_light_and_dark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
