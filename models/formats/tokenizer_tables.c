/* tokenizer_tables.c - tables of a GGUF file to the tables of a tokenizer.
 *
 * Control and user-defined tokens are added tokens: special ones and others. SentencePiece finds
 * user-defined ones by merging too, so that those of "llama" are both; converters write blanks
 * into the ones that are blanks alone, which are META_BLANK for the model.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_tables.h"

#include <string.h>

#include "models/formats/tokenizer_build.h"
#include "models/formats/tokenizer_parts.h"
#include "models/formats/tokenizer_pre.h"
#include "runtime/base/memory.h"

static enum table_type type_of(const struct tokenizer_tables *in, int32_t id)
{
    return in->type ? (enum table_type)in->type[id] : TABLE_NORMAL;
}

static enum status check_counts(const struct tokenizer_tables *in, struct error *err)
{
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"bos", in->bos_id}, {"eos", in->eos_id}, {"unknown", in->unk_id}};

    if (in->n_tokens < 1 || in->n_tokens > TOKENIZER_MAX_IDS)
        return error_set(err, STATUS_LIMIT, "%s: %d tokens, expected 1 to %d", in->name,
                         (int)in->n_tokens, TOKENIZER_MAX_IDS);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (ids[i].id < -1 || ids[i].id >= in->n_tokens)
            return error_set(err, STATUS_INVALID, "%s: the %s token %d is none of %d tokens",
                             in->name, ids[i].name, (int)ids[i].id, (int)in->n_tokens);
    for (int32_t id = 0; in->type && id < in->n_tokens; id++)
        if (in->type[id] < TABLE_UNDEFINED || in->type[id] > TABLE_BYTE)
            return error_set(err, STATUS_INVALID, "%s: token %d has the type %d, expected 0 to %d",
                             in->name, (int)id, (int)in->type[id], TABLE_BYTE);
    return STATUS_OK;
}

/* Of all strings; blanks become META_BLANK_BYTES bytes. STATUS_LIMIT as for a file. */
static enum status count_bytes(const struct tokenizer_tables *in, size_t *n, struct error *err)
{
    size_t total = 0;

    for (int32_t id = 0; id < in->n_tokens; id++)
        if (in->token[id].n > TOKENIZER_MAX_FILE || (total += in->token[id].n) > TOKENIZER_MAX_FILE)
            return error_set(err, STATUS_LIMIT, "%s: its tokens have more than %zu MiB", in->name,
                             TOKENIZER_MAX_FILE >> 20);
    *n = 2 * META_BLANK_BYTES * total;
    return STATUS_OK;
}

/* ---- "gpt2" */

static enum status read_pre(struct tokenizer_build *b, const struct tokenizer_tables *in)
{
    const struct tokenizer_pre *pre = in->pre ? tokenizer_pre_find(in->pre) : NULL;
    enum status st = STATUS_OK;

    if (!pre) {
        const char *near = in->pre ? tokenizer_pre_nearest(in->pre) : NULL;

        st = error_set(b->err, STATUS_UNSUPPORTED,
                       in->pre
                           ? "%s: tokenizer.ggml.pre \"%.100s\" is not known"
                           : "%s: tokenizer.ggml.pre is missing%s: how text is split is not known",
                       in->name, in->pre ? in->pre : "");
        if (near)
            error_hint(b->err, "did you mean %s?", near);
        return st;
    }
    b->t->byte_level = true;
    b->t->ignore_merges = pre->ignore_merges;
    if (pre->nfc)
        b->t->normal[b->t->n_normal++] = (struct normal_step){.kind = NORMAL_NFC};
    for (int i = 0; i < PRE_MAX_PATTERNS && pre->pattern[i] && st == STATUS_OK; i++)
        st = tokenizer_add_split(b, pre->pattern[i], SPLIT_ISOLATED, false, "tokenizer.ggml.pre");
    return st;
}

/* ---- "llama" */

static void add_normal(struct tokenizer *t, enum normal_kind kind, const char *from, const char *to)
{
    t->normal[t->n_normal++] =
        (struct normal_step){.kind = kind, .from = from ? xstrdup(from) : NULL, .to = xstrdup(to)};
}

static enum status read_sentencepiece(struct tokenizer_build *b, const struct tokenizer_tables *in)
{
    if (!in->score)
        return error_set(
            b->err, STATUS_INVALID,
            "%s: tokenizer.ggml.scores is missing, which the tokenizer \"llama\" needs", in->name);
    if (in->add_space_prefix) {
        add_normal(b->t, NORMAL_PREPEND, NULL, META_BLANK);
        b->t->strip = (struct text_strip){.byte = ' ', .most = 1};
    }
    add_normal(b->t, NORMAL_REPLACE, " ", META_BLANK);
    b->replace[0].from = xstrdup(META_BLANK);
    b->replace[0].to = xstrdup(" ");
    b->n_replace = 1;
    b->decodes_bytes = true;
    b->t->fuse_unk = true;
    return STATUS_OK;
}

static bool is_blanks(const struct table_text *text)
{
    for (size_t i = 0; i < text->n; i++)
        if (text->bytes[i] != ' ')
            return false;
    return text->n > 0;
}

