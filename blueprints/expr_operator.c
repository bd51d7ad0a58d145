/* expr_operator.c - comparison, arithmetic and `in` on two values.
 *
 * Integers are 64 bits and checked; an integer with a double becomes a double. Values of
 * different types are unequal, and ordering them is an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "blueprints/expr_ast.h"

#define OP_IN OP2('i', 'n')

static bool is_number(const struct json *v)
{
    return jv_kind(v) == JV_INT || jv_kind(v) == JV_REAL;
}

static enum status bad_types(struct expr_eval *ev, int op, const struct json *a,
                             const struct json *b)
{
    char name[3] = {(char)(op > 255 ? op / 256 : op), (char)(op > 255 ? op % 256 : 0), 0};

    return expr_eval_fault(ev, STATUS_INVALID, "`%s` does not take %s and %s", name,
                           jv_kind_name(jv_kind(a)), jv_kind_name(jv_kind(b)));
}

/* Exact: an integer above 2^53 is not rounded to a double. */
static int compare_int_real(int64_t i, double d)
{
    if (d >= 9223372036854775808.0)
        return -1;
    if (d < -9223372036854775808.0)
        return 1;
    if (i != (int64_t)d)
        return i < (int64_t)d ? -1 : 1;
    return d > (double)(int64_t)d ? -1 : d < (double)(int64_t)d;
}

static int compare_numbers(const struct json *a, const struct json *b)
{
    double x = jv_get_number(a, 0), y = jv_get_number(b, 0);
    int64_t i = jv_get_int(a, 0), j = jv_get_int(b, 0);

    if (jv_kind(a) == JV_INT && jv_kind(b) == JV_INT)
        return i < j ? -1 : i > j;
    if (jv_kind(a) == JV_INT)
        return compare_int_real(i, y);
    if (jv_kind(b) == JV_INT)
        return -compare_int_real(j, x);
    return x < y ? -1 : x > y;
}

/* By bytes, which for UTF-8 is the order of code points. */
static int compare_strings(const struct json *a, const struct json *b)
{
    size_t n = jv_string_len(a), m = jv_string_len(b);
    int c = memcmp(jv_get_string(a, ""), jv_get_string(b, ""), n < m ? n : m);

    if (c != 0)
        return c;
    return n < m ? -1 : n > m;
}

/* Collections are compared without limit on depth by jv_equal, which the depth limit of JSON
 * bounds. */
static bool expr_equal(const struct json *a, const struct json *b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b) == 0;
    return jv_equal(a, b);
}

/* Values inside v, counted up to `most`; text counts by its length. JSON's limit bounds the depth.
 */
size_t expr_weight(const struct json *v, size_t most)
{
    size_t n = 1 + jv_string_len(v) / 64;
    struct json *member;

    for (size_t i = 0; jv_kind(v) == JV_ARRAY && i < jv_size(v) && n < most; i++)
        n += expr_weight(jv_at(v, i), most - n);
    if (jv_kind(v) == JV_OBJECT) {
        for (void *it = NULL; n < most && (it = jv_next(v, it, NULL, &member)) != NULL;)
            n += expr_weight(member, most - n);
    }
    return n;
}

size_t expr_cost(const struct json *v)
{
    return expr_weight(v, (size_t)EXPR_MAX_STEPS * 32) / 16;
}

bool expr_compare(const struct json *a, const struct json *b, int *out)
{
    if (is_number(a) && is_number(b))
        *out = compare_numbers(a, b);
    else if (jv_kind(a) == JV_STRING && jv_kind(b) == JV_STRING)
        *out = compare_strings(a, b);
    else
        return false;
    return true;
}

static enum status op_order(struct expr_eval *ev, int op, const struct json *a,
                            const struct json *b, struct json **out)
{
    int c;

    if (!expr_compare(a, b, &c))
        return bad_types(ev, op, a, b);
    *out = jv_bool(op == '<' ? c < 0 : op == '>' ? c > 0 : op == OP2('<', '=') ? c <= 0 : c >= 0);
    return STATUS_OK;
}

static enum status op_in(struct expr_eval *ev, const struct json *a, const struct json *b,
                         struct json **out)
{
    bool found = false;
    enum status st = STATUS_OK;

    if (jv_kind(b) == JV_OBJECT && jv_kind(a) == JV_STRING) {
        *out = jv_bool(jv_get(b, jv_get_string(a, "")) != NULL);
        return STATUS_OK;
    }
    if (jv_kind(b) != JV_ARRAY)
        return bad_types(ev, OP_IN, a, b);
    st = expr_eval_spend(ev, jv_size(b) / 16);
    for (size_t i = 0; !st && !found && i < jv_size(b); i++) {
        st = expr_eval_spend(ev, expr_cost(jv_at(b, i)));
        found = !st && expr_equal(a, jv_at(b, i));
    }
    if (!st)
        *out = jv_bool(found);
    return st;
}

