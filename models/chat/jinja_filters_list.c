/* jinja_filters_list.c - filters over sequences.
 *
 * Where Jinja gives a generator these give a list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/chat/jinja_access.h"
#include "models/chat/jinja_compare.h"
#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_filters.h"
#include "models/chat/jinja_ops.h"
#include "models/chat/jinja_print.h"
#include "models/chat/jinja_text.h"
#include "runtime/base/memory.h"

#define NO_ARGS ((struct jinja_args){NULL, 0, NULL, 0})

/* obj.a.b for "a.b"; numbers are indices. */
static struct jinja_value deep_attribute(struct jinja_run *run, const struct jinja_value *obj,
                                         const struct jinja_value *path)
{
    struct jinja_value v = *obj;
    struct jinja_text rest;

    if (path->type == JT_INT)
        return jinja_subscript(run, obj, path);
    if (path->type != JT_STRING) {
        jinja_fail(run, STATUS_INVALID, "an attribute name must be a string");
        return JINJA_UNDEFINED;
    }
    rest = path->as.text;
    while (jinja_spend(run, 1)) {
        const size_t dot = jinja_text_find(rest, JINJA_TEXT("."), 0);
        const struct jinja_text name = {rest.p, dot == (size_t)-1 ? rest.n : dot};
        const struct jinja_value key = jinja_string(name);

        v = jinja_subscript(run, &v, &key);
        if (dot == (size_t)-1)
            break;
        rest = (struct jinja_text){rest.p + dot + 1, rest.n - dot - 1};
    }
    return v;
}

static struct jinja_value by_attribute(struct jinja_run *run, const struct jinja_value *item,
                                       const struct jinja_value *attribute)
{
    return attribute && attribute->type != JT_NONE ? deep_attribute(run, item, attribute) : *item;
}

/* The first item, or the last one; of a text, without a list of all its characters. */
static struct jinja_value one_end(struct jinja_run *run, const struct jinja_value *in, bool last)
{
    const struct jinja_value place = jinja_int(last ? -1 : 0);
    const struct jinja_list *l;

    if (in->type == JT_STRING)
        return in->as.text.n ? jinja_subscript(run, in, &place) : JINJA_UNDEFINED;
    l = jinja_items(run, in);
    return l && l->n ? l->item[last ? l->n - 1 : 0] : JINJA_UNDEFINED;
}

JINJA_FILTER(jinja_filter_first)
{
    (void)args;
    return one_end(run, in, false);
}

JINJA_FILTER(jinja_filter_last)
{
    (void)args;
    return one_end(run, in, true);
}

JINJA_FILTER(jinja_filter_list)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value v = jinja_list(&run->memory);

    (void)args;
    for (size_t i = 0; l && v.type == JT_LIST && i < l->n && jinja_spend(run, 1); i++)
        jinja_push(&run->memory, v.as.list, l->item[i]);
    return v;
}

static struct jinja_value pair(struct jinja_run *run, struct jinja_value a, struct jinja_value b)
{
    const struct jinja_value v = jinja_list(&run->memory);

    if (v.type == JT_LIST) {
        jinja_push(&run->memory, v.as.list, a);
        jinja_push(&run->memory, v.as.list, b);
        v.as.list->tuple = true;
    }
    return v;
}

JINJA_FILTER(jinja_filter_items)
{
    const struct jinja_value v = jinja_list(&run->memory);

    (void)args;
    if (in->type != JT_DICT && in->type != JT_UNDEFINED)
        jinja_fail(run, STATUS_INVALID, "items needs a dict, not %s", jinja_type_name(in->type));
    for (size_t i = 0; in->type == JT_DICT && v.type == JT_LIST && i < in->as.dict->n; i++) {
        if (!jinja_spend(run, 1))
            break;
        jinja_push(&run->memory, v.as.list,
                   pair(run, in->as.dict->member[i].key, in->as.dict->member[i].value));
    }
    return v;
}

JINJA_FILTER(jinja_filter_join)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value *with = jinja_arg(args, 0, "d");
    const struct jinja_value *attribute = jinja_arg(args, 1, "attribute");
    struct str s;

    str_init(&s, CHAT_MAX_OUTPUT);
    for (size_t i = 0; l && i < l->n && jinja_spend(run, 1) && str_ok(&s); i++) {
        const struct jinja_value v = by_attribute(run, &l->item[i], attribute);

        if (i && with)
            jinja_put_value(run, &s, with);
        jinja_put_value(run, &s, &v);
    }
    return jinja_take_text(run, &s);
}

