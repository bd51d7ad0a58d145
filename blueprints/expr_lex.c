/* expr_lex.c - characters of an expression into tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/text.h"
#include "runtime/base/unicode.h"

enum status expr_fault(struct error *err, const char *text, size_t n, size_t at, enum status status,
                       const char *fmt, ...)
{
    char words[sizeof(err->message)];
    struct str built;
    long column = 1;
    va_list ap;

    if (!err)
        return status;
    for (size_t i = 0; i < at && i < n;) {
        utf8_next(text, n, &i);
        column++;
    }
    str_init(&built, sizeof(words));
    va_start(ap, fmt);
    str_vprintf(&built, fmt, ap);
    va_end(ap);
    error_at(err, status, "1", column, 0, "%s", str_cstr(&built));
    str_deinit(&built);
    return status;
}

#define FAULT(l, at, ...) expr_fault((l)->err, (l)->text, (l)->n, (at), STATUS_INVALID, __VA_ARGS__)

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct expr_lexer *l, size_t ahead)
{
    return l->at + ahead < l->n ? l->text[l->at + ahead] : '\0';
}

static enum status lex_number(struct expr_lexer *l)
{
    struct expr_token *t = &l->token;
    size_t from = l->at;
    bool real = false;
    char *copy;

    while (is_digit(peek(l, 0)))
        l->at++;
    if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
        real = true;
        for (l->at++; is_digit(peek(l, 0));)
            l->at++;
    }
    if (peek(l, 0) == 'e' || peek(l, 0) == 'E') {
        size_t sign = peek(l, 1) == '+' || peek(l, 1) == '-';

        if (is_digit(peek(l, 1 + sign))) {
            real = true;
            for (l->at += 1 + sign; is_digit(peek(l, 0));)
                l->at++;
        }
    }
    if (is_name_start(peek(l, 0)))
        return FAULT(l, l->at, "a letter directly after a number");
    copy = arena_strndup(l->arena, l->text + from, l->at - from);
    t->kind = real ? TOKEN_DOUBLE : TOKEN_INT;
    if (real ? !text_to_double(copy, &t->real) : !text_to_i64(copy, &t->integer))
        return FAULT(l, from, "the number %.40s is out of range", copy);
    return STATUS_OK;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The characters after a backslash. */
static enum status lex_escape(struct expr_lexer *l, struct str *out)
{
    static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
    size_t at = l->at;
    char c = peek(l, 0);
    const char *known = c ? strchr(from, c) : NULL;
    uint32_t code = 0;

    l->at++;
    if (known) {
        str_putc(out, to[known - from]);
        return STATUS_OK;
    }
    if (c != 'u')
        return FAULT(l, at - 1,
                     "unknown escape in a string; the escapes are \\n \\r \\t \\\\ \\' \\\" "
                     "\\uXXXX");
    for (int i = 0; i < 4; i++, l->at++) {
        int digit = hex_value(peek(l, 0));

        if (digit < 0)
            return FAULT(l, at - 1, "\\u needs four hexadecimal digits");
        code = code * 16 + (uint32_t)digit;
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        return FAULT(l, at - 1, "\\u%04x is not a character", code);
    utf8_put(out, code);
    return STATUS_OK;
}

static enum status lex_string(struct expr_lexer *l)
{
    char quote = peek(l, 0);
    size_t from = l->at++;
    struct str text;
    enum status st = STATUS_OK;

    str_init(&text, 4 * EXPR_MAX_BYTES);
    while (!st && l->at < l->n && l->text[l->at] != quote) {
        if (l->text[l->at] == '\\') {
            l->at++;
            st = lex_escape(l, &text);
        } else {
            str_putc(&text, l->text[l->at++]);
        }
    }
    if (!st && l->at >= l->n)
        st = FAULT(l, from, "this string has no closing quote");
    l->at++;
    l->token.kind = TOKEN_STRING;
    l->token.text = arena_strndup(l->arena, str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}

static enum status lex_operator(struct expr_lexer *l)
{
    static const char *const doubles[] = {"&&", "||", "==", "!=", "<=", ">="};
    char c = peek(l, 0);

    l->token.kind = TOKEN_OPERATOR;
    for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
        if (c == doubles[i][0] && peek(l, 1) == doubles[i][1]) {
            l->token.op = OP2(doubles[i][0], doubles[i][1]);
            l->at += 2;
            return STATUS_OK;
        }
    }
    if (c == '=' || c == '&' || c == '|')
        return FAULT(l, l->at, "unexpected single '%c'; did you mean '%c%c'?", c, c, c);
    if (!strchr("()[]{}.,:?+-*/%!<>", c)) {
        size_t end = l->at;

        utf8_next(l->text, l->n, &end);
        return FAULT(l, l->at, "unexpected character '%.*s'", (int)(end - l->at), l->text + l->at);
    }
    l->token.op = c;
    l->at++;
    return STATUS_OK;
}

enum status expr_lex_next(struct expr_lexer *l)
{
    struct expr_token *t = &l->token;
    char c = peek(l, 0);

    while (l->at < l->n && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
        l->at++;
        c = peek(l, 0);
    }
    *t = (struct expr_token){.at = l->at};
    if (l->at >= l->n)
        return STATUS_OK;
    if (is_digit(c))
        return lex_number(l);
    if (c == '\'' || c == '"')
        return lex_string(l);
    if (!is_name_start(c))
        return lex_operator(l);
    while (is_name_start(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    t->kind = TOKEN_NAME;
    t->text = arena_strndup(l->arena, l->text + t->at, l->at - t->at);
    return STATUS_OK;
}
