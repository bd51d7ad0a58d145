/* json_write.c - JSON values to text.
 *
 * Used instead of json_dumps: floats are as short as possible, the depth is limited,
 * and small objects need no scratch memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"

/* Parsed values are at most JSON_MAX_DEPTH deep, plus a few levels around them. A deeper
 * value is a bug; the whole text then fails. */
#define WRITE_MAX_DEPTH 512

/* Keys of larger objects are sorted in memory from the heap. */
#define SORT_ON_STACK 32

struct writer {
    struct str *out;
    int indent;
    bool sorted;
};

struct member {
    const char *key;
    size_t key_len;
    json_t *value;
};

static void write_value(const struct writer *w, json_t *v, int depth);

static void new_line(const struct writer *w, int depth)
{
    if (w->indent <= 0)
        return;
    str_putc(w->out, '\n');
    for (int i = 0; i < w->indent * depth; i++)
        str_putc(w->out, ' ');
}

static void write_array(const struct writer *w, json_t *v, int depth)
{
    size_t n = json_array_size(v);

    str_putc(w->out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            str_putc(w->out, ',');
        new_line(w, depth + 1);
        write_value(w, json_array_get(v, i), depth + 1);
    }
    if (n)
        new_line(w, depth);
    str_putc(w->out, ']');
}

static void write_member(const struct writer *w, const struct member *m, bool first, int depth)
{
    if (!first)
        str_putc(w->out, ',');
    new_line(w, depth);
    str_put_json_string(w->out, m->key, m->key_len);
    str_append(w->out, ": ", w->indent > 0 ? 2 : 1);
    write_value(w, m->value, depth);
}

static struct member member_at(void *it)
{
    return (struct member){json_object_iter_key(it), json_object_iter_key_len(it),
                           json_object_iter_value(it)};
}

static int by_key(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, n);

    return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static void write_sorted_members(const struct writer *w, json_t *v, int depth)
{
    struct member few[SORT_ON_STACK];
    size_t n = json_object_size(v);
    struct member *all = n <= SORT_ON_STACK ? few : xmalloc(n * sizeof(*all));
    size_t i = 0;

    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
        all[i++] = member_at(it);
    qsort(all, n, sizeof(*all), by_key);
    for (i = 0; i < n; i++)
        write_member(w, &all[i], i == 0, depth);
    if (all != few)
        free(all);
}

static void write_object(const struct writer *w, json_t *v, int depth)
{
    bool first = true;

    str_putc(w->out, '{');
    if (w->sorted) {
        write_sorted_members(w, v, depth + 1);
        first = json_object_size(v) == 0;
    } else {
        for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
            struct member m = member_at(it);

            write_member(w, &m, first, depth + 1);
            first = false;
        }
    }
    if (!first)
        new_line(w, depth);
    str_putc(w->out, '}');
}

static void write_value(const struct writer *w, json_t *v, int depth)
{
    if (depth > WRITE_MAX_DEPTH) {
        w->out->failed = true;
        return;
    }
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(w, v, depth);
        break;
    case JSON_ARRAY:
        write_array(w, v, depth);
        break;
    case JSON_STRING:
        str_put_json_string(w->out, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        str_put_i64(w->out, (int64_t)json_integer_value(v));
        break;
    case JSON_REAL:
        str_put_double(w->out, json_real_value(v));
        break;
    case JSON_TRUE:
        str_append(w->out, "true", 4);
        break;
    case JSON_FALSE:
        str_append(w->out, "false", 5);
        break;
    case JSON_NULL:
        str_append(w->out, "null", 4);
        break;
    }
}

void jv_write(const struct json *v, int indent, struct str *out)
{
    struct writer w = {.out = out, .indent = indent};

    write_value(&w, (json_t *)(uintptr_t)v, 0);
}

void jv_write_canonical(const struct json *v, struct str *out)
{
    struct writer w = {.out = out, .sorted = true};

    write_value(&w, (json_t *)(uintptr_t)v, 0);
}

char *jv_dump(const struct json *v)
{
    struct str out;

    str_init(&out, SIZE_MAX / 4);
    jv_write(v, 0, &out);
    if (!str_ok(&out))
        mem_exhausted(out.len);
    return str_take(&out);
}
