/* jinja_access.c - attributes, subscripts, slices, and items of a loop, as Python has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_access.h"

#include <string.h>

#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_text.h"
#include "runtime/base/memory.h"

static bool has_method(const struct jinja_value *self, struct jinja_text name)
{
    static const struct {
        enum jinja_type type;
        const char *name;
    } table[] = {
#define METHOD(type, name, function) {type, name},
#include "models/chat/jinja_methods.def"
#undef METHOD
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].type == self->type && jinja_text_is(name, table[i].name))
            return true;
    return false;
}

static struct jinja_value loop_attribute(const struct jinja_loop *l, struct jinja_text name)
{
    const int64_t i = (int64_t)l->index, n = (int64_t)l->items->n;

    if (jinja_text_is(name, "index"))
        return jinja_int(i + 1);
    if (jinja_text_is(name, "index0"))
        return jinja_int(i);
    if (jinja_text_is(name, "first"))
        return jinja_bool(i == 0);
    if (jinja_text_is(name, "last"))
        return jinja_bool(i == n - 1);
    if (jinja_text_is(name, "length"))
        return jinja_int(n);
    if (jinja_text_is(name, "revindex"))
        return jinja_int(n - i);
    if (jinja_text_is(name, "revindex0"))
        return jinja_int(n - i - 1);
    if (jinja_text_is(name, "previtem") && i > 0)
        return l->items->item[i - 1];
    if (jinja_text_is(name, "nextitem") && i + 1 < n)
        return l->items->item[i + 1];
    if (jinja_text_is(name, "depth")) /* only recursive loops have more */
        return jinja_int(1);
    if (jinja_text_is(name, "depth0"))
        return jinja_int(0);
    return (struct jinja_value){.type = JT_UNDEFINED, .as.text = name};
}

static struct jinja_value bind_method(struct jinja_run *run, const struct jinja_value *self,
                                      struct jinja_text name)
{
    struct jinja_method *m = jinja_alloc(&run->memory, sizeof(*m));
    struct jinja_value v = {.type = JT_METHOD};

    if (!jinja_spend(run, 1) || m == NULL)
        return JINJA_UNDEFINED;
    *m = (struct jinja_method){*self, name};
    v.as.method = m;
    return v;
}

struct jinja_value jinja_attribute(struct jinja_run *run, const struct jinja_value *obj,
                                   struct jinja_text name)
{
    const struct jinja_value none = {.type = JT_UNDEFINED, .as.text = name};
    const struct jinja_value key = jinja_string(name);
    const struct jinja_value *member = NULL;

    if (obj->type == JT_UNDEFINED) {
        jinja_fail(run, STATUS_INVALID, "'%.*s' is undefined", (int)obj->as.text.n,
                   obj->as.text.p ? obj->as.text.p : "");
        return none;
    }
    if (has_method(obj, name))
        return bind_method(run, obj, name);
    if (obj->type == JT_LOOP)
        return loop_attribute(obj->as.loop, name);
    if (obj->type == JT_DICT || obj->type == JT_NAMESPACE)
        member = jinja_dict_find(run, obj->as.dict, &key);
    return member ? *member : none;
}

/* Index i counted from either end; SIZE_MAX when outside. */
static size_t place_of(int64_t i, size_t n)
{
    if (i < 0)
        i += (int64_t)n;
    return i >= 0 && (size_t)i < n ? (size_t)i : SIZE_MAX;
}

size_t jinja_n_chars(struct jinja_run *run, struct jinja_text t)
{
    if (t.p != run->counted.p || t.n != run->counted.n) {
        jinja_spend(run, t.n / 64);
        run->counted = t;
        run->n_counted = jinja_char_count(t);
    }
    return run->n_counted;
}

/* The byte of character i. In a text of single bytes, the usual case, this is O(1). */
static size_t offset_of(struct jinja_run *run, struct jinja_text t, size_t i)
{
    const size_t n = jinja_n_chars(run, t);

    if (n == t.n || i >= n)
        return i < n ? i : t.n;
    jinja_spend(run, i / 64);
    return jinja_char_offset(t, i);
}

static struct jinja_value char_at(struct jinja_run *run, struct jinja_text t, int64_t i)
{
    const size_t at = place_of(i, jinja_n_chars(run, t));
    size_t from, to;

    if (at == SIZE_MAX)
        return JINJA_UNDEFINED;
    from = offset_of(run, t, at);
    to = from + jinja_char_offset((struct jinja_text){t.p + from, t.n - from}, 1);
    return jinja_string((struct jinja_text){t.p + from, to - from});
}

struct jinja_value jinja_subscript(struct jinja_run *run, const struct jinja_value *obj,
                                   const struct jinja_value *key)
{
    const struct jinja_value *member;
    size_t at;

    if (obj->type == JT_DICT) {
        member = jinja_dict_find(run, obj->as.dict, key);
        if (member)
            return *member;
    }
    if (key->type == JT_STRING)
        return jinja_attribute(run, obj, key->as.text);
    if (obj->type == JT_UNDEFINED) /* for the message */
        return jinja_attribute(run, obj, JINJA_TEXT("[]"));
    if (obj->type == JT_STRING && key->type == JT_INT)
        return char_at(run, obj->as.text, key->as.integer);
    if (obj->type == JT_LIST && key->type == JT_INT) {
        at = place_of(key->as.integer, obj->as.list->n);
        if (at != SIZE_MAX)
            return obj->as.list->item[at];
    }
    return (struct jinja_value){.type = JT_UNDEFINED, .as.text = JINJA_TEXT("[index]")};
}

