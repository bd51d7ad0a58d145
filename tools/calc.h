/* calc.h - arithmetic expressions over 64-bit integers and doubles.
 *
 * Integers are exact while they fit in 64 bits; a larger result becomes a double. Division of
 * integers gives an integer if there is no remainder, else a double. // and % round down, as in
 * Python.
 * ^ and ** bind to the right and more tightly than a sign: -2^2 is -4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_CALC_H
#define TROUPE_TOOLS_CALC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct calc_number {
    bool is_integer;
    int64_t integer;
    double real;
};

/* STATUS_INVALID with the column (in bytes, from 1) and what was expected; STATUS_LIMIT past 4,096
 * bytes or 64 parentheses. A result that is not finite is an error. */
MUST_CHECK enum status calc_evaluate(const char *text, size_t n, struct calc_number *out,
                                     struct error *err);

/* calc_number.c: the operations. They return NULL, or an error message. */
struct calc_number calc_integer(int64_t v);
struct calc_number calc_real(double v);
double calc_as_real(struct calc_number v);
/* op: one of + - * / % ^ and '\\' for //. */
const char *calc_operate(char op, struct calc_number a, struct calc_number b,
                         struct calc_number *out);

/* calc_function.c */
struct calc_function; /* opaque */
#define CALC_MAX_ARGS 32
const struct calc_function *calc_find(const char *name, size_t n); /* NULL: no such function */
/* The nearest name of a function or constant, or NULL. */
const char *calc_nearest(const char *name);
bool calc_constant(const char *name, size_t n, struct calc_number *out);
const char *calc_apply(const struct calc_function *f, const struct calc_number *args,
                       int32_t n_args, struct calc_number *out);

#endif
