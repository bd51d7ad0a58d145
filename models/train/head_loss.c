/* head_loss.c - see head_loss.h.
 *
 * Chunks are of rows, not of the vocabulary: the log-sum-exp of a row must be the same op over all
 * columns as in the sampler. A chunk is as small as is efficient for the product (the head's panels
 * are read once a chunk), so a chunk of a small model stays in the cache and one of a large
 * vocabulary (64 x 152k) takes 39 MB instead of 2.5 GB for 4k rows.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/head_loss.h"

#include <stdlib.h>
#include <string.h>

#include "models/arch/arch_linear.h"
#include "models/train/packed_pass.h"
#include "runtime/base/memory.h"

#define CHUNK_BYTES    (256 * 1024)
#define CHUNK_MIN_ROWS 64

static int32_t chunk_rows(const struct model_config *c, int32_t max_rows)
{
    int64_t n = CHUNK_BYTES / ((int64_t)c->vocab_size * 4);

    n = n < CHUNK_MIN_ROWS ? CHUNK_MIN_ROWS : n;
    return n < max_rows ? (int32_t)n : max_rows;
}

size_t head_loss_bytes(const struct model_config *c, int32_t max_rows)
{
    const size_t tables = c->logit_softcap != 0 ? 2 : 1;

    return (size_t)chunk_rows(c, max_rows) * (tables * (size_t)c->vocab_size + 3) * sizeof(float);
}

enum status head_loss_init(struct head_loss *h, const struct weights *w, int32_t max_rows,
                           struct error *err)
{
    const struct model_config *c = weights_config(w);
    size_t n, bytes = head_loss_bytes(c, max_rows);

    h->backend = weights_backend(w);
    h->max_chunk = chunk_rows(c, max_rows);
    n = (size_t)h->max_chunk;
    h->logits = h->backend->alloc(h->backend->ctx, bytes);
    if (!h->logits)
        return error_set(err, STATUS_NO_MEMORY, "no memory for logits: %zu bytes", bytes);
    h->lse = h->logits + n * (size_t)c->vocab_size;
    h->inv_temperature = h->lse + n;
    h->coef = h->inv_temperature + n;
    h->slope = c->logit_softcap != 0 ? h->coef + n : NULL;
    h->host_lse = mem_alloc(n, 2 * sizeof(float));
    if (!h->backend->host_memory)
        h->host_logits = mem_alloc(n * (size_t)c->vocab_size, sizeof(float));
    if (!h->host_lse || (!h->host_logits && !h->backend->host_memory))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a copy of logits");
    h->host_row = h->host_lse + n;
    return STATUS_OK;
}

void head_loss_deinit(struct head_loss *h)
{
    if (h->logits)
        h->backend->release(h->backend->ctx, h->logits);
    free(h->host_logits);
    free(h->host_lse);
    memset(h, 0, sizeof(*h));
}

static int32_t row_argmax(const float *logits, int32_t V)
{
    int32_t best = 0;

    for (int32_t v = 1; v < V; v++)
        if (logits[v] > logits[best])
            best = v;
    return best;
}

static void report(const struct head_loss *h, const struct lane *l, const struct head_rows *rows,
                   int32_t first, int32_t n, int32_t V, const struct head_output *out)
{
    const struct backend *b = h->backend;
    size_t bytes = (size_t)n * (size_t)V * sizeof(float);
    const float inv_temperature = 1.0f / rows->temperature;
    const float *logits = backend_view(b, l, h->logits, h->host_logits, bytes);
    const float *lse = backend_view(b, l, h->lse, h->host_lse, (size_t)n * sizeof(float));

    if (out->logits)
        memcpy(out->logits + (size_t)first * (size_t)V, logits, bytes);
    for (int32_t i = 0; i < n; i++, logits += V) {
        if (out->logp)
            out->logp[first + i] = logits[rows->target[first + i]] * inv_temperature - lse[i];
        if (out->argmax)
            out->argmax[first + i] = row_argmax(logits, V);
    }
}

/* to (n) in backend memory = values that the host has in host_row. */
static void send_rows(const struct head_loss *h, const struct lane *l, int32_t n, float *to)
{
    h->backend->upload(l, to, h->host_row, (size_t)n * sizeof(float));
}

static void chunk_back(struct head_loss *h, const struct weights *w, const struct lane *l,
                       const struct head_rows *rows, int32_t first, int32_t n,
                       const struct head_output *out)
{
    const struct backend *b = h->backend;
    int32_t head = weights_arch(w)->head(weights_config(w));
    int32_t V = weights_config(w)->vocab_size, C = weights_config(w)->hidden_size;
    size_t at = (size_t)first * (size_t)C;

    for (int32_t i = 0; i < n; i++)
        h->host_row[i] = rows->coef ? rows->coef[first + i] : 1.0f;
    if (out->weigh)
        out->weigh(out->ctx, first, n, out->logp + first, h->host_row);
    send_rows(h, l, n, h->coef);
    b->softmax_grad(l, h->logits, V, n, 0, V, rows->target + first, h->inv_temperature, h->lse,
                    h->coef);
    if (h->slope)
        b->softcap_back(l, h->slope, n, V, h->logits, V);
    linear_backward(w, l, head, h->logits, V, rows->hidden + at, n, 0.0f, rows->d_hidden + at,
                    rows->grad);
}

void head_loss_forward(struct head_loss *h, const struct weights *w, const struct lane *l,
                       const struct head_rows *rows, const struct head_output *out)
{
    const struct backend *b = h->backend;
    int32_t V = weights_config(w)->vocab_size, C = weights_config(w)->hidden_size;

    for (int32_t i = 0; i < h->max_chunk; i++)
        h->host_row[i] = 1.0f / rows->temperature;
    send_rows(h, l, h->max_chunk, h->inv_temperature);
    for (int32_t first = 0; first < rows->n; first += h->max_chunk) {
        int32_t n = rows->n - first < h->max_chunk ? rows->n - first : h->max_chunk;

        struct linear_input in = {.x = rows->hidden + (size_t)first * (size_t)C,
                                  .ld = C,
                                  .R = n,
                                  .n_in = C,
                                  .rounded = h->rounded};

        arch_logits(w, l, &in, h->logits, rows->grad ? h->slope : NULL);
        b->logsumexp(l, h->logits, V, n, V, h->inv_temperature, h->lse);
        report(h, l, rows, first, n, V, out);
        if (rows->grad)
            chunk_back(h, w, l, rows, first, n, out);
    }
}
