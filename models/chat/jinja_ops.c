/* jinja_ops.c - operators, attributes, subscripts and slices, as Python has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/chat/jinja_eval.h"
#include "models/chat/jinja_text.h"

static struct jinja_value type_fault(struct jinja_run *run, const char *op,
                                     const struct jinja_value *a, const struct jinja_value *b)
{
    if (a->type == JT_UNDEFINED || b->type == JT_UNDEFINED) {
        const struct jinja_text name = a->type == JT_UNDEFINED ? a->as.text : b->as.text;

        jinja_fail(run, STATUS_INVALID, "'%.*s' is undefined", (int)name.n, name.p ? name.p : "");
    } else {
        jinja_fail(run, STATUS_INVALID, "%s does not work on %s and %s", op,
                   jinja_type_name(a->type), jinja_type_name(b->type));
    }
    return JINJA_UNDEFINED;
}

static struct jinja_value join_texts(struct jinja_run *run, struct jinja_text a,
                                     struct jinja_text b)
{
    char *both = jinja_alloc(&run->memory, a.n + b.n + 1);

    if (!jinja_spend(run, 1) || both == NULL)
        return JINJA_UNDEFINED;
    if (a.n)
        memcpy(both, a.p, a.n);
    if (b.n)
        memcpy(both + a.n, b.p, b.n);
    return jinja_string((struct jinja_text){both, a.n + b.n});
}

static struct jinja_value join_lists(struct jinja_run *run, const struct jinja_list *a,
                                     const struct jinja_list *b)
{
    const struct jinja_value v = jinja_list(&run->memory);

    if (!jinja_spend(run, a->n + b->n) || v.type != JT_LIST)
        return JINJA_UNDEFINED;
    for (size_t i = 0; i < a->n; i++)
        jinja_push(&run->memory, v.as.list, a->item[i]);
    for (size_t i = 0; i < b->n; i++)
        jinja_push(&run->memory, v.as.list, b->item[i]);
    return v;
}

static struct jinja_value repeat_text(struct jinja_run *run, struct jinja_text t, int64_t times)
{
    size_t n;
    char *p;

    if (times < 0)
        times = 0;
    if (__builtin_mul_overflow(t.n, (size_t)times, &n))
        n = SIZE_MAX / 2;
    p = jinja_alloc(&run->memory, n + 1);
    if (!jinja_spend(run, 1) || p == NULL)
        return JINJA_UNDEFINED;
    for (size_t i = 0; i < n; i++)
        p[i] = t.p[i % t.n];
    return jinja_string((struct jinja_text){p, n});
}

static struct jinja_value real_result(struct jinja_run *run, enum jinja_op op, double a, double b)
{
    if (b == 0 && (op == OP_DIVIDE || op == OP_FLOOR_DIVIDE || op == OP_MODULO)) {
        jinja_fail(run, STATUS_INVALID, "division by zero");
        return JINJA_UNDEFINED;
    }
    switch (op) {
    case OP_ADD:
        return jinja_float(a + b);
    case OP_SUBTRACT:
        return jinja_float(a - b);
    case OP_MULTIPLY:
        return jinja_float(a * b);
    case OP_DIVIDE:
        return jinja_float(a / b);
    case OP_FLOOR_DIVIDE:
        return jinja_float(floor(a / b));
    case OP_MODULO:
        return jinja_float(a - floor(a / b) * b);
    default:
        return jinja_float(pow(a, b));
    }
}

static bool int_power(int64_t a, int64_t b, int64_t *out)
{
    *out = 1;
    if (a >= -1 && a <= 1) /* 0, 1 and -1 stay in their circle whatever b is */
        b = b == 0 ? 0 : 2 - b % 2;
    for (; b > 0; b--)
        if (__builtin_mul_overflow(*out, a, out))
            return false;
    return true;
}

