/* tokenizer_json.c - finds the two tables and reads them, leaves the rest to json.h.
 *
 * The finder goes through the members of the file and of "model" without checking them: what it
 * skips is in the text that json.h checks. What it cannot follow is not cut out, so that json.h
 * reports it. Both tables are checked here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/json_lex.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

struct cursor {
    struct tokenizer_json *file;
    const char *at, *end;
    const char *name;
    struct error *err;
};

size_t raw_text_copy(const char *text, struct raw_text raw, char *out)
{
    const char *at = text + raw.at, *end = at + raw.n;
    char *to = out;

    while (at < end) {
        const char *next = raw.escaped ? memchr(at, '\\', (size_t)(end - at)) : NULL;
        const size_t n = (size_t)((next ? next : end) - at);
        uint32_t code;

        memcpy(to, at, n);
        to += n;
        at += n;
        if (!next)
            break;
        at++;
        if (json_lex_escape(&at, end, &code)) /* checked when it was read */
            to += utf8_encode(code, to);
    }
    return (size_t)(to - out);
}

/* ---- parts of JSON */

static void blanks(struct cursor *c)
{
    c->at = json_lex_blanks(c->at, c->end);
}

static bool take(struct cursor *c, char what)
{
    blanks(c);
    if (c->at == c->end || *c->at != what)
        return false;
    c->at++;
    return true;
}

static bool read_string(struct cursor *c, struct raw_text *out)
{
    const char *from;
    bool escaped = false;
    uint32_t code;

    if (!take(c, '"'))
        return false;
    from = c->at;
    for (;;) {
        c->at = json_lex_run(c->at, c->end);
        if (c->at == c->end || (*c->at != '"' && *c->at != '\\'))
            return false;
        if (*c->at == '"')
            break;
        escaped = true;
        c->at++;
        if (!json_lex_escape(&c->at, c->end, &code))
            return false;
    }
    *out = (struct raw_text){(uint32_t)(from - c->file->text), (uint32_t)(c->at - from), escaped};
    c->at++;
    return true;
}

/* Ids are written plainly; -1 for what is another number. */
static bool read_id(struct cursor *c, int64_t *out)
{
    bool is_real;
    const char *end;
    int64_t id = 0;

    blanks(c);
    end = json_lex_number(c->at, c->end, &is_real);
    if (!end)
        return false;
    for (const char *digit = c->at; digit < end && id >= 0; digit++)
        id =
            *digit >= '0' && *digit <= '9' && id <= TOKENIZER_MAX_IDS ? 10 * id + *digit - '0' : -1;
    *out = is_real ? -1 : id;
    c->at = end;
    return true;
}

static bool is(const struct cursor *c, struct raw_text key, const char *word)
{
    return key.n == strlen(word) && memcmp(c->file->text + key.at, word, key.n) == 0;
}

/* Behind a value, by its brackets and quotes. */
static bool skip_value(struct cursor *c)
{
    struct raw_text text;
    int64_t depth = 0;

    do {
        blanks(c);
        if (c->at == c->end)
            return false;
        if (*c->at == '"') {
            if (!read_string(c, &text))
                return false;
            continue;
        }
        if (*c->at == '{' || *c->at == '[')
            depth++;
        else if (*c->at == '}' || *c->at == ']')
            depth--;
        else if (depth == 0) { /* a word or a number */
            while (c->at < c->end && !strchr(",}] \t\r\n", *c->at))
                c->at++;
            return true;
        }
        c->at++;
    } while (depth > 0);
    return depth == 0;
}

/* ---- the tables */

static enum status fault(const struct cursor *c, const char *table, size_t i, const char *what)
{
    long line = 1, column = 1;

    if (utf8_text_prefix(c->file->text, (size_t)(c->at - c->file->text)) ==
        (size_t)(c->at - c->file->text))
        utf8_place(c->file->text, (size_t)(c->at - c->file->text), &line, &column);
    return error_set(c->err, STATUS_INVALID, "%s:%ld:%ld: model.%s[%zu]: %s", c->name, line, column,
                     table, i, what);
}

static bool grow(void **list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    *cap = *cap ? 2 * *cap : 4096;
    return mem_grow(list, *cap, size);
}

static enum status no_memory(const struct cursor *c)
{
    return error_set(c->err, STATUS_NO_MEMORY, "%s: no memory for its tables", c->name);
}

static enum status read_vocab(struct cursor *c)
{
    struct tokenizer_json *f = c->file;
    size_t cap = 0;

