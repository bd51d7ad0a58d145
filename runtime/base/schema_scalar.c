/* schema_scalar.c - the keywords about single values: type, enum, const, numbers, strings.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "runtime/base/pattern.h"
#include "runtime/base/schema_walk.h"
#include "runtime/base/text.h"
#include "runtime/base/utf8.h"

static bool is_number(const struct json *v)
{
    return jv_kind(v) == JV_INT || jv_kind(v) == JV_REAL;
}

/* A real with a zero fraction is an integer (JSON Schema 2020-12, validation, 6.1.1). */
static bool is_integer(const struct json *v)
{
    double d;

    if (jv_kind(v) != JV_REAL)
        return jv_kind(v) == JV_INT;
    d = jv_get_number(v, 0);
    return isfinite(d) && d == nearbyint(d);
}

static bool has_type(const struct json *v, const char *type)
{
    if (strcmp(type, "integer") == 0)
        return is_integer(v);
    if (strcmp(type, "number") == 0)
        return is_number(v);
    return strcmp(type, jv_kind_name(jv_kind(v))) == 0;
}

enum status schema_check_type(struct schema_walk *w, const struct schema_case *c)
{
    char got[SCHEMA_WORDS];
    struct str list = STR_INIT;
    enum status st;

    if (jv_kind(c->argument) == JV_STRING) {
        const char *type = jv_get_string(c->argument, "");

        if (has_type(c->value, type))
            return STATUS_OK;
        return schema_misfit(w, c->at, "expected %s, got %s", type, schema_describe(c->value, got));
    }
    for (size_t i = 0; i < jv_size(c->argument); i++) {
        const char *type = jv_get_string(jv_at(c->argument, i), "");

        if (has_type(c->value, type)) {
            str_deinit(&list);
            return STATUS_OK;
        }
        str_printf(&list, "%s%s", i ? " or " : "", type);
    }
    st = schema_misfit(w, c->at, "expected %s, got %s", str_cstr(&list),
                       schema_describe(c->value, got));
    str_deinit(&list);
    return st;
}

bool schema_same(const struct json *a, const struct json *b)
{
    if (is_number(a) && is_number(b) && jv_kind(a) != jv_kind(b))
        return jv_get_number(a, 0) == jv_get_number(b, 1);
    return jv_equal(a, b);
}

enum status schema_check_enum(struct schema_walk *w, const struct schema_case *c)
{
    char got[SCHEMA_WORDS];
    struct str list = STR_INIT;
    enum status st;

    for (size_t i = 0; i < jv_size(c->argument); i++) {
        st = schema_spend(w);
        if (st || schema_same(jv_at(c->argument, i), c->value)) {
            str_deinit(&list);
            return st;
        }
        if (list.len > 300)
            continue;
        str_puts(&list, i ? ", " : "");
        jv_write(jv_at(c->argument, i), 0, &list);
    }
    if (list.len > 300)
        str_puts(&list, ", ...");
    st = schema_misfit(w, c->at, "expected one of %s, got %s", str_cstr(&list),
                       schema_describe(c->value, got));
    str_deinit(&list);
    return st;
}

enum status schema_check_const(struct schema_walk *w, const struct schema_case *c)
{
    char want[SCHEMA_WORDS], got[SCHEMA_WORDS];

    if (schema_same(c->argument, c->value))
        return STATUS_OK;
    return schema_misfit(w, c->at, "expected %s, got %s", schema_describe(c->argument, want),
                         schema_describe(c->value, got));
}

/* -1, 0, 1, without losing the low bits of large integers. */
static int compare(const struct json *a, const struct json *b)
{
    if (jv_kind(a) == JV_INT && jv_kind(b) == JV_INT) {
        int64_t x = jv_get_int(a, 0), y = jv_get_int(b, 0);

        return (x > y) - (x < y);
    }
    return (jv_get_number(a, 0) > jv_get_number(b, 0)) -
           (jv_get_number(a, 0) < jv_get_number(b, 0));
}

