/* tokenizer_pre.h - the splits of text that GGUF files give by name (tokenizer_pre.def).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_PRE_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_PRE_H

#include <stdbool.h>
#include <stddef.h>

struct tokenizer_pre {
    const char *name;
    const char *pattern; /* NULL: GPT-2's */
    bool digits, ignore_merges, nfc;
};

const struct tokenizer_pre *tokenizer_pre_at(size_t i); /* NULL past the end */

#endif
