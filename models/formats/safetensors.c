/* safetensors.c - a set of mapped files as one table of tensors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/foreign_file.h"
#include "models/formats/safetensors_internal.h"
#include "runtime/base/memory.h"

enum status safetensors_map_file(struct safetensors_file *f, const char *path, struct error *err)
{
    enum status st = mapped_file_open(path, &f->mapping, err);

    f->name = xstrdup(path);
    f->base = xstrdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    if (st)
        return st;
    f->bytes = mapped_file_bytes(f->mapping);
    f->n_bytes = mapped_file_size(f->mapping);
    return foreign_file_check(path, f->bytes, f->n_bytes, "safetensors", err);
}

enum status safetensors_read_files(struct safetensors *set, struct error *err)
{
    enum status st;

    if (set->base.n_files > 0)
        set->base.name = set->file[0].name;
    for (int32_t i = 0; i < set->base.n_files; i++) {
        st = safetensors_parse_header(&set->file[i], err);
        if (st)
            return st;
        set->file[i].first = set->base.n;
        set->base.n += set->file[i].count;
        if (set->base.n > TENSOR_FILE_MAX_TENSORS)
            return error_set(err, STATUS_LIMIT, "%s: more than %d tensors in total",
                             set->file[i].name, TENSOR_FILE_MAX_TENSORS);
    }
    set->base.tensor = mem_alloc((size_t)set->base.n + 1, sizeof(*set->base.tensor));
    if (set->base.tensor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d tensors", set->base.n);
    for (int32_t i = 0; i < set->base.n_files; i++) {
        struct safetensors_file *f = &set->file[i];

        st = safetensors_read_entries(f, set->base.tensor + f->first, err);
        if (st == STATUS_OK)
            st = tensor_file_index(&set->base, f->first, f->count, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

static const struct mapped_file *set_mapping(const struct tensor_file *base, int32_t i)
{
    /* The format's own struct; base is its first member. */
    const struct safetensors *set = (const struct safetensors *)(const void *)base;

    return set->file[i].mapping;
}

static void close_set(struct tensor_file *base)
{
    safetensors_free(CONTAINER_OF(base, struct safetensors, base));
}

struct safetensors *safetensors_new(int32_t n_files)
{
    struct safetensors *set = xcalloc(1, sizeof(*set));

    set->base.close = close_set;
    set->base.mapping = set_mapping;
    set->base.name = "";
    set->base.by_name = map_new();
    set->file = xcalloc((size_t)n_files, sizeof(*set->file)); /* at most SAFETENSORS_MAX_SHARDS */
    set->base.n_files = n_files;
    return set;
}

void safetensors_free(struct safetensors *st)
{
    for (int32_t i = 0; i < st->base.n_files; i++) {
        struct safetensors_file *f = &st->file[i];

        mapped_file_close(f->mapping);
        jv_unref(f->header);
        free(f->name);
        free(f->base);
    }
    map_free(st->base.by_name, NULL);
    free(st->base.tensor);
    free(st->file);
    free(st);
}

enum status safetensors_open_file(const char *path, struct tensor_file **out, struct error *err)
{
    struct safetensors *set = safetensors_new(1);
    enum status st = safetensors_map_file(&set->file[0], path, err);

    if (st == STATUS_OK)
        st = safetensors_read_files(set, err);
    if (st) {
        safetensors_free(set);
        return st;
    }
    *out = &set->base;
    return STATUS_OK;
}

enum status safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                    struct tensor_file **out, struct error *err)
{
    struct safetensors *set = safetensors_new(1);
    enum status st;

    set->file[0].name = xstrdup(name);
    set->file[0].base = xstrdup(name);
    set->file[0].bytes = bytes;
    set->file[0].n_bytes = n;
    st = safetensors_read_files(set, err);
    if (st) {
        safetensors_free(set);
        return st;
    }
    *out = &set->base;
    return STATUS_OK;
}
