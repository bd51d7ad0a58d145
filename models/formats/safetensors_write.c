/* safetensors_write.c - writes tensors to files atomically, with the same bytes every time.
 *
 * Data is rounded to the file's dtype in chunks: a folder of any size
 * needs one small buffer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/formats/atomic_file.h"
#include "models/formats/safetensors_internal.h"
#include "runtime/base/memory.h"

#define CHUNK_ELEMENTS 32768

/* The tensors of one file, in the order of the file. */
struct plan {
    const struct safetensor_source **tensor;
    int32_t n;
};

/* The name of the format; NULL: it has no such type. */
static const char *type_name(enum dtype t)
{
    static const char *const names[DTYPE_N] = {
        [DTYPE_F32] = "F32", [DTYPE_BF16] = "BF16", [DTYPE_F16] = "F16"};

    return t < DTYPE_N ? names[t] : NULL;
}

static size_t source_elements(const struct safetensor_source *t)
{
    size_t n = 1;

    for (int32_t i = 0; i < t->n_dims; i++)
        n *= (size_t)t->shape[i];
    return n;
}

static size_t source_bytes(const struct safetensor_source *t)
{
    return dtype_row_bytes(t->dtype, (int64_t)source_elements(t));
}

/* After this, products of shapes are known not to overflow. */
static enum status check_source(const struct safetensor_source *t, struct error *err)
{
    int64_t bytes = 8; /* a bound on any element */

    if (t->name == NULL || t->name[0] == '\0' || strcmp(t->name, "__metadata__") == 0)
        return error_set(err, STATUS_INVALID, "a tensor has no name, or the name __metadata__");
    if (!type_name(t->dtype) || (t->source != t->dtype && t->source != DTYPE_F32))
        return error_set(err, STATUS_INVALID, "tensor \"%s\": cannot be converted to this dtype",
                         t->name);
    if (t->n_dims < 0 || t->n_dims > TENSOR_FILE_MAX_DIMS)
        return error_set(err, STATUS_LIMIT, "tensor \"%s\": more than %d dimensions", t->name,
                         TENSOR_FILE_MAX_DIMS);
    for (int32_t i = 0; i < t->n_dims; i++)
        if (t->shape[i] < 0 || __builtin_mul_overflow(bytes, t->shape[i] ? t->shape[i] : 1, &bytes))
            return error_set(err, STATUS_INVALID,
                             "tensor \"%s\": the shape is negative or too large", t->name);
    return STATUS_OK;
}

/* The order of the reference writer: F32, BF16, F16, each by name. Larger elements first keeps all
 * of them aligned. */
static int by_type_and_name(const void *a, const void *b)
{
    const struct safetensor_source *x = *(const struct safetensor_source *const *)a;
    const struct safetensor_source *y = *(const struct safetensor_source *const *)b;

    if (x->dtype != y->dtype)
        return x->dtype < y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct safetensor_source *const *)a)->name,
                  (*(const struct safetensor_source *const *)b)->name);
}

static void put_header(struct str *s, const struct plan *p, const struct json *metadata)
{
    size_t at = 0;
    const char *key;
    struct json *value;

    str_puts(s, "{\"__metadata__\":{\"format\":\"pt\"");
    for (void *it = NULL; metadata && (it = jv_next(metadata, it, &key, &value));) {
        if (strcmp(key, "format") == 0 || jv_kind(value) != JV_STRING)
            continue;
        str_putc(s, ',');
        str_put_json_string(s, key, strlen(key));
        str_putc(s, ':');
        jv_write(value, 0, s);
    }
    str_putc(s, '}');
    for (int32_t i = 0; i < p->n; i++) {
        const struct safetensor_source *t = p->tensor[i];

        str_putc(s, ',');
        str_put_json_string(s, t->name, strlen(t->name));
        str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", type_name(t->dtype));
        for (int32_t d = 0; d < t->n_dims; d++)
            str_printf(s, "%s%lld", d ? "," : "", (long long)t->shape[d]);
        str_printf(s, "],\"data_offsets\":[%zu,%zu]}", at, at + source_bytes(t));
        at += source_bytes(t);
    }
    str_putc(s, '}');
    while (s->len % 8 != 0 && str_ok(s)) /* so that data starts aligned */
        str_putc(s, ' ');
}

