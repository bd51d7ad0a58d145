/* str_number.c - numbers as text: integers fast, floats as short as they go.
 *
 * A float always shows that it is one (1.0, 1e+16), as Python's json does: a value that is
 * written and read again keeps its JSON kind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

/* Below this a whole double is printed exactly by its digits alone, and above it
 * Python's repr turns to an exponent. */
#define WHOLE_DIGITS_MAX 1e16

void str_put_i64(struct str *s, int64_t v)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char text[20];
    size_t at = sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    while (u >= 100) {
        at -= 2;
        memcpy(text + at, pairs + 2 * (u % 100), 2);
        u /= 100;
    }
    if (u >= 10) {
        at -= 2;
        memcpy(text + at, pairs + 2 * u, 2);
    } else {
        text[--at] = (char)('0' + u);
    }
    if (v < 0)
        text[--at] = '-';
    str_append(s, text + at, sizeof(text) - at);
}

static void put_whole(struct str *s, double v)
{
    if (signbit(v)) /* -0.0 too */
        str_putc(s, '-');
    str_put_i64(s, (int64_t)fabs(v));
    str_append(s, ".0", 2);
}

/* printf's text with a point in every locale, and with ".0" if it would look
 * like an integer. */
static void put_formatted(struct str *s, char *text)
{
    bool shows_float = false;

    for (char *c = text; *c; c++) {
        bool digit = *c >= '0' && *c <= '9';

        if (!digit && *c != '-' && *c != '+' && *c != 'e')
            *c = '.';
        shows_float |= *c == '.' || *c == 'e';
    }
    str_puts(s, text);
    if (!shows_float)
        str_append(s, ".0", 2);
}

void str_put_double(struct str *s, double v)
{
    char text[40];

    if (!isfinite(v)) {
        str_append(s, "null", 4);
        return;
    }
    if (fabs(v) < WHOLE_DIGITS_MAX && v == floor(v)) {
        put_whole(s, v);
        return;
    }
    /* 15 digits survive the way through any normal double, so that %.15g with its
     * zeros cut is the shortest where it works; subnormals have fewer. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (digits == 17 || strtod(text, NULL) == v)
            break;
    }
    put_formatted(s, text);
}

/* The shortest of 1 to 9 digits that reads back, into text. If n digits read back, so
 * do n + 1, and 9 always do: two or three tries find the place. */
static void shortest_float(char *text, size_t size, float v)
{
    int digits = fabsf(v) < FLT_MIN ? 1 : 6;

    snprintf(text, size, "%.*g", digits, (double)v);
    if (strtof(text, NULL) == v)
        return;
    if (digits == 1) { /* a subnormal: its few digits are found one by one */
        while (digits < 9 && strtof(text, NULL) != v)
            snprintf(text, size, "%.*g", ++digits, (double)v);
        return;
    }
    snprintf(text, size, "%.8g", (double)v);
    if (strtof(text, NULL) != v) {
        snprintf(text, size, "%.9g", (double)v);
        return;
    }
    snprintf(text, size, "%.7g", (double)v);
    if (strtof(text, NULL) != v)
        snprintf(text, size, "%.8g", (double)v);
}

void str_put_float(struct str *s, float v)
{
    char text[40];

    if (!isfinite(v)) {
        str_append(s, "null", 4);
    } else if (fabsf(v) < 1e7F && v == floorf(v)) {
        put_whole(s, (double)v);
    } else {
        shortest_float(text, sizeof(text), v);
        put_formatted(s, text);
    }
}
