/* calc.c - parses and evaluates an arithmetic expression in one pass, by recursive descent.
 *
 *   sum     = product { ("+" | "-") product }
 *   product = signed { ("*" | "/" | "//" | "%") signed }
 *   signed  = { "+" | "-" } power
 *   power   = atom [ ("^" | "**") signed ]
 *   atom    = number | constant | function "(" sum { "," sum } ")" | "(" sum ")"
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/calc.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/text.h"

#define MAX_BYTES 4096
#define MAX_DEPTH 64
#define MAX_WORD  40

struct reader {
    const char *text;
    size_t n, at;
    int32_t depth;
    struct error *err;
};

static enum status read_sum(struct reader *r, struct calc_number *out);

static void skip_blanks(struct reader *r)
{
    while (r->at < r->n && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at])
        r->at++;
}

/* The next character that is not a space, or NUL at the end. */
static char peek(struct reader *r)
{
    skip_blanks(r);
    return r->at < r->n ? r->text[r->at] : '\0';
}

static enum status fail(struct reader *r, size_t at, const char *words)
{
    return error_set(r->err, STATUS_INVALID, "column %zu: %s", at + 1, words);
}

static enum status fail_expected(struct reader *r, const char *expected)
{
    char got = peek(r);
    char words[128];

    if (r->at >= r->n)
        (void)snprintf(words, sizeof(words), "expected %s, got the end", expected);
    else if (got >= ' ' && got <= '~')
        (void)snprintf(words, sizeof(words), "expected %s, got \"%c\"", expected, got);
    else
        (void)snprintf(words, sizeof(words), "expected %s, got byte 0x%02x", expected,
                       (unsigned)(unsigned char)got);
    return fail(r, r->at, words);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_digits(struct reader *r)
{
    while (r->at < r->n && is_digit(r->text[r->at]))
        r->at++;
}

static char here(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->n ? r->text[r->at + ahead] : '\0';
}

static enum status read_number(struct reader *r, struct calc_number *out)
{
    size_t from = r->at;
    char word[MAX_WORD * 8];
    size_t exponent;

    skip_digits(r);
    if (here(r, 0) == '.') {
        r->at++;
        skip_digits(r);
    }
    exponent = here(r, 1) == '+' || here(r, 1) == '-' ? 2 : 1;
    if ((here(r, 0) == 'e' || here(r, 0) == 'E') && is_digit(here(r, exponent))) {
        r->at += exponent;
        skip_digits(r);
    }
    if (r->at - from >= sizeof(word))
        return fail(r, from, "the number has too many digits");
    if (r->at - from == 1 && r->text[from] == '.')
        return fail(r, from, "expected a digit before or after the point");
    memcpy(word, r->text + from, r->at - from);
    word[r->at - from] = '\0';
    *out = (struct calc_number){.is_integer = true};
    if (strspn(word, "0123456789") == r->at - from && text_to_i64(word, &out->integer))
        return STATUS_OK;
    out->is_integer = false;
    if (!text_to_double(word, &out->real))
        return fail(r, from, "the number is out of range");
    return STATUS_OK;
}

static enum status read_arguments(struct reader *r, const struct calc_function *f, size_t from,
                                  struct calc_number *out)
{
    struct calc_number args[CALC_MAX_ARGS];
    int32_t n = 0;
    const char *wrong;
    enum status st;

    r->at++; /* the parenthesis */
    if (peek(r) != ')') {
        do {
            if (n == CALC_MAX_ARGS)
                return fail(r, r->at, "too many arguments");
            if (n > 0)
                r->at++; /* the comma */
            st = read_sum(r, &args[n++]);
            if (st)
                return st;
        } while (peek(r) == ',');
    }
    if (peek(r) != ')')
        return fail_expected(r, "\",\" or \")\"");
    r->at++;
    wrong = calc_apply(f, args, n, out);
    return wrong ? fail(r, from, wrong) : STATUS_OK;
}

static enum status read_name(struct reader *r, struct calc_number *out)
{
    size_t from = r->at;
    const struct calc_function *f;
    char word[MAX_WORD], words[160];
    const char *near;
    size_t n;

