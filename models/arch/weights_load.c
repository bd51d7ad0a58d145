/* weights_load.c - the first version of the tensors: from a checkpoint, or random.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/weights.h"
#include "models/arch/weights_packed.h"
#include "models/formats/model_check.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

/* The name of the tensor that a file has tensor i in. */
static const char *stored_name(const struct weights *w, int32_t i)
{
    const struct arch_tensor *s = &w->shape[i];

    return s->stored[0] ? s->stored : s->name;
}

static enum status refuse_extra(const struct weights *w, const struct tensor_file *st,
                                struct error *err)
{
    for (int32_t i = 0; i < tensor_file_count(st); i++) {
        const struct file_tensor *t = tensor_file_at(st, i);
        bool known = model_ignores_tensor(&w->config, t->name);

        for (int32_t j = 0; j < w->n && !known; j++)
            known = strcmp(stored_name(w, j), t->name) == 0;
        if (!known) {
            error_at(err, STATUS_UNSUPPORTED, t->file, 0, 0, "tensor \"%s\" is not part of %s",
                     t->name, w->config.architecture);
            error_hint(err, "config.json may name a different architecture than the weights");
            return STATUS_UNSUPPORTED;
        }
    }
    return STATUS_OK;
}

/* What products compute from: weights_load. */
static enum dtype held_dtype(const struct backend *b, enum dtype stored, enum dtype asked)
{
    struct matrix block = {.n_out = 1, .n_in = dtype_info(stored)->block, .dtype = stored};

    if (asked != DTYPE_N)
        return asked;
    return dtype_is_plain(stored) || (b->matmul_q && b->panels_bytes(&block) > 0) ? stored
                                                                                  : DTYPE_F32;
}

/* What a file leaves out of the values of tensor i. */
static float missing_offset(const struct weights *w, int32_t i)
{
    return w->norms_whole ? 0.0f : w->shape[i].offset;
}

/* Where the rows of tensor i begin in the mapped file. */
static const void *lent_rows(const struct weights *w, int32_t i)
{
    const int64_t before = (int64_t)w->shape[i].first_row * w->tensor[i].m.n_in;

    return (const char *)w->source[i]->data + dtype_row_bytes(w->source[i]->dtype, before);
}

/* Rows may stay there when ops can read them: host memory, the right dtype, order and values,
 * aligned. Vectors are read as float by the ops. */
static bool can_lend(const struct weights *w, int32_t i)
{
    const struct file_tensor *t = w->source[i];
    const enum dtype dtype = w->tensor[i].m.dtype;
    const size_t align = dtype_is_plain(dtype) ? dtype_size(dtype) : 1;

    return w->backend->host_memory && t->dtype == dtype && !t->paired_heads &&
           missing_offset(w, i) == 0.0f && (uintptr_t)lent_rows(w, i) % align == 0;
}

/* A quantised product needs its rows only while it is packed, unless it is the embedding too. */
static bool keeps_rows(const struct weights *w, int32_t i)
{
    return i == 0 || !w->tensor[i].is_product || dtype_is_plain(w->tensor[i].m.dtype);
}

/* Bytes that tensor i takes in the block of rows. */
static size_t copied_bytes(const struct weights *w, int32_t i)
{
    return keeps_rows(w, i) && !can_lend(w, i) ? weights_rows_bytes(w, i) : 0;
}

/* Finds every tensor in `files` and decides how it is held. */
static enum status find_all(struct weights *w, const struct tensor_file *files, enum dtype dtype,
                            struct error *err)
{
    w->source = mem_alloc((size_t)w->n, sizeof(*w->source));
    if (!w->source)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d tensors", w->n);
    w->norms_whole = tensor_file_norms_whole(files);
    for (int32_t i = 0; i < w->n; i++) {
        struct matrix *m = &w->tensor[i].m;
        bool vector = weights_is_vector(w, i);
        int64_t rows = w->shape[i].stored[0] ? w->shape[i].stored_rows : m->n_out;
        int64_t shape[2] = {rows, m->n_in};
        enum status st = tensor_file_require(files, stored_name(w, i), vector ? 1 : 2,
                                             vector ? shape + 1 : shape, &w->source[i], err);

        if (st)
            return st;
        m->dtype = vector ? DTYPE_F32 : held_dtype(w->backend, w->source[i]->dtype, dtype);
    }
    return refuse_extra(w, files, err);
}

