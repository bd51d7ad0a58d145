/* tokenizer_tables.h - a tokenizer from the tables of a GGUF file.
 *
 * Two models of tokenizers are known by their names there: "gpt2" is byte-level BPE with merges,
 * and `pre` names how text is split; "llama" is SentencePiece's BPE with scores and byte fallback.
 * Ids are those of Hugging Face tokenizers for the same model where the tables have all that
 * decides (they lack lstrip and rstrip of added tokens).
 *
 * The tables are untrusted and lent for the call. Errors are as for tokenizer_from_json:
 * STATUS_INVALID, _LIMIT, and _UNSUPPORTED for a model or a `pre` that is not known, by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_TABLES_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/status.h"

struct table_text {
    const char *bytes; /* lent; any bytes */
    size_t n;
};

/* tokenizer.ggml.token_type */
enum table_type {
    TABLE_UNDEFINED, /* as normal */
    TABLE_NORMAL,
    TABLE_UNKNOWN,
    TABLE_CONTROL,      /* a special token */
    TABLE_USER_DEFINED, /* an added token */
    TABLE_UNUSED,
    TABLE_BYTE /* "<0x0A>" */
};

struct tokenizer_tables {
    const char *name; /* of the file, in messages */
    const char *model;
    const char *pre;                /* NULL: the file has none */
    const struct table_text *token; /* (n_tokens) */
    const float *score;             /* (n_tokens); NULL: none, which "llama" needs */
    const int32_t *type;            /* (n_tokens) enum table_type; NULL: all are normal */
    int32_t n_tokens;
    const struct table_text *merge; /* (n_merges) "LEFT RIGHT", of "gpt2" */
    size_t n_merges;
    int32_t bos_id, eos_id, unk_id; /* -1: none */
    bool add_bos, add_eos;
    bool add_space_prefix; /* of "llama": the file's default is true */
};

MUST_CHECK enum status tokenizer_from_tables(const struct tokenizer_tables *tables,
                                             struct tokenizer **out, struct error *err);

#endif
