/* jinja_value.c - memory of a rendering, and the plain operations on values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_value.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define BLOCK_BYTES ((size_t)16 << 10)

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

/* A large piece gets a block of its own, after the one that is being filled. */
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

bool jinja_make_room(struct jinja_memory *m, void **items, size_t n, size_t *cap, size_t size)
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
    if (jinja_make_room(m, (void **)&l->item, l->n, &l->cap, sizeof(v)))
        l->item[l->n++] = v;
}

const struct jinja_value *jinja_arg(const struct jinja_args *args, size_t position,
                                    const char *name)
{
    if (position < args->n)
        return &args->value[position];
    for (size_t i = 0; i < args->n_named && name; i++)
        if (jinja_text_is(args->named[i].name, name))
            return &args->named[i].value;
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

bool jinja_numbers_equal(const struct jinja_value *a, const struct jinja_value *b)
{
    if (a->type == JT_FLOAT || b->type == JT_FLOAT)
        return jinja_as_real(a) == jinja_as_real(b);
    return jinja_as_int(a) == jinja_as_int(b);
}
