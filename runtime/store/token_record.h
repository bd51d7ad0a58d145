/* token_record.h - the prompt and sampled tokens of a model call, packed; used by training.
 *
 * Prompts are stored as token ids, as the delta after prefix_len positions of the parent
 * call; nothing is tokenized again later. About 8 bytes per sampled token: ids as varints,
 * log-probabilities as raw f32.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_TOKEN_RECORD_H
#define TROUPE_RUNTIME_STORE_TOKEN_RECORD_H

#include "runtime/store/journal.h"

struct token_record {
    const char *path; /* of this call */
    int32_t attempt;
    const char *parent; /* path of the call that this one continues; NULL: a new chain */
    int32_t prefix_len; /* positions shared with the parent's prompt + reply */
    const int32_t *delta;
    int32_t n_delta;
    const int32_t *ids; /* sampled, the stop token included */
    int32_t n_ids;
    const float *logp;         /* (n_ids) at the sampling temperature, full vocabulary */
    const float *logp_sampled; /* (n_ids), or NULL if the logit processors changed nothing */
    int64_t policy_version;
    uint64_t seed, call_id;
    float temperature, top_p, min_p, repetition_penalty;
    int32_t top_k;
    int32_t finish;      /* enum model_finish */
    const char *backend; /* NULL: the run's */
};

/* unpack checks every bound: STATUS_CORRUPT. Unpacked arrays and strings are allocated in
 * `a`. */
struct arena;
void token_record_pack(const struct token_record *t, struct str *out);
MUST_CHECK enum status token_record_unpack(const void *bytes, size_t n, struct arena *a,
                                           struct token_record *out, struct error *err);

void journal_tokens(struct run *r, const struct token_record *t);
/* The record of one call; *found false: there is none. */
MUST_CHECK enum status journal_find_tokens(struct run *r, const char *path, int32_t attempt,
                                           struct arena *a, bool *found, struct token_record *out,
                                           struct error *err);

#endif
