/* jinja_value.c - memory of a rendering, and the plain operations on values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_value.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define BLOCK_BYTES ((size_t)16 << 10)
#define EQUAL_DEPTH 100

struct jinja_block {
    struct jinja_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void jinja_memory_init(struct jinja_memory *m, size_t max_bytes)
{
    *m = (struct jinja_memory){.max = max_bytes};
}

void jinja_memory_deinit(struct jinja_memory *m)
{
    while (m->block) {
        struct jinja_block *next = m->block->next;

        free(m->block);
        m->block = next;
    }
}

/* A large piece gets a block of its own, behind the one that is being filled. */
static struct jinja_block *add_block(struct jinja_memory *m, size_t bytes)
{
    const size_t size = bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES;
    struct jinja_block *b = mem_alloc(1, sizeof(*b) + size);

    if (b == NULL)
        return NULL;
    b->size = size;
    if (size != BLOCK_BYTES && m->block) {
        b->next = m->block->next;
        m->block->next = b;
    } else {
        b->next = m->block;
        m->block = b;
    }
    return b;
}

void *jinja_alloc(struct jinja_memory *m, size_t bytes)
{
    struct jinja_block *b = m->block;
    void *p;

    if (bytes > m->max - m->used) {
        m->full = true;
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (b == NULL || bytes > b->size - b->used)
        b = add_block(m, bytes);
    if (b == NULL) {
        m->full = m->exhausted = true;
        return NULL;
    }
    p = b->data + b->used;
    b->used += bytes;
    m->used = bytes > m->max - m->used ? m->max : m->used + bytes;
    return p;
}

struct jinja_value jinja_bool(bool b)
{
    return (struct jinja_value){.type = JT_BOOL, .as.truth = b};
}

struct jinja_value jinja_int(int64_t i)
{
    return (struct jinja_value){.type = JT_INT, .as.integer = i};
}

struct jinja_value jinja_float(double d)
{
    return (struct jinja_value){.type = JT_FLOAT, .as.real = d};
}

struct jinja_value jinja_string(struct jinja_text t)
{
    return (struct jinja_value){.type = JT_STRING, .as.text = t};
}

struct jinja_value jinja_string_copy(struct jinja_memory *m, const char *p, size_t n)
{
    char *copy = jinja_alloc(m, n + 1);

    if (copy == NULL)
        return JINJA_UNDEFINED;
    if (n)
        memcpy(copy, p, n);
    return jinja_string((struct jinja_text){copy, n});
}

struct jinja_value jinja_list(struct jinja_memory *m)
{
    struct jinja_list *l = jinja_alloc(m, sizeof(*l));

    if (l == NULL)
        return JINJA_UNDEFINED;
    return (struct jinja_value){.type = JT_LIST, .as.list = l};
}

struct jinja_value jinja_dict(struct jinja_memory *m)
{
    struct jinja_dict *d = jinja_alloc(m, sizeof(*d));

    if (d == NULL)
        return JINJA_UNDEFINED;
    return (struct jinja_value){.type = JT_DICT, .as.dict = d};
}

/* Twice the room in a new place; the old one stays in the region until the end. */
static bool make_room(struct jinja_memory *m, void **items, size_t n, size_t *cap, size_t size)
{
    const size_t more = *cap ? *cap * 2 : 4;
    void *p;

    if (n < *cap)
        return true;
    if (more > m->max / size) {
        m->full = true;
        return false;
    }
    p = jinja_alloc(m, more * size);
    if (p == NULL)
        return false;
    if (n)
        memcpy(p, *items, n * size);
    *items = p;
    *cap = more;
    return true;
}

void jinja_push(struct jinja_memory *m, struct jinja_list *l, struct jinja_value v)
{
    if (make_room(m, (void **)&l->item, l->n, &l->cap, sizeof(v)))
        l->item[l->n++] = v;
}

void jinja_set(struct jinja_memory *m, struct jinja_dict *d, struct jinja_value key,
               struct jinja_value v)
{
    struct jinja_value *old = jinja_find_value(d, &key);

    if (old)
        *old = v;
    else
        jinja_add(m, d, key, v);
}

void jinja_add(struct jinja_memory *m, struct jinja_dict *d, struct jinja_value key,
               struct jinja_value v)
{
    if (make_room(m, (void **)&d->member, d->n, &d->cap, sizeof(*d->member)))
        d->member[d->n++] = (struct jinja_member){key, v};
}

struct jinja_value *jinja_find(const struct jinja_dict *d, struct jinja_text key)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->member[i].key.type == JT_STRING && jinja_text_equal(d->member[i].key.as.text, key))
            return &d->member[i].value;
    return NULL;
}

