/* gguf_read.c - the header of one GGUF file, read with a cursor that never passes the end.
 *
 * Layout: "GGUF", version, number of tensors, number of keys; the keys with their values; the
 * tensors with shape, type and offset; padding; data. Offsets count from the start of the data.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/formats/gguf_internal.h"
#include "models/formats/tensor_file.h"
#include "runtime/base/memory.h"

/* The smallest that a key (length, type, one byte) and a tensor (length, dimensions, one of them,
 * type, offset) can be. */
#define MIN_KEY_BYTES    (8 + 4 + 1)
#define MIN_TENSOR_BYTES (8 + 4 + 8 + 4 + 8)

struct cursor {
    const struct gguf_file *f;
    size_t at;
    struct error *err;
};

static size_t left(const struct cursor *c)
{
    return c->f->n_bytes - c->at;
}

static enum status cut_off(const struct cursor *c, const char *what)
{
    return error_set(c->err, STATUS_INVALID,
                     "%s: the file ends within %s, at byte %zu (truncated?)", c->f->name, what,
                     c->at);
}

static enum status take_number(struct cursor *c, size_t n, const char *what, uint64_t *out)
{
    if (left(c) < n)
        return cut_off(c, what);
    *out = gguf_load(c->f->bytes + c->at, n);
    c->at += n;
    return STATUS_OK;
}

static enum status take_string(struct cursor *c, const char *what, const char **text, size_t *n)
{
    uint64_t length = 0;
    enum status st = take_number(c, 8, what, &length);

    if (st)
        return st;
    if (length > left(c))
        return error_set(c->err, STATUS_INVALID,
                         "%s: %s has %llu bytes, but %zu are left in the file (truncated?)",
                         c->f->name, what, (unsigned long long)length, left(c));
    *text = (const char *)c->f->bytes + c->at;
    *n = (size_t)length;
    c->at += *n;
    return STATUS_OK;
}

/* A copy with a NUL; the text holds none. */
static enum status take_name(struct cursor *c, const char *what, size_t max, char **out)
{
    const char *text;
    size_t n;
    enum status st = take_string(c, what, &text, &n);

    if (st)
        return st;
    if (n == 0 || n > max)
        return error_set(c->err, STATUS_LIMIT, "%s: %s must have 1 to %zu bytes, it has %zu",
                         c->f->name, what, max, n);
    if (memchr(text, '\0', n))
        return error_set(c->err, STATUS_INVALID, "%s: %s contains a NUL byte", c->f->name, what);
    *out = xstrndup(text, n);
    return STATUS_OK;
}

static enum status bad_value(const struct cursor *c, const char *key, const char *problem)
{
    return error_set(c->err, STATUS_INVALID, "%s: \"%.200s\": %s", c->f->name, key, problem);
}

static enum status skip_strings(struct cursor *c, struct gguf_value *v)
{
    enum status st = STATUS_OK;

    if (v->count > left(c) / 8)
        return bad_value(c, v->key, "its number of strings is larger than the rest of the file");
    for (uint64_t i = 0; i < v->count && st == STATUS_OK; i++) {
        const char *text;
        size_t n;

        st = take_string(c, "a string", &text, &n);
    }
    return st;
}

static enum status skip_numbers(struct cursor *c, struct gguf_value *v)
{
    const size_t each = gguf_kind_bytes(v->element);

    if (v->count > left(c) / each)
        return bad_value(c, v->key, "its number of elements is larger than the rest of the file");
    for (uint64_t i = 0; v->element == GGUF_BOOL && i < v->count; i++)
        if (c->f->bytes[c->at + i] > 1)
            return bad_value(c, v->key, "a bool is neither 0 nor 1");
    c->at += (size_t)v->count * each;
    return STATUS_OK;
}

static enum status take_kind(struct cursor *c, const char *key, enum gguf_kind *out)
{
    uint64_t number = 0;
    enum status st = take_number(c, 4, "the type of a value", &number);

    if (st)
        return st;
    if (number >= GGUF_KIND_N)
        return error_set(c->err, STATUS_INVALID, "%s: \"%.200s\": unknown value type %llu",
                         c->f->name, key, (unsigned long long)number);
    *out = (enum gguf_kind)number;
    return STATUS_OK;
}

