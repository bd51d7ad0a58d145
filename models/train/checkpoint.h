/* checkpoint.h - a training state on disk: complete or absent, with checksums.
 *
 * OUT/checkpoints/step-N/ holds master weights and both moments (fp32 safetensors with the model's
 * tensor names), state.json, and manifest.json with the SHA-256 of each. It is written under a
 * temporary name, synced and renamed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_CHECKPOINT_H
#define TROUPE_MODELS_TRAIN_CHECKPOINT_H

#include "models/train/optimizer.h"
#include "runtime/base/json.h"
#include "runtime/base/seams.h"

struct checkpoint_state {
    int64_t update;       /* updates done */
    int64_t next_example; /* position of the data */
    int64_t tokens, trained_tokens, n_truncated, n_skipped;
    double loss;              /* of the last update */
    double held_out_loss;     /* last measured; NaN: never */
    double best_loss;         /* NaN: none */
    int64_t best_update;      /* -1: none */
    bool probe_held;          /* the skill probe held at the last full measurement */
    int64_t metrics_bytes[2]; /* of metrics.jsonl and the events, when it was written */
    struct json *options;     /* what a resumed run must repeat (fixed_options.h): owned */
    struct json *extra;       /* other state of the trainer: owned, or NULL */
};

void checkpoint_state_deinit(struct checkpoint_state *s);

/* The optimiser's parameters name the tensors. An intact checkpoint of the same update is not
 * rewritten. */
MUST_CHECK enum status checkpoint_write(const struct seams *seams, const char *out,
                                        const struct checkpoint_state *s, const struct optimizer *o,
                                        struct error *err);
/* Verifies, then fills state and optimiser (both initialised). STATUS_CORRUPT names the file;
 * the hint names the newest older checkpoint that is intact. */
MUST_CHECK enum status checkpoint_read(const char *out, int64_t update, struct checkpoint_state *s,
                                       struct optimizer *o, struct error *err);
/* Adds a hint that names the newest intact checkpoint before `update`, which is damaged. */
void checkpoint_offer_older(const char *out, int64_t update, struct error *err);
/* The update of the newest, -1: none. */
int64_t checkpoint_last(const char *out);
/* Keeps the newest n (0: all) and `best` (-1: none). */
void checkpoint_prune(const char *out, int32_t n, int64_t best);
/* Removes the oldest that is neither the newest nor the best; false: there is none. */
bool checkpoint_remove_oldest(const char *out, int64_t best);

#endif
