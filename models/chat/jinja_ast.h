/* jinja_ast.h - the tree of a template.
 *
 * One node type; the comment of each kind lists its fields. Nodes live in
 * the template's memory and never change once parsed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_AST_H
#define TROUPE_MODELS_CHAT_JINJA_AST_H

#include "models/chat/jinja_lexer.h"
#include "models/chat/jinja_value.h"

enum jinja_kind {
    /* expressions */
    JN_CONST,     /* value */
    JN_NAME,      /* text */
    JN_LIST,      /* items */
    JN_TUPLE,     /* items */
    JN_DICT,      /* items: key, value, key, value, ... */
    JN_ATTRIBUTE, /* a . text */
    JN_SUBSCRIPT, /* a [ b ] */
    JN_SLICE,     /* a [ items: from, to, step; NULL where left out ] */
    JN_CALL,      /* a ( items; keyword arguments are JN_KEYWORD ) */
    JN_KEYWORD,   /* text = a */
    JN_FILTER,    /* a | builtin.filter ( items ) */
    JN_TEST,      /* a is builtin.test ( items ) */
    JN_NOT,       /* a */
    JN_NEGATE,    /* a */
    JN_BINARY,    /* a op b */
    JN_COMPARE,   /* items, with ops[i] between item i and i+1 */
    JN_AND,       /* a, b */
    JN_OR,        /* a, b */
    JN_IF_ELSE,   /* a if b else c (c may be NULL) */
    /* statements */
    JN_BLOCK,      /* items */
    JN_TEXT,       /* text */
    JN_OUTPUT,     /* a */
    JN_IF,         /* items: condition, block, condition, block, ..., [block of else] */
    JN_FOR,        /* items: target names; a: iterable; b: condition or NULL; c: body; d: else */
    JN_SET,        /* items: targets (JN_NAME or JN_ATTRIBUTE); a: value, or c: block */
    JN_MACRO,      /* text: name; items: JN_KEYWORD (a: default or NULL); c: body */
    JN_GENERATION, /* c */
    JN_BREAK,
    JN_CONTINUE
};

enum jinja_op {
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_FLOOR_DIVIDE,
    OP_MODULO,
    OP_POWER,
    OP_CONCAT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN
};

struct jinja_filter;
struct jinja_test;

struct jinja_node {
    enum jinja_kind kind;
    int32_t line;
    int32_t height; /* 1 for a leaf: bounds the recursion of code that walks the tree */
    struct jinja_text text;
    struct jinja_value value;
    struct jinja_node *a, *b, *c, *d;
    struct jinja_node **items;
    size_t n_items, cap_items;
    enum jinja_op op;   /* JN_BINARY */
    enum jinja_op *ops; /* JN_COMPARE: between item i and i+1 */
    union {
        const struct jinja_filter *filter;
        const struct jinja_test *test;
    } builtin;
};

/* The whole template as a JN_BLOCK, in `memory`. *has_generation: it marks the assistant's text. */
MUST_CHECK enum status jinja_parse(const struct jinja_tokens *tokens, const char *name,
                                   struct jinja_memory *memory, const struct jinja_node **out,
                                   bool *has_generation, struct error *err);

#endif
