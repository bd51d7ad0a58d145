/* grpo_setup.c - what must stand before the first update: checks, memory, and the state of a run
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

static enum status check_phases(const struct grpo_options *o, struct error *err)
{
    if (o->n_phases < 1 || o->n_phases > GRPO_MAX_PHASES || o->phase[0].from != 0)
        return error_set(err, STATUS_USAGE, "a schedule has 1 to %d phases, the first from 0",
                         GRPO_MAX_PHASES);
    if (o->n_tasks < 0 || o->n_tasks > GRPO_MAX_TASKS)
        return error_set(err, STATUS_USAGE, "a mixed run has at most %d tasks", GRPO_MAX_TASKS);
    if (o->groups < o->n_tasks)
        return error_set(err, STATUS_USAGE, "%d groups an update cannot play %d tasks each",
                         o->groups, o->n_tasks);
    for (int32_t i = 0; i < o->n_phases; i++) {
        if (o->phase[i].horizon < 1)
            return error_set(err, STATUS_USAGE, "a horizon of %d steps", o->phase[i].horizon);
        if (i > 0 && o->phase[i].from <= o->phase[i - 1].from)
            return error_set(err, STATUS_USAGE, "phases must begin one after the other");
    }
    return STATUS_OK;
}

static enum status check_numbers(const struct grpo_options *o, struct error *err)
{
    if (o->updates < 1 || o->groups < 1 || o->minibatch_chains < 1 || o->epochs < 1 ||
        o->max_chains < 0 || o->max_refills < 0)
        return error_set(err, STATUS_USAGE,
                         "updates, groups, minibatch and epochs must be at least 1");
    if (o->group_size < 2)
        return error_set(err, STATUS_USAGE,
                         "a group of %d has no baseline: at least 2 rollouts a task are needed",
                         o->group_size);
    if (!(o->lr > 0) || !(o->lr_min >= 0) || o->lr_min > o->lr || o->warmup < 0)
        return error_set(err, STATUS_USAGE,
                         "lr must be above 0, lr_min from 0 to lr, warmup at least 0");
    if (!(o->beta1 >= 0 && o->beta1 < 1) || !(o->beta2 >= 0 && o->beta2 < 1) || !(o->eps > 0))
        return error_set(err, STATUS_USAGE, "beta1 and beta2 must be in [0, 1), eps above 0");
    if (!(o->weight_decay >= 0) || !(o->clip >= 0))
        return error_set(err, STATUS_USAGE, "weight_decay and clip must be at least 0");
    if (!(o->temperature > 0))
        return error_set(err, STATUS_USAGE,
                         "a temperature above 0 is needed: equal rollouts teach nothing");
    if (!(o->policy.clip_low >= 0) || !(o->policy.clip_high >= 0))
        return error_set(err, STATUS_USAGE, "the clip range must be at least 0");
    return STATUS_OK;
}

static enum status check_options(const struct grpo_options *o, const struct weights *start,
                                 struct error *err)
{
    const struct model_config *c = weights_config(start);
    enum status st;

    if (!o->out || !*o->out)
        return error_set(err, STATUS_USAGE, "no folder to write to");
    st = check_numbers(o, err);
    if (!st)
        st = check_phases(o, err);
    if (st)
        return st;
    if (o->max_len < 2 || o->max_len > c->max_position_embeddings + 1)
        return error_set(err, STATUS_USAGE,
                         "max_len must be 2 to %d, which the model has positions for",
                         c->max_position_embeddings + 1);
    if (strncmp(weights_backend(start)->name, "cpu", 3) != 0)
        return error_set(err, STATUS_UNSUPPORTED, "training runs on the CPU, not on %s",
                         weights_backend(start)->name);
    if (o->log && o->lr > 5e-4)
        log_write(o->log, LOG_WARN,
                  "a learning rate of %g: above 5e-4 reinforcement has destroyed skills; watch the "
                  "probe",
                  o->lr);
    return STATUS_OK;
}

static void fix_credit(const struct grpo_options *o, struct json *doc)
{
    jv_set_string(doc, "credit", credit_name(o->credit.kind));
    jv_set_int(doc, "norm", o->credit.norm);
    jv_set_string(doc, "advantage", advantage_name(o->credit.advantage));
    jv_set_real(doc, "call_cost", o->credit.call_cost);
    jv_set_real(doc, "call_target", o->credit.call_target);
    jv_set_real(doc, "call_price_rate", o->credit.call_price_rate);
    jv_set_real(doc, "gamma", o->credit.gamma);
    jv_set_real(doc, "gigpo_weight", o->credit.gigpo_weight);
    jv_set_bool(doc, "drop_agreed", o->credit.drop_agreed);
    jv_set_bool(doc, "mask_truncated", o->credit.mask_truncated);
    jv_set_int(doc, "overlong_max", o->credit.overlong_max);
    jv_set_int(doc, "overlong_soft", o->credit.overlong_soft);
    jv_set_bool(doc, "shuffle", o->credit.shuffle);
}

static void fix_policy(const struct grpo_options *o, struct json *doc)
{
    jv_set_string(doc, "objective", policy_objective_name(o->policy.objective));
    jv_set_int(doc, "aggregation", o->policy.aggregation);
    jv_set_real(doc, "clip_low", o->policy.clip_low);
    jv_set_real(doc, "clip_high", o->policy.clip_high);
    jv_set_real(doc, "dual_clip", o->policy.dual_clip);
    jv_set_int(doc, "kl", o->policy.kl);
    jv_set_real(doc, "kl_beta", o->policy.kl_beta);
    jv_set_int(doc, "max_completion", o->policy.max_completion);
}

/* What decides the bits. Threads, measuring and keeping do not. */
static struct json *fixed_options(const struct grpo_options *o, const struct weights *start)
{
    struct json *doc = jv_object(), *phases = jv_array();
    char hex[65];

