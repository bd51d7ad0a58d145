/* expr_template.c - text with ${...}: one expression keeps its type, all else becomes text.
 *
 * `$${` writes a literal `${`. A lone `$` is a dollar.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/utf8.h"

#define TEMPLATE_MAX_PIECES 1024

/* Text, then maybe a value. */
struct piece {
    char *text; /* NULL: none */
    size_t text_bytes;
    struct expr *value; /* NULL: only after the last text */
};
struct expr_template {
    struct piece *piece;
    size_t n, cap;
    struct expr_reference *reference; /* (n_references) */
    size_t n_references;
};

static struct piece *piece_add(struct expr_template *t)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 4;
        t->piece = xrealloc(t->piece, t->cap * sizeof(*t->piece));
    }
    t->piece[t->n] = (struct piece){0};
    return &t->piece[t->n++];
}

/* Literal text up to the next `${` at or after *at. */
static void take_text(const char *text, size_t n, size_t *at, struct piece *p)
{
    struct str s = STR_INIT;
    size_t i = *at;

    while (i < n) {
        size_t left = n - i;

        if (left >= 3 && memcmp(text + i, "$${", 3) == 0) {
            str_puts(&s, "${");
            i += 3;
        } else if (left >= 2 && memcmp(text + i, "${", 2) == 0) {
            break;
        } else {
            str_putc(&s, text[i++]);
        }
    }
    *at = i;
    p->text_bytes = s.len;
    p->text = s.len ? str_take(&s) : NULL;
    str_deinit(&s);
}

static void collect_references(struct expr_template *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct expr *e = t->piece[i].value;

        for (size_t k = 0; e && k < expr_n_references(e); k++) {
            t->reference = xrealloc(t->reference, (t->n_references + 1) * sizeof(*t->reference));
            t->reference[t->n_references++] = expr_reference(e, k);
        }
    }
}

enum status expr_template_parse(const char *text, size_t n, struct expr_template **out,
                                struct error *err)
{
    struct expr_template *t;
    enum status st = STATUS_OK;
    size_t at = 0;

    if (n && (memchr(text, '\0', n) || utf8_valid_prefix(text, n) != n))
        return expr_fault(err, "", 0, 0, STATUS_INVALID, "text must be valid UTF-8 without NUL");
    t = xcalloc(1, sizeof(*t));
    while (!st && (at < n || t->n == 0)) {
        struct piece *p = piece_add(t);

        take_text(text, n, &at, p);
        if (at >= n)
            break;
        if (t->n > TEMPLATE_MAX_PIECES)
            st = expr_fault(err, text, n, at, STATUS_LIMIT, "more than %d ${...} in one text",
                            TEMPLATE_MAX_PIECES);
        else
            st = expr_parse_within(text, n, at + 2, true, &at, &p->value, err);
    }
    if (st) {
        expr_template_free(t);
        return st;
    }
    collect_references(t);
    *out = t;
    return STATUS_OK;
}

void expr_template_free(struct expr_template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free(t->piece[i].text);
        expr_free(t->piece[i].value);
    }
    free(t->reference);
    free(t->piece);
    free(t);
}

static enum status put_piece(const struct piece *p, const struct json *vars, struct str *out,
                             struct error *err)
{
    struct json *v = NULL;
    enum status st;

    if (p->text)
        str_append(out, p->text, p->text_bytes);
    if (!p->value)
        return STATUS_OK;
    st = expr_eval(p->value, vars, &v, err);
    if (!st)
        expr_put_text(out, v);
    jv_unref(v);
    return st;
}

static bool is_one_expression(const struct expr_template *t)
{
    return t->n == 1 && !t->piece[0].text && t->piece[0].value;
}

int expr_template_type(const struct expr_template *t, expr_type_fn of, void *ctx)
{
    return is_one_expression(t) ? expr_type(t->piece[0].value, of, ctx) : (int)JV_STRING;
}

enum status expr_template_eval(const struct expr_template *t, const struct json *vars,
                               struct json **out, struct error *err)
{
    struct str text;
    enum status st = STATUS_OK;

    if (is_one_expression(t))
        return expr_eval(t->piece[0].value, vars, out, err);
    str_init(&text, EXPR_MAX_TEXT);
    for (size_t i = 0; !st && i < t->n; i++)
        st = put_piece(&t->piece[i], vars, &text, err);
    if (!st && !str_ok(&text))
        st = expr_fault(err, "", 0, 0, STATUS_LIMIT, "the text is longer than %zu bytes",
                        EXPR_MAX_TEXT);
    if (!st)
        *out = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}

size_t expr_template_n_references(const struct expr_template *t)
{
    return t->n_references;
}

struct expr_reference expr_template_reference(const struct expr_template *t, size_t i)
{
    return t->reference[i];
}
