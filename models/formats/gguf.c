/* gguf.c - a GGUF model: its files as one set of tensors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/foreign_file.h"
#include "models/formats/gguf_internal.h"
#include "models/formats/tensor_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

#define PART_SUFFIX_BYTES (sizeof("-00001-of-00001.gguf") - 1)

static struct gguf *set_new(void)
{
    struct gguf *g = xcalloc(1, sizeof(*g));

    atomic_init(&g->refs, 1);
    g->by_name = map_new();
    g->file = xcalloc(GGUF_MAX_PARTS, sizeof(*g->file));
    return g;
}

static struct gguf_file *add_file(struct gguf *g, const char *name)
{
    struct gguf_file *f = &g->file[g->n_files++];

    f->name = xstrdup(name);
    f->by_key = map_new();
    return f;
}

static void close_file(struct gguf_file *f)
{
    for (int32_t i = 0; i < f->n_values; i++)
        free((void *)(uintptr_t)f->value[i].key);
    for (int32_t i = 0; i < f->n_tensors; i++)
        free((void *)(uintptr_t)f->tensor[i].name);
    mapped_file_close(f->mapping);
    map_free(f->by_key, NULL);
    free(f->value);
    free(f->tensor);
    free(f->name);
}

struct gguf *gguf_ref(struct gguf *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void gguf_unref(struct gguf *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int32_t i = 0; i < g->n_files; i++)
        close_file(&g->file[i]);
    map_free(g->by_name, NULL);
    free(g->file);
    free(g);
}

static enum status map_file(struct gguf_file *f, const char *path, struct error *err)
{
    enum status st = mapped_file_open(path, &f->mapping, err);

    if (st)
        return st;
    f->bytes = mapped_file_bytes(f->mapping);
    f->n_bytes = mapped_file_size(f->mapping);
    return foreign_file_check(path, f->bytes, f->n_bytes, "GGUF", err);
}

/* The tensors of a file that was read join the set. */
static enum status join(struct gguf *g, struct gguf_file *f, struct error *err)
{
    for (int32_t i = 0; i < f->n_tensors; i++) {
        const struct gguf_tensor *other = map_get(g->by_name, f->tensor[i].name);

        if (other)
            return error_set(err, STATUS_INVALID, "%s: tensor \"%s\" is there twice (also in %s)",
                             f->name, f->tensor[i].name, other->file);
        map_put(g->by_name, f->tensor[i].name, &f->tensor[i]);
    }
    g->n_tensors += f->n_tensors;
    if (g->n_tensors > TENSOR_FILE_MAX_TENSORS)
        return error_set(err, STATUS_LIMIT, "%s: more than %d tensors in total", f->name,
                         TENSOR_FILE_MAX_TENSORS);
    return STATUS_OK;
}

static enum status add_part(struct gguf *g, const char *path, struct error *err)
{
    struct gguf_file *f = add_file(g, path);
    enum status st = map_file(f, path, err);

    if (st == STATUS_OK)
        st = gguf_read_file(f, err);
    return st ? st : join(g, f, err);
}

/* split.* of one file: its number from 0, and how many parts there are. A file that is whole has
 * one part. */
static enum status part_numbers(const struct gguf_file *f, int64_t *no, int64_t *count,
                                struct error *err)
{
    const struct gguf_value *v = map_get(f->by_key, "split.count");
    const struct gguf_value *own = map_get(f->by_key, "split.no");

    *no = 0;
    *count = 1;
    if (v == NULL)
        return STATUS_OK;
    if (v->kind != GGUF_U16 || !own || own->kind != GGUF_U16)
        return error_set(err, STATUS_INVALID, "%s: \"split.count\" and \"split.no\" must be uint16",
                         f->name);
    *no = gguf_int_at(own, 0);
    *count = gguf_int_at(v, 0);
    if (*count == 0 || *count > GGUF_MAX_PARTS || *no >= *count)
        return error_set(err, STATUS_INVALID, "%s: part %lld of %lld is not possible", f->name,
                         (long long)*no + 1, (long long)*count);
    return STATUS_OK;
}

/* The path of part no (from 0) of the model whose first part is at `first`. */
static enum status part_path(const char *first, int64_t no, int64_t count, struct str *out,
                             struct error *err)
{
    char want[32];
    size_t n = strlen(first);

