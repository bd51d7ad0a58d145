/* gguf_write.c - see gguf_write.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/atomic_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

#define MAX_KEY_BYTES ((size_t)512 << 20) /* of all keys: a tokenizer has tens of MiB */
#define PIECE_BYTES   ((size_t)1 << 20)

struct out_tensor {
    char *name;
    enum dtype dtype;
    const struct file_tensor *from;
    int32_t paired_heads;
    float offset;
};

struct gguf_writer {
    struct str keys;
    uint64_t n_keys;
    struct out_tensor *tensor;
    size_t n, cap;
};

struct gguf_writer *gguf_writer_new(void)
{
    struct gguf_writer *w = xcalloc(1, sizeof(*w));

    str_init(&w->keys, MAX_KEY_BYTES);
    return w;
}

void gguf_writer_free(struct gguf_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        free(w->tensor[i].name);
    free(w->tensor);
    str_deinit(&w->keys);
    free(w);
}

static void put_number(struct str *s, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        str_putc(s, (char)(v >> (8 * i)));
}

static void put_string(struct str *s, const char *text, size_t n)
{
    put_number(s, n, 8);
    str_append(s, text, n);
}

static void put_key(struct gguf_writer *w, const char *key, enum gguf_kind kind)
{
    put_string(&w->keys, key, strlen(key));
    put_number(&w->keys, kind, 4);
    w->n_keys++;
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v)
{
    put_key(w, key, GGUF_U32);
    put_number(&w->keys, v, 4);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof(u));
    put_key(w, key, GGUF_F32);
    put_number(&w->keys, u, 4);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool v)
{
    put_key(w, key, GGUF_BOOL);
    put_number(&w->keys, v, 1);
}

void gguf_put_text(struct gguf_writer *w, const char *key, const char *text, size_t n)
{
    put_key(w, key, GGUF_STRING);
    put_string(&w->keys, text, n);
}

void gguf_put_array(struct gguf_writer *w, const char *key, enum gguf_kind element, uint64_t n)
{
    put_key(w, key, GGUF_ARRAY);
    put_number(&w->keys, element, 4);
    put_number(&w->keys, n, 8);
}

void gguf_put_text_element(struct gguf_writer *w, const char *text, size_t n)
{
    put_string(&w->keys, text, n);
}

void gguf_put_i32_element(struct gguf_writer *w, int32_t v)
{
    put_number(&w->keys, (uint32_t)v, 4);
}

void gguf_put_value(struct gguf_writer *w, const struct gguf_value *v)
{
    put_key(w, v->key, v->kind);
    if (v->kind == GGUF_ARRAY) {
        put_number(&w->keys, v->element, 4);
        put_number(&w->keys, v->count, 8);
    }
    str_append(&w->keys, (const char *)v->data, v->bytes);
}

void gguf_add_tensor(struct gguf_writer *w, const char *name, enum dtype dtype,
                     const struct file_tensor *from, int32_t paired_heads)
{
    assert(dtype_info(dtype)->from_f32 || dtype == from->dtype);
    assert(from->n_dims >= 1 && from->n_dims <= GGUF_MAX_DIMS);
    assert(from->shape[from->n_dims - 1] % dtype_info(dtype)->block == 0);
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 64;
        w->tensor = xrealloc(w->tensor, w->cap * sizeof(*w->tensor));
    }
    w->tensor[w->n++] = (struct out_tensor){xstrdup(name), dtype, from, paired_heads, 0};
}

void gguf_add_to_values(struct gguf_writer *w, float offset)
{
    w->tensor[w->n - 1].offset = offset;
}

static size_t padding(size_t n)
{
    return (GGUF_ALIGNMENT - n % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
}

static size_t out_bytes(const struct out_tensor *t)
{
    return dtype_row_bytes(t->dtype, t->from->n_elements);
}

static void put_header(const struct gguf_writer *w, struct str *s)
{
    size_t at = 0;

    str_puts(s, "GGUF");
    put_number(s, 3, 4);
    put_number(s, w->n, 8);
    put_number(s, w->n_keys, 8);
    str_append(s, str_cstr(&w->keys), w->keys.len);
    for (size_t i = 0; i < w->n; i++) {
        const struct out_tensor *t = &w->tensor[i];

        put_string(s, t->name, strlen(t->name));
        put_number(s, (uint64_t)t->from->n_dims, 4);
        for (int32_t d = t->from->n_dims; d > 0; d--)
            put_number(s, (uint64_t)t->from->shape[d - 1], 8);
        put_number(s, gguf_type_of(t->dtype)->number, 4);
        put_number(s, at, 8);
        at += out_bytes(t) + padding(out_bytes(t));
    }
    for (size_t n = padding(s->len); n > 0; n--)
        str_putc(s, '\0');
}

/* Row r of the file, of rows that are to be in pairs, is this one of `from`. */
static int64_t source_row(const struct out_tensor *t, int64_t r)
{
    const int64_t D = t->paired_heads ? t->from->shape[0] / t->paired_heads : 0;

    return D == 0 ? r : r / D * D + r % 2 * (D / 2) + r % D / 2;
}

static enum status check_row(const struct out_tensor *t, const float *x, int64_t n,
                             struct error *err)
{
    const float most = dtype_is_plain(t->dtype) ? INFINITY : DTYPE_MAX_VALUE;

    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || fabsf(x[i]) > most)
            return error_set(err, STATUS_INVALID,
                             "%s: tensor \"%s\" contains %g, which %s cannot hold", t->from->file,
                             t->from->name, (double)x[i], dtype_name(t->dtype));
    return STATUS_OK;
}

