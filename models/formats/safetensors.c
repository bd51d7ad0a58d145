/* safetensors.c - a set of mapped files as one table of tensors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/formats/safetensors_internal.h"
#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"

enum status safetensors_map_file(struct safetensors_file *f, const char *path, struct error *err)
{
    struct stat info;
    void *p;
    int fd = -1;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    f->name = xstrdup(path);
    f->base = xstrdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    if (st)
        return st;
    f->n_bytes = (size_t)info.st_size;
    if (f->n_bytes == 0) {
        close(fd);
        return error_set(err, STATUS_INVALID, "%s is empty", path);
    }
    p = mmap(NULL, f->n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return error_errno(err, errno, "cannot map %s", path);
    f->bytes = p;
    f->mapped = true;
    return STATUS_OK;
}

static enum status add_names(struct safetensors *st, const struct safetensors_file *f,
                             struct error *err)
{
    for (int32_t i = f->first; i < f->first + f->count; i++) {
        struct safetensor *t = &st->tensor[i];
        const struct safetensor *other = map_get(st->by_name, t->name);

        if (other != NULL)
            return error_set(err, STATUS_INVALID, "tensor \"%s\" is in both %s and %s", t->name,
                             other->file, t->file);
        map_put(st->by_name, t->name, t);
    }
    return STATUS_OK;
}

enum status safetensors_read_files(struct safetensors *set, struct error *err)
{
    enum status st;

    for (int32_t i = 0; i < set->n_files; i++) {
        st = safetensors_parse_header(&set->file[i], err);
        if (st)
            return st;
        set->file[i].first = set->n_tensors;
        set->n_tensors += set->file[i].count;
        if (set->n_tensors > SAFETENSORS_MAX_TENSORS)
            return error_set(err, STATUS_LIMIT, "%s: more than %d tensors in total",
                             set->file[i].name, SAFETENSORS_MAX_TENSORS);
    }
    set->tensor = mem_alloc((size_t)set->n_tensors + 1, sizeof(*set->tensor));
    if (set->tensor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d tensors", set->n_tensors);
    for (int32_t i = 0; i < set->n_files; i++) {
        struct safetensors_file *f = &set->file[i];

        st = safetensors_read_entries(f, set->tensor + f->first, err);
        if (st == STATUS_OK)
            st = add_names(set, f, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

struct safetensors *safetensors_new(int32_t n_files)
{
    struct safetensors *set = xcalloc(1, sizeof(*set));

    set->by_name = map_new();
    set->file = xcalloc((size_t)n_files, sizeof(*set->file)); /* at most SAFETENSORS_MAX_SHARDS */
    set->n_files = n_files;
    return set;
}

void safetensors_close(struct safetensors *st)
{
    if (st == NULL)
        return;
    for (int32_t i = 0; i < st->n_files; i++) {
        struct safetensors_file *f = &st->file[i];

        if (f->mapped)
            munmap((void *)(uintptr_t)f->bytes, f->n_bytes);
        jv_unref(f->header);
        free(f->name);
        free(f->base);
    }
    map_free(st->by_name, NULL);
    free(st->tensor);
    free(st->file);
    free(st);
}

enum status safetensors_open_file(const char *path, struct safetensors **out, struct error *err)
{
    struct safetensors *set = safetensors_new(1);
    enum status st = safetensors_map_file(&set->file[0], path, err);

    if (st == STATUS_OK)
        st = safetensors_read_files(set, err);
    if (st) {
        safetensors_close(set);
        return st;
    }
    *out = set;
    return STATUS_OK;
}

enum status safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                    struct safetensors **out, struct error *err)
{
    struct safetensors *set = safetensors_new(1);
    enum status st;

    set->file[0].name = xstrdup(name);
    set->file[0].base = xstrdup(name);
    set->file[0].bytes = bytes;
    set->file[0].n_bytes = n;
    st = safetensors_read_files(set, err);
    if (st) {
        safetensors_close(set);
        return st;
    }
    *out = set;
    return STATUS_OK;
}

int32_t safetensors_count(const struct safetensors *st)
{
    return st->n_tensors;
}

const struct safetensor *safetensors_at(const struct safetensors *st, int32_t i)
{
    return i >= 0 && i < st->n_tensors ? &st->tensor[i] : NULL;
}

const struct safetensor *safetensors_find(const struct safetensors *st, const char *name)
{
    return map_get(st->by_name, name);
}

static void put_shape(struct str *s, int32_t n_dims, const int64_t *shape)
{
    str_putc(s, '(');
    for (int32_t i = 0; i < n_dims; i++)
        str_printf(s, "%s%lld", i ? ", " : "", (long long)shape[i]);
    str_putc(s, ')');
}

enum status safetensors_require(const struct safetensors *st, const char *name, int32_t n_dims,
                                const int64_t *shape, const struct safetensor **out,
                                struct error *err)
{
    const struct safetensor *t = safetensors_find(st, name);
    struct str want = STR_INIT, got = STR_INIT;
    bool same;

    if (t == NULL)
        return error_set(err, STATUS_NOT_FOUND, "%s%s: no tensor \"%s\"",
                         st->n_files ? st->file[0].name : "",
                         st->n_files > 1 ? " and its shards" : "", name);
    same = t->n_dims == n_dims;
    for (int32_t i = 0; same && i < n_dims; i++)
        same = t->shape[i] == shape[i];
    if (!same) {
        put_shape(&want, n_dims, shape);
        put_shape(&got, t->n_dims, t->shape);
        error_set(err, STATUS_INVALID, "%s: tensor \"%s\" has shape %s, but the model needs %s",
                  t->file, name, str_cstr(&got), str_cstr(&want));
        str_deinit(&want);
        str_deinit(&got);
        return STATUS_INVALID;
    }
    if (t->dtype == DTYPE_N)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: tensor \"%s\" has dtype %s, but only F32, F16 and BF16 are supported",
                         t->file, name, t->type);
    *out = t;
    return STATUS_OK;
}

void safetensor_to_f32(const struct safetensor *t, int64_t first, int64_t n, float *out)
{
    const uint8_t *p = t->data;
    uint16_t half;

    if (t->dtype == DTYPE_F32) {
        memcpy(out, p + first * 4, (size_t)n * 4);
        return;
    }
    p += first * 2;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&half, p + 2 * i, 2);
        out[i] = t->dtype == DTYPE_BF16 ? bf16_to_f32(half) : f16_to_f32(half);
    }
}
