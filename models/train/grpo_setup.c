/* grpo_setup.c - what the first update needs: checks, memory, and the state of a run
 * that goes on. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/checkpoint_folder.h"
#include "models/train/grpo_trainer.h"
#include "runtime/base/memory.h"

#define CHECKPOINT_WORDS 65536 /* bytes of a checkpoint's state, manifest and headers, at most */

void grpo_exclusive(struct grpo_trainer *t, void (*fn)(void *arg, struct lane lane), void *arg)
{
    if (t->o->exclusive)
        t->o->exclusive(t->o->ctx, fn, arg);
    else
        fn(arg, (struct lane){.pool = t->pool});
}

/* updates: the requested number, which may exceed the schedule of the options. */
static struct json *progress_to_json(const struct grpo_progress *p, int64_t updates,
                                     int32_t n_categories)
{
    struct json *doc = jv_object(), *probe = jv_array();

    jv_set_int(doc, "rollouts", p->rollouts);
    jv_set_int(doc, "updates", updates);
    jv_set_real(doc, "first_success", p->first_success);
    jv_set_real(doc, "best_success", p->best_success);
    jv_set_int(doc, "best_update", p->best_update);
    jv_set_int(doc, "since_best", p->since_best);
    jv_set_int(doc, "evaluated", p->evaluated);
    for (int32_t i = 0; p->has_probe && i < n_categories; i++)
        jv_append_adopt(probe, jv_real(p->first_probe[i]));
    jv_set_adopt(doc, "probe", probe);
    return doc;
}

static void progress_from_json(const struct json *doc, struct grpo_progress *p)
{
    const struct json *probe = jv_get(doc, "probe");

    p->rollouts = jv_get_int(jv_get(doc, "rollouts"), 0);
    p->first_success = jv_get_number(jv_get(doc, "first_success"), NAN);
    p->best_success = jv_get_number(jv_get(doc, "best_success"), NAN);
    p->best_update = jv_get_int(jv_get(doc, "best_update"), -1);
    p->since_best = (int32_t)jv_get_int(jv_get(doc, "since_best"), 0);
    p->evaluated = jv_get_int(jv_get(doc, "evaluated"), -1);
    p->has_probe = jv_size(probe) > 0;
    for (size_t i = 0; i < jv_size(probe) && i < PROBE_MAX_CATEGORIES; i++)
        p->first_probe[i] = jv_get_number(jv_at(probe, i), 1);
}

/* The newest checkpoint up to `update`; -1: none, start from the beginning. */
static int64_t checkpoint_before(const char *out, int64_t update)
{
    size_t n;
    int64_t *list, found = -1;

    if (update < 0)
        return checkpoint_last(out);
    list = checkpoint_list(out, &n);
    for (size_t i = 0; i < n; i++)
        if (list[i] <= update)
            found = list[i];
    free(list);
    return found;
}

static enum status resume(struct grpo_trainer *t, const struct fixed_options *now, int64_t update,
                          struct error *err)
{
    const struct grpo_options *o = t->o;
    const struct lane lane = {0};
    int64_t from = checkpoint_before(o->out, update);
    enum status st;

    if (from < 0) /* a replay from the start reads no checkpoint, but must be of the same run */
        return t->writes ? STATUS_OK : fixed_compare_newest(o->out, now, err);
    if (t->writes && !o->resume)
        return fixed_refuse(o->out, err);
    st = checkpoint_read(o->out, from, &t->state, &t->optimizer, err);
    if (!st)
        st = fixed_compare(t->state.options, now, o->out, err);
    if (st)
        return st;
    progress_from_json(t->state.extra, &t->progress);
    st = weights_set_flat(t->work, &lane, t->optimizer.master, t->first_version + t->state.update,
                          err);
    if (st)
        return st;
    if (o->log)
        log_write(o->log, LOG_INFO, "resuming from update %lld of %lld", (long long)from,
                  (long long)o->updates);
    return STATUS_OK;
}

/* Restores the state of the run: checks its options and reads a checkpoint, if there is one. */
static enum status open_state(struct grpo_trainer *t, int64_t update, struct error *err)
{
    const struct grpo_options *o = t->o;
    struct fixed_options now;
    enum status st;

    t->schedule = o->updates;
    st = learning_schedule(&o->learning, o->out, &t->schedule, err);
    if (st)
        return st;
    grpo_fix_options(o, t->start, t->schedule, &now);
    t->state.options = jv_ref(now.values);
    st = resume(t, &now, update, err);
    fixed_deinit(&now);
    return st;
}

/* Operations of the products of one row. */
static double row_flops(const struct weights *w)
{
    double n = 0;

    for (int32_t i = 0; i < weights_n(w); i++)
        if (weights_at(w, i)->is_product)
            n += 2.0 * weights_at(w, i)->m.n_out * weights_at(w, i)->m.n_in;
    return n;
}