/* Rows r .. r+n-1 of the file. */
static enum status convert_rows(const struct out_tensor *t, int64_t r, int64_t n, float *wide,
                                char *out, struct error *err)
{
    const int64_t cols = t->from->shape[t->from->n_dims - 1];
    enum status st = STATUS_OK;

    for (int64_t i = 0; i < n && st == STATUS_OK; i++) {
        file_tensor_to_f32(t->from, source_row(t, r + i) * cols, cols, wide);
        for (int64_t k = 0; k < cols && t->offset != 0; k++)
            wide[k] += t->offset;
        st = check_row(t, wide, cols, err);
        if (st == STATUS_OK)
            dtype_info(t->dtype)->from_f32(wide, cols, out + dtype_row_bytes(t->dtype, i * cols));
    }
    return st;
}

/* Is the tensor written as it is stored? Then no value is read, and none is lost. */
static bool is_copy(const struct out_tensor *t)
{
    return t->dtype == t->from->dtype && t->paired_heads == t->from->paired_heads && t->offset == 0;
}

static enum status write_tensor(struct atomic_file *f, const struct out_tensor *t,
                                struct error *err)
{
    static const char zero[GGUF_ALIGNMENT];
    const int64_t cols = t->from->shape[t->from->n_dims - 1], rows = t->from->n_elements / cols;
    const size_t row_bytes = dtype_row_bytes(t->dtype, cols);
    const int64_t step = row_bytes < PIECE_BYTES ? (int64_t)(PIECE_BYTES / row_bytes) : 1;
    enum status st = STATUS_OK;
    float *wide;
    char *piece;

    if (is_copy(t)) {
        if (atomic_file_write(f, t->from->data, t->from->bytes))
            (void)atomic_file_write(f, zero, padding(t->from->bytes));
        return STATUS_OK;
    }
    wide = mem_alloc((size_t)cols, sizeof(*wide));
    piece = mem_alloc((size_t)step, row_bytes);
    if (!wide || !piece)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for rows of tensor \"%s\"", t->name);
    for (int64_t r = 0; r < rows && st == STATUS_OK; r += step) {
        int64_t n = rows - r < step ? rows - r : step;

        st = convert_rows(t, r, n, wide, piece, err);
        if (st == STATUS_OK && !atomic_file_write(f, piece, (size_t)n * row_bytes))
            break; /* the close says why */
    }
    if (st == STATUS_OK)
        (void)atomic_file_write(f, zero, padding(out_bytes(t)));
    free(wide);
    free(piece);
    return st;
}

enum status gguf_writer_finish(struct gguf_writer *w, const char *path, const struct seams *seams,
                               struct error *err)
{
    struct atomic_file *f;
    struct str header;
    enum status st = STATUS_OK;

    str_init(&header, MAX_KEY_BYTES + ((size_t)64 << 20));
    if (str_ok(&w->keys))
        put_header(w, &header);
    if (!str_ok(&w->keys) || !str_ok(&header))
        st = error_set(err, STATUS_LIMIT, "%s: no memory for the keys, or more than %zu MiB", path,
                       MAX_KEY_BYTES >> 20);
    if (st == STATUS_OK)
        st = atomic_file_open(path, seams, &f, err);
    if (st) {
        str_deinit(&header);
        return st;
    }
    (void)atomic_file_write(f, str_cstr(&header), header.len);
    for (size_t i = 0; i < w->n && st == STATUS_OK; i++)
        st = write_tensor(f, &w->tensor[i], err);
    str_deinit(&header);
    if (st == STATUS_OK)
        return atomic_file_close(f, err);
    atomic_file_drop(f);
    return st;
}
