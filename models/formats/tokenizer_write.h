/* tokenizer_write.h - tokenizer.json and tokenizer_config.json of a byte-level model.
 *
 * Ids 0 .. 255 are the bytes, added tokens follow in the order given. The texts
 * load in transformers (PreTrainedTokenizerFast) and give the same ids there.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_WRITE_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

struct added_token {
    const char *content; /* not empty; id 256 + index */
    bool special;        /* skipped by skip_special */
};

MUST_CHECK enum status tokenizer_write_bytes(const struct added_token *added, int32_t n,
                                             struct str *out, struct error *err);

struct tokenizer_config_text {
    const char *bos_token, *eos_token, *pad_token; /* NULL: none */
    const char *chat_template;                     /* NULL: none */
    int32_t model_max_length;
};
void tokenizer_write_config(const struct tokenizer_config_text *c, struct str *out);

#endif