/* map(attribute="x", default=...) or map("filter", arguments ...) */
JINJA_FILTER(jinja_filter_map)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value *attribute = jinja_arg(args, (size_t)-1, "attribute");
    const struct jinja_value *otherwise = jinja_arg(args, (size_t)-1, "default");
    const struct jinja_value out = jinja_list(&run->memory);
    const struct jinja_filter *f = NULL;
    struct jinja_args rest = *args;

    if (attribute == NULL && args->n > 0 && args->value[0].type == JT_STRING) {
        f = jinja_find_filter(args->value[0].as.text);
        rest.value++;
        rest.n--;
    }
    if (attribute == NULL && f == NULL)
        jinja_fail(run, STATUS_UNSUPPORTED, "map needs an attribute or the name of a filter");
    for (size_t i = 0; l && out.type == JT_LIST && i < l->n && jinja_spend(run, 1); i++) {
        struct jinja_value v =
            f ? f->run(run, &l->item[i], &rest) : deep_attribute(run, &l->item[i], attribute);

        if (v.type == JT_UNDEFINED && otherwise && f == NULL)
            v = *otherwise;
        jinja_push(&run->memory, out.as.list, v);
    }
    return out;
}

/* select, reject: (test, arguments ...); selectattr, rejectattr: (attribute, test, arguments ...).
 * Without a test: by truth. */
static struct jinja_value choose(struct jinja_run *run, const struct jinja_value *in,
                                 const struct jinja_args *args, bool by_attr, bool keep)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value out = jinja_list(&run->memory);
    const struct jinja_test *test = NULL;
    struct jinja_args rest = *args;

    if (by_attr && args->n == 0) {
        jinja_fail(run, STATUS_INVALID, "the attribute name is missing");
        return out;
    }
    rest.value += by_attr;
    rest.n -= by_attr;
    if (rest.n > 0) {
        if (rest.value[0].type == JT_STRING)
            test = jinja_find_test(rest.value[0].as.text);
        if (test == NULL)
            jinja_fail(run, STATUS_UNSUPPORTED, "unknown test");
        rest.value++;
        rest.n--;
    }
    for (size_t i = 0; l && out.type == JT_LIST && i < l->n && jinja_spend(run, 1); i++) {
        const struct jinja_value v =
            by_attr ? deep_attribute(run, &l->item[i], &args->value[0]) : l->item[i];

        if ((test ? test->run(run, &v, &rest) : jinja_truth(&v)) == keep)
            jinja_push(&run->memory, out.as.list, l->item[i]);
    }
    return out;
}

JINJA_FILTER(jinja_filter_select)
{
    return choose(run, in, args, false, true);
}

JINJA_FILTER(jinja_filter_reject)
{
    return choose(run, in, args, false, false);
}

JINJA_FILTER(jinja_filter_selectattr)
{
    return choose(run, in, args, true, true);
}

JINJA_FILTER(jinja_filter_rejectattr)
{
    return choose(run, in, args, true, false);
}

JINJA_FILTER(jinja_filter_reverse)
{
    const struct jinja_value backwards[3] = {JINJA_NONE, JINJA_NONE, jinja_int(-1)};

    (void)args;
    if (in->type == JT_DICT) {
        const struct jinja_value keys = jinja_filter_list(run, in, &NO_ARGS);

        return jinja_slice(run, &keys, backwards);
    }
    return jinja_slice(run, in, backwards);
}

struct sort_entry {
    struct jinja_value key, item;
    size_t place;
};
struct sort_order {
    struct jinja_run *run;
    bool reverse;
};

static int compare_entries(const void *a, const void *b, void *ctx)
{
    const struct sort_entry *x = a, *y = b;
    const struct sort_order *o = ctx;
    const int tie = x->place < y->place ? -1 : 1;

    if (o->run->st)
        return tie;
    if (jinja_compare(o->run, OP_LT, &x->key, &y->key))
        return o->reverse ? 1 : -1;
    if (jinja_compare(o->run, OP_LT, &y->key, &x->key))
        return o->reverse ? -1 : 1;
    return tie;
}

/* Texts compare without case, unless asked otherwise. */
static struct jinja_value sort_key(struct jinja_run *run, struct jinja_value v, bool with_case)
{
    if (v.type == JT_STRING && !with_case)
        return jinja_change_case(run, v.as.text, 'l');
    return v;
}

