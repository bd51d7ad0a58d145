/* jinja_methods.c - methods of texts, dicts and loops: message.content.split("</think>").
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/chat/jinja_access.h"
#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_filters.h"
#include "models/chat/jinja_text.h"
#include "runtime/base/memory.h"

#define JINJA_METHOD(name)                                                                         \
    static struct jinja_value name(struct jinja_run *run, const struct jinja_value *self,          \
                                   const struct jinja_args *args)

static const struct jinja_text *text_arg(const struct jinja_args *args, size_t i, const char *name)
{
    const struct jinja_value *v = jinja_arg(args, i, name);

    return v && v->type == JT_STRING ? &v->as.text : NULL;
}

static int64_t count_arg(const struct jinja_args *args, size_t i, const char *name)
{
    const struct jinja_value *v = jinja_arg(args, i, name);

    return v && v->type == JT_INT ? v->as.integer : -1;
}

static bool has_affix(struct jinja_run *run, const struct jinja_value *self,
                      const struct jinja_args *args, bool start)
{
    const struct jinja_value *with = jinja_arg(args, 0, NULL);

    if (with && with->type == JT_STRING)
        return start ? jinja_starts_with(self->as.text, with->as.text)
                     : jinja_ends_with(self->as.text, with->as.text);
    for (size_t i = 0; with && with->type == JT_LIST && i < with->as.list->n && jinja_spend(run, 1);
         i++) {
        const struct jinja_value *one = &with->as.list->item[i];

        if (one->type == JT_STRING && (start ? jinja_starts_with(self->as.text, one->as.text)
                                             : jinja_ends_with(self->as.text, one->as.text)))
            return true;
    }
    if (with == NULL || with->type != JT_LIST)
        jinja_fail(run, STATUS_INVALID, "startswith and endswith need a string");
    return false;
}

JINJA_METHOD(text_startswith)
{
    return jinja_bool(has_affix(run, self, args, true));
}

JINJA_METHOD(text_endswith)
{
    return jinja_bool(has_affix(run, self, args, false));
}

static struct jinja_value stripped(struct jinja_run *run, const struct jinja_value *self,
                                   const struct jinja_args *args, bool left, bool right)
{
    return jinja_stripped(run, self->as.text, text_arg(args, 0, "chars"), left, right);
}

JINJA_METHOD(text_strip)
{
    return stripped(run, self, args, true, true);
}

JINJA_METHOD(text_lstrip)
{
    return stripped(run, self, args, true, false);
}

JINJA_METHOD(text_rstrip)
{
    return stripped(run, self, args, false, true);
}

static void push_part(struct jinja_run *run, const struct jinja_value *list, const char *p,
                      size_t n)
{
    if (list->type == JT_LIST && jinja_spend(run, 1))
        jinja_push(&run->memory, list->as.list, jinja_string((struct jinja_text){p, n}));
}

/* Without a separator: at runs of white space, nothing empty. */
static struct jinja_value split_at_space(struct jinja_run *run, struct jinja_text t, int64_t max)
{
    const struct jinja_value list = jinja_list(&run->memory);
    struct jinja_text rest = jinja_strip(t, NULL, true, false);

    while (rest.n > 0 && jinja_spend(run, 1)) {
        size_t n = 0;

        if (max == 0) {
            push_part(run, &list, rest.p, rest.n);
            break;
        }
        while (n < rest.n) {
            const struct jinja_text here = {rest.p + n, rest.n - n};

            if (jinja_space_prefix((struct jinja_text){here.p, jinja_char_offset(here, 1)}) > 0)
                break;
            n += jinja_char_offset(here, 1);
        }
        push_part(run, &list, rest.p, n);
        rest = jinja_strip((struct jinja_text){rest.p + n, rest.n - n}, NULL, true, false);
        max -= max > 0;
    }
    return list;
}

