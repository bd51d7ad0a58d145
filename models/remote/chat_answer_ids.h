/* chat_answer_ids.h - the token ids and log-probs of an answer, where a server gives them.
 *
 * Ids are used whole and checked, or not at all: then the record of the call has only its text.
 * They count when there is one log-prob for each id, all are in range, their numbers are those of
 * the usage (servers lose ids of parsed tool calls), and they fit into the caller's buffers. Text
 * is never tokenized again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_CHAT_ANSWER_IDS_H
#define TROUPE_MODELS_REMOTE_CHAT_ANSWER_IDS_H

#include "models/model.h"

#define ANSWER_MAX_IDS (1 << 24)

struct answer_ids {
    int32_t *prompt, *id; /* (n_prompt), (n) */
    float *logp;          /* (n_logp) */
    int32_t n_prompt, n, n_logp;
    int32_t prompt_cap, cap, logp_cap;
    bool broken; /* something is wrong with them: none are used */
};

void answer_ids_deinit(struct answer_ids *a);
/* One document and its choice: prompt_token_ids of either, token_ids and logprobs of the choice. */
void answer_ids_add(struct answer_ids *a, const struct json *doc, const struct json *choice);
/* Fills ids, logp and prompt_ids of the call, or none of them. `usage`: as reported; NULL: not. */
void answer_ids_take(struct answer_ids *a, const struct model_usage *usage, struct model_call *c);

#endif
