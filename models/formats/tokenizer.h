/* tokenizer.h - text to token ids and back: BPE over bytes or over characters with byte fallback,
 * from tokenizer.json or from tables (tokenizer_tables.h).
 *
 * Same ids as Hugging Face tokenizers without post-processing (no BOS is added: chat templates
 * write it; tokenizer_before has the ids for plain text). Loading fails on an unsupported feature
 * and names it. Any bytes can be encoded, valid UTF-8 or not. A byte-level tokenizer that has all
 * bytes and no normalizer decodes to the same bytes; what a vocabulary does not cover becomes its
 * unknown token or is dropped, as in the reference.
 *
 * A loaded tokenizer is read-only: any number of threads may use it at once, each that encodes
 * with a scratch of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/formats/token_ids.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define TOKENIZER_MAX_FILE        ((size_t)64 << 20)
#define TOKENIZER_MAX_IDS         (1 << 22)
#define TOKENIZER_MAX_TOKEN_BYTES 1024 /* of one token */
#define TOKENIZER_MAX_ADDED       65536

struct tokenizer;

/* `name` is the file's name in messages. */
MUST_CHECK enum status tokenizer_from_json(const char *text, size_t n, const char *name,
                                           struct tokenizer **out, struct error *err);
MUST_CHECK enum status tokenizer_load_dir(const char *dir, struct tokenizer **out,
                                          struct error *err); /* DIR/tokenizer.json */
void tokenizer_free(struct tokenizer *t);

/* Scratch memory for encoding. It grows as needed and works with any number of tokenizers, one
 * thread at a time. */
struct tokenizer_scratch;
struct tokenizer_scratch *tokenizer_scratch_new(void);
void tokenizer_scratch_free(struct tokenizer_scratch *s);

/* Appends. parse_special false treats the text of special tokens as plain text (user input, tool
 * output); added tokens that are not special are found either way, as with split_special_tokens in
 * transformers. Allocates nothing when the tokenizer is plain bytes and `out` has room for n. */
MUST_CHECK enum status tokenizer_encode(const struct tokenizer *t,
                                        struct tokenizer_scratch *scratch, const char *text,
                                        size_t n, bool parse_special, struct token_ids *out,
                                        struct error *err);

int32_t tokenizer_size(const struct tokenizer *t); /* ids are 0 .. size-1 */
/* Bytes that one token decodes to within a text, lent. *n is 0 for an id that the file does not
 * use. NULL for an id out of range. */
const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *n);
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
/* The id of the token with exactly these bytes ("<|im_end|>", " the"), or -1. */
int32_t tokenizer_id_of(const struct tokenizer *t, const char *text);
struct sha256 tokenizer_hash(const struct tokenizer *t); /* of the file or the tables as read */
/* The ids that the model expects before a text (BOS) and after it, lent; often none. */
const int32_t *tokenizer_before(const struct tokenizer *t, size_t *n);
const int32_t *tokenizer_after(const struct tokenizer *t, size_t *n);

/* How much of a text was written, for decoders that drop a blank at its beginning. */
struct text_begin {
    bool begun; /* nothing is dropped any more */
    int32_t dropped;
};

/* Appends the raw bytes; ids out of range are skipped. The ids are taken as a whole text. The
 * result may be invalid UTF-8. */
void tokenizer_decode(const struct tokenizer *t, const int32_t *id, size_t n, bool skip_special,
                      struct str *out);

/* Streaming output: a character that is split between two tokens is held back until it is complete;
 * bytes that cannot become a character are U+FFFD. All output together equals utf8_clean() of the
 * whole decode.
 */
struct token_stream {
    char held[4];
    int n_held;
    struct text_begin begin;
};
#define TOKEN_STREAM_INIT ((struct token_stream){.n_held = 0})
void token_stream_push(struct token_stream *s, const struct tokenizer *t, int32_t id,
                       bool skip_special, struct str *out);
void token_stream_finish(struct token_stream *s, struct str *out);

#endif
