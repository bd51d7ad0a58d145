/* weights.h - one version of a model's tensors, shared by reference.
 *
 * A call pins the version that it began with; training writes a new one; publishing is a
 * pointer swap (models/engine). Row-major bytes may lie in a mapped checkpoint; packed
 * panels lie in the backend's memory. Immutable once published.
 *
 * Products with quantised weights compute from the blocks of the file: such weights are constants,
 * of which there is one version. The rows of a product are read once, while it is packed; those of
 * the embedding stay.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_WEIGHTS_H
#define TROUPE_MODELS_ARCH_WEIGHTS_H

#include "kernels/backend.h"
#include "models/formats/model_config.h"
#include "runtime/base/hash.h"
#include "runtime/base/seams.h"

struct arch;
struct arch_tensor;
struct tensor_file;

struct weight_tensor {
    const char *name; /* as on disk: "model.layers.0.self_attn.q_proj.weight" */
    /* n_out x n_in; a vector is 1 x n. A quantised product has no m.rows, unless it is the
     * embedding too. */
    struct matrix m;
    bool is_product; /* has panels */
};

struct weights; /* reference-counted; ref and unref from any thread */

/* From an opened checkpoint: every tensor of the architecture must exist with the right
 * shape. An extra tensor is an error that names it (except known buffers). Takes ownership of the
 * checkpoint, also on failure. `dtype` is the type that products compute from; DTYPE_N: the stored
 * one, but blocks of a type for which the backend has no products are widened to f32. Vectors are
 * always f32. */
MUST_CHECK enum status weights_load(const struct backend *b, const struct arch *a,
                                    const struct model_config *c, struct tensor_file *adopt,
                                    enum dtype dtype, struct weights **out, struct error *err);
/* Where packed panels are kept from one start to the next (weights_packed.h). */
struct weights_cache {
    const char *folder; /* is made when it is needed */
    const struct seams *seams;
};
/* The same with a cache of panels. */
MUST_CHECK enum status weights_load_cached(const struct backend *b, const struct arch *a,
                                           const struct model_config *c, struct tensor_file *adopt,
                                           enum dtype dtype, const struct weights_cache *cache,
                                           struct weights **out, struct error *err);
/* Random initial weights (normal, std 0.02, output projections scaled by 1/sqrt(2 L)), fp32. */
MUST_CHECK enum status weights_init(const struct backend *b, const struct arch *a,
                                    const struct model_config *c, uint64_t seed,
                                    struct weights **out, struct error *err);
/* STATUS_UNSUPPORTED, with what to do, for quantised weights: no new version of them can be made.
 */
MUST_CHECK enum status weights_check_trainable(const struct weights *w, struct error *err);
/* A new version from fp32 master values, one flat array of backend memory in the order of the
 * tensors, each rounded to the dtype that it has in `like`, packed. STATUS_UNSUPPORTED: as above.
 */
MUST_CHECK enum status weights_from_flat(const struct weights *like, const float *flat,
                                         int64_t version, struct weights **out, struct error *err);
/* The same in place, for a trainer that holds the only reference to an unpublished version made by
 * weights_from_flat. */
MUST_CHECK enum status weights_set_flat(struct weights *w, const struct lane *l, const float *flat,
                                        int64_t version, struct error *err);

struct weights *weights_ref(struct weights *w);
void weights_unref(struct weights *w);

/* The file that they lie in was cut by another program: what was computed since is wrong. */
bool weights_are_cut(const struct weights *w);
int64_t weights_version(const struct weights *w);
const struct sha256 *weights_hash(const struct weights *w); /* over names, shapes and bytes */
const struct model_config *weights_config(const struct weights *w);
const struct arch *weights_arch(const struct weights *w);
const struct backend *weights_backend(const struct weights *w);
int32_t weights_n(const struct weights *w);
const struct weight_tensor *weights_at(const struct weights *w, int32_t i);
/* As the architecture describes tensor i (arch.h): where a folder has it. */
const struct arch_tensor *weights_shape(const struct weights *w, int32_t i);
int64_t weights_n_params(const struct weights *w);               /* tied tensors once */
int64_t weights_bytes(const struct weights *w);                  /* of panels, and of rows here */
int64_t weights_flat_offset(const struct weights *w, int32_t i); /* of tensor i in a flat array */
void weights_to_flat(const struct weights *w, float *flat);      /* host memory */
/* The same into backend memory. */
void weights_copy_flat(const struct weights *w, const struct lane *l, float *flat);

/* The type that keys and values are rounded to by default, in the engine and in training alike, so
 * that their log-probs agree: float for float weights, else bf16. */
enum dtype weights_kv_dtype(const struct weights *w);
/* Another type than the default, of w and of all versions made from it (DTYPE_N: the default).
 * Before w is shared. */
void weights_set_kv_dtype(struct weights *w, enum dtype t);
bool weights_kv_is_asked(const struct weights *w); /* it was set */

/* Inputs of the widest product with quantised weights; 0: there is none. */
int32_t weights_rounded_inputs(const struct weights *w);

/* What a load will take, before it: for the memory plan. `files` (NULL: a model that is not loaded
 * from files, all tensors as the config says) are opened, not read. */
struct weights_plan {
    int64_t bytes;          /* panels, and rows that stay */
    int64_t widened_bytes;  /* of them, those of blocks that are widened because there are no */
    enum dtype widened;     /* products of their type (the first such type; DTYPE_N: none) */
    int32_t rounded_inputs; /* as weights_rounded_inputs */
    enum dtype kv_dtype;    /* as weights_kv_dtype */
};
MUST_CHECK enum status weights_plan(const struct backend *b, const struct arch *a,
                                    const struct model_config *c, const struct tensor_file *files,
                                    enum dtype dtype, struct weights_plan *out, struct error *err);

#endif
