/* test_prometheus_text.c - histograms, and the text format of Prometheus, read back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/serve/metrics_bounds.h"
#include "runtime/serve/prometheus_text.h"
#include "tests/support/check.h"

static const struct histogram_bounds three = {3, {0.5, 1, 2.5}};

static void a_value_belongs_to_the_first_bound_that_is_not_below_it(void **state)
{
    static const struct {
        double value;
        int bucket;
    } cases[] = {{-1, 0}, {0, 0}, {0.5, 0}, {0.500001, 1}, {1, 1}, {2.5, 2}, {2.6, 3}, {1e300, 3}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct histogram h = {.sum = 0};

        histogram_add(&h, &three, cases[i].value);
        for (int b = 0; b <= three.n; b++)
            assert_int_equal(h.count[b], b == cases[i].bucket);
        assert_true(h.sum == cases[i].value);
    }
}

static void all_bounds_rise(void **state)
{
    static const struct histogram_bounds *const all[] = {
        &bounds_http, &bounds_call, &bounds_first_token, &bounds_output_token, &bounds_tokens};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_true(all[i]->n > 0 && all[i]->n <= HISTOGRAM_BOUNDS_MAX && all[i]->bound[0] > 0);
        for (int b = 1; b < all[i]->n; b++)
            assert_true(all[i]->bound[b] > all[i]->bound[b - 1]);
    }
}

static void a_histogram_is_cumulative(void **state)
{
    static const double values[] = {0.1, 0.7, 0.9, 2, 100};
    struct histogram h = {.sum = 0};
    struct str out = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        histogram_add(&h, &three, values[i]);
    prometheus_family(&out, PROMETHEUS_HISTOGRAM, "t", "Time.");
    prometheus_histogram(&out, "t", "a=\"b\"", &three, &h);
    prometheus_histogram(&out, "t", "", &three, &(struct histogram){.sum = 0});
    assert_string_equal(str_cstr(&out), "# HELP t Time.\n"
                                        "# TYPE t histogram\n"
                                        "t_bucket{a=\"b\",le=\"0.5\"} 1\n"
                                        "t_bucket{a=\"b\",le=\"1\"} 3\n"
                                        "t_bucket{a=\"b\",le=\"2.5\"} 4\n"
                                        "t_bucket{a=\"b\",le=\"+Inf\"} 5\n"
                                        "t_sum{a=\"b\"} 103.7\n"
                                        "t_count{a=\"b\"} 5\n"
                                        "t_bucket{le=\"0.5\"} 0\n"
                                        "t_bucket{le=\"1\"} 0\n"
                                        "t_bucket{le=\"2.5\"} 0\n"
                                        "t_bucket{le=\"+Inf\"} 0\n"
                                        "t_sum 0\n"
                                        "t_count 0\n");
    str_deinit(&out);
}

/* The value of the label, as a reader of the format sees it. */
static void unescape(const char *line, struct str *out)
{
    const char *p = strchr(line, '"') + 1;

    str_clear(out);
    for (; *p != '"'; p++) {
        bool escaped = *p == '\\';

        assert_true(*p && *p != '\n');
        p += escaped;
        str_putc(out, escaped && *p == 'n' ? '\n' : *p);
    }
}

static void labels_read_back_as_they_were(void **state)
{
    static const char *const values[] = {"",           "plain", "a\"b",     "back\\slash",
                                         "two\nlines", "\\n",   "\\\"\n\\", "\xc3\xa4"};
    struct str labels = STR_INIT, out = STR_INIT, back = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        str_clear(&labels);
        str_clear(&out);
        prometheus_label(&labels, "l", values[i]);
        prometheus_sample(&out, "m", str_cstr(&labels), 1);
        unescape(str_cstr(&out), &back);
        assert_string_equal(str_cstr(&back), values[i]);
        assert_ptr_equal(strchr(str_cstr(&out), '\n'), str_cstr(&out) + out.len - 1);
    }
    str_clear(&labels);
    prometheus_label(&labels, "l", "\xff");
    assert_string_equal(str_cstr(&labels), "l=\"\xef\xbf\xbd\"");
    prometheus_label(&labels, "m", "x");
    assert_string_equal(str_cstr(&labels), "l=\"\xef\xbf\xbd\",m=\"x\"");
    str_clear(&out);
    prometheus_family(&out, PROMETHEUS_COUNTER, "c", "one\ntwo \\ \"three\"");
    assert_string_equal(str_cstr(&out), "# HELP c one\\ntwo \\\\ \"three\"\n# TYPE c counter\n");
    str_deinit(&labels);
    str_deinit(&out);
    str_deinit(&back);
}

static void values_are_numbers_of_the_format(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},         {-3, "-3"},         {0.25, "0.25"},      {1e14, "100000000000000"},
        {NAN, "NaN"},     {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}, {9007199254740993.0, NULL},
        {1e300, "1e300"}, {1.0 / 3, NULL}};
    struct str out = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&out);
        prometheus_sample(&out, "m", "", cases[i].value);
        if (cases[i].text && strcmp(cases[i].text, "1e300") != 0) {
            assert_int_equal(strncmp(str_cstr(&out) + 2, cases[i].text, strlen(cases[i].text)), 0);
            assert_string_equal(str_cstr(&out) + 2 + strlen(cases[i].text), "\n");
        } else {
            assert_true(strtod(str_cstr(&out) + 2, NULL) == cases[i].value);
        }
    }
    str_deinit(&out);
}

static void label_sets_have_a_limit(void **state)
{
    struct map *set = map_new();
    struct series *first, *over;
    char labels[32];

    (void)state;
    first = series_find(set, "n=\"0\"");
    for (int i = 0; i < 10 * SERIES_MAX; i++) {
        (void)snprintf(labels, sizeof(labels), "n=\"%d\"", i);
        series_find(set, labels)->histogram.sum += 1;
    }
    assert_int_equal(map_size(set), SERIES_MAX + 1);
    assert_ptr_equal(series_find(set, "n=\"0\""), first);
    over = map_get(set, "otel_metric_overflow=\"true\"");
    assert_true(over && over->histogram.sum == 9 * SERIES_MAX);
    map_free(set, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_belongs_to_the_first_bound_that_is_not_below_it),
        cmocka_unit_test(all_bounds_rise),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(labels_read_back_as_they_were),
        cmocka_unit_test(values_are_numbers_of_the_format),
        cmocka_unit_test(label_sets_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
