/* weights_load.c - the first version of the tensors: from a checkpoint, or random.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/weights.h"
#include "models/arch/weights_impl.h"
#include "models/formats/model_check.h"
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

enum dtype weights_held_dtype(enum dtype stored, enum dtype asked)
{
    if (asked != DTYPE_N)
        return asked;
    return dtype_is_plain(stored) ? stored : DTYPE_F32;
}

/* What a file leaves out of the values of tensor i. */
static float missing_offset(const struct weights *w, int32_t i)
{
    return tensor_file_norms_whole(w->checkpoint) ? 0.0f : w->shape[i].offset;
}

/* Where the rows of tensor i begin in the mapped file. */
static const void *lent_rows(const struct weights *w, int32_t i, const struct file_tensor *t)
{
    const int64_t before = (int64_t)w->shape[i].first_row * w->tensor[i].m.n_in;

    return (const char *)t->data + dtype_row_bytes(t->dtype, before);
}

/* Rows may stay there when ops can read them: host memory, the right dtype, order and values,
 * aligned. Vectors are read as float by the ops. */
static bool can_lend(const struct weights *w, int32_t i, const struct file_tensor *t)
{
    const enum dtype dtype = w->tensor[i].m.dtype;

    return w->backend->host_memory && t->dtype == dtype && !t->paired_heads &&
           missing_offset(w, i) == 0.0f && (uintptr_t)lent_rows(w, i, t) % dtype_size(dtype) == 0;
}

static enum status find_all(struct weights *w, enum dtype dtype, const struct file_tensor **found,
                            struct error *err)
{
    for (int32_t i = 0; i < w->n; i++) {
        struct matrix *m = &w->tensor[i].m;
        bool vector = w->shape[i].rows == 1 && !w->shape[i].is_product;
        int64_t rows = w->shape[i].stored[0] ? w->shape[i].stored_rows : m->n_out;
        int64_t shape[2] = {rows, m->n_in};
        enum status st = tensor_file_require(w->checkpoint, stored_name(w, i), vector ? 1 : 2,
                                             vector ? shape + 1 : shape, &found[i], err);

        if (st)
            return st;
        m->dtype = vector ? DTYPE_F32 : weights_held_dtype(found[i]->dtype, dtype);
    }
    return refuse_extra(w, w->checkpoint, err);
}

/* Widens, then rounds where the dtype differs, a piece at a time. */
static void copy_rows(struct weights *w, int32_t i, const struct file_tensor *t, char *to)
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

        file_tensor_to_f32(t, first + at, n, wide);
        for (int64_t j = 0; j < n && offset != 0.0f; j++)
            wide[j] += offset;
        dtype_info(dtype)->from_f32(wide, n, held);
        b->upload(&alone, to + dtype_row_bytes(dtype, at), held, dtype_row_bytes(dtype, n));
    }
}

static enum status take_values(struct weights *w, const struct file_tensor *const *found,
                               struct error *err)
{
    const struct lane alone = {0};
    size_t total = 0;
    char *at;
    enum status st;

    for (int32_t i = 0; i < w->n; i++)
        if (!can_lend(w, i, found[i]))
            total += weights_rows_bytes(w, i);
    st = weights_alloc(w, total, err);
    if (st)
        return st;
    at = w->rows;
    for (int32_t i = 0; i < w->n; i++) {
        if (can_lend(w, i, found[i])) {
            w->tensor[i].m.rows = lent_rows(w, i, found[i]);
            continue;
        }
        copy_rows(w, i, found[i], at);
        w->tensor[i].m.rows = at;
        at += weights_rows_bytes(w, i);
    }
    weights_pack(w, &alone);
    return w->backend->sync(&alone, err);
}

enum status weights_load(const struct backend *b, const struct arch *a,
                         const struct model_config *c, struct tensor_file *adopt, enum dtype dtype,
                         struct weights **out, struct error *err)
{
    const struct file_tensor **found = NULL;
    struct weights *w = NULL;
    enum status st = arch_check(a, c, b, err);

    if (!st)
        st = weights_new(b, a, c, &w, err);
    if (st) {
        tensor_file_close(adopt);
        return st;
    }
    w->checkpoint = adopt;
    found = mem_alloc((size_t)w->n, sizeof(*found));
    if (!found) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d tensors", w->n);
        goto out;
    }
    st = find_all(w, dtype, found, err);
    if (st)
        goto out;
    st = take_values(w, found, err);
    if (st)
        goto out;
    *out = w;
    w = NULL;
out:
    free(found);
    weights_unref(w);
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
    st = weights_from_flat(shapes, flat, 0, out, err);
out:
    mem_aligned_free(flat);
    weights_unref(shapes);
    return st;
}

int64_t weights_plan_bytes(const struct backend *b, const struct arch *a,
                           const struct model_config *c, enum dtype dtype)
{
    int64_t total = 0;
    const enum dtype held = weights_held_dtype(c->dtype, dtype);
    int64_t size = (int64_t)dtype_size(held);

    for (int32_t i = 0; i < a->n_tensors(c); i++) {
        struct arch_tensor t;

        a->tensor(c, i, &t);
        if (t.is_product) {
            struct matrix m = {.n_out = t.rows, .n_in = t.cols, .dtype = held};

            total += (int64_t)b->panels_bytes(&m);
        }
        total += (int64_t)t.rows * t.cols * (t.rows == 1 ? 4 : size);
    }
    return total;
}
