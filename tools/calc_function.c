/* calc_function.c - the calculator's functions and constants.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "tools/calc.h"

enum rule { ANY, NOT_NEGATIVE, POSITIVE, UNIT }; /* the domain of a function of one real */

struct calc_function {
    const char *name;
    int32_t min_args, max_args;
    double (*of_real)(double);
    enum rule rule;
    const char *(*of_many)(const struct calc_number *args, int32_t n, struct calc_number *out);
};

static const char *do_abs(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    (void)n;
    if (a->is_integer && a->integer != INT64_MIN)
        *out = calc_integer(a->integer < 0 ? -a->integer : a->integer);
    else
        *out = calc_real(fabs(calc_as_real(*a)));
    return NULL;
}

static const char *extreme(const struct calc_number *a, int32_t n, bool largest,
                           struct calc_number *out)
{
    *out = a[0];
    for (int32_t i = 1; i < n; i++) {
        bool less = a[i].is_integer && out->is_integer ? a[i].integer < out->integer
                                                       : calc_as_real(a[i]) < calc_as_real(*out);
        bool more = a[i].is_integer && out->is_integer ? a[i].integer > out->integer
                                                       : calc_as_real(a[i]) > calc_as_real(*out);

        if (largest ? more : less)
            *out = a[i];
    }
    return NULL;
}

static const char *do_min(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    return extreme(a, n, false, out);
}

static const char *do_max(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    return extreme(a, n, true, out);
}

static const char *do_pow(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    (void)n;
    return calc_operate('^', a[0], a[1], out);
}

static const char *do_gcd(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    uint64_t x = 0;

    for (int32_t i = 0; i < n; i++) {
        uint64_t y;

        if (!a[i].is_integer)
            return "gcd takes integers";
        y = a[i].integer < 0 ? 0 - (uint64_t)a[i].integer : (uint64_t)a[i].integer;
        while (y) {
            uint64_t rest = x % y;

            x = y;
            y = rest;
        }
    }
    *out = x <= INT64_MAX ? calc_integer((int64_t)x) : calc_real((double)x);
    return NULL;
}

/* To an integer if it fits in 64 bits; integers pass unchanged. */
static const char *to_integer(struct calc_number a, double (*how)(double), struct calc_number *out)
{
    double v;

    *out = a;
    if (a.is_integer)
        return NULL;
    v = how(a.real);
    *out = fabs(v) < 0x1p63 ? calc_integer((int64_t)v) : calc_real(v);
    return NULL;
}

static const char *do_floor(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    (void)n;
    return to_integer(*a, floor, out);
}

static const char *do_ceil(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    (void)n;
    return to_integer(*a, ceil, out);
}

static const char *do_trunc(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    (void)n;
    return to_integer(*a, trunc, out);
}

/* Halves go away from zero; a second argument is the number of decimals. */
static const char *do_round(const struct calc_number *a, int32_t n, struct calc_number *out)
{
    double scale;

    if (n == 1 || a->is_integer)
        return to_integer(*a, round, out);
    if (!a[1].is_integer || a[1].integer < 0 || a[1].integer > 15)
        return "round takes 0 to 15 decimals";
    scale = pow(10, (double)a[1].integer);
    *out = calc_real(round(a->real * scale) / scale);
    return NULL;
}

static const struct calc_function functions[] = {
    {"abs", 1, 1, NULL, ANY, do_abs},
    {"sqrt", 1, 1, sqrt, NOT_NEGATIVE, NULL},
    {"cbrt", 1, 1, cbrt, ANY, NULL},
    {"exp", 1, 1, exp, ANY, NULL},
    {"ln", 1, 1, log, POSITIVE, NULL},
    {"log2", 1, 1, log2, POSITIVE, NULL},
    {"log10", 1, 1, log10, POSITIVE, NULL},
    {"sin", 1, 1, sin, ANY, NULL},
    {"cos", 1, 1, cos, ANY, NULL},
    {"tan", 1, 1, tan, ANY, NULL},
    {"asin", 1, 1, asin, UNIT, NULL},
    {"acos", 1, 1, acos, UNIT, NULL},
    {"atan", 1, 1, atan, ANY, NULL},
    {"floor", 1, 1, NULL, ANY, do_floor},
    {"ceil", 1, 1, NULL, ANY, do_ceil},
    {"trunc", 1, 1, NULL, ANY, do_trunc},
    {"round", 1, 2, NULL, ANY, do_round},
    {"min", 1, CALC_MAX_ARGS, NULL, ANY, do_min},
    {"max", 1, CALC_MAX_ARGS, NULL, ANY, do_max},
    {"pow", 2, 2, NULL, ANY, do_pow},
    {"gcd", 1, CALC_MAX_ARGS, NULL, ANY, do_gcd},
};

static const struct {
    const char *name;
    double value;
} constants[] = {{"pi", M_PI}, {"e", M_E}};

static bool same_name(const char *known, const char *name, size_t n)
{
    return strlen(known) == n && memcmp(known, name, n) == 0;
}

const struct calc_function *calc_find(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (same_name(functions[i].name, name, n))
            return &functions[i];
    }
    return NULL;
}

bool calc_constant(const char *name, size_t n, struct calc_number *out)
{
    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        if (same_name(constants[i].name, name, n)) {
            *out = calc_real(constants[i].value);
            return true;
        }
    }
    return false;
}

const char *calc_nearest(const char *name)
{
    const char *names[ARRAY_LEN(functions) + ARRAY_LEN(constants)];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        names[n++] = functions[i].name;
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        names[n++] = constants[i].name;
    return nearest_word(name, names, n);
}

const char *calc_apply(const struct calc_function *f, const struct calc_number *args,
                       int32_t n_args, struct calc_number *out)
{
    const char *wrong = NULL;
    double x;

    if (n_args < f->min_args)
        return f->min_args == 1 ? "expected an argument" : "expected two arguments";
    if (n_args > f->max_args)
        return f->max_args == 1 ? "expected only one argument" : "too many arguments";
    if (f->of_many) {
        wrong = f->of_many(args, n_args, out);
    } else {
        x = calc_as_real(args[0]);
        if (f->rule == NOT_NEGATIVE && x < 0)
            return "expected 0 or a number above 0";
        if (f->rule == POSITIVE && x <= 0)
            return "expected a number above 0";
        if (f->rule == UNIT && fabs(x) > 1)
            return "expected a number from -1 to 1";
        *out = calc_real(f->of_real(x));
    }
    if (!wrong && !out->is_integer && !isfinite(out->real))
        return "the result is too large";
    return wrong;
}