/* Widens, then rounds where the dtype differs, a piece at a time. */
static void copy_values(struct weights *w, int32_t i, char *to)
{
    enum { PIECE = 4096 };
    const struct backend *b = w->backend;
    const struct lane alone = {0};
    enum dtype dtype = w->tensor[i].m.dtype;
    const struct matrix *m = &w->tensor[i].m;
    const int64_t first = (int64_t)w->shape[i].first_row * m->n_in;
    const int64_t total = (int64_t)m->n_out * m->n_in;
    const float offset = missing_offset(w, i);
    float wide[PIECE];
    float held[PIECE];

    for (int64_t at = 0; at < total; at += PIECE) {
        int64_t n = total - at < PIECE ? total - at : PIECE;

        file_tensor_to_f32(w->source[i], first + at, n, wide);
        for (int64_t j = 0; j < n && offset != 0.0f; j++)
            wide[j] += offset;
        dtype_info(dtype)->from_f32(wide, n, held);
        b->upload(&alone, to + dtype_row_bytes(dtype, at), held, dtype_row_bytes(dtype, n));
    }
}

static void copy_rows(struct weights *w, int32_t i, char *to)
{
    const struct backend *b = w->backend;
    const struct lane alone = {0};
    const struct matrix *m = &w->tensor[i].m;

    if (w->source[i]->dtype != m->dtype || weights_is_vector(w, i)) {
        copy_values(w, i, to);
        return;
    }
    for (int32_t r = 0; r < m->n_out; r++) {
        size_t bytes = dtype_row_bytes(m->dtype, m->n_in);

        b->upload(&alone, to + (size_t)r * bytes,
                  file_tensor_row(w->source[i], w->shape[i].first_row + r), bytes);
    }
}

/* From rows that are there only meanwhile, when m.rows is NULL. */
static enum status pack_product(struct weights *w, const struct lane *l, int32_t i,
                                struct error *err)
{
    const struct backend *b = w->backend;
    struct matrix m = w->tensor[i].m;
    void *rows = NULL;
    char *base = w->panels;

    if (!m.rows && can_lend(w, i)) {
        m.rows = lent_rows(w, i);
    } else if (!m.rows) {
        rows = b->alloc(b->ctx, weights_rows_bytes(w, i));
        if (!rows)
            return error_set(err, STATUS_NO_MEMORY, "no memory to pack tensor \"%s\": %zu bytes",
                             w->tensor[i].name, weights_rows_bytes(w, i));
        copy_rows(w, i, rows);
        m.rows = rows;
    }
    b->pack(l, &m, base + ((const char *)m.panels - base));
    mapped_file_drop(lent_rows(w, i),
                     dtype_row_bytes(w->source[i]->dtype, (int64_t)m.n_out * m.n_in));
    if (rows) {
        enum status st = b->sync(l, err);

        b->release(b->ctx, rows);
        return st;
    }
    return STATUS_OK;
}

/* Each tensor is read once: for its hash, its panels and what stays of its rows. */
static enum status take_values(struct weights *w, struct error *err)
{
    const struct lane alone = {0};
    struct hasher *h = w->hashed ? NULL : hasher_new();
    char *at = w->rows;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < w->n && !st; i++) {
        if (copied_bytes(w, i) > 0) {
            copy_rows(w, i, at);
            w->tensor[i].m.rows = at;
            at += weights_rows_bytes(w, i);
        } else if (keeps_rows(w, i)) {
            w->tensor[i].m.rows = lent_rows(w, i);
        }
        if (h)
            weights_hash_tensor(w, i, h);
        if (w->tensor[i].is_product && !w->packed)
            st = pack_product(w, &alone, i, err);
    }
    if (h) {
        w->hash = hasher_finish(h);
        w->hashed = !st;
    }
    return st;
}

static enum status load_values(struct weights *w, const struct weights_cache *cache,
                               struct error *err)
{
    const struct lane alone = {0};
    size_t total = 0;
    bool known;
    enum status st;

    for (int32_t i = 0; i < w->n; i++)
        total += copied_bytes(w, i);
    weights_measure(w);
    known = cache && weights_packed_find(w, cache);
    st = weights_alloc(w, total, err);
    if (!st)
        st = take_values(w, err);
    if (!st)
        st = w->backend->sync(&alone, err);
    if (!st)
        st = tensor_file_check_whole(w->checkpoint, err);
    if (!st && cache && !(known && w->packed))
        weights_packed_store(w, cache);
    return st;
}

enum status weights_load_cached(const struct backend *b, const struct arch *a,
                                const struct model_config *c, struct tensor_file *adopt,
                                enum dtype dtype, const struct weights_cache *cache,
                                struct weights **out, struct error *err)
{
    struct weights *w = NULL;
    enum status st = arch_check(a, c, b, err);

    if (!st)
        st = weights_new(b, a, c, &w, err);
    if (st) {
        tensor_file_close(adopt);
        return st;
    }
    w->checkpoint = adopt;
    st = find_all(w, adopt, dtype, err);
    if (!st)
        st = load_values(w, b->host_memory ? cache : NULL, err);
    if (st) {
        weights_unref(w);
        return st;
    }
    *out = w;
    return STATUS_OK;
}

enum status weights_load(const struct backend *b, const struct arch *a,
                         const struct model_config *c, struct tensor_file *adopt, enum dtype dtype,
                         struct weights **out, struct error *err)
{
    return weights_load_cached(b, a, c, adopt, dtype, NULL, out, err);
}