static struct jinja_value sorted(struct jinja_run *run, const struct jinja_list *l,
                                 const struct jinja_value *attribute, bool with_case, bool reverse)
{
    const struct jinja_value out = jinja_list(&run->memory);
    struct sort_order order = {run, reverse};
    struct sort_entry *entry;
    size_t rounds = 1;

    if (l == NULL || out.type != JT_LIST)
        return out;
    while (l->n >> rounds)
        rounds++;
    if (!jinja_spend(run, l->n * rounds)) /* what the sort will compare */
        return out;
    entry = mem_alloc(l->n + 1, sizeof(*entry));
    if (entry == NULL) {
        jinja_fail(run, STATUS_NO_MEMORY, "no memory to sort %zu values", l->n);
        return out;
    }
    for (size_t i = 0; i < l->n; i++)
        entry[i] = (struct sort_entry){
            sort_key(run, by_attribute(run, &l->item[i], attribute), with_case), l->item[i], i};
    qsort_r(entry, l->n, sizeof(*entry), compare_entries, &order);
    for (size_t i = 0; i < l->n; i++)
        jinja_push(&run->memory, out.as.list, entry[i].item);
    free(entry);
    jinja_spend(run, 1);
    return out;
}

static bool flag(const struct jinja_args *args, size_t position, const char *name)
{
    const struct jinja_value *v = jinja_arg(args, position, name);

    return v && jinja_truth(v);
}

JINJA_FILTER(jinja_filter_sort)
{
    return sorted(run, jinja_items(run, in), jinja_arg(args, 2, "attribute"),
                  flag(args, 1, "case_sensitive"), flag(args, 0, "reverse"));
}

JINJA_FILTER(jinja_filter_dictsort)
{
    const struct jinja_value pairs = jinja_filter_items(run, in, &NO_ARGS);
    const struct jinja_value *by = jinja_arg(args, 1, "by");
    const bool by_value = by && by->type == JT_STRING && jinja_text_is(by->as.text, "value");
    const struct jinja_value place = jinja_int(by_value ? 1 : 0);

    return sorted(run, jinja_items(run, &pairs), &place, flag(args, 0, "case_sensitive"),
                  flag(args, 2, "reverse"));
}

JINJA_FILTER(jinja_filter_unique)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value *attribute = jinja_arg(args, 1, "attribute");
    const bool with_case = flag(args, 0, "case_sensitive");
    const struct jinja_value out = jinja_list(&run->memory), lists = jinja_list(&run->memory);
    const struct jinja_value seen = jinja_dict(&run->memory);

    for (size_t i = 0; l && i < l->n && seen.type == JT_DICT && jinja_spend(run, 1); i++) {
        const struct jinja_value key =
            sort_key(run, by_attribute(run, &l->item[i], attribute), with_case);
        const bool is_list = key.type == JT_LIST || key.type == JT_DICT;

        if (is_list ? jinja_compare(run, OP_IN, &key, &lists)
                    : jinja_dict_find(run, seen.as.dict, &key) != NULL)
            continue;
        if (is_list)
            jinja_push(&run->memory, lists.as.list, key);
        else
            jinja_dict_add(run, seen.as.dict, key, JINJA_NONE);
        jinja_push(&run->memory, out.as.list, l->item[i]);
    }
    return out;
}

static struct jinja_value extreme(struct jinja_run *run, const struct jinja_value *in,
                                  const struct jinja_args *args, bool largest)
{
    const struct jinja_value *attribute = jinja_arg(args, 1, "attribute");
    const struct jinja_value all =
        sorted(run, jinja_items(run, in), attribute, flag(args, 0, "case_sensitive"), largest);

    return all.type == JT_LIST && all.as.list->n ? all.as.list->item[0] : JINJA_UNDEFINED;
}

JINJA_FILTER(jinja_filter_max)
{
    return extreme(run, in, args, true);
}

JINJA_FILTER(jinja_filter_min)
{
    return extreme(run, in, args, false);
}

JINJA_FILTER(jinja_filter_sum)
{
    const struct jinja_list *l = jinja_items(run, in);
    const struct jinja_value *attribute = jinja_arg(args, 0, "attribute");
    const struct jinja_value *start = jinja_arg(args, 1, "start");
    struct jinja_value total = start ? *start : jinja_int(0);

    for (size_t i = 0; l && i < l->n && jinja_spend(run, 1); i++) {
        const struct jinja_value v = by_attribute(run, &l->item[i], attribute);

        total = jinja_binary(run, OP_ADD, &total, &v);
    }
    return total;
}
