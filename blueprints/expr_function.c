/* expr_function.c - the functions of functions.def: pure, bounded, without I/O.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/map.h"
#include "runtime/base/pattern.h"
#include "runtime/base/text.h"

static enum status wrong_type(struct expr_eval *ev, const char *takes, const struct json *got)
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

/* Both must be strings; the cost is that of reading the first. */
static enum status two_strings(struct expr_eval *ev, const char *name, struct json *const *args)
{
    for (int i = 0; i < 2; i++) {
        if (jv_kind(args[i]) != JV_STRING)
            return expr_eval_fault(ev, STATUS_INVALID, "%s takes two strings, got %s", name,
                                   jv_kind_name(jv_kind(args[i])));
    }
    return expr_eval_spend(ev, jv_string_len(args[0]) / 1024);
}

static enum status expr_fn_contains(struct expr_eval *ev, struct json *const *args,
                                    struct json **out)
{
    enum status st = two_strings(ev, "contains", args);

    if (!st)
        *out = jv_bool(strstr(jv_get_string(args[0], ""), jv_get_string(args[1], "")) != NULL);
    return st;
}

static enum status expr_fn_startsWith(struct expr_eval *ev, struct json *const *args,
                                      struct json **out)
{
    size_t n = jv_string_len(args[0]), m = jv_string_len(args[1]);
    enum status st = two_strings(ev, "startsWith", args);

    if (!st)
        *out = jv_bool(m <= n &&
                       memcmp(jv_get_string(args[0], ""), jv_get_string(args[1], ""), m) == 0);
    return st;
}

static enum status expr_fn_endsWith(struct expr_eval *ev, struct json *const *args,
                                    struct json **out)
{
    size_t n = jv_string_len(args[0]), m = jv_string_len(args[1]);
    enum status st = two_strings(ev, "endsWith", args);

    if (!st)
        *out = jv_bool(m <= n && memcmp(jv_get_string(args[0], "") + (n - m),
                                        jv_get_string(args[1], ""), m) == 0);
    return st;
}

static enum status expr_fn_matches(struct expr_eval *ev, struct json *const *args,
                                   struct json **out)
{
    struct pattern *p = NULL;
    struct error fault = ERROR_INIT;
    bool found = false;
    size_t from, to;
    enum status st = two_strings(ev, "matches", args);

    if (!st)
        st = expr_eval_spend(ev, 100); /* compiling */
    if (st)
        return st;
    st = pattern_compile(jv_get_string(args[1], ""), jv_string_len(args[1]), &p, &fault);
    if (!st)
        st = pattern_find(p, jv_get_string(args[0], ""), jv_string_len(args[0]), 0, &found, &from,
                          &to, &fault);
    pattern_free(p);
    if (st)
        return expr_eval_fault(ev, st, "matches: %s", fault.message);
    *out = jv_bool(found);
    return STATUS_OK;
}

static enum status expr_fn_size(struct expr_eval *ev, struct json *const *args, struct json **out)
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
        return wrong_type(ev, "size takes a string, a list or a map", args[0]);
    st = expr_eval_spend(ev, n / 1024);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80; /* code points */
    *out = jv_int(count);
    return STATUS_OK;
}

static enum status expr_fn_string(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct str text;
    enum status st = STATUS_OK;

    str_init(&text, EXPR_MAX_TEXT);
    expr_put_text(&text, args[0]);
    if (str_ok(&text))
        st = expr_eval_spend(ev, text.len / 1024);
    else
        st = expr_eval_fault(ev, STATUS_LIMIT, "string() gives more than %zu bytes", EXPR_MAX_TEXT);
    if (!st)
        *out = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}

static enum status expr_fn_int(struct expr_eval *ev, struct json *const *args, struct json **out)
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
            return expr_eval_fault(ev, STATUS_INVALID, "\"%.40s\" is no integer",
                                   jv_get_string(args[0], ""));
        *out = jv_int(i);
        return STATUS_OK;
    case JV_NULL:
    case JV_ARRAY:
    case JV_OBJECT:
        break;
    }
    return wrong_type(ev, "int takes a number, a string or a boolean", args[0]);
}

static enum status expr_fn_double(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    double d = jv_get_number(args[0], 0);

    if (jv_kind(args[0]) == JV_STRING && !text_to_double(jv_get_string(args[0], ""), &d))
        return expr_eval_fault(ev, STATUS_INVALID, "\"%.40s\" is no number",
                               jv_get_string(args[0], ""));
    if (jv_kind(args[0]) != JV_STRING && jv_kind(args[0]) != JV_INT && jv_kind(args[0]) != JV_REAL)
        return wrong_type(ev, "double takes a number or a string", args[0]);
    if (!isfinite(d))
        return expr_eval_fault(ev, STATUS_INVALID, "the number is out of range");
    *out = jv_real(d);
    return STATUS_OK;
}

static enum status expr_fn_sum(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct json *total = jv_int(0);
    enum status st = STATUS_OK;

    if (jv_kind(args[0]) != JV_ARRAY)
        st = wrong_type(ev, "sum takes a list of numbers", args[0]);
    if (!st)
        st = expr_eval_spend(ev, jv_size(args[0]) / 16);
    for (size_t i = 0; !st && i < jv_size(args[0]); i++) {
        struct json *item = jv_at(args[0], i);
        struct json *next = NULL;

        if (jv_kind(item) != JV_INT && jv_kind(item) != JV_REAL)
            st = wrong_type(ev, "sum takes a list of numbers", item);
        else
            st = expr_operator(ev, '+', total, item, &next);
        if (st)
            break;
        jv_unref(total);
        total = next;
    }
    if (st) {
        jv_unref(total);
        return st;
    }
    *out = total;
    return STATUS_OK;
}

static const struct expr_function functions[] = {
#define FUNCTION(name, n_args, usage) {#name, usage, n_args, expr_fn_##name},
#include "blueprints/functions.def"
#undef FUNCTION
};

const struct expr_function *expr_function_find(const char *name, const char **nearest)
{
    const char *names[ARRAY_LEN(functions) + 1];

    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
        names[i] = functions[i].name;
    }
    names[ARRAY_LEN(functions)] = "has";
    *nearest = nearest_word(name, names, ARRAY_LEN(names));
    return NULL;
}
