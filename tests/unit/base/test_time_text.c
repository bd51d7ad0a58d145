/* test_time_text.c - times of RFC 3339 and durations as text, both ways.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"
#include "tests/support/check.h"

static const struct {
    const char *text;
    int64_t ms;
    const char *back; /* NULL: none is a time */
} times[] = {
    {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
    {"1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
    /* Values of `date -d TEXT +%s`. */
    {"2024-02-29T12:34:56Z", 1709210096000, "2024-02-29T12:34:56Z"},
    {"2026-03-01T08:00:00+01:00", 1772348400000, "2026-03-01T07:00:00Z"},
    {"2026-03-01t08:00:00.5z", 1772352000500, "2026-03-01T08:00:00.500Z"},
    {"2026-03-01 08:00:00.1239-09:30", 1772386200123, "2026-03-01T17:30:00.123Z"},
    {"2016-12-31T23:59:60Z", 1483228800000, "2017-01-01T00:00:00Z"},
    {"0000-01-01T00:00:00Z", -62167219200000, "0000-01-01T00:00:00Z"},
    {"9999-12-31T23:59:59Z", 253402300799000, "9999-12-31T23:59:59Z"},
    {"2023-02-29T00:00:00Z", 0, NULL},
    {"1900-02-29T00:00:00Z", 0, NULL},
    {"2024-13-01T00:00:00Z", 0, NULL},
    {"2024-00-01T00:00:00Z", 0, NULL},
    {"2024-01-01T24:00:00Z", 0, NULL},
    {"2024-01-01T00:60:00Z", 0, NULL},
    {"2024-01-01T00:00:61Z", 0, NULL},
    {"2024-01-01T00:00:00", 0, NULL},
    {"2024-01-01T00:00:00.Z", 0, NULL},
    {"2024-01-01T00:00:00+24:00", 0, NULL},
    {"2024-01-01T00:00:00+0100", 0, NULL},
    {"2024-01-01T00:00:00Z ", 0, NULL},
    {"2024-01-01", 0, NULL},
    {"2024-1-01T00:00:00Z", 0, NULL},
    {"soon", 0, NULL},
    {"", 0, NULL},
};

static void times_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct str back = STR_INIT;
        int64_t ms = 42;

        if (time_from_rfc3339(times[i].text, &ms) != (times[i].back != NULL))
            fail_msg("%s", times[i].text);
        if (times[i].back) {
            if (ms != times[i].ms)
                fail_msg("%s: %lld", times[i].text, (long long)ms);
            time_put_rfc3339(&back, ms);
            assert_string_equal(str_cstr(&back), times[i].back);
        } else {
            assert_int_equal(ms, 42);
        }
        str_deinit(&back);
    }
}

static void every_day_is_the_one_after_the_last(void **state)
{
    const int64_t day = (int64_t)24 * 3600 * 1000;
    struct str text = STR_INIT;

    (void)state;
    for (int64_t ms = -62167219200000; ms <= 253402300799000; ms += 7 * day + 12345) {
        int64_t back;

        str_clear(&text);
        time_put_rfc3339(&text, ms);
        if (!time_from_rfc3339(str_cstr(&text), &back) || back != ms)
            fail_msg("%s", str_cstr(&text));
    }
    str_deinit(&text);
}

static void durations_are_written_as_they_are_read(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0ms"},      {250, "250ms"},  {1500, "1500ms"}, {90000, "90s"},
                 {600000, "10m"}, {7200000, "2h"}, {86400000, "1d"}, {90000000, "25h"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT;
        int64_t ms = -1;

        duration_put(&text, cases[i].ms);
        assert_string_equal(str_cstr(&text), cases[i].text);
        assert_true(text_to_duration_ms(str_cstr(&text), &ms));
        assert_int_equal(ms, cases[i].ms);
        str_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(every_day_is_the_one_after_the_last),
        cmocka_unit_test(durations_are_written_as_they_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
