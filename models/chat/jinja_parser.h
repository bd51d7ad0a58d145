/* jinja_parser.h - shared by the two halves of the parser.
 *
 * The first error is kept in `st`. After it every function returns a dummy node at
 * once, so callers need not check each step.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_PARSER_H
#define TROUPE_MODELS_CHAT_JINJA_PARSER_H

#include "models/chat/jinja_ast.h"

struct jinja_parser {
    const struct jinja_token *token; /* the next one; the list ends in TOKEN_END */
    const char *name;
    struct jinja_memory *memory;
    struct error *err;
    enum status st;
    int depth;   /* of the recursion */
    int n_loops; /* around this statement, for break and continue */
    bool has_generation;
    struct jinja_node nothing; /* returned after an error, or when memory is full */
};

struct jinja_node *jinja_node_new(struct jinja_parser *p, enum jinja_kind kind);
void jinja_node_add(struct jinja_parser *p, struct jinja_node *to, struct jinja_node *item);
/* Sets n->height from its children, and refuses trees that are too high. */
struct jinja_node *jinja_node_done(struct jinja_parser *p, struct jinja_node *n);
void jinja_parse_fail(struct jinja_parser *p, enum status st, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

bool jinja_is_operator(const struct jinja_parser *p, const char *op);
bool jinja_is_word(const struct jinja_parser *p, const char *word);
bool jinja_take_operator(struct jinja_parser *p, const char *op); /* true: it was there */
bool jinja_take_word(struct jinja_parser *p, const char *word);
void jinja_want_operator(struct jinja_parser *p, const char *op); /* an error when it is missing */
struct jinja_text jinja_want_name(struct jinja_parser *p);

bool jinja_enter(struct jinja_parser *p); /* false, and an error, when nested too deeply */
void jinja_leave(struct jinja_parser *p);

struct jinja_node *jinja_parse_expression(struct jinja_parser *p);
/* Without "x if y else z": what a for loop runs over. */
struct jinja_node *jinja_parse_or(struct jinja_parser *p);
/* One expression, or a tuple when commas follow. */
struct jinja_node *jinja_parse_tuple(struct jinja_parser *p);
#endif
