/* tokenizer_pre.h - how text is split, by the names that GGUF files give to it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_PRE_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_PRE_H

#include <stdbool.h>

#define PRE_MAX_PATTERNS 3

struct tokenizer_pre {
    const char *name;
    const char *pattern[PRE_MAX_PATTERNS]; /* each splits the pieces of the one before; NULL: end */
    bool nfc;                              /* text is normalised first */
    bool ignore_merges;                    /* a piece that is a token needs no merges */
};

const struct tokenizer_pre *tokenizer_pre_find(const char *name); /* NULL: not known */
const char *tokenizer_pre_nearest(const char *name);              /* "did you mean", or NULL */

#endif
