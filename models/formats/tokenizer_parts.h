/* tokenizer_parts.h - the parts of tokenizer.json around the model; for tokenizer_load.c.
 *
 * Parts that are not supported are errors that name the part and its place: if they were ignored,
 * the ids would differ from those in training.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_PARTS_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_PARTS_H

#include "models/formats/tokenizer_build.h"

/* normalizer, decoder, post_processor (tokenizer_parts.c), pre_tokenizer (tokenizer_steps.c). */
MUST_CHECK enum status tokenizer_read_normalizer(struct tokenizer_build *b,
                                                 const struct json *part);
MUST_CHECK enum status tokenizer_read_decoder(struct tokenizer_build *b, const struct json *part);
MUST_CHECK enum status tokenizer_read_post_processor(struct tokenizer_build *b,
                                                     const struct json *part);
MUST_CHECK enum status tokenizer_read_pre_tokenizer(struct tokenizer_build *b,
                                                    const struct json *part);

/* Calls read for the part, or for each part of a Sequence whose list has the key `list`. */
typedef enum status (*read_part)(struct tokenizer_build *b, const struct json *part,
                                 const char *place, bool last);
MUST_CHECK enum status parts_each(struct tokenizer_build *b, const struct json *part,
                                  const char *place, const char *list, read_part read);
const char *part_type(const struct json *part); /* "null" if it is not there */
enum status part_refused(const struct tokenizer_build *b, const char *place, const char *what);

/* Adds a split by a regular expression. */
MUST_CHECK enum status tokenizer_add_split(struct tokenizer_build *b, const char *regex,
                                           enum split_behavior behavior, bool invert,
                                           const char *place);
/* Compiles a pattern of a tokenizer, which means what it means to Oniguruma. */
MUST_CHECK enum status tokenizer_compile(const struct tokenizer_build *b, const char *regex,
                                         const char *place, struct pattern **out);

#endif
