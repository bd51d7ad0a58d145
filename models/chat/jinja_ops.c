/* jinja_ops.c - operators that make a new value, as Python has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_ops.h"

#include <math.h>
#include <string.h>

#include "models/chat/jinja_compare.h"
#include "models/chat/jinja_print.h"

static struct jinja_value join_lists(struct jinja_run *run, const struct jinja_list *a,
                                     const struct jinja_list *b)
{
    const struct jinja_value v = jinja_list(&run->memory);

    if (!jinja_spend(run, a->n + b->n) || v.type != JT_LIST)
        return JINJA_UNDEFINED;
    for (size_t i = 0; i < a->n; i++)
        jinja_push(&run->memory, v.as.list, a->item[i]);
    for (size_t i = 0; i < b->n; i++)
        jinja_push(&run->memory, v.as.list, b->item[i]);
    return v;
}

static struct jinja_value repeat_text(struct jinja_run *run, struct jinja_text t, int64_t times)
{
    size_t n;
    char *p;

    if (times < 0)
        times = 0;
    if (__builtin_mul_overflow(t.n, (size_t)times, &n))
        n = SIZE_MAX / 2;
    p = jinja_alloc(&run->memory, n + 1);
    if (!jinja_spend(run, 1 + n / 64) || p == NULL)
        return JINJA_UNDEFINED;
    for (size_t i = 0; i < n; i++)
        p[i] = t.p[i % t.n];
    return jinja_string((struct jinja_text){p, n});
}

static struct jinja_value real_result(struct jinja_run *run, enum jinja_op op, double a, double b)
{
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR_DIVIDE || op == OP_MODULO)) {
        jinja_fail(run, STATUS_INVALID, "division by zero");
        return JINJA_UNDEFINED;
    }
    switch (op) {
    case OP_ADD:
        return jinja_float(a + b);
    case OP_SUBTRACT:
        return jinja_float(a - b);
    case OP_MULTIPLY:
        return jinja_float(a * b);
    case OP_DIVIDE:
        return jinja_float(a / b);
    case OP_FLOOR_DIVIDE:
        return jinja_float(floor(a / b));
    case OP_MODULO:
        return jinja_float(a - floor(a / b) * b);
    default:
        return jinja_float(pow(a, b));
    }
}

static bool int_power(int64_t a, int64_t b, int64_t *out)
{
    *out = 1;
    if (a >= -1 && a <= 1) /* powers of 0, 1 and -1 cannot overflow */
        b = b == 0 ? 0 : 2 - b % 2;
    for (; b > 0; b--)
        if (__builtin_mul_overflow(*out, a, out))
            return false;
    return true;
}

/* Division and remainder round down, as in Python. */
static bool int_result(enum jinja_op op, int64_t a, int64_t b, int64_t *out)
{
    int64_t quotient;

    switch (op) {
    case OP_ADD:
        return !__builtin_add_overflow(a, b, out);
    case OP_SUBTRACT:
        return !__builtin_sub_overflow(a, b, out);
    case OP_MULTIPLY:
        return !__builtin_mul_overflow(a, b, out);
    case OP_POWER:
        return int_power(a, b, out);
    default:
        if (a == INT64_MIN && b == -1)
            return false;
        quotient = a / b - (a % b != 0 && (a < 0) != (b < 0));
        *out = op == OP_FLOOR_DIVIDE ? quotient : a - quotient * b;
        return true;
    }
}

static struct jinja_value arithmetic(struct jinja_run *run, enum jinja_op op,
                                     const struct jinja_value *a, const struct jinja_value *b)
{
    const bool whole = a->type != JT_FLOAT && b->type != JT_FLOAT && op != OP_DIVIDE;
    int64_t out;

    if (!whole || (op == OP_POWER && jinja_as_int(b) < 0) ||
        (jinja_as_int(b) == 0 && (op == OP_FLOOR_DIVIDE || op == OP_MODULO)))
        return real_result(run, op, jinja_as_real(a), jinja_as_real(b));
    if (!int_result(op, jinja_as_int(a), jinja_as_int(b), &out)) {
        jinja_fail(run, STATUS_LIMIT, "an integer does not fit in 64 bits");
        return JINJA_UNDEFINED;
    }
    return jinja_int(out);
}

struct jinja_value jinja_binary(struct jinja_run *run, enum jinja_op op,
                                const struct jinja_value *a, const struct jinja_value *b)
{
    static const char *const names[] = {"+", "-", "*", "/", "//", "%", "**", "~"};

    if (op == OP_CONCAT) {
        const struct jinja_value x = jinja_to_text(run, a), y = jinja_to_text(run, b);

        return run->st ? JINJA_UNDEFINED : jinja_join_texts(run, x.as.text, y.as.text);
    }
    if (jinja_is_number(a) && jinja_is_number(b))
        return arithmetic(run, op, a, b);
    if (op == OP_ADD && a->type == JT_STRING && b->type == JT_STRING)
        return jinja_join_texts(run, a->as.text, b->as.text);
    if (op == OP_ADD && a->type == JT_LIST && b->type == JT_LIST)
        return join_lists(run, a->as.list, b->as.list);
    if (op == OP_MULTIPLY && a->type == JT_STRING && (b->type == JT_INT || b->type == JT_BOOL))
        return repeat_text(run, a->as.text, jinja_as_int(b));
    return jinja_type_fault(run, names[op], a, b);
}