    sha256_hex(weights_hash(start), hex);
    jv_set_string(doc, "model", hex);
    if (o->tokenizer)
        jv_set_string(doc, "tokenizer", o->tokenizer);
    jv_set_string(doc, "task", o->task ? o->task : "");
    jv_set_int(doc, "seed", (int64_t)o->seed);
    jv_set_int(doc, "updates", o->updates);
    jv_set_int(doc, "groups", o->groups);
    jv_set_int(doc, "group_size", o->group_size);
    jv_set_bool(doc, "shared_faults", o->shared_faults);
    for (int32_t i = 0; i < o->n_phases; i++) {
        struct json *phase = jv_object();

        jv_set_int(phase, "from", o->phase[i].from);
        jv_set_real(phase, "noise", o->phase[i].noise[0]);
        for (int32_t k = 1; k < o->n_tasks; k++) {
            char key[32];

            (void)snprintf(key, sizeof(key), "noise_%d", k);
            jv_set_real(phase, key, o->phase[i].noise[k]);
        }
        jv_set_int(phase, "horizon", o->phase[i].horizon);
        jv_append_adopt(phases, phase);
    }
    jv_set_adopt(doc, "phases", phases);
    fix_credit(o, doc);
    fix_policy(o, doc);
    jv_set_int(doc, "minibatch", o->minibatch_chains);
    jv_set_int(doc, "max_chains", o->max_chains);
    jv_set_int(doc, "epochs", o->epochs);
    jv_set_int(doc, "max_refills", o->max_refills);
    jv_set_real(doc, "lr", o->lr);
    jv_set_real(doc, "lr_min", o->lr_min);
    jv_set_int(doc, "warmup", o->warmup);
    jv_set_real(doc, "beta1", o->beta1);
    jv_set_real(doc, "beta2", o->beta2);
    jv_set_real(doc, "eps", o->eps);
    jv_set_real(doc, "weight_decay", o->weight_decay);
    jv_set_real(doc, "clip", o->clip);
    jv_set_real(doc, "temperature", (double)o->temperature);
    return doc;
}

static struct json *progress_to_json(const struct grpo_progress *p, int32_t n_categories)
{
    struct json *doc = jv_object(), *probe = jv_array();

