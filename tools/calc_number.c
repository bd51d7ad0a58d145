/* calc_number.c - the calculator's operators on exact integers and doubles.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tools/calc.h"

struct calc_number calc_integer(int64_t v)
{
    return (struct calc_number){.is_integer = true, .integer = v};
}

struct calc_number calc_real(double v)
{
    return (struct calc_number){.real = v};
}

double calc_as_real(struct calc_number v)
{
    return v.is_integer ? (double)v.integer : v.real;
}

/* Rounded down. INT64_MIN / -1 does not fit; the caller uses doubles for it. */
static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool power(int64_t base, int64_t exponent, int64_t *out)
{
    int64_t result = 1;

    while (exponent > 0) {
        if (exponent & 1 && __builtin_mul_overflow(result, base, &result))
            return false;
        exponent >>= 1;
        if (exponent && __builtin_mul_overflow(base, base, &base))
            return false;
    }
    *out = result;
    return true;
}

/* False: not exact in 64 bits, use doubles. A divisor b is not 0. */
static bool operate_exactly(char op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case '+':
        return !__builtin_add_overflow(a, b, out);
    case '-':
        return !__builtin_sub_overflow(a, b, out);
    case '*':
        return !__builtin_mul_overflow(a, b, out);
    case '^':
        return b >= 0 && power(a, b, out);
    default:
        break;
    }
    if (a == INT64_MIN && b == -1)
        return false;
    if (op == '/') {
        *out = a / b;
        return a % b == 0;
    }
    *out = op == '%' ? a - divide_down(a, b) * b : divide_down(a, b);
    return true;
}

static double operate_real(char op, double a, double b)
{
    double rest;

    switch (op) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    case '/':
        return a / b;
    case '^':
        return pow(a, b);
    case '%':
        rest = fmod(a, b);
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    default:
        return floor(a / b);
    }
}

const char *calc_operate(char op, struct calc_number a, struct calc_number b,
                         struct calc_number *out)
{
    int64_t exact;
    double x = calc_as_real(a), y = calc_as_real(b);

    if ((op == '/' || op == '\\' || op == '%') && y == 0)
        return "division by zero";
    if (op == '^' && x == 0 && y < 0)
        return "zero cannot be raised to a negative power";
    if (op == '^' && x < 0 && y != floor(y))
        return "a negative number cannot be raised to a fraction";
    if (a.is_integer && b.is_integer && operate_exactly(op, a.integer, b.integer, &exact)) {
        *out = calc_integer(exact);
        return NULL;
    }
    *out = calc_real(operate_real(op, x, y));
    return isfinite(out->real) ? NULL : "the result is too large";
}
