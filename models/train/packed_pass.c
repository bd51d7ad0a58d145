/* packed_pass.c - see packed_pass.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/packed_pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/arch_linear.h"
#include "models/train/head_loss.h"
#include "runtime/base/memory.h"

struct packed_pass {
    const struct backend *backend;
    struct packed_pass_shape shape;
    int32_t n_layers;
    size_t half_bytes[2]; /* keys, or values, of one page of one layer, and of their gradient */
    struct kv_layer *kv;  /* (L) */
    float **dk, **dv;     /* (L) training */
    struct rope_tables rope;
    void *scratch, *rounded, *acts, *back_scratch;
    float *hidden, *d_hidden; /* (max_rows, C) */
    int32_t *index;           /* (3 max_rows) host memory */
    struct head_loss head;
};

static size_t half_page_bytes(const struct weights *w, enum dtype dtype)
{
    const struct model_config *c = weights_config(w);

    return weights_backend(w)->kv_half_bytes(c->n_kv_heads, c->head_dim, dtype);
}

int64_t packed_pass_bytes(const struct weights *w, const struct packed_pass_shape *s)
{
    const struct model_config *c = weights_config(w);
    const struct arch *a = weights_arch(w);
    size_t halves = (size_t)row_batch_pages(s->max_rows) * (size_t)c->n_layers * 2;
    size_t total =
        halves * half_page_bytes(w, weights_kv_dtype(w)) + a->scratch_bytes(c, s->max_rows);

    total += linear_rounded_bytes(w, s->max_rows);
    total += 2 * (size_t)s->max_rows * (size_t)c->hidden_size * sizeof(float);
    total += (size_t)rope_tables_bytes(c, s->max_pos);
    total += head_loss_bytes(c, s->max_rows);
    if (s->training)
        total += halves * half_page_bytes(w, DTYPE_F32) +
                 a->acts_bytes(c, s->max_rows, s->recompute) +
                 a->back_scratch_bytes(c, s->max_rows);
    return (int64_t)total;
}

static void *pass_alloc(struct packed_pass *p, size_t bytes, bool *ok)
{
    void *at = p->backend->alloc(p->backend->ctx, bytes);

    *ok = *ok && at;
    return at;
}

static bool alloc_pages(struct packed_pass *p, const struct weights *w)
{
    size_t n = (size_t)row_batch_pages(p->shape.max_rows);
    bool ok = true;

    for (int32_t l = 0; l < p->n_layers; l++) {
        p->kv[l].dtype = weights_kv_dtype(w);
        p->kv[l].k = pass_alloc(p, n * p->half_bytes[0], &ok);
        p->kv[l].v = pass_alloc(p, n * p->half_bytes[0], &ok);
        if (!p->shape.training)
            continue;
        p->dk[l] = pass_alloc(p, n * p->half_bytes[1], &ok);
        p->dv[l] = pass_alloc(p, n * p->half_bytes[1], &ok);
    }
    return ok;
}

static bool alloc_buffers(struct packed_pass *p, const struct weights *w)
{
    const struct model_config *c = weights_config(w);
    const struct arch *a = weights_arch(w);
    int32_t rows = p->shape.max_rows;
    size_t hidden = (size_t)rows * (size_t)c->hidden_size * sizeof(float);
    bool ok = true;

    p->index = mem_alloc((size_t)rows * 3, sizeof(*p->index));
    ok = p->index != NULL;
    p->scratch = pass_alloc(p, a->scratch_bytes(c, rows), &ok);
    if (linear_rounded_bytes(w, rows))
        p->rounded = pass_alloc(p, linear_rounded_bytes(w, rows), &ok);
    p->head.rounded = p->rounded;
    p->hidden = pass_alloc(p, hidden, &ok);
    p->d_hidden = pass_alloc(p, hidden, &ok);
    if (p->shape.training) {
        p->acts = pass_alloc(p, a->acts_bytes(c, rows, p->shape.recompute), &ok);
        p->back_scratch = pass_alloc(p, a->back_scratch_bytes(c, rows), &ok);
    }
    return ok;
}

static enum status check_ops(const struct weights *w, bool training, struct error *err)
{
    const struct backend *b = weights_backend(w);
    enum status st = backend_require(b, OP_BIT(LOGSUMEXP), "the loss", err);

    if (!st && training)
        st = backend_require(b, OP_BIT(SOFTMAX_GRAD) | OP_BIT(MATMUL_DX) | OP_BIT(MATMUL_DW),
                             "the gradient of the loss", err);
    if (!st)
        st = training ? arch_check_training(weights_arch(w), weights_config(w), b, err)
                      : arch_check(weights_arch(w), weights_config(w), b, err);
    if (!st && !half_page_bytes(w, weights_kv_dtype(w)))
        st = error_set(err, STATUS_UNSUPPORTED, "backend %s has no KV cache of type %s", b->name,
                       dtype_name(weights_kv_dtype(w)));
    return st;
}

