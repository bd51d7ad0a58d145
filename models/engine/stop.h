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
#include "runtime/base/str.h"

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

/* The ids of a reply include the stop string; the text for the user does not. Length of `bytes`
 * before the first stop string; n when there is none. */
size_t stop_text_cut(const char *bytes, size_t n, const char *const *text, int32_t n_text);
/* How many bytes at the end may be the start of a stop string: do not show them before more of the
 * reply is known. */
size_t stop_text_held(const char *bytes, size_t n, const char *const *text, int32_t n_text);

/* The same for a text that comes in pieces: gives what is certainly before the first stop string.
 */
struct stop_stream {
    const char *const *text; /* (n_text) lent */
    int32_t n_text;
    struct str held; /* may be the start of a stop string */
    bool stopped;    /* one was found; nothing more is given */
};
#define STOP_STREAM_INIT ((struct stop_stream){.held = STR_INIT})
/* Both append to out. stop_stream_end: no more pieces follow. */
void stop_stream_push(struct stop_stream *s, const char *bytes, size_t n, struct str *out);
void stop_stream_end(struct stop_stream *s, struct str *out);
void stop_stream_deinit(struct stop_stream *s);

#endif
