/* optimizer.h - AdamW over flat arrays: master weights and moments in fp32.
 *
 * It knows tensors by their place and whether they decay (param_set.h), not models. The global norm
 * is a sum of fixed pieces in order, so the number of threads changes no bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_OPTIMIZER_H
#define TROUPE_MODELS_TRAIN_OPTIMIZER_H

#include "models/train/param_set.h"

struct optimizer_piece {
    int64_t first, n;
    bool decay;
};

struct optimizer {
    const struct backend *backend;
    struct param_set params;
    int64_t n_params, n_steps; /* steps taken: t of the bias correction */
    float *master, *m, *v;     /* (n_params) backend memory */
    int32_t n_pieces;
    struct optimizer_piece *piece;
    double *piece_sum; /* (n_pieces) backend memory */
    double *host_sum;  /* (n_pieces) host memory */
};

struct optimizer_step {
    double lr, beta1, beta2, eps, weight_decay;
    double clip;  /* of the global norm; 0: none */
    double scale; /* of the gradient before all else: 1 / trained tokens */
};

/* Takes over params, also on failure. Master values and moments are 0. */
MUST_CHECK enum status optimizer_init(struct optimizer *o, struct param_set *adopt,
                                      struct error *err);
/* Of all tensors of w, which must outlive it: master = their values. */
MUST_CHECK enum status optimizer_init_weights(struct optimizer *o, const struct weights *w,
                                              struct error *err);
void optimizer_deinit(struct optimizer *o); /* also of a zeroed one */
/* One step by a gradient in backend memory; `norm` is that of the scaled gradient before clipping.
 * A gradient that is not finite changes nothing, and the norm is not finite. Fails where the device
 * does; the values are then void. */
MUST_CHECK enum status optimizer_step(struct optimizer *o, struct pool *pool,
                                      const struct optimizer_step *s, const float *grad,
                                      double *norm, struct error *err);

#endif
