/* weights_impl.h - the fields of struct weights, for weights.c and weights_load.c alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_WEIGHTS_IMPL_H
#define TROUPE_MODELS_ARCH_WEIGHTS_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "models/arch/arch.h"
#include "models/arch/weights.h"
#include "models/formats/tensor_file.h"

struct weights {
    atomic_int refs;
    const struct backend *backend;
    const struct arch *arch;
    struct model_config config;
    int64_t version;
    enum dtype kv_dtype; /* asked for; DTYPE_N: the default */
    int32_t n;
    struct weight_tensor *tensor; /* (n) */
    struct arch_tensor *shape;    /* (n) names live here */
    int64_t *offset;              /* (n + 1) of each tensor in a flat array */
    void *rows;                   /* backend memory: rows that are not in the checkpoint */
    void *panels;                 /* backend memory: all panels */
    size_t rows_bytes, panels_bytes;
    struct mapped_file *packed; /* in place of `panels`: a file that has them */
    bool owns_all_rows;         /* made from a flat array: may be set again */
    struct tensor_file *checkpoint;
    bool norms_whole;                  /* tensor_file_norms_whole of it */
    const struct file_tensor **source; /* (n) of the checkpoint; NULL without one */
    pthread_mutex_t lock;              /* guards hash, which is computed when first asked for */
    bool hashed;
    struct sha256 hash;
};

/* Shapes, names and offsets; no memory for values yet. */
MUST_CHECK enum status weights_new(const struct backend *b, const struct arch *a,
                                   const struct model_config *c, struct weights **out,
                                   struct error *err);
/* A vector: its values are read as float. */
bool weights_is_vector(const struct weights *w, int32_t i);
/* The total size of the panels of every product by its shape and dtype, into panels_bytes. */
void weights_measure(struct weights *w);
/* Backend memory for `bytes` of rows, and of panels unless w->packed has them; sets the panels
 * pointers. weights_measure was called. */
MUST_CHECK enum status weights_alloc(struct weights *w, size_t rows_bytes, struct error *err);
/* Space that tensor i takes in the rows block. */
size_t weights_rows_bytes(const struct weights *w, int32_t i);
/* Adds tensor i to the hash of the weights: names, shapes and bytes, so that the same values in the
 * same dtypes have the same hash, whether loaded or trained. */
void weights_hash_tensor(const struct weights *w, int32_t i, struct hasher *h);

#endif
