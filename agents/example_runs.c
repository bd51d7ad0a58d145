/* example_runs.c - see example_runs.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_runs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/model.h"
#include "runtime/base/hash.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

struct chain {
    int32_t *ids;   /* (n) */
    uint8_t *train; /* (n) */
    int32_t n, cap;
};

/* Where the ids of a call end, for the calls that continue it. */
struct call_end {
    size_t chain;
    int32_t end;
};

struct run_examples {
    struct example_source source;
    char id[80];
    struct chain *chain; /* (n_chains) */
    size_t n_chains, cap;
    int64_t n_ids;
};

struct loader {
    const struct example_runs_options *o;
    struct run_examples *x;
    const char *uuid;
    struct map *ends; /* of this run: path -> struct call_end * */
    int64_t with_ids, without_ids;
    enum status st;
    struct error *err;
};

/* ---- chains */

static enum status new_chain(struct loader *l)
{
    struct run_examples *x = l->x;

    if (x->n_chains == x->cap) {
        size_t want = x->cap ? 2 * x->cap : 64;

        if (!mem_grow((void **)&x->chain, want, sizeof(*x->chain)))
            return error_set(l->err, STATUS_NO_MEMORY, "no memory for %zu examples", want);
        x->cap = want;
    }
    x->chain[x->n_chains++] = (struct chain){.n = 0};
    return STATUS_OK;
}

static enum status put(struct loader *l, size_t at, const int32_t *ids, int32_t n, bool trained)
{
    struct chain *c = &l->x->chain[at];
    int32_t want = c->cap ? c->cap : 256;

    if (n > EXAMPLE_RUNS_MAX_IDS - l->x->n_ids)
        return error_set(l->err, STATUS_LIMIT, "the runs have more than %lld token ids",
                         (long long)EXAMPLE_RUNS_MAX_IDS);
    while (want < c->n + n)
        want *= 2;
    if (want > c->cap && (!mem_grow((void **)&c->ids, (size_t)want, sizeof(*c->ids)) ||
                          !mem_grow((void **)&c->train, (size_t)want, 1)))
        return error_set(l->err, STATUS_NO_MEMORY, "no memory for an example of %d ids", want);
    if (want > c->cap)
        c->cap = want;
    if (n > 0) {
        memcpy(c->ids + c->n, ids, (size_t)n * sizeof(*ids));
        memset(c->train + c->n, trained, (size_t)n);
    }
    c->n += n;
    l->x->n_ids += n;
    return STATUS_OK;
}

/* The chain that the call goes on with; a new one begins with what both calls share. */
static enum status chain_of(struct loader *l, const struct step_row *s, size_t *out)
{
    const struct token_record *t = s->tokens;
    const struct call_end *before = t->parent ? map_get(l->ends, t->parent) : NULL;
    int32_t *shared = NULL, n = t->prefix_len;
    enum status st;

    if (n < 0 || (n > 0 && (!before || n > before->end)))
        return error_set(l->err, STATUS_INVALID,
                         "run %s, %s: it continues %s, whose token ids are not among these",
                         l->uuid, s->path, t->parent ? t->parent : "nothing");
    if (before && n == before->end && n == l->x->chain[before->chain].n) {
        *out = before->chain;
        return STATUS_OK;
    }
    st = new_chain(l);
    *out = l->x->n_chains - 1;
    if (!st && n > 0) {
        shared = l->x->chain[before->chain].ids;
        st = put(l, *out, shared, n, false); /* trained in its own chain, if it was sampled */
    }
    return st;
}

static enum status add_call(struct loader *l, const struct step_row *s)
{
    const struct token_record *t = s->tokens;
    struct call_end *end, *old;
    size_t at = 0;
    enum status st = chain_of(l, s, &at);

    if (!st)
        st = put(l, at, t->delta, t->n_delta, false);
    if (!st)
        st = put(l, at, t->ids, t->n_ids, true);
    if (st)
        return st;
    end = xcalloc(1, sizeof(*end));
    *end = (struct call_end){.chain = at, .end = l->x->chain[at].n};
    old = map_put(l->ends, s->path, end);
    free(old);
    return STATUS_OK;
}

/* ---- checks */

