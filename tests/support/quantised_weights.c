/* quantised_weights.c - see quantised_weights.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/quantised_weights.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tensor_file_impl.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"
#include "tests/support/small_qwen3.h"

const enum dtype quantised_types[] = {DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1,
                                      DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_N};

struct file_in_memory {
    struct tensor_file base;
    struct arch_tensor *shape; /* (n) names */
    char *bytes;
};

struct model_config quantisable_config(enum dtype t, int32_t vocab_size)
{
    struct model_config c = small_qwen3(vocab_size);
    int32_t block = dtype_info(t)->block;

    c.n_layers = block == 256 ? 1 : 2; /* wide enough */
    c.head_dim = block == 256 ? 64 : 16;
    c.n_kv_heads = block == 256 ? 1 : 2;
    c.hidden_size = block == 256 ? 256 : 96;
    c.intermediate_size = block == 256 ? 256 : 160;
    return c;
}

static void close_file(struct tensor_file *f)
{
    struct file_in_memory *m = CONTAINER_OF(f, struct file_in_memory, base);

    map_free(f->by_name, NULL);
    free(f->tensor);
    free(m->shape);
    free(m->bytes);
    free(m);
}

static int32_t paired_heads_of(const struct weights *w, const char *name)
{
    const struct model_config *c = weights_config(w);

    return strstr(name, "q_proj") ? c->n_heads : strstr(name, "k_proj") ? c->n_kv_heads : 0;
}

/* Rows 0, 1, 2, ... of each head go to the places of 0, D/2, 1, D/2 + 1, ... */
static void pair_rows(float *rows, int32_t n_rows, int32_t cols, int32_t heads)
{
    int32_t D = n_rows / heads;
    size_t bytes = (size_t)n_rows * (size_t)cols * sizeof(float);
    float *from = xmalloc(bytes);

    memcpy(from, rows, bytes);
    for (int32_t r = 0; r < n_rows; r++) {
        int32_t to = r / D * D + r % D % (D / 2) * 2 + r % D / (D / 2);
        memcpy(rows + (size_t)to * (size_t)cols, from + (size_t)r * (size_t)cols,
               (size_t)cols * sizeof(float));
    }
    free(from);
}

static size_t add_tensor(const struct weights *w, int32_t i, enum dtype t, bool paired, float *flat,
                         const char *name, char *to, struct file_tensor *out)
{
    const struct weight_tensor *from = weights_at(w, i);
    bool vector = from->m.n_out == 1;
    enum dtype type = vector ? DTYPE_F32 : t;
    int64_t n = (int64_t)from->m.n_out * from->m.n_in;
    float *values = flat + weights_flat_offset(w, i);

    *out = (struct file_tensor){.name = name,
                                .type = dtype_name(type),
                                .dtype = type,
                                .n_dims = vector ? 1 : 2,
                                .shape = {vector ? n : from->m.n_out, vector ? 0 : from->m.n_in},
                                .n_elements = n,
                                .data = to,
                                .bytes = dtype_row_bytes(type, n),
                                .file = "memory"};
    if (paired)
        out->paired_heads = paired_heads_of(w, from->name);
    if (out->paired_heads)
        pair_rows(values, from->m.n_out, from->m.n_in, out->paired_heads);
    dtype_info(type)->from_f32(values, n, to);
    return (out->bytes + 63) / 64 * 64;
}

struct tensor_file *quantised_file(const struct weights *w, enum dtype t, bool paired)
{
    struct file_in_memory *m = xcalloc(1, sizeof(*m));
    size_t n = (size_t)weights_n_params(w), at = 0;
    float *flat = xcalloc(n, sizeof(float));

    weights_to_flat(w, flat);
    m->bytes = xcalloc(n * sizeof(float) + 64 * (size_t)weights_n(w), 1);
    m->base.close = close_file;
    m->base.name = "memory";
    m->base.n_files = 1;
    m->base.by_name = map_new();
    m->base.n = weights_n(w);
    m->base.tensor = xcalloc((size_t)weights_n(w), sizeof(*m->base.tensor));
    m->shape = xcalloc((size_t)weights_n(w), sizeof(*m->shape));
    for (int32_t i = 0; i < weights_n(w); i++) {
        weights_arch(w)->tensor(weights_config(w), i, &m->shape[i]);
        at +=
            add_tensor(w, i, t, paired, flat, m->shape[i].name, m->bytes + at, &m->base.tensor[i]);
    }
    assert_ok(tensor_file_index(&m->base, 0, m->base.n, why));
    free(flat);
    return &m->base;
}

struct weights *quantised_weights(struct weights *w, enum dtype t, const struct backend *b)
{
    struct weights *out;

    assert_ok(weights_load(b, weights_arch(w), weights_config(w), quantised_file(w, t, false),
                           DTYPE_N, &out, why));
    weights_unref(w);
    return out;
}