/* Division and remainder round down, as in Python. */
static bool int_result(enum jinja_op op, int64_t a, int64_t b, int64_t *out)
{
    int64_t quotient;

    switch (op) {
    case OP_ADD:
        return !__builtin_add_overflow(a, b, out);
    case OP_SUBTRACT:
        return !__builtin_sub_overflow(a, b, out);
    case OP_MULTIPLY:
        return !__builtin_mul_overflow(a, b, out);
    case OP_POWER:
        return int_power(a, b, out);
    default:
        if (a == INT64_MIN && b == -1)
            return false;
        quotient = a / b - (a % b != 0 && (a < 0) != (b < 0));
        *out = op == OP_FLOOR_DIVIDE ? quotient : a - quotient * b;
        return true;
    }
}

static struct jinja_value arithmetic(struct jinja_run *run, enum jinja_op op,
                                     const struct jinja_value *a, const struct jinja_value *b)
{
    const bool whole = a->type != JT_FLOAT && b->type != JT_FLOAT && op != OP_DIVIDE;
    int64_t out;

    if (!whole || (op == OP_POWER && jinja_as_int(b) < 0) ||
        (jinja_as_int(b) == 0 && (op == OP_FLOOR_DIVIDE || op == OP_MODULO)))
        return real_result(run, op, jinja_as_real(a), jinja_as_real(b));
    if (!int_result(op, jinja_as_int(a), jinja_as_int(b), &out)) {
        jinja_fail(run, STATUS_LIMIT, "an integer passes 64 bits");
        return JINJA_UNDEFINED;
    }
    return jinja_int(out);
}

struct jinja_value jinja_binary(struct jinja_run *run, enum jinja_op op,
                                const struct jinja_value *a, const struct jinja_value *b)
{
    static const char *const names[] = {"+", "-", "*", "/", "//", "%", "**", "~"};

    if (op == OP_CONCAT) {
        const struct jinja_value x = jinja_to_text(run, a), y = jinja_to_text(run, b);

        return run->st ? JINJA_UNDEFINED : join_texts(run, x.as.text, y.as.text);
    }
    if (jinja_is_number(a) && jinja_is_number(b))
        return arithmetic(run, op, a, b);
    if (op == OP_ADD && a->type == JT_STRING && b->type == JT_STRING)
        return join_texts(run, a->as.text, b->as.text);
    if (op == OP_ADD && a->type == JT_LIST && b->type == JT_LIST)
        return join_lists(run, a->as.list, b->as.list);
    if (op == OP_MULTIPLY && a->type == JT_STRING && (b->type == JT_INT || b->type == JT_BOOL))
        return repeat_text(run, a->as.text, jinja_as_int(b));
    return type_fault(run, names[op], a, b);
}

