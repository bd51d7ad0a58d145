/* example_env.c - demonstrations and probes of an environment, as token ids with a training mask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_env.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define MAX_PIECES   256
#define DEMO_VERSION 1 /* increases when the demonstration of an index changes */

struct env_examples {
    struct example_source source;
    const struct env_ops *env;
    char *kind;
    const struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    char *id;
    struct token_ids ids; /* scratch */
};

/* The share of right answers that the probe needs. Reinforcement works around a few gaps in the
 * comparison. Sums must all be right, because a look cannot show a wrong sum: OffCourse, section
 * 2.6. */
#define NEED_MISMATCH .997

/* Appends text; text that does not fit is left out, and `truncated` is set. */
static enum status put(struct env_examples *x, const char *text, bool trained, struct example *ex,
                       struct error *err)
{
    enum status st;

    token_ids_clear(&x->ids);
    st = tokenizer_encode(x->tokenizer, x->scratch, text, strlen(text), true, &x->ids, err);
    if (!st)
        example_put(ex, x->ids.id, x->ids.n, trained);
    return st;
}

static enum status get(void *ctx, uint64_t seed, int64_t index, double progress, struct example *ex,
                       struct error *err)
{
    struct env_examples *x = ctx;
    struct env_piece piece[MAX_PIECES];
    struct env_demo_spec spec = {
        .seed = seed, .index = (uint64_t)index, .progress = progress, .kind = x->kind};
    int32_t n = x->env->demo(&spec, piece, MAX_PIECES);
    enum status st = STATUS_OK;

    ex->n = 0;
    ex->truncated = false;
    for (int32_t i = 0; i < n && !st; i++)
        st = put(x, piece[i].text, piece[i].expert && !piece[i].masked, ex, err);
    return st;
}

static enum status probe(void *ctx, int32_t i, struct example *ex, int32_t *want, int32_t want_cap,
                         int32_t *n_want, const char **category, struct error *err)
{
    struct env_examples *x = ctx;
    struct env_probe p;
    enum status st;

    x->env->probe(i, &p);
    ex->n = 0;
    ex->truncated = false;
    st = put(x, p.prompt, false, ex, err);
    if (st)
        return st;
    token_ids_clear(&x->ids);
    st = tokenizer_encode(x->tokenizer, x->scratch, p.expected, strlen(p.expected), true, &x->ids,
                          err);
    if (!st && (ex->truncated || x->ids.n > (size_t)want_cap))
        st = error_set(err, STATUS_LIMIT,
                       "probe %d of %s is longer than %d tokens, or its answer than %d", i,
                       x->env->name, ex->cap, want_cap);
    if (st)
        return st;
    memcpy(want, x->ids.id, x->ids.n * sizeof(*want));
    *n_want = (int32_t)x->ids.n;
    *category = p.category;
    return STATUS_OK;
}

static double probe_need(void *ctx, const char *category)
{
    (void)ctx;
    return strcmp(category, "mismatch") == 0 ? NEED_MISMATCH : 1;
}

static enum status check_kind(const struct env_ops *env, const char *kind, struct error *err)
{
    struct str list = STR_INIT;

    for (int32_t i = 0; i < env->n_demo_kinds; i++) {
        if (strcmp(env->demo_kinds[i], kind) == 0) {
            str_deinit(&list);
            return STATUS_OK;
        }
        str_printf(&list, "%s%s", i ? ", " : "", env->demo_kinds[i]);
    }
    (void)error_set(err, STATUS_USAGE,
                    "%s has no demonstrations of the kind \"%s\"; the kinds are: %s", env->name,
                    kind, str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}

enum status example_env_new(const struct env_ops *env, const char *kind,
                            const struct tokenizer *tokenizer, struct example_source **out,
                            struct error *err)
{
    struct env_examples *x;
    struct str id = STR_INIT;
    enum status st = STATUS_OK;

    if (!env->demo)
        return error_set(err, STATUS_UNSUPPORTED, "%s has no demonstrations", env->name);
    if (kind)
        st = check_kind(env, kind, err);
    if (st)
        return st;
    x = xcalloc(1, sizeof(*x));
    x->env = env;
    x->kind = kind ? xstrdup(kind) : NULL;
    str_printf(&id, "env:%s:%s:%d", env->name, kind ? kind : "", DEMO_VERSION);
    x->id = str_take(&id);
    x->tokenizer = tokenizer;
    x->scratch = tokenizer_scratch_new();
    token_ids_init(&x->ids, TOKEN_IDS_MAX_DEFAULT);
    x->source = (struct example_source){.ctx = x, .n = 0, .get = get};
    if (env->probe) {
        x->source.n_probes = env->n_probes;
        x->source.probe = probe;
        x->source.probe_need = probe_need;
    }
    x->source.id = x->id;
    *out = &x->source;
    return STATUS_OK;
}

void example_env_free(struct example_source *s)
{
    struct env_examples *x = s ? s->ctx : NULL;

    if (!x)
        return;
    tokenizer_scratch_free(x->scratch);
    free(x->kind);
    free(x->id);
    token_ids_deinit(&x->ids);
    free(x);
}
