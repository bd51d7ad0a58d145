/* engine_step.c - groups, slices of rows, the head, the sampler.
 *
 * A group's rows are taken in slices of at most slice_rows. A long chunk of prefill is cut
 * over several slices; keys of a slice are written before the next one reads them, so a
 * cut changes no bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/engine_step.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/arch_linear.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

/* From this size on a layer's weights outgrow a core's cache, and reading them once for all
 * threads beats having no barriers inside a pass. */
#define COLUMNS_FROM_HIDDEN 512
/* Rows of one group: enough to use the matrix kernels well, few enough that their activations
 * and keys stay in cache (256 sessions in lockstep were a third slower than 16 to 64). */
#define GROUP_ROWS_DEFAULT 32
#define GROUP_ROWS_MIN     4 /* with fewer rows it is faster not to wake a worker */
/* Measured on the 0.45 M model: 256 sequences that advance together take 1.6 times the time a token
 * of 32 at a time, each of which runs to its end; the others wait no longer on average. */
#define RUNNING_A_WORKER 32
#define SLICE_ROWS       64
#define LOGIT_BYTES      (4 << 20)

struct step_worker {
    _Alignas(64) struct stepper *st; /* no cache line is shared between workers */
    struct lane lane;
    struct sampler *sampler;
    /* Backend memory. */
    void *scratch;
    void *rounded;      /* NULL: no quantised products */
    float *hidden;      /* (slice_rows, C) */
    float *logits;      /* (logit_rows, V) */
    float *inv_t, *lse; /* (logit_rows) */
    /* Host memory. */
    float *host_logits;           /* (logit_rows, V); NULL where the backend's is the host's */
    float *host_inv_t, *host_lse; /* (logit_rows) */
    int32_t *token, *seq, *pos, *out_row; /* (slice_rows) */
    int32_t *index;                       /* (3 slice_rows) the pass's own */
    const int32_t **page;                 /* (slice_rows) tables of the slice's sequences */
    struct model_session **in_seq;        /* (slice_rows) the slice's sequences ... */
    int32_t *in_rows;                     /* ... and how many of its rows are theirs */
    struct model_session **out_seq;       /* (slice_rows) whose hidden state out_row is */
    /* The slice that is being filled. */
    const struct weights *weights;
    int32_t n, n_seq, n_out;
    struct step_times times;
};

struct step_shape step_shape_of(const struct model_config *c, int32_t n_threads, int32_t group_rows,
                                int32_t max_batch_rows)
{
    struct step_shape s = {.columns = c->hidden_size >= COLUMNS_FROM_HIDDEN};
    int64_t rows;

    s.n_workers = s.columns ? 1 : n_threads;
    s.n_samplers = n_threads;
    s.group_rows = group_rows > 0 ? group_rows : GROUP_ROWS_DEFAULT;
    s.slice_rows = s.columns ? max_batch_rows : SLICE_ROWS;
    if (s.slice_rows < s.group_rows)
        s.slice_rows = s.group_rows;
    rows = LOGIT_BYTES / ((int64_t)c->vocab_size * 4);
    if (s.columns)
        rows *= 8; /* shared by all threads */
    s.max_running = max_batch_rows;
    if (!s.columns && s.max_running > n_threads * RUNNING_A_WORKER)
        s.max_running = n_threads * RUNNING_A_WORKER;
    s.logit_rows = rows < 1 ? 1 : rows > s.slice_rows ? s.slice_rows : (int32_t)rows;
    return s;
}

/* Of the rows of a slice, and of the head. */
static size_t rounded_bytes(const struct step_shape *s, const struct backend *b, int32_t inputs)
{
    return inputs > 0 ? b->quantised_bytes(s->slice_rows, inputs) : 0;
}

