/* example_source.h - the source of examples for supervised training; agents/ and data files
 * implement it.
 *
 * An example is one sequence of ids with a mask: position i is trained to be predicted (from i-1)
 * where train[i] is 1. Sources are read by index, not with a cursor, so that a resumed run and a
 * run with other thread counts see the same order. All calls come from the trainer's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_EXAMPLE_SOURCE_H
#define TROUPE_MODELS_TRAIN_EXAMPLE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define HELD_OUT_FIRST                                                                             \
    ((int64_t)1 << 40) /* index of the first held-out example of an endless source */

struct example {
    int32_t *ids;   /* (cap) the caller's buffers */
    uint8_t *train; /* (cap) */
    int32_t cap, n;
    bool truncated;
};
/* Appends ids; those beyond cap are left out, and `truncated` is set. */
static inline void example_put(struct example *ex, const int32_t *ids, size_t n, bool trained)
{
    for (size_t i = 0; i < n; i++) {
        if (ex->n == ex->cap) {
            ex->truncated = true;
            break;
        }
        /* The first token of a sequence cannot be predicted: nothing comes before it. */
        ex->train[ex->n] = trained && ex->n > 0;
        ex->ids[ex->n++] = ids[i];
    }
}

struct example_source {
    void *ctx;
    int64_t n; /* examples in one epoch, which the trainer shuffles; 0: endless */
    /* Fills ex. progress: 0..1 through the training, for curricula. */
    enum status (*get)(void *ctx, uint64_t seed, int64_t index, double progress, struct example *ex,
                       struct error *err);
    /* Skill probe after training phases, NULL: none. Counts per category are reported. */
    int32_t n_probes;
    /* prompt ids into ex (n set), expected reply ids into want (n_want set). The category's
     * text lives as long as the source. */
    enum status (*probe)(void *ctx, int32_t i, struct example *ex, int32_t *want, int32_t want_cap,
                         int32_t *n_want, const char **category, struct error *err);
    /* Share of a category that must be right to pass the probe; NULL: all of it. */
    double (*probe_need)(void *ctx, const char *category);
    const char
        *id; /* identity of the data (name, version, hash): equal in a resumed run; or NULL */
};

#endif