static enum status take_value(struct cursor *c, struct gguf_value *v)
{
    char *key = NULL;
    enum status st = take_name(c, "a key", GGUF_MAX_KEY_BYTES, &key);

    v->key = key;
    if (st == STATUS_OK)
        st = take_kind(c, v->key, &v->kind);
    v->element = v->kind;
    v->count = 1;
    if (st == STATUS_OK && v->kind == GGUF_ARRAY) {
        st = take_kind(c, v->key, &v->element);
        if (st == STATUS_OK && v->element == GGUF_ARRAY)
            st = error_set(c->err, STATUS_UNSUPPORTED,
                           "%s: \"%.200s\": an array of arrays is not supported", c->f->name,
                           v->key);
        if (st == STATUS_OK)
            st = take_number(c, 8, "an array", &v->count);
    }
    if (st)
        return st;
    v->data = c->f->bytes + c->at;
    st = v->element == GGUF_STRING ? skip_strings(c, v) : skip_numbers(c, v);
    v->bytes = (size_t)(c->f->bytes + c->at - v->data);
    return st;
}

static enum status take_values(struct cursor *c, struct gguf_file *f, uint64_t n)
{
    enum status st = STATUS_OK;

    f->value = mem_alloc((size_t)n + 1, sizeof(*f->value));
    if (f->value == NULL)
        return error_set(c->err, STATUS_NO_MEMORY, "%s: no memory for %llu keys", f->name,
                         (unsigned long long)n);
    for (uint64_t i = 0; i < n && st == STATUS_OK; i++) {
        struct gguf_value *v = &f->value[i];

        f->n_values++; /* half-read ones too: their keys are freed */
        st = take_value(c, v);
        if (st == STATUS_OK && map_put(f->by_key, v->key, v))
            st = bad_value(c, v->key, "the key is there twice");
    }
    return st;
}

static enum status bad_tensor(const struct cursor *c, const struct gguf_tensor *t,
                              const char *problem)
{
    return error_set(c->err, STATUS_INVALID, "%s: tensor \"%s\": %s", c->f->name, t->name, problem);
}

static enum status take_shape(struct cursor *c, struct gguf_tensor *t)
{
    uint64_t n_dims = 0, d = 0;
    enum status st = take_number(c, 4, "a tensor's dimensions", &n_dims);

    if (st)
        return st;
    if (n_dims < 1 || n_dims > GGUF_MAX_DIMS)
        return error_set(c->err, STATUS_INVALID,
                         "%s: tensor \"%s\": %llu dimensions, expected 1 to %d", c->f->name,
                         t->name, (unsigned long long)n_dims, GGUF_MAX_DIMS);
    t->n_dims = (int32_t)n_dims;
    t->n_elements = 1;
    for (int32_t i = 0; i < GGUF_MAX_DIMS; i++)
        t->dim[i] = 1;
    for (int32_t i = 0; i < t->n_dims; i++) {
        st = take_number(c, 8, "a tensor's shape", &d);
        if (st)
            return st;
        if (d == 0 || d > INT64_MAX)
            return bad_tensor(c, t, "a dimension is 0 or larger than 2^63 - 1");
        t->dim[i] = (int64_t)d;
        if (__builtin_mul_overflow(t->n_elements, t->dim[i], &t->n_elements))
            return bad_tensor(c, t, "the product of its shape overflows");
    }
    return STATUS_OK;
}

/* The size follows from shape and type; the place is checked when the start of the data is known.
 */
static enum status take_tensor(struct cursor *c, struct gguf_tensor *t, uint64_t *offset)
{
    char *name = NULL;
    uint64_t number = 0;
    int64_t bytes;
    enum status st = take_name(c, "the name of a tensor", GGUF_MAX_NAME_BYTES, &name);

