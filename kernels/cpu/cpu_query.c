/* cpu_query.c - queries that attend to the same pages, taken together.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_query.h"

/* Queries of the first kv head; the others' are a group further each. */
struct gathered {
    struct query_tile t;
    int32_t heads, group, most;
};

/* n queries from number `from` on, of `wide` kv heads from the first + h on. */
static void hand_over(const struct attention_job *j, const struct gathered *all, int32_t from,
                      int32_t n, int32_t h, int32_t wide, query_fn fn)
{
    struct query_tile t = {.n = n, .heads = wide, .g = all->t.g + h, .page = all->t.page};

    for (int32_t i = 0; i < n * wide; i++) {
        t.at[i] = all->t.at[from + i % n] + (h + i / n) * all->group;
        t.first[i] = all->t.first[from + i % n];
        t.keys[i] = all->t.keys[from + i % n];
    }
    fn(j, &t);
}

/* In tiles of 16, 8, 4, 2 and 1; small ones span kv heads up to four queries. */
static void flush(const struct attention_job *j, struct gathered *all, query_fn fn)
{
    int32_t done = 0;

    for (int32_t n = all->most; n > 0; n /= 2)
        for (; all->t.n - done >= n; done += n)
            for (int32_t h = 0; h < all->heads;) {
                int32_t wide = n >= 4 ? 1 : 4 / n;
                while (wide > all->heads - h)
                    wide /= 2;
                hand_over(j, all, done, n, h, wide, fn);
                h += wide;
            }
    all->t.n = 0;
}

static bool belongs(const struct attention_job *j, const struct query_tile *t, int64_t row)
{
    int32_t apart = j->r->pos[row] + 1 - t->keys[0];
    return j->r->page[j->r->seq[row]] == t->page && apart <= QUERY_NEAR && apart >= -QUERY_NEAR;
}

void CPU_OP(query_tiles)(const struct attention_job *j, int32_t g, int32_t heads, int32_t most,
                         int64_t begin, int64_t end, query_fn fn)
{
    struct gathered all = {.t = {.g = g}, .heads = heads, .most = most};

    all.group = j->s->n_heads / j->s->n_kv_heads;
    for (int64_t row = begin; row < end; row++) {
        if (all.t.n > 0 && !belongs(j, &all.t, row))
            flush(j, &all, fn);
        for (int32_t h = 0; h < all.group; h++) {
            all.t.page = j->r->page[j->r->seq[row]];
            all.t.at[all.t.n] = row * j->s->n_heads + g * all.group + h;
            all.t.first[all.t.n] = first_key(j->s, j->r->pos[row]);
            all.t.keys[all.t.n++] = j->r->pos[row] + 1;
            if (all.t.n == most)
                flush(j, &all, fn);
        }
    }
    flush(j, &all, fn);
}
