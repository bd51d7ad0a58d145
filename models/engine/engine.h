/* engine.h - one resident model that serves all agents and takes part in training.
 *
 * The engine thread owns the KV pages and the batch. In each step it takes posted calls, admits
 * those that fit, runs one forward pass over all rows (decode and chunks of prefill together),
 * samples, and posts the calls that ended. When pages run out the youngest
 * sequence of the lowest priority is preempted and recomputed later, bit for bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_ENGINE_H
#define TROUPE_MODELS_ENGINE_ENGINE_H

#include "models/arch/arch.h"
#include "models/formats/model_source.h"
#include "models/model.h"

struct engine_options {
    const char *model; /* a Hugging Face folder, a GGUF, or "embedded" (files below) */
    const struct backend *backend;
    /* The files of "embedded": embedded_file_at in the program. NULL: no embedded model. */
    const struct embedded_file *(*embedded)(int32_t i);
    /* Already loaded: no file is read, and `model` is only its name. A reference is taken. */
    struct weights *weights;
    int32_t n_threads; /* 0: all cores */
    /* 0: a quarter of free memory, at most what max_sessions need; less if the allocation fails,
     * down to one context. */
    int64_t kv_bytes;
    int32_t max_sessions;    /* resident sequences; default 1024 */
    int32_t max_batch_rows;  /* rows of one pass; default 512 */
    int32_t group_rows;      /* rows of one cache-sized group; 0: by the model's size */
    int32_t prefill_chunk;   /* default 256 */
    int32_t context;         /* 0: the model's, at most what fits */
    enum dtype weight_dtype; /* DTYPE_N: as stored */
    enum dtype kv_dtype;     /* f32, bf16 or q8_0; DTYPE_N: f32 for fp32 weights, else bf16 */
    bool no_prefix_cache;
    const struct weights_cache *cache; /* of packed weights; NULL: none */
    int64_t memory_bytes;              /* limit of the plan; 0: the available memory */
};

/* Start from this: a zero is a valid dtype. */
#define ENGINE_OPTIONS_DEFAULT                                                                     \
    ((struct engine_options){.weight_dtype = DTYPE_N, .kv_dtype = DTYPE_N})

/* Memory that the engine will use; computed before weights are read. */
struct engine_plan {
    int64_t weights_bytes, kv_bytes, activations_bytes, sessions_bytes, total_bytes,
        available_bytes;
    int32_t n_pages, context;
};
MUST_CHECK enum status engine_plan(const struct engine_options *o, struct engine_plan *out,
                                   struct error *err);

struct engine;
/* STATUS_NO_MEMORY when the plan does not fit, before weights are read. */
MUST_CHECK enum status engine_open(const struct engine_options *o, struct engine **out,
                                   struct error *err);
void engine_close(struct engine *e);          /* outstanding calls answer FINISH_CANCELLED */
struct model *engine_model(struct engine *e); /* lent: the vtable */

/* The version that new calls use: a reference. */
struct weights *engine_weights(struct engine *e);
/* Calls that the engine takes from now on use w (reference taken), of the same shapes and types. KV
 * and prefix entries of the old version are dropped. Returns when this is done. May be called
 * inside engine_run_exclusive. */
void engine_publish(struct engine *e, struct weights *w);

/* Runs fn on the engine thread between batches, with exclusive use of the pool; returns when done.
 */
void engine_run_exclusive(struct engine *e, void (*fn)(void *ctx, struct lane lane), void *ctx);
/* Lent: the workers. Use them only inside engine_run_exclusive. */
struct pool *engine_pool(struct engine *e);

struct engine_stats {
    int64_t steps, rows, prefill_tokens, decode_tokens, prefix_hit_tokens, preemptions, calls;
    int64_t busy_us, forward_us, sample_us; /* busy: engine thread; others: sum over workers */
    int32_t pages_total, pages_free, pages_cached, sessions, running, queued;
};
void engine_stats(struct engine *e, struct engine_stats *out);

const struct embedded_file *embedded_file_at(int32_t i); /* models/embedded; NULL past the end */

#endif