static enum status op_integers(struct expr_eval *ev, int op, int64_t a, int64_t b,
                               struct json **out)
{
    int64_t r = 0;
    bool over = false;

    if ((op == '/' || op == '%') && b == 0)
        return expr_eval_fault(ev, STATUS_INVALID, "division by zero");
    if (op == '+')
        over = __builtin_add_overflow(a, b, &r);
    else if (op == '-')
        over = __builtin_sub_overflow(a, b, &r);
    else if (op == '*')
        over = __builtin_mul_overflow(a, b, &r);
    else if (a == INT64_MIN && b == -1)
        over = true;
    else
        r = op == '/' ? a / b : a % b;
    if (over)
        return expr_eval_fault(ev, STATUS_INVALID, "the integer is out of range");
    *out = jv_int(r);
    return STATUS_OK;
}

static enum status op_doubles(struct expr_eval *ev, int op, double a, double b, struct json **out)
{
    double r = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;

    if (op == '/' && b == 0)
        return expr_eval_fault(ev, STATUS_INVALID, "division by zero");
    if (!isfinite(r))
        return expr_eval_fault(ev, STATUS_INVALID, "the number is out of range");
    *out = jv_real(r);
    return STATUS_OK;
}

static enum status join_strings(struct expr_eval *ev, const struct json *a, const struct json *b,
                                struct json **out)
{
    size_t n = jv_string_len(a) + jv_string_len(b);
    struct str text;
    enum status st = expr_eval_spend(ev, n / 1024);

    if (st)
        return st;
    if (n > EXPR_MAX_TEXT)
        return expr_eval_fault(ev, STATUS_LIMIT, "the result of `+` is longer than %zu bytes",
                               EXPR_MAX_TEXT);
    str_init(&text, EXPR_MAX_TEXT + 1);
    str_append(&text, jv_get_string(a, ""), jv_string_len(a));
    str_append(&text, jv_get_string(b, ""), jv_string_len(b));
    if (str_ok(&text))
        *out = jv_string_n(str_cstr(&text), text.len);
    else
        st = expr_eval_fault(ev, STATUS_NO_MEMORY, "no memory for %zu bytes of text", n);
    str_deinit(&text);
    return st;
}

static enum status join_lists(struct expr_eval *ev, const struct json *a, const struct json *b,
                              struct json **out)
{
    size_t n = jv_size(a) + jv_size(b);
    enum status st = expr_eval_spend(ev, n / 16);
    struct json *list;

    if (st)
        return st;
    if (n > EXPR_MAX_LIST)
        return expr_eval_fault(ev, STATUS_LIMIT, "the result of `+` has more than %zu items",
                               EXPR_MAX_LIST);
    list = jv_array();
    for (size_t i = 0; i < jv_size(a); i++)
        jv_append_adopt(list, jv_ref(jv_at(a, i)));
    for (size_t i = 0; i < jv_size(b); i++)
        jv_append_adopt(list, jv_ref(jv_at(b, i)));
    *out = list;
    return STATUS_OK;
}

static enum status op_arithmetic(struct expr_eval *ev, int op, const struct json *a,
                                 const struct json *b, struct json **out)
{
    if (jv_kind(a) == JV_INT && jv_kind(b) == JV_INT)
        return op_integers(ev, op, jv_get_int(a, 0), jv_get_int(b, 0), out);
    if (is_number(a) && is_number(b) && op != '%')
        return op_doubles(ev, op, jv_get_number(a, 0), jv_get_number(b, 0), out);
    if (op == '+' && jv_kind(a) == JV_STRING && jv_kind(b) == JV_STRING)
        return join_strings(ev, a, b, out);
    if (op == '+' && jv_kind(a) == JV_ARRAY && jv_kind(b) == JV_ARRAY)
        return join_lists(ev, a, b, out);
    return bad_types(ev, op, a, b);
}

enum status expr_operator(struct expr_eval *ev, int op, const struct json *a, const struct json *b,
                          struct json **out)
{
    enum status st = STATUS_OK;

    switch (op) {
    case OP2('=', '='):
    case OP2('!', '='):
        st = expr_eval_spend(ev, expr_cost(a));
        if (!st)
            *out = jv_bool(expr_equal(a, b) == (op == OP2('=', '=')));
        return st;
    case '<':
    case '>':
    case OP2('<', '='):
    case OP2('>', '='):
        return op_order(ev, op, a, b, out);
    case OP_IN:
        return op_in(ev, a, b, out);
    default:
        return op_arithmetic(ev, op, a, b, out);
    }
}
