/* expr_function.c - the table of functions.def, and the functions that take a value of any type.
 * All are pure, bounded and without I/O. Text: expr_text.c; lists: expr_list.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/map.h"
#include "runtime/base/text.h"

enum status expr_wrong_type(struct expr_eval *ev, const char *takes, const struct json *got)
{
    return expr_eval_fault(ev, STATUS_INVALID, "%s, got %s", takes, jv_kind_name(jv_kind(got)));
}

void expr_put_text(struct str *out, const struct json *v)
{
    if (jv_kind(v) == JV_STRING)
        str_append(out, jv_get_string(v, ""), jv_string_len(v));
    else if (expr_weight(v, EXPR_MAX_TEXT) < EXPR_MAX_TEXT)
        jv_write(v, 0, out);
    else
        out->failed = true;
}

enum status expr_fn_size(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    const char *text = jv_get_string(args[0], NULL);
    size_t n = jv_string_len(args[0]);
    int64_t count = 0;
    enum status st;

    if (jv_kind(args[0]) == JV_ARRAY || jv_kind(args[0]) == JV_OBJECT) {
        *out = jv_int((int64_t)jv_size(args[0]));
        return STATUS_OK;
    }
    if (!text)
        return expr_wrong_type(ev, "size takes a string, a list or a map", args[0]);
    st = expr_eval_spend(ev, n / 1024);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80; /* code points */
    *out = jv_int(count);
    return STATUS_OK;
}

enum status expr_fn_string(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct str text;
    enum status st = STATUS_OK;

    str_init(&text, EXPR_MAX_TEXT);
    expr_put_text(&text, args[0]);
    if (str_ok(&text))
        st = expr_eval_spend(ev, text.len / 1024);
    else
        st = expr_eval_fault(ev, STATUS_LIMIT, "the result of string() is larger than %zu bytes",
                             EXPR_MAX_TEXT);
    if (!st)
        *out = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}

enum status expr_fn_to_json(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct str text;
    enum status st = expr_eval_spend(ev, expr_cost(args[0]));

    if (st)
        return st;
    str_init(&text, EXPR_MAX_TEXT);
    jv_write(args[0], 0, &text);
    if (str_ok(&text))
        *out = jv_string_n(str_cstr(&text), text.len);
    else
        st = expr_eval_fault(ev, STATUS_LIMIT, "the result of to_json() is larger than %zu bytes",
                             EXPR_MAX_TEXT);
    str_deinit(&text);
    return st;
}

enum status expr_fn_parse_json(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct error fault = ERROR_INIT;
    size_t n = jv_string_len(args[0]);
    enum status st;

    if (jv_kind(args[0]) != JV_STRING)
        return expr_wrong_type(ev, "parse_json takes a string", args[0]);
    st = expr_eval_spend(ev, n / 256);
    if (st)
        return st;
    st = jv_parse_max(jv_get_string(args[0], ""), n, EXPR_MAX_TEXT, "text", out, &fault);
    return st ? expr_eval_fault(ev, st, "parse_json: %s: %s", fault.where, fault.message) : st;
}

enum status expr_fn_int(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    double d = trunc(jv_get_number(args[0], 0));
    int64_t i = 0;

    switch (jv_kind(args[0])) {
    case JV_INT:
        *out = jv_ref(args[0]);
        return STATUS_OK;
    case JV_BOOL:
        *out = jv_int(jv_get_bool(args[0], false));
        return STATUS_OK;
    case JV_REAL:
        if (d >= 9223372036854775808.0 || d < -9223372036854775808.0)
            return expr_eval_fault(ev, STATUS_INVALID, "the number does not fit into an integer");
        *out = jv_int((int64_t)d);
        return STATUS_OK;
    case JV_STRING:
        if (!text_to_i64(jv_get_string(args[0], ""), &i))
            return expr_eval_fault(ev, STATUS_INVALID, "\"%.40s\" is not an integer",
                                   jv_get_string(args[0], ""));
        *out = jv_int(i);
        return STATUS_OK;
    case JV_NULL:
    case JV_ARRAY:
    case JV_OBJECT:
        break;
    }
    return expr_wrong_type(ev, "int takes a number, a string or a boolean", args[0]);
}

enum status expr_fn_double(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    double d = jv_get_number(args[0], 0);

    if (jv_kind(args[0]) == JV_STRING && !text_to_double(jv_get_string(args[0], ""), &d))
        return expr_eval_fault(ev, STATUS_INVALID, "\"%.40s\" is not a number",
                               jv_get_string(args[0], ""));
    if (jv_kind(args[0]) != JV_STRING && jv_kind(args[0]) != JV_INT && jv_kind(args[0]) != JV_REAL)
        return expr_wrong_type(ev, "double takes a number or a string", args[0]);
    if (!isfinite(d))
        return expr_eval_fault(ev, STATUS_INVALID, "the number is out of range");
    *out = jv_real(d);
    return STATUS_OK;
}

static const struct expr_macro macros[] = {
    {MACRO_ALL, "all", "list.all(x, condition)", 1},
    {MACRO_EXISTS, "exists", "list.exists(x, condition)", 1},
    {MACRO_FILTER, "filter", "list.filter(x, condition)", 1},
    {MACRO_MAP, "map", "list.map(x, value) or list.map(x, condition, value)", 2},
};

const struct expr_macro *expr_macro_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        if (strcmp(macros[i].name, name) == 0)
            return &macros[i];
    }
    return NULL;
}

static const struct expr_function functions[] = {
#define FUNCTION(name, min_args, max_args, type, usage)                                            \
    {#name, usage, min_args, max_args, type, expr_fn_##name},
#include "blueprints/functions.def"
#undef FUNCTION
};

const struct expr_function *expr_function_find(const char *name, const char **nearest)
{
    const char *names[ARRAY_LEN(functions) + ARRAY_LEN(macros) + 1];

    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
        names[i] = functions[i].name;
    }
    for (size_t i = 0; i < ARRAY_LEN(macros); i++)
        names[ARRAY_LEN(functions) + i] = macros[i].name;
    names[ARRAY_LEN(names) - 1] = "has";
    *nearest = nearest_word(name, names, ARRAY_LEN(names));
    return NULL;
}
