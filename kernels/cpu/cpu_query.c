/* cpu_query.c - queries that attend to the same pages, taken together.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_query.h"

/* What has been gathered, in tiles of 8, 4, 2 and 1. */
static void flush(const struct attention_job *j, struct query_tile *all, query_fn fn)
{
    int32_t done = 0;

    for (int32_t n = QUERY_MAX; n > 0; n /= 2)
        for (; all->n - done >= n; done += n) {
            struct query_tile t = {.n = n, .g = all->g, .page = all->page};
            for (int32_t i = 0; i < n; i++) {
                t.at[i] = all->at[done + i];
                t.keys[i] = all->keys[done + i];
            }
            fn(j, &t);
        }
    all->n = 0;
}

static bool belongs(const struct attention_job *j, const struct query_tile *t, int64_t row)
{
    int32_t apart = j->r->pos[row] + 1 - t->keys[0];
    return j->r->page[j->r->seq[row]] == t->page && apart <= QUERY_NEAR && apart >= -QUERY_NEAR;
}

void CPU_OP(query_tiles)(const struct attention_job *j, int32_t g, int64_t begin, int64_t end,
                         query_fn fn)
{
    int32_t group = j->s->n_heads / j->s->n_kv_heads;
    struct query_tile t = {.n = 0, .g = g};

    for (int64_t row = begin; row < end; row++) {
        if (t.n > 0 && !belongs(j, &t, row))
            flush(j, &t, fn);
        for (int32_t h = 0; h < group; h++) {
            t.page = j->r->page[j->r->seq[row]];
            t.at[t.n] = row * j->s->n_heads + g * group + h;
            t.keys[t.n++] = j->r->pos[row] + 1;
            if (t.n == QUERY_MAX)
                flush(j, &t, fn);
        }
    }
    flush(j, &t, fn);
}
