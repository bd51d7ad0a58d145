/* jinja_parser.c - statements.
 *
 * For, if, set, macro, generation, break, continue. Statements that read other files (include,
 * import, extends) or that chat templates do not use are errors that name the statement.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_parser.h"

#include <stdio.h>
#include <string.h>

#include "models/chat/chat_template.h"
#include "runtime/base/memory.h"

#define MAX_HEIGHT 200

static struct jinja_node *parse_body(struct jinja_parser *p, const char *const *ends,
                                     size_t n_ends);

void jinja_parse_fail(struct jinja_parser *p, enum status st, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    if (p->st)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    p->st = error_at(p->err, st, p->name, p->token->line, 0, "%s", text);
}

static void check_memory(struct jinja_parser *p)
{
    if (p->memory->full)
        jinja_parse_fail(p, STATUS_LIMIT, "the template is too large");
}

struct jinja_node *jinja_node_new(struct jinja_parser *p, enum jinja_kind kind)
{
    struct jinja_node *n = jinja_alloc(p->memory, sizeof(*n));

    if (n == NULL) {
        check_memory(p);
        return &p->nothing;
    }
    n->kind = kind;
    n->line = p->token->line;
    n->height = 1;
    return n;
}

void jinja_node_add(struct jinja_parser *p, struct jinja_node *to, struct jinja_node *item)
{
    if (to == &p->nothing)
        return;
    if (to->n_items == to->cap_items) {
        const size_t cap = to->cap_items ? to->cap_items * 2 : 4;
        struct jinja_node **more = jinja_alloc(p->memory, cap * sizeof(*more));

        if (more == NULL) {
            check_memory(p);
            return;
        }
        if (to->n_items)
            memcpy(more, to->items, to->n_items * sizeof(*more));
        to->items = more;
        to->cap_items = cap;
    }
    to->items[to->n_items++] = item;
}

static int32_t taller(int32_t height, const struct jinja_node *child)
{
    return child && child->height >= height ? child->height + 1 : height;
}

struct jinja_node *jinja_node_done(struct jinja_parser *p, struct jinja_node *n)
{
    n->height = taller(taller(taller(taller(1, n->a), n->b), n->c), n->d);
    for (size_t i = 0; i < n->n_items; i++)
        n->height = taller(n->height, n->items[i]);
    if (n->height > MAX_HEIGHT)
        jinja_parse_fail(p, STATUS_LIMIT, "expressions are nested deeper than %d levels",
                         MAX_HEIGHT);
    return n;
}

bool jinja_is_operator(const struct jinja_parser *p, const char *op)
{
    return p->token->kind == TOKEN_OPERATOR && jinja_text_is(p->token->text, op);
}

bool jinja_is_word(const struct jinja_parser *p, const char *word)
{
    return p->token->kind == TOKEN_NAME && jinja_text_is(p->token->text, word);
}

bool jinja_take_operator(struct jinja_parser *p, const char *op)
{
    const bool yes = p->st == STATUS_OK && jinja_is_operator(p, op);

    p->token += yes;
    return yes;
}

bool jinja_take_word(struct jinja_parser *p, const char *word)
{
    const bool yes = p->st == STATUS_OK && jinja_is_word(p, word);

    p->token += yes;
    return yes;
}

void jinja_want_operator(struct jinja_parser *p, const char *op)
{
    if (p->st == STATUS_OK && !jinja_take_operator(p, op))
        jinja_parse_fail(p, STATUS_INVALID, "expected \"%s\" before \"%.*s\"", op,
                         (int)(p->token->text.n < 40 ? p->token->text.n : 40), p->token->text.p);
}

struct jinja_text jinja_want_name(struct jinja_parser *p)
{
    const struct jinja_text none = {"", 0};

    if (p->st)
        return none;
    if (p->token->kind != TOKEN_NAME) {
        jinja_parse_fail(p, STATUS_INVALID, "expected a name");
        return none;
    }
    return (p->token++)->text;
}

bool jinja_enter(struct jinja_parser *p)
{
    if (p->st)
        return false;
    if (p->depth >= 3 * CHAT_MAX_DEPTH) { /* a bracket takes three of these steps */
        jinja_parse_fail(p, STATUS_LIMIT, "nested deeper than %d levels", CHAT_MAX_DEPTH);
        return false;
    }
    p->depth++;
    return true;
}

void jinja_leave(struct jinja_parser *p)
{
    p->depth--;
}