    t->name = name;
    t->file = c->f->name;
    if (st == STATUS_OK)
        st = take_shape(c, t);
    if (st == STATUS_OK)
        st = take_number(c, 4, "a tensor's type", &number);
    if (st)
        return st;
    t->type = gguf_type_at((uint32_t)number);
    if (t->type == NULL)
        return error_set(c->err, STATUS_UNSUPPORTED,
                         "%s: tensor \"%s\": type %llu is unknown to this build", c->f->name,
                         t->name, (unsigned long long)number);
    if (t->dim[0] % t->type->block != 0)
        return error_set(c->err, STATUS_INVALID,
                         "%s: tensor \"%s\": rows of %lld elements, but %s has blocks of %d",
                         c->f->name, t->name, (long long)t->dim[0], t->type->name, t->type->block);
    if (__builtin_mul_overflow(t->n_elements / t->type->block, (int64_t)t->type->block_bytes,
                               &bytes))
        return bad_tensor(c, t, "its size in bytes overflows");
    t->bytes = (size_t)bytes;
    return take_number(c, 8, "a tensor's offset", offset);
}

static enum status place_tensor(struct cursor *c, struct gguf_tensor *t, size_t data_at,
                                uint64_t offset)
{
    const struct gguf_file *f = c->f;
    size_t start, end;

    if (offset % f->alignment != 0)
        return error_set(c->err, STATUS_INVALID,
                         "%s: tensor \"%s\": offset %llu is not a multiple of the alignment %zu",
                         f->name, t->name, (unsigned long long)offset, f->alignment);
    if (__builtin_add_overflow(data_at, offset, &start) ||
        __builtin_add_overflow(start, t->bytes, &end) || end > f->n_bytes)
        return error_set(c->err, STATUS_INVALID,
                         "%s: tensor \"%s\": %zu bytes at offset %llu of the data are outside the "
                         "file of %zu bytes (truncated?)",
                         f->name, t->name, t->bytes, (unsigned long long)offset, f->n_bytes);
    t->data = f->bytes + start;
    return STATUS_OK;
}

static int by_data(const void *a, const void *b)
{
    const struct gguf_tensor *x = *(const struct gguf_tensor *const *)a;
    const struct gguf_tensor *y = *(const struct gguf_tensor *const *)b;

    return x->data == y->data ? 0 : x->data < y->data ? -1 : 1;
}

/* In the order of the data, each tensor starts at the first aligned byte after the one before, and
 * the last one ends the file but for padding. */
static enum status check_layout(const struct cursor *c, size_t data_at)
{
    const struct gguf_file *f = c->f;
    const struct gguf_tensor **sorted = mem_alloc((size_t)f->n_tensors + 1, sizeof(*sorted));
    size_t at = data_at;
    enum status st = STATUS_OK;

    if (sorted == NULL)
        return error_set(c->err, STATUS_NO_MEMORY, "%s: no memory for %d tensors", f->name,
                         f->n_tensors);
    for (int32_t i = 0; i < f->n_tensors; i++)
        sorted[i] = &f->tensor[i];
    qsort(sorted, (size_t)f->n_tensors, sizeof(*sorted), by_data);
    for (int32_t i = 0; i < f->n_tensors && st == STATUS_OK; i++) {
        size_t start = (size_t)(sorted[i]->data - f->bytes);

        if (start < at)
            st = bad_tensor(c, sorted[i], "overlaps another tensor");
        else if (start - at >= f->alignment)
            st = bad_tensor(c, sorted[i], "there is a gap before its data");
        at = start + sorted[i]->bytes;
    }
    if (st == STATUS_OK && f->n_bytes > at && f->n_bytes - at >= f->alignment)
        st = error_set(c->err, STATUS_INVALID,
                       "%s: %zu bytes after the last tensor belong to no tensor", f->name,
                       f->n_bytes - at);
    free(sorted);
    return st;
}

static enum status take_tensors(struct cursor *c, struct gguf_file *f, uint64_t n)
{
    uint64_t *offset = mem_alloc((size_t)n + 1, sizeof(*offset));
    size_t data_at = 0;
    enum status st = STATUS_OK;