static enum status check_bound(struct schema_walk *w, const struct schema_case *c, bool ok,
                               const char *words)
{
    struct str bound = STR_INIT;
    char got[SCHEMA_WORDS];
    enum status st;

    if (!is_number(c->value) || ok)
        return STATUS_OK;
    jv_write(c->argument, 0, &bound);
    st = schema_misfit(w, c->at, "expected %s %s, got %s", words, str_cstr(&bound),
                       schema_describe(c->value, got));
    str_deinit(&bound);
    return st;
}

enum status schema_check_minimum(struct schema_walk *w, const struct schema_case *c)
{
    return check_bound(w, c, compare(c->value, c->argument) >= 0, "at least");
}

enum status schema_check_maximum(struct schema_walk *w, const struct schema_case *c)
{
    return check_bound(w, c, compare(c->value, c->argument) <= 0, "at most");
}

enum status schema_check_exclusive_minimum(struct schema_walk *w, const struct schema_case *c)
{
    return check_bound(w, c, compare(c->value, c->argument) > 0, "more than");
}

enum status schema_check_exclusive_maximum(struct schema_walk *w, const struct schema_case *c)
{
    return check_bound(w, c, compare(c->value, c->argument) < 0, "less than");
}

enum status schema_check_multiple_of(struct schema_walk *w, const struct schema_case *c)
{
    double unit = jv_get_number(c->argument, 0);
    double times = jv_get_number(c->value, 0) / unit;
    bool ok = times == nearbyint(times);

    if (!(unit > 0))
        return STATUS_OK;
    if (jv_kind(c->value) == JV_INT && jv_kind(c->argument) == JV_INT)
        ok = jv_get_int(c->value, 0) % jv_get_int(c->argument, 1) == 0;
    return check_bound(w, c, ok, "a multiple of");
}

/* In code points (validation, 6.3.1). */
static int64_t length_of(const struct json *string)
{
    const char *text = jv_get_string(string, "");
    size_t n = jv_string_len(string);
    int64_t length = 0;

    for (size_t i = 0; i < n; length++)
        (void)utf8_next(text, n, &i);
    return length;
}

enum status schema_check_min_length(struct schema_walk *w, const struct schema_case *c)
{
    int64_t bound = jv_get_int(c->argument, 0);

    if (jv_kind(c->value) != JV_STRING || length_of(c->value) >= bound)
        return STATUS_OK;
    return schema_misfit(w, c->at, "expected at least %lld character%s, got %lld", (long long)bound,
                         plural_s(bound), (long long)length_of(c->value));
}

enum status schema_check_max_length(struct schema_walk *w, const struct schema_case *c)
{
    int64_t bound = jv_get_int(c->argument, INT64_MAX);

    if (jv_kind(c->value) != JV_STRING || length_of(c->value) <= bound)
        return STATUS_OK;
    return schema_misfit(w, c->at, "expected at most %lld character%s, got %lld", (long long)bound,
                         plural_s(bound), (long long)length_of(c->value));
}

enum status schema_check_pattern(struct schema_walk *w, const struct schema_case *c)
{
    const char *regex = jv_get_string(c->argument, "");
    struct pattern *p = NULL;
    char got[SCHEMA_WORDS];
    size_t from, to;
    bool found = false;
    enum status st;

    if (jv_kind(c->value) != JV_STRING)
        return STATUS_OK;
    st = pattern_compile(regex, jv_string_len(c->argument), &p, w->err);
    if (!st)
        st = pattern_find(p, NULL, jv_get_string(c->value, ""), jv_string_len(c->value), 0, &found,
                          &from, &to, w->err);
    pattern_free(p);
    if (st)
        return STATUS_LIMIT; /* what cannot be decided is refused, also under `not` */
    if (found)
        return STATUS_OK;
    return schema_misfit(w, c->at, "expected a match of the pattern %.120s, got %s", regex,
                         schema_describe(c->value, got));
}
