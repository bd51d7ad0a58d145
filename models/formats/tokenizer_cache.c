/* tokenizer_cache.c - a table of pieces, each at the only place that its hash gives it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_cache.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define N_PIECES 8192 /* half a megabyte */

struct piece_cache {
    struct sha256 tokenizer;
    struct cached_piece piece[N_PIECES];
};

struct piece_cache *piece_cache_new(void)
{
    return mem_alloc(1, sizeof(struct piece_cache));
}

void piece_cache_free(struct piece_cache *c)
{
    free(c);
}

void piece_cache_use(struct piece_cache *c, const struct sha256 *tokenizer)
{
    if (memcmp(&c->tokenizer, tokenizer, sizeof(*tokenizer)) == 0)
        return;
    memset(c->piece, 0, sizeof(c->piece));
    c->tokenizer = *tokenizer;
}

struct cached_piece *piece_cache_find(struct piece_cache *c, const char *piece, size_t n,
                                      bool *found)
{
    struct cached_piece *p = &c->piece[fnv1a64(piece, n) % N_PIECES];

    *found = p->n == n && memcmp(p->bytes, piece, n) == 0;
    return p;
}
