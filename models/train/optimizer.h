/* optimizer.h - AdamW over flat arrays: master weights and moments in fp32.
 *
 * Vectors (norms) are not decayed. The global norm is a sum of fixed pieces in order, so
 * the number of threads changes no bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_OPTIMIZER_H
#define TROUPE_MODELS_TRAIN_OPTIMIZER_H

#include "models/arch/weights.h"

struct optimizer_piece {
    int64_t first, n;
    bool decay;
};

struct optimizer {
    const struct backend *backend;
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

/* master = the values of w; moments 0. */
MUST_CHECK enum status optimizer_init(struct optimizer *o, const struct weights *w,
                                      struct error *err);
void optimizer_deinit(struct optimizer *o); /* also of a zeroed one */
/* One step by a gradient in backend memory; `norm` is that of the scaled gradient before clipping.
 * A gradient that is not finite changes nothing, and the norm is not finite. Fails where the device
 * does; the values are then void. */
MUST_CHECK enum status optimizer_step(struct optimizer *o, struct pool *pool,
                                      const struct optimizer_step *s, const float *grad,
                                      double *norm, struct error *err);

#endif
