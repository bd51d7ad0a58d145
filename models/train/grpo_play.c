/* grpo_play.c - the rollouts of one update, more of them where too few differ, and their credit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/grpo_trainer.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

/* Streams of the run's seed. */
enum {
    STREAM_TASK = 0x7461736b,
    STREAM_FAULT = 0x666c74,
    STREAM_SAMPLE = 0x73616d70,
    STREAM_SHUFFLE = 0x73687566
};

static uint64_t seed_of(const struct grpo_trainer *t, uint64_t stream, int64_t group)
{
    uint64_t update = rng_derive(rng_derive(t->o->seed, stream), (uint64_t)t->state.update);

    return rng_derive(update, (uint64_t)group);
}

/* n more groups, counted from t->n_groups on. */
static enum status play_groups(struct grpo_trainer *t, int32_t n, struct error *err)
{
    const struct grpo_options *o = t->o;
    char path[64];
    struct rollout_request r = {
        .update = t->state.update,
        .n_groups = n,
        .group_size = o->group_size,
        .task_seed = t->seeds,
        .fault_seed = t->seeds + o->groups,
        .sample_seed = rng_derive(o->seed, STREAM_SAMPLE),
        .temperature = o->temperature,
        .first_group = t->n_groups,
        .path = path,
    };
    enum status st;

    (void)snprintf(path, sizeof(path), "update[%lld]", (long long)t->state.update);
    if (t->n_refills > 0)
        (void)snprintf(path, sizeof(path), "update[%lld]/refill[%d]", (long long)t->state.update,
                       t->n_refills);
    for (int32_t g = 0; g < n; g++) {
        t->seeds[g] = seed_of(t, STREAM_TASK, t->n_groups + g) % GRPO_TRAINING_SEEDS;
        t->seeds[o->groups + g] = seed_of(t, STREAM_FAULT, t->n_groups + g);
    }
    rollout_set_clear(&t->batch);
    st = o->rollouts->play(o->rollouts->ctx, &r, &t->batch, err);
    if (!st)
        st = rollout_set_append(&t->set, &t->batch, t->n_groups, err);
    t->n_groups += n;
    return st;
}

static enum status give_credit(struct grpo_trainer *t, struct error *err)
{
    struct credit_options credit = t->o->credit;
    enum status st;

    if (t->set.n_chains > t->cap_advantage) {
        if (!mem_grow((void **)&t->advantage, (size_t)t->set.n_chains, sizeof(*t->advantage)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for the credit of %d chains",
                             t->set.n_chains);
        t->cap_advantage = t->set.n_chains;
    }
    credit.shuffle_seed = seed_of(t, STREAM_SHUFFLE, 0);
    st = credit_assign(&credit, &t->set, t->n_groups, t->o->group_size, t->advantage, &t->credit,
                       err);
    t->n_long = 0;
    for (int32_t c = 0; c < t->set.n_chains && !st; c++) {
        if (t->set.chain[c].n <= t->o->max_len)
            continue;
        t->advantage[c] = 0; /* its verdict counts for the group, but it is too long to train */
        t->n_long++;
    }
    return st;
}

/* Groups in which no chain has an advantage: nothing is learned from them. */
static int32_t count_flat(const struct grpo_trainer *t)
{
    int32_t flat = t->n_groups, group = -1;

    for (int32_t c = 0; c < t->set.n_chains; c++) {
        int32_t of = t->set.member[t->set.chain[c].member].group;

        if (t->advantage[c] == 0 || of == group)
            continue;
        group = of; /* chains are in the order of their groups */
        flat--;
    }
    return flat;
}

enum status grpo_play(struct grpo_trainer *t, bool *any_advantage, struct error *err)
{
    int32_t wanted = t->o->groups;
    enum status st;

    rollout_set_clear(&t->set);
    t->n_groups = t->n_refills = 0;
    for (;;) {
        st = play_groups(t, wanted, err);
        if (!st)
            st = give_credit(t, err);
        if (st)
            return st;
        t->n_flat = count_flat(t);
        /* At least half of the groups must have an advantage. Otherwise one more group is played
         * for each that is missing. */
        wanted = t->o->groups - (t->n_groups - t->n_flat);
        if (2 * wanted <= t->o->groups || t->n_refills == t->o->max_refills)
            break;
        t->n_refills++;
    }
    t->last.rollout_s = t->set.rollout_s;
    t->last.env_s = t->set.env_s;
    *any_advantage = t->n_flat < t->n_groups;
    return STATUS_OK;
}
