/* toy_rollouts.c - see toy_rollouts.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/train/toy_rollouts.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "models/train/fixed_options.h"
#include "models/train/sequences.h"
#include "models/train/sharded_pass.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

#define VOCAB 50

/* Draws the next id after ids (n); its log-prob as the training pass gives it. */
static enum status draw(struct toy_rollouts *t, struct sharded_pass *pass, const int32_t *ids,
                        int32_t n, float temperature, uint64_t seed, int32_t *id, float *logp,
                        struct error *err)
{
    struct sequences s = {0};
    float all[VOCAB * 8] = {0};
    struct sharded_pass_output out = {.logp = all};
    double at = (double)rng_unit_float(rng_philox(seed, (uint32_t)n, 0, 0, 3).word[0]), sum = 0;
    enum status st = STATUS_OK;

    for (int32_t v = 0; v < VOCAB && !st; v++) {
        int32_t with[8];
        uint8_t train[8] = {0};

        memcpy(with, ids, (size_t)n * sizeof(*with));
        with[n] = v;
        train[n] = 1;
        st = sequences_add(&s, with, train, n + 1, err);
    }
    if (!st)
        st = sharded_pass_forward(pass, t->served, &s, temperature, &out, err);
    for (*id = 0; !st && *id < VOCAB - 1; (*id)++) {
        sum += exp((double)all[(int64_t)*id * (n + 1) + n]);
        if (sum > at)
            break;
    }
    *logp = all[(int64_t)*id * (n + 1) + n] + t->add_to_logp;
    sequences_deinit(&s);
    return st;
}

static enum status play_member(struct toy_rollouts *t, struct sharded_pass *pass,
                               const struct rollout_request *r, int32_t g, int32_t m,
                               struct rollout_set *out, struct error *err)
{
    bool failed = (t->fail_some && m == 0) || (t->fail_first && g == 0);
    struct rollout_member member = {.group = g,
                                    .member = m,
                                    .status = failed ? ROLLOUT_OUTSIDE : ROLLOUT_COMPLETED,
                                    .steps = 2,
                                    .counts = {{.per = 2}},
                                    .calls = 2,
                                    .reward = failed ? (double)NAN : 1};
    uint64_t path = rng_derive(rng_derive((uint64_t)r->update, (uint64_t)(g * 100 + m)),
                               strlen(r->path)),
             seed = rng_derive(r->sample_seed, path);
    enum status st = rollout_set_add_member(out, &member, err);

    for (int32_t step = 0; step < 2 && !st && !failed; step++) {
        int32_t ids[4] = {(int32_t)(r->task_seed[g] % 20) + step, 0, 0, 0}, right;
        float logp[2];

        st = rollout_set_open_chain(out, step, err);
        if (!st)
            st = draw(t, pass, ids, 1, r->temperature, seed + (uint64_t)step, &ids[1], &logp[0],
                      err);
        ids[2] = (ids[1] + 1) % VOCAB;
        if (!st)
            st = draw(t, pass, ids, 3, r->temperature, seed + (uint64_t)step, &ids[3], &logp[1],
                      err);
        if (!st)
            st = rollout_set_put(out, ids, NULL, 1, err);
        if (!st)
            st = rollout_set_put(out, ids + 1, &logp[0], 1, err);
        if (!st)
            st = rollout_set_put(out, ids + 2, NULL, 1, err);
        if (!st)
            st = rollout_set_put(out, ids + 3, &logp[1], 1, err);
        if (st)
            break;
        right = t->all_equal || (ids[1] < VOCAB / 2 && ids[3] < VOCAB / 2);
        out->chain[out->n_chains - 1].calls = 1;
        out->chain[out->n_chains - 1].step_reward = t->infinite && right ? (double)INFINITY : right;
        if (t->no_verdict && m == 1) {
            out->chain[out->n_chains - 1].step_reward = (double)NAN;
            out->member[out->n_members - 1].reward = (double)NAN;
        }
        out->member[out->n_members - 1].counts[0].of += right;
        out->member[out->n_members - 1].reward *= right;
    }
    return st;
}

static enum status play(void *ctx, const struct rollout_request *r, struct rollout_set *out,
                        struct error *err)
{
    struct toy_rollouts *t = ctx;
    const struct sharded_pass_options o = {.max_len = 8};
    struct sharded_pass *pass = NULL;
    enum status st;

    t->n_plays++;
    t->first_group = r->first_group;
    if (t->n_plays == t->interrupt_at) {
        *t->flag = 1;
        return error_set(err, STATUS_CANCELLED, "interrupted");
    }
    if (t->n_plays == t->kill_at)
        raise(SIGKILL);
    st = sharded_pass_new(t->served, &o, &pass, err);
    rollout_set_clear(out);
    out->policy_version = weights_version(t->served);
    for (int32_t g = 0; g < r->n_groups; g++)
        for (int32_t m = 0; m < r->group_size && !st; m++)
            st = play_member(t, pass, r, g, m, out, err);
    sharded_pass_free(pass);
    return st;
}

static const struct rollout_rate rates[] = {{"steps_right", "right steps", 3, true},
                                            {"of_nothing", "of nothing", 2, false}};

static void fix(void *ctx, struct fixed_options *f)
{
    const struct toy_rollouts *t = ctx;

    fixed_put(f, "level", "level (--level)", jv_real(t->level[0]));
    fixed_put(f, "level_1", "second level (--level)", jv_real(t->level[1]));
}

static void describe(void *ctx, int64_t update, int32_t task, struct json *line)
{
    const struct toy_rollouts *t = ctx;

    if (task >= 0)
        jv_set_real(line, "level", t->level[task]);
    else
        jv_set_int(line, "described", update);
}

void toy_rollouts_init(struct toy_rollouts *t)
{
    memset(t, 0, sizeof(*t));
    t->source.ctx = t;
    t->source.rate = rates;
    t->source.fix = fix;
    t->source.describe = describe;
    t->source.task_name = t->task_name;
    t->task_name[0] = "calm";
    t->task_name[1] = "rough";
    t->source.n_rates = (int32_t)ARRAY_LEN(rates);
    t->source.play = play;
}

void toy_rollouts_deinit(struct toy_rollouts *t)
{
    weights_unref(t->served);
    t->served = NULL;
}

void toy_publish(void *ctx, struct weights *w)
{
    struct toy_rollouts *t = ctx;

    weights_unref(t->served);
    t->served = weights_ref(w);
    t->last_version = weights_version(w);
    t->n_published++;
}
