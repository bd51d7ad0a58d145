/* example_chat.h - a JSONL file of conversations as examples for supervised training.
 *
 * A line is {"messages": [...], "tools": [...]?} as in the OpenAI API. It is rendered with the
 * model's own template, and only what the assistant says is trained. Pieces are encoded apart where
 * the assistant begins and ends, as they are when the model acts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_CHAT_H
#define TROUPE_AGENTS_EXAMPLE_CHAT_H

#include "models/formats/tokenizer.h"
#include "models/train/example_source.h"

#define EXAMPLE_CHAT_MAX_FILE ((size_t)8 << 30)

/* Reads the file whole and checks every line, so that a fault is told with FILE:LINE before
 * training begins. chat_template NULL: the default one. The tokenizer is lent. */
MUST_CHECK enum status example_chat_new(const char *path, const struct tokenizer *tokenizer,
                                        const char *chat_template, struct example_source **out,
                                        struct error *err);
/* What the template calls bos_token and eos_token; without it they are empty. Copied. */
void example_chat_tokens(struct example_source *s, const char *bos, const char *eos);
void example_chat_free(struct example_source *s);

#endif