static enum status check_range(const struct loader *l, const struct step_row *s, const int32_t *ids,
                               int32_t n)
{
    int32_t size = tokenizer_size(l->o->tokenizer);
    int32_t limit = l->o->vocab < size ? l->o->vocab : size;

    for (int32_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= limit)
            return error_set(l->err, STATUS_INVALID,
                             "run %s, %s: token id %d is not in the model's vocabulary of %d; the "
                             "ids are of another tokenizer",
                             l->uuid, s->path, ids[i], limit);
    return STATUS_OK;
}

static void trim(const char **text, size_t *n)
{
    while (*n > 0 && isspace((unsigned char)**text)) {
        (*text)++;
        (*n)--;
    }
    while (*n > 0 && isspace((unsigned char)(*text)[*n - 1]))
        (*n)--;
}

static bool contains(const struct str *all, const struct json *part)
{
    const char *text = jv_get_string(part, "");
    size_t n = strlen(text);

    trim(&text, &n);
    return n == 0 || (all->len >= n && memmem(all->data, all->len, text, n));
}

/* Servers take calls and reasoning out of the text, and blanks around it. */
static bool is_text(const struct str *decoded, const struct json *out)
{
    const struct json *calls = jv_get(out, "tool_calls"), *content = jv_get(out, "content");
    const char *all = str_cstr(decoded), *text = jv_get_string(content, "");
    size_t n_all = decoded->len, n = jv_string_len(content);

    for (size_t i = 0; i < jv_size(calls); i++)
        if (!contains(decoded, jv_get(jv_at(calls, i), "name")))
            return false;
    if (jv_size(calls) > 0 || jv_get(out, "reasoning"))
        return contains(decoded, content) && contains(decoded, jv_get(out, "reasoning"));
    trim(&all, &n_all);
    trim(&text, &n);
    return n == n_all && memcmp(all, text, n) == 0;
}

static enum status check_text(const struct loader *l, const struct step_row *s)
{
    const struct token_record *t = s->tokens;
    struct token_stream stream = TOKEN_STREAM_INIT;
    struct str decoded = STR_INIT, shown = STR_INIT;
    enum status st = STATUS_OK;

    if (jv_kind(jv_get(s->out, "content")) != JV_STRING)
        return STATUS_OK;
    for (int32_t i = 0; i < t->n_ids; i++)
        token_stream_push(&stream, l->o->tokenizer, t->ids[i], true, &decoded);
    token_stream_finish(&stream, &decoded);
    if (!is_text(&decoded, s->out)) {
        str_put_json_string(&shown, str_cstr(&decoded), decoded.len < 60 ? decoded.len : 60);
        st = error_set(l->err, STATUS_INVALID,
                       "run %s, %s: its token ids are %s with the model's tokenizer, which is not "
                       "its recorded text; the ids are of another tokenizer",
                       l->uuid, s->path, str_cstr(&shown));
        error_hint(l->err, "train the model that the server ran, or one with its tokenizer");
    }
    str_deinit(&decoded);
    str_deinit(&shown);
    return st;
}

static bool add_step(void *ctx, const struct step_row *s)
{
    struct loader *l = ctx;
    const struct token_record *t = s->tokens;

    if (strcmp(s->kind, "model") != 0 || s->state != STEP_OK)
        return true;
    if (!t || t->n_ids == 0) {
        l->without_ids++;
        return true;
    }
    l->with_ids++;
    l->st = check_range(l, s, t->delta, t->n_delta);
    if (!l->st)
        l->st = check_range(l, s, t->ids, t->n_ids);
    if (!l->st)
        l->st = check_text(l, s);
    if (!l->st)
        l->st = add_call(l, s);
    return l->st == STATUS_OK;
}

/* An unfinished run would give other examples tomorrow; evaluations stay apart from training. */
static bool check_run(void *ctx, const struct run_row *r)
{
    struct loader *l = ctx;

    if (strcmp(r->kind, "eval") == 0)
        l->st = error_set(l->err, STATUS_INVALID,
                          "run %s is an evaluation, which is not for training", l->uuid);
    else if (r->status != RUN_OK)
        l->st = error_set(l->err, STATUS_INVALID,
                          "run %s is \"%s\"; only runs that ended ok are examples", l->uuid,
                          run_status_word(r->status));
    return false;
}

/* ---- runs */

