/* test_http_retry.c - Retry-After in each of its forms.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_retry.h"

#define NOW 1772352000000 /* Sun, 01 Mar 2026 08:00:00 GMT: `date -d ... +%s` */

static const struct {
    const char *ms, *after;
    int64_t gives;
} rows[] = {
    {NULL, NULL, -1},
    {NULL, "0", 0},
    {NULL, "120", 120000},
    {NULL, "1.5", 1500},
    {NULL, "0.0001", 1},
    {NULL, ".5", 500},
    {NULL, "-1", -1},
    {NULL, "+1", -1},
    {NULL, "1e3", -1},
    {NULL, "1.2.3", -1},
    {NULL, ".", -1},
    {NULL, "", -1},
    {NULL, "soon", -1},
    {NULL, "12 s", -1},
    {NULL, "nan", -1},
    {NULL, "99999999999999999999999999", INT64_C(1) << 53},
    {"1500", NULL, 1500},
    {"1500.2", NULL, 1501},
    {"250", "60", 250},
    {"what", "60", 60000},
    {"", "60", 60000},
    {NULL, "Sun, 01 Mar 2026 08:01:00 GMT", 60000},
    {NULL, "Sun, 01 Mar 2026 07:59:00 GMT", 0},
    {NULL, "Sun, 01 Mar 2026 08:00:00 GMT", 0},
    {NULL, "Mon, 02 Mar 2026 08:00:00 GMT", 86400000},
    {NULL, "Sunday, 01-Mar-26 08:00:30 GMT", 30000},
    {NULL, "Sunday, 06-Nov-94 08:49:37 GMT", 0}, /* 94 is 1994: 2094 is more than 50 years away */
    {NULL, "Sun Mar  1 08:00:10 2026", 10000},
    {NULL, "Sun, 29 Feb 2026 08:00:00 GMT", -1},
    {NULL, "Sun, 01 Foo 2026 08:00:00 GMT", -1},
    {NULL, "Sun, 01 Mar 2026 25:00:00 GMT", -1},
    {NULL, "Sun, 01 Mar 2026 -8:00:00 GMT", -1},
    {NULL, "Sun, 01 Mar 2026 08:00:00 GMT+1", -1},
    {NULL, "Sun, 01 Mar 2026 08:00:00", -1},
    {NULL, "2026-03-01T08:00:00Z", -1},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field fields[3] = {{"server", "x"}};
        int32_t n = 1;
        int64_t ms;

        if (rows[i].after)
            fields[n++] = (struct http_field){"retry-after", rows[i].after};
        if (rows[i].ms)
            fields[n++] = (struct http_field){"retry-after-ms", rows[i].ms};
        ms = http_retry_after_ms(fields, n, NOW);
        if (ms != rows[i].gives)
            fail_msg("row %zu (%s): %lld", i, rows[i].after ? rows[i].after : "", (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
