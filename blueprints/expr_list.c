/* expr_list.c - the functions of expressions that work on lists and maps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/map.h"

enum status expr_fn_sum(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct json *total = jv_int(0);
    enum status st = STATUS_OK;

    if (jv_kind(args[0]) != JV_ARRAY)
        st = expr_wrong_type(ev, "sum takes a list of numbers", args[0]);
    if (!st)
        st = expr_eval_spend(ev, jv_size(args[0]) / 16);
    for (size_t i = 0; !st && i < jv_size(args[0]); i++) {
        struct json *item = jv_at(args[0], i);
        struct json *next = NULL;

        if (jv_kind(item) != JV_INT && jv_kind(item) != JV_REAL)
            st = expr_wrong_type(ev, "sum takes a list of numbers", item);
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

/* The keys or the values of a map, in the order of the map. */
static enum status members(struct expr_eval *ev, const char *takes, const struct json *map,
                           bool keys, struct json **out)
{
    const char *key;
    struct json *value;
    struct json *list;
    enum status st;

    if (jv_kind(map) != JV_OBJECT)
        return expr_wrong_type(ev, takes, map);
    st = expr_eval_spend(ev, jv_size(map) / 16);
    if (st)
        return st;
    list = jv_array();
    for (void *it = NULL; (it = jv_next(map, it, &key, &value)) != NULL;)
        jv_append_adopt(list, keys ? jv_string(key) : jv_ref(value));
    *out = list;
    return STATUS_OK;
}

enum status expr_fn_keys(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    return members(ev, "keys takes a map", args[0], true, out);
}

enum status expr_fn_values(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    return members(ev, "values takes a map", args[0], false, out);
}

/* Merges (n) items from the two sorted halves of `from`; equal ones keep their order. */
static void merge(struct json *const *from, size_t half, size_t n, struct json **to)
{
    size_t i = 0, j = half;
    int c = 0;

    for (size_t k = 0; k < n; k++) {
        bool left = j == n;

        if (!left && i < half) {
            expr_compare(from[i], from[j], &c);
            left = c <= 0;
        }
        to[k] = left ? from[i++] : from[j++];
    }
}

static void merge_sort(struct json **item, size_t n, struct json **scratch)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t part = n - at < 2 * width ? n - at : 2 * width;

            merge(item + at, part < width ? part : width, part, scratch + at);
        }
        memcpy(item, scratch, n * sizeof(struct json *));
    }
}

static enum status check_order(struct expr_eval *ev, const struct json *list)
{
    int c;

    for (size_t i = 0; i < jv_size(list); i++) {
        if (!expr_compare(jv_at(list, 0), jv_at(list, i), &c))
            return expr_eval_fault(
                ev, STATUS_INVALID,
                "sort takes a list of numbers or of strings, but item 0 is of type %s and item %zu "
                "of type %s",
                jv_kind_name(jv_kind(jv_at(list, 0))), i, jv_kind_name(jv_kind(jv_at(list, i))));
    }
    return STATUS_OK;
}

/* Ascending and stable; strings by code points. */
enum status expr_fn_sort(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    size_t n = jv_size(args[0]), cost = expr_cost(args[0]);
    struct json **item;
    struct json *list;
    enum status st;

    if (jv_kind(args[0]) != JV_ARRAY)
        return expr_wrong_type(ev, "sort takes a list", args[0]);
    for (size_t width = 1; width < n; width *= 2)
        cost += expr_cost(args[0]);
    st = expr_eval_spend(ev, cost);
    if (!st)
        st = check_order(ev, args[0]);
    if (st)
        return st;
    item = mem_alloc(2 * (n + 1), sizeof(struct json *));
    if (!item)
        return expr_eval_fault(ev, STATUS_NO_MEMORY, "no memory to sort %zu items", n);
    for (size_t i = 0; i < n; i++)
        item[i] = jv_at(args[0], i);
    merge_sort(item, n, item + n);
    list = jv_array();
    for (size_t i = 0; i < n; i++)
        jv_append_adopt(list, jv_ref(item[i]));
    free(item);
    *out = list;
    return STATUS_OK;
}

/* Equal values have equal keys: 1 and 1.0 are one number, as for ==. */
static void put_key(const struct json *v, struct str *out)
{
    double d = jv_get_number(v, 0);

    str_clear(out);
    if (jv_kind(v) == JV_REAL && d >= -9223372036854775808.0 && d < 9223372036854775808.0 &&
        d == (double)(int64_t)d)
        str_put_i64(out, (int64_t)d);
    else
        jv_write_canonical(v, out);
}

/* The first of each set of equal items, in order. */
enum status expr_fn_distinct(struct expr_eval *ev, struct json *const *args, struct json **out)
{
    struct map *seen;
    struct str key = STR_INIT;
    struct json *list;
    enum status st;

    if (jv_kind(args[0]) != JV_ARRAY)
        return expr_wrong_type(ev, "distinct takes a list", args[0]);
    st = expr_eval_spend(ev, 4 * expr_cost(args[0])); /* a look-up each */
    if (st)
        return st;
    seen = map_new();
    list = jv_array();
    for (size_t i = 0; i < jv_size(args[0]); i++) {
        struct json *item = jv_at(args[0], i);

        put_key(item, &key);
        if (!map_get_n(seen, str_cstr(&key), key.len)) {
            map_put_n(seen, str_cstr(&key), key.len, item);
            jv_append_adopt(list, jv_ref(item));
        }
    }
    str_deinit(&key);
    map_free(seen, NULL);
    *out = list;
    return STATUS_OK;
}
