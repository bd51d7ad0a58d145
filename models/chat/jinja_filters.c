/* jinja_filters.c - the table of filters, and those that work on one value.
 *
 * To add one: its function, and one line in the table. Case mapping is ASCII only.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_filters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/jinja_access.h"
#include "models/chat/jinja_print.h"
#include "models/chat/jinja_text.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

static int64_t int_arg(const struct jinja_args *args, size_t position, const char *name,
                       int64_t otherwise)
{
    const struct jinja_value *v = jinja_arg(args, position, name);

    return v && (v->type == JT_INT || v->type == JT_BOOL) ? jinja_as_int(v) : otherwise;
}

static bool bool_arg(const struct jinja_args *args, size_t position, const char *name,
                     bool otherwise)
{
    const struct jinja_value *v = jinja_arg(args, position, name);

    return v ? jinja_truth(v) : otherwise;
}

struct jinja_value jinja_change_case(struct jinja_run *run, struct jinja_text t, char how)
{
    char *out = jinja_alloc(&run->memory, t.n + 1);
    bool start = true;

    if (!jinja_spend(run, 1 + t.n / 64) || out == NULL)
        return JINJA_UNDEFINED;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        const bool up = how == 'u' || (how != 'l' && start);

        if (up && lower)
            c = (char)(c - 'a' + 'A');
        else if (!up && upper)
            c = (char)(c - 'A' + 'a');
        out[i] = c;
        start = how == 't' && !(upper || lower || (unsigned char)c >= 0x80);
    }
    return jinja_string((struct jinja_text){out, t.n});
}

struct jinja_value jinja_replace(struct jinja_run *run, struct jinja_text t, struct jinja_text old,
                                 struct jinja_text with, int64_t max)
{
    struct str s;
    size_t at = 0;

    str_init(&s, CHAT_MAX_OUTPUT);
    jinja_spend(run, t.n / 64);
    while (max != 0 && jinja_spend(run, 1 + with.n / 64) && str_ok(&s)) {
        const size_t found = jinja_text_find(t, old, at);
        size_t end;

        if (found == (size_t)-1)
            break;
        str_append(&s, t.p + at, found - at);
        str_append(&s, with.p, with.n);
        end = found + old.n;
        if (old.n == 0) { /* between all characters, as in Python */
            const struct jinja_text rest = {t.p + found, t.n - found};

            end = found + jinja_char_offset(rest, 1);
            str_append(&s, rest.p, end - found);
            if (found == t.n)
                max = 1;
        }
        at = end;
        max -= max > 0;
        if (old.n == 0 && found == t.n)
            break;
    }
    str_append(&s, t.p + at, t.n - at);
    return jinja_take_text(run, &s);
}

struct jinja_value jinja_stripped(struct jinja_run *run, struct jinja_text t,
                                  const struct jinja_text *set, bool left, bool right)
{
    const size_t set_steps = set ? set->n / 64 : 0;

    if (!jinja_spend(run, t.n / 64 * (1 + set_steps)))
        return JINJA_UNDEFINED;
    return jinja_string(jinja_strip(t, set, left, right));
}

static JINJA_FILTER(filter_abs)
{
    (void)args;
    if (in->type == JT_FLOAT)
        return jinja_float(fabs(in->as.real));
    if (!jinja_is_number(in) || jinja_as_int(in) == INT64_MIN)
        jinja_fail(run, STATUS_INVALID, "abs needs a number");
    return jinja_int(jinja_as_int(in) < 0 ? -jinja_as_int(in) : jinja_as_int(in));
}

static JINJA_FILTER(filter_attr)
{
    const struct jinja_value *name = jinja_arg(args, 0, "name");

    if (name == NULL || name->type != JT_STRING) {
        jinja_fail(run, STATUS_INVALID, "attr needs a name");
        return JINJA_UNDEFINED;
    }
    return jinja_attribute(run, in, name->as.text);
}

static struct jinja_value cased(struct jinja_run *run, const struct jinja_value *in, char how)
{
    const struct jinja_value t = jinja_to_text(run, in);

    return run->st ? JINJA_UNDEFINED : jinja_change_case(run, t.as.text, how);
}

static JINJA_FILTER(filter_upper)
{
    (void)args;
    return cased(run, in, 'u');
}

static JINJA_FILTER(filter_lower)
{
    (void)args;
    return cased(run, in, 'l');
}

