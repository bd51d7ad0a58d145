/* expr_ast.h - tokens and the tree of an expression; for the expr_*.c files alone.
 *
 * The tree is bounded: nesting (brackets, arguments, branches of `? :`, signs) is at most
 * EXPR_MAX_DEPTH, while chains of operators and of accesses are flat lists that are evaluated in
 * a loop. So recursion is bounded, in the parser and in the evaluator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_EXPR_AST_H
#define TROUPE_BLUEPRINTS_EXPR_AST_H

#include "blueprints/expr.h"
#include "runtime/base/memory.h"

#define EXPR_MAX_BYTES ((size_t)4 << 10)
#define EXPR_MAX_DEPTH 32
#define EXPR_MAX_STEPS 100000
#define EXPR_MAX_ARGS  3
/* Limits of the result of one `+` or one template. */
#define EXPR_MAX_TEXT ((size_t)1 << 20)
#define EXPR_MAX_LIST ((size_t)100000)

enum expr_token_kind {
    TOKEN_END,
    TOKEN_INT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_NAME,
    TOKEN_OPERATOR, /* one or two characters of punctuation, in op */
};

/* Operators by their characters: '+' is '+', "&&" is OP2('&', '&'). */
#define OP2(a, b) ((a)*256 + (b))

struct expr_token {
    enum expr_token_kind kind;
    int op;
    size_t at; /* byte offset of its first character */
    int64_t integer;
    double real;
    const char *text; /* of a name or a string; in the arena */
};

struct expr_lexer {
    const char *text;
    size_t n;
    size_t at; /* after the current token */
    struct arena *arena;
    struct expr_token token; /* the current one */
    struct error *err;
};

/* Reads the next token into l->token. */
MUST_CHECK enum status expr_lex_next(struct expr_lexer *l);
/* "1:COLUMN", with the column in characters as editors count them. */
enum status expr_fault(struct error *err, const char *text, size_t n, size_t at, enum status status,
                       const char *fmt, ...) PRINTF_LIKE(6, 7);

struct expr_eval;
/* args: (EXPR_MAX_ARGS) lent values; NULL where an argument was left out. */
typedef enum status (*expr_function_fn)(struct expr_eval *ev, struct json *const *args,
                                        struct json **out);
struct expr_function {
    const char *name, *usage;
    int min_args, max_args;
    int type; /* of the value: an enum jv_kind (JV_REAL: of any number), or EXPR_ANY */
    expr_function_fn call;
};
#define FUNCTION(name, min_args, max_args, type, usage)                                            \
    enum status expr_fn_##name(struct expr_eval *ev, struct json *const *args, struct json **out);
#include "blueprints/functions.def"
#undef FUNCTION
/* NULL: no such function; *nearest then may name one. */
const struct expr_function *expr_function_find(const char *name, const char **nearest);

/* CEL's macros: range.macro(variable, body). The range is a list, or a map, whose keys are taken.
 * https://github.com/google/cel-spec/blob/master/doc/langdef.md, "Macros". */
enum expr_macro_kind { MACRO_ALL, MACRO_EXISTS, MACRO_FILTER, MACRO_MAP };
struct expr_macro {
    enum expr_macro_kind kind;
    const char *name, *usage;
    int max_bodies; /* map may filter first: map(x, condition, value) */
};
const struct expr_macro *expr_macro_find(const char *name); /* or NULL */

enum expr_node_kind {
    NODE_CONSTANT, /* constant */
    NODE_ROOT,     /* name */
    NODE_PATH,     /* child[0], then accesses: FIELD (name) or INDEX (child[0]) nodes */
    NODE_FIELD,
    NODE_INDEX,
    NODE_LIST,  /* children are the items */
    NODE_MAP,   /* children are key, value, key, value ... */
    NODE_CALL,  /* function; children are the arguments */
    NODE_HAS,   /* child[0]: a NODE_PATH whose last access is a field */
    NODE_UNARY, /* op '!' or '-' ; child[0] */
    NODE_CHAIN, /* child[0] op[0] child[1] op[1] ... of one precedence */
    NODE_IF,    /* child[0] ? child[1] : child[2] */
    NODE_LOCAL, /* local: the variable of a macro around */
    NODE_MACRO, /* macro, local; child[0] is the range, then its one or two bodies */
};

struct expr_node {
    enum expr_node_kind kind;
    size_t at;
    struct json *constant; /* owned; every one is also in expr.constants */
    const char *name;
    const struct expr_function *function;
    const struct expr_macro *macro;
    int local; /* place in expr_eval.local */
    struct expr_node **child;
    int *op; /* (n_children - 1) for chains; (1) for unary */
    int n_children, cap_children;
};

struct expr {
    struct arena *arena;
    const char *text; /* for the place of an error */
    size_t n;
    const struct expr_node *root;
    struct json *constants;           /* an array that keeps the literals alive */
    struct expr_reference *reference; /* (n_references) without repetition */
    size_t n_references;
};

/* ---- expr_tree.c */
struct expr_node *expr_node_new(struct expr *e, enum expr_node_kind kind, size_t at);
/* op: the operator before this child in a chain. */
void expr_node_add(struct expr *e, struct expr_node *n, int op, struct expr_node *child);
/* field may be NULL. */
void expr_add_reference(struct expr *e, const char *name, const char *field);

/* Parses one expression from text[from]; with `brace` it ends at an unmatched '}', else at the
 * end of the text. *to: just after it (after the brace). Places count from `text`. */
MUST_CHECK enum status expr_parse_within(const char *text, size_t n, size_t from, bool brace,
                                         size_t *to, struct expr **out, struct error *err);

/* One evaluation: its variables and the remaining steps. */
struct expr_eval {
    const struct expr *expr;
    const struct json *vars;
    struct json *local[EXPR_MAX_DEPTH]; /* lent: variables of the macros under way */
    int steps;
    size_t at; /* of the node in work, for the place of an error */
    struct error *err;
};
enum status expr_eval_fault(struct expr_eval *ev, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Takes n steps from the budget. */
MUST_CHECK enum status expr_eval_spend(struct expr_eval *ev, size_t n);
/* The operators of a chain, in expr_operator.c. New reference. */
MUST_CHECK enum status expr_operator(struct expr_eval *ev, int op, const struct json *a,
                                     const struct json *b, struct json **out);
/* < 0, 0, > 0 for two numbers or two strings. False: these have no order. */
bool expr_compare(const struct json *a, const struct json *b, int *out);
/* The steps that walking v costs. */
size_t expr_cost(const struct json *v);
enum status expr_wrong_type(struct expr_eval *ev, const char *takes, const struct json *got);
/* Values inside v, counted up to `most`; text counts by its length. */
size_t expr_weight(const struct json *v, size_t most);
/* Appends the text form of a value: strings as they are, all else as JSON. A value that
 * would exceed EXPR_MAX_TEXT makes `out` fail early. */
void expr_put_text(struct str *out, const struct json *v);

#endif
