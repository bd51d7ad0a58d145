/* tokenizer_parts.c - normalizer, decoder and post_processor of tokenizer.json.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_parts.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

const char *part_type(const struct json *part)
{
    return jv_get_string(jv_get(part, "type"), jv_kind(part) == JV_NULL ? "null" : "?");
}

enum status part_refused(const struct tokenizer_build *b, const char *place, const char *what)
{
    return error_set(b->err, STATUS_UNSUPPORTED, "%s: %s: \"%.100s\" is not supported", b->name,
                     place, what);
}

enum status parts_each(struct tokenizer_build *b, const struct json *part, const char *place,
                       const char *list, read_part read)
{
    const struct json *all = jv_get(part, list);
    const size_t n = jv_size(all);
    enum status st = STATUS_OK;

    if (jv_kind(part) == JV_NULL)
        return STATUS_OK;
    if (strcmp(part_type(part), "Sequence") != 0)
        return read(b, part, place, true);
    if (jv_kind(all) != JV_ARRAY)
        return part_refused(b, place, "a Sequence without parts");
    for (size_t i = 0; i < n && st == STATUS_OK; i++) {
        char inner[96];

        (void)snprintf(inner, sizeof(inner), "%s.%s[%zu]", place, list, i);
        st = read(b, jv_at(all, i), inner, i + 1 == n);
    }
    return st;
}

/* ---- normalizer */

static enum status read_replace(struct tokenizer_build *b, const struct json *part,
                                const char *place, struct normal_step *step)
{
    const struct json *pattern = jv_get(part, "pattern");
    const char *regex = jv_get_string(jv_get(pattern, "Regex"), NULL);
    const char *text = jv_get_string(jv_get(pattern, "String"), NULL);
    const char *content = jv_get_string(jv_get(part, "content"), NULL);

    if (content == NULL || (regex == NULL && (text == NULL || text[0] == '\0')))
        return part_refused(b, place, "Replace without a pattern and a content");
    step->to = xstrdup(content);
    if (regex == NULL) {
        step->from = xstrdup(text);
        return STATUS_OK;
    }
    return tokenizer_compile(b, regex, place, &step->pattern);
}

static enum status read_normal(struct tokenizer_build *b, const struct json *part,
                               const char *place, bool last)
{
    const char *type = part_type(part);
    struct normal_step *step = &b->t->normal[b->t->n_normal];

    (void)last;
    if (b->t->n_normal == TOKENIZER_MAX_STEPS)
        return error_set(b->err, STATUS_LIMIT, "%s: %s: more than %d normalizers", b->name, place,
                         TOKENIZER_MAX_STEPS);
    *step = (struct normal_step){.kind = NORMAL_NFC};
    b->t->n_normal++;
    if (strcmp(type, "NFC") == 0)
        return STATUS_OK;
    if (strcmp(type, "NFKC") == 0) {
        step->kind = NORMAL_NFKC;
    } else if (strcmp(type, "Prepend") == 0) {
        step->kind = NORMAL_PREPEND;
        step->to = xstrdup(jv_get_string(jv_get(part, "prepend"), ""));
    } else if (strcmp(type, "Strip") == 0) {
        step->kind = NORMAL_STRIP;
        step->left = jv_get_bool(jv_get(part, "strip_left"), true);
        step->right = jv_get_bool(jv_get(part, "strip_right"), true);
    } else if (strcmp(type, "Replace") == 0) {
        step->kind = NORMAL_REPLACE;
        return read_replace(b, part, place, step);
    } else {
        return part_refused(b, place, type);
    }
    return STATUS_OK;
}

enum status tokenizer_read_normalizer(struct tokenizer_build *b, const struct json *part)
{
    return parts_each(b, part, "normalizer", "normalizers", read_normal);
}

/* ---- decoder: what it does to each token, then what it takes from the beginning */

static enum status decode_replace(struct tokenizer_build *b, const char *place, const char *from,
                                  const char *to)
{
    if (b->n_replace == BUILD_MAX_DECODER)
        return error_set(b->err, STATUS_LIMIT, "%s: %s: more than %d replacements", b->name, place,
                         BUILD_MAX_DECODER);
    b->replace[b->n_replace].from = xstrdup(from);
    b->replace[b->n_replace++].to = xstrdup(to);
    return STATUS_OK;
}

static enum status decode_strip(struct tokenizer_build *b, const struct json *part,
                                const char *place)
{
    const char *content = jv_get_string(jv_get(part, "content"), "");
    const int64_t start = jv_get_int(jv_get(part, "start"), 0);

    if (jv_get_int(jv_get(part, "stop"), 0) != 0 || strlen(content) != 1 || start < 0 ||
        start > 1 << 20)
        return part_refused(b, place, "Strip other than of one character at the beginning");
    b->t->strip = (struct text_strip){.byte = content[0], .most = (int32_t)start};
    return STATUS_OK;
}

