/* tokenizer_build.h - the tables of a tokenizer from its tokens and merges, whatever they were read
 * from; for tokenizer_load.c and tokenizer_tables.c.
 *
 * The order: build_new, the byte level, build_token for each token of the model, build_added for
 * each added one, build_index, then merges, build_finish. All input is untrusted: ids must be
 * unique, since they are rows of the embedding; every merge must name tokens that exist; lengths
 * are capped. Ids may be left out, as some families do before their special tokens: nothing
 * encodes to such an id and it decodes to nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_BUILD_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_BUILD_H

#include "models/formats/tokenizer_internal.h"

#define BUILD_MAX_DECODER 4 /* replacements */
#define BUILD_PENDING     16

struct build_token {
    uint32_t at, n; /* its key in `bytes` */
    int32_t id;
    bool verbatim; /* byte level: no spelling of bytes, so meant as it is */
};
struct build_added {
    uint32_t at, n; /* its text in `bytes` */
    int32_t id;
    unsigned flags; /* enum added_flag */
    bool normalized, in_model;
};

struct tokenizer_build {
    struct tokenizer *t;
    const char *name; /* in messages */
    struct error *err;
    char *bytes; /* (cap_bytes) */
    size_t n_bytes, cap_bytes;
    struct build_token *token;
    size_t n_tokens, cap_tokens;
    struct build_added *added;
    size_t n_added, cap_added;
    int32_t *token_of; /* (n_ids) index into `token`, or -1 */
    int64_t last_id;
    int16_t byte_of[512]; /* of characters at the byte level; -1 */
    int32_t last_merged;
    struct merge_slot pending[BUILD_PENDING]; /* a ring: from n_put to n_pending */
    size_t n_pending, n_put;
    /* what the decoder changes in each token */
    struct {
        char *from, *to;
    } replace[BUILD_MAX_DECODER];
    int n_replace;
    bool decodes_bytes; /* "<0x0A>" is a byte */
};

/* Room for n_bytes of text in all. */
MUST_CHECK enum status build_new(struct tokenizer_build *b, size_t n_bytes, const char *name,
                                 struct error *err);
/* Frees what is left, the tokenizer too if it was not taken. */
void build_free(struct tokenizer_build *b);

/* The token's text, as its vocabulary spells it. */
MUST_CHECK enum status build_token(struct tokenizer_build *b, const char *text, size_t n,
                                   int64_t id);
MUST_CHECK enum status build_added(struct tokenizer_build *b, const char *text, size_t n,
                                   int64_t id, unsigned flags, bool normalized);
MUST_CHECK enum status build_index(struct tokenizer_build *b);
/* Merge i of n, spelled as tokens are. build_merges reserves,
 * build_merges_end follows the last. */
MUST_CHECK enum status build_merges(struct tokenizer_build *b, size_t n);
MUST_CHECK enum status build_merge(struct tokenizer_build *b, size_t i, const char *left,
                                   size_t n_left, const char *right, size_t n_right);
/* The same as "LEFT RIGHT". */
MUST_CHECK enum status build_merge_text(struct tokenizer_build *b, size_t i, const char *text,
                                        size_t n);
MUST_CHECK enum status build_merges_end(struct tokenizer_build *b);
/* Ranks by SentencePiece's scores: (n_ids), finite. */
MUST_CHECK enum status build_scores(struct tokenizer_build *b, const float *score);
MUST_CHECK enum status build_finish(struct tokenizer_build *b);
/* What a spelling is looked up by; out has room for n. */
size_t build_key(const struct tokenizer_build *b, const char *text, size_t n, char *out);
/* "<0x0A>", or -1. */
int build_byte_token(const char *text, size_t n);

#endif
