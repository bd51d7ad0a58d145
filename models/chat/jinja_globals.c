/* jinja_globals.c - global functions, and conversion of JSON to values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <time.h>

#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_print.h"
#include "runtime/base/memory.h"

#define MAX_RANGE 100000 /* as Jinja's sandbox */

static struct jinja_value global_raise(struct jinja_run *run, const struct jinja_args *args)
{
    const struct jinja_value *v = jinja_arg(args, 0, "message");
    const struct jinja_value text = v ? jinja_to_text(run, v) : jinja_string(JINJA_TEXT("(none)"));

    if (run->st == STATUS_OK)
        jinja_fail(run, STATUS_INVALID, "the template refuses these messages: %.*s",
                   (int)(text.as.text.n < 400 ? text.as.text.n : 400), text.as.text.p);
    return JINJA_UNDEFINED;
}

static struct jinja_value global_strftime(struct jinja_run *run, const struct jinja_args *args)
{
    const struct jinja_value *format = jinja_arg(args, 0, "format");
    const time_t now = (time_t)(run->in->now_ms / 1000);
    char pattern[128], text[512];
    struct tm parts;
    size_t n;

    if (format == NULL || format->type != JT_STRING || format->as.text.n >= sizeof(pattern)) {
        jinja_fail(run, STATUS_INVALID, "strftime_now needs a short format");
        return JINJA_UNDEFINED;
    }
    memcpy(pattern, format->as.text.p, format->as.text.n);
    pattern[format->as.text.n] = '\0';
    if (gmtime_r(&now, &parts) == NULL) {
        jinja_fail(run, STATUS_FAILED, "strftime_now: the clock is out of range");
        return JINJA_UNDEFINED;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored                                                                     \
    "-Wformat-nonliteral" /* the format is the template's; the buffer bounds it */
    n = strftime(text, sizeof(text), pattern, &parts);
#pragma GCC diagnostic pop
    return jinja_string_copy(&run->memory, text, n);
}

static struct jinja_value global_range(struct jinja_run *run, const struct jinja_args *args)
{
    int64_t part[3] = {0, 0, 1};
    const struct jinja_value v = jinja_list(&run->memory);

    for (size_t i = 0; i < args->n && i < 3; i++) {
        if (args->value[i].type != JT_INT || args->value[i].as.integer > INT32_MAX ||
            args->value[i].as.integer < INT32_MIN)
            jinja_fail(run, STATUS_INVALID, "range needs 32-bit integers");
        part[args->n == 1 ? 1 : i] = jinja_as_int(&args->value[i]);
    }
    if (args->n < 1 || args->n > 3 || part[2] == 0)
        jinja_fail(run, STATUS_INVALID, "range needs one to three integers, the third not 0");
    for (int64_t i = part[0]; part[2] > 0 ? i < part[1] : i > part[1]; i += part[2]) {
        if (!jinja_spend(run, 1) || v.type != JT_LIST)
            break;
        if (v.as.list->n >= MAX_RANGE) {
            jinja_fail(run, STATUS_LIMIT, "range gives more than %d values", MAX_RANGE);
            break;
        }
        jinja_push(&run->memory, v.as.list, jinja_int(i));
    }
    return v;
}

/* dict(a=1) and namespace(a=1); a dict may come first. */
static struct jinja_value make_dict(struct jinja_run *run, const struct jinja_args *args)
{
    const struct jinja_value v = jinja_dict(&run->memory);
    const struct jinja_value *from = jinja_arg(args, 0, NULL);

    if (v.type != JT_DICT)
        return v;
    for (size_t i = 0; from && from->type == JT_DICT && i < from->as.dict->n; i++)
        if (jinja_spend(run, 1))
            jinja_dict_set(run, v.as.dict, from->as.dict->member[i].key,
                           from->as.dict->member[i].value);
    for (size_t i = 0; i < args->n_named; i++)
        jinja_dict_set(run, v.as.dict, jinja_string(args->named[i].name), args->named[i].value);
    return v;
}

static struct jinja_value global_namespace(struct jinja_run *run, const struct jinja_args *args)
{
    struct jinja_value v = make_dict(run, args);

    if (v.type == JT_DICT)
        v.type = JT_NAMESPACE;
    return v;
}

jinja_function jinja_find_global(struct jinja_text name)
{
    static const struct {
        const char *name;
        jinja_function function;
    } table[] = {
        {"raise_exception", global_raise}, {"strftime_now", global_strftime},
        {"range", global_range},           {"dict", make_dict},
        {"namespace", global_namespace},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (jinja_text_is(name, table[i].name))
            return table[i].function;
    return NULL;
}

/* Strings and keys are not copied: the JSON outlives the rendering. Depth is bounded by the JSON
 * parser. */
struct jinja_value jinja_from_json(struct jinja_run *run, const struct json *j)
{
    struct jinja_value v = JINJA_NONE;
    const char *key;
    struct json *member;

    switch (jv_kind(j)) {
    case JV_NULL:
        return v;
    case JV_BOOL:
        return jinja_bool(jv_get_bool(j, false));
    case JV_INT:
        return jinja_int(jv_get_int(j, 0));
    case JV_REAL:
        return jinja_float(jv_get_number(j, 0));
    case JV_STRING:
        return jinja_string((struct jinja_text){jv_get_string(j, ""), jv_string_len(j)});
    case JV_ARRAY:
        v = jinja_list(&run->memory);
        for (size_t i = 0; i < jv_size(j) && v.type == JT_LIST && jinja_spend(run, 1); i++)
            jinja_push(&run->memory, v.as.list, jinja_from_json(run, jv_at(j, i)));
        return v;
    case JV_OBJECT:
        v = jinja_dict(&run->memory);
        for (void *it = NULL; v.type == JT_DICT && (it = jv_next(j, it, &key, &member));)
            if (jinja_spend(run, 1)) /* keys of an object differ */
                jinja_dict_add(run, v.as.dict, jinja_string((struct jinja_text){key, strlen(key)}),
                               jinja_from_json(run, member));
        return v;
    }
    return v;
}
