/* weights.h - one version of a model's tensors, shared by reference.
 *
 * A call pins the version that it began with; training writes a new one; publishing is a
 * pointer swap (models/engine). Row-major bytes may lie in a mapped checkpoint; packed
 * panels lie in the backend's memory. Immutable once published.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_WEIGHTS_H
#define TROUPE_MODELS_ARCH_WEIGHTS_H

#include "kernels/backend.h"
#include "models/formats/model_config.h"
#include "runtime/base/hash.h"

struct arch;
struct arch_tensor;

struct weight_tensor {
    const char *name; /* as on disk: "model.layers.0.self_attn.q_proj.weight" */
    struct matrix m;  /* n_out x n_in; a vector is 1 x n */
    bool is_product;  /* has panels */
};

struct weights; /* reference-counted; ref and unref from any thread */

/* What products compute from: the type that is asked for, else (DTYPE_N) the stored one. Ops read
 * plain types; blocks are widened to f32. */
enum dtype weights_held_dtype(enum dtype stored, enum dtype asked);
/* From an opened checkpoint: every tensor of the architecture must exist with the right
 * shape. An extra tensor is an error that names it (except known buffers). Takes ownership of the
 * checkpoint, also on failure. `dtype`: what is asked for, as above; vectors are always f32.
 */
struct tensor_file;
MUST_CHECK enum status weights_load(const struct backend *b, const struct arch *a,
                                    const struct model_config *c, struct tensor_file *adopt,
                                    enum dtype dtype, struct weights **out, struct error *err);
/* Random initial weights (normal, std 0.02, output projections scaled by 1/sqrt(2 L)), fp32. */
MUST_CHECK enum status weights_init(const struct backend *b, const struct arch *a,
                                    const struct model_config *c, uint64_t seed,
                                    struct weights **out, struct error *err);
/* A new version from fp32 master values, one flat array of backend memory in the order of the
 * tensors, each rounded to the dtype that it has in `like`, packed. */
MUST_CHECK enum status weights_from_flat(const struct weights *like, const float *flat,
                                         int64_t version, struct weights **out, struct error *err);
/* The same in place, for a trainer that holds the only reference to an unpublished version made by
 * weights_from_flat. */
MUST_CHECK enum status weights_set_flat(struct weights *w, const struct lane *l, const float *flat,
                                        int64_t version, struct error *err);

struct weights *weights_ref(struct weights *w);
void weights_unref(struct weights *w);

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
int64_t weights_flat_offset(const struct weights *w, int32_t i); /* of tensor i in a flat array */
void weights_to_flat(const struct weights *w, float *flat);      /* host memory */
/* The same into backend memory. */
void weights_copy_flat(const struct weights *w, const struct lane *l, float *flat);

/* The type that keys and values are rounded to by default, in the engine and in training alike, so
 * that their log-probs agree: float for float weights, else bf16. */
enum dtype weights_kv_dtype(const struct weights *w);

/* Bytes that a load takes, from the config alone: for the memory plan. */
int64_t weights_plan_bytes(const struct backend *b, const struct arch *a,
                           const struct model_config *c, enum dtype dtype);

#endif
