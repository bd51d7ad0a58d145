/* sharded_pass.c - see sharded_pass.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/sharded_pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/packed_pass.h"
#include "runtime/base/memory.h"

/* Eight gradients of a small model together; above it shards share two. */
#define SMALL_GRADIENT_BYTES ((int64_t)64 << 20)
#define ADD_PIECE            32768 /* elements of a task of the final sum: 8 pieces stay in L2 */

/* The state of one thread. */
struct worker {
    struct packed_pass *pass;
    struct row_batch batch;
    float *logp, *coef; /* (max_rows) */
    int32_t *argmax;    /* (max_rows) */
    int64_t *position;  /* (max_rows) where in `sequences` each wanted row's target is */
    int32_t *sequence;  /* (max_rows) and of which */
    const struct token_weigher *by;
};

/* The call in progress. */
struct job {
    const struct weights *weights;
    const struct sequences *s;
    float temperature;
    const float *coef;
    const struct token_weigher *by; /* in place of coef; NULL: coef */
    struct sharded_pass_output *out;
    float *grad;
    bool train;
    double loss[GRADIENT_SHARDS];
    enum status status[GRADIENT_SHARDS]; /* of the device */
    struct error err[GRADIENT_SHARDS];
};

struct sharded_pass {
    const struct backend *backend;
    struct sharded_pass_options options;
    int32_t group_rows, max_rows;
    int64_t n_params;
    bool small;
    int32_t n_workers;
    struct worker *worker;
    /* small: of each own shard; else only the first, for each in turn */
    float *gradient[GRADIENT_SHARDS];
    int32_t first_shard, n_shards; /* its own */
    int32_t *order, *shard_of;     /* (cap) of the plan: by length; by sequence */
    int32_t cap;
    struct job job;
};

/* Rows whose kept activations stay near the cache; a function of the model alone, since groups
 * fix the order in which a tied embedding's gradients add up. */
static int32_t default_group_rows(const struct model_config *c)
{
    return c->hidden_size <= 256 ? 128 : c->hidden_size <= 512 ? 256 : 512;
}

static bool is_small(const struct sharded_pass_options *o, int64_t n_params)
{
    return !o->one_gradient &&
           n_params * GRADIENT_SHARDS * (int64_t)sizeof(float) <= SMALL_GRADIENT_BYTES;
}

static struct packed_pass_shape pass_shape(const struct model_config *c,
                                           const struct sharded_pass_options *o, int32_t *group)
{
    int32_t rows = o->group_rows ? o->group_rows : default_group_rows(c);

    *group = rows;
    if (rows < o->max_len - 1)
        rows = o->max_len - 1;
    return (struct packed_pass_shape){.max_rows = rows,
                                      .max_pos = o->max_len,
                                      .training = o->training,
                                      .recompute = o->recompute};
}

static int32_t shard_count(const struct sharded_pass_options *o)
{
    return o->n_shards > 0 ? o->n_shards : GRADIENT_SHARDS - o->first_shard;
}

static int32_t worker_count(const struct sharded_pass_options *o, bool small)
{
    int32_t n = small ? pool_n_threads(o->pool) : 1;

    return n < shard_count(o) ? n : shard_count(o);
}

static int32_t gradient_count(const struct sharded_pass_options *o, bool small)
{
    if (!o->training)
        return 0;
    return small ? shard_count(o) : 1;
}

int64_t sharded_pass_bytes(const struct weights *w, const struct sharded_pass_options *o)
{
    int64_t n_params = weights_n_params(w);
    bool small = is_small(o, n_params);
    int32_t group;
    struct packed_pass_shape shape = pass_shape(weights_config(w), o, &group);
    int64_t gradients = gradient_count(o, small) * n_params * (int64_t)sizeof(float);

    return gradients + worker_count(o, small) * packed_pass_bytes(w, &shape);
}

static enum status worker_init(struct worker *k, const struct weights *w,
                               const struct packed_pass_shape *shape, struct error *err)
{
    size_t n = (size_t)shape->max_rows;
    enum status st = packed_pass_new(w, shape, &k->pass, err);

    if (st)
        return st;
    st = row_batch_init(&k->batch, shape->max_rows, err);
    if (st)
        return st;
    k->logp = mem_alloc(n, sizeof(*k->logp));
    k->coef = mem_alloc(n, sizeof(*k->coef));
    k->argmax = mem_alloc(n, sizeof(*k->argmax));
    k->position = mem_alloc(n, sizeof(*k->position));
    k->sequence = mem_alloc(n, sizeof(*k->sequence));
    if (!k->logp || !k->coef || !k->argmax || !k->position || !k->sequence)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d rows", shape->max_rows);
    return STATUS_OK;
}

static void worker_deinit(struct worker *k)
{
    packed_pass_free(k->pass);
    row_batch_deinit(&k->batch);
    free(k->logp);
    free(k->coef);
    free(k->argmax);
    free(k->position);
    free(k->sequence);
}

enum status sharded_pass_new(const struct weights *w, const struct sharded_pass_options *o,
                             struct sharded_pass **out, struct error *err)
{
    struct sharded_pass *p;
    struct packed_pass_shape shape;
    enum status st =
        backend_require(weights_backend(w), o->training ? OP_BIT(ADD) : 0, "training", err);