JINJA_METHOD(text_split)
{
    const struct jinja_text *separator = text_arg(args, 0, "sep");
    const struct jinja_text t = self->as.text;
    int64_t max = count_arg(args, 1, "maxsplit");
    const struct jinja_value list = jinja_list(&run->memory);
    size_t at = 0;

    jinja_spend(run, t.n / 64);
    if (separator == NULL)
        return split_at_space(run, t, max);
    if (separator->n == 0)
        jinja_fail(run, STATUS_INVALID, "split needs a non-empty separator");
    for (; max != 0 && jinja_spend(run, 1); max -= max > 0) {
        const size_t found = jinja_text_find(t, *separator, at);

        if (found == (size_t)-1)
            break;
        push_part(run, &list, t.p + at, found - at);
        at = found + separator->n;
    }
    push_part(run, &list, t.p + at, t.n - at);
    return list;
}

/* The last place where `what` ends at or before `end`, or (size_t)-1. */
static size_t find_last(struct jinja_run *run, struct jinja_text t, struct jinja_text what,
                        size_t end)
{
    for (size_t i = end; i >= what.n; i--) {
        const char *at = t.p + i - what.n;

        if (*at != *what.p || !jinja_spend(run, what.n / 64))
            continue;
        if (memcmp(at, what.p, what.n) == 0)
            return i - what.n;
    }
    return (size_t)-1;
}

JINJA_METHOD(text_rsplit)
{
    const struct jinja_text *separator = text_arg(args, 0, "sep");
    const struct jinja_text t = self->as.text;
    int64_t max = count_arg(args, 1, "maxsplit");
    const struct jinja_value parts = jinja_list(&run->memory);
    const struct jinja_value backwards[3] = {JINJA_NONE, JINJA_NONE, jinja_int(-1)};
    size_t end = t.n;

    jinja_spend(run, t.n / 64);
    if (max < 0)
        return text_split(run, self, args);
    if (separator == NULL || separator->n == 0) {
        jinja_fail(run, STATUS_UNSUPPORTED, "rsplit needs a separator");
        return parts;
    }
    for (; max > 0 && jinja_spend(run, 1); max--) {
        const size_t found = find_last(run, t, *separator, end);

        if (found == (size_t)-1)
            break;
        push_part(run, &parts, t.p + found + separator->n, end - found - separator->n);
        end = found;
    }
    push_part(run, &parts, t.p, end);
    return run->st ? parts : jinja_slice(run, &parts, backwards);
}

JINJA_METHOD(text_splitlines)
{
    const struct jinja_text t = self->as.text;
    const struct jinja_value list = jinja_list(&run->memory);
    size_t from = 0;

    (void)args;
    for (size_t i = 0; i < t.n && jinja_spend(run, i % 64 == 0); i++) {
        if (t.p[i] != '\n' && t.p[i] != '\r')
            continue;
        push_part(run, &list, t.p + from, i - from);
        if (t.p[i] == '\r' && i + 1 < t.n && t.p[i + 1] == '\n')
            i++;
        from = i + 1;
    }
    if (from < t.n)
        push_part(run, &list, t.p + from, t.n - from);
    return list;
}

JINJA_METHOD(text_replace)
{
    const struct jinja_text *old = text_arg(args, 0, "old"), *with = text_arg(args, 1, "new");

    if (old == NULL || with == NULL) {
        jinja_fail(run, STATUS_INVALID, "replace needs two strings");
        return JINJA_UNDEFINED;
    }
    return jinja_replace(run, self->as.text, *old, *with, count_arg(args, 2, "count"));
}

JINJA_METHOD(text_upper)
{
    (void)args;
    return jinja_change_case(run, self->as.text, 'u');
}

JINJA_METHOD(text_lower)
{
    (void)args;
    return jinja_change_case(run, self->as.text, 'l');
}

JINJA_METHOD(text_title)
{
    (void)args;
    return jinja_change_case(run, self->as.text, 't');
}

JINJA_METHOD(text_capitalize)
{
    (void)args;
    return jinja_change_case(run, self->as.text, 'c');
}

