/* tensor_file.c - look-up and reading, the same for every format.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tensor_file.h"

#include "models/formats/tensor_file_impl.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/str.h"

void tensor_file_close(struct tensor_file *f)
{
    if (f)
        f->close(f);
}

int32_t tensor_file_count(const struct tensor_file *f)
{
    return f->n;
}

const struct file_tensor *tensor_file_at(const struct tensor_file *f, int32_t i)
{
    return i >= 0 && i < f->n ? &f->tensor[i] : NULL;
}

const struct file_tensor *tensor_file_find(const struct tensor_file *f, const char *name)
{
    return map_get(f->by_name, name);
}

enum status tensor_file_index(struct tensor_file *f, int32_t first, int32_t count,
                              struct error *err)
{
    for (int32_t i = first; i < first + count; i++) {
        struct file_tensor *t = &f->tensor[i];
        const struct file_tensor *other = map_get(f->by_name, t->name);

        if (other && other->file == t->file)
            return error_set(err, STATUS_INVALID, "%s: tensor \"%s\" is there twice", t->file,
                             t->name);
        if (other)
            return error_set(err, STATUS_INVALID, "tensor \"%s\" is in both %s and %s", t->name,
                             other->file, t->file);
        map_put(f->by_name, t->name, t);
    }
    return STATUS_OK;
}

bool tensor_file_norms_whole(const struct tensor_file *f)
{
    return f->norms_whole;
}

static const struct mapped_file *mapping_at(const struct tensor_file *f, int32_t i)
{
    return f->mapping ? f->mapping(f, i) : NULL;
}

bool tensor_file_is_cut(const struct tensor_file *f)
{
    for (int32_t i = 0; i < f->n_files; i++)
        if (mapping_at(f, i) && mapped_file_is_cut(mapping_at(f, i)))
            return true;
    return false;
}

enum status tensor_file_check_whole(const struct tensor_file *f, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < f->n_files && !st; i++)
        if (mapping_at(f, i))
            st = mapped_file_check(mapping_at(f, i), err);
    return st;
}

bool tensor_file_identify(const struct tensor_file *f, struct hasher *h)
{
    for (int32_t i = 0; i < f->n_files; i++) {
        struct file_identity id;

        if (!mapping_at(f, i))
            return false;
        id = mapped_file_identity(mapping_at(f, i));
        hasher_add(h, &id, sizeof(id));
    }
    return f->n_files > 0;
}

static void put_shape(struct str *s, int32_t n_dims, const int64_t *shape)
{
    str_putc(s, '(');
    for (int32_t i = 0; i < n_dims; i++)
        str_printf(s, "%s%lld", i ? ", " : "", (long long)shape[i]);
    str_putc(s, ')');
}

enum status tensor_file_require(const struct tensor_file *f, const char *name, int32_t n_dims,
                                const int64_t *shape, const struct file_tensor **out,
                                struct error *err)
{
    const struct file_tensor *t = tensor_file_find(f, name);
    struct str want = STR_INIT, got = STR_INIT;
    bool same;

    if (t == NULL)
        return error_set(err, STATUS_NOT_FOUND, "%s%s: no tensor \"%s\"", f->name,
                         f->n_files > 1 ? " and its shards" : "", name);
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
                         "%s: tensor \"%s\" has dtype %s, which this build does not read", t->file,
                         name, t->type);
    *out = t;
    return STATUS_OK;
}

/* Where row r of the order of two halves is in the file. */
static int64_t stored_row(const struct file_tensor *t, int64_t r)
{
    const int64_t D = t->paired_heads ? t->shape[0] / t->paired_heads : 0;

    if (D == 0)
        return r;
    return r / D * D + r % D % (D / 2) * 2 + r % D / (D / 2);
}

const void *file_tensor_row(const struct file_tensor *t, int64_t r)
{
    size_t bytes = dtype_row_bytes(t->dtype, t->n_elements / (t->n_dims ? t->shape[0] : 1));

    return (const char *)t->data + (size_t)stored_row(t, r) * bytes;
}

void file_tensor_to_f32(const struct file_tensor *t, int64_t first, int64_t n, float *out)
{
    const struct dtype_info *d = dtype_info(t->dtype);
    const int64_t cols = t->paired_heads ? t->n_elements / t->shape[0] : 0;

    assert(first % d->block == 0 && n % d->block == 0);
    while (n > 0) {
        int64_t part = n, from = first;

        if (cols > 0) { /* to the end of a row */
            part = cols - first % cols < n ? cols - first % cols : n;
            from = stored_row(t, first / cols) * cols + first % cols;
        }
        d->to_f32((const char *)t->data + dtype_row_bytes(t->dtype, from), part, out);
        first += part;
        out += part;
        n -= part;
    }
}
