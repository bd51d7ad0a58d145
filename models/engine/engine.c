/* engine.c - opening and closing an engine, and calls from other threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/engine.h"

#include <assert.h>
#include <stdlib.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

/* The allocation may fail although the plan fits (limits that the plan does not know of). Then the
 * number of pages is halved until it succeeds, down to one context. A requested size must succeed.
 */
static enum status build_cache(struct engine *e, const struct engine_options *o,
                               const struct engine_plan *plan, struct error *err)
{
    int32_t least = kv_pages_for(plan->context), n = plan->n_pages;

    for (;;) {
        struct error refused = ERROR_INIT;
        enum status st =
            kv_cache_new(o->backend, &e->source.config, o->kv_dtype, n, &e->kv, &refused);

        if (!st)
            return STATUS_OK;
        if (st != STATUS_NO_MEMORY || o->kv_bytes > 0 || n <= least) {
            *err = refused;
            return st;
        }
        n = n / 2 > least ? n / 2 : least;
    }
}

static enum status build_memory(struct engine *e, const struct engine_options *o,
                                const struct engine_plan *plan, struct error *err)
{
    const struct model_config *c = &e->source.config;
    enum status st;

    e->context = plan->context;
    e->max_sessions = o->max_sessions;
    st = build_cache(e, o, plan, err);
    if (!st && !o->no_prefix_cache)
        st = prefix_tree_new(e->kv, &e->tree, err);
    if (!st)
        st = rope_tables_init(o->backend, c, plan->context, &e->rope, err);
    if (st)
        return st;
    e->stepper = (struct stepper){
        .backend = o->backend,
        .arch = e->source.arch,
        .config = *c,
        .shape = step_shape_of(c, o->n_threads, o->group_rows, o->max_batch_rows),
        .rounded_inputs = weights_rounded_inputs(e->weights),
        .pool = e->pool,
        .kv = kv_cache_layers(e->kv),
        .rope = &e->rope,
    };
    e->sched = (struct scheduler){
        .kv = e->kv,
        .tree = e->tree,
        .max_running = e->stepper.shape.max_running,
        .max_rows = o->max_batch_rows,
        .prefill_chunk = o->prefill_chunk,
    };
    if (!scheduler_init(&e->sched))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d sessions", (int)o->max_sessions);
    st = stepper_init(&e->stepper, e->sched.max_running, err);
    e->has_stepper = st == STATUS_OK;
    return st;
}

static void fill_info(struct engine *e)
{
    const struct model_config *c = &e->source.config;

    e->model.ops = &engine_model_ops;
    e->model.info = (struct model_info){
        .name = e->name,
        .kind = "engine",
        .codec = c->codec[0] ? c->codec : NULL,
        .backend = e->backend->name,
        .takes_ids = true,
        .hash = *weights_hash(e->weights),
        .context = e->context,
        .vocab = c->vocab_size,
        .tokenizer = e->source.tokenizer,
        .chat_template = e->source.texts.chat_template,
        .bos_token = e->source.texts.bos_token,
        .eos_token = e->source.texts.eos_token,
        .eos_id = c->eos_id,
        .n_eos = c->n_eos,
    };
}

static enum status start_thread(struct engine *e, struct error *err)
{
    int failed = thread_start(&e->thread, engine_main, e);

    if (failed)
        return error_errno(err, failed, "starting the engine's thread");
    e->has_thread = true;
    return STATUS_OK;
}

static enum status build(struct engine *e, const struct engine_options *asked, struct error *err)
{
    struct engine_options o;
    struct engine_plan plan;
    enum status st = engine_source_config(&e->source, asked, err);

    if (st)
        return st;
    engine_options_resolve(asked, &o);
    st = engine_plan_of(&e->source, &o, &plan, err);
    if (!st)
        st = engine_source_texts(&e->source, &o, err);
    if (!st)
        st = engine_source_weights(&e->source, &o, &e->weights, err);
    if (!st && !asked->weights)
        weights_set_kv_dtype(e->weights, asked->kv_dtype);
    if (!st)
        st = pool_new(o.n_threads, &e->pool, err);
    if (!st)
        st = build_memory(e, &o, &plan, err);
    if (st)
        return st;
    fill_info(e);
    return start_thread(e, err);
}

