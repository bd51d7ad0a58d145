/* param_set.h - the parameters that a training changes: the optimiser steps them and a checkpoint
 * keeps them as flat arrays, one tensor after another. They need not be all tensors of a model.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_PARAM_SET_H
#define TROUPE_MODELS_TRAIN_PARAM_SET_H

#include "models/arch/weights.h"

struct param {
    const char *name; /* in a checkpoint; lent */
    int32_t n_out, n_in;
    bool decay; /* weight decay applies */
};

struct param_set {
    const struct backend *backend; /* has the flat arrays */
    int32_t n;
    struct param *param; /* (n) */
    int64_t *offset;     /* (n + 1) of tensor i in a flat array; the last: of its end */
};

/* All tensors of w, tied ones once; vectors (norms) do not decay. w must outlive it. */
MUST_CHECK enum status param_set_of_weights(const struct weights *w, struct param_set *out,
                                            struct error *err);
void param_set_deinit(struct param_set *p); /* also of a zeroed one */

#endif
