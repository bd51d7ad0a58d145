/* tokenizer_internal.h - the tables of a tokenizer; for the tokenizer_*.c files alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_INTERNAL_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_INTERNAL_H

#include "models/formats/added_tokens.h"
#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"
#include "runtime/base/pattern.h"

#define TOKENIZER_MAX_STEPS 8 /* normalizers; the same of pre-tokenizers, decoders */
#define TOKENIZER_MAX_ENDS  8 /* ids before a text; the same after it */
#define NO_RANK             INT32_MAX
#define NO_ID               (-1)
#define META_BLANK          "\xe2\x96\x81" /* U+2581, which is a blank in SentencePiece's vocabularies */
#define META_BLANK_BYTES    3

/* Open addressing, a power of two of slots, at most two thirds full. The key is a pair of ids; a
 * free slot has rank NO_RANK. */
struct merge_slot {
    uint64_t pair; /* left << 32 | right */
    int32_t rank;
    int32_t merged; /* the id of both together */
};

/* The same, by the hash of a key; a free slot has id NO_ID. */
struct key_slot {
    uint32_t tag; /* the other half of the hash: most other keys need no comparison */
    int32_t id;
};

/* Strings by id, one behind the other. */
struct token_strings {
    uint32_t *start; /* (n_ids + 1) */
    char *bytes;
};

/* One normalizer. */
enum normal_kind { NORMAL_NFC, NORMAL_NFKC, NORMAL_REPLACE, NORMAL_PREPEND, NORMAL_STRIP };
struct normal_step {
    enum normal_kind kind;
    struct pattern *pattern; /* of REPLACE; NULL: `from` is looked for */
    char *from, *to;
    bool left, right; /* which end STRIP takes blanks from */
};

/* One pre-tokenizer: it rewrites a piece, or splits it. */
enum split_behavior {
    SPLIT_ISOLATED,   /* matches are pieces, as is the text between them */
    SPLIT_REMOVED,    /* matches are dropped */
    SPLIT_CONTIGUOUS, /* as isolated; matches in a row are one piece */
    SPLIT_WITH_PREVIOUS,
    SPLIT_WITH_NEXT
};
enum prefix_when { PREFIX_NEVER, PREFIX_FIRST, PREFIX_ALWAYS };
struct split_step {
    bool rewrites;
    /* of a split */
    struct pattern *pattern; /* NULL: `text` is looked for */
    enum split_behavior behavior;
    bool invert; /* what is between the matches counts as matches */
    /* of a rewrite */
    bool replaces_blanks; /* by `text` */
    enum prefix_when prefix;
    char *text; /* looked for, or the prefix of a piece that does not begin with it */
};

/* What the decoder takes from the beginning of a text. */
struct text_strip {
    char byte;        /* 0: nothing */
    int32_t most;     /* at most so many */
    bool first_token; /* only from the first token, any number */
};

/* Of one piece; grown, never shrunk. Symbols are a doubly linked list. */
struct bpe_symbol {
    int32_t id, prev, next; /* -1: no neighbour; id NO_ID: a character without a token */
    int32_t rank, merged;   /* of the pair with `next`; NO_RANK if it cannot be merged */
    uint32_t from, n;       /* its place in the piece */
};
struct bpe_scratch {
    struct bpe_symbol *symbol;
    uint64_t *heap; /* rank << 32 | position: the lowest first */
    size_t cap, heap_cap;
};

struct piece_cache; /* tokenizer_cache.c */

struct tokenizer_scratch {
    struct str normal[2];                 /* normalised text, by turns */
    struct str step[TOKENIZER_MAX_STEPS]; /* what a pre-tokenizer rewrote */
    struct bpe_scratch bpe;
    struct pattern_scratch *pattern; /* NULL until a pattern is run */
    struct piece_cache *cache;       /* NULL: none yet, or no memory for it */
};

enum token_flag { TOKEN_SPECIAL = 1, TOKEN_ADDED = 2, TOKEN_NO_MERGE = 4 };

struct tokenizer {
    struct sha256 hash;
    int32_t n_ids;
    struct token_strings key;  /* what the model finds in a piece; empty: no token of the model */
    struct token_strings text; /* what an id decodes to */
    uint8_t *flags;
    struct key_slot *by_key;
    size_t by_key_mask;
    size_t longest_key;
    bool byte_level; /* a piece is bytes; else characters */
    int32_t
        byte_id[256]; /* of a byte (byte level), or of a byte that no character covers; or NO_ID */
    int32_t unk_id;   /* or NO_ID: what has no token is dropped */
    bool fuse_unk, ignore_merges;

    struct merge_slot *merge;
    size_t merge_mask;
    int32_t n_merges;
    int32_t
        *score_rank;  /* (n_ids) SentencePiece: what two symbols spell decides. NULL: merges do */
    bool cuts_blanks; /* no token reaches over the begin of a run of META_BLANK, but where */
    uint8_t joined[256]; /* ... the byte before it is set here */

    struct added_tokens *added;        /* found in the text as it comes */
    struct added_tokens *added_normal; /* found after normalisation */
    struct normal_step normal[TOKENIZER_MAX_STEPS];
    int n_normal;
    struct split_step split[TOKENIZER_MAX_STEPS];
    int n_splits;
    struct text_strip strip;
    int32_t before[TOKENIZER_MAX_ENDS], after[TOKENIZER_MAX_ENDS];
    int n_before, n_after;
    bool plain_bytes; /* nothing merges and nothing is normalised: a byte is a token */
};

/* One call of tokenizer_encode. */
struct encoding {
    const struct tokenizer *t;
    struct tokenizer_scratch *scratch;
    struct token_ids *out;
    struct error *err;
};

/* Where a piece is. */
enum piece_place {
    PIECE_FIRST, /* at the beginning of the whole text */
    PIECE_LATER,
    PIECE_GLUED /* right behind a byte that is not UTF-8 */
};

int32_t tokenizer_find_key(const struct tokenizer *t, const char *bytes, size_t n); /* or NO_ID */
/* The slot of this key, or the free one where it belongs; `hash` is its fnv1a64. */
size_t tokenizer_key_slot(const struct tokenizer *t, const char *bytes, size_t n, uint64_t hash);

/* The normalised text is lent by the scratch until the next call. *cut: its beginning was taken
 * away (tokenizer_normal.c). */
MUST_CHECK enum status tokenizer_normalise(const struct encoding *e, const char *text, size_t n,
                                           const char **out, size_t *n_out, bool *cut);
/* Splits text and merges each piece (tokenizer_pieces.c, tokenizer_bpe.c). */
MUST_CHECK enum status tokenizer_encode_pieces(const struct encoding *e, const char *text, size_t n,
                                               enum piece_place place);
MUST_CHECK enum status bpe_encode(const struct encoding *e, const char *piece, size_t n);
/* A byte that no token of the model covers. */
MUST_CHECK enum status bpe_encode_byte(const struct encoding *e, uint8_t byte);
const struct merge_slot *bpe_find_merge(const struct tokenizer *t, int32_t left, int32_t right);
/* The slot where the search for a pair begins. */
static inline size_t bpe_merge_home(const struct tokenizer *t, uint64_t pair)
{
    return (size_t)((pair * 0x9e3779b97f4a7c15u) >> 32) & t->merge_mask;
}

/* The text of a token behind `begun` bytes of output. */
const char *tokenizer_text_in(const struct tokenizer *t, int32_t id, struct text_begin *begin,
                              size_t *n);

#endif
