/* example_chat.c - conversations from a JSONL file, as token ids with a training mask.
 *
 * The file stays in memory as text; a line is parsed, rendered and encoded when it is asked for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/example_chat_check.h"
#include "models/chat/chat_template.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"

#define HOLD_OUT_STREAM 0x686f6c64u /* the purpose, in Philox's counter */

struct chat_line {
    size_t from, n;
    long number; /* in the file, from 1 */
};

struct chat_examples {
    struct example_source source, held; /* held: the lines after those of source */
    char *path, *text, *bos, *eos;
    char id[80]; /* SHA-256 of file and template, and the number held out */
    const struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct chat_template *template;
    struct chat_line *line; /* (source.n + held.n) */
    struct token_ids ids;   /* scratch */
    struct str rendered;    /* scratch */
};

/* The message keeps the place inside the line; the error's place is the line of the file. */
static enum status in_line(const struct chat_examples *x, const struct chat_line *l,
                           const struct error *inner, enum status st, struct error *err)
{
    (void)error_at(err, st, x->path, l->number, 0, "%s%s%s", inner->where,
                   inner->where[0] ? ": " : "", inner->message);
    if (inner->hint[0])
        error_hint(err, "%s", inner->hint);
    return st;
}

static enum status parse(const struct chat_examples *x, const struct chat_line *l,
                         struct json **out, struct error *err)
{
    return jv_parse_line(x->text + l->from, l->n, JSON_MAX_BYTES, x->path, l->number, out, err);
}

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

static enum status add_line(struct chat_examples *x, bool lenient, size_t *cap, struct chat_line l,
                            struct error *err)
{
    struct json *v = NULL;
    struct error inner = ERROR_INIT;
    enum status st = parse(x, &l, &v, err);

    if (!st && (st = example_chat_check(v, lenient, &inner)) != STATUS_OK)
        (void)in_line(x, &l, &inner, st, err);
    jv_unref(v);
    if (st)
        return st;
    if ((size_t)x->source.n == *cap) {
        *cap = *cap ? 2 * *cap : 256;
        if (!mem_grow((void **)&x->line, *cap, sizeof(*x->line)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for the lines of %s", x->path);
    }
    x->line[x->source.n++] = l;
    return STATUS_OK;
}

static enum status find_lines(struct chat_examples *x, bool lenient, size_t n, struct error *err)
{
    size_t cap = 0, from = 0;
    enum status st = STATUS_OK;

    for (long number = 1; from < n && !st; number++) {
        const char *end = memchr(x->text + from, '\n', n - from);
        size_t len = end ? (size_t)(end - x->text) - from : n - from;

        if (!is_blank(x->text + from, len))
            st = add_line(x, lenient, &cap,
                          (struct chat_line){.from = from, .n = len, .number = number}, err);
        from += len + 1;
    }
    if (!st && x->source.n == 0)
        st = error_set(err, STATUS_INVALID, "%s contains no conversations", x->path);
    return st;
}

static enum status put(struct chat_examples *x, size_t from, size_t to, bool trained,
                       struct example *ex, struct error *err)
{
    enum status st;

    token_ids_clear(&x->ids);
    st = tokenizer_encode(x->tokenizer, x->scratch, str_cstr(&x->rendered) + from, to - from, true,
                          &x->ids, err);
    if (!st)
        example_put(ex, x->ids.id, x->ids.n, trained);
    return st;
}

static enum status put_spans(struct chat_examples *x, const struct chat_spans *spans,
                             struct example *ex, struct error *err)
{
    size_t at = 0;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < spans->n && !st; i++) {
        st = put(x, at, spans->span[i].from, false, ex, err);
        if (!st)
            st = put(x, spans->span[i].from, spans->span[i].to, true, ex, err);
        at = spans->span[i].to;
    }
    return st ? st : put(x, at, x->rendered.len, false, ex, err);
}

static enum status get(void *ctx, uint64_t seed, int64_t index, double progress, struct example *ex,
                       struct error *err)
{
    struct chat_examples *x = ctx;
    const struct chat_line *l;
    struct chat_spans spans = {.n = 0};
    struct chat_input in = {.bos_token = x->bos, .eos_token = x->eos};
    struct error inner = ERROR_INIT;
    struct json *v = NULL;
    enum status st;

    (void)seed;
    (void)progress;
    if (index < 0 || index >= x->source.n + x->held.n)
        return error_set(err, STATUS_INVALID, "%s has no example %lld", x->path, (long long)index);
    l = &x->line[index];
    st = parse(x, l, &v, err);
    if (st)
        return st;
    in.messages = jv_get(v, "messages");
    in.tools = jv_kind(jv_get(v, "tools")) == JV_ARRAY ? jv_get(v, "tools") : NULL;
    ex->n = 0;
    ex->truncated = false;
    str_clear(&x->rendered);
    st = chat_render_spans(x->template, &in, &x->rendered, &spans, &inner);
    if (!st)
        st = put_spans(x, &spans, ex, &inner);
    chat_spans_deinit(&spans);
    jv_unref(v);
    return st ? in_line(x, l, &inner, st, err) : STATUS_OK;
}

static enum status get_held(void *ctx, uint64_t seed, int64_t index, double progress,
                            struct example *ex, struct error *err)
{
    struct chat_examples *x = ctx;

