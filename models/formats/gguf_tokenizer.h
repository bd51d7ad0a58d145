/* gguf_tokenizer.h - the tokenizer of a GGUF, also as the text of a tokenizer.json, and back.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_TOKENIZER_H
#define TROUPE_MODELS_FORMATS_GGUF_TOKENIZER_H

#include "models/formats/gguf.h"
#include "models/formats/gguf_write.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_config.h"
#include "runtime/base/str.h"

/* Of tokenizer.huggingface.json, else of the tables (tokenizer_tables.h). STATUS_NOT_FOUND: the
 * file has no tokenizer. */
MUST_CHECK enum status gguf_tokenizer(const struct gguf *g, struct tokenizer **out,
                                      struct error *err);
/* Appends the text of a tokenizer.json: tokenizer.huggingface.json, else what the tables of
 * tokenizer.ggml.model "gpt2" say. STATUS_NOT_FOUND: the file has no tokenizer; STATUS_UNSUPPORTED:
 * another model, or a `pre` that this build does not know, by name. */
MUST_CHECK enum status gguf_tokenizer_text(const struct gguf *g, struct str *out,
                                           struct error *err);
/* The special tokens' texts and the chat template; what is not there is NULL. */
MUST_CHECK enum status gguf_tokenizer_texts(const struct gguf *g, struct tokenizer_config *out,
                                            struct error *err);
/* Keys of a tokenizer.json: its text, and tables for other programs where tokenizer.ggml.pre has a
 * name for how it splits text. These have n_rows tokens, as many as the embedding has rows (other
 * programs ask for that), or as many as there are. */
MUST_CHECK enum status gguf_put_tokenizer(struct gguf_writer *w, const char *text, size_t n,
                                          int32_t n_rows, struct error *err);

#endif