static JINJA_FILTER(filter_capitalize)
{
    (void)args;
    return cased(run, in, 'c');
}

static JINJA_FILTER(filter_title)
{
    (void)args;
    return cased(run, in, 't');
}

static JINJA_FILTER(filter_default)
{
    const struct jinja_value *otherwise = jinja_arg(args, 0, "default_value");
    const bool falsy = bool_arg(args, 1, "boolean", false);

    (void)run;
    if (in->type != JT_UNDEFINED && !(falsy && !jinja_truth(in)))
        return *in;
    return otherwise ? *otherwise : jinja_string(JINJA_TEXT(""));
}

static JINJA_FILTER(filter_float)
{
    double d = 0;
    char text[64];

    (void)run;
    if (jinja_is_number(in))
        return jinja_float(jinja_as_real(in));
    if (in->type == JT_STRING && in->as.text.n < sizeof(text)) {
        const struct jinja_text t = jinja_strip(in->as.text, NULL, true, true);

        memcpy(text, t.p, t.n);
        text[t.n] = '\0';
        if (text_to_double(text, &d))
            return jinja_float(d);
    }
    return jinja_float((double)int_arg(args, 0, "default", 0));
}

static JINJA_FILTER(filter_int)
{
    const int64_t otherwise = int_arg(args, 0, "default", 0);
    const struct jinja_value d = filter_float(run, in, args);
    int64_t i;
    char text[64];

    if (in->type == JT_INT || in->type == JT_BOOL)
        return jinja_int(jinja_as_int(in));
    if (in->type == JT_STRING && in->as.text.n < sizeof(text)) {
        const struct jinja_text t = jinja_strip(in->as.text, NULL, true, true);

        memcpy(text, t.p, t.n);
        text[t.n] = '\0';
        if (text_to_i64(text, &i))
            return jinja_int(i);
    }
    if (!(d.as.real > -9e18 && d.as.real < 9e18))
        return jinja_int(otherwise);
    return jinja_int((int64_t)d.as.real);
}

static JINJA_FILTER(filter_indent)
{
    const struct jinja_value *width = jinja_arg(args, 0, "width");
    const bool first = bool_arg(args, 1, "first", false), blank = bool_arg(args, 2, "blank", false);
    const struct jinja_value text = jinja_to_text(run, in);
    const int64_t n = int_arg(args, 0, "width", 4);
    struct str s;
    size_t line = 0;

    if (run->st)
        return JINJA_UNDEFINED;
    str_init(&s, CHAT_MAX_OUTPUT);
    jinja_spend(run, text.as.text.n / 64);
    for (size_t i = 0; i <= text.as.text.n && jinja_spend(run, i == line) && str_ok(&s); i++) {
        const bool end = i == text.as.text.n || text.as.text.p[i] == '\n';

        if (!end)
            continue;
        if (line > 0 ? (blank || i > line) : first) {
            if (width && width->type == JT_STRING)
                str_append(&s, width->as.text.p, width->as.text.n);
            for (int64_t k = 0; k < n && str_ok(&s) && !(width && width->type == JT_STRING); k++)
                str_putc(&s, ' ');
        }
        str_append(&s, text.as.text.p + line, i - line + (i < text.as.text.n));
        line = i + 1;
    }
    return jinja_take_text(run, &s);
}

static JINJA_FILTER(filter_length)
{
    (void)args;
    switch (in->type) {
    case JT_STRING:
        return jinja_int((int64_t)jinja_n_chars(run, in->as.text));
    case JT_LIST:
        return jinja_int((int64_t)in->as.list->n);
    case JT_DICT:
        return jinja_int((int64_t)in->as.dict->n);
    case JT_UNDEFINED:
        return jinja_int(0);
    default:
        jinja_fail(run, STATUS_INVALID, "a value of type %s has no length",
                   jinja_type_name(in->type));
        return JINJA_UNDEFINED;
    }
}

static JINJA_FILTER(filter_replace)
{
    const struct jinja_value *old = jinja_arg(args, 0, "old"), *with = jinja_arg(args, 1, "new");
    const struct jinja_value text = jinja_to_text(run, in);

    if (!old || !with || old->type != JT_STRING || with->type != JT_STRING)
        jinja_fail(run, STATUS_INVALID, "replace needs two strings");
    if (run->st)
        return JINJA_UNDEFINED;
    return jinja_replace(run, text.as.text, old->as.text, with->as.text,
                         int_arg(args, 2, "count", -1));
}