    return get(ctx, seed, index < 0 ? index : x->source.n + index, progress, ex, err);
}

static void set_id(struct chat_examples *x, struct hasher *h)
{
    struct sha256 sum = hasher_finish(h);

    memcpy(x->id, "chat:", 5);
    sha256_hex(&sum, x->id + 5);
    x->source.id = x->id;
}

static void name_data(struct chat_examples *x, size_t n, const char *template)
{
    struct hasher *h = hasher_new();

    hasher_add(h, x->text, n);
    hasher_add(h, template, strlen(template));
    if (x->bos || x->eos) { /* with their NUL, so that they stay separate */
        hasher_add(h, x->bos ? x->bos : "", x->bos ? strlen(x->bos) + 1 : 1);
        hasher_add(h, x->eos ? x->eos : "", x->eos ? strlen(x->eos) + 1 : 1);
    }
    set_id(x, h);
}

enum status example_chat_new(const struct example_chat_options *o, struct example_source **out,
                             struct error *err)
{
    struct chat_examples *x = xcalloc(1, sizeof(*x));
    const char *template = o->chat_template ? o->chat_template : chat_template_default();
    size_t n = 0;
    enum status st;

    x->path = xstrdup(o->path);
    x->tokenizer = o->tokenizer;
    x->scratch = tokenizer_scratch_new();
    x->bos = o->bos_token ? xstrdup(o->bos_token) : NULL;
    x->eos = o->eos_token ? xstrdup(o->eos_token) : NULL;
    x->rendered = (struct str){.max = CHAT_MAX_OUTPUT};
    token_ids_init(&x->ids, TOKEN_IDS_MAX_DEFAULT);
    x->source = (struct example_source){.ctx = x, .get = get};
    st = chat_template_new(template, strlen(template), "chat_template", &x->template, err);
    if (!st)
        st = file_read(o->path, EXAMPLE_CHAT_MAX_FILE, &x->text, &n, err);
    if (!st)
        st = find_lines(x, o->reads_as_0_1, n, err);
    if (st) {
        example_chat_free(&x->source);
        return st;
    }
    name_data(x, n, template);
    *out = &x->source;
    return STATUS_OK;
}

/* Selects n_held of n lines at random (Knuth, 3.4.2, algorithm S). Held-out lines go after the
 * others; both stay in the file's order. */
static void part_lines(struct chat_examples *x, int64_t n_held, uint64_t seed,
                       struct chat_line *held)
{
    int64_t n = x->source.n, kept = 0, taken = 0;

    for (int64_t i = 0; i < n; i++) {
        struct rng_block r = rng_philox(seed, (uint32_t)i, (uint32_t)(i >> 32), 0, HOLD_OUT_STREAM);
        uint64_t word = ((uint64_t)r.word[0] << 32) | r.word[1];

        if ((int64_t)(word % (uint64_t)(n - i)) < n_held - taken)
            held[taken++] = x->line[i];
        else
            x->line[kept++] = x->line[i];
    }
    memcpy(x->line + kept, held, (size_t)n_held * sizeof(*held));
}

enum status example_chat_hold_out(struct example_source *s, double share, uint64_t seed,
                                  const struct example_source **out, struct error *err)
{
    struct chat_examples *x = s->ctx;
    int64_t n = x->source.n, n_held = (int64_t)(share * (double)n + .5);
    struct chat_line *held;
    struct hasher *h;
    char text[32];

    if (n < 2)
        return error_set(err, STATUS_INVALID,
                         "%s has only one conversation, so none can be held out", x->path);
    n_held = n_held < 1 ? 1 : n_held > n - 1 ? n - 1 : n_held;
    held = mem_alloc((size_t)n_held, sizeof(*held));
    if (!held)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %lld conversations",
                         (long long)n_held);
    part_lines(x, n_held, seed, held);
    free(held);
    x->source.n = n - n_held;
    x->held = (struct example_source){.ctx = x, .n = n_held, .get = get_held};
    h = hasher_new();
    hasher_add(h, x->id, strlen(x->id));
    (void)snprintf(text, sizeof(text), " less %lld", (long long)n_held);
    hasher_add(h, text, strlen(text));
    set_id(x, h);
    *out = &x->held;
    return STATUS_OK;
}

void example_chat_free(struct example_source *s)
{
    struct chat_examples *x = s ? s->ctx : NULL;

    if (!x)
        return;
    chat_template_free(x->template);
    token_ids_deinit(&x->ids);
    str_deinit(&x->rendered);
    tokenizer_scratch_free(x->scratch);
    free(x->line);
    free(x->text);
    free(x->path);
    free(x->bos);
    free(x->eos);
    free(x);
}
