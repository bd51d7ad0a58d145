/* engine_plan.c - the memory that an engine needs, from the config and the shapes and types of the
 * weights, of which no value is read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/seams.h"

#define MAX_SESSIONS_DEFAULT   1024
#define MAX_BATCH_ROWS_DEFAULT 512
#define PREFILL_CHUNK_DEFAULT  256
#define PAGE_IDS_BYTES         (KV_PAGE_TOKENS * 4 + 4) /* the ids of a page, and its number */
#define KV_SHARE               4 /* of free memory, one part in this many goes to KV by default */

static int32_t cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

void engine_options_resolve(const struct engine_options *in, struct engine_options *out)
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
}

/* The weights as they are, or as a load will hold them. */
static enum status plan_weights(const struct engine_source *s, const struct engine_options *o,
                                struct weights_plan *out, struct error *err)
{
    if (!o->weights)
        return weights_plan(o->backend, s->arch, &s->config, s->tensors, o->weight_dtype, out, err);
    *out = (struct weights_plan){.widened = DTYPE_N,
                                 .rounded_inputs = weights_rounded_inputs(o->weights),
                                 .kv_dtype = weights_kv_dtype(o->weights)};
    return STATUS_OK;
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

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The rest of a limit of this process (`ulimit -v`, `ulimit -d`) after what /proc says is used.
 */
static int64_t left_by_limit(int limit, const char *key)
{
    struct rlimit r;
    int64_t kib;

    if (getrlimit((__rlimit_resource_t)limit, &r) || r.rlim_cur == RLIM_INFINITY)
        return INT64_MAX;
    kib = number_in("/proc/self/status", key);
    if (kib < 0 || r.rlim_cur > INT64_MAX)
        return INT64_MAX;
    return (int64_t)r.rlim_cur > kib * 1024 ? (int64_t)r.rlim_cur - kib * 1024 : 0;
}

/* What the kernel calls available, and not more than the control group (v2) and the limits of this
 * process allow. */
static int64_t available_bytes(void)
{
    int64_t kib = number_in("/proc/meminfo", "MemAvailable:");
    int64_t bytes = kib < 0 ? INT64_MAX : kib * 1024;
    int64_t max = number_in("/sys/fs/cgroup/memory.max", "");
    int64_t current = number_in("/sys/fs/cgroup/memory.current", "");

    if (max >= 0 && current >= 0)
        bytes = at_most(bytes, max > current ? max - current : 0);
    bytes = at_most(bytes, left_by_limit(RLIMIT_AS, "VmSize:"));
    return at_most(bytes, left_by_limit(RLIMIT_DATA, "VmData:"));
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* The requested pages, or by default a share of free memory. A requested context always gets its
 * pages; the default context is reduced to fit. */
static enum status plan_pages(const struct model_config *c, const struct engine_options *o,
                              struct engine_plan *p, struct error *err)
{
    int64_t page_bytes = kv_page_bytes(o->backend, c, o->kv_dtype);
    int64_t context = o->context > 0 ? o->context : c->max_position_embeddings;
    int64_t useful = (int64_t)kv_pages_for(context) * o->max_sessions;
    int64_t bytes = o->kv_bytes > 0 ? o->kv_bytes : p->available_bytes / KV_SHARE, pages;

    if (page_bytes == 0)
        return error_set(err, STATUS_UNSUPPORTED, "backend %s has no KV cache of type %s",
                         o->backend->name, dtype_name(o->kv_dtype));
    pages = at_most(at_most(bytes / page_bytes, useful), INT32_MAX / KV_PAGE_TOKENS);
    if (o->context > c->max_position_embeddings)
        return error_set(err, STATUS_INVALID,
                         "the context is %d, but the model supports at most %d", (int)o->context,
                         (int)c->max_position_embeddings);
    if (o->kv_bytes <= 0 && o->context > 0 && pages < kv_pages_for(context))
        pages = kv_pages_for(context);
    if (pages < 1)
        return error_set(err, STATUS_NO_MEMORY,
                         "the KV cache gets %" PRId64
                         " bytes, but one page of this model needs %" PRId64,
                         bytes, page_bytes);
    p->n_pages = (int32_t)pages;
    p->context = (int32_t)(o->context > 0 ? context : at_most(context, pages * KV_PAGE_TOKENS));
    return STATUS_OK;
}

static void add_up(const struct engine_options *o, int64_t page_bytes, struct engine_plan *p)
{
    p->kv_bytes = p->n_pages * page_bytes;
    /* The ids of a page are kept next to it. */
    p->sessions_bytes =
        o->max_sessions * (int64_t)sizeof(struct model_session) + p->n_pages * PAGE_IDS_BYTES;
    p->total_bytes = p->weights_bytes + p->kv_bytes + p->activations_bytes + p->sessions_bytes;
}

/* Drops pages that were not asked for, down to those of one context. */
static void shrink_pages(const struct engine_options *o, int64_t page_bytes, struct engine_plan *p)
{
    int64_t too_much = p->total_bytes - p->available_bytes, each = page_bytes + PAGE_IDS_BYTES;
    int64_t least = kv_pages_for(p->context), pages = p->n_pages - (too_much + each - 1) / each;

    if (o->kv_bytes > 0 || too_much <= 0)
        return;
    p->n_pages = (int32_t)(pages > least ? pages : least);
    add_up(o, page_bytes, p);
}

static enum status refuse_plan(const struct engine_plan *p, const struct weights_plan *w,
                               struct error *err)
{
    (void)error_set(err, STATUS_NO_MEMORY,
                    "the model needs %.1f MiB (weights %.1f, KV pages for a context of %d %.1f, "
                    "activations %.1f, sessions %.1f), but %.1f MiB are available",
                    mib(p->total_bytes), mib(p->weights_bytes), (int)p->context, mib(p->kv_bytes),
                    mib(p->activations_bytes), mib(p->sessions_bytes), mib(p->available_bytes));
    if (w->widened != DTYPE_N)
        error_hint(
            err,
            "%.1f MiB of the weights are %s, which is computed as f32 here; another type, or "
            "a shorter --context, takes less",
            mib(w->widened_bytes), dtype_name(w->widened));
    else
        error_hint(err, "use a shorter --context, a smaller --kv-memory or a smaller model");
    return STATUS_NO_MEMORY;
}

enum status engine_plan_of(const struct engine_source *s, struct engine_options *o,
                           struct engine_plan *out, struct error *err)
{
    const struct model_config *c = &s->config;
    struct step_shape shape = step_shape_of(c, o->n_threads, o->group_rows, o->max_batch_rows);
    struct engine_plan p = {0};
    struct weights_plan w;
    int64_t page_bytes;
    enum status st = plan_weights(s, o, &w, err);

    if (st)
        return st;
    if (o->kv_dtype == DTYPE_N)
        o->kv_dtype = w.kv_dtype;
    page_bytes = kv_page_bytes(o->backend, c, o->kv_dtype);
    p.available_bytes = o->memory_bytes > 0 ? o->memory_bytes : available_bytes();
    st = plan_pages(c, o, &p, err);
    if (st)
        return st;
    p.weights_bytes = w.bytes;
    p.activations_bytes = step_plan_bytes(&shape, o->backend, s->arch, c, w.rounded_inputs) +
                          rope_tables_bytes(c, p.context);
    add_up(o, page_bytes, &p);
    shrink_pages(o, page_bytes, &p);
    *out = p;
    return p.total_bytes <= p.available_bytes ? STATUS_OK : refuse_plan(&p, &w, err);
}

enum status engine_plan(const struct engine_options *o, struct engine_plan *out, struct error *err)
{
    struct engine_source s = {0};
    struct engine_options resolved;
    enum status st = engine_source_config(&s, o, err);

    if (!st) {
        engine_options_resolve(o, &resolved);
        st = engine_plan_of(&s, &resolved, out, err);
    }
    engine_source_deinit(&s);
    return st;
}
