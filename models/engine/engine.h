/* engine.h - one resident model that serves all agents, and lends itself to training.
 *
 * A thread of its own owns the weights' use, the KV pages and the batch. Each step it takes
 * posted calls, admits what fits, runs one forward pass over all rows (decode and chunks of
 * prefill together), samples, and posts what ended. When pages run out the youngest
 * sequence of the lowest priority is preempted and recomputed later, bit for bit.
 */
#ifndef TROUPE_MODELS_ENGINE_ENGINE_H
#define TROUPE_MODELS_ENGINE_ENGINE_H

#include "models/arch/arch.h"
#include "models/model.h"

struct engine_options {
    const char *model;         /* a Hugging Face folder, or "embedded" (bytes below) */
    const struct backend *backend;
    int32_t n_threads;         /* 0: all cores */
    int64_t kv_bytes;          /* 0: a quarter of free memory, at most what max_sessions need */
    int32_t max_sessions;      /* resident sequences; default 1024 */
    int32_t max_batch_rows;    /* rows of one pass; default 512 */
    int32_t group_rows;        /* rows of one cache-sized group; 0: by the model's size */
    int32_t prefill_chunk;     /* default 256 */
    int32_t context;           /* 0: the model's, at most what fits */
    enum dtype weight_dtype;   /* DTYPE_N: as stored */
    enum dtype kv_dtype;       /* DTYPE_F32 by default for fp32 weights, else bf16 */
    bool no_prefix_cache;
};

/* What will be taken, before a weight is touched. */
struct engine_plan {
    int64_t weights_bytes, kv_bytes, activations_bytes, sessions_bytes, optimiser_bytes, total_bytes,
        available_bytes;
    int32_t n_pages, context;
};
MUST_CHECK enum status engine_plan(const struct engine_options *o, bool training,
                                   struct engine_plan *out, struct error *err);

struct engine;
/* STATUS_NO_MEMORY when the plan does not fit, before weights are read. */
MUST_CHECK enum status engine_open(const struct engine_options *o, struct engine **out,
                                   struct error *err);
void engine_close(struct engine *e); /* outstanding calls answer FINISH_CANCELLED */
struct model *engine_model(struct engine *e); /* lent: the vtable */

/* The version that new calls pin: a reference. */
struct weights *engine_weights(struct engine *e);
/* Calls that start from now on use w (reference taken); KV and prefix entries of the old version
 * die with it. `training` versions serve only calls that ask for them (issue of the trainer). */
void engine_publish(struct engine *e, struct weights *w);

/* Runs fn on the engine thread between batches, with the pool to itself; returns when done. */
void engine_run_exclusive(struct engine *e, void (*fn)(void *ctx, struct lane lane), void *ctx);

struct engine_stats {
    int64_t steps, rows, prefill_tokens, decode_tokens, prefix_hit_tokens, preemptions, calls;
    int64_t busy_us, forward_us, sample_us;
    int32_t pages_total, pages_free, pages_cached, sessions, running, queued;
};
void engine_stats(struct engine *e, struct engine_stats *out);

/* Bytes of the model inside the binary: models/embedded. */
struct embedded_file {
    const char *name;
    const void *bytes;
    size_t n;
};
const struct embedded_file *embedded_file_at(int32_t i); /* NULL past the end */

#endif