static void want_block_end(struct jinja_parser *p)
{
    if (p->st)
        return;
    if (p->token->kind != TOKEN_BLOCK_END)
        jinja_parse_fail(p, STATUS_INVALID, "expected %%} before \"%.*s\"",
                         (int)(p->token->text.n < 40 ? p->token->text.n : 40), p->token->text.p);
    else
        p->token++;
}

static void parse_targets(struct jinja_parser *p, struct jinja_node *n)
{
    const bool parentheses = jinja_take_operator(p, "(");

    do {
        struct jinja_node *t = jinja_node_new(p, JN_NAME);

        if (n->n_items && (jinja_is_word(p, "in") || jinja_is_operator(p, "=")))
            break;
        t->text = jinja_want_name(p);
        if (n->kind == JN_SET && jinja_take_operator(p, ".")) {
            struct jinja_node *of = t;

            t = jinja_node_new(p, JN_ATTRIBUTE);
            t->a = of;
            t->text = jinja_want_name(p);
        }
        jinja_node_add(p, n, jinja_node_done(p, t));
    } while (p->st == STATUS_OK && jinja_take_operator(p, ","));
    if (parentheses)
        jinja_want_operator(p, ")");
}

static struct jinja_node *parse_for(struct jinja_parser *p)
{
    static const char *const body_ends[] = {"else", "endfor"}, *const else_ends[] = {"endfor"};
    struct jinja_node *n = jinja_node_new(p, JN_FOR);

    parse_targets(p, n);
    if (p->st == STATUS_OK && !jinja_take_word(p, "in"))
        jinja_parse_fail(p, STATUS_INVALID, "expected \"in\"");
    n->a = jinja_parse_or(p);
    if (jinja_take_word(p, "if"))
        n->b = jinja_parse_expression(p);
    if (jinja_is_word(p, "recursive"))
        jinja_parse_fail(p, STATUS_UNSUPPORTED, "recursive loops are not supported");
    want_block_end(p);
    p->n_loops++;
    n->c = parse_body(p, body_ends, ARRAY_LEN(body_ends));
    p->n_loops--;
    if (jinja_take_word(p, "else")) {
        want_block_end(p);
        n->d = parse_body(p, else_ends, 1);
    }
    jinja_take_word(p, "endfor");
    return n;
}

static struct jinja_node *parse_if(struct jinja_parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif"};
    struct jinja_node *n = jinja_node_new(p, JN_IF);

    do {
        jinja_node_add(p, n, jinja_parse_tuple(p));
        want_block_end(p);
        jinja_node_add(p, n, parse_body(p, ends, ARRAY_LEN(ends)));
    } while (jinja_take_word(p, "elif"));
    if (jinja_take_word(p, "else")) {
        want_block_end(p);
        jinja_node_add(p, n, parse_body(p, ends + 2, 1));
    }
    jinja_take_word(p, "endif");
    return n;
}

static struct jinja_node *parse_set(struct jinja_parser *p)
{
    static const char *const ends[] = {"endset"};
    struct jinja_node *n = jinja_node_new(p, JN_SET);

    parse_targets(p, n);
    if (jinja_take_operator(p, "=")) {
        n->a = jinja_parse_tuple(p);
        return n;
    }
    if (n->n_items != 1)
        jinja_parse_fail(p, STATUS_INVALID, "a set block needs exactly one name");
    if (jinja_is_operator(p, "|"))
        jinja_parse_fail(p, STATUS_UNSUPPORTED, "filters of a set block are not supported");
    want_block_end(p);
    n->c = parse_body(p, ends, 1);
    jinja_take_word(p, "endset");
    return n;
}

static struct jinja_node *parse_macro(struct jinja_parser *p)
{
    static const char *const ends[] = {"endmacro"};
    struct jinja_node *n = jinja_node_new(p, JN_MACRO);
    const int loops = p->n_loops;

    n->text = jinja_want_name(p);
    jinja_want_operator(p, "(");
    while (p->st == STATUS_OK && !jinja_is_operator(p, ")")) {
        struct jinja_node *k = jinja_node_new(p, JN_KEYWORD);

        if (n->n_items)
            jinja_want_operator(p, ",");
        if (jinja_is_operator(p, ")"))
            break;
        k->text = jinja_want_name(p);
        if (jinja_take_operator(p, "="))
            k->a = jinja_parse_expression(p);
        jinja_node_add(p, n, jinja_node_done(p, k));
    }
    jinja_want_operator(p, ")");
    want_block_end(p);
    p->n_loops = 0;
    n->c = parse_body(p, ends, 1);
    p->n_loops = loops;
    jinja_take_word(p, "endmacro");
    return n;
}

