/* schema.c - checks a JSON value against a JSON Schema: the walk, and the words of its errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/schema.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/schema_walk.h"
#include "runtime/base/text.h"

/* Schemas come from servers that we do not know: a walk is bounded whatever they say. */
#define MAX_STEPS 200000
#define MAX_DEPTH 100

static const struct {
    const char *spelling;
    schema_checker check;
} keywords[] = {
#define KEYWORD(spelling, check, argument) {spelling, schema_check_##check},
#define ANNOTATION(spelling)
#include "runtime/base/schema_keywords.def"
#undef KEYWORD
#undef ANNOTATION
};

static void spell_place(const struct schema_place *at, struct str *out)
{
    if (at->up)
        spell_place(at->up, out);
    if (!at->key)
        str_printf(out, "[%zu]", at->index);
    else
        str_printf(out, "%s%.64s", at->up ? "." : "", at->key);
}

enum status schema_misfit(struct schema_walk *w, const struct schema_place *at, const char *fmt,
                          ...)
{
    struct str place = STR_INIT;
    char message[sizeof(w->err->message)];
    va_list ap;

    if (!w->err)
        return STATUS_INVALID;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    spell_place(at, &place);
    (void)error_at(w->err, STATUS_INVALID, str_cstr(&place), 0, 0, "%s", message);
    str_deinit(&place);
    return STATUS_INVALID;
}

const char *schema_describe(const struct json *value, char out[SCHEMA_WORDS])
{
    struct str text = STR_INIT;

    switch (jv_kind(value)) {
    case JV_ARRAY:
        (void)snprintf(out, SCHEMA_WORDS, "array of %zu item%s", jv_size(value),
                       plural_s((int64_t)jv_size(value)));
        return out;
    case JV_OBJECT:
        (void)snprintf(out, SCHEMA_WORDS, "object of %zu field%s", jv_size(value),
                       plural_s((int64_t)jv_size(value)));
        return out;
    case JV_NULL:
        return "null";
    case JV_BOOL:
    case JV_INT:
    case JV_REAL:
    case JV_STRING:
        break;
    }
    jv_write(value, 0, &text);
    (void)snprintf(out, SCHEMA_WORDS, "%s %.80s%s", jv_kind_name(jv_kind(value)), str_cstr(&text),
                   text.len > 80 ? "..." : "");
    str_deinit(&text);
    return out;
}

enum status schema_spend(struct schema_walk *w)
{
    if (w->steps_left-- > 0)
        return STATUS_OK;
    return error_set(w->err, STATUS_LIMIT, "the schema takes more than %d steps to check",
                     MAX_STEPS);
}

static schema_checker checker_of(const char *spelling)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (keywords[i].spelling[0] == spelling[0] && strcmp(keywords[i].spelling, spelling) == 0)
            return keywords[i].check;
    }
    return NULL;
}

/* `type` first, since its message helps most; then the keywords in the schema's order. */
static enum status check_keywords(struct schema_walk *w, struct schema_case *c)
{
    const char *spelling;
    struct json *argument;
    schema_checker check;
    enum status st;

    c->argument = jv_get(c->schema, "type");
    st = c->argument ? schema_check_type(w, c) : STATUS_OK;
    for (void *it = NULL; !st && (it = jv_next(c->schema, it, &spelling, &argument));) {
        check = strcmp(spelling, "type") == 0 ? NULL : checker_of(spelling);
        c->argument = argument;
        if (check)
            st = check(w, c);
    }
    return st;
}

enum status schema_check_at(struct schema_walk *w, const struct json *schema,
                            const struct json *value, const struct schema_place *at)
{
    struct schema_case c = {.schema = schema, .value = value, .at = at};
    enum status st = schema_spend(w);

    if (st)
        return st;
    if (jv_kind(schema) == JV_BOOL)
        return jv_get_bool(schema, true) ? STATUS_OK
                                         : schema_misfit(w, at, "no value is allowed here");
    if (w->depth >= MAX_DEPTH)
        return error_set(w->err, STATUS_LIMIT, "the schema nests more than %d deep", MAX_DEPTH);
    w->depth++;
    st = check_keywords(w, &c);
    w->depth--;
    return st;
}

enum status schema_check(const struct json *schema, const struct json *value, const char *at,
                         struct error *err)
{
    struct schema_walk w = {.root = schema, .steps_left = MAX_STEPS, .err = err};
    struct schema_place place = {.key = at};

    return schema_check_at(&w, schema, value, &place);
}
