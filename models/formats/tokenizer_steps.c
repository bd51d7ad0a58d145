/* tokenizer_steps.c - pre_tokenizer of tokenizer.json to steps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_parts.h"
#include "models/formats/tokenizer_pre.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

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

enum status tokenizer_compile(const struct tokenizer_build *b, const char *regex, const char *place,
                              struct pattern **out)
{
    struct str text = STR_INIT;
    enum status st;

    rewrite_spaces(regex, &text);
    if (!str_ok(&text))
        st = error_set(b->err, STATUS_NO_MEMORY, "no memory for a pattern");
    else
        st = pattern_compile(str_cstr(&text), text.len, out, b->err);
    if (st)
        error_note(b->err, "%s: %s", b->name, place);
    str_deinit(&text);
    return st;
}

/* NULL: there are too many. */
static struct split_step *add_step(struct tokenizer_build *b, const char *place)
{
    struct split_step *step = &b->t->split[b->t->n_splits];

    if (b->t->n_splits == TOKENIZER_MAX_STEPS) {
        (void)error_set(b->err, STATUS_LIMIT, "%s: %s: more than %d steps", b->name, place,
                        TOKENIZER_MAX_STEPS);
        return NULL;
    }
    *step = (struct split_step){.text = NULL};
    b->t->n_splits++;
    return step;
}

enum status tokenizer_add_split(struct tokenizer_build *b, const char *regex,
                                enum split_behavior behavior, bool invert, const char *place)
{
    struct split_step *step = add_step(b, place);

    if (!step)
        return STATUS_LIMIT;
    step->behavior = behavior;
    step->invert = invert;
    return tokenizer_compile(b, regex, place, &step->pattern);
}

static enum status add_literal(struct tokenizer_build *b, const char *text,
                               enum split_behavior behavior, bool invert, const char *place)
{
    struct split_step *step = add_step(b, place);

    if (!step)
        return STATUS_LIMIT;
    step->behavior = behavior;
    step->invert = invert;
    step->text = xstrdup(text);
    return STATUS_OK;
}

static enum status read_behavior(struct tokenizer_build *b, const struct json *part,
                                 const char *place, enum split_behavior *out)
{
    static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious",
                                        "MergedWithNext"}; /* as the enum */
    const char *name = jv_get_string(jv_get(part, "behavior"), "Isolated");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum split_behavior)i;
            return STATUS_OK;
        }
    error_note(b->err, "behavior");
    return part_refused(b, place, name);
}

static enum status read_split(struct tokenizer_build *b, const struct json *part, const char *place)
{
    const struct json *pattern = jv_get(part, "pattern");
    const char *regex = jv_get_string(jv_get(pattern, "Regex"), NULL);
    const char *text = jv_get_string(jv_get(pattern, "String"), NULL);
    const bool invert = jv_get_bool(jv_get(part, "invert"), false);
    enum split_behavior behavior = SPLIT_ISOLATED;
    enum status st;

    if (regex == NULL && (text == NULL || text[0] == '\0'))
        return part_refused(b, place, "a pattern that is neither Regex nor String");
    st = read_behavior(b, part, place, &behavior);
    if (st)
        return st;
    return regex ? tokenizer_add_split(b, regex, behavior, invert, place)
                 : add_literal(b, text, behavior, invert, place);
}

static enum status read_byte_level(struct tokenizer_build *b, const struct json *part,
                                   const char *place)
{
    struct split_step *step;

    b->t->byte_level = true;
    if (jv_get_bool(jv_get(part, "add_prefix_space"), true)) {
        step = add_step(b, place);
        if (!step)
            return STATUS_LIMIT;
        *step =
            (struct split_step){.rewrites = true, .prefix = PREFIX_ALWAYS, .text = xstrdup(" ")};
    }
    if (!jv_get_bool(jv_get(part, "use_regex"), true))
        return STATUS_OK;
    return tokenizer_add_split(b, tokenizer_pre_find("gpt-2")->pattern[0], SPLIT_ISOLATED, false,
                               place);
}

static enum status read_metaspace(struct tokenizer_build *b, const struct json *part,
                                  const char *place)
{
    const char *blank = jv_get_string(jv_get(part, "replacement"), META_BLANK);
    const char *when = jv_get_string(jv_get(part, "prepend_scheme"), "always");
    struct split_step *step;

    if (!jv_get_bool(jv_get(part, "add_prefix_space"), true))
        when = "never"; /* files from before prepend_scheme */
    if (strcmp(when, "always") != 0 && strcmp(when, "first") != 0 && strcmp(when, "never") != 0)
        return part_refused(b, place, when);
    if (blank[0] == '\0')
        return part_refused(b, place, "an empty replacement");
    step = add_step(b, place);
    if (!step)
        return STATUS_LIMIT;
    *step = (struct split_step){.rewrites = true,
                                .replaces_blanks = true,
                                .prefix = when[0] == 'a'   ? PREFIX_ALWAYS
                                          : when[0] == 'f' ? PREFIX_FIRST
                                                           : PREFIX_NEVER,
                                .text = xstrdup(blank)};
    if (!jv_get_bool(jv_get(part, "split"), true))
        return STATUS_OK;
    return add_literal(b, blank, SPLIT_WITH_NEXT, false, place);
}

static enum status read_step(struct tokenizer_build *b, const struct json *part, const char *place,
                             bool last)
{
    const char *type = part_type(part);
    enum split_behavior behavior = SPLIT_ISOLATED;

    if (b->t->byte_level) /* its pieces are bytes: nothing can be looked for in them */
        return part_refused(b, place, "a step behind ByteLevel");
    if (strcmp(type, "Split") == 0)
        return read_split(b, part, place);
    if (strcmp(type, "ByteLevel") == 0)
        return last ? read_byte_level(b, part, place)
                    : part_refused(b, place, "ByteLevel not at the end");
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(b, part, place);
    if (strcmp(type, "Digits") == 0)
        return tokenizer_add_split(
            b, jv_get_bool(jv_get(part, "individual_digits"), false) ? "\\p{N}" : "\\p{N}+",
            SPLIT_ISOLATED, false, place);
    if (strcmp(type, "Punctuation") == 0) {
        const enum status st = read_behavior(b, part, place, &behavior);

        return st ? st : tokenizer_add_split(b, "[\\p{P}!-/:-@\\[-`{-~]", behavior, false, place);
    }
    return part_refused(b, place, type);
}

enum status tokenizer_read_pre_tokenizer(struct tokenizer_build *b, const struct json *part)
{
    return parts_each(b, part, "pre_tokenizer", "pretokenizers", read_step);
}
