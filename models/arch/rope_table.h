/* rope_table.h - cos and sin of every position of a model, for the ops rope and rope_back.
 *
 * Taken in double and rounded once. A row's rotation depends on its position and on the config
 * alone, not on the number of positions.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_ROPE_TABLE_H
#define TROUPE_MODELS_ARCH_ROPE_TABLE_H

#include "kernels/backend.h"
#include "models/formats/model_config.h"

struct rope_table {
    const float *cos, *sin; /* (max_pos, rotary_dim / 2) backend memory */
};

struct rope_tables {
    struct rope_table full;   /* of layers without a window */
    struct rope_table window; /* of those with one; may be the same */
    const struct backend *backend;
    float *memory; /* of both */
};

/* Freed by rope_tables_deinit; `out` is written on success only. */
MUST_CHECK enum status rope_tables_init(const struct backend *b, const struct model_config *c,
                                        int32_t max_pos, struct rope_tables *out,
                                        struct error *err);
void rope_tables_deinit(struct rope_tables *t); /* a zeroed one too */
int64_t rope_tables_bytes(const struct model_config *c, int32_t max_pos);

#endif