/* Python's PySlice_AdjustIndices: where a slice starts and ends in a sequence of n. */
static void adjust(const struct jinja_value part[3], int64_t n, int64_t *from, int64_t *to,
                   int64_t *step)
{
    const int64_t low = *step < 0 ? -1 : 0, high = *step < 0 ? n - 1 : n;

    *from = part[0].type == JT_INT ? part[0].as.integer : *step < 0 ? high : low;
    *to = part[1].type == JT_INT ? part[1].as.integer : *step < 0 ? low : high;
    if (part[0].type == JT_INT && *from < 0)
        *from += n;
    if (part[1].type == JT_INT && *to < 0)
        *to += n;
    *from = *from < low ? low : *from > high ? high : *from;
    *to = *to < low ? low : *to > high ? high : *to;
}

/* Character by character from `from` on, forwards or backwards. */
static struct jinja_value slice_text(struct jinja_run *run, struct jinja_text t, int64_t from,
                                     int64_t to, int64_t step)
{
    size_t at = offset_of(run, t, from < 0 ? 0 : (size_t)from);
    struct str s;

    if (step == 1) {
        const size_t end = to > from ? offset_of(run, t, (size_t)to) : at;

        return jinja_string((struct jinja_text){t.p + at, end - at});
    }
    str_init(&s, CHAT_MAX_OUTPUT);
    for (int64_t i = from; (step > 0 ? i < to : i > to) && jinja_spend(run, 1);) {
        size_t end = at + jinja_char_offset((struct jinja_text){t.p + at, t.n - at}, 1);

        str_append(&s, t.p + at, end - at);
        if (step > 0 ? step >= to - i : step <= to - i)
            break;
        for (int64_t k = 0; k < step - 1 && jinja_spend(run, k % 16 == 0); k++)
            end += jinja_char_offset((struct jinja_text){t.p + end, t.n - end}, 1);
        for (int64_t k = 0; k > step && jinja_spend(run, -k % 16 == 1); k--)
            at = jinja_char_before(t, at);
        at = step > 0 ? end : at;
        i += step;
    }
    return jinja_take_text(run, &s);
}

struct jinja_value jinja_slice(struct jinja_run *run, const struct jinja_value *obj,
                               const struct jinja_value part[3])
{
    int64_t from, to, step = part[2].type == JT_INT ? part[2].as.integer : 1, n;
    struct jinja_value v;

    for (int i = 0; i < 3; i++)
        if (part[i].type != JT_INT && part[i].type != JT_NONE)
            jinja_fail(run, STATUS_INVALID, "a slice needs integers, not %s",
                       jinja_type_name(part[i].type));
    if (step == 0 || step < -INT32_MAX || step > INT32_MAX)
        jinja_fail(run, STATUS_INVALID,
                   "the step of a slice must be a 32-bit integer other than 0");
    if (obj->type != JT_STRING && obj->type != JT_LIST)
        jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be sliced",
                   jinja_type_name(obj->type));
    if (run->st)
        return JINJA_UNDEFINED;
    n = (int64_t)(obj->type == JT_LIST ? obj->as.list->n : jinja_n_chars(run, obj->as.text));
    adjust(part, n, &from, &to, &step);
    if (obj->type == JT_STRING)
        return slice_text(run, obj->as.text, from, to, step);
    v = jinja_list(&run->memory);
    for (int64_t i = from; (step > 0 ? i < to : i > to) && v.type == JT_LIST; i += step) {
        if (!jinja_spend(run, 1))
            break;
        jinja_push(&run->memory, v.as.list, obj->as.list->item[i]);
    }
    return v;
}

static const struct jinja_list *chars_of(struct jinja_run *run, struct jinja_text t)
{
    const struct jinja_value v = jinja_list(&run->memory);

    for (size_t i = 0; i < t.n && v.type == JT_LIST && jinja_spend(run, 1);) {
        const struct jinja_text rest = {t.p + i, t.n - i};
        const size_t n = jinja_char_offset(rest, 1);

        jinja_push(&run->memory, v.as.list, jinja_string((struct jinja_text){rest.p, n}));
        i += n;
    }
    return v.type == JT_LIST ? v.as.list : NULL;
}

const struct jinja_list *jinja_items(struct jinja_run *run, const struct jinja_value *v)
{
    struct jinja_value keys;

    if (run->st)
        return NULL;
    if (v->type == JT_LIST)
        return v->as.list;
    if (v->type == JT_STRING)
        return chars_of(run, v->as.text);
    if (v->type != JT_DICT && v->type != JT_UNDEFINED) {
        jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be iterated",
                   jinja_type_name(v->type));
        return NULL;
    }
    keys = jinja_list(&run->memory);
    if (keys.type != JT_LIST)
        return NULL;
    for (size_t i = 0; v->type == JT_DICT && i < v->as.dict->n && jinja_spend(run, 1); i++)
        jinja_push(&run->memory, keys.as.list, v->as.dict->member[i].key);
    return keys.as.list;
}
