/* chat_guard.h - text of users and tools stays text, even if it spells a special token.
 *
 * A template mixes its own special tokens with foreign text in one string. Before it is rendered,
 * special tokens spelled out in foreign text are put between two marks (private-use characters,
 * which are removed from the foreign text itself). When the string is encoded, text between marks
 * is read as plain text and the marks are dropped. So only the template and the model end a turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CHAT_GUARD_H
#define TROUPE_AGENTS_CHAT_GUARD_H

#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"

/* A zeroed guard has no special tokens and only removes marks. */
struct chat_guard {
    const char **special; /* (n) lent by the tokenizer */
    size_t *special_len;
    size_t n;
    bool begins[256]; /* is this the first byte of one? */
};

/* The tokenizer outlives the guard. */
void chat_guard_init(struct chat_guard *g, const struct tokenizer *t);
void chat_guard_deinit(struct chat_guard *g);
/* Appends foreign text with its special tokens marked. */
void chat_guard_text(const struct chat_guard *g, const char *text, size_t n, struct str *out);
/* A new copy with every string guarded, including keys. */
struct json *chat_guard_json(const struct chat_guard *g, const struct json *v);
/* Appends the ids of rendered text. */
MUST_CHECK enum status chat_guard_encode(const struct tokenizer *t,
                                         struct tokenizer_scratch *scratch, const char *text,
                                         size_t n, struct token_ids *out, struct error *err);
/* The first `token` in rendered text that is not between marks; NULL: none. */
const char *chat_guard_find(const char *text, const char *token, size_t n_token);

#endif
