/* tokenizer_cache.h - the ids of pieces that were encoded before.
 *
 * Part of a scratch: one thread at a time. It holds the pieces of one tokenizer, which is known by
 * its hash. A new piece takes the place of another one, so that memory is fixed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_CACHE_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/hash.h"

#define CACHED_PIECE_BYTES 22 /* with these an entry is one line of the processor's cache */
#define CACHED_PIECE_IDS   10

struct cached_piece {
    uint8_t n, n_ids; /* n 0: free */
    char bytes[CACHED_PIECE_BYTES];
    int32_t id[CACHED_PIECE_IDS];
};

struct piece_cache;
struct piece_cache *piece_cache_new(void); /* NULL: no memory */
void piece_cache_free(struct piece_cache *c);
/* Empties it unless it is of this tokenizer. */
void piece_cache_use(struct piece_cache *c, const struct sha256 *tokenizer);
/* The place of a piece of 1 .. CACHED_PIECE_BYTES bytes, and whether it is there. The caller fills
 * the place of one that is not. */
struct cached_piece *piece_cache_find(struct piece_cache *c, const char *piece, size_t n,
                                      bool *found);

#endif
