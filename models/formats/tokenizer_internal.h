/* tokenizer_internal.h - the tables of a tokenizer; for the tokenizer_*.c files alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_INTERNAL_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_INTERNAL_H

#include "models/formats/added_tokens.h"
#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"
#include "runtime/base/pattern.h"

#define TOKENIZER_MAX_SPLITS 8
#define NO_RANK              INT32_MAX
#define NO_BYTE              (-1)

/* Open addressing, a power of two of slots, at most half full. The key is a pair of ids; a free
 * slot has rank NO_RANK. */
struct merge_slot {
    uint64_t pair; /* left << 32 | right */
    int32_t rank;
    int32_t merged; /* the id of both together */
};

/* Of one piece; grown, never shrunk. Symbols are a doubly linked list. */
struct bpe_symbol {
    int32_t id, prev, next; /* -1: no neighbour */
    int32_t rank, merged;   /* of the pair with `next` */
};
struct bpe_scratch {
    struct bpe_symbol *symbol;
    uint64_t *heap; /* rank << 32 | position: the lowest first */
    size_t cap, heap_cap;
};

struct tokenizer_scratch {
    struct str normal; /* normalised text */
    struct bpe_scratch bpe;
    struct pattern_scratch *pattern; /* NULL until a pattern is run */
};

enum token_flag { TOKEN_SPECIAL = 1, TOKEN_ADDED = 2 };

struct tokenizer {
    struct sha256 hash;
    int32_t n_ids;
    uint32_t *start; /* n_ids + 1 offsets into bytes */
    char *bytes;
    uint8_t *flags;
    int32_t byte_id[256]; /* NO_BYTE: the byte has no token */
    int32_t *by_bytes;    /* ids of the vocabulary by hash of their bytes; -1 free */
    size_t by_bytes_mask;
    struct merge_slot *merge;
    size_t merge_mask;
    int32_t n_merges;
    struct added_tokens *added;        /* found in the text as it comes */
    struct added_tokens *added_normal; /* found after normalisation */
    struct pattern *split[TOKENIZER_MAX_SPLITS];
    bool only_matches[TOKENIZER_MAX_SPLITS]; /* text between the matches is dropped */
    int n_splits;
    bool nfc, ignore_merges, add_prefix_space;
    bool plain_bytes; /* nothing merges and nothing is normalised: a byte is a token */
};

/* One call of tokenizer_encode. */
struct encoding {
    const struct tokenizer *t;
    struct tokenizer_scratch *scratch;
    struct token_ids *out;
    struct error *err;
};

/* Reads normalizer, pre_tokenizer and decoder (tokenizer_parts.c). */
MUST_CHECK enum status tokenizer_read_parts(struct tokenizer *t, const struct json *root,
                                            const char *name, struct error *err);

int32_t tokenizer_find_vocab(const struct tokenizer *t, const char *bytes, size_t n); /* or -1 */

/* Splits valid UTF-8 by the patterns and merges each piece (tokenizer_pieces.c, tokenizer_bpe.c).
 */
MUST_CHECK enum status tokenizer_encode_plain(const struct encoding *e, const char *text, size_t n);
MUST_CHECK enum status bpe_push_byte(const struct encoding *e, char byte);
MUST_CHECK enum status bpe_encode(const struct encoding *e, const char *piece, size_t n);
const struct merge_slot *bpe_find_merge(const struct tokenizer *t, int32_t left, int32_t right);

#endif
