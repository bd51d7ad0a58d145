/* optimizer.c - see optimizer.h. Decoupled weight decay: Loshchilov and Hutter 2019.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define PIECE 32768 /* elements: three arrays and a gradient of one piece stay in L2 */

static int32_t cut_pieces(const struct param_set *p, struct optimizer_piece *out)
{
    int32_t n = 0;

    for (int32_t i = 0; i < p->n; i++) {
        int64_t end = p->offset[i + 1];

        for (int64_t at = p->offset[i]; at < end; at += PIECE, n++)
            if (out)
                out[n] = (struct optimizer_piece){.first = at,
                                                  .n = end - at < PIECE ? end - at : PIECE,
                                                  .decay = p->param[i].decay};
    }
    return n;
}

enum status optimizer_init(struct optimizer *o, struct param_set *adopt, struct error *err)
{
    const struct backend *b = adopt->backend;
    size_t n;
    enum status st = backend_require(b, OP_BIT(SUM_SQUARES) | OP_BIT(ADAMW), "the optimiser", err);

    *o = (struct optimizer){.backend = b, .params = *adopt};
    memset(adopt, 0, sizeof(*adopt));
    if (st)
        goto fail;
    o->n_params = o->params.offset[o->params.n];
    n = (size_t)o->n_params;
    o->n_pieces = cut_pieces(&o->params, NULL);
    o->piece = mem_alloc((size_t)o->n_pieces, sizeof(*o->piece));
    o->host_sum = mem_alloc((size_t)o->n_pieces, sizeof(*o->host_sum));
    o->piece_sum = b->alloc(b->ctx, (size_t)o->n_pieces * sizeof(*o->piece_sum));
    o->master = b->alloc(b->ctx, n * sizeof(float));
    o->m = b->alloc(b->ctx, n * sizeof(float));
    o->v = b->alloc(b->ctx, n * sizeof(float));
    if (!o->piece || !o->host_sum || !o->piece_sum || !o->master || !o->m || !o->v) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory for the optimiser: 3 x %zu floats", n);
        goto fail;
    }
    (void)cut_pieces(&o->params, o->piece);
    return STATUS_OK;

fail:
    optimizer_deinit(o);
    return st;
}

enum status optimizer_init_weights(struct optimizer *o, const struct weights *w, struct error *err)
{
    const struct lane alone = {0};
    struct param_set params;
    enum status st;

    memset(o, 0, sizeof(*o));
    st = param_set_of_weights(w, &params, err);
    if (!st)
        st = optimizer_init(o, &params, err);
    if (!st)
        weights_copy_flat(w, &alone, o->master);
    return st;
}

void optimizer_deinit(struct optimizer *o)
{
    void *device[] = {o->piece_sum, o->master, o->m, o->v};

    for (size_t i = 0; i < ARRAY_LEN(device); i++)
        if (device[i])
            o->backend->release(o->backend->ctx, device[i]);
    param_set_deinit(&o->params);
    free(o->piece);
    free(o->host_sum);
    memset(o, 0, sizeof(*o));
}

struct step_job {
    struct optimizer *o;
    const float *grad;
    struct adamw_step decay, plain;
};

static void norm_task(void *ctx, int32_t task, int32_t worker)
{
    const struct step_job *j = ctx;
    const struct optimizer_piece *p = &j->o->piece[task];
    const struct lane alone = {0};

    (void)worker;
    j->o->backend->sum_squares(&alone, j->grad + p->first, p->n, &j->o->piece_sum[task]);
}

static void step_task(void *ctx, int32_t task, int32_t worker)
{
    const struct step_job *j = ctx;
    const struct optimizer *o = j->o;
    const struct optimizer_piece *p = &o->piece[task];
    const struct lane alone = {0};

    (void)worker;
    o->backend->adamw(&alone, p->decay ? &j->decay : &j->plain, p->n, j->grad + p->first,
                      o->m + p->first, o->v + p->first, o->master + p->first);
}

/* The norm of the gradient times `scale`. */
static enum status gradient_norm(struct step_job *j, struct pool *pool, double scale, double *norm,
                                 struct error *err)
{
    const struct lane alone = {0};
    const struct optimizer *o = j->o;
    const double *sums;
    double sum = 0;
    enum status st;

    pool_run(pool, o->n_pieces, norm_task, j);
    sums = backend_view(o->backend, &alone, o->piece_sum, o->host_sum,
                        (size_t)o->n_pieces * sizeof(*sums));
    st = o->backend->sync(&alone, err);
    for (int32_t i = 0; i < o->n_pieces && !st; i++)
        sum += sums[i];
    *norm = sqrt(sum) * scale;
    return st;
}

enum status optimizer_step(struct optimizer *o, struct pool *pool, const struct optimizer_step *s,
                           const float *grad, double *norm, struct error *err)
{
    const struct lane alone = {0};
    struct step_job j = {.o = o, .grad = grad};
    double scale = s->scale;
    enum status st = gradient_norm(&j, pool, s->scale, norm, err);

    if (st || !isfinite(*norm))
        return st;
    if (s->clip > 0 && *norm > s->clip)
        scale *= s->clip / *norm;
    o->n_steps++;
    j.plain = (struct adamw_step){.lr = (float)s->lr,
                                  .beta1 = (float)s->beta1,
                                  .beta2 = (float)s->beta2,
                                  .eps = (float)s->eps,
                                  .bias1 = (float)(1.0 - pow(s->beta1, (double)o->n_steps)),
                                  .bias2 = (float)(1.0 - pow(s->beta2, (double)o->n_steps)),
                                  .grad_scale = (float)scale};
    j.decay = j.plain;
    j.decay.weight_decay = (float)s->weight_decay;
    pool_run(pool, o->n_pieces, step_task, &j);
    return o->backend->sync(&alone, err);
}