static int compare_texts(struct jinja_text a, struct jinja_text b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static bool contains(struct jinja_run *run, const struct jinja_value *in,
                     const struct jinja_value *what)
{
    if (in->type == JT_STRING && what->type == JT_STRING) {
        jinja_spend(run, in->as.text.n / 64);
        return jinja_text_find(in->as.text, what->as.text, 0) != (size_t)-1;
    }
    if (in->type == JT_DICT || in->type == JT_NAMESPACE) {
        jinja_spend(run, in->as.dict->n / 8);
        return jinja_find_value(in->as.dict, what) != NULL;
    }
    if (in->type == JT_UNDEFINED)
        return false;
    if (in->type != JT_LIST) {
        type_fault(run, "in", what, in);
        return false;
    }
    for (size_t i = 0; i < in->as.list->n && jinja_spend(run, 1); i++)
        if (jinja_equal(&in->as.list->item[i], what))
            return true;
    return false;
}

static bool in_order(struct jinja_run *run, enum jinja_op op, const struct jinja_value *a,
                     const struct jinja_value *b)
{
    static const char *const names[] = {"<", "<=", ">", ">="};
    int order;

    if (jinja_is_number(a) && jinja_is_number(b)) {
        if (a->type == JT_FLOAT || b->type == JT_FLOAT) {
            const double x = jinja_as_real(a), y = jinja_as_real(b);

            return op == OP_LT ? x < y : op == OP_LE ? x <= y : op == OP_GT ? x > y : x >= y;
        }
        order = (jinja_as_int(a) > jinja_as_int(b)) - (jinja_as_int(a) < jinja_as_int(b));
    } else if (a->type == JT_STRING && b->type == JT_STRING) {
        order = compare_texts(a->as.text, b->as.text);
    } else {
        type_fault(run, names[op - OP_LT], a, b);
        return false;
    }
    return op == OP_LT   ? order < 0
           : op == OP_LE ? order <= 0
           : op == OP_GT ? order > 0
                         : order >= 0;
}

bool jinja_compare(struct jinja_run *run, enum jinja_op op, const struct jinja_value *a,
                   const struct jinja_value *b)
{
    switch (op) {
    case OP_EQ:
        return jinja_equal(a, b);
    case OP_NE:
        return !jinja_equal(a, b);
    case OP_IN:
        return contains(run, b, a);
    case OP_NOT_IN:
        return !contains(run, b, a);
    default:
        return in_order(run, op, a, b);
    }
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
    if (jinja_text_is(name, "depth")) /* of recursive loops, which there are none of */
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
    const struct jinja_value *member = NULL;

    if (obj->type == JT_UNDEFINED) {
        jinja_fail(run, STATUS_INVALID, "'%.*s' is undefined", (int)obj->as.text.n,
                   obj->as.text.p ? obj->as.text.p : "");
        return none;
    }
    if (jinja_has_method(obj, name))
        return bind_method(run, obj, name);
    if (obj->type == JT_LOOP)
        return loop_attribute(obj->as.loop, name);
    if (obj->type == JT_DICT || obj->type == JT_NAMESPACE) {
        jinja_spend(run, obj->as.dict->n / 16);
        member = jinja_find(obj->as.dict, name);
    }
    return member ? *member : none;
}

/* Index i counted from either end; SIZE_MAX when outside. */
static size_t place_of(int64_t i, size_t n)
{
    if (i < 0)
        i += (int64_t)n;
    return i >= 0 && (size_t)i < n ? (size_t)i : SIZE_MAX;
}

static struct jinja_value char_at(struct jinja_run *run, struct jinja_text t, int64_t i)
{
    const size_t at = place_of(i, jinja_char_count(t));
    size_t from, to;

    jinja_spend(run, t.n / 64);
    if (at == SIZE_MAX)
        return JINJA_UNDEFINED;
    from = jinja_char_offset(t, at);
    to = from + jinja_char_offset((struct jinja_text){t.p + from, t.n - from}, 1);
    return jinja_string((struct jinja_text){t.p + from, to - from});
}

struct jinja_value jinja_subscript(struct jinja_run *run, const struct jinja_value *obj,
                                   const struct jinja_value *key)
{
    const struct jinja_value *member;
    size_t at;

    if (obj->type == JT_DICT) {
        jinja_spend(run, obj->as.dict->n / 16);
        member = jinja_find_value(obj->as.dict, key);
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

static struct jinja_value slice_text(struct jinja_run *run, struct jinja_text t, int64_t from,
                                     int64_t to, int64_t step)
{
    struct str s;

    if (step == 1) {
        const size_t a = jinja_char_offset(t, (size_t)from);
        const size_t b = to > from ? jinja_char_offset(t, (size_t)to) : a;

        return jinja_string((struct jinja_text){t.p + a, b - a});
    }
    str_init(&s, CHAT_MAX_OUTPUT);
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) {
        const struct jinja_value c = char_at(run, t, i);

        if (!jinja_spend(run, 1) || c.type != JT_STRING)
            break;
        str_append(&s, c.as.text.p, c.as.text.n);
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
        jinja_fail(run, STATUS_INVALID, "a slice cannot have this step");
    if (obj->type != JT_STRING && obj->type != JT_LIST)
        jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be sliced",
                   jinja_type_name(obj->type));
    if (run->st)
        return JINJA_UNDEFINED;
    n = (int64_t)(obj->type == JT_LIST ? obj->as.list->n : jinja_char_count(obj->as.text));
    adjust(part, n, &from, &to, &step);
    if (obj->type == JT_STRING) {
        jinja_spend(run, obj->as.text.n / 64);
        return slice_text(run, obj->as.text, from, to, step);
    }
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