static enum status decode_metaspace(struct tokenizer_build *b, const struct json *part,
                                    const char *place)
{
    const char *blank = jv_get_string(jv_get(part, "replacement"), META_BLANK);
    const char *when = jv_get_string(jv_get(part, "prepend_scheme"), "always");

    if (blank[0] == '\0')
        return part_refused(b, place, "an empty replacement");
    if (strcmp(when, "never") != 0 && jv_get_bool(jv_get(part, "add_prefix_space"), true))
        b->t->strip = (struct text_strip){.byte = ' ', .most = INT32_MAX, .first_token = true};
    return decode_replace(b, place, blank, " ");
}

static enum status read_decoder(struct tokenizer_build *b, const struct json *part,
                                const char *place, bool last)
{
    const char *type = part_type(part);
    const struct json *pattern = jv_get(part, "pattern");
    const char *from = jv_get_string(jv_get(pattern, "String"), NULL);
    const char *to = jv_get_string(jv_get(part, "content"), NULL);

    if (b->t->strip.byte)
        return part_refused(b, place, "a part behind Strip or Metaspace");
    if (b->t->byte_level)
        return strcmp(type, "ByteLevel") == 0 ? STATUS_OK : part_refused(b, place, type);
    if (strcmp(type, "Fuse") == 0)
        return STATUS_OK;
    if (strcmp(type, "ByteFallback") == 0) {
        b->decodes_bytes = true;
        return STATUS_OK;
    }
    if (strcmp(type, "Metaspace") == 0)
        return decode_metaspace(b, part, place);
    if (strcmp(type, "Strip") == 0)
        return last ? decode_strip(b, part, place) : part_refused(b, place, "Strip not at the end");
    if (strcmp(type, "Replace") != 0)
        return part_refused(b, place, type);
    if (from == NULL || from[0] == '\0' || to == NULL || b->decodes_bytes)
        return part_refused(b, place, "Replace of anything but a String before ByteFallback");
    return decode_replace(b, place, from, to);
}

enum status tokenizer_read_decoder(struct tokenizer_build *b, const struct json *part)
{
    if (jv_kind(part) == JV_NULL)
        return part_refused(b, "decoder", "null");
    return parts_each(b, part, "decoder", "decoders", read_decoder);
}

/* ---- post_processor: the ids around one text */

static enum status add_ends(struct tokenizer_build *b, const struct json *ids, const char *place,
                            bool is_after)
{
    int32_t *list = is_after ? b->t->after : b->t->before;
    int *n = is_after ? &b->t->n_after : &b->t->n_before;

    for (size_t i = 0; i < jv_size(ids); i++) {
        const int64_t id = jv_get_int(jv_at(ids, i), -1);

        if (id < 0 || id >= TOKENIZER_MAX_IDS)
            return error_set(b->err, STATUS_INVALID, "%s: %s: an id is out of range", b->name,
                             place);
        if (*n == TOKENIZER_MAX_ENDS)
            return error_set(b->err, STATUS_LIMIT, "%s: %s: more than %d tokens around a text",
                             b->name, place, TOKENIZER_MAX_ENDS);
        list[(*n)++] = (int32_t)id;
    }
    return STATUS_OK;
}

static enum status read_template(struct tokenizer_build *b, const struct json *part,
                                 const char *place)
{
    const struct json *single = jv_get(part, "single"), *tokens = jv_get(part, "special_tokens");
    bool is_after = false;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(single) && st == STATUS_OK; i++) {
        const struct json *one = jv_get(jv_at(single, i), "SpecialToken");
        const char *id = jv_get_string(jv_get(one, "id"), NULL);
        const struct json *ids = id ? jv_get(jv_get(tokens, id), "ids") : NULL;

        if (one == NULL)
            is_after = true; /* behind the text itself */
        else if (jv_size(ids) == 0)
            st = error_set(b->err, STATUS_INVALID, "%s: %s: \"%.100s\" is not in special_tokens",
                           b->name, place, id ? id : "?");
        else
            st = add_ends(b, ids, place, is_after);
    }
    return st;
}

static enum status read_post(struct tokenizer_build *b, const struct json *part, const char *place,
                             bool last)
{
    const char *type = part_type(part);

    (void)last;
    if (strcmp(type, "ByteLevel") == 0) /* it changes offsets alone */
        return STATUS_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(b, part, place);
    return part_refused(b, place, type);
}

enum status tokenizer_read_post_processor(struct tokenizer_build *b, const struct json *part)
{
    return parts_each(b, part, "post_processor", "processors", read_post);
}
