/* chat_answer_ids.c - see chat_answer_ids.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/chat_answer_ids.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

void answer_ids_deinit(struct answer_ids *a)
{
    free(a->prompt);
    free(a->id);
    free(a->logp);
    *a = (struct answer_ids){.n = 0};
}

/* Room for `more` entries of 4 bytes. */
static bool reserve(struct answer_ids *a, void **p, int32_t n, size_t more, int32_t *cap)
{
    int32_t want = *cap > 0 ? *cap : 64;

    if (more > (size_t)(ANSWER_MAX_IDS - n)) {
        a->broken = true;
        return false;
    }
    while (want < n + (int32_t)more)
        want *= 2;
    if (want > *cap && !mem_grow(p, (size_t)want, 4)) {
        a->broken = true;
        return false;
    }
    if (want > *cap)
        *cap = want;
    return true;
}

static void add_ids(struct answer_ids *a, const struct json *list, int32_t **ids, int32_t *n,
                    int32_t *cap)
{
    if (jv_kind(list) != JV_ARRAY || !reserve(a, (void **)ids, *n, jv_size(list), cap))
        return;
    for (size_t i = 0; i < jv_size(list); i++) {
        int64_t id = jv_get_int(jv_at(list, i), -1);

        if (id < 0 || id > INT32_MAX)
            a->broken = true;
        else
            (*ids)[(*n)++] = (int32_t)id;
    }
}

/* A log-prob of 0 may come as a number that is a little more. */
static void add_logp(struct answer_ids *a, const struct json *content)
{
    if (jv_kind(content) != JV_ARRAY ||
        !reserve(a, (void **)&a->logp, a->n_logp, jv_size(content), &a->logp_cap))
        return;
    for (size_t i = 0; i < jv_size(content); i++) {
        double logp = jv_get_number(jv_get(jv_at(content, i), "logprob"), (double)NAN);

        if (!isfinite(logp) || logp > 1e-4)
            a->broken = true;
        else
            a->logp[a->n_logp++] = (float)(logp > 0 ? 0 : logp);
    }
}

void answer_ids_add(struct answer_ids *a, const struct json *doc, const struct json *choice)
{
    const struct json *prompt = jv_get(doc, "prompt_token_ids");

    if (jv_kind(prompt) != JV_ARRAY)
        prompt = jv_get(choice, "prompt_token_ids");
    if (a->n_prompt == 0)
        add_ids(a, prompt, &a->prompt, &a->n_prompt, &a->prompt_cap);
    add_ids(a, jv_get(choice, "token_ids"), &a->id, &a->n, &a->cap);
    add_logp(a, jv_get(jv_get(choice, "logprobs"), "content"));
}

void answer_ids_take(struct answer_ids *a, const struct model_usage *usage, struct model_call *c)
{
    size_t n = (size_t)a->n;

    if (a->broken || a->n == 0 || a->n_prompt == 0 || a->n_logp != a->n || a->n > c->max_tokens ||
        !c->ids || !c->logp)
        return;
    if (usage && (usage->prompt != a->n_prompt || usage->completion != a->n))
        return;
    memcpy(c->ids, a->id, n * sizeof(*a->id));
    memcpy(c->logp, a->logp, n * sizeof(*a->logp));
    c->n_ids = a->n;
    c->prompt_ids = a->prompt;
    c->n_prompt_ids = a->n_prompt;
    a->prompt = NULL;
}
