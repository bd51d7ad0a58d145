/* sequences.c - see sequences.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/sequences.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

void sequences_deinit(struct sequences *s)
{
    free(s->ids);
    free(s->train);
    free(s->start);
    memset(s, 0, sizeof(*s));
}

void sequences_clear(struct sequences *s)
{
    s->n = 0;
    s->n_tokens = s->n_rows = s->n_trained = 0;
}

static bool grow(struct sequences *s, int64_t n)
{
    if (s->n_tokens + n > s->cap_tokens) {
        int64_t cap = 2 * (s->n_tokens + n);

        if (!mem_grow((void **)&s->ids, (size_t)cap, sizeof(*s->ids)) ||
            !mem_grow((void **)&s->train, (size_t)cap, sizeof(*s->train)))
            return false;
        s->cap_tokens = cap;
    }
    if (s->n + 1 > s->cap || !s->start) {
        int32_t cap = 2 * s->n + 16;

        if (!mem_grow((void **)&s->start, (size_t)cap + 1, sizeof(*s->start)))
            return false;
        s->cap = cap;
    }
    return true;
}

enum status sequences_add(struct sequences *s, const int32_t *ids, const uint8_t *train, int32_t n,
                          struct error *err)
{
    assert(n >= 2);
    if (!grow(s, n))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a batch of %lld tokens",
                         (long long)(s->n_tokens + n));
    memcpy(s->ids + s->n_tokens, ids, (size_t)n * sizeof(*ids));
    if (train)
        memcpy(s->train + s->n_tokens, train, (size_t)n);
    else
        memset(s->train + s->n_tokens, 1, (size_t)n);
    for (int32_t i = 1; i < n; i++)
        s->n_trained += s->train[s->n_tokens + i] != 0;
    s->start[s->n] = s->n_tokens;
    s->n_tokens += n;
    s->n_rows += n - 1;
    s->start[++s->n] = s->n_tokens;
    return STATUS_OK;
}