static void warn(const struct loader *l)
{
    if (l->without_ids == 0)
        return;
    log_write_run(l->o->log, LOG_WARN, l->uuid, NULL,
                  "run %s: %lld of %lld model calls have no token ids; their record is text, which "
                  "is not trained",
                  l->uuid, (long long)l->without_ids, (long long)(l->with_ids + l->without_ids));
}

static enum status add_run(struct loader *l, const char *path)
{
    enum status st = query_run_bare(l->o->reader, l->uuid, check_run, l, l->err);

    l->with_ids = l->without_ids = 0;
    l->ends = map_new();
    if (!st && !l->st)
        st = query_steps(l->o->reader, l->uuid, path, -1, true, add_step, l, l->err);
    map_free(l->ends, free);
    st = st ? st : l->st;
    if (!st)
        warn(l);
    return st;
}

/* RUN[/PATH] of n bytes. */
static enum status add_named(struct loader *l, const char *name, size_t n)
{
    char *run = xstrndup(name, n), *slash = strchr(run, '/'), uuid[37];
    enum status st;

    if (slash)
        *slash = '\0';
    st = query_resolve_run(l->o->reader, run, uuid, l->err);
    l->uuid = uuid;
    if (!st)
        st = add_run(l, slash ? slash + 1 : NULL);
    l->uuid = NULL;
    free(run);
    return st;
}

static enum status add_all(struct loader *l)
{
    const char *at = l->o->runs;
    enum status st = STATUS_OK;

    for (bool more = true; more && !st;) {
        size_t n = strcspn(at, ",");

        st = n > 0 ? add_named(l, at, n)
                   : error_set(l->err, STATUS_USAGE, "a list of runs is RUN[/PATH],...");
        more = at[n] == ',';
        at += n + more;
    }
    if (!st && l->x->n_chains == 0) {
        st = error_set(l->err, STATUS_INVALID,
                       "no model call of these runs has token ids; a record that is only text is "
                       "not trained, because tokenizing it again may give other ids");
        error_hint(l->err, "ids are recorded from models in this process, and from servers that "
                           "give them: `ids: vllm` or `ids: sglang` in `models:`");
    }
    return st;
}

/* ---- the source */

static enum status get(void *ctx, uint64_t seed, int64_t index, double progress, struct example *ex,
                       struct error *err)
{
    const struct run_examples *x = ctx;
    const struct chain *c = &x->chain[index];

    (void)seed;
    (void)progress;
    (void)err;
    ex->n = 0;
    ex->truncated = false;
    for (int32_t i = 0, n; i < c->n; i += n) {
        for (n = 1; i + n < c->n && c->train[i + n] == c->train[i];)
            n++;
        example_put(ex, c->ids + i, (size_t)n, c->train[i]);
    }
    return STATUS_OK;
}

static void identify(struct run_examples *x)
{
    struct hasher *h = hasher_new();
    struct sha256 sum;
    char hex[65];

    for (size_t i = 0; i < x->n_chains; i++) {
        hasher_add(h, &x->chain[i].n, sizeof(x->chain[i].n));
        hasher_add(h, x->chain[i].ids, (size_t)x->chain[i].n * sizeof(*x->chain[i].ids));
        hasher_add(h, x->chain[i].train, (size_t)x->chain[i].n);
    }
    sum = hasher_finish(h);
    sha256_hex(&sum, hex);
    (void)snprintf(x->id, sizeof(x->id), "runs:%s", hex);
}

enum status example_runs_new(const struct example_runs_options *o, struct example_source **out,
                             struct error *err)
{
    struct run_examples *x = xcalloc(1, sizeof(*x));
    struct loader l = {.o = o, .x = x, .err = err};
    enum status st = add_all(&l);

    if (st) {
        example_runs_free(&x->source);
        return st;
    }
    identify(x);
    x->source =
        (struct example_source){.ctx = x, .n = (int64_t)x->n_chains, .get = get, .id = x->id};
    *out = &x->source;
    return STATUS_OK;
}

void example_runs_free(struct example_source *s)
{
    struct run_examples *x = s ? CONTAINER_OF(s, struct run_examples, source) : NULL;

    if (!x)
        return;
    for (size_t i = 0; i < x->n_chains; i++) {
        free(x->chain[i].ids);
        free(x->chain[i].train);
    }
    free(x->chain);
    free(x);
}
