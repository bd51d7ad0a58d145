/* tensor_file.h - named tensors, whatever the format of the file: safetensors or GGUF.
 *
 * Names and shapes are those of Hugging Face, row-major, last index contiguous; a GGUF file is read
 * under these names. Opening a file has checked every offset, shape and
 * type: `data` to `data + bytes` may be read. Everything is read-only and may be used from any
 * thread; names, tensors and data live until tensor_file_close().
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TENSOR_FILE_H
#define TROUPE_MODELS_FORMATS_TENSOR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

#define TENSOR_FILE_MAX_TENSORS 100000 /* in one set of files */
#define TENSOR_FILE_MAX_DIMS    8

struct tensor_file;

struct file_tensor {
    const char *name;
    const char *type; /* as in the file: "F32", "BF16", "I64", "Q4_K", ... */
    enum dtype dtype; /* DTYPE_N: a type that this build does not read */
    int32_t n_dims;   /* 0: a scalar */
    int64_t shape[TENSOR_FILE_MAX_DIMS];
    int64_t n_elements;
    const void *data; /* little endian; NOT necessarily aligned: copy or file_tensor_to_f32 */
    size_t bytes;
    const char *file; /* which file it came from, for messages */
    /* 0: the rows are in order. Else this many heads, each with its rows in the order of adjacent
     * pairs (0, D/2, 1, D/2 + 1, ...), as GGUF files of llama have q and k; file_tensor_to_f32
     * gives the order of two halves (0, 1, 2, ...). */
    int32_t paired_heads;
};

void tensor_file_close(struct tensor_file *f); /* NULL too */
int32_t tensor_file_count(const struct tensor_file *f);
const struct file_tensor *tensor_file_at(const struct tensor_file *f, int32_t i); /* or NULL */
const struct file_tensor *tensor_file_find(const struct tensor_file *f, const char *name);
/* Has another program cut one of the mapped files, so that zeros were read in place of its end
 * (runtime/base/mapped_file.h)? */
bool tensor_file_is_cut(const struct tensor_file *f);
/* STATUS_IO: so, or one is shorter now than it was; the error names it. */
MUST_CHECK enum status tensor_file_check_whole(const struct tensor_file *f, struct error *err);
/* Adds what identifies all files to h; false: there is one that is not a file, but in memory. */
bool tensor_file_identify(const struct tensor_file *f, struct hasher *h);

/* A tensor that must exist, with a dtype that is read and exactly this shape. The error names the
 * file, the tensor and what was expected. */
MUST_CHECK enum status tensor_file_require(const struct tensor_file *f, const char *name,
                                           int32_t n_dims, const int64_t *shape,
                                           const struct file_tensor **out, struct error *err);

/* Weights of norms that a family's folders hold without their 1 (model_family.h) have it here:
 * GGUF.
 */
bool tensor_file_norms_whole(const struct tensor_file *f);

/* Elements first .. first+n-1 as float, whatever the dtype and the order of the rows; both numbers
 * are multiples of the dtype's block, and the caller checks the range. */
void file_tensor_to_f32(const struct file_tensor *t, int64_t first, int64_t n, float *out);

/* The bytes of row r in that order; the row is whole blocks. */
const void *file_tensor_row(const struct file_tensor *t, int64_t r);

#endif