int64_t step_plan_bytes(const struct step_shape *s, const struct backend *b, const struct arch *a,
                        const struct model_config *c, int32_t rounded_inputs)
{
    int64_t worker = (int64_t)a->scratch_bytes(c, s->slice_rows) +
                     (int64_t)s->slice_rows * (c->hidden_size * 4 + 56) +
                     (int64_t)s->logit_rows * ((int64_t)c->vocab_size + 4) * 4 +
                     (int64_t)rounded_bytes(s, b, rounded_inputs);

    return worker * s->n_workers + sampler_plan_bytes(c->vocab_size) * s->n_samplers;
}

static bool worker_alloc(struct stepper *st, struct step_worker *w)
{
    const struct backend *b = st->backend;
    size_t rows = (size_t)st->shape.slice_rows;
    size_t logit_rows = (size_t)st->shape.logit_rows;
    size_t rounded = rounded_bytes(&st->shape, b, st->rounded_inputs);
    size_t V = (size_t)st->config.vocab_size;

    w->scratch = b->alloc(b->ctx, st->arch->scratch_bytes(&st->config, st->shape.slice_rows));
    w->rounded = rounded ? b->alloc(b->ctx, rounded) : NULL;
    w->hidden = b->alloc(b->ctx, rows * (size_t)st->config.hidden_size * sizeof(float));
    w->logits = b->alloc(b->ctx, logit_rows * V * sizeof(float));
    w->inv_t = b->alloc(b->ctx, logit_rows * sizeof(float));
    w->lse = b->alloc(b->ctx, logit_rows * sizeof(float));
    w->host_logits = b->host_memory ? NULL : mem_alloc(logit_rows * V, sizeof(float));
    w->host_inv_t = mem_alloc(logit_rows, sizeof(float));
    w->host_lse = mem_alloc(logit_rows, sizeof(float));
    w->token = mem_alloc(rows * 8, sizeof(int32_t));
    w->page = mem_alloc(rows, sizeof(const int32_t *));
    w->in_seq = mem_alloc(rows * 2, sizeof(struct model_session *));
    return w->scratch && (w->rounded || !rounded) && w->hidden && w->logits && w->inv_t && w->lse &&
           (w->host_logits || b->host_memory) && w->host_inv_t && w->host_lse && w->token &&
           w->page && w->in_seq;
}

static bool worker_init(struct stepper *st, struct step_worker *w)
{
    size_t rows = (size_t)st->shape.slice_rows;

    w->st = st;
    w->lane.pool = st->shape.columns ? st->pool : NULL;
    if (!worker_alloc(st, w))
        return false;
    w->seq = w->token + rows;
    w->pos = w->seq + rows;
    w->out_row = w->pos + rows;
    w->in_rows = w->out_row + rows;
    w->index = w->in_rows + rows;
    w->out_seq = w->in_seq + rows;
    return true;
}

static void worker_deinit(struct step_worker *w)
{
    const struct backend *b;
    void *device[] = {w->scratch, w->rounded, w->hidden, w->logits, w->inv_t, w->lse};

    if (!w->st)
        return;
    b = w->st->backend;
    for (size_t i = 0; i < ARRAY_LEN(device); i++)
        if (device[i])
            b->release(b->ctx, device[i]);
    free(w->host_logits);
    free(w->host_inv_t);
    free(w->host_lse);
    free(w->token);
    free(w->page);
    free(w->in_seq);
}

enum status stepper_init(struct stepper *st, int32_t max_running, struct error *err)
{
    enum status status = STATUS_OK;

    st->max_groups = max_running + st->shape.n_workers;
    st->worker = mem_aligned_alloc((size_t)st->shape.n_workers, sizeof(*st->worker));
    st->sampler = mem_alloc((size_t)st->shape.n_samplers, sizeof(struct sampler *));
    st->group_first = mem_alloc((size_t)st->max_groups + 1, sizeof(*st->group_first));
    if (!st->worker || !st->sampler || !st->group_first)
        goto no_memory;
    for (int32_t i = 0; i < st->shape.n_samplers && !status; i++)
        status = sampler_new(st->backend, st->config.vocab_size, &st->sampler[i], err);
    if (status)
        goto fail;
    for (int32_t i = 0; i < st->shape.n_workers; i++) {
        if (!worker_init(st, &st->worker[i]))
            goto no_memory;
        st->worker[i].sampler = st->sampler[i];
    }
    return STATUS_OK;

no_memory:
    status = error_set(err, STATUS_NO_MEMORY, "no memory for the activations of %d rows",
                       (int)st->shape.slice_rows);
fail:
    stepper_deinit(st);
    return status;
}

