/* tokenizer_pre.c - see tokenizer_pre.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_pre.h"

#include "runtime/base/memory.h"

static const struct tokenizer_pre list[] = {
#define PRE(name, pattern, digits, ignore_merges, nfc) {name, pattern, digits, ignore_merges, nfc},
#include "models/formats/tokenizer_pre.def"
#undef PRE
};

const struct tokenizer_pre *tokenizer_pre_at(size_t i)
{
    return i < ARRAY_LEN(list) ? &list[i] : NULL;
}