    c->at++;
    f->has_vocab = true;
    if (take(c, '}'))
        return STATUS_OK;
    do {
        struct raw_token *t;

        if (!grow((void **)&f->token, f->n_tokens, &cap, sizeof(*f->token)))
            return no_memory(c);
        t = &f->token[f->n_tokens];
        if (!read_string(c, &t->text) || !take(c, ':'))
            return fault(c, "vocab", f->n_tokens, "is not a token and its id");
        t->id = -1;
        if (!read_id(c, &t->id) && !skip_value(c))
            return fault(c, "vocab", f->n_tokens, "the id is not valid JSON");
        f->n_tokens++;
    } while (take(c, ','));
    return take(c, '}') ? STATUS_OK : fault(c, "vocab", f->n_tokens, "\",\" or \"}\" is missing");
}

/* "LEFT RIGHT" or ["LEFT", "RIGHT"]. */
static bool read_merge(struct cursor *c, struct raw_merge *m)
{
    *m = (struct raw_merge){.right = {0}};
    if (!take(c, '['))
        return read_string(c, &m->left);
    return read_string(c, &m->left) && take(c, ',') && read_string(c, &m->right) && take(c, ']');
}

static enum status read_merges(struct cursor *c)
{
    struct tokenizer_json *f = c->file;
    size_t cap = 0;

    c->at++;
    f->has_merges = true;
    if (take(c, ']'))
        return STATUS_OK;
    do {
        if (!grow((void **)&f->merge, f->n_merges, &cap, sizeof(*f->merge)))
            return no_memory(c);
        if (!read_merge(c, &f->merge[f->n_merges]))
            return fault(c, "merges", f->n_merges, "is not a pair of tokens");
        f->n_merges++;
    } while (take(c, ','));
    return take(c, ']') ? STATUS_OK : fault(c, "merges", f->n_merges, "\",\" or \"]\" is missing");
}

/* ---- the file */

/* What is not cut out. */
struct rest {
    struct str text;
    const char *from; /* not copied yet */
};

static enum status read_table(struct cursor *c, struct rest *r, bool vocab)
{
    enum status st;

    str_append(&r->text, r->from, (size_t)(c->at - r->from));
    str_puts(&r->text, "null");
    st = vocab ? read_vocab(c) : read_merges(c);
    r->from = c->at;
    return st;
}

/* Stops where the text is not as expected. */
static enum status find_tables(struct cursor *c, struct rest *r, int depth, bool *done)
{
    const struct tokenizer_json *f = c->file;
    struct raw_text key;
    enum status st = STATUS_OK;

    if (!take(c, '{'))
        return STATUS_OK;
    do {
        bool went_on = true;

        if (!read_string(c, &key) || !take(c, ':'))
            return STATUS_OK;
        blanks(c);
        if (c->at == c->end)
            return STATUS_OK;
        if (depth == 0 && *c->at == '{' && is(c, key, "model"))
            st = find_tables(c, r, 1, &went_on);
        else if (depth == 1 && *c->at == '{' && is(c, key, "vocab") && !f->has_vocab)
            st = read_table(c, r, true);
        else if (depth == 1 && *c->at == '[' && is(c, key, "merges") && !f->has_merges)
            st = read_table(c, r, false);
        else
            went_on = skip_value(c);
        if (st || !went_on)
            return st;
    } while (take(c, ','));
    *done = take(c, '}');
    return STATUS_OK;
}

/* A fault is reported at its place in the whole text. */
static enum status parse_rest(struct tokenizer_json *f, const struct str *rest, const char *name,
                              struct error *err)
{
    struct json *whole = NULL;
    enum status st =
        jv_parse_max(rest->data, rest->len, TOKENIZER_MAX_FILE + 16, name, &f->root, err);

    if (st == STATUS_OK || st == STATUS_NO_MEMORY)
        return st;
    if (jv_parse_max(f->text, f->n, TOKENIZER_MAX_FILE, name, &whole, err) != STATUS_OK)
        return err ? err->status : st;
    jv_unref(whole);
    return error_set(err, STATUS_INVALID, "%s: \"model\" is not as expected", name);
}

enum status tokenizer_json_open(const char *text, size_t n, const char *name,
                                struct tokenizer_json *out, struct error *err)
{
    struct cursor c = {.file = out, .at = text, .end = text + n, .name = name, .err = err};
    struct rest rest = {.text = STR_INIT, .from = text};
    bool done = false;
    enum status st;

    *out = (struct tokenizer_json){.text = text, .n = n};
    if (n > TOKENIZER_MAX_FILE)
        return error_set(err, STATUS_LIMIT, "%s: is larger than %zu MiB", name,
                         TOKENIZER_MAX_FILE >> 20);
    st = find_tables(&c, &rest, 0, &done);
    str_append(&rest.text, rest.from, (size_t)(text + n - rest.from));
    if (st == STATUS_OK)
        st = str_ok(&rest.text) ? parse_rest(out, &rest.text, name, err) : no_memory(&c);
    str_deinit(&rest.text);
    return st;
}

void tokenizer_json_close(struct tokenizer_json *f)
{
    free(f->token);
    free(f->merge);
    jv_unref(f->root);
    *f = (struct tokenizer_json){.text = NULL};
}
