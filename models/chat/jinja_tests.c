/* jinja_tests.c - what may follow "is".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_compare.h"
#include "runtime/base/memory.h"

#define JINJA_TEST(name)                                                                           \
    static bool name(struct jinja_run *run, const struct jinja_value *in,                          \
                     const struct jinja_args *args)

JINJA_TEST(is_defined)
{
    (void)run;
    (void)args;
    return in->type != JT_UNDEFINED;
}

JINJA_TEST(is_undefined)
{
    return !is_defined(run, in, args);
}

JINJA_TEST(is_none)
{
    (void)run;
    (void)args;
    return in->type == JT_NONE;
}

JINJA_TEST(is_boolean)
{
    (void)run;
    (void)args;
    return in->type == JT_BOOL;
}

JINJA_TEST(is_true)
{
    (void)run;
    (void)args;
    return in->type == JT_BOOL && in->as.truth;
}

JINJA_TEST(is_false)
{
    (void)run;
    (void)args;
    return in->type == JT_BOOL && !in->as.truth;
}

JINJA_TEST(is_integer)
{
    (void)run;
    (void)args;
    return in->type == JT_INT;
}

JINJA_TEST(is_float)
{
    (void)run;
    (void)args;
    return in->type == JT_FLOAT;
}

JINJA_TEST(is_number)
{
    (void)run;
    (void)args;
    return jinja_is_number(in);
}

JINJA_TEST(is_string)
{
    (void)run;
    (void)args;
    return in->type == JT_STRING;
}

JINJA_TEST(is_mapping)
{
    (void)run;
    (void)args;
    return in->type == JT_DICT;
}

JINJA_TEST(is_sequence)
{
    (void)run;
    (void)args;
    return in->type == JT_STRING || in->type == JT_LIST || in->type == JT_DICT ||
           in->type == JT_UNDEFINED;
}

JINJA_TEST(is_callable)
{
    (void)run;
    (void)args;
    return in->type == JT_MACRO || in->type == JT_FUNCTION || in->type == JT_METHOD;
}

/* The argument of a test that needs one. */
static const struct jinja_value *operand(struct jinja_run *run, const struct jinja_args *args)
{
    static const struct jinja_value none = {.type = JT_UNDEFINED};

    if (args->n == 1)
        return &args->value[0];
    jinja_fail(run, STATUS_INVALID, "this test needs one argument");
    return &none;
}

JINJA_TEST(is_eq)
{
    return jinja_compare(run, OP_EQ, in, operand(run, args));
}

JINJA_TEST(is_ne)
{
    return jinja_compare(run, OP_NE, in, operand(run, args));
}

JINJA_TEST(is_lt)
{
    return jinja_compare(run, OP_LT, in, operand(run, args));
}

JINJA_TEST(is_le)
{
    return jinja_compare(run, OP_LE, in, operand(run, args));
}

JINJA_TEST(is_gt)
{
    return jinja_compare(run, OP_GT, in, operand(run, args));
}

JINJA_TEST(is_ge)
{
    return jinja_compare(run, OP_GE, in, operand(run, args));
}

JINJA_TEST(is_in)
{
    return jinja_compare(run, OP_IN, in, operand(run, args));
}

static bool remainder_is(struct jinja_run *run, const struct jinja_value *in, int64_t by,
                         int64_t want)
{
    if ((in->type != JT_INT && in->type != JT_BOOL) || by == 0) {
        jinja_fail(run, STATUS_INVALID, "this test needs integers");
        return false;
    }
    if (by == -1)
        return want == 0;
    return (jinja_as_int(in) % by != 0) == (want != 0);
}

JINJA_TEST(is_even)
{
    (void)args;
    return remainder_is(run, in, 2, 0);
}

JINJA_TEST(is_odd)
{
    (void)args;
    return remainder_is(run, in, 2, 1);
}

JINJA_TEST(is_divisible)
{
    return remainder_is(run, in, jinja_as_int(operand(run, args)), 0);
}

static bool has_letters(struct jinja_run *run, const struct jinja_value *v, char from, char to)
{
    if (v->type == JT_STRING)
        jinja_spend(run, v->as.text.n / 64);
    for (size_t i = 0; v->type == JT_STRING && i < v->as.text.n; i++)
        if (v->as.text.p[i] >= from && v->as.text.p[i] <= to)
            return true;
    return false;
}

JINJA_TEST(is_lower)
{
    (void)args;
    return has_letters(run, in, 'a', 'z') && !has_letters(run, in, 'A', 'Z');
}

JINJA_TEST(is_upper)
{
    (void)args;
    return has_letters(run, in, 'A', 'Z') && !has_letters(run, in, 'a', 'z');
}

const struct jinja_test *jinja_find_test(struct jinja_text name)
{
    static const struct jinja_test table[] = {
        {"boolean", is_boolean},
        {"callable", is_callable},
        {"defined", is_defined},
        {"divisibleby", is_divisible},
        {"eq", is_eq},
        {"equalto", is_eq},
        {"even", is_even},
        {"false", is_false},
        {"float", is_float},
        {"ge", is_ge},
        {"greaterthan", is_gt},
        {"gt", is_gt},
        {"in", is_in},
        {"integer", is_integer},
        {"iterable", is_sequence},
        {"le", is_le},
        {"lessthan", is_lt},
        {"lower", is_lower},
        {"lt", is_lt},
        {"mapping", is_mapping},
        {"ne", is_ne},
        {"none", is_none},
        {"number", is_number},
        {"odd", is_odd},
        {"sameas", is_eq},
        {"sequence", is_sequence},
        {"string", is_string},
        {"true", is_true},
        {"undefined", is_undefined},
        {"upper", is_upper},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (jinja_text_is(name, table[i].name))
            return &table[i];
    return NULL;
}