void stepper_deinit(struct stepper *st)
{
    for (int32_t i = 0; st->worker && i < st->shape.n_workers; i++)
        worker_deinit(&st->worker[i]);
    for (int32_t i = 0; st->sampler && i < st->shape.n_samplers; i++)
        sampler_free(st->sampler[i]);
    mem_aligned_free(st->worker);
    free(st->sampler);
    free(st->group_first);
    st->worker = NULL;
    st->sampler = NULL;
    st->group_first = NULL;
}

static void end_with(struct model_session *x, enum model_finish finish)
{
    x->call->finish = finish;
    x->ended = true;
}

/* The next token of x: into the sequence and the call, and whether it was the last. */
static void take_token(struct model_session *x, const struct sample *s)
{
    struct model_call *c = x->call;

    c->ids[c->n_ids] = s->id;
    c->logp[c->n_ids] = s->logp;
    c->logp_sampled[c->n_ids] = s->logp_sampled;
    c->n_ids++;
    c->processed = c->processed || s->processed;
    x->ids[x->n_ids++] = s->id;
    if (stop_rules_push(x->stop, s->id))
        end_with(x, FINISH_STOP);
    else if (x->n_ids >= x->max_ids)
        end_with(x, FINISH_LENGTH);
}

static void sample_row(struct sampler *sampler, struct model_session *x, const float *logits,
                       float lse)
{
    struct model_call *c = x->call;
    struct sample_row row = {.how = &c->sampling,
                             .logits = logits,
                             .lse = lse,
                             .history = x->ids,
                             .n_history = x->n_ids,
                             .seed = c->seed,
                             .call_id = c->call_id,
                             .position = x->n_ids};
    struct sample s;

    if (sampler_pick(sampler, &row, &s)) {
        take_token(x, &s);
        return;
    }
    c->status = error_set(&c->err, STATUS_FAILED,
                          "position %d: no token can be sampled: the logits are NaN, or all tokens "
                          "are banned",
                          (int)x->n_ids);
    end_with(x, FINISH_ERROR);
}

/* What the device could not do: the sequences end with an error, and their positions of this slice
 * have no keys. */
static void fail_call(struct model_session *x, int32_t rows, const struct error *err)
{
    x->kv_len -= rows;
    x->call->status = err->status;
    x->call->err = *err;
    end_with(x, FINISH_ERROR);
}

static void fail_slice(struct step_worker *w, const struct error *err)
{
    for (int32_t i = 0; i < w->n_seq; i++)
        fail_call(w->in_seq[i], w->in_rows[i], err);
}

struct sample_job {
    struct step_worker *w;
    int32_t first;             /* output row of the block's first row */
    const float *logits, *lse; /* the host's view of the block */
};

static void sample_task(void *ctx, int32_t task, int32_t worker)
{
    const struct sample_job *j = ctx;
    struct step_worker *w = j->w;

    sample_row(w->st->sampler[worker], w->out_seq[j->first + task],
               j->logits + (int64_t)task * w->st->config.vocab_size, j->lse[task]);
}

/* Logits and log-sum-exp of n output rows, and the host's view of them. */
static enum status block_logits(struct step_worker *w, int32_t n, struct sample_job *j,
                                struct error *err)
{
    struct stepper *st = w->st;
    const struct backend *b = st->backend;
    int32_t V = st->config.vocab_size, C = st->config.hidden_size;
    struct linear_input in = {
        .x = w->hidden + (int64_t)j->first * C, .ld = C, .R = n, .n_in = C, .rounded = w->rounded};