JINJA_METHOD(text_find)
{
    const struct jinja_text *what = text_arg(args, 0, NULL);
    size_t found;

    jinja_spend(run, self->as.text.n / 64);
    if (what == NULL) {
        jinja_fail(run, STATUS_INVALID, "find needs a string");
        return JINJA_UNDEFINED;
    }
    found = jinja_text_find(self->as.text, *what, 0);
    if (found == (size_t)-1)
        return jinja_int(-1);
    jinja_spend(run, found / 64);
    return jinja_int((int64_t)jinja_char_count((struct jinja_text){self->as.text.p, found}));
}

JINJA_METHOD(text_count)
{
    const struct jinja_text *what = text_arg(args, 0, NULL);
    int64_t n = 0;

    jinja_spend(run, self->as.text.n / 64);
    if (what == NULL || what->n == 0) {
        jinja_fail(run, STATUS_INVALID, "count needs a string");
        return JINJA_UNDEFINED;
    }
    for (size_t at = 0;
         jinja_spend(run, 1) && (at = jinja_text_find(self->as.text, *what, at)) != (size_t)-1;) {
        at += what->n;
        n++;
    }
    return jinja_int(n);
}

JINJA_METHOD(text_join)
{
    const struct jinja_value *list = jinja_arg(args, 0, NULL);
    const struct jinja_args with = {self, 1, NULL, 0};

    if (list == NULL) {
        jinja_fail(run, STATUS_INVALID, "join needs a list");
        return JINJA_UNDEFINED;
    }
    return jinja_filter_join(run, list, &with);
}

JINJA_METHOD(text_isdigit)
{
    bool yes = self->as.text.n > 0 && jinja_spend(run, self->as.text.n / 64);

    (void)args;
    for (size_t i = 0; i < self->as.text.n && yes; i++)
        yes = self->as.text.p[i] >= '0' && self->as.text.p[i] <= '9';
    return jinja_bool(yes);
}

JINJA_METHOD(dict_get)
{
    const struct jinja_value *key = jinja_arg(args, 0, NULL), *otherwise = jinja_arg(args, 1, NULL);
    const struct jinja_value *v = key ? jinja_dict_find(run, self->as.dict, key) : NULL;

    return v ? *v : otherwise ? *otherwise : JINJA_NONE;
}

JINJA_METHOD(dict_items)
{
    return jinja_filter_items(run, self, args);
}

JINJA_METHOD(dict_keys)
{
    return jinja_filter_list(run, self, args);
}

JINJA_METHOD(dict_values)
{
    const struct jinja_value list = jinja_list(&run->memory);

    (void)args;
    for (size_t i = 0; i < self->as.dict->n && list.type == JT_LIST && jinja_spend(run, 1); i++)
        jinja_push(&run->memory, list.as.list, self->as.dict->member[i].value);
    return list;
}

JINJA_METHOD(loop_cycle)
{
    if (args->n == 0) {
        jinja_fail(run, STATUS_INVALID, "loop.cycle needs values");
        return JINJA_UNDEFINED;
    }
    return args->value[self->as.loop->index % args->n];
}

struct method {
    enum jinja_type type;
    const char *name;
    struct jinja_value (*run)(struct jinja_run *run, const struct jinja_value *self,
                              const struct jinja_args *args);
};

static const struct method *find_method(enum jinja_type type, struct jinja_text name)
{
    static const struct method table[] = {
#define METHOD(type, name, function) {type, name, function},
#include "models/chat/jinja_methods.def"
#undef METHOD
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].type == type && jinja_text_is(name, table[i].name))
            return &table[i];
    return NULL;
}

struct jinja_value jinja_call_method(struct jinja_run *run, const struct jinja_method *method,
                                     const struct jinja_args *args)
{
    const struct method *m = find_method(method->self.type, method->name);

    return m && jinja_spend(run, 1) ? m->run(run, &method->self, args) : JINJA_UNDEFINED;
}
