/* text.c - converts whole strings to numbers, durations and sizes.
 *
 * Strict on purpose: a blank, a meaningless sign or a trailing byte is an error in a
 * command line or a configuration file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* At least one digit, and nothing else up to `end`. */
static bool digits_to_u64(const char *s, const char *end, unsigned base, uint64_t *out)
{
    uint64_t v = 0;

    if (s == end)
        return false;
    for (; s < end; s++) {
        unsigned d = (unsigned)digit_value(*s);

        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    *out = v;
    return true;
}

bool text_to_i64(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    uint64_t v;

    s += negative;
    if (!digits_to_u64(s, s + strlen(s), 10, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

bool text_to_u64(const char *s, uint64_t *out)
{
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        return digits_to_u64(s + 2, s + strlen(s), 16, out);
    return digits_to_u64(s, s + strlen(s), 10, out);
}

bool text_to_double(const char *s, double *out)
{
    /* For "C" glibc hands out a constant: nothing is allocated or changed. */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end;
    double v;

    /* strtod also takes blanks, inf, nan and hexadecimal: not here. */
    if (*s == '\0' || s[strspn(s, "0123456789+-.eE")] != '\0' || *s == '+' || !c_locale)
        return false;
    v = strtod_l(s, &end, c_locale);
    freelocale(c_locale);
    if (end == s || *end != '\0' || !isfinite(v))
        return false;
    *out = v;
    return true;
}

bool text_to_duration_ms(const char *s, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    size_t n = strspn(s, "0123456789.");
    char number[32];
    double v;

    if (n == 0 || n >= sizeof(number))
        return false;
    memcpy(number, s, n);
    number[n] = '\0';
    if (!text_to_double(number, &v))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(s + n, units[i].unit) != 0)
            continue;
        v = round(v * units[i].ms);
        if (v > 0x1p53) /* 285,000 years: a double is exact up to here */
            return false;
        *out_ms = (int64_t)v;
        return true;
    }
    return false;
}

bool text_to_bytes(const char *s, uint64_t *out)
{
    static const char letters[] = "kmgt";
    size_t n = strspn(s, "0123456789");
    const char *unit = s + n;
    uint64_t v;
    uint64_t scale = 1;

    if (!digits_to_u64(s, unit, 10, &v))
        return false;
    if (*unit != '\0' && *unit != 'B') {
        const char *at = strchr(letters, *unit | 0x20);

        if (!at || *at == '\0')
            return false;
        scale = (uint64_t)1 << (10 * (at - letters + 1));
        unit++;
    }
    if (strcmp(unit, "") != 0 && strcmp(unit, "B") != 0 && strcmp(unit, "iB") != 0)
        return false;
    return !__builtin_mul_overflow(v, scale, out);
}

void text_put_shell_word(const char *word, struct str *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-";

    if (*word && word[strspn(word, plain)] == 0) {
        str_puts(out, word);
        return;
    }
    str_putc(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            str_puts(out, "'\\''");
        else
            str_putc(out, *word);
    str_putc(out, '\'');
}

const char *plural_s(int64_t n)
{
    return n == 1 ? "" : "s";
}
