/* jinja_dict.c - a list of members, and from SMALL members on a table of their hashes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_dict.h"

#include <string.h>

#include "runtime/base/hash.h"

#define SMALL 16 /* members that are searched from the front */

static bool same_key(struct jinja_run *run, const struct jinja_value *a,
                     const struct jinja_value *b)
{
    if (jinja_is_number(a) && jinja_is_number(b))
        return jinja_numbers_equal(a, b);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JT_UNDEFINED:
    case JT_NONE:
        return true;
    case JT_STRING:
        if (a->as.text.n != b->as.text.n)
            return false;
        jinja_spend(run, a->as.text.n / 64);
        return jinja_text_equal(a->as.text, b->as.text);
    case JT_LIST:
    case JT_DICT:
        return false;
    default:
        return a->as.dict == b->as.dict;
    }
}

/* Equal keys have equal hashes. */
static uint64_t hash_of(struct jinja_run *run, const struct jinja_value *key)
{
    const double real = jinja_as_real(key) + 0.0; /* one hash for both zeros */

    if (key->type == JT_STRING) {
        jinja_spend(run, key->as.text.n / 64);
        return fnv1a64(key->as.text.p, key->as.text.n);
    }
    return jinja_is_number(key) ? fnv1a64(&real, sizeof(real)) : (uint64_t)key->type;
}

static void place(struct jinja_run *run, struct jinja_dict *d, size_t i)
{
    const size_t mask = d->n_slots - 1;
    size_t at = (size_t)hash_of(run, &d->member[i].key) & mask;

    while (d->slot[at] && jinja_spend(run, 1))
        at = (at + 1) & mask;
    if (d->slot[at] == 0)
        d->slot[at] = (uint32_t)i + 1;
}

static void make_table(struct jinja_run *run, struct jinja_dict *d)
{
    size_t n = 4 * SMALL;

    while (n < 4 * d->n)
        n *= 2;
    d->slot = d->n < UINT32_MAX / 4 ? jinja_alloc(&run->memory, n * sizeof(*d->slot)) : NULL;
    d->n_slots = d->slot ? n : 0;
    for (size_t i = 0; d->slot && i < d->n && jinja_spend(run, 1); i++)
        place(run, d, i);
}

void jinja_dict_add(struct jinja_run *run, struct jinja_dict *d, struct jinja_value key,
                    struct jinja_value v)
{
    if (!jinja_make_room(&run->memory, (void **)&d->member, d->n, &d->cap, sizeof(*d->member)))
        return;
    d->member[d->n++] = (struct jinja_member){key, v};
    if (d->n <= SMALL)
        return;
    if (2 * d->n > d->n_slots)
        make_table(run, d);
    else
        place(run, d, d->n - 1);
}

struct jinja_value *jinja_dict_find(struct jinja_run *run, const struct jinja_dict *d,
                                    const struct jinja_value *key)
{
    const size_t mask = d->n_slots - 1;

    if (key->type == JT_LIST || key->type == JT_DICT)
        return NULL;
    if (d->slot == NULL) {
        jinja_spend(run, d->n / 16);
        for (size_t i = 0; i < d->n; i++)
            if (same_key(run, &d->member[i].key, key))
                return &d->member[i].value;
        return NULL;
    }
    for (size_t at = (size_t)hash_of(run, key) & mask; d->slot[at] && jinja_spend(run, 1);
         at = (at + 1) & mask)
        if (same_key(run, &d->member[d->slot[at] - 1].key, key))
            return &d->member[d->slot[at] - 1].value;
    return NULL;
}

void jinja_dict_set(struct jinja_run *run, struct jinja_dict *d, struct jinja_value key,
                    struct jinja_value v)
{
    struct jinja_value *old = jinja_dict_find(run, d, &key);

    if (old)
        *old = v;
    else
        jinja_dict_add(run, d, key, v);
}