    jv_set_int(doc, "rollouts", p->rollouts);
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

/* The newest checkpoint that is not after `update`; -1: none, begin at the start. */
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

/* A replay that begins at the start has no checkpoint to read, yet must be of the same run. */
static enum status compare_with_newest(struct grpo_trainer *t, struct error *err)
{
    int64_t last = checkpoint_last(t->o->out);
    struct str path = STR_INIT;
    struct json *doc = NULL;
    enum status st;

    if (last < 0)
        return STATUS_OK;
    checkpoint_path(&path, t->o->out, last);
    str_puts(&path, "/state.json");
    st = jv_parse_file(str_cstr(&path), CHECKPOINT_MAX_STATE, &doc, err);
    if (!st)
        st = checkpoint_compare_options(jv_get(doc, "options"), t->state.options, t->o->out, err);
    jv_unref(doc);
    str_deinit(&path);
    return st;
}

static enum status resume(struct grpo_trainer *t, int64_t update, struct error *err)
{
    const struct grpo_options *o = t->o;
    const struct lane lane = {0};
    int64_t from = checkpoint_before(o->out, update);
    struct json *now;
    enum status st;

    if (from < 0)
        return t->writes ? STATUS_OK : compare_with_newest(t, err);
    if (t->writes && !o->resume) {
        error_set(err, STATUS_USAGE, "%s holds a training that was begun", o->out);
        error_hint(err, "go on with resume, or give another folder");
        return STATUS_USAGE;
    }
    now = jv_ref(t->state.options);
    st = checkpoint_read(o->out, from, &t->state, &t->optimizer, t->work, err);
    if (!st)
        st = checkpoint_compare_options(t->state.options, now, o->out, err);
    jv_unref(now);
    if (st)
        return st;
    progress_from_json(t->state.extra, &t->progress);
    weights_set_flat(t->work, &lane, t->optimizer.master, t->first_version + t->state.update);
    if (o->log)
        log_write(o->log, LOG_INFO, "going on from update %lld of %lld", (long long)from,
                  (long long)o->updates);
    return STATUS_OK;
}

/* Multiplications and additions of the products of one row. */
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
    struct sharded_pass_options p = {
        .pool = t->pool, .max_len = o->max_len, .training = true, .recompute = o->recompute};
    enum status st = optimizer_init(&t->optimizer, t->start, err);

    if (!st)
        st = weights_from_flat(t->start, t->optimizer.master, t->first_version, &t->work, err);
    if (st)
        return st;
    t->grad = mem_aligned_alloc((size_t)t->optimizer.n_params, sizeof(float));
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
    st = check_options(o, start, err);
    if (!st && writes)
        st = dir_make(o->out, err);
    if (!st)
        st = open_memory(t, err);
    if (st)
        return st;
    t->state.options = fixed_options(o, start);
    st = resume(t, update, err);
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
    mem_aligned_free(t->grad);
    weights_unref(t->work);
    weights_unref(t->served);
    weights_unref(t->start);
    optimizer_deinit(&t->optimizer);
}

enum status grpo_save(struct grpo_trainer *t, struct error *err)
{
    enum status st = metrics_sync(&t->metrics, err);

    /* Master weights and two moments, and their words. */
    if (!st && t->o->make_room)
        st = t->o->make_room(t->o->ctx, 12 * t->optimizer.n_params + CHECKPOINT_WORDS,
                             t->progress.best_update, err);
    t->state.metrics_bytes[0] = t->metrics.bytes[0];
    t->state.metrics_bytes[1] = t->metrics.bytes[1];
    jv_unref(t->state.extra);
    t->state.extra = progress_to_json(&t->progress, t->probe.n_categories);
    if (!st)
        st = checkpoint_write(t->o->seams, t->o->out, &t->state, &t->optimizer, t->work, err);
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
    st = checkpoint_read(t->o->out, best, &other, &t->optimizer, t->work, err);
    if (!st)
        st = weights_from_flat(t->work, t->optimizer.master, t->first_version + best, out, err);
    checkpoint_state_deinit(&other);
    return st;
}
