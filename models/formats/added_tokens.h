/* added_tokens.h - finding whole tokens such as <|im_end|> in text, before it is split.
 *
 * A trie over the contents; leftmost, then longest, as Hugging Face's matcher.
 * Read-only after the last add.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_ADDED_TOKENS_H
#define TROUPE_MODELS_FORMATS_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct added_tokens;

enum added_flag {
    ADDED_SPECIAL = 1,
    ADDED_LSTRIP = 2,     /* the match includes the white space before it */
    ADDED_RSTRIP = 4,     /* ... and after it */
    ADDED_SINGLE_WORD = 8 /* no match beside a letter, a mark, a digit or "_" */
};

struct added_match {
    size_t from, to;
    int32_t id;
};

struct added_tokens *added_tokens_new(void);
void added_tokens_free(struct added_tokens *a);
/* STATUS_INVALID when the content was added before. */
MUST_CHECK enum status added_tokens_add(struct added_tokens *a, const char *content, size_t n,
                                        int32_t id, unsigned flags, struct error *err);
/* The next match at or after `from`. With with_special false the text of special tokens is text. */
bool added_tokens_find(const struct added_tokens *a, const char *text, size_t n, size_t from,
                       bool with_special, struct added_match *match);
int32_t added_tokens_exact(const struct added_tokens *a, const char *bytes, size_t n); /* or -1 */

#endif
