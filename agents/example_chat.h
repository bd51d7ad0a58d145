/* example_chat.h - a JSONL file of conversations as examples for supervised training.
 *
 * A line is {"messages": [...], "tools": [...]?} as in the OpenAI API. It is rendered with the
 * model's own template, and only assistant text is trained on. Text before, inside and after an
 * assistant message is encoded separately, as at inference.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_CHAT_H
#define TROUPE_AGENTS_EXAMPLE_CHAT_H

#include "models/formats/tokenizer.h"
#include "models/train/example_source.h"

#define EXAMPLE_CHAT_MAX_FILE ((size_t)8 << 30)

struct example_chat_options {
    const char *path;
    const struct tokenizer *tokenizer; /* lent */
    const char *chat_template;         /* NULL: the default one */
    const char *bos_token, *eos_token; /* the template's variables; NULL: empty. Copied. */
    bool reads_as_0_1; /* a template passes over what it does not know (example_chat_check.h) */
};
/* Reads the whole file and checks every line, so that errors are reported with FILE:LINE before
 * training starts. */
MUST_CHECK enum status example_chat_new(const struct example_chat_options *o,
                                        struct example_source **out, struct error *err);
/* Moves a share of the conversations (0 to 1; at least one, not all), drawn by the seed, from `s`
 * to *held, which lives as long as s. Call it once. STATUS_INVALID: there is only one
 * conversation. */
MUST_CHECK enum status example_chat_hold_out(struct example_source *s, double share, uint64_t seed,
                                             const struct example_source **held, struct error *err);
void example_chat_free(struct example_source *s);

#endif
