/* bench_qkernels_model.h - the products of whole models with quantised weights, without the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_QKERNELS_MODEL_H
#define TROUPE_TESTS_BENCH_QKERNELS_MODEL_H

#include "kernels/backend.h"

struct model_shape {
    const char *name;
    int32_t n_layers, hidden, kv, feed_forward, vocabulary; /* kv: width of k plus v */
};

enum { PARTS = 4 }; /* of a layer: q, k, v; output; gate, up; down */

/* Random weights, each matrix in memory of its own: a pass reads every panel once. */
struct bench_qmodel {
    const struct backend *b;
    struct model_shape shape;
    struct matrix part[PARTS], head; /* panels: those of layer 0 */
    char *panels;
    size_t panel_bytes, layer_bytes, part_at[PARTS]; /* panel_bytes: of the whole model */
    int32_t R;
    float *x, *y;
    void *rounded;
};

void bench_qmodel_open(struct bench_qmodel *m, const struct backend *b,
                       const struct model_shape *shape, enum dtype t, int32_t most_rows);
void bench_qmodel_close(struct bench_qmodel *m);

/* The products of R rows, each block of inputs rounded once; the head of head_rows rows. */
void bench_qmodel_pass(struct bench_qmodel *m, const struct lane *l, int32_t R, int32_t head_rows);
/* One product of R rows, `i`-th of PARTS, without the rounding (bench_qmodel_round before). */
void bench_qmodel_round(struct bench_qmodel *m, const struct lane *l, int part, int32_t R);
void bench_qmodel_part(struct bench_qmodel *m, const struct lane *l, int part, int32_t layer,
                       int32_t R);
double bench_qmodel_weights(const struct bench_qmodel *m, bool head);

#endif