static JINJA_FILTER(filter_round)
{
    const int64_t digits = int_arg(args, 0, "precision", 0);
    const struct jinja_value *method = jinja_arg(args, 1, "method");
    double scale, d;

    if (!jinja_is_number(in) || digits < -15 || digits > 15) {
        jinja_fail(run, STATUS_INVALID, "round needs a number and a precision from -15 to 15");
        return JINJA_UNDEFINED;
    }
    scale = pow(10, (double)digits);
    d = jinja_as_real(in) * scale;
    if (method && method->type == JT_STRING && jinja_text_is(method->as.text, "ceil"))
        d = ceil(d);
    else if (method && method->type == JT_STRING && jinja_text_is(method->as.text, "floor"))
        d = floor(d);
    else
        d = nearbyint(d); /* half to even, as Python's round() */
    return jinja_float(d / scale);
}

static JINJA_FILTER(filter_safe)
{
    (void)run;
    (void)args;
    return *in;
}

static JINJA_FILTER(filter_string)
{
    (void)args;
    return jinja_to_text(run, in);
}

static JINJA_FILTER(filter_trim)
{
    const struct jinja_value *set = jinja_arg(args, 0, "chars");
    const struct jinja_value text = jinja_to_text(run, in);

    if (run->st)
        return JINJA_UNDEFINED;
    return jinja_stripped(run, text.as.text, set && set->type == JT_STRING ? &set->as.text : NULL,
                          true, true);
}

static JINJA_FILTER(filter_tojson)
{
    /* Arguments in the order of transformers' filter (Jinja's own has indent first). */
    const struct jinja_value *separators = jinja_arg(args, 2, "separators");
    const int64_t indent = int_arg(args, 1, "indent", -1);
    struct jinja_json_style style = {
        .indent = indent < 0 || indent > 16 ? -1 : (int)indent,
        .ensure_ascii = bool_arg(args, 0, "ensure_ascii", false),
        .sort_keys = bool_arg(args, 3, "sort_keys", false),
        .item_separator = indent < 0 ? JINJA_TEXT(", ") : JINJA_TEXT(","),
        .key_separator = JINJA_TEXT(": "),
    };
    struct str s;

    if (separators && separators->type == JT_LIST && separators->as.list->n == 2 &&
        separators->as.list->item[0].type == JT_STRING &&
        separators->as.list->item[1].type == JT_STRING) {
        style.item_separator = separators->as.list->item[0].as.text;
        style.key_separator = separators->as.list->item[1].as.text;
    }
    str_init(&s, CHAT_MAX_OUTPUT);
    if (!jinja_put_json(run, &s, in, &style) && str_ok(&s))
        jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be written as JSON",
                   jinja_type_name(in->type));
    return jinja_take_text(run, &s);
}

const struct jinja_filter *jinja_find_filter(struct jinja_text name)
{
    static const struct jinja_filter table[] = {
        {"abs", filter_abs},
        {"attr", filter_attr},
        {"capitalize", filter_capitalize},
        {"count", filter_length},
        {"d", filter_default},
        {"default", filter_default},
        {"dictsort", jinja_filter_dictsort},
        {"first", jinja_filter_first},
        {"float", filter_float},
        {"indent", filter_indent},
        {"int", filter_int},
        {"items", jinja_filter_items},
        {"join", jinja_filter_join},
        {"last", jinja_filter_last},
        {"length", filter_length},
        {"list", jinja_filter_list},
        {"lower", filter_lower},
        {"map", jinja_filter_map},
        {"max", jinja_filter_max},
        {"min", jinja_filter_min},
        {"reject", jinja_filter_reject},
        {"rejectattr", jinja_filter_rejectattr},
        {"replace", filter_replace},
        {"reverse", jinja_filter_reverse},
        {"round", filter_round},
        {"safe", filter_safe},
        {"select", jinja_filter_select},
        {"selectattr", jinja_filter_selectattr},
        {"sort", jinja_filter_sort},
        {"string", filter_string},
        {"sum", jinja_filter_sum},
        {"title", filter_title},
        {"tojson", filter_tojson},
        {"trim", filter_trim},
        {"unique", jinja_filter_unique},
        {"upper", filter_upper},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (jinja_text_is(name, table[i].name))
            return &table[i];
    return NULL;
}
