/* tensor_file_impl.h - what a format fills: for the files that open one, and tensor_file.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TENSOR_FILE_IMPL_H
#define TROUPE_MODELS_FORMATS_TENSOR_FILE_IMPL_H

#include "models/formats/tensor_file.h"
#include "runtime/base/map.h"

/* The first member of a format's own struct. The format owns `tensor`, which does not move: callers
 * keep pointers into it. */
struct tensor_file {
    void (*close)(struct tensor_file *f);
    /* Of file i of n_files; NULL: not mapped. The slot may be NULL, too. */
    const struct mapped_file *(*mapping)(const struct tensor_file *f, int32_t i);
    struct file_tensor *tensor; /* (n) in the order of the file */
    int32_t n;
    int32_t n_files;
    struct map *by_name; /* name -> struct file_tensor *, owned */
    bool norms_whole;    /* see tensor_file_norms_whole */
    const char *name;    /* of the first file, in messages; "" while there is none */
};

/* Puts tensor first .. first+count-1 into by_name; STATUS_INVALID: a name is there twice. */
MUST_CHECK enum status tensor_file_index(struct tensor_file *f, int32_t first, int32_t count,
                                         struct error *err);

#endif
