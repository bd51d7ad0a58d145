/* safetensors.h - a tensor_file over mapped safetensors files, and their atomic writer.
 *
 * A set is one file, a folder (model.safetensors, or the shards that
 * model.safetensors.index.json names) or bytes in memory. The files are untrusted:
 * before a tensor is visible, its offsets are checked. They must be inside the file and
 * match shape and type without overflow. Tensors must not overlap or have gaps between them.
 * No other program may truncate a mapped file. The writer below replaces files by rename, which is
 * safe. Format: huggingface/safetensors, README, "Format". SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_SAFETENSORS_H
#define TROUPE_MODELS_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/formats/tensor_file.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/base/status.h"

#define SAFETENSORS_MAX_HEADER ((size_t)16 << 20)
#define SAFETENSORS_MAX_SHARDS 1000

MUST_CHECK enum status safetensors_open_dir(const char *dir, struct tensor_file **out,
                                            struct error *err);
MUST_CHECK enum status safetensors_open_file(const char *path, struct tensor_file **out,
                                             struct error *err);
/* `bytes` are lent and must outlive the set; `name` is used in messages. */
MUST_CHECK enum status safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                               struct tensor_file **out, struct error *err);

/* ---- writing */

struct safetensor_source {
    const char *name;
    enum dtype dtype;  /* in the file */
    enum dtype source; /* of `data`: the same, or DTYPE_F32 to be rounded while writing */
    int32_t n_dims;
    int64_t shape[TENSOR_FILE_MAX_DIMS];
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
