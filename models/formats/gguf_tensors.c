/* gguf_tensors.c - see gguf_tensors.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_tensors.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/model_family.h"
#include "models/formats/tensor_file_impl.h"
#include "runtime/base/memory.h"

struct gguf_tensors {
    struct tensor_file base;
    struct gguf *gguf; /* a reference */
    struct arena *names;
};

static void close_tensors(struct tensor_file *base)
{
    struct gguf_tensors *t = CONTAINER_OF(base, struct gguf_tensors, base);

    map_free(base->by_name, NULL);
    free(base->tensor);
    arena_free(t->names);
    gguf_unref(t->gguf);
    free(t);
}

static const struct mapped_file *part_mapping(const struct tensor_file *base, int32_t i)
{
    const struct gguf_tensors *t = (const struct gguf_tensors *)(const void *)base;

    return gguf_part_mapping(t->gguf, i);
}

static enum status fill(const struct model_family *f, const struct model_config *c,
                        const struct gguf_tensor *from, struct arena *names, struct file_tensor *to,
                        struct error *err)
{
    struct str name = STR_INIT;

    *to = (struct file_tensor){.type = from->type->name,
                               .dtype = from->type->dtype,
                               .n_dims = from->n_dims,
                               .n_elements = from->n_elements,
                               .data = from->data,
                               .bytes = from->bytes,
                               .file = from->file,
                               .paired_heads = model_family_paired_heads(f, c, from->name)};
    to->name = model_family_hf_tensor(f, from->name, &name) ? arena_strdup(names, str_cstr(&name))
                                                            : from->name;
    str_deinit(&name);
    for (int32_t i = 0; i < from->n_dims; i++)
        to->shape[i] = from->dim[from->n_dims - 1 - i];
    if (to->paired_heads && to->shape[0] != (int64_t)to->paired_heads * c->head_dim)
        return error_set(err, STATUS_INVALID,
                         "%s: tensor \"%s\" has %lld rows, but %d heads of %d need %lld",
                         from->file, from->name, (long long)to->shape[0], to->paired_heads,
                         c->head_dim, (long long)to->paired_heads * c->head_dim);
    return STATUS_OK;
}

enum status gguf_tensors(struct gguf *g, const struct model_config *c, struct tensor_file **out,
                         struct error *err)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    struct gguf_tensors *t = xcalloc(1, sizeof(*t));
    enum status st = STATUS_OK;

    assert(f); /* the config comes from gguf_config */
    t->gguf = gguf_ref(g);
    t->names = arena_new(16384);
    t->base.close = close_tensors;
    t->base.mapping = part_mapping;
    t->base.norms_whole = true;
    t->base.by_name = map_new();
    t->base.n_files = gguf_n_parts(g);
    t->base.name = gguf_name(g);
    t->base.tensor = mem_alloc((size_t)gguf_n_tensors(g) + 1, sizeof(*t->base.tensor));
    if (t->base.tensor == NULL)
        st = error_set(err, STATUS_NO_MEMORY, "%s: no memory for %d tensors", gguf_name(g),
                       gguf_n_tensors(g));
    for (int32_t i = 0; i < gguf_n_tensors(g) && st == STATUS_OK; i++)
        st = fill(f, c, gguf_tensor_at(g, i), t->names, &t->base.tensor[t->base.n++], err);
    if (st == STATUS_OK)
        st = tensor_file_index(&t->base, 0, t->base.n, err);
    if (st) {
        tensor_file_close(&t->base);
        return st;
    }
    *out = &t->base;
    return STATUS_OK;
}
