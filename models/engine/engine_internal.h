/* engine_internal.h - struct engine, for the files of models/engine that build and drive it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_ENGINE_INTERNAL_H
#define TROUPE_MODELS_ENGINE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "models/engine/engine.h"
#include "models/engine/engine_source.h"
#include "models/engine/engine_step.h"
#include "models/engine/scheduler.h"

/* On the stack of a thread that waits for `done`. (A reply mail would not work: its sender still
 * uses the mailbox after the mail was taken, so the waiting thread could not free a mailbox.) */
struct publish_msg {
    struct engine_msg msg;
    struct weights *weights; /* a reference, handed over */
    bool done;               /* under the engine's lock */
};
struct exclusive_msg {
    struct engine_msg msg;
    void (*fn)(void *ctx, struct lane lane);
    void *ctx;
    bool done; /* under the engine's lock */
};

/* Read by engine_stats from any thread; the engine thread writes them once a step. */
struct engine_counters {
    _Atomic int64_t steps, rows, decode_tokens, prefix_hit_tokens, preemptions, calls;
    _Atomic int64_t busy_us, forward_us, sample_us;
    _Atomic int32_t pages_free, pages_cached, running, queued;
};

struct engine {
    struct model model;
    struct engine_source source; /* config, tokenizer, names: constant after engine_open */
    char *name;
    const struct backend *backend;
    struct pool *pool;
    struct mailbox *box;
    pthread_t thread;
    bool has_thread;
    int32_t context, max_sessions;

    pthread_mutex_t lock;    /* of the next three, and of `done` in messages */
    pthread_cond_t done_set; /* a `done` was set */
    struct weights *weights; /* the version that new calls pin */
    struct model_session *sessions;
    int32_t n_sessions;

    /* ---- engine thread only */
    struct kv_cache *kv;
    struct prefix_tree *tree;
    struct rope_tables rope;
    struct scheduler sched;
    struct stepper stepper;
    bool has_stepper;
    int64_t serial;    /* of weights: counts publications, so that no two versions share KV */
    uint64_t arrivals; /* calls begun */
    int32_t passes;    /* of the next step */
    uint32_t cancels_seen;
    bool stopping;
    struct engine_msg stop_msg;

    _Atomic uint32_t cancels; /* raised by every cancel, after the session's flag */

    struct engine_counters counters;
};

/* ---- engine_plan.c */
/* Replaces every 0 by the value that it selects, except kv_bytes. */
void engine_options_resolve(const struct engine_options *in, struct engine_options *out);
/* `o` is resolved. Sets the type of keys and values in it, if none was asked for. */
MUST_CHECK enum status engine_plan_of(const struct engine_source *s, struct engine_options *o,
                                      struct engine_plan *out, struct error *err);

/* ---- engine_call.c: a call from its message to its answer; engine thread */
void engine_begin_call(struct engine *e, struct model_session *x);
/* Answers a call whose finish and status are set. The session is in no list before, idle after. */
void engine_answer(struct engine *e, struct model_session *x);

/* ---- engine_loop.c */
void *engine_main(void *engine);
void engine_set_weights(struct engine *e, struct weights *w); /* adopts; engine thread */

/* ---- engine_model.c: the vtable; callers' threads */
extern const struct model_ops engine_model_ops;
void engine_free_session(struct engine *e, struct model_session *x); /* unlinks it too */

#endif