enum status packed_pass_new(const struct weights *w, const struct packed_pass_shape *shape,
                            struct packed_pass **out, struct error *err)
{
    const struct model_config *c = weights_config(w);
    struct packed_pass *p;
    enum status st = check_ops(w, shape->training, err);

    if (st)
        return st;
    p = xcalloc(1, sizeof(*p));
    p->backend = weights_backend(w);
    p->shape = *shape;
    p->n_layers = c->n_layers;
    p->half_bytes[0] = half_page_bytes(w, weights_kv_dtype(w));
    p->half_bytes[1] = half_page_bytes(w, DTYPE_F32);
    p->kv = xcalloc((size_t)c->n_layers, sizeof(*p->kv));
    p->dk = xcalloc((size_t)c->n_layers, sizeof(*p->dk));
    p->dv = xcalloc((size_t)c->n_layers, sizeof(*p->dv));
    st = rope_tables_init(p->backend, c, shape->max_pos, &p->rope, err);
    if (st)
        goto fail;
    st = head_loss_init(&p->head, w, shape->max_rows, err);
    if (st)
        goto fail;
    if (!alloc_pages(p, w) || !alloc_buffers(p, w)) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a pass of %d rows: %lld bytes",
                       shape->max_rows, (long long)packed_pass_bytes(w, shape));
        goto fail;
    }
    *out = p;
    return STATUS_OK;
fail:
    packed_pass_free(p);
    return st;
}

static void pass_release(struct packed_pass *p, void *at)
{
    if (at)
        p->backend->release(p->backend->ctx, at);
}

void packed_pass_free(struct packed_pass *p)
{
    if (!p)
        return;
    for (int32_t l = 0; l < p->n_layers; l++) {
        pass_release(p, p->kv[l].k);
        pass_release(p, p->kv[l].v);
        pass_release(p, p->dk[l]);
        pass_release(p, p->dv[l]);
    }
    pass_release(p, p->scratch);
    pass_release(p, p->rounded);
    pass_release(p, p->acts);
    pass_release(p, p->back_scratch);
    pass_release(p, p->hidden);
    pass_release(p, p->d_hidden);
    head_loss_deinit(&p->head);
    rope_tables_deinit(&p->rope);
    free(p->index);
    free(p->kv);
    free(p->dk);
    free(p->dv);
    free(p);
}

static void begin(struct packed_pass *p, const struct weights *w, struct lane lane,
                  const struct row_batch *b, struct arch_pass *pass)
{
    assert(b->n_rows <= p->shape.max_rows);
    *pass = (struct arch_pass){
        .weights = w,
        .lane = lane,
        .token = b->token,
        .rows = {.n = b->n_rows, .seq = b->seq, .pos = b->pos, .page = b->page},
        .kv = p->kv,
        .rope = &p->rope,
        .scratch = p->scratch,
        .index = p->index,
        .rounded = p->rounded,
        .out_row = b->out_row,
        .n_out = b->n_out,
        .hidden = p->hidden,
    };
}

enum status packed_pass_forward(struct packed_pass *p, const struct weights *w, struct lane lane,
                                const struct row_batch *b, float temperature,
                                const struct head_output *out, struct error *err)
{
    struct arch_pass pass;
    struct head_rows rows = {
        .n = b->n_out, .hidden = p->hidden, .target = b->target, .temperature = temperature};

    begin(p, w, lane, b, &pass);
    weights_arch(w)->forward(&pass);
    head_loss_forward(&p->head, w, &lane, &rows, out);
    return p->backend->sync(&lane, err);
}

enum status packed_pass_train(struct packed_pass *p, const struct weights *w, struct lane lane,
                              const struct row_batch *b, float temperature, const float *coef,
                              const struct head_output *out, float *grad, struct error *err)
{
    const struct arch *a = weights_arch(w);
    struct arch_pass pass;
    struct head_rows rows = {.n = b->n_out,
                             .hidden = p->hidden,
                             .target = b->target,
                             .temperature = temperature,
                             .coef = coef,
                             .d_hidden = p->d_hidden,
                             .grad = grad + weights_flat_offset(w, a->head(weights_config(w)))};
    size_t used = (size_t)b->n_pages * p->half_bytes[1];

    assert(p->shape.training);
    begin(p, w, lane, b, &pass);
    pass.acts = p->acts;
    pass.recompute = p->shape.recompute;
    a->forward(&pass);
    head_loss_forward(&p->head, w, &lane, &rows, out);
    if (!b->n_out)
        return p->backend->sync(&lane, err);
    for (int32_t l = 0; l < p->n_layers; l++) {
        p->backend->zero(&lane, p->dk[l], used);
        p->backend->zero(&lane, p->dv[l], used);
    }
    a->backward(&pass, p->d_hidden, p->dk, p->dv, p->back_scratch, grad);
    return p->backend->sync(&lane, err);
}
