/* tokenizer_json.h - tokenizer.json, its two large tables read in place.
 *
 * model.vocab and model.merges have hundreds of thousands of small strings; as values of json.h
 * they would take most of the time of a start. They are read where they are in the text, and the
 * rest of the file is an ordinary value in which both are null.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_JSON_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

/* A string of the file, between its quotes; not checked to be UTF-8. */
struct raw_text {
    uint32_t at, n;
    bool escaped; /* it has backslashes */
};
struct raw_token {
    struct raw_text text;
    int64_t id; /* -1: not an integer */
};
struct raw_merge {
    struct raw_text left, right; /* right.at 0: both are in `left`, as "LEFT RIGHT" */
};

struct tokenizer_json {
    const char *text; /* lent */
    size_t n;
    struct json *root;
    bool has_vocab, has_merges; /* an object; an array */
    struct raw_token *token;    /* (n_tokens) in the order of the file */
    struct raw_merge *merge;    /* (n_merges) */
    size_t n_tokens, n_merges;
};

/* Initialises *out, to be closed in any case. STATUS_INVALID with a place for text that is not JSON
 * or for an element that is neither a token nor a merge. */
MUST_CHECK enum status tokenizer_json_open(const char *text, size_t n, const char *name,
                                           struct tokenizer_json *out, struct error *err);
void tokenizer_json_close(struct tokenizer_json *f);
/* Writes the string; out has room for raw.n bytes. */
size_t raw_text_copy(const char *text, struct raw_text raw, char *out);

#endif
