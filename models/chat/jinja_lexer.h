/* jinja_lexer.h - template source to tokens, with white space control applied.
 *
 * trim_blocks and lstrip_blocks are on, as transformers sets them; one newline at
 * the end of the source is dropped; line ends become \n. Rules: jinja2/lexer.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_LEXER_H
#define TROUPE_MODELS_CHAT_JINJA_LEXER_H

#include "models/chat/jinja_value.h"
#include "runtime/base/status.h"

enum jinja_token_kind {
    TOKEN_DATA,
    TOKEN_OUTPUT_BEGIN, /* {{ */
    TOKEN_OUTPUT_END,
    TOKEN_BLOCK_BEGIN, /* {% */
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING, /* value: the text, escapes resolved */
    TOKEN_NUMBER, /* value: an int or a float */
    TOKEN_OPERATOR,
    TOKEN_END
};

struct jinja_token {
    enum jinja_token_kind kind;
    int32_t line; /* from 1 */
    struct jinja_text text;
    struct jinja_value value;
};

struct jinja_tokens {
    struct jinja_token *token; /* ends in TOKEN_END; in the memory given */
    size_t n, cap;
};

/* Texts point into `source`, whose line ends are normalised already, or into the memory. */
MUST_CHECK enum status jinja_lex(struct jinja_text source, const char *name,
                                 struct jinja_memory *memory, struct jinja_tokens *out,
                                 struct error *err);

#endif
