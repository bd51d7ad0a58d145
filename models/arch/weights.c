/* weights.c - the object that holds one version of the tensors: shapes, references, flat copies.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/weights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/weights_packed.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"

#define WEIGHTS_ALIGN ((size_t)64)

static size_t align_up(size_t n)
{
    return (n + WEIGHTS_ALIGN - 1) & ~(WEIGHTS_ALIGN - 1);
}

static int64_t tensor_elements(const struct weight_tensor *t)
{
    return (int64_t)t->m.n_out * t->m.n_in;
}

enum status weights_new(const struct backend *b, const struct arch *a, const struct model_config *c,
                        struct weights **out, struct error *err)
{
    struct weights *w = xcalloc(1, sizeof(*w));
    int32_t n = a->n_tensors(c);

    pthread_mutex_init(&w->lock, NULL);
    atomic_init(&w->refs, 1);
    w->kv_dtype = DTYPE_N;
    w->backend = b;
    w->arch = a;
    w->config = *c;
    w->n = n;
    w->tensor = mem_alloc((size_t)n, sizeof(*w->tensor));
    w->shape = mem_alloc((size_t)n, sizeof(*w->shape));
    w->offset = mem_alloc((size_t)n + 1, sizeof(*w->offset));
    if (!w->tensor || !w->shape || !w->offset) {
        weights_unref(w);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d tensors", n);
    }
    for (int32_t i = 0; i < n; i++) {
        struct weight_tensor *t = &w->tensor[i];

        a->tensor(c, i, &w->shape[i]);
        t->name = w->shape[i].name;
        t->m.n_out = w->shape[i].rows;
        t->m.n_in = w->shape[i].cols;
        t->m.dtype = DTYPE_F32;
        t->is_product = w->shape[i].is_product;
        w->offset[i + 1] = w->offset[i] + tensor_elements(t);
    }
    *out = w;
    return STATUS_OK;
}

bool weights_is_vector(const struct weights *w, int32_t i)
{
    return w->shape[i].rows == 1 && !w->shape[i].is_product;
}

size_t weights_rows_bytes(const struct weights *w, int32_t i)
{
    const struct weight_tensor *t = &w->tensor[i];

    return align_up(dtype_row_bytes(t->m.dtype, tensor_elements(t)));
}

void weights_measure(struct weights *w)
{
    w->panels_bytes = 0;
    for (int32_t i = 0; i < w->n; i++)
        if (w->tensor[i].is_product)
            w->panels_bytes += align_up(w->backend->panels_bytes(&w->tensor[i].m));
}

enum status weights_alloc(struct weights *w, size_t rows_bytes, struct error *err)
{
    const struct backend *b = w->backend;
    const char *at = NULL;

    w->rows_bytes = rows_bytes;
    w->rows = b->alloc(b->ctx, rows_bytes ? rows_bytes : WEIGHTS_ALIGN);
    if (w->packed)
        at = weights_packed_panels(w);
    else
        at = w->panels = b->alloc(b->ctx, w->panels_bytes ? w->panels_bytes : WEIGHTS_ALIGN);
    if (!w->rows || !at)
        return error_set(err, STATUS_NO_MEMORY,
                         "no memory for weights: %zu bytes of rows, %zu of panels", rows_bytes,
                         w->panels_bytes);
    for (int32_t i = 0; i < w->n; i++) {
        if (!w->tensor[i].is_product)
            continue;
        w->tensor[i].m.panels = at;
        at += align_up(b->panels_bytes(&w->tensor[i].m));
    }
    return STATUS_OK;
}

/* Packs every product; all of them have rows. */
static void weights_pack(struct weights *w, const struct lane *l)
{
    char *base = w->panels;

    for (int32_t i = 0; i < w->n; i++) {
        const struct matrix *m = &w->tensor[i].m;

        if (w->tensor[i].is_product)
            w->backend->pack(l, m, base + ((const char *)m->panels - base));
    }
}