enum status engine_open(const struct engine_options *o, struct engine **out, struct error *err)
{
    struct engine *e = xcalloc(1, sizeof(*e));
    enum status st;

    e->backend = o->backend;
    e->name = xstrdup(o->model ? o->model : "weights");
    e->stop_msg.kind = MSG_STOP;
    e->box = mailbox_new(NULL, NULL);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->done_set, NULL);
    st = build(e, o, err);
    if (st) {
        error_note(err, "opening model %s", e->name);
        engine_close(e);
        return st;
    }
    *out = e;
    return STATUS_OK;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    if (e->has_thread) {
        mailbox_post(e->box, &e->stop_msg.mail);
        pthread_join(e->thread, NULL);
    }
    while (e->sessions) { /* those that nobody closed */
        session_release(e->sessions, e->kv);
        engine_free_session(e, e->sessions);
    }
    if (e->has_stepper)
        stepper_deinit(&e->stepper);
    scheduler_deinit(&e->sched);
    prefix_tree_free(e->tree);
    kv_cache_free(e->kv);
    rope_tables_deinit(&e->rope);
    pool_free(e->pool);
    weights_unref(e->weights);
    engine_source_deinit(&e->source);
    mailbox_free(e->box);
    pthread_cond_destroy(&e->done_set);
    pthread_mutex_destroy(&e->lock);
    free(e->name);
    free(e);
}

struct model *engine_model(struct engine *e)
{
    return &e->model;
}

struct weights *engine_weights(struct engine *e)
{
    struct weights *w;

    pthread_mutex_lock(&e->lock);
    w = weights_ref(e->weights);
    pthread_mutex_unlock(&e->lock);
    return w;
}

/* Posts and waits; never from the engine thread, which would wait for itself. */
static void post_and_wait(struct engine *e, struct engine_msg *m, const bool *done)
{
    mailbox_post(e->box, &m->mail);
    pthread_mutex_lock(&e->lock);
    while (!*done)
        pthread_cond_wait(&e->done_set, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

void engine_publish(struct engine *e, struct weights *w)
{
    struct publish_msg p = {.msg.kind = MSG_PUBLISH, .weights = weights_ref(w)};

    if (pthread_equal(pthread_self(), e->thread)) {
        engine_set_weights(e, p.weights);
        return;
    }
    post_and_wait(e, &p.msg, &p.done);
}

void engine_run_exclusive(struct engine *e, void (*fn)(void *ctx, struct lane lane), void *ctx)
{
    struct exclusive_msg x = {.msg.kind = MSG_EXCLUSIVE, .fn = fn, .ctx = ctx};

    assert(!pthread_equal(pthread_self(), e->thread));
    post_and_wait(e, &x.msg, &x.done);
}

struct pool *engine_pool(struct engine *e)
{
    return e->pool;
}

void engine_stats(struct engine *e, struct engine_stats *out)
{
    const struct engine_counters *c = &e->counters;

#define GET(field) atomic_load_explicit(&c->field, memory_order_relaxed)
    *out = (struct engine_stats){
        .steps = GET(steps),
        .rows = GET(rows),
        .decode_tokens = GET(decode_tokens),
        .prefix_hit_tokens = GET(prefix_hit_tokens),
        .preemptions = GET(preemptions),
        .calls = GET(calls),
        .busy_us = GET(busy_us),
        .forward_us = GET(forward_us),
        .sample_us = GET(sample_us),
        .pages_total = kv_cache_n_pages(e->kv),
        .pages_free = GET(pages_free),
        .pages_cached = GET(pages_cached),
        .running = GET(running),
        .queued = GET(queued),
    };
#undef GET
    /* Each drawn token is one row; the others filled the cache. */
    out->prefill_tokens = out->rows - out->decode_tokens;
    pthread_mutex_lock(&e->lock);
    out->sessions = e->n_sessions;
    pthread_mutex_unlock(&e->lock);
}
