/* safetensors_header.c - the header of one file, used only after every check.
 *
 * Layout: u64 little-endian header length, JSON header, data. An entry is
 * "name": {"dtype", "shape", "data_offsets": [begin, end]}, offsets counted from
 * the end of the header. The reference reader requires the same: entries follow each
 * other without overlap or gap and fill the data exactly.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/safetensors_internal.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define LENGTH_BYTES   8
#define MAX_NAME_BYTES 1024

struct element_type {
    const char *name;
    int32_t bits;
    enum dtype dtype;
};

static const struct element_type TYPES[] = {
    {"F32", 32, DTYPE_F32},  {"BF16", 16, DTYPE_BF16}, {"F16", 16, DTYPE_F16},
    {"F64", 64, DTYPE_N},    {"I64", 64, DTYPE_N},     {"U64", 64, DTYPE_N},
    {"I32", 32, DTYPE_N},    {"U32", 32, DTYPE_N},     {"I16", 16, DTYPE_N},
    {"U16", 16, DTYPE_N},    {"I8", 8, DTYPE_N},       {"U8", 8, DTYPE_N},
    {"BOOL", 8, DTYPE_N},    {"F8_E4M3", 8, DTYPE_N},  {"F8_E5M2", 8, DTYPE_N},
    {"F8_E8M0", 8, DTYPE_N}, {"C64", 64, DTYPE_N},     {"F4", 4, DTYPE_N},
    {"F6_E2M3", 6, DTYPE_N}, {"F6_E3M2", 6, DTYPE_N},
};

static const struct element_type *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (strcmp(TYPES[i].name, name) == 0)
            return &TYPES[i];
    return NULL;
}

static uint64_t read_u64_le(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = (v << 8) | p[i];
    return v;
}

enum status safetensors_parse_header(struct safetensors_file *f, struct error *err)
{
    const char *text;
    uint64_t claimed;
    size_t n;
    enum status st;

    if (f->n_bytes < LENGTH_BYTES)
        return error_set(err, STATUS_INVALID, "%s: %zu bytes are too few for a safetensors file",
                         f->name, f->n_bytes);
    claimed = read_u64_le(f->bytes);
    if (claimed > SAFETENSORS_MAX_HEADER)
        return error_set(err, STATUS_LIMIT, "%s: the header has %llu bytes, the limit is %zu",
                         f->name, (unsigned long long)claimed, SAFETENSORS_MAX_HEADER);
    if (claimed > f->n_bytes - LENGTH_BYTES)
        return error_set(err, STATUS_INVALID,
                         "%s: the header has %llu bytes, but the file ends after %zu (truncated?)",
                         f->name, (unsigned long long)claimed, f->n_bytes - LENGTH_BYTES);
    n = (size_t)claimed;
    text = (const char *)f->bytes + LENGTH_BYTES;
    if (n == 0 || text[0] != '{')
        return error_set(err, STATUS_INVALID, "%s: the header does not start with '{'", f->name);
    while (n > 0 && text[n - 1] == ' ') /* padding to a multiple of 8 */
        n--;
    st = jv_parse_max(text, n, SAFETENSORS_MAX_HEADER, f->name, &f->header, err);
    if (st)
        return st;
    f->count = 0;
    if (jv_kind(f->header) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "%s: the header is not an object", f->name);
    if (jv_size(f->header) > TENSOR_FILE_MAX_TENSORS)
        return error_set(err, STATUS_LIMIT, "%s: %zu tensors, the limit is %d", f->name,
                         jv_size(f->header), TENSOR_FILE_MAX_TENSORS);
    f->count = (int32_t)jv_size(f->header) - (jv_get(f->header, "__metadata__") != NULL);
    return STATUS_OK;
}

static enum status bad(const struct safetensors_file *f, const char *name, enum status status,
                       struct error *err, const char *what)
{
    return error_set(err, status, "%s: tensor \"%s\": %s", f->name, name, what);
}

/* A non-negative integer at array[i]. */
static bool get_count(const struct json *array, size_t i, int64_t *out)
{
    const struct json *v = jv_at(array, i);

    if (jv_kind(v) != JV_INT)
        return false;
    *out = jv_get_int(v, -1);
    return *out >= 0;
}

static enum status read_shape(const struct safetensors_file *f, const struct json *entry,
                              const struct element_type *type, struct file_tensor *t,
                              struct error *err)
{
    const struct json *shape = jv_get(entry, "shape");
    int64_t bits;

    if (jv_kind(shape) != JV_ARRAY)
        return bad(f, t->name, STATUS_INVALID, err, "\"shape\" is not an array");
    if (jv_size(shape) > TENSOR_FILE_MAX_DIMS)
        return bad(f, t->name, STATUS_LIMIT, err, "more than 8 dimensions");
    t->n_dims = (int32_t)jv_size(shape);
    t->n_elements = 1;
    for (int32_t i = 0; i < t->n_dims; i++) {
        if (!get_count(shape, (size_t)i, &t->shape[i]))
            return bad(f, t->name, STATUS_INVALID, err,
                       "\"shape\" contains a value that is not an integer of at least 0");
        if (__builtin_mul_overflow(t->n_elements, t->shape[i], &t->n_elements))
            return bad(f, t->name, STATUS_INVALID, err, "the product of its shape overflows");
    }
    if (__builtin_mul_overflow(t->n_elements, (int64_t)type->bits, &bits))
        return bad(f, t->name, STATUS_INVALID, err, "its size in bytes overflows");
    if (bits % 8 != 0)
        return bad(f, t->name, STATUS_INVALID, err, "its elements do not fill whole bytes");
    t->bytes = (size_t)(bits / 8);
    return STATUS_OK;
}

