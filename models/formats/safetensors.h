/* safetensors.h - named tensors in files: reader over mmap, atomic writer.
 *
 * A set is one file, a folder (model.safetensors, or the shards that
 * model.safetensors.index.json names) or bytes in memory. The files are untrusted:
 * before a tensor is visible, its offsets are checked. They must be inside the file and
 * match shape and type without overflow. Tensors must not overlap or have gaps between them.
 * Everything is read-only and may be used from any thread; names, tensors and
 * data live until safetensors_close(). No other program may
 * truncate a mapped file. The writer below replaces files by rename, which is safe.
 * Format: huggingface/safetensors, README, "Format".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_SAFETENSORS_H
#define TROUPE_MODELS_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/base/status.h"

#define SAFETENSORS_MAX_HEADER  ((size_t)16 << 20)
#define SAFETENSORS_MAX_TENSORS 100000 /* in one set */
#define SAFETENSORS_MAX_SHARDS  1000
#define SAFETENSORS_MAX_DIMS    8

struct safetensors;

struct safetensor {
    const char *name;
    const char *type; /* as in the file: "F32", "BF16", "I64", ... */
    enum dtype dtype; /* DTYPE_N: a type that the ops do not support */
    int32_t n_dims;   /* 0: a scalar */
    int64_t shape[SAFETENSORS_MAX_DIMS];
    int64_t n_elements;
    const void *data; /* little endian; NOT necessarily aligned: copy or safetensor_to_f32 */
    size_t bytes;
    const char *file; /* which file it came from, for messages */
};

MUST_CHECK enum status safetensors_open_dir(const char *dir, struct safetensors **out,
                                            struct error *err);
MUST_CHECK enum status safetensors_open_file(const char *path, struct safetensors **out,
                                             struct error *err);
/* `bytes` are lent and must outlive the set; `name` is used in messages. */
MUST_CHECK enum status safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                               struct safetensors **out, struct error *err);
void safetensors_close(struct safetensors *st);

int32_t safetensors_count(const struct safetensors *st);
const struct safetensor *safetensors_at(const struct safetensors *st, int32_t i); /* file order */
const struct safetensor *safetensors_find(const struct safetensors *st, const char *name);
/* A tensor that must exist, with a supported dtype and exactly this shape. The error names the
 * file, the tensor and what was expected. */
MUST_CHECK enum status safetensors_require(const struct safetensors *st, const char *name,
                                           int32_t n_dims, const int64_t *shape,
                                           const struct safetensor **out, struct error *err);

/* Elements first .. first+n-1 as float, whatever the dtype; the caller checks the range. */
void safetensor_to_f32(const struct safetensor *t, int64_t first, int64_t n, float *out);

/* ---- writing */

struct safetensor_source {
    const char *name;
    enum dtype dtype;  /* in the file */
    enum dtype source; /* of `data`: the same, or DTYPE_F32 to be rounded while writing */
    int32_t n_dims;
    int64_t shape[SAFETENSORS_MAX_DIMS];
    const void *data; /* row-major, aligned for its type */
};

/* One file: written next to `path`, synced, renamed over it. Bytes depend on the arguments alone:
 * tensors are laid out by dtype, then name, as the reference writer does. `metadata` is an
 * object of strings or NULL; {"format": "pt"} is always in it (transformers requires it). */
MUST_CHECK enum status safetensors_write(const char *path, const struct safetensor_source *tensors,
                                         int32_t n, const struct json *metadata,
                                         const struct seams *seams, struct error *err);
/* An existing folder: model.safetensors, or shards of at most about max_shard_bytes with their
 * index when everything is larger (0: never). The index is renamed last; files of the other
 * layout are removed after that. */
MUST_CHECK enum status safetensors_write_dir(const char *dir,
                                             const struct safetensor_source *tensors, int32_t n,
                                             size_t max_shard_bytes, const struct json *metadata,
                                             const struct seams *seams, struct error *err);

#endif