struct weights *weights_ref(struct weights *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void weights_unref(struct weights *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (w->rows)
        w->backend->release(w->backend->ctx, w->rows);
    if (w->panels)
        w->backend->release(w->backend->ctx, w->panels);
    mapped_file_close(w->packed);
    tensor_file_close(w->checkpoint);
    pthread_mutex_destroy(&w->lock);
    free(w->source);
    free(w->tensor);
    free(w->shape);
    free(w->offset);
    free(w);
}

/* Rounding is done by the host, in pieces through small buffers, so that it needs no second copy.
 */
static void store_values(struct weights *w, const struct lane *l, int32_t i, const float *from)
{
    enum { PIECE = 4096 };
    const struct backend *b = w->backend;
    const struct matrix *m = &w->tensor[i].m;
    char *to = (char *)w->rows + ((const char *)m->rows - (const char *)w->rows);
    int64_t n = tensor_elements(&w->tensor[i]);
    float wide[PIECE], piece[PIECE];

    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t count = n - at < PIECE ? n - at : PIECE;

        dtype_info(m->dtype)->from_f32(
            backend_view(b, l, from + at, wide, (size_t)count * sizeof(float)), count, piece);
        b->upload(l, to + dtype_row_bytes(m->dtype, at), piece, dtype_row_bytes(m->dtype, count));
    }
}

enum status weights_set_flat(struct weights *w, const struct lane *l, const float *flat,
                             int64_t version, struct error *err)
{
    assert(w->owns_all_rows && atomic_load(&w->refs) == 1);
    for (int32_t i = 0; i < w->n; i++)
        store_values(w, l, i, flat + w->offset[i]);
    weights_pack(w, l);
    w->version = version;
    w->hashed = false;
    return w->backend->sync(l, err);
}