    if (st)
        return st;
    if (o->first_shard < 0 || o->first_shard >= GRADIENT_SHARDS || o->n_shards < 0 ||
        o->n_shards > GRADIENT_SHARDS - o->first_shard)
        return error_set(err, STATUS_INVALID, "shards %d to %d are not among %d", o->first_shard,
                         o->first_shard + o->n_shards - 1, GRADIENT_SHARDS);
    p = xcalloc(1, sizeof(*p));
    p->backend = weights_backend(w);
    p->options = *o;
    p->n_params = weights_n_params(w);
    p->small = is_small(o, p->n_params);
    p->first_shard = o->first_shard;
    p->n_shards = shard_count(o);
    shape = pass_shape(weights_config(w), o, &p->group_rows);
    p->max_rows = shape.max_rows;
    p->n_workers = worker_count(o, p->small);
    p->worker = xcalloc((size_t)p->n_workers, sizeof(*p->worker));
    for (int32_t i = 0; i < p->n_workers && !st; i++)
        st = worker_init(&p->worker[i], w, &shape, err);
    for (int32_t i = 0; i < gradient_count(o, p->small) && !st; i++) {
        p->gradient[i] = p->backend->alloc(p->backend->ctx, (size_t)p->n_params * sizeof(float));
        if (!p->gradient[i])
            st = error_set(err, STATUS_NO_MEMORY, "no memory for a gradient of %lld weights",
                           (long long)p->n_params);
    }
    if (st) {
        sharded_pass_free(p);
        return st;
    }
    *out = p;
    return STATUS_OK;
}

void sharded_pass_free(struct sharded_pass *p)
{
    if (!p)
        return;
    for (int32_t i = 0; i < p->n_workers; i++)
        worker_deinit(&p->worker[i]);
    for (int32_t i = 0; i < GRADIENT_SHARDS; i++)
        if (p->gradient[i])
            p->backend->release(p->backend->ctx, p->gradient[i]);
    free(p->worker);
    free(p->order);
    free(p->shard_of);
    free(p);
}

static int longer_first(const void *a, const void *b, void *ctx)
{
    const struct sequences *s = ctx;
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    int32_t n = sequences_length(s, i), m = sequences_length(s, j);

    if (n != m)
        return n > m ? -1 : 1;
    return i < j ? -1 : 1;
}

/* Longest first, each to the shard with the fewest rows so far (the lowest among equals). */
static enum status plan(struct sharded_pass *p, const struct sequences *s, struct error *err)
{
    int64_t rows[GRADIENT_SHARDS] = {0};