static enum status read_entry(const struct safetensors_file *f, const char *name,
                              const struct json *entry, struct file_tensor *t, struct error *err)
{
    const struct json *offsets = jv_get(entry, "data_offsets");
    const size_t data_bytes = (size_t)(f->n_bytes - LENGTH_BYTES) - (size_t)read_u64_le(f->bytes);
    const struct element_type *type;
    int64_t begin, end;
    enum status st;

    *t = (struct file_tensor){.name = name, .file = f->name};
    if (strlen(name) == 0 || strlen(name) > MAX_NAME_BYTES)
        return bad(f, name, STATUS_LIMIT, err, "the name must have 1 to 1024 bytes");
    if (jv_kind(entry) != JV_OBJECT)
        return bad(f, name, STATUS_INVALID, err, "its entry is not an object");
    type = find_type(jv_get_string(jv_get(entry, "dtype"), ""));
    if (type == NULL)
        return error_set(err, STATUS_UNSUPPORTED, "%s: tensor \"%s\": unknown dtype \"%s\"",
                         f->name, name, jv_get_string(jv_get(entry, "dtype"), "(not a string)"));
    t->type = type->name;
    t->dtype = type->dtype;
    st = read_shape(f, entry, type, t, err);
    if (st)
        return st;
    if (jv_kind(offsets) != JV_ARRAY || jv_size(offsets) != 2 || !get_count(offsets, 0, &begin) ||
        !get_count(offsets, 1, &end) || begin > end)
        return bad(f, name, STATUS_INVALID, err, "\"data_offsets\" is not [begin, end]");
    if ((uint64_t)end > data_bytes)
        return error_set(err, STATUS_INVALID,
                         "%s: tensor \"%s\": data ends at %lld, but the file has %zu bytes of data "
                         "(truncated?)",
                         f->name, name, (long long)end, data_bytes);
    if ((size_t)(end - begin) != t->bytes)
        return error_set(err, STATUS_INVALID,
                         "%s: tensor \"%s\": shape and dtype %s make %zu bytes, data_offsets %lld",
                         f->name, name, t->type, t->bytes, (long long)(end - begin));
    t->data = f->bytes + (f->n_bytes - data_bytes) + begin;
    return STATUS_OK;
}

static int by_data(const void *a, const void *b)
{
    const struct file_tensor *x = *(const struct file_tensor *const *)a;
    const struct file_tensor *y = *(const struct file_tensor *const *)b;
    const uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;

    if (p != q)
        return p < q ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes; /* empty ones first */
}

/* Sorted by place, each tensor must start where the one before it ended. */
static enum status check_layout(const struct safetensors_file *f, const struct file_tensor *tensor,
                                struct error *err)
{
    const size_t header_bytes = (size_t)read_u64_le(f->bytes) + LENGTH_BYTES;
    const uint8_t *at = f->bytes + header_bytes;
    const struct file_tensor **sorted;
    enum status st = STATUS_OK;

    sorted = mem_alloc((size_t)f->count + 1, sizeof(*sorted));
    if (sorted == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for %d tensors", f->name, f->count);
    for (int32_t i = 0; i < f->count; i++)
        sorted[i] = &tensor[i];
    qsort(sorted, (size_t)f->count, sizeof(*sorted), by_data);
    for (int32_t i = 0; i < f->count && st == STATUS_OK; i++) {
        const uint8_t *start = sorted[i]->data;

        if (start < at)
            st = bad(f, sorted[i]->name, STATUS_INVALID, err, "overlaps another tensor");
        else if (start > at)
            st = bad(f, sorted[i]->name, STATUS_INVALID, err, "there is a gap before its data");
        at = start + sorted[i]->bytes;
    }
    if (st == STATUS_OK && at != f->bytes + f->n_bytes)
        st = error_set(err, STATUS_INVALID,
                       "%s: %zu bytes after the last tensor belong to no tensor", f->name,
                       (size_t)(f->bytes + f->n_bytes - at));
    free(sorted);
    return st;
}

static enum status check_metadata(const struct safetensors_file *f, struct error *err)
{
    const struct json *metadata = jv_get(f->header, "__metadata__");
    const char *key;
    struct json *value;

    if (metadata == NULL)
        return STATUS_OK;
    if (jv_kind(metadata) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "%s: __metadata__ is not an object", f->name);
    for (void *it = NULL; (it = jv_next(metadata, it, &key, &value));)
        if (jv_kind(value) != JV_STRING)
            return error_set(err, STATUS_INVALID, "%s: __metadata__: \"%s\" is not a string",
                             f->name, key);
    return STATUS_OK;
}

enum status safetensors_read_entries(struct safetensors_file *f, struct file_tensor *out,
                                     struct error *err)
{
    const char *name;
    struct json *entry;
    int32_t i = 0;
    enum status st = check_metadata(f, err);

    if (st)
        return st;
    for (void *it = NULL; (it = jv_next(f->header, it, &name, &entry));) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        st = read_entry(f, name, entry, &out[i], err);
        if (st)
            return st;
        i++;
    }
    return check_layout(f, out, err);
}
