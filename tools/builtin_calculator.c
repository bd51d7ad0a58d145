/* builtin_calculator.c - arithmetic as a tool; the arithmetic itself is calc.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/builtin.h"
#include "tools/calc.h"

static const struct tool_declaration declaration = {
    .name = "calculator",
    .description =
        "Evaluates an arithmetic expression: + - * / // % ^, parentheses, pi, e, and the functions "
        "abs, sqrt, cbrt, exp, ln, log2, log10, sin, cos, tan, asin, acos, atan, floor, ceil, "
        "round, trunc, min, max, pow, gcd. Integers are exact up to 64 bits; angles are radians.",
    .source = "built-in",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"expression\":{\"type\":\"string\","
        "\"minLength\":1,\"maxLength\":4096,\"description\":\"for instance (3 + 4) * sqrt(2)\"}},"
        "\"required\":[\"expression\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"number\"}},"
                     "\"required\":[\"value\"]}",
    .effect = EFFECT_NONE,
};

static void start(struct tool *t, struct tool_call *c)
{
    const struct json *text = jv_get(c->arguments, "expression");
    struct error err = ERROR_INIT;
    struct calc_number value;
    struct json *result;

    (void)t;
    if (calc_evaluate(jv_get_string(text, ""), jv_string_len(text), &value, &err)) {
        tool_call_refuse(c, "%s", err.message); /* the same expression fails again */
        return;
    }
    result = jv_object();
    if (value.is_integer)
        jv_set_int(result, "value", value.integer);
    else
        jv_set_real(result, "value", value.real);
    tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_calculator(const struct tool_registry_options *o, struct tool **out,
                               struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};

    (void)o;
    return tool_new(&declaration, &ops, NULL, out, err);
}