    while (is_letter(here(r, 0)) || is_digit(here(r, 0)))
        r->at++;
    n = r->at - from;
    if (calc_constant(r->text + from, n, out))
        return STATUS_OK;
    f = calc_find(r->text + from, n);
    if (f && peek(r) == '(')
        return read_arguments(r, f, from, out);
    if (f)
        return fail_expected(r, "\"(\" after the name of a function");
    (void)snprintf(word, sizeof(word), "%.*s", (int)(n < MAX_WORD ? n : MAX_WORD - 1),
                   r->text + from);
    near = calc_nearest(word);
    (void)snprintf(words, sizeof(words), "unknown name \"%s\"%s%s%s", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return fail(r, from, words);
}

static enum status read_atom(struct reader *r, struct calc_number *out)
{
    char c = peek(r);
    enum status st;

    if (is_digit(c) || c == '.')
        return read_number(r, out);
    if (is_letter(c))
        return read_name(r, out);
    if (c != '(')
        return fail_expected(r, "a number, a name or \"(\"");
    r->at++;
    st = read_sum(r, out);
    if (st)
        return st;
    if (peek(r) != ')')
        return fail_expected(r, "\")\"");
    r->at++;
    return STATUS_OK;
}

static enum status operate(struct reader *r, char op, size_t at, struct calc_number b,
                           struct calc_number *a)
{
    const char *wrong = calc_operate(op, *a, b, a);

    return wrong ? fail(r, at, wrong) : STATUS_OK;
}

static enum status read_signed(struct reader *r, struct calc_number *out)
{
    bool minus = false;
    struct calc_number exponent;
    size_t at;
    enum status st;

    for (; peek(r) == '-' || peek(r) == '+'; r->at++)
        minus ^= peek(r) == '-';
    st = read_atom(r, out);
    if (!st && (peek(r) == '^' || (peek(r) == '*' && here(r, 1) == '*'))) {
        at = r->at;
        r->at += here(r, 0) == '^' ? 1 : 2;
        if (++r->depth > MAX_DEPTH)
            return error_set(r->err, STATUS_LIMIT, "more than %d levels", MAX_DEPTH);
        st = read_signed(r, &exponent);
        r->depth--;
        if (!st)
            st = operate(r, '^', at, exponent, out);
    }
    if (!st && minus) {
        struct calc_number v = *out;

        *out = calc_integer(0);
        /* 0 - x loses the sign of a zero; that is fine. */
        st = operate(r, '-', r->at, v, out);
    }
    return st;
}

static enum status read_product(struct reader *r, struct calc_number *out)
{
    struct calc_number right;
    enum status st = read_signed(r, out);

    while (!st) {
        char op = peek(r);
        size_t at = r->at;

        if (op != '*' && op != '/' && op != '%')
            break;
        r->at++;
        if (op == '/' && here(r, 0) == '/') {
            r->at++;
            op = '\\';
        }
        st = read_signed(r, &right);
        if (!st)
            st = operate(r, op, at, right, out);
    }
    return st;
}

static enum status read_sum(struct reader *r, struct calc_number *out)
{
    struct calc_number right;
    enum status st;

    if (++r->depth > MAX_DEPTH)
        return error_set(r->err, STATUS_LIMIT, "more than %d levels", MAX_DEPTH);
    st = read_product(r, out);
    while (!st && (peek(r) == '+' || peek(r) == '-')) {
        char op = peek(r);
        size_t at = r->at++;

        st = read_product(r, &right);
        if (!st)
            st = operate(r, op, at, right, out);
    }
    r->depth--;
    return st;
}

enum status calc_evaluate(const char *text, size_t n, struct calc_number *out, struct error *err)
{
    struct reader r = {.text = text, .n = n, .err = err};
    struct calc_number value;
    enum status st;

    if (n > MAX_BYTES)
        return error_set(err, STATUS_LIMIT, "the expression has %zu bytes; the limit is %d", n,
                         MAX_BYTES);
    st = read_sum(&r, &value);
    if (st)
        return st;
    if (peek(&r) || r.at < r.n)
        return fail_expected(&r, "an operator or the end");
    *out = value;
    return STATUS_OK;
}
