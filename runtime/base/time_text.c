/* time_text.c - see time_text.h.
 *
 * Days and dates: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil,
 * civil_from_days), the proleptic Gregorian calendar.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/time_text.h"

#include <stddef.h>
#include <time.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    int64_t era, yoe, doy, doe;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int64_t *m, int64_t *d)
{
    int64_t era, doe, yoe, doy, mp;

    z += 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    doe = z - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

static int64_t days_in_month(int64_t y, int64_t m)
{
    return days_from_civil(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1) - days_from_civil(y, m, 1);
}

/* n digits at *s, which moves on; false when they are not there or out of range. */
static bool digits(const char **s, int n, int64_t least, int64_t most, int64_t *out)
{
    int64_t v = 0;

    for (int i = 0; i < n; i++) {
        char c = (*s)[i];

        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *s += n;
    *out = v;
    return v >= least && v <= most;
}

static bool one_of(const char **s, const char *set)
{
    for (; *set; set++) {
        if (**s == *set) {
            (*s)++;
            return true;
        }
    }
    return false;
}

/* The digits after the point, at least one. */
static bool fraction_ms(const char **s, int64_t *ms)
{
    int64_t scale = 100;
    const char *begin = *s;

    for (; **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
        *ms += (**s - '0') * scale;
    return *s > begin;
}

static bool offset_minutes(const char **s, int64_t *minutes)
{
    int64_t h, m, sign = **s == '-' ? -1 : 1;

    *minutes = 0;
    if (one_of(s, "Zz"))
        return true;
    if (!one_of(s, "+-") || !digits(s, 2, 0, 23, &h) || !one_of(s, ":") || !digits(s, 2, 0, 59, &m))
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool time_from_rfc3339(const char *s, int64_t *out_ms)
{
    int64_t year, month, day, hour, minute, second, ms = 0, offset;

    if (!digits(&s, 4, 0, 9999, &year) || !one_of(&s, "-") || !digits(&s, 2, 1, 12, &month) ||
        !one_of(&s, "-") || !digits(&s, 2, 1, days_in_month(year, month), &day) ||
        !one_of(&s, "Tt ") || !digits(&s, 2, 0, 23, &hour) || !one_of(&s, ":") ||
        !digits(&s, 2, 0, 59, &minute) || !one_of(&s, ":") || !digits(&s, 2, 0, 60, &second))
        return false;
    if (one_of(&s, ".") && !fraction_ms(&s, &ms))
        return false;
    if (!offset_minutes(&s, &offset) || *s)
        return false;
    *out_ms = days_from_civil(year, month, day) * DAY_MS +
              ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms;
    return true;
}

void time_put_rfc3339(struct str *out, int64_t ms)
{
    int64_t days = (ms >= 0 ? ms : ms - (DAY_MS - 1)) / DAY_MS;
    int64_t rest = ms - days * DAY_MS, y, m, d;

    civil_from_days(days, &y, &m, &d);
    str_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, (int)m, (int)d, (int)(rest / 3600000),
               (int)(rest / 60000 % 60), (int)(rest / 1000 % 60));
    if (rest % 1000)
        str_printf(out, ".%03d", (int)(rest % 1000));
    str_putc(out, 'Z');
}

void time_put_local(struct str *out, int64_t ms)
{
    time_t t = (time_t)((ms >= 0 ? ms : ms - 999) / 1000);
    struct tm tm;
    long minutes;

    if (!localtime_r(&t, &tm)) {
        time_put_rfc3339(out, ms);
        return;
    }
    minutes = (tm.tm_gmtoff < 0 ? -tm.tm_gmtoff : tm.tm_gmtoff) / 60;
    str_printf(out, "%04d-%02d-%02d %02d:%02d:%02d%c%02ld:%02ld", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_gmtoff < 0 ? '-' : '+',
               minutes / 60, minutes % 60);
}

void duration_put(struct str *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{DAY_MS, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            str_printf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
            return;
        }
    }
    str_printf(out, "%lldms", (long long)ms);
}