struct jinja_value *jinja_find_value(const struct jinja_dict *d, const struct jinja_value *key)
{
    if (key->type == JT_STRING)
        return jinja_find(d, key->as.text);
    for (size_t i = 0; i < d->n; i++)
        if (jinja_equal(&d->member[i].key, key))
            return &d->member[i].value;
    return NULL;
}

bool jinja_text_is(struct jinja_text t, const char *s)
{
    return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

bool jinja_text_equal(struct jinja_text a, struct jinja_text b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool jinja_truth(const struct jinja_value *v)
{
    switch (v->type) {
    case JT_UNDEFINED:
    case JT_NONE:
        return false;
    case JT_BOOL:
        return v->as.truth;
    case JT_INT:
        return v->as.integer != 0;
    case JT_FLOAT:
        return v->as.real != 0;
    case JT_STRING:
        return v->as.text.n > 0;
    case JT_LIST:
        return v->as.list->n > 0;
    case JT_DICT:
        return v->as.dict->n > 0;
    default:
        return true;
    }
}

bool jinja_is_number(const struct jinja_value *v)
{
    return v->type == JT_INT || v->type == JT_FLOAT || v->type == JT_BOOL;
}

double jinja_as_real(const struct jinja_value *v)
{
    return v->type == JT_FLOAT ? v->as.real : (double)jinja_as_int(v);
}

int64_t jinja_as_int(const struct jinja_value *v)
{
    return v->type == JT_BOOL ? v->as.truth : v->type == JT_INT ? v->as.integer : 0;
}

const char *jinja_type_name(enum jinja_type t)
{
    static const char *const names[] = {"undefined", "None",     "bool",  "int",       "float",
                                        "str",       "list",     "dict",  "namespace", "loop",
                                        "macro",     "function", "method"};

    return names[t];
}

static bool equal_at(const struct jinja_value *a, const struct jinja_value *b, int depth);

static bool equal_lists(const struct jinja_list *a, const struct jinja_list *b, int depth)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!equal_at(&a->item[i], &b->item[i], depth))
            return false;
    return true;
}

static bool equal_dicts(const struct jinja_dict *a, const struct jinja_dict *b, int depth)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct jinja_value *other = jinja_find_value(b, &a->member[i].key);

        if (other == NULL || !equal_at(&a->member[i].value, other, depth))
            return false;
    }
    return true;
}

static bool equal_at(const struct jinja_value *a, const struct jinja_value *b, int depth)
{
    if (depth > EQUAL_DEPTH)
        return false;
    if (jinja_is_number(a) && jinja_is_number(b)) {
        if (a->type == JT_FLOAT || b->type == JT_FLOAT)
            return jinja_as_real(a) == jinja_as_real(b);
        return jinja_as_int(a) == jinja_as_int(b);
    }
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JT_UNDEFINED:
    case JT_NONE:
        return true;
    case JT_STRING:
        return jinja_text_equal(a->as.text, b->as.text);
    case JT_LIST:
        return equal_lists(a->as.list, b->as.list, depth + 1);
    case JT_DICT:
        return equal_dicts(a->as.dict, b->as.dict, depth + 1);
    default:
        return a->as.dict == b->as.dict;
    }
}

bool jinja_equal(const struct jinja_value *a, const struct jinja_value *b)
{
    return equal_at(a, b, 0);
}