    f->tensor = mem_alloc((size_t)n + 1, sizeof(*f->tensor));
    if (f->tensor == NULL || offset == NULL)
        st = error_set(c->err, STATUS_NO_MEMORY, "%s: no memory for %llu tensors", f->name,
                       (unsigned long long)n);
    for (uint64_t i = 0; i < n && st == STATUS_OK; i++) {
        f->n_tensors++;
        st = take_tensor(c, &f->tensor[i], &offset[i]);
    }
    if (st == STATUS_OK && n > 0 && left(c) < (f->alignment - c->at % f->alignment) % f->alignment)
        st = cut_off(c, "the padding before the data");
    if (st == STATUS_OK)
        data_at = c->at + (f->alignment - c->at % f->alignment) % f->alignment;
    for (uint64_t i = 0; i < n && st == STATUS_OK; i++)
        st = place_tensor(c, &f->tensor[i], data_at, offset[i]);
    if (st == STATUS_OK)
        st = check_layout(c, data_at);
    free(offset);
    return st;
}

static enum status take_version(struct cursor *c, struct gguf_file *f)
{
    uint64_t magic = 0, version = 0;
    enum status st = take_number(c, 4, "the magic number", &magic);

    if (st)
        return st;
    if (magic != 0x46554747) { /* "GGUF" */
        (void)error_set(c->err, STATUS_INVALID, "%s: is not a GGUF file", f->name);
        error_hint(c->err, "a model on disk is a folder with config.json, or a GGUF file");
        return STATUS_INVALID;
    }
    st = take_number(c, 4, "the version", &version);
    if (st)
        return st;
    if (version == 2 || version == 3) {
        f->version = (int32_t)version;
        return STATUS_OK;
    }
    if (version != 0 && (version & 0xffff) == 0)
        return error_set(c->err, STATUS_UNSUPPORTED, "%s: a big-endian GGUF is not supported",
                         f->name);
    return error_set(c->err, STATUS_UNSUPPORTED,
                     "%s: GGUF version %llu is not supported, only 2 and 3", f->name,
                     (unsigned long long)version);
}

static enum status read_alignment(const struct cursor *c, struct gguf_file *f)
{
    const struct gguf_value *v = map_get(f->by_key, "general.alignment");
    int64_t a;

    f->alignment = GGUF_ALIGNMENT;
    if (v == NULL)
        return STATUS_OK;
    if (v->kind != GGUF_U32)
        return bad_value(c, v->key, "must be a uint32");
    a = gguf_int_at(v, 0);
    if (a < 8 || a > GGUF_MAX_ALIGNMENT || (a & (a - 1)) != 0)
        return error_set(c->err, STATUS_INVALID,
                         "%s: \"%s\": %lld is not a power of two from 8 to %d", f->name, v->key,
                         (long long)a, GGUF_MAX_ALIGNMENT);
    f->alignment = (size_t)a;
    return STATUS_OK;
}

enum status gguf_read_file(struct gguf_file *f, struct error *err)
{
    struct cursor c = {.f = f, .err = err};
    uint64_t n_tensors = 0, n_values = 0;
    enum status st = take_version(&c, f);

    if (st == STATUS_OK)
        st = take_number(&c, 8, "the number of tensors", &n_tensors);
    if (st == STATUS_OK)
        st = take_number(&c, 8, "the number of keys", &n_values);
    if (st)
        return st;
    if (n_values > GGUF_MAX_KEYS || n_values > left(&c) / MIN_KEY_BYTES)
        return error_set(err, STATUS_LIMIT,
                         "%s: %llu keys, but at most %d are read and %zu bytes are left", f->name,
                         (unsigned long long)n_values, GGUF_MAX_KEYS, left(&c));
    st = take_values(&c, f, n_values);
    if (st == STATUS_OK)
        st = read_alignment(&c, f);
    if (st)
        return st;
    if (n_tensors > TENSOR_FILE_MAX_TENSORS || n_tensors > left(&c) / MIN_TENSOR_BYTES)
        return error_set(err, STATUS_LIMIT,
                         "%s: %llu tensors, but at most %d are read and %zu bytes are left",
                         f->name, (unsigned long long)n_tensors, TENSOR_FILE_MAX_TENSORS, left(&c));
    return take_tensors(&c, f, n_tensors);
}