static enum status open_memory(struct grpo_trainer *t, struct error *err)
{
    const struct grpo_options *o = t->o;
    const struct backend *b = weights_backend(t->start);
    struct sharded_pass_options p = {
        .pool = t->pool, .max_len = o->max_len, .training = true, .recompute = o->recompute};
    enum status st = optimizer_init_weights(&t->optimizer, t->start, err);

    if (!st)
        st = weights_from_flat(t->start, t->optimizer.master, t->first_version, &t->work, err);
    if (st)
        return st;
    t->grad = b->alloc(b->ctx, (size_t)t->optimizer.n_params * sizeof(float));
    t->seeds = mem_alloc(2 * (size_t)o->groups, sizeof(*t->seeds));
    if (!t->grad || !t->seeds)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a gradient of %lld weights",
                         (long long)t->optimizer.n_params);
    st = sharded_pass_new(t->work, &p, &t->pass, err);
    if (!st && t->writes)
        st = skill_probe_init(&t->probe, o->probe, o->max_len, weights_config(t->work)->vocab_size,
                              err);
    return st;
}

static void find_peak(void *arg, struct lane lane)
{
    struct grpo_trainer *t = arg;
    const struct backend *b = weights_backend(t->start);

    if (b->peak_flops)
        t->peak_flops = b->peak_flops(&lane);
}

enum status grpo_open(struct grpo_trainer *t, struct pool *pool, struct weights *start,
                      const struct grpo_options *o, bool writes, int64_t update, struct error *err)
{
    enum status st;

    memset(t, 0, sizeof(*t));
    t->o = o;
    t->pool = pool;
    t->start = weights_ref(start);
    t->writes = writes;
    t->first_version = weights_version(start);
    t->state.loss = t->state.held_out_loss = t->state.best_loss = NAN;
    t->state.best_update = -1;
    t->progress = (struct grpo_progress){
        .first_success = NAN, .best_success = NAN, .best_update = -1, .evaluated = -1};
    t->ended = "updates";
    st = grpo_check_options(o, start, err);
    if (!st && writes)
        st = dir_make(o->out, err);
    if (!st)
        st = open_memory(t, err);
    if (st)
        return st;
    st = open_state(t, update, err);
    if (!st && writes)
        st = metrics_open(&t->metrics, o->seams, o->out, t->state.metrics_bytes, err);
    if (!st)
        st = grpo_publish(t, err);
    if (st)
        return st;
    t->row_flops = row_flops(start);
    if (o->log)
        grpo_exclusive(t, find_peak, t);
    t->begin_us = seams_mono_us(o->seams);
    t->began_update = t->state.update;
    return STATUS_OK;
}

void grpo_close(struct grpo_trainer *t)
{
    skill_probe_deinit(&t->probe);
    if (t->writes)
        metrics_close(&t->metrics);
    checkpoint_state_deinit(&t->state);
    rollout_set_deinit(&t->set);
    rollout_set_deinit(&t->batch);
    free(t->seeds);
    free(t->advantage);
    sharded_pass_free(t->pass);
    if (t->grad)
        t->optimizer.backend->release(t->optimizer.backend->ctx, t->grad);
    weights_unref(t->work);
    weights_unref(t->served);
    weights_unref(t->start);
    optimizer_deinit(&t->optimizer);
}

enum status grpo_save(struct grpo_trainer *t, struct error *err)
{
    enum status st = metrics_sync(&t->metrics, err);

    /* Master weights and two moments, and their text files. */
    if (!st && t->o->make_room)
        st = t->o->make_room(t->o->ctx, 12 * t->optimizer.n_params + CHECKPOINT_WORDS,
                             t->progress.best_update, err);
    t->state.metrics_bytes[0] = t->metrics.bytes[0];
    t->state.metrics_bytes[1] = t->metrics.bytes[1];
    jv_unref(t->state.extra);
    t->state.extra = progress_to_json(&t->progress, t->o->updates, t->probe.n_categories);
    if (!st)
        st = checkpoint_write(t->o->seams, t->o->out, &t->state, &t->optimizer, err);
    if (!st)
        checkpoint_prune(t->o->out, t->o->keep_last, t->progress.best_update);
    return st;
}

enum status grpo_publish(struct grpo_trainer *t, struct error *err)
{
    struct weights *w = NULL;
    enum status st = weights_from_flat(t->work, t->optimizer.master,
                                       t->first_version + t->state.update, &w, err);

    if (st)
        return st;
    sha256_hex(weights_hash(w), t->hash);
    if (t->o->publish)
        t->o->publish(t->o->ctx, w);
    weights_unref(t->served);
    t->served = w;
    return STATUS_OK;
}

enum status grpo_best_weights(struct grpo_trainer *t, struct weights **out, struct error *err)
{
    struct checkpoint_state other = {0};
    int64_t best = t->progress.best_update;
    enum status st;

    if (best < 0 || best == t->state.update) {
        *out = weights_ref(t->served);
        return STATUS_OK;
    }
    st = checkpoint_read(t->o->out, best, &other, &t->optimizer, err);
    if (!st)
        st = weights_from_flat(t->work, t->optimizer.master, t->first_version + best, out, err);
    checkpoint_state_deinit(&other);
    return st;
}
