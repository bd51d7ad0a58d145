/* jinja_lexer.c - tokens of a template.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_lexer.h"

#include <string.h>

#include "models/chat/jinja_text.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/unicode.h"

#define MAX_BRACKETS 256

struct lexer {
    const char *p; /* the source */
    size_t n, i;
    int32_t line;
    size_t line_at;     /* lines are counted up to here */
    bool line_starting; /* what was read last ended in a newline */
    const char *name;
    struct jinja_memory *memory;
    struct jinja_tokens *out;
    struct error *err;
};

static enum status fail(struct lexer *x, const char *what)
{
    return error_at(x->err, STATUS_INVALID, x->name, x->line, 0, "%s", what);
}

/* The line of position i, which never moves back. */
static void count_lines(struct lexer *x, size_t i)
{
    for (; x->line_at < i; x->line_at++)
        x->line += x->p[x->line_at] == '\n';
}

static enum status emit(struct lexer *x, enum jinja_token_kind kind, size_t from, size_t to,
                        struct jinja_value value)
{
    struct jinja_tokens *t = x->out;

    count_lines(x, from);
    if (t->n == t->cap) {
        const size_t cap = t->cap ? t->cap * 2 : 64;
        struct jinja_token *more = jinja_alloc(x->memory, cap * sizeof(*more));

        if (more == NULL)
            return error_at(x->err, STATUS_LIMIT, x->name, x->line, 0, "the template is too large");
        if (t->n)
            memcpy(more, t->token, t->n * sizeof(*more));
        t->token = more;
        t->cap = cap;
    }
    t->token[t->n++] = (struct jinja_token){kind, x->line, {x->p + from, to - from}, value};
    return STATUS_OK;
}

static bool at(const struct lexer *x, size_t i, const char *s)
{
    const size_t n = strlen(s);

    return n <= x->n - i && memcmp(x->p + i, s, n) == 0;
}

static size_t skip_space(const struct lexer *x, size_t i)
{
    return i + jinja_space_prefix((struct jinja_text){x->p + i, x->n - i});
}

/* The next "{{", "{%" or "{#" at or after i, or n. */
static size_t find_tag(const struct lexer *x, size_t i)
{
    for (; i + 1 < x->n; i++)
        if (x->p[i] == '{' && strchr("{%#", x->p[i + 1]) && x->p[i + 1])
            return i;
    return x->n;
}

/* Text before a tag, cut as its sign and lstrip_blocks say. */
static enum status emit_data(struct lexer *x, size_t from, size_t to, char sign, bool is_output)
{
    struct jinja_text t = {x->p + from, to - from};

    if (sign == '-') {
        t.n = jinja_space_suffix_start(t);
    } else if (sign != '+' && !is_output) {
        size_t line = t.n; /* where the tag's line starts within the text */

        while (line > 0 && t.p[line - 1] != '\n')
            line--;
        if ((line > 0 || x->line_starting) &&
            jinja_space_prefix((struct jinja_text){t.p + line, t.n - line}) == t.n - line)
            t.n = line;
    }
    return t.n ? emit(x, TOKEN_DATA, from, from + t.n, JINJA_UNDEFINED) : STATUS_OK;
}

/* After a tag that ends at i (behind its closing bracket): "-" eats all white space, else a block
 * or comment eats one newline. */
static void after_tag(struct lexer *x, size_t i, char sign, bool trims)
{
    size_t end = i;

    if (sign == '-')
        end = skip_space(x, i);
    else if (sign != '+' && trims && i < x->n && x->p[i] == '\n')
        end = i + 1;
    x->line_starting = end > 0 && x->p[end - 1] == '\n';
    x->i = end;
}

static enum status lex_comment(struct lexer *x, size_t from)
{
    for (size_t i = from; i + 1 < x->n; i++)
        if (x->p[i] == '#' && x->p[i + 1] == '}') {
            after_tag(x, i + 2, i > from ? x->p[i - 1] : '\0', true);
            return STATUS_OK;
        }
    return fail(x, "a comment is not closed");
}

/* The keyword of a block at i (behind "{%" and its sign): where its tag ends, or 0. *sign is the
 * character before "%}". */
static size_t keyword_tag(const struct lexer *x, size_t i, const char *word, char *sign)
{
    i = skip_space(x, i);
    if (!at(x, i, word))
        return 0;
    i = skip_space(x, i + strlen(word));
    *sign = 0;
    if (i < x->n && (x->p[i] == '-' || x->p[i] == '+'))
        *sign = x->p[i++];
    return at(x, i, "%}") ? i + 2 : 0;
}

