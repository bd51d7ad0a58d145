/* toy_source.c - see toy_source.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/train/toy_source.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/rng.h"

static int32_t successor(int32_t id)
{
    return (id * 7 + 3) % TOY_IDS;
}

static enum status toy_get(void *ctx, uint64_t seed, int64_t index, double progress,
                           struct example *ex, struct error *err)
{
    struct toy *t = ctx;
    struct rng_block r = rng_philox(seed, (uint32_t)index, (uint32_t)(index >> 32), 0, 7);

    (void)progress;
    (void)err;
    t->n_gets++;
    if (t->n_gets == t->interrupt_at)
        *t->flag = 1;
    if (t->n_gets == t->kill_at)
        raise(SIGKILL);
    ex->n = 4 + (int32_t)rng_below(r.word[0], 12);
    ex->ids[0] = (int32_t)rng_below(r.word[1], TOY_IDS);
    ex->train[0] = 0;
    for (int32_t i = 1; i < ex->n; i++) {
        ex->ids[i] = successor(ex->ids[i - 1]);
        ex->train[i] = (r.word[2] >> i & 3) != 0;
    }
    ex->train[ex->n - 1] = 1;
    return STATUS_OK;
}

static enum status toy_probe(void *ctx, int32_t i, struct example *ex, int32_t *want,
                             int32_t want_cap, int32_t *n_want, const char **category,
                             struct error *err)
{
    (void)ctx;
    (void)want_cap;
    (void)err;
    ex->ids[0] = i % TOY_IDS;
    ex->n = 1;
    want[0] = successor(ex->ids[0]);
    want[1] = successor(want[0]);
    *n_want = 2;
    *category = i % 2 ? "odd" : "even";
    return STATUS_OK;
}

void toy_init(struct toy *t)
{
    memset(t, 0, sizeof(*t));
    t->source.ctx = t;
    t->source.get = toy_get;
    t->source.probe = toy_probe;
    t->source.n_probes = 2 * TOY_IDS;
    t->source.id = "toy";
}
