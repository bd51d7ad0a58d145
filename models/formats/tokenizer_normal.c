/* tokenizer_normal.c - the normalizers, one after the other, over a text between added tokens.
 *
 * Bytes that are not UTF-8 pass through all of them as they are.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_internal.h"
#include "runtime/base/unicode.h"

/* Each part that is UTF-8. */
static enum status compose(const struct encoding *e, bool compat, const char *text, size_t n,
                           struct str *out)
{
    enum status st = STATUS_OK;

    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        st = compat ? utf8_nfkc(text, valid, out, e->err) : utf8_nfc(text, valid, out, e->err);
        if (valid < n)
            str_putc(out, text[valid++]);
        text += valid;
        n -= valid;
    }
    return st;
}

static void replace_text(const struct normal_step *s, const char *text, size_t n, struct str *out)
{
    const size_t n_from = strlen(s->from), n_to = strlen(s->to);
    const char *at = text, *end = text + n;
    const char *hit;

    while ((hit = memmem(at, (size_t)(end - at), s->from, n_from))) {
        str_append(out, at, (size_t)(hit - at));
        str_append(out, s->to, n_to);
        at = hit + n_from;
    }
    str_append(out, at, (size_t)(end - at));
}

/* Of valid UTF-8. */
static enum status replace_matches(const struct encoding *e, const struct normal_step *s,
                                   const char *text, size_t n, struct str *out)
{
    size_t at = 0, from, to;
    bool found = true;
    enum status st = STATUS_OK;

    while (at <= n) {
        st = pattern_find(s->pattern, e->scratch->pattern, text, n, at, &found, &from, &to, e->err);
        if (st || !found)
            break;
        str_append(out, text + at, from - at);
        str_puts(out, s->to);
        at = to;
        if (from == to) { /* an empty match still moves on */
            if (at < n)
                utf8_next(text, n, &at);
            else
                at++;
            str_append(out, text + to, (at < n ? at : n) - to);
        }
    }
    if (at < n && st == STATUS_OK)
        str_append(out, text + at, n - at);
    return st;
}

static enum status replace(const struct encoding *e, const struct normal_step *s, const char *text,
                           size_t n, struct str *out)
{
    enum status st = STATUS_OK;

    if (!s->pattern) {
        replace_text(s, text, n, out);
        return STATUS_OK;
    }
    if (!e->scratch->pattern)
        st = pattern_scratch_new(&e->scratch->pattern, e->err);
    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        if (valid > 0)
            st = replace_matches(e, s, text, valid, out);
        if (valid < n)
            str_putc(out, text[valid++]);
        text += valid;
        n -= valid;
    }
    return st;
}

static void strip(const struct normal_step *s, const char *text, size_t n, struct str *out,
                  bool *cut)
{
    const size_t from = s->left ? utf8_space_after(text, n, 0) : 0;
    const size_t to = s->right ? utf8_space_before(text, from, n) : n;

    *cut = *cut || from > 0;
    str_append(out, text + from, to - from);
}

static enum status apply(const struct encoding *e, const struct normal_step *s, const char *text,
                         size_t n, struct str *out, bool *cut)
{
    switch (s->kind) {
    case NORMAL_NFC:
    case NORMAL_NFKC:
        return compose(e, s->kind == NORMAL_NFKC, text, n, out);
    case NORMAL_REPLACE:
        return replace(e, s, text, n, out);
    case NORMAL_PREPEND:
        if (n > 0)
            str_puts(out, s->to);
        str_append(out, text, n);
        return STATUS_OK;
    case NORMAL_STRIP:
        strip(s, text, n, out, cut);
        return STATUS_OK;
    }
    return STATUS_OK;
}

enum status tokenizer_normalise(const struct encoding *e, const char *text, size_t n,
                                const char **out, size_t *n_out, bool *cut)
{
    const struct tokenizer *t = e->t;
    enum status st = STATUS_OK;

    *cut = false;
    for (int i = 0; i < t->n_normal && st == STATUS_OK; i++) {
        struct str *to = &e->scratch->normal[i % 2];

        str_clear(to);
        st = apply(e, &t->normal[i], text, n, to, cut);
        if (st == STATUS_OK && !str_ok(to))
            st = error_set(e->err, STATUS_LIMIT, "the text is too long to be normalised");
        text = str_cstr(to);
        n = to->len;
    }
    *out = text;
    *n_out = n;
    return st;
}