    for (int32_t i = 0; i < n; i++)
        w->host_inv_t[i] = w->out_seq[j->first + i]->inv_t;
    b->upload(&w->lane, w->inv_t, w->host_inv_t, (size_t)n * sizeof(float));
    arch_logits(w->weights, &w->lane, &in, w->logits, NULL);
    b->logsumexp(&w->lane, w->logits, V, n, V, w->inv_t, w->lse);
    j->logits =
        backend_view(b, &w->lane, w->logits, w->host_logits, (size_t)n * (size_t)V * sizeof(float));
    j->lse = backend_view(b, &w->lane, w->lse, w->host_lse, (size_t)n * sizeof(float));
    return b->sync(&w->lane, err);
}

/* Draws for all output rows of the slice, a block of logits at a time. The first sync also says
 * whether the forward pass was done: those of a later one have their keys. */
static void sample_slice(struct step_worker *w)
{
    struct stepper *st = w->st;
    struct error err = ERROR_INIT;

    for (int32_t first = 0; first < w->n_out; first += st->shape.logit_rows) {
        int32_t n = w->n_out - first;
        struct sample_job job = {.w = w, .first = first};

        if (n > st->shape.logit_rows)
            n = st->shape.logit_rows;
        if (block_logits(w, n, &job, &err)) {
            if (first == 0)
                fail_slice(w, &err);
            for (int32_t i = first; first > 0 && i < w->n_out; i++)
                fail_call(w->out_seq[i], 0, &err);
            return;
        }
        if (w->lane.pool) {
            pool_run(w->lane.pool, n, sample_task, &job);
            continue;
        }
        for (int32_t i = 0; i < n; i++)
            sample_row(w->sampler, w->out_seq[first + i],
                       job.logits + (int64_t)i * st->config.vocab_size, job.lse[i]);
    }
}

static void run_slice(struct step_worker *w)
{
    struct stepper *st = w->st;
    const struct seams *real = seams_real();
    struct error err = ERROR_INIT;
    int64_t begin;
    int64_t middle;
    struct arch_pass pass = {
        .weights = w->weights,
        .lane = w->lane,
        .token = w->token,
        .rows = {.n = w->n, .seq = w->seq, .pos = w->pos, .page = w->page},
        .kv = st->kv,
        .rope = st->rope,
        .scratch = w->scratch,
        .index = w->index,
        .rounded = w->rounded,
        .out_row = w->out_row,
        .n_out = w->n_out,
        .hidden = w->hidden,
    };

    if (w->n == 0)
        return;
    begin = seams_mono_us(real);
    st->arch->forward(&pass);
    middle = seams_mono_us(real);
    if (w->n_out > 0)
        sample_slice(w);
    else if (st->backend->sync(&w->lane, &err))
        fail_slice(w, &err);
    w->times.forward_us += middle - begin;
    w->times.sample_us += seams_mono_us(real) - middle;
    w->times.rows += w->n;
    w->times.tokens += w->n_out;
    w->n = w->n_seq = w->n_out = 0;
}

/* Adds `rows` rows of x to the slice, running it whenever it is full. */
static void add_rows(struct step_worker *w, struct model_session *x, int32_t rows)
{
    int32_t slice_rows = w->st->shape.slice_rows;

    while (rows > 0) {
        int32_t n = rows;
        int32_t room;

        if (w->n == slice_rows || w->weights != x->weights)
            run_slice(w);
        if (x->ended) /* the slice failed, and its beginning with it */
            return;
        w->weights = x->weights;
        room = slice_rows - w->n;
        if (n > room)
            n = room;
        w->page[w->n_seq] = x->page;
        for (int32_t i = 0; i < n; i++) {
            w->token[w->n + i] = x->ids[x->kv_len + i];
            w->pos[w->n + i] = x->kv_len + i;
            w->seq[w->n + i] = w->n_seq;
        }
        w->in_seq[w->n_seq] = x;
        w->in_rows[w->n_seq++] = n;
        w->n += n;
        x->kv_len += n;
        rows -= n;
        if (x->kv_len == x->n_ids) {
            w->out_row[w->n_out] = w->n - 1;
            w->out_seq[w->n_out++] = x;
        }
    }
}

