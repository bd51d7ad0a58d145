/* model_export.c - see model_export.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/model_export.h"

#include <stdlib.h>

#include "models/arch/arch.h"
#include "models/formats/safetensors.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

#define MAX_SHARD_BYTES ((size_t)5 << 30) /* as save_pretrained */

/* The tensors of a folder from those of the architecture: parts of one follow each other in `flat`
 * and become one, and what a folder leaves out is taken off. Returns how many they are. */
static int32_t folder_tensors(const struct weights *w, enum dtype dtype, float *flat,
                              struct safetensor_source *t)
{
    int32_t n = 0;

    for (int32_t i = 0; i < weights_n(w); i++) {
        const struct weight_tensor *tensor = weights_at(w, i);
        const struct arch_tensor *s = weights_shape(w, i);
        const bool vector = s->rows == 1 && !s->is_product;
        float *values = flat + weights_flat_offset(w, i);

        for (int64_t j = 0; s->offset != 0 && j < (int64_t)s->rows * s->cols; j++)
            values[j] -= s->offset;
        if (s->first_row > 0)
            continue;
        t[n++] = (struct safetensor_source){
            .name = s->stored[0] ? s->stored : tensor->name,
            .dtype = dtype == DTYPE_N ? tensor->m.dtype : dtype,
            .source = DTYPE_F32,
            .n_dims = vector ? 1 : 2,
            .shape = {vector         ? s->cols
                      : s->stored[0] ? s->stored_rows
                                     : s->rows,
                      vector ? 0 : s->cols},
            .data = values,
        };
    }
    return n;
}

static enum status write_tensors(const char *dir, const struct weights *w, enum dtype dtype,
                                 const struct seams *seams, struct error *err)
{
    int32_t n = weights_n(w);
    struct safetensor_source *t = mem_alloc((size_t)n, sizeof(*t));
    float *flat = mem_aligned_alloc((size_t)weights_n_params(w), sizeof(float));
    enum status st;

    if (!t || !flat) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory to write %lld weights",
                       (long long)weights_n_params(w));
        goto out;
    }
    weights_to_flat(w, flat);
    n = folder_tensors(w, dtype, flat, t);
    st = safetensors_write_dir(dir, t, n, MAX_SHARD_BYTES, NULL, seams, err);
out:
    free(t);
    mem_aligned_free(flat);
    return st;
}

static enum status write_text(const char *dir, const char *name, const void *bytes, size_t n,
                              const struct seams *seams, struct error *err)
{
    struct str path = STR_INIT;
    enum status st;

    str_printf(&path, "%s/%s", dir, name);
    st = file_write_atomic(seams, str_cstr(&path), bytes, n, err);
    str_deinit(&path);
    return st;
}

/* The weights come first and config.json last: a folder with one is complete. */
enum status model_export(const char *dir, const struct weights *w, enum dtype dtype,
                         const struct export_file *files, size_t n_files, const struct seams *seams,
                         struct error *err)
{
    struct model_config c = *weights_config(w);
    struct str text = STR_INIT;
    enum status st = dir_make(dir, err);

    if (!st)
        st = write_tensors(dir, w, dtype, seams, err);
    for (size_t i = 0; i < n_files && !st; i++)
        st = write_text(dir, files[i].name, files[i].bytes, files[i].n, seams, err);
    c.dtype = dtype == DTYPE_N ? weights_at(w, 0)->m.dtype : dtype;
    model_config_write_generation(&c, &text);
    if (!st)
        st = write_text(dir, "generation_config.json", str_cstr(&text), text.len, seams, err);
    str_clear(&text);
    model_config_write(&c, &text);
    if (!st)
        st = write_text(dir, "config.json", str_cstr(&text), text.len, seams, err);
    str_deinit(&text);
    if (st)
        error_note(err, "writing model %s", dir);
    return st;
}
