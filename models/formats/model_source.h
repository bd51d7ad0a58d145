/* model_source.h - where a model's config, tokenizer, chat template and tensors come from: a folder
 * of Hugging Face, the files inside a program, or a GGUF.
 *
 * Each part is read when it is asked for; a folder is not looked at before. One thread at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_SOURCE_H
#define TROUPE_MODELS_FORMATS_MODEL_SOURCE_H

#include "models/formats/gguf.h"
#include "models/formats/model_config.h"
#include "models/formats/tensor_file.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_config.h"

/* A file inside the program: models/embedded. */
struct embedded_file {
    const char *name;
    const void *bytes;
    size_t n;
};

struct model_source;

/* A folder with config.json; a GGUF; or a folder without config.json that has one GGUF.
 * STATUS_INVALID: it has several. */
MUST_CHECK enum status model_source_open(const char *path, struct model_source **out,
                                         struct error *err);
/* The files of `embedded` (NULL past the last one), lent. */
MUST_CHECK enum status model_source_embedded(const struct embedded_file *(*embedded)(int32_t i),
                                             struct model_source **out, struct error *err);
/* Does a file of this name look like a model: a GGUF that is not a later part of a split one? */
bool model_source_is_gguf(const char *file_name);
void model_source_close(struct model_source *s); /* what it gave lives on; NULL too */

const char *model_source_name(const struct model_source *s);  /* for messages */
struct gguf *model_source_gguf(const struct model_source *s); /* lent; NULL: not a GGUF */
MUST_CHECK enum status model_source_config(struct model_source *s, struct model_config *out,
                                           struct error *err);
/* tokenizer.json as text; the caller frees it. STATUS_NOT_FOUND: the model has no tokenizer;
 * STATUS_UNSUPPORTED: one that has no such text. */
MUST_CHECK enum status model_source_tokenizer_text(struct model_source *s, char **out, size_t *n,
                                                   struct error *err);
/* NULL in *out: the model has none. */
MUST_CHECK enum status model_source_tokenizer(struct model_source *s, struct tokenizer **out,
                                              struct error *err);
/* Special tokens and the chat template. */
MUST_CHECK enum status model_source_texts(struct model_source *s, struct tokenizer_config *out,
                                          struct error *err);
/* The caller's: tensor_file_close. */
MUST_CHECK enum status model_source_tensors(struct model_source *s, struct tensor_file **out,
                                            struct error *err);

#endif