/* Rows of x in a further pass: its new token, if it decodes and has a page for it. */
static int32_t further_rows(const struct model_session *x)
{
    return !x->ended && x->plan_rows > 0 && x->kv_len == x->n_ids - 1 &&
                   x->kv_len < x->n_pages * KV_PAGE_TOKENS
               ? 1
               : 0;
}

/* One pass over a group; returns the number of sequences in it. */
static int32_t run_pass(struct step_worker *w, int32_t first, int32_t end, bool planned)
{
    struct model_session *const *seq = w->st->seq;
    int32_t n = 0;

    for (int32_t i = first; i < end; i++) {
        int32_t rows = planned ? seq[i]->plan_rows : further_rows(seq[i]);

        if (rows > 0) {
            add_rows(w, seq[i], rows);
            n++;
        }
    }
    run_slice(w);
    return n;
}

static void run_group(void *ctx, int32_t task, int32_t worker)
{
    struct stepper *st = ctx;
    struct step_worker *w = &st->worker[worker];
    int32_t first = st->group_first[task];
    int32_t end = st->group_first[task + 1];
    int32_t begun = run_pass(w, first, end, true);
    int32_t passes = 1;

    while (passes < st->passes && !atomic_load_explicit(&st->cut, memory_order_relaxed)) {
        int32_t n = run_pass(w, first, end, false);

        if (n == 0)
            break;
        passes++;
        /* Ended calls should be answered soon, and their places are worth more than a barrier. */
        if (n < begun - begun / 4)
            atomic_store_explicit(&st->cut, true, memory_order_relaxed);
    }
    if (passes > w->times.passes)
        w->times.passes = passes;
}

/* Cuts the sequences into groups of about equal rows, a multiple of the workers in number. */
static void cut_groups(struct stepper *st, int32_t n)
{
    int64_t rows = 0;
    int64_t so_far = 0;
    int64_t n_groups;
    int32_t workers = st->shape.n_workers;

    for (int32_t i = 0; i < n; i++)
        rows += st->seq[i]->plan_rows;
    n_groups = (rows + st->shape.group_rows - 1) / st->shape.group_rows;
    n_groups = (n_groups + workers - 1) / workers * workers;
    if (st->shape.columns)
        n_groups = 1;
    while (n_groups > 1 && rows / n_groups < GROUP_ROWS_MIN)
        n_groups--;
    st->n_groups = 0;
    st->group_first[0] = 0;
    for (int32_t i = 0; i < n; i++) {
        so_far += st->seq[i]->plan_rows;
        if (so_far * n_groups >= rows * (st->n_groups + 1) || i == n - 1)
            st->group_first[++st->n_groups] = i + 1;
    }
}

void stepper_run(struct stepper *st, struct model_session *const *seq, int32_t n, int32_t passes,
                 struct step_times *times)
{
    st->seq = seq;
    st->passes = passes;
    atomic_store_explicit(&st->cut, false, memory_order_relaxed);
    cut_groups(st, n);
    memset(times, 0, sizeof(*times));
    for (int32_t i = 0; i < st->shape.n_workers; i++)
        st->worker[i].times = *times;
    if (st->shape.columns || st->n_groups == 1)
        run_group(st, 0, 0);
    else
        pool_run(st->pool, st->n_groups, run_group, st);
    for (int32_t i = 0; i < st->shape.n_workers; i++) {
        const struct step_times *t = &st->worker[i].times;

        times->forward_us += t->forward_us;
        times->sample_us += t->sample_us;
        times->rows += t->rows;
        times->tokens += t->tokens;
        if (t->passes > times->passes)
            times->passes = t->passes;
    }
}
