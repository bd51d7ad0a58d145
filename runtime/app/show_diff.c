/* show_diff.c - compares two runs step by step: state, result, tokens; and how the runs ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/app/show.h"
#include "runtime/app/table.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

#define VALUE_WIDTH 80 /* of each value in the report */

/* ---- where two values differ */

static bool same(const struct json *x, const struct json *y)
{
    return x && y ? jv_equal(x, y) : x == y;
}

/* In objects: the first member that only one has, or that differs. */
static const char *differing_key(const struct json *x, const struct json *y)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(x, it, &key, &value)) != NULL;)
        if (!same(value, jv_get(y, key)))
            return key;
    for (void *it = NULL; (it = jv_next(y, it, &key, &value)) != NULL;)
        if (!jv_get(x, key))
            return key;
    return NULL;
}

/* Goes down to the first place where they differ, and appends it to `where`. */
static void narrow(const struct json **x, const struct json **y, struct str *where)
{
    const char *key;

    for (;;) {
        if (*x && *y && jv_kind(*x) == JV_OBJECT && jv_kind(*y) == JV_OBJECT) {
            key = differing_key(*x, *y);
            if (!key)
                return;
            str_printf(where, ".%s", key);
            *x = jv_get(*x, key);
            *y = jv_get(*y, key);
        } else if (*x && *y && jv_kind(*x) == JV_ARRAY && jv_kind(*y) == JV_ARRAY &&
                   jv_size(*x) == jv_size(*y)) {
            size_t i = 0;

            while (i < jv_size(*x) && same(jv_at(*x, i), jv_at(*y, i)))
                i++;
            if (i == jv_size(*x))
                return;
            str_printf(where, "[%zu]", i);
            *x = jv_at(*x, i);
            *y = jv_at(*y, i);
        } else {
            return;
        }
    }
}

static void put_value(const struct json *v, struct str *out)
{
    char *text = v ? jv_dump(v) : xstrdup("nothing");

    format_one_line(text, VALUE_WIDTH, out);
    free(text);
}

/* ---- members */

/* The members that differ, each with both values, or NULL. */
static struct json *differences(const struct json *a, const struct json *b,
                                const char *const *members, size_t n)
{
    struct json *all = NULL, *pair;

    for (size_t i = 0; i < n; i++) {
        const struct json *x = jv_get(a, members[i]), *y = jv_get(b, members[i]);

        if (same(x, y))
            continue;
        pair = jv_array();
        jv_append_adopt(pair, x ? jv_deep_copy(x) : jv_null());
        jv_append_adopt(pair, y ? jv_deep_copy(y) : jv_null());
        all = all ? all : jv_object();
        jv_set_adopt(all, members[i], pair);
    }
    return all;
}

static void put_members(const struct json *a, const struct json *b, const struct json *members,
                        struct str *out)
{
    struct str where = STR_INIT;
    const char *key;
    struct json *pair;

    for (void *it = NULL; (it = jv_next(members, it, &key, &pair)) != NULL;) {
        const struct json *x = jv_get(a, key), *y = jv_get(b, key);

        str_clear(&where);
        str_puts(&where, key);
        narrow(&x, &y, &where);
        str_printf(out, "  %s: ", str_cstr(&where));
        put_value(x, out);
        str_puts(out, " -> ");
        put_value(y, out);
        str_putc(out, '\n');
    }
    str_deinit(&where);
}

/* ---- steps */

/* The path with the attempt. */
static const char *step_key(const struct json *s, struct str *out)
{
    path_attempt(out, jv_get_string(jv_get(s, "path"), ""), jv_get_int(jv_get(s, "attempt"), 0));
    return str_cstr(out);
}

static struct json *entry_of(const struct json *s)
{
    struct json *one = jv_object();

    jv_set_adopt(one, "path", jv_ref(jv_get(s, "path")));
    jv_set_int(one, "attempt", jv_get_int(jv_get(s, "attempt"), 0));
    return one;
}

static void add_only(const struct json *s, const char *key, const char *where, struct json *list,
                     struct str *out)
{
    struct json *one = entry_of(s);

    jv_set_string(one, "only_in", where);
    jv_append_adopt(list, one);
    str_printf(out, "%s: only in the %s\n", key, where);
}

/* True: they differ. */
static bool add_step(const struct json *s, const struct json *t, const char *key, struct json *list,
                     struct str *out)
{
    static const char *const members[] = {"kind", "status", "error", "output", "call", "tokens"};
    struct json *differing = differences(s, t, members, ARRAY_LEN(members)), *one;

    if (!differing)
        return false;
    one = entry_of(s);
    str_printf(out, "%s\n", key);
    put_members(s, t, differing, out);
    jv_set_adopt(one, "members", differing);
    jv_append_adopt(list, one);
    return true;
}

/* How the run itself ended. */
static int64_t add_heads(const struct show_view *a, const struct show_view *b, struct json *list,
                         struct str *out)
{
    static const char *const members[] = {"status", "error", "output"};
    struct json *differing = differences(a->run.head, b->run.head, members, ARRAY_LEN(members)),
                *one;

    if (!differing)
        return 0;
    one = jv_object();
    jv_set_adopt(one, "path", jv_null());
    str_puts(out, "the run\n");
    put_members(a->run.head, b->run.head, differing, out);
    jv_set_adopt(one, "members", differing);
    jv_append_adopt(list, one);
    return 1;
}

int64_t show_diff(const struct show_view *a, const struct show_view *b, struct str *out,
                  struct json **list)
{
    struct map *by_key = map_new();
    struct str step = STR_INIT;
    int64_t n = 0;
    const char *key;
    void *value;

    *list = jv_array();
    for (size_t i = 0; i < jv_size(b->run.steps); i++)
        map_put(by_key, step_key(jv_at(b->run.steps, i), &step), jv_at(b->run.steps, i));
    for (size_t i = 0; i < jv_size(a->run.steps); i++) {
        const struct json *s = jv_at(a->run.steps, i);
        const struct json *t = map_remove(by_key, step_key(s, &step));

        if (!t)
            add_only(s, str_cstr(&step), "first", *list, out);
        n += !t || add_step(s, t, str_cstr(&step), *list, out);
    }
    for (size_t i = 0; map_next(by_key, &i, &key, &value); n++)
        add_only(value, key, "second", *list, out);
    map_free(by_key, NULL);
    str_deinit(&step);
    str_printf(out, n == 1 ? "%lld step differs\n" : "%lld steps differ\n", (long long)n);
    return n + add_heads(a, b, *list, out);
}