static bool write_tensor(struct atomic_file *f, const struct safetensor_source *t, uint16_t *chunk)
{
    const size_t n = source_elements(t);
    bool ok = true;

    if (t->source == t->dtype)
        return atomic_file_write(f, t->data, source_bytes(t));
    for (size_t i = 0; i < n && ok; i += CHUNK_ELEMENTS) {
        const size_t part = n - i < CHUNK_ELEMENTS ? n - i : CHUNK_ELEMENTS;

        dtype_info(t->dtype)->from_f32((const float *)t->data + i, (int64_t)part, chunk);
        ok = atomic_file_write(f, chunk, part * sizeof(*chunk));
    }
    return ok;
}

static void write_body(struct atomic_file *f, const struct plan *p, const struct str *header)
{
    uint8_t length[8];
    uint16_t *chunk = xmalloc(CHUNK_ELEMENTS * sizeof(*chunk));
    bool ok;

    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header->len >> (8 * i));
    ok = atomic_file_write(f, length, sizeof(length)) &&
         atomic_file_write(f, str_cstr(header), header->len);
    for (int32_t i = 0; i < p->n && ok; i++)
        ok = write_tensor(f, p->tensor[i], chunk);
    free(chunk);
}

static enum status write_plan(const char *path, const struct plan *p, const struct json *metadata,
                              const struct seams *seams, struct error *err)
{
    struct atomic_file *f;
    struct str header;
    enum status st;

    str_init(&header, SAFETENSORS_MAX_HEADER);
    put_header(&header, p, metadata);
    if (!str_ok(&header)) {
        str_deinit(&header);
        return error_set(err, STATUS_LIMIT, "%s: the header is longer than %zu bytes", path,
                         SAFETENSORS_MAX_HEADER);
    }
    st = atomic_file_open(path, seams, &f, err);
    if (st == STATUS_OK) {
        write_body(f, p, &header);
        st = atomic_file_close(f, err);
    }
    str_deinit(&header);
    return st;
}

/* Checks all tensors and returns pointers to them; the caller frees p->tensor. */
static enum status make_plan(const struct safetensor_source *tensors, int32_t n, struct plan *p,
                             struct error *err)
{
    enum status st = STATUS_OK;

    if (n < 0 || n > TENSOR_FILE_MAX_TENSORS)
        return error_set(err, STATUS_LIMIT, "more than %d tensors", TENSOR_FILE_MAX_TENSORS);
    p->tensor = mem_alloc((size_t)n + 1, sizeof(const struct safetensor_source *));
    if (p->tensor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d tensors", n);
    p->n = n;
    for (int32_t i = 0; i < n && st == STATUS_OK; i++) {
        st = check_source(&tensors[i], err);
        p->tensor[i] = &tensors[i];
    }
    if (st == STATUS_OK) {
        qsort(p->tensor, (size_t)n, sizeof(const struct safetensor_source *), by_name);
        for (int32_t i = 1; i < n && st == STATUS_OK; i++)
            if (strcmp(p->tensor[i - 1]->name, p->tensor[i]->name) == 0)
                st = error_set(err, STATUS_INVALID, "tensor \"%s\" is given twice",
                               p->tensor[i]->name);
    }
    if (st) {
        free(p->tensor);
        p->tensor = NULL;
    }
    return st;
}

enum status safetensors_write(const char *path, const struct safetensor_source *tensors, int32_t n,
                              const struct json *metadata, const struct seams *seams,
                              struct error *err)
{
    struct plan p = {0};
    enum status st = make_plan(tensors, n, &p, err);