    (void)snprintf(want, sizeof(want), "-00001-of-%05d.gguf", (int)count);
    if (n <= PART_SUFFIX_BYTES || strcmp(first + n - PART_SUFFIX_BYTES, want) != 0)
        return error_set(err, STATUS_INVALID,
                         "%s is the first of %d parts, but its name does not end with %s", first,
                         (int)count, want);
    str_append(out, first, n - PART_SUFFIX_BYTES);
    str_printf(out, "-%05d-of-%05d.gguf", (int)no + 1, (int)count);
    return STATUS_OK;
}

static enum status add_other_parts(struct gguf *g, const char *path, int64_t count,
                                   struct error *err)
{
    struct str at = STR_INIT;
    enum status st = STATUS_OK;

    for (int64_t i = 1; i < count && st == STATUS_OK; i++) {
        int64_t no = 0, of = 0;

        str_clear(&at);
        st = part_path(path, i, count, &at, err);
        if (st == STATUS_OK)
            st = add_part(g, str_cstr(&at), err);
        if (st == STATUS_OK)
            st = part_numbers(&g->file[i], &no, &of, err);
        if (st == STATUS_OK && (no != i || of != count))
            st = error_set(err, STATUS_INVALID, "%s is part %lld of %lld, not %lld of %lld",
                           str_cstr(&at), (long long)no + 1, (long long)of, (long long)i + 1,
                           (long long)count);
    }
    str_deinit(&at);
    return st;
}

static enum status check_total(const struct gguf *g, struct error *err)
{
    const struct gguf_value *v = gguf_find(g, "split.tensors.count");

    if (v == NULL || g->n_files == 1)
        return STATUS_OK;
    if (v->kind != GGUF_I32 || gguf_int_at(v, 0) != g->n_tensors)
        return error_set(err, STATUS_INVALID,
                         "%s: \"split.tensors.count\" is not the %d tensors of the %d parts",
                         gguf_name(g), g->n_tensors, g->n_files);
    return STATUS_OK;
}

enum status gguf_open(const char *path, struct gguf **out, struct error *err)
{
    struct gguf *g = set_new();
    int64_t no = 0, count = 1;
    enum status st = add_part(g, path, err);

    if (st == STATUS_OK)
        st = part_numbers(&g->file[0], &no, &count, err);
    if (st == STATUS_OK && no != 0)
        st = error_set(err, STATUS_INVALID,
                       "%s is part %lld of %lld; give the first part as the model", path,
                       (long long)no + 1, (long long)count);
    if (st == STATUS_OK)
        st = add_other_parts(g, path, count, err);
    if (st == STATUS_OK)
        st = check_total(g, err);
    if (st) {
        gguf_unref(g);
        return st;
    }
    *out = g;
    return STATUS_OK;
}

enum status gguf_from_memory(const char *name, const void *bytes, size_t n, struct gguf **out,
                             struct error *err)
{
    struct gguf *g = set_new();
    struct gguf_file *f = add_file(g, name);
    enum status st;

    f->bytes = bytes;
    f->n_bytes = n;
    st = gguf_read_file(f, err);
    if (st == STATUS_OK)
        st = join(g, f, err);
    if (st) {
        gguf_unref(g);
        return st;
    }
    *out = g;
    return STATUS_OK;
}

const char *gguf_name(const struct gguf *g)
{
    return g->file[0].name;
}

int32_t gguf_n_parts(const struct gguf *g)
{
    return g->n_files;
}

const struct mapped_file *gguf_part_mapping(const struct gguf *g, int32_t i)
{
    return g->file[i].mapping;
}

int32_t gguf_version(const struct gguf *g)
{
    return g->file[0].version;
}

size_t gguf_alignment(const struct gguf *g)
{
    return g->file[0].alignment;
}

int32_t gguf_n_values(const struct gguf *g)
{
    return g->file[0].n_values;
}

const struct gguf_value *gguf_value_at(const struct gguf *g, int32_t i)
{
    return i >= 0 && i < g->file[0].n_values ? &g->file[0].value[i] : NULL;
}

int32_t gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, int32_t i)
{
    for (int32_t f = 0; i >= 0 && f < g->n_files; f++) {
        if (i < g->file[f].n_tensors)
            return &g->file[f].tensor[i];
        i -= g->file[f].n_tensors;
    }
    return NULL;
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name)
{
    return map_get(g->by_name, name);
}