    if (s->n > p->cap) {
        if (!mem_grow((void **)&p->order, (size_t)s->n, sizeof(*p->order)) ||
            !mem_grow((void **)&p->shard_of, (size_t)s->n, sizeof(*p->shard_of)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for a plan of %d sequences", s->n);
        p->cap = s->n;
    }
    for (int32_t i = 0; i < s->n; i++) {
        if (sequences_length(s, i) > p->options.max_len)
            return error_set(err, STATUS_LIMIT, "sequence %d has %d ids, more than %d", i,
                             sequences_length(s, i), p->options.max_len);
        p->order[i] = i;
    }
    qsort_r(p->order, (size_t)s->n, sizeof(*p->order), longer_first, (void *)(uintptr_t)s);
    for (int32_t i = 0; i < s->n; i++) {
        int32_t least = 0;

        for (int32_t k = 1; k < GRADIENT_SHARDS; k++)
            if (rows[k] < rows[least])
                least = k;
        p->shard_of[p->order[i]] = least;
        rows[least] += sequences_length(s, p->order[i]) - 1;
    }
    return STATUS_OK;
}

static void weigh_rows(void *ctx, int32_t first, int32_t n, const float *logp, float *coef)
{
    const struct worker *k = ctx;

    k->by->weigh(k->by->ctx, k->position + first, logp, n, coef);
}

/* Runs the group in the worker's batch; adds to the shard's loss. */
static void run_group(struct sharded_pass *p, int32_t shard, struct worker *k, struct lane lane,
                      float *grad)
{
    struct job *j = &p->job;
    struct error *err = &j->err[shard];
    double *loss = &j->loss[shard];
    enum status st;
    struct sharded_pass_output *out = j->out;
    struct head_output head = {.logp = k->logp, .argmax = out->right ? k->argmax : NULL};

    if (!k->batch.n_rows || j->status[shard])
        return;
    k->by = j->by;
    head.weigh = j->by ? weigh_rows : NULL;
    head.ctx = k;
    for (int32_t i = 0; i < k->batch.n_out && j->coef; i++)
        k->coef[i] = j->coef[k->position[i]];
    if (j->train)
        st = packed_pass_train(k->pass, j->weights, lane, &k->batch, j->temperature,
                               j->coef ? k->coef : NULL, &head, grad, err);
    else
        st = packed_pass_forward(k->pass, j->weights, lane, &k->batch, j->temperature, &head, err);
    j->status[shard] = st;
    for (int32_t i = 0; i < k->batch.n_out; i++) {
        *loss -= (double)k->logp[i];
        if (out->logp)
            out->logp[k->position[i]] = k->logp[i];
        if (out->right && k->argmax[i] != k->batch.target[i])
            out->right[k->sequence[i]] = 0;
    }
    row_batch_clear(&k->batch);
}

static void run_shard(struct sharded_pass *p, int32_t shard, struct worker *k, struct lane lane,
                      float *grad)
{
    const struct sequences *s = p->job.s;

    if (grad)
        p->backend->zero(&lane, grad, (size_t)p->n_params * sizeof(float));
    row_batch_clear(&k->batch);
    for (int32_t i = 0; i < s->n; i++) {
        const int32_t *ids = s->ids + s->start[i];
        const uint8_t *train = s->train + s->start[i];
        int32_t n = sequences_length(s, i), first;

        if (p->shard_of[i] != shard)
            continue;
        if (k->batch.n_rows + n - 1 > p->group_rows)
            run_group(p, shard, k, lane, grad);
        first = k->batch.n_out;
        if (!row_batch_add(&k->batch, ids, train, n)) {
            run_group(p, shard, k, lane, grad);
            first = 0;
            (void)row_batch_add(&k->batch, ids, train, n); /* an empty batch takes max_len */
        }
        for (int32_t r = 1; r < n; r++) {
            if (!train[r])
                continue;
            k->position[first] = s->start[i] + r;
            k->sequence[first++] = i;
        }
    }
    run_group(p, shard, k, lane, grad);
}

static void shard_task(void *ctx, int32_t task, int32_t worker)
{
    struct sharded_pass *p = ctx;

    run_shard(p, p->first_shard + task, &p->worker[worker], (struct lane){0},
              p->job.train ? p->gradient[task] : NULL);
}

static void add_task(void *ctx, int32_t task, int32_t worker)
{
    struct sharded_pass *p = ctx;
    const struct lane alone = {0};
    int64_t at = (int64_t)task * ADD_PIECE;
    int64_t n = p->n_params - at < ADD_PIECE ? p->n_params - at : ADD_PIECE;

    (void)worker;
    for (int32_t k = 0; k < p->n_shards; k++)
        p->backend->add(&alone, p->gradient[k] + at, n, p->job.grad + at);
}

static void run_all(struct sharded_pass *p)
{
    struct pool *pool = p->options.pool;
    struct job *j = &p->job;

    if (p->small) {
        pool_run(pool, p->n_shards, shard_task, p);
        if (j->train)
            pool_run(pool, (int32_t)((p->n_params + ADD_PIECE - 1) / ADD_PIECE), add_task, p);
        return;
    }
    for (int32_t k = 0; k < p->n_shards; k++) {
        struct lane lane = {.pool = pool};

        run_shard(p, p->first_shard + k, &p->worker[0], lane, j->train ? p->gradient[0] : NULL);
        if (j->train)
            p->backend->add(&lane, p->gradient[0], p->n_params, j->grad);
    }
}

static enum status run(struct sharded_pass *p, const struct job *job, struct error *err)
{
    struct sharded_pass_output *out = job->out;
    const struct lane alone = {0};
    enum status st;

    p->job = *job;
    st = plan(p, job->s, err);
    if (st)
        return st;
    if (out->logp)
        memset(out->logp, 0, (size_t)job->s->n_tokens * sizeof(float));
    if (out->right)
        memset(out->right, 1, (size_t)job->s->n);
    run_all(p);
    out->loss = 0;
    for (int32_t k = 0; k < GRADIENT_SHARDS; k++) {
        if (p->job.status[k]) {
            *err = p->job.err[k];
            return p->job.status[k];
        }
        out->loss += out->shard_loss[k] = p->job.loss[k];
    }
    return p->backend->sync(&alone, err); /* of the sums of gradients */
}

enum status sharded_pass_forward(struct sharded_pass *p, const struct weights *w,
                                 const struct sequences *s, float temperature,
                                 struct sharded_pass_output *out, struct error *err)
{
    struct job job = {.weights = w, .s = s, .temperature = temperature, .out = out};

    return run(p, &job, err);
}

enum status sharded_pass_train(struct sharded_pass *p, const struct weights *w,
                               const struct sequences *s, float temperature, const float *coef,
                               struct sharded_pass_output *out, float *grad, struct error *err)
{
    struct job job = {.weights = w,
                      .s = s,
                      .temperature = temperature,
                      .coef = coef,
                      .out = out,
                      .grad = grad,
                      .train = true};

    assert(p->options.training);
    return run(p, &job, err);
}

enum status sharded_pass_train_by(struct sharded_pass *p, const struct weights *w,
                                  const struct sequences *s, float temperature,
                                  const struct token_weigher *by, struct sharded_pass_output *out,
                                  float *grad, struct error *err)
{
    struct job job = {.weights = w,
                      .s = s,
                      .temperature = temperature,
                      .by = by,
                      .out = out,
                      .grad = grad,
                      .train = true};

    assert(p->options.training);
    return run(p, &job, err);
}