    if (st)
        return st;
    qsort(p.tensor, (size_t)n, sizeof(const struct safetensor_source *), by_type_and_name);
    st = write_plan(path, &p, metadata, seams, err);
    free(p.tensor);
    return st;
}

/* Where the shard that starts at `from` ends: at least one tensor, then as many as fit. The order
 * is by name, so that layers stay together. */
static int32_t shard_end(const struct plan *p, int32_t from, size_t max_bytes)
{
    size_t bytes = source_bytes(p->tensor[from]);
    int32_t to = from + 1;

    while (to < p->n && bytes + source_bytes(p->tensor[to]) <= max_bytes)
        bytes += source_bytes(p->tensor[to++]);
    return to;
}

static void put_index_head(struct str *s, const struct plan *p)
{
    size_t total = 0;

    for (int32_t i = 0; i < p->n; i++)
        total += source_bytes(p->tensor[i]);
    str_printf(s, "{\n  \"metadata\": {\"total_size\": %zu},\n  \"weight_map\": {", total);
}

static enum status write_shards(const char *dir, const struct plan *p, size_t max_bytes,
                                const struct json *metadata, const struct seams *seams,
                                struct error *err)
{
    struct str path = STR_INIT, index = STR_INIT;
    int32_t n_shards = 0, shard = 0;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < p->n; i = shard_end(p, i, max_bytes))
        n_shards++;
    put_index_head(&index, p);
    for (int32_t i = 0, to; i < p->n && st == STATUS_OK; i = to) {
        struct plan part = {p->tensor + i, 0};
        char base[64];

        to = shard_end(p, i, max_bytes);
        part.n = to - i;
        snprintf(base, sizeof(base), "model-%05d-of-%05d.safetensors", ++shard, n_shards);
        for (int32_t k = i; k < to; k++) {
            str_puts(&index, k ? ",\n    " : "\n    ");
            str_put_json_string(&index, p->tensor[k]->name, strlen(p->tensor[k]->name));
            str_printf(&index, ": \"%s\"", base);
        }
        str_clear(&path);
        str_printf(&path, "%s/%s", dir, base);
        qsort(part.tensor, (size_t)part.n, sizeof(*part.tensor), by_type_and_name);
        st = write_plan(str_cstr(&path), &part, metadata, seams, err);
        qsort(part.tensor, (size_t)part.n, sizeof(*part.tensor), by_name);
    }
    str_puts(&index, "\n  }\n}\n");
    str_clear(&path);
    str_printf(&path, "%s/" SAFETENSORS_INDEX, dir);
    if (st == STATUS_OK && !str_ok(&index))
        st = error_set(err, STATUS_NO_MEMORY, "%s: no memory for the index", dir);
    if (st == STATUS_OK)
        st = file_write_atomic(seams, str_cstr(&path), str_cstr(&index), index.len, err);
    str_deinit(&path);
    str_deinit(&index);
    return st;
}

/* Removes files of the other layout, whose weights would be older. */
static void remove_leftover(const char *dir, const char *base)
{
    struct str path = STR_INIT;

    str_printf(&path, "%s/%s", dir, base);
    unlink(str_cstr(&path));
    str_deinit(&path);
}

enum status safetensors_write_dir(const char *dir, const struct safetensor_source *tensors,
                                  int32_t n, size_t max_shard_bytes, const struct json *metadata,
                                  const struct seams *seams, struct error *err)
{
    struct str path = STR_INIT;
    struct plan p = {0};
    enum status st = make_plan(tensors, n, &p, err);
    bool one = max_shard_bytes == 0 || n == 0;

    if (st)
        return st;
    if (!one)
        one = shard_end(&p, 0, max_shard_bytes) == n;
    if (one) {
        str_printf(&path, "%s/" SAFETENSORS_SINGLE, dir);
        st = safetensors_write(str_cstr(&path), tensors, n, metadata, seams, err);
    } else {
        st = write_shards(dir, &p, max_shard_bytes, metadata, seams, err);
    }
    if (st == STATUS_OK)
        remove_leftover(dir, one ? SAFETENSORS_INDEX : SAFETENSORS_SINGLE);
    str_deinit(&path);
    free(p.tensor);
    return st;
}
