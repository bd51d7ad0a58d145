/* jinja_compare.c - equality, order and membership.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_compare.h"

#include <string.h>

#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_text.h"

#define EQUAL_DEPTH 100

struct jinja_value jinja_type_fault(struct jinja_run *run, const char *op,
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

static bool equal_at(struct jinja_run *run, const struct jinja_value *a,
                     const struct jinja_value *b, int depth);

static bool equal_lists(struct jinja_run *run, const struct jinja_list *a,
                        const struct jinja_list *b, int depth)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!equal_at(run, &a->item[i], &b->item[i], depth))
            return false;
    return true;
}

static bool equal_dicts(struct jinja_run *run, const struct jinja_dict *a,
                        const struct jinja_dict *b, int depth)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct jinja_value *other = jinja_dict_find(run, b, &a->member[i].key);

        if (other == NULL || !equal_at(run, &a->member[i].value, other, depth))
            return false;
    }
    return true;
}

static bool equal_at(struct jinja_run *run, const struct jinja_value *a,
                     const struct jinja_value *b, int depth)
{
    if (depth > EQUAL_DEPTH || !jinja_spend(run, 1))
        return false;
    if (jinja_is_number(a) && jinja_is_number(b))
        return jinja_numbers_equal(a, b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JT_UNDEFINED:
    case JT_NONE:
        return true;
    case JT_STRING:
        return a->as.text.n == b->as.text.n && jinja_spend(run, a->as.text.n / 64) &&
               jinja_text_equal(a->as.text, b->as.text);
    case JT_LIST:
        return equal_lists(run, a->as.list, b->as.list, depth + 1);
    case JT_DICT:
        return equal_dicts(run, a->as.dict, b->as.dict, depth + 1);
    default:
        return a->as.dict == b->as.dict;
    }
}

/* Deep; values that nest beyond 100 levels count as different. */
static bool jinja_equal(struct jinja_run *run, const struct jinja_value *a,
                        const struct jinja_value *b)
{
    return equal_at(run, a, b, 0);
}

static int compare_texts(struct jinja_run *run, struct jinja_text a, struct jinja_text b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n && jinja_spend(run, n / 64) ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static bool contains(struct jinja_run *run, const struct jinja_value *in,
                     const struct jinja_value *what)
{
    if (in->type == JT_STRING && what->type == JT_STRING) {
        jinja_spend(run, in->as.text.n / 64);
        return jinja_text_find(in->as.text, what->as.text, 0) != (size_t)-1;
    }
    if (in->type == JT_DICT || in->type == JT_NAMESPACE)
        return jinja_dict_find(run, in->as.dict, what) != NULL;
    if (in->type == JT_UNDEFINED)
        return false;
    if (in->type != JT_LIST) {
        jinja_type_fault(run, "in", what, in);
        return false;
    }
    for (size_t i = 0; i < in->as.list->n && jinja_spend(run, 1); i++)
        if (jinja_equal(run, &in->as.list->item[i], what))
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
        order = compare_texts(run, a->as.text, b->as.text);
    } else {
        jinja_type_fault(run, names[op - OP_LT], a, b);
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
        return jinja_equal(run, a, b);
    case OP_NE:
        return !jinja_equal(run, a, b);
    case OP_IN:
        return contains(run, b, a);
    case OP_NOT_IN:
        return !contains(run, b, a);
    default:
        return in_order(run, op, a, b);
    }
}