/* ---- the plan of a load */

static void plan_tensor(const struct weights *w, int32_t i, enum dtype asked,
                        struct weights_plan *p)
{
    const struct weight_tensor *t = &w->tensor[i];
    const enum dtype stored = w->source ? w->source[i]->dtype : w->config.dtype;
    int64_t bytes = 0;

    if (t->is_product)
        bytes += (int64_t)w->backend->panels_bytes(&t->m);
    /* Rows in the file take memory as they are read: those of a product once, then no more. */
    if (!w->source || copied_bytes(w, i) > 0 || (keeps_rows(w, i) && (i == 0 || !t->is_product)))
        bytes += (int64_t)weights_rows_bytes(w, i);
    p->bytes += bytes;
    if (!dtype_is_plain(t->m.dtype) && t->is_product && t->m.n_in > p->rounded_inputs)
        p->rounded_inputs = t->m.n_in;
    if (asked != DTYPE_N || weights_is_vector(w, i) || dtype_is_plain(stored) ||
        t->m.dtype == stored)
        return;
    p->widened_bytes += bytes;
    if (p->widened == DTYPE_N)
        p->widened = stored;
}

enum status weights_plan(const struct backend *b, const struct arch *a,
                         const struct model_config *c, const struct tensor_file *files,
                         enum dtype dtype, struct weights_plan *out, struct error *err)
{
    struct weights_plan p = {.widened = DTYPE_N};
    struct weights *w = NULL;
    enum status st = weights_new(b, a, c, &w, err);

    if (st)
        return st;
    if (files)
        st = find_all(w, files, dtype, err);
    for (int32_t i = 0; i < w->n && !st; i++) {
        if (!files && !weights_is_vector(w, i))
            w->tensor[i].m.dtype = held_dtype(b, c->dtype, dtype);
        plan_tensor(w, i, dtype, &p);
    }
    p.kv_dtype = weights_kv_dtype(w);
    weights_unref(w);
    if (!st)
        *out = p;
    return st;
}

/* Two normal numbers from one Philox block (Box and Muller 1958), in double; the element's index
 * is the counter, so that no value depends on another's. */
static void fill_normal(uint64_t seed, uint32_t stream, double std, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i += 2) {
        uint64_t pair = (uint64_t)i / 2;
        struct rng_block r = rng_philox(seed, (uint32_t)pair, (uint32_t)(pair >> 32), stream, 0);
        double u = 1.0 - rng_unit_double(r.word[0], r.word[1]); /* in (0, 1] */
        double angle = 6.283185307179586 * rng_unit_double(r.word[2], r.word[3]);
        double radius = std * sqrt(-2.0 * log(u));

        out[i] = (float)(radius * cos(angle));
        if (i + 1 < n)
            out[i + 1] = (float)(radius * sin(angle));
    }
}

/* weights_from_flat of values in host memory. */
static enum status from_host(const struct weights *shapes, const float *flat, struct weights **out,
                             struct error *err)
{
    const struct backend *b = shapes->backend;
    const struct lane alone = {0};
    size_t bytes = (size_t)weights_n_params(shapes) * sizeof(float);
    enum status st;
    float *there;

    if (b->host_memory)
        return weights_from_flat(shapes, flat, 0, out, err);
    there = b->alloc(b->ctx, bytes);
    if (!there)
        return error_set(err, STATUS_NO_MEMORY, "no memory for initial weights: %zu bytes", bytes);
    b->upload(&alone, there, flat, bytes);
    st = weights_from_flat(shapes, there, 0, out, err);
    b->release(b->ctx, there);
    return st;
}

enum status weights_init(const struct backend *b, const struct arch *a,
                         const struct model_config *c, uint64_t seed, struct weights **out,
                         struct error *err)
{
    struct weights *shapes = NULL;
    float *flat = NULL;
    enum status st = arch_check(a, c, b, err);

    if (st)
        return st;
    st = weights_new(b, a, c, &shapes, err);
    if (st)
        return st;
    flat = mem_aligned_alloc((size_t)weights_n_params(shapes), sizeof(float));
    if (!flat) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory for %lld initial weights",
                       (long long)weights_n_params(shapes));
        goto out;
    }
    for (int32_t i = 0; i < shapes->n; i++) {
        float *to = flat + shapes->offset[i];
        int64_t n = shapes->offset[i + 1] - shapes->offset[i];

        if (shapes->shape[i].init <= 0.0f)
            for (int64_t j = 0; j < n; j++)
                to[j] = shapes->shape[i].init == ARCH_INIT_ONES ? 1.0f : 0.0f;
        else
            fill_normal(seed, (uint32_t)i, c->initializer_range * (double)shapes->shape[i].init, to,
                        n);
    }
    st = from_host(shapes, flat, out, err);
out:
    mem_aligned_free(flat);
    weights_unref(shapes);
    return st;
}
