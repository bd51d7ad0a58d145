/* example_order.c - see example_order.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/example_order.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

#define SHUFFLE_STREAM  0x65706f63u /* purpose field of Philox's counter */
#define MAX_SKIPPED_RUN 100000 /* examples in a row that cannot be trained: the data is wrong */

enum status example_order_init(struct example_order *o, const struct example_source *source,
                               uint64_t seed, int32_t max_len, int32_t vocab, bool held_out,
                               struct error *err)
{
    memset(o, 0, sizeof(*o));
    o->source = source;
    o->seed = seed;
    o->vocab = vocab;
    o->shuffle = source->n > 0 && !held_out;
    o->first = held_out && source->n == 0 ? HELD_OUT_FIRST : 0;
    o->epoch = -1;
    o->ex.cap = max_len;
    o->ex.ids = mem_alloc((size_t)max_len, sizeof(*o->ex.ids));
    o->ex.train = mem_alloc((size_t)max_len, sizeof(*o->ex.train));
    if (o->shuffle)
        o->shuffled = mem_alloc((size_t)source->n, sizeof(*o->shuffled));
    if (!o->ex.ids || !o->ex.train || (o->shuffle && !o->shuffled)) {
        example_order_deinit(o);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the order of the examples");
    }
    return STATUS_OK;
}

void example_order_deinit(struct example_order *o)
{
    free(o->ex.ids);
    free(o->ex.train);
    free(o->shuffled);
    memset(o, 0, sizeof(*o));
}

/* Fisher and Yates; each epoch's order depends on seed and epoch alone. */
static void shuffle_epoch(struct example_order *o, int64_t epoch)
{
    int64_t n = o->source->n;

    for (int64_t i = 0; i < n; i++)
        o->shuffled[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        struct rng_block r =
            rng_philox(o->seed, (uint32_t)i, (uint32_t)(i >> 32), (uint32_t)epoch, SHUFFLE_STREAM);
        /* 64 bits modulo: the bias of n over 2^64 is negligible. */
        int64_t j = (int64_t)((((uint64_t)r.word[0] << 32) | r.word[1]) % (uint64_t)(i + 1));
        int64_t swap = o->shuffled[i];

        o->shuffled[i] = o->shuffled[j];
        o->shuffled[j] = swap;
    }
    o->epoch = epoch;
}

static int64_t source_index(struct example_order *o, int64_t position)
{
    int64_t n = o->source->n;

    if (n == 0)
        return o->first + position;
    if (!o->shuffle)
        return position % n;
    if (o->epoch != position / n)
        shuffle_epoch(o, position / n);
    return o->shuffled[position % n];
}

static enum status check_ids(const struct example_order *o, int64_t index, struct error *err)
{
    if (o->ex.n < 0 || o->ex.n > o->ex.cap)
        return error_set(err, STATUS_INVALID, "example %lld has %d ids", (long long)index, o->ex.n);
    for (int32_t i = 0; i < o->ex.n; i++)
        if (o->ex.ids[i] < 0 || o->ex.ids[i] >= o->vocab)
            return error_set(err, STATUS_INVALID,
                             "example %lld: id %d at position %d is outside the vocabulary of %d",
                             (long long)index, o->ex.ids[i], i, o->vocab);
    return STATUS_OK;
}

static bool trainable(const struct example *ex)
{
    for (int32_t i = 1; i < ex->n; i++)
        if (ex->train[i])
            return true;
    return false;
}

enum status example_order_fill(struct example_order *o, int64_t n_rows, double progress,
                               struct sequences *s, struct error *err)
{
    int32_t skipped = 0;

    while (s->n_rows < n_rows) {
        int64_t index = source_index(o, o->next);
        enum status st;

        o->ex.n = 0;
        o->ex.truncated = false;
        st = o->source->get(o->source->ctx, o->seed, index, progress, &o->ex, err);
        if (!st)
            st = check_ids(o, index, err);
        if (st) {
            error_note(err, "example %lld", (long long)index);
            return st;
        }
        o->next++;
        o->n_truncated += o->ex.truncated;
        if (!trainable(&o->ex)) {
            o->n_skipped++;
            if (++skipped >= MAX_SKIPPED_RUN || (o->source->n && skipped >= o->source->n))
                return error_set(err, STATUS_INVALID,
                                 "the last %d examples have no token to train on", skipped);
            continue;
        }
        skipped = 0;
        st = sequences_add(s, o->ex.ids, o->ex.train, o->ex.n, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}