static size_t sign_at(const struct lexer *x, size_t i, char *sign)
{
    *sign = 0;
    if (i < x->n && (x->p[i] == '-' || x->p[i] == '+'))
        *sign = x->p[i++];
    return i;
}

/* The text of a raw block that starts at i. */
static enum status lex_raw(struct lexer *x, size_t i, char begin_sign)
{
    const size_t from = begin_sign == '-' ? skip_space(x, i) : i;

    x->line_starting = from > 0 && x->p[from - 1] == '\n';
    for (size_t k = from; k < x->n; k++) {
        char sign, end_sign;
        size_t end;
        enum status st;

        if (!at(x, k, "{%"))
            continue;
        end = keyword_tag(x, sign_at(x, k + 2, &sign), "endraw", &end_sign);
        if (end == 0)
            continue;
        st = emit_data(x, from, k, sign, false);
        after_tag(x, end, end_sign, true);
        return st;
    }
    return fail(x, "a raw block is not closed");
}

static int hex_digits(const char *p, size_t n, size_t want, uint32_t *out)
{
    *out = 0;
    if (n < want)
        return 0;
    for (size_t i = 0; i < want; i++) {
        const char c = p[i];
        const int d = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
        if (d < 0)
            return 0;
        *out = *out * 16 + (uint32_t)d;
    }
    return 1;
}

/* One escape at p (behind the backslash): appends it and returns the bytes it took. */
static size_t put_escape(struct str *s, const char *p, size_t n)
{
    static const char from[] = "ntrabfv\\'\"", to[] = "\n\t\r\a\b\f\v\\'\"";
    const char *known = p[0] ? strchr(from, p[0]) : NULL;
    const size_t width = p[0] == 'x' ? 2 : p[0] == 'u' ? 4 : p[0] == 'U' ? 8 : 0;
    uint32_t code = 0;
    size_t k = 0;

    if (known) {
        str_putc(s, to[known - from]);
        return 1;
    }
    if (p[0] == '\n')
        return 1;
    if (width && hex_digits(p + 1, n - 1, width, &code)) {
        utf8_put(s, code);
        return 1 + width;
    }
    while (k < 3 && k < n && p[k] >= '0' && p[k] <= '7')
        code = code * 8 + (uint32_t)(p[k++] - '0');
    if (k > 0) {
        utf8_put(s, code);
        return k;
    }
    str_putc(s, '\\'); /* an escape that Python does not know stays */
    str_putc(s, p[0]);
    return 1;
}

static enum status lex_string(struct lexer *x)
{
    const char quote = x->p[x->i];
    const size_t from = x->i;
    size_t i = from + 1;
    struct str s;
    struct jinja_value v;
    enum status st;

    str_init(&s, x->n);
    while (i < x->n && x->p[i] != quote) {
        if (x->p[i] == '\\' && i + 1 < x->n)
            i += 1 + put_escape(&s, x->p + i + 1, x->n - i - 1);
        else
            str_putc(&s, x->p[i++]);
    }
    if (i >= x->n) {
        str_deinit(&s);
        return fail(x, "a string is not closed");
    }
    v = jinja_string_copy(x->memory, str_cstr(&s), s.len);
    st = str_ok(&s) ? emit(x, TOKEN_STRING, from, i + 1, v)
                    : error_at(x->err, STATUS_LIMIT, x->name, x->line, 0, "a string is too long");
    str_deinit(&s);
    x->i = i + 1;
    return st;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static size_t skip_digits(const struct lexer *x, size_t i)
{
    while (i < x->n && is_digit(x->p[i]))
        i++;
    return i;
}

static enum status lex_number(struct lexer *x)
{
    const size_t from = x->i;
    size_t i = skip_digits(x, from), k;
    bool real = false;
    char text[64];
    double d;
    int64_t whole;

    if (i + 1 < x->n && x->p[i] == '.' && is_digit(x->p[i + 1])) {
        i = skip_digits(x, i + 1);
        real = true;
    }
    if (i + 1 < x->n && (x->p[i] == 'e' || x->p[i] == 'E')) {
        k = i + 1 + (x->p[i + 1] == '+' || x->p[i + 1] == '-');
        if (k < x->n && is_digit(x->p[k])) {
            i = skip_digits(x, k);
            real = true;
        }
    }
    if (i - from >= sizeof(text))
        return fail(x, "a number is too long");
    memcpy(text, x->p + from, i - from);
    text[i - from] = '\0';
    x->i = i;
    if (real && text_to_double(text, &d))
        return emit(x, TOKEN_NUMBER, from, i, jinja_float(d));
    if (!real && text_to_i64(text, &whole))
        return emit(x, TOKEN_NUMBER, from, i, jinja_int(whole));
    return fail(x, "a number is out of range");
}

static enum status lex_operator(struct lexer *x, char *open, size_t *n_open)
{
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    const char c = x->p[x->i];
    size_t n = 1;
    enum status st;

