/* token_ids.c - a growable list of token ids.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/token_ids.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

void token_ids_init(struct token_ids *v, size_t max)
{
    *v = (struct token_ids){.max = max};
}

void token_ids_deinit(struct token_ids *v)
{
    free(v->id);
    *v = (struct token_ids){.max = v->max};
}

void token_ids_clear(struct token_ids *v)
{
    v->n = 0;
}

enum status token_ids_reserve(struct token_ids *v, size_t n, struct error *err)
{
    size_t cap;

    if (n <= v->cap - v->n)
        return STATUS_OK;
    if (n > v->max - v->n)
        return error_set(err, STATUS_LIMIT, "more than %zu tokens", v->max);
    cap = v->cap < 64 ? 128 : v->cap * 2;
    if (cap < v->n + n)
        cap = v->n + n;
    if (cap > v->max)
        cap = v->max;
    if (!mem_grow((void **)&v->id, cap, sizeof(*v->id)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu tokens", cap);
    v->cap = cap;
    return STATUS_OK;
}

enum status token_ids_push(struct token_ids *v, int32_t id, struct error *err)
{
    if (v->n == v->cap) {
        enum status st = token_ids_reserve(v, 1, err);
        if (st)
            return st;
    }
    v->id[v->n++] = id;
    return STATUS_OK;
}

enum status token_ids_append(struct token_ids *v, const int32_t *id, size_t n, struct error *err)
{
    enum status st = token_ids_reserve(v, n, err);

    if (st == STATUS_OK && n > 0) {
        memcpy(v->id + v->n, id, n * sizeof(*id));
        v->n += n;
    }
    return st;
}