enum status weights_check_trainable(const struct weights *w, struct error *err)
{
    for (int32_t i = 0; i < w->n; i++) {
        enum dtype t = w->tensor[i].m.dtype;

        if (dtype_is_plain(t))
            continue;
        (void)error_set(err, STATUS_UNSUPPORTED,
                        "the weights cannot be trained: tensor \"%s\" is quantised (%s)",
                        w->tensor[i].name, dtype_name(t));
        error_hint(err, "--weight-type f32 (or bf16) widens the weights of the model, which can "
                        "then be trained");
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

enum status weights_from_flat(const struct weights *like, const float *flat, int64_t version,
                              struct weights **out, struct error *err)
{
    const struct lane alone = {0};
    struct weights *w = NULL;
    size_t total = 0;
    char *at;
    enum status st = weights_check_trainable(like, err);

    if (!st)
        st = weights_new(like->backend, like->arch, &like->config, &w, err);
    if (st)
        return st;
    for (int32_t i = 0; i < w->n; i++) {
        w->tensor[i].m.dtype = like->tensor[i].m.dtype;
        total += weights_rows_bytes(w, i);
    }
    weights_measure(w);
    st = weights_alloc(w, total, err);
    if (st)
        goto fail;
    at = w->rows;
    for (int32_t i = 0; i < w->n; i++) {
        w->tensor[i].m.rows = at;
        at += weights_rows_bytes(w, i);
    }
    w->owns_all_rows = true;
    w->kv_dtype = like->kv_dtype;
    st = weights_set_flat(w, &alone, flat, version, err);
    if (st)
        goto fail;
    *out = w;
    return STATUS_OK;
fail:
    weights_unref(w);
    return st;
}

/* `on`: where flat is backend memory; NULL: host memory. */
static void to_flat(const struct weights *w, const struct lane *l, const struct backend *on,
                    float *flat)
{
    enum { PIECE = 4096 };
    const struct backend *b = w->backend;
    float piece[PIECE], wide[PIECE];

    for (int32_t i = 0; i < w->n; i++) {
        const struct matrix *m = &w->tensor[i].m;
        int64_t n = tensor_elements(&w->tensor[i]);
        float *to = flat + w->offset[i];

        for (int64_t at = 0; at < n; at += PIECE) {
            int64_t count = n - at < PIECE ? n - at : PIECE;

            if (m->rows) {
                b->download(l, piece, (const char *)m->rows + dtype_row_bytes(m->dtype, at),
                            dtype_row_bytes(m->dtype, count));
                dtype_info(m->dtype)->to_f32(piece, count, on ? wide : to + at);
            } else {
                file_tensor_to_f32(w->source[i], (int64_t)w->shape[i].first_row * m->n_in + at,
                                   count, on ? wide : to + at);
            }
            if (on)
                on->upload(l, to + at, wide, (size_t)count * sizeof(float));
        }
    }
}

void weights_to_flat(const struct weights *w, float *flat)
{
    to_flat(w, &(const struct lane){0}, NULL, flat);
}

void weights_copy_flat(const struct weights *w, const struct lane *l, float *flat)
{
    to_flat(w, l, w->backend, flat);
}

/* Names, shapes and bytes, tensor by tensor: the same values in the same dtypes have the same hash,
 * whether loaded or trained. */
void weights_hash_tensor(const struct weights *w, int32_t i, struct hasher *h)
{
    enum { PIECE = 1 << 14 };
    const struct backend *b = w->backend;
    const struct lane alone = {0};
    const struct matrix *m = &w->tensor[i].m;
    size_t bytes = dtype_row_bytes(m->dtype, tensor_elements(&w->tensor[i]));
    int32_t shape[3] = {m->n_out, m->n_in, (int32_t)m->dtype};
    char piece[PIECE];

    hasher_add(h, w->tensor[i].name, strlen(w->tensor[i].name) + 1);
    hasher_add(h, shape, sizeof(shape));
    for (int32_t r = 0; !m->rows && r < m->n_out; r++)
        hasher_add(h, file_tensor_row(w->source[i], w->shape[i].first_row + r),
                   dtype_row_bytes(m->dtype, m->n_in));
    for (size_t at = 0; m->rows && at < bytes; at += PIECE) {
        size_t count = bytes - at < PIECE ? bytes - at : PIECE;

        b->download(&alone, piece, (const char *)m->rows + at, count);
        hasher_add(h, piece, count);
    }
}

static struct sha256 hash_tensors(const struct weights *w)
{
    struct hasher *h = hasher_new();

    for (int32_t i = 0; i < w->n; i++)
        weights_hash_tensor(w, i, h);
    return hasher_finish(h);
}

const struct sha256 *weights_hash(const struct weights *w)
{
    struct weights *self = (struct weights *)(uintptr_t)w; /* a cache: not part of the value */

    pthread_mutex_lock(&self->lock);
    if (!self->hashed) {
        self->hash = hash_tensors(w);
        self->hashed = true;
    }
    pthread_mutex_unlock(&self->lock);
    return &self->hash;
}

bool weights_are_cut(const struct weights *w)
{
    return (w->checkpoint && tensor_file_is_cut(w->checkpoint)) ||
           (w->packed && mapped_file_is_cut(w->packed));
}

int64_t weights_version(const struct weights *w)
{
    return w->version;
}

const struct model_config *weights_config(const struct weights *w)
{
    return &w->config;
}

const struct arch *weights_arch(const struct weights *w)
{
    return w->arch;
}

enum dtype weights_kv_dtype(const struct weights *w)
{
    int32_t head = w->arch->head(&w->config);

    if (w->kv_dtype != DTYPE_N)
        return w->kv_dtype;
    return weights_at(w, head)->m.dtype == DTYPE_F32 ? DTYPE_F32 : DTYPE_BF16;
}

int32_t weights_rounded_inputs(const struct weights *w)
{
    int32_t widest = 0;

    for (int32_t i = 0; i < w->n; i++) {
        const struct weight_tensor *t = &w->tensor[i];

        if (t->is_product && !dtype_is_plain(t->m.dtype) && t->m.n_in > widest)
            widest = t->m.n_in;
    }
    return widest;
}

void weights_set_kv_dtype(struct weights *w, enum dtype t)
{
    w->kv_dtype = t;
}

bool weights_kv_is_asked(const struct weights *w)
{
    return w->kv_dtype != DTYPE_N;
}

const struct backend *weights_backend(const struct weights *w)
{
    return w->backend;
}

int32_t weights_n(const struct weights *w)
{
    return w->n;
}

const struct weight_tensor *weights_at(const struct weights *w, int32_t i)
{
    assert(i >= 0 && i < w->n);
    return &w->tensor[i];
}

const struct arch_tensor *weights_shape(const struct weights *w, int32_t i)
{
    assert(i >= 0 && i < w->n);
    return &w->shape[i];
}

int64_t weights_n_params(const struct weights *w)
{
    return w->offset[w->n];
}

int64_t weights_bytes(const struct weights *w)
{
    return (int64_t)(w->panels_bytes + w->rows_bytes);
}

int64_t weights_flat_offset(const struct weights *w, int32_t i)
{
    assert(i >= 0 && i <= w->n);
    return w->offset[i];
}