static struct jinja_node *parse_generation(struct jinja_parser *p)
{
    static const char *const ends[] = {"endgeneration"};
    struct jinja_node *n = jinja_node_new(p, JN_GENERATION);

    p->has_generation = true;
    want_block_end(p);
    n->c = parse_body(p, ends, 1);
    jinja_take_word(p, "endgeneration");
    return n;
}

static struct jinja_node *parse_jump(struct jinja_parser *p, enum jinja_kind kind)
{
    if (p->n_loops == 0)
        jinja_parse_fail(p, STATUS_INVALID, "break and continue are only allowed in a loop");
    return jinja_node_new(p, kind);
}

static struct jinja_node *parse_statement(struct jinja_parser *p)
{
    struct jinja_node *n = &p->nothing;

    if (jinja_take_word(p, "if"))
        n = parse_if(p);
    else if (jinja_take_word(p, "for"))
        n = parse_for(p);
    else if (jinja_take_word(p, "set"))
        n = parse_set(p);
    else if (jinja_take_word(p, "macro"))
        n = parse_macro(p);
    else if (jinja_take_word(p, "generation"))
        n = parse_generation(p);
    else if (jinja_take_word(p, "break"))
        n = parse_jump(p, JN_BREAK);
    else if (jinja_take_word(p, "continue"))
        n = parse_jump(p, JN_CONTINUE);
    else
        jinja_parse_fail(p, STATUS_UNSUPPORTED, "the statement \"%.*s\" is not supported",
                         (int)(p->token->text.n < 40 ? p->token->text.n : 40), p->token->text.p);
    want_block_end(p);
    return jinja_node_done(p, n);
}

static bool at_end(const struct jinja_parser *p, const char *const *ends, size_t n_ends)
{
    for (size_t i = 0; i < n_ends; i++)
        if (jinja_text_is(p->token->text, ends[i]) && p->token->kind == TOKEN_NAME)
            return true;
    return false;
}

static struct jinja_node *parse_one(struct jinja_parser *p)
{
    struct jinja_node *n;

    if (p->token->kind == TOKEN_DATA) {
        n = jinja_node_new(p, JN_TEXT);
        n->text = (p->token++)->text;
        return n;
    }
    /* "{{" */
    p->token++;
    n = jinja_node_new(p, JN_OUTPUT);
    n->a = jinja_parse_tuple(p);
    if (p->st == STATUS_OK && p->token->kind != TOKEN_OUTPUT_END)
        jinja_parse_fail(p, STATUS_INVALID, "expected }} before \"%.*s\"",
                         (int)(p->token->text.n < 40 ? p->token->text.n : 40), p->token->text.p);
    if (p->st == STATUS_OK)
        p->token++;
    return jinja_node_done(p, n);
}

/* Statements up to one of `ends`, which becomes the next token; with no ends, up to the end. */
static struct jinja_node *parse_body(struct jinja_parser *p, const char *const *ends, size_t n_ends)
{
    struct jinja_node *block = jinja_node_new(p, JN_BLOCK);

    if (!jinja_enter(p))
        return &p->nothing;
    while (p->st == STATUS_OK) {
        if (p->token->kind == TOKEN_END) {
            if (n_ends)
                jinja_parse_fail(p, STATUS_INVALID, "\"%s\" is missing", ends[n_ends - 1]);
            break;
        }
        if (p->token->kind == TOKEN_BLOCK_BEGIN) {
            p->token++;
            if (at_end(p, ends, n_ends))
                break;
            jinja_node_add(p, block, parse_statement(p));
        } else {
            jinja_node_add(p, block, parse_one(p));
        }
    }
    jinja_leave(p);
    return jinja_node_done(p, block);
}

enum status jinja_parse(const struct jinja_tokens *tokens, const char *name,
                        struct jinja_memory *memory, const struct jinja_node **out,
                        bool *has_generation, struct error *err)
{
    struct jinja_parser *p = jinja_alloc(memory, sizeof(*p));
    struct jinja_node *root;

    if (p == NULL)
        return error_set(err, STATUS_LIMIT, "%s: the template is too large", name);
    *p = (struct jinja_parser){.token = tokens->token,
                               .name = name,
                               .memory = memory,
                               .err = err,
                               .nothing = {.height = 1}};
    root = parse_body(p, NULL, 0);
    check_memory(p);
    if (p->st)
        return p->st;
    *out = root;
    *has_generation = p->has_generation;
    return STATUS_OK;
}