/* A user-defined token of SentencePiece. */
static enum status read_user_defined(struct tokenizer_build *b, const struct table_text *text,
                                     int32_t id)
{
    char copy[META_BLANK_BYTES * TOKENIZER_MAX_TOKEN_BYTES];
    const char *bytes = text->bytes;
    size_t n = text->n;
    enum status st;

    if (is_blanks(text) && n <= TOKENIZER_MAX_TOKEN_BYTES) {
        for (size_t i = 0; i < n; i++)
            memcpy(copy + META_BLANK_BYTES * i, META_BLANK, META_BLANK_BYTES);
        bytes = copy;
        n *= META_BLANK_BYTES;
    }
    st = build_token(b, bytes, n, id);
    return st ? st : build_added(b, bytes, n, id, 0, false);
}

static enum status read_byte(struct tokenizer_build *b, const struct table_text *text, int32_t id)
{
    const int byte = build_byte_token(text->bytes, text->n);

    if (byte < 0 || b->t->byte_id[byte] >= 0)
        return error_set(b->err, STATUS_INVALID,
                         "%s: token %d is of type byte, but is not <0x00> to <0xFF>%s", b->name,
                         (int)id, byte < 0 ? "" : ", each once");
    b->t->byte_id[byte] = id;
    return build_token(b, text->bytes, text->n, id);
}

/* ---- both */

static enum status read_token(struct tokenizer_build *b, const struct tokenizer_tables *in,
                              int32_t id)
{
    const struct table_text *text = &in->token[id];

    switch (type_of(in, id)) {
    case TABLE_UNUSED:
        return STATUS_OK;
    case TABLE_CONTROL:
    case TABLE_UNKNOWN:
        return build_added(b, text->bytes, text->n, id, ADDED_SPECIAL, false);
    case TABLE_USER_DEFINED:
        return in->score ? read_user_defined(b, text, id)
                         : build_added(b, text->bytes, text->n, id, 0, false);
    case TABLE_BYTE:
        if (!b->t->byte_level)
            return read_byte(b, text, id);
        break;
    case TABLE_UNDEFINED:
    case TABLE_NORMAL:
        break;
    }
    return build_token(b, text->bytes, text->n, id);
}

static enum status read_order(struct tokenizer_build *b, const struct tokenizer_tables *in)
{
    enum status st;

    if (b->t->byte_level) {
        st = build_merges(b, in->n_merges);
        for (size_t i = 0; i < in->n_merges && st == STATUS_OK; i++)
            st = build_merge_text(b, i, in->merge[i].bytes, in->merge[i].n);
        return st ? st : build_merges_end(b);
    }
    for (int byte = 0; byte < 256; byte++)
        if (b->t->byte_id[byte] >= 0)
            b->t->flags[b->t->byte_id[byte]] |= TOKEN_NO_MERGE;
    b->t->unk_id = in->unk_id;
    return build_scores(b, in->score);
}

static struct sha256 hash_of(const struct tokenizer_tables *in)
{
    const size_t n = (size_t)in->n_tokens;
    const int32_t numbers[] = {in->n_tokens, in->bos_id,  in->eos_id,          in->unk_id,
                               in->add_bos,  in->add_eos, in->add_space_prefix};
    struct hasher *h = hasher_new();

    hasher_add(h, in->model, strlen(in->model) + 1);
    hasher_add(h, in->pre ? in->pre : "", in->pre ? strlen(in->pre) + 1 : 1);
    hasher_add(h, numbers, sizeof(numbers));
    for (size_t i = 0; i < n + in->n_merges; i++) {
        const struct table_text *text = i < n ? &in->token[i] : &in->merge[i - n];

        hasher_add(h, &text->n, sizeof(text->n));
        hasher_add(h, text->bytes, text->n);
    }
    if (in->score)
        hasher_add(h, in->score, n * sizeof(*in->score));
    if (in->type)
        hasher_add(h, in->type, n * sizeof(*in->type));
    return hasher_finish(h);
}

static enum status read_tables(struct tokenizer_build *b, const struct tokenizer_tables *in)
{
    enum status st = b->t->byte_level ? STATUS_OK : read_sentencepiece(b, in);

    for (int32_t id = 0; id < in->n_tokens && st == STATUS_OK; id++)
        st = read_token(b, in, id);
    b->last_id = in->n_tokens - 1; /* unused ones have rows too */
    if (st == STATUS_OK)
        st = build_index(b);
    if (st == STATUS_OK)
        st = read_order(b, in);
    if (in->add_bos && in->bos_id >= 0)
        b->t->before[b->t->n_before++] = in->bos_id;
    if (in->add_eos && in->eos_id >= 0)
        b->t->after[b->t->n_after++] = in->eos_id;
    return st ? st : build_finish(b);
}

enum status tokenizer_from_tables(const struct tokenizer_tables *in, struct tokenizer **out,
                                  struct error *err)
{
    const bool gpt2 = strcmp(in->model, "gpt2") == 0;
    struct tokenizer_build b = {.t = NULL};
    size_t n_bytes = 0;
    enum status st = check_counts(in, err);

    if (st == STATUS_OK && !gpt2 && strcmp(in->model, "llama") != 0)
        st = error_set(err, STATUS_UNSUPPORTED,
                       "%s: the tokenizer \"%.100s\" is not supported, only gpt2 and llama",
                       in->name, in->model);
    if (st == STATUS_OK)
        st = count_bytes(in, &n_bytes, err);
    if (st == STATUS_OK)
        st = build_new(&b, n_bytes, in->name, err);
    if (st == STATUS_OK && gpt2)
        st = read_pre(&b, in);
    if (st == STATUS_OK)
        st = read_tables(&b, in);
    if (st == STATUS_OK) {
        b.t->hash = hash_of(in);
        *out = b.t;
        b.t = NULL;
    }
    build_free(&b);
    return st;
}
