/* tokenizer_parts.c - normalizer, pre_tokenizer and decoder of tokenizer.json.
 *
 * Supports the parts that byte-level models use. Other parts are errors that name the part: if they
 * were ignored, the ids would differ from those in training.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_internal.h"

/* The pattern of GPT-2, which ByteLevel applies when use_regex is true. */
#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

struct parts {
    struct tokenizer *t;
    const char *name;
    struct error *err;
};

static const char *type_of(const struct json *part)
{
    return jv_get_string(jv_get(part, "type"), "?");
}

static enum status refuse(const struct parts *p, const char *where, const char *what)
{
    return error_set(p->err, STATUS_UNSUPPORTED, "%s: %s: \"%.100s\" is not supported", p->name,
                     where, what);
}

static enum status read_normalizer(const struct parts *p, const struct json *part)
{
    enum status st = STATUS_OK;

    if (jv_kind(part) == JV_NULL)
        return STATUS_OK;
    if (strcmp(type_of(part), "NFC") == 0) {
        p->t->nfc = true;
        return STATUS_OK;
    }
    if (strcmp(type_of(part), "Sequence") == 0) {
        const struct json *list = jv_get(part, "normalizers");

        for (size_t i = 0; i < jv_size(list) && st == STATUS_OK; i++) {
            if (strcmp(type_of(jv_at(list, i)), "NFC") != 0)
                return refuse(p, "normalizer", type_of(jv_at(list, i)));
            p->t->nfc = true;
        }
        return st;
    }
    return refuse(p, "normalizer", type_of(part));
}

/* PCRE2 and Oniguruma disagree about what \s is (U+180E); the property is the same in both. */
static void rewrite_spaces(const char *regex, struct str *out)
{
    for (const char *c = regex; *c; c++) {
        if (c[0] == '\\' && (c[1] == 's' || c[1] == 'S')) {
            str_puts(out, c[1] == 's' ? "\\p{wspace}" : "\\P{wspace}");
            c++;
        } else if (c[0] == '\\' && c[1]) {
            str_append(out, c, 2);
            c++;
        } else {
            str_putc(out, *c);
        }
    }
}

static enum status add_split(const struct parts *p, const char *regex, bool only_matches)
{
    struct str text = STR_INIT;
    enum status st;

    if (p->t->n_splits == TOKENIZER_MAX_SPLITS)
        return error_set(p->err, STATUS_LIMIT, "%s: pre_tokenizer: more than %d patterns", p->name,
                         TOKENIZER_MAX_SPLITS);
    rewrite_spaces(regex, &text);
    if (!str_ok(&text))
        st = error_set(p->err, STATUS_NO_MEMORY, "no memory for a pattern");
    else
        st = pattern_compile(str_cstr(&text), text.len, &p->t->split[p->t->n_splits], p->err);
    if (st == STATUS_OK)
        p->t->only_matches[p->t->n_splits++] = only_matches;
    else
        error_note(p->err, "%s: pre_tokenizer", p->name);
    str_deinit(&text);
    return st;
}

static enum status read_split(const struct parts *p, const struct json *part)
{
    const char *regex = jv_get_string(jv_get(jv_get(part, "pattern"), "Regex"), NULL);
    const char *behavior = jv_get_string(jv_get(part, "behavior"), "?");
    const bool invert = jv_get_bool(jv_get(part, "invert"), false);

    if (regex == NULL)
        return refuse(p, "pre_tokenizer: Split", "a pattern other than Regex");
    if (strcmp(behavior, "Isolated") == 0) /* the same pieces, whichever of them are delimiters */
        return add_split(p, regex, false);
    if (strcmp(behavior, "Removed") != 0)
        return refuse(p, "pre_tokenizer: Split: behavior", behavior);
    if (!invert)
        return refuse(p, "pre_tokenizer: Split: behavior", "Removed without invert");
    return add_split(p, regex, true);
}

static enum status read_byte_level(const struct parts *p, const struct json *part, bool alone)
{
    p->t->add_prefix_space = jv_get_bool(jv_get(part, "add_prefix_space"), true);
    if (p->t->add_prefix_space && !alone)
        return refuse(p, "pre_tokenizer: ByteLevel in a Sequence", "add_prefix_space");
    if (jv_get_bool(jv_get(part, "use_regex"), true))
        return add_split(p, GPT2_PATTERN, false);
    return STATUS_OK;
}

static enum status read_digits(const struct parts *p, const struct json *part)
{
    const bool each = jv_get_bool(jv_get(part, "individual_digits"), false);

    return add_split(p, each ? "\\p{N}" : "\\p{N}+", false);
}

static enum status read_pre_tokenizer(const struct parts *p, const struct json *part)
{
    const struct json *list = jv_get(part, "pretokenizers");
    const size_t n = jv_size(list);
    enum status st = STATUS_OK;

    if (strcmp(type_of(part), "ByteLevel") == 0)
        return read_byte_level(p, part, true);
    if (strcmp(type_of(part), "Sequence") != 0 || jv_kind(list) != JV_ARRAY)
        return refuse(p, "pre_tokenizer", jv_kind(part) == JV_NULL ? "null" : type_of(part));
    for (size_t i = 0; i + 1 < n && st == STATUS_OK; i++) {
        const struct json *one = jv_at(list, i);

        if (strcmp(type_of(one), "Split") == 0)
            st = read_split(p, one);
        else if (strcmp(type_of(one), "Digits") == 0)
            st = read_digits(p, one);
        else
            st = refuse(p, "pre_tokenizer", type_of(one));
    }
    if (st)
        return st;
    if (n == 0 || strcmp(type_of(jv_at(list, n - 1)), "ByteLevel") != 0)
        return refuse(p, "pre_tokenizer", "a Sequence that does not end in ByteLevel");
    return read_byte_level(p, jv_at(list, n - 1), false);
}

enum status tokenizer_read_parts(struct tokenizer *t, const struct json *root, const char *name,
                                 struct error *err)
{
    const struct parts p = {t, name, err};
    const struct json *decoder = jv_get(root, "decoder");
    enum status st = read_normalizer(&p, jv_get(root, "normalizer"));

    if (st == STATUS_OK)
        st = read_pre_tokenizer(&p, jv_get(root, "pre_tokenizer"));
    if (st == STATUS_OK && strcmp(type_of(decoder), "ByteLevel") != 0)
        st = refuse(&p, "decoder", jv_kind(decoder) == JV_NULL ? "null" : type_of(decoder));
    return st;
}