    for (size_t k = 0; k < ARRAY_LEN(two); k++)
        if (at(x, x->i, two[k]))
            n = 2;
    if (c == '\0' || strchr("+-/*%~[](){}<>=.:|,;!", c) == NULL || (c == '!' && n == 1))
        return fail(x, "unexpected character");
    if (strchr("([{", c)) {
        if (*n_open == MAX_BRACKETS)
            return error_at(x->err, STATUS_LIMIT, x->name, x->line, 0, "too many open brackets");
        open[(*n_open)++] = c;
    } else if (strchr(")]}", c)) {
        const char want = c == ')' ? '(' : c == ']' ? '[' : '{';

        if (*n_open == 0 || open[*n_open - 1] != want)
            return fail(x, "a closing bracket has no opening bracket");
        (*n_open)--;
    }
    st = emit(x, TOKEN_OPERATOR, x->i, x->i + n, JINJA_UNDEFINED);
    x->i += n;
    return st;
}

static enum status lex_expression_token(struct lexer *x, char *open, size_t *n_open)
{
    const char c = x->p[x->i];
    const size_t from = x->i;

    count_lines(x, from);
    if (c == '"' || c == '\'')
        return lex_string(x);
    if (is_digit(c))
        return lex_number(x);
    if (!is_name(c))
        return lex_operator(x, open, n_open);
    while (x->i < x->n && (is_name(x->p[x->i]) || is_digit(x->p[x->i])))
        x->i++;
    return emit(x, TOKEN_NAME, from, x->i, JINJA_UNDEFINED);
}

/* The tokens between the brackets of a tag; x->i is after the opening one. */
static enum status lex_inside(struct lexer *x, bool is_output)
{
    const char *close = is_output ? "}}" : "%}";
    char open[MAX_BRACKETS];
    size_t n_open = 0;
    enum status st = STATUS_OK;

    while (st == STATUS_OK) {
        x->i = skip_space(x, x->i);
        if (x->i >= x->n)
            return fail(x, is_output ? "{{ is not closed" : "{% is not closed");
        if (n_open == 0) {
            char sign;
            size_t i = sign_at(x, x->i, &sign);

            if (at(x, i, close) && !(is_output && sign == '+')) {
                st = emit(x, is_output ? TOKEN_OUTPUT_END : TOKEN_BLOCK_END, i, i + 2,
                          JINJA_UNDEFINED);
                after_tag(x, i + 2, sign, !is_output);
                return st;
            }
        }
        st = lex_expression_token(x, open, &n_open);
    }
    return st;
}

static enum status lex_tag(struct lexer *x, size_t text_from, size_t tag)
{
    const char kind = x->p[tag + 1];
    char sign, raw_sign;
    const size_t i = sign_at(x, tag + 2, &sign);
    size_t raw;
    enum status st = emit_data(x, text_from, tag, sign, kind == '{');

    if (st)
        return st;
    count_lines(x, tag);
    if (kind == '#')
        return lex_comment(x, i);
    if (kind == '%' && (raw = keyword_tag(x, i, "raw", &raw_sign)) > 0 && raw_sign != '+')
        return lex_raw(x, raw, raw_sign);
    st = emit(x, kind == '{' ? TOKEN_OUTPUT_BEGIN : TOKEN_BLOCK_BEGIN, tag, i, JINJA_UNDEFINED);
    x->i = i;
    return st ? st : lex_inside(x, kind == '{');
}

enum status jinja_lex(struct jinja_text source, const char *name, struct jinja_memory *memory,
                      struct jinja_tokens *out, struct error *err)
{
    struct lexer x = {.p = source.p,
                      .n = source.n,
                      .line = 1,
                      .line_starting = true,
                      .name = name,
                      .memory = memory,
                      .out = out,
                      .err = err};
    enum status st = STATUS_OK;

    if (x.n > 0 && x.p[x.n - 1] == '\n')
        x.n--;
    while (x.i < x.n && st == STATUS_OK) {
        const size_t tag = find_tag(&x, x.i);

        if (tag == x.n) {
            st = emit(&x, TOKEN_DATA, x.i, x.n, JINJA_UNDEFINED);
            x.i = x.n;
        } else {
            st = lex_tag(&x, x.i, tag);
        }
    }
    return st ? st : emit(&x, TOKEN_END, x.n, x.n, JINJA_UNDEFINED);
}
