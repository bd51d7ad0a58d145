/* stop.h - stop conditions of a reply: token ids, or strings found while its tokens are decoded.
 *
 * A stop string may span tokens: each byte moves one automaton per string (Knuth, Morris, Pratt),
 * so no part of the reply is kept. The token that completes a string is the last of the reply. One
 * call owns the rules; the worker that runs its sequence uses them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_STOP_H
#define TROUPE_MODELS_ENGINE_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define STOP_MAX_IDS        64
#define STOP_MAX_TEXTS      16
#define STOP_MAX_TEXT_BYTES 256

struct stop_rules;
struct tokenizer;

struct stop_spec {
    const int32_t *eos_id, *stop_id; /* both end a reply; lent for the life of the rules */
    int32_t n_eos, n_stop_id;
    const char *const *text; /* lent too */
    int32_t n_text;
    const struct tokenizer *tokenizer; /* may be NULL when n_text is 0 */
};
MUST_CHECK enum status stop_rules_new(const struct stop_spec *spec, struct stop_rules **out,
                                      struct error *err);
void stop_rules_free(struct stop_rules *s);
/* Takes the next token of the reply; true when it is the last. */
bool stop_rules_push(struct stop_rules *s, int32_t id);

#endif
