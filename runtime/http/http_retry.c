/* http_retry.c - reads Retry-After (RFC 9110, 10.2.3) and retry-after-ms.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_retry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"

#define LONGEST_MS 0x1p53 /* a double is exact up to here */

/* Decimal digits with or without a fraction; no sign, no exponent. */
static int64_t amount_ms(const char *text, double unit_ms)
{
    double v;

    if (text[strspn(text, "0123456789.")] != '\0' || !text_to_double(text, &v))
        return -1;
    v = ceil(v * unit_ms);
    return v > LONGEST_MS ? (int64_t)LONGEST_MS : (int64_t)v;
}

/* 1 to 12; 0: not a month. */
static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12; i++)
        if (strncmp(name, names + 3 * i, 3) == 0 && strlen(name) == 3)
            return i + 1;
    return 0;
}

/* A year of two digits is in the 50 years around now (RFC 9110, 5.6.7). */
static int full_year(int two_digits, int64_t wall_ms)
{
    int now = 1970 + (int)(wall_ms / 31556952000); /* a year has 365.2425 days */
    int year = now - now % 100 + two_digits;

    return year > now + 50 ? year - 100 : year;
}

struct moment {
    int year, day, hour, minute, second;
    char month[4];
};

static bool read_date(const char *text, int64_t wall_ms, struct moment *m)
{
    int end = 0;

    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &m->day, m->month,
               &m->year, &m->hour, &m->minute, &m->second, &end) == 6 &&
        end > 0 && text[end] == '\0')
        return true;
    end = 0;
    if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &m->day, m->month,
               &m->year, &m->hour, &m->minute, &m->second, &end) == 6 &&
        end > 0 && text[end] == '\0') {
        m->year = full_year(m->year, wall_ms);
        return true;
    }
    end = 0;
    return sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", m->month, &m->day, &m->hour,
                  &m->minute, &m->second, &m->year, &end) == 6 &&
           end > 0 && text[end] == '\0';
}

static int64_t date_ms(const char *text, int64_t wall_ms)
{
    struct moment m = {0};
    char rfc3339[80];
    int64_t at;

    if (!read_date(text, wall_ms, &m) || m.year < 0 || m.day < 0 || m.hour < 0 || m.minute < 0 ||
        m.second < 0)
        return -1;
    (void)snprintf(rfc3339, sizeof(rfc3339), "%04d-%02d-%02dT%02d:%02d:%02dZ", m.year,
                   month_of(m.month), m.day, m.hour, m.minute, m.second);
    if (!time_from_rfc3339(rfc3339, &at))
        return -1;
    return at > wall_ms ? at - wall_ms : 0;
}

int64_t http_retry_after_ms(const struct http_field *fields, int32_t n, int64_t wall_ms)
{
    const char *ms = http_field_value(fields, n, "retry-after-ms");
    const char *after = http_field_value(fields, n, "retry-after");
    int64_t wait = ms ? amount_ms(ms, 1) : -1;

    if (wait < 0 && after)
        wait = amount_ms(after, 1000);
    if (wait < 0 && after)
        wait = date_ms(after, wall_ms);
    return wait;
}
