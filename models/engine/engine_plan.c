/* engine_plan.c - what an engine will take of memory, from config.json alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/seams.h"

#define MAX_SESSIONS_DEFAULT   1024
#define MAX_BATCH_ROWS_DEFAULT 512
#define PREFILL_CHUNK_DEFAULT  256
#define KV_SHARE               4 /* of free memory, one part in this many goes to KV by default */
/* Rows of a training micro-batch that the plan reckons with: 16 sequences of 256 tokens. */
#define TRAINING_ROWS 4096
/* Gradients keep all their shards while that is less than this, else one at a time. */
#define SHARDED_GRADIENT_BYTES ((int64_t)64 << 20)

static int64_t optimiser_bytes(int64_t n_params)
{
    int64_t shards = n_params * GRADIENT_SHARDS * 4;

    /* fp32 master and two moments. */
    return n_params * 12 + (shards <= SHARDED_GRADIENT_BYTES ? shards : n_params * 4);
}

static int32_t cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

enum dtype engine_kv_dtype(const struct weights *w)
{
    int32_t head = weights_arch(w)->head(weights_config(w));

    return weights_at(w, head)->m.dtype == DTYPE_F32 ? DTYPE_F32 : DTYPE_BF16;
}

void engine_options_resolve(const struct engine_options *in, const struct model_config *c,
                            struct engine_options *out)
{
    *out = *in;
    if (out->n_threads <= 0)
        out->n_threads = cores();
    if (out->max_sessions <= 0)
        out->max_sessions = MAX_SESSIONS_DEFAULT;
    if (out->max_batch_rows <= 0)
        out->max_batch_rows = MAX_BATCH_ROWS_DEFAULT;
    if (out->prefill_chunk <= 0)
        out->prefill_chunk = PREFILL_CHUNK_DEFAULT;
    if (out->kv_dtype == DTYPE_N && in->weights)
        out->kv_dtype = engine_kv_dtype(in->weights);
    if (out->kv_dtype == DTYPE_N) {
        enum dtype of_weights = in->weight_dtype == DTYPE_N ? c->dtype : in->weight_dtype;

        out->kv_dtype = of_weights == DTYPE_F32 ? DTYPE_F32 : DTYPE_BF16;
    }
}

/* The number after `key` in a small text file, or -1. */
static int64_t number_in(const char *path, const char *key)
{
    struct error ignored = ERROR_INIT;
    int64_t value = -1;
    char *text;
    size_t n;
    const char *at;

    if (file_read(path, 1 << 16, &text, &n, &ignored))
        return -1;
    at = strstr(text, key);
    if (at) {
        char *end;
        const char *digits = at + strlen(key);
        long long v = strtoll(digits, &end, 10);

        if (end != digits && v >= 0)
            value = v;
    }
    free(text);
    return value;
}

/* What the kernel calls available, and not more than the control group (v2) leaves. */
static int64_t available_bytes(void)
{
    int64_t kib = number_in("/proc/meminfo", "MemAvailable:");
    int64_t bytes = kib < 0 ? INT64_MAX : kib * 1024;
    int64_t max = number_in("/sys/fs/cgroup/memory.max", "");
    int64_t current = number_in("/sys/fs/cgroup/memory.current", "");

    if (max >= 0 && current >= 0 && max - current < bytes)
        bytes = max > current ? max - current : 0;
    return bytes;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum status plan_pages(const struct model_config *c, const struct engine_options *o,
                              struct engine_plan *p, struct error *err)
{
    int64_t page_bytes = kv_page_bytes(c, o->kv_dtype);
    int64_t context = o->context > 0 ? o->context : c->max_position_embeddings;
    int64_t useful = (int64_t)kv_pages_for(context) * o->max_sessions;
    int64_t bytes = o->kv_bytes > 0 ? o->kv_bytes : p->available_bytes / KV_SHARE;
    int64_t pages = at_most(at_most(bytes / page_bytes, useful), INT32_MAX / KV_PAGE_TOKENS);

    if (o->context > c->max_position_embeddings)
        return error_set(err, STATUS_INVALID, "a context of %d, the model was made for %d",
                         (int)o->context, (int)c->max_position_embeddings);
    if (pages < 1)
        return error_set(err, STATUS_NO_MEMORY,
                         "%" PRId64 " bytes for KV, one page of this model takes %" PRId64, bytes,
                         page_bytes);
    p->n_pages = (int32_t)pages;
    p->kv_bytes = pages * page_bytes;
    p->context = (int32_t)(o->context > 0 ? context : at_most(context, pages * KV_PAGE_TOKENS));
    return STATUS_OK;
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

enum status engine_plan_of(const struct engine_source *s, const struct engine_options *o,
                           bool training, struct engine_plan *out, struct error *err)
{
    const struct model_config *c = &s->config;
    struct step_shape shape = step_shape_of(c, o->n_threads, o->group_rows, o->max_batch_rows);
    struct engine_plan p = {0};
    enum status st;

    p.available_bytes = o->memory_bytes > 0 ? o->memory_bytes : available_bytes();
    st = plan_pages(c, o, &p, err);
    if (st)
        return st;
    if (!o->weights)
        p.weights_bytes = weights_plan_bytes(s->arch, c, o->weight_dtype);
    p.activations_bytes = step_plan_bytes(&shape, s->arch, c) +
                          (int64_t)p.context * c->head_dim * 4; /* cos and sin, D/2 each */
    /* Ids stand beside the pages that hold them. */
    p.sessions_bytes = (int64_t)o->max_sessions * (int64_t)sizeof(struct model_session) +
                       (int64_t)p.n_pages * (KV_PAGE_TOKENS * 4 + 4);
    if (training) {
        p.optimiser_bytes = optimiser_bytes(model_config_n_parameters(c));
        p.activations_bytes += (int64_t)s->arch->acts_bytes(c, TRAINING_ROWS, false) +
                               (int64_t)s->arch->back_scratch_bytes(c, TRAINING_ROWS);
    }
    p.total_bytes =
        p.weights_bytes + p.kv_bytes + p.activations_bytes + p.sessions_bytes + p.optimiser_bytes;
    *out = p;
    if (p.total_bytes <= p.available_bytes)
        return STATUS_OK;
    error_set(err, STATUS_NO_MEMORY,
              "the model needs %.1f MiB (weights %.1f, KV %.1f, activations %.1f, sessions %.1f, "
              "optimiser %.1f), %.1f MiB are available",
              mib(p.total_bytes), mib(p.weights_bytes), mib(p.kv_bytes), mib(p.activations_bytes),
              mib(p.sessions_bytes), mib(p.optimiser_bytes), mib(p.available_bytes));
    error_hint(err, "give fewer bytes to KV, a shorter context, or take a smaller model");
    return STATUS_NO_MEMORY;
}

enum status engine_plan(const struct engine_options *o, bool training, struct engine_plan *out,
                        struct error *err)
{
    struct engine_source s = {0};
    struct engine_options resolved;
    enum status st = engine_source_config(&s, o, err);

    if (!st) {
        engine_options_resolve(o, &s.config, &resolved);
        st = engine_plan_of(&s, &resolved, training, out, err);
    }
    engine_source_deinit(&s);
    return st;
}
