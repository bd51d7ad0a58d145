/* turn_vote.c - samples one model call several times; the most frequent reply wins.
 *
 * Voting per call is the control that needs no training (MAKER, arXiv 2511.09030, which stops at a
 * lead of k votes). A sample's call id is derived from the call's and its number, so that the
 * result does not depend on the batch; the first sample is that of a call without a vote. The
 * prompt is read once: each further sample starts from its last id.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

static bool same_reply(const struct vote_sample *s, const struct model_call *c)
{
    return s->n_ids == c->n_ids &&
           (c->n_ids == 0 || memcmp(s->ids, c->ids, (size_t)c->n_ids * sizeof(*c->ids)) == 0);
}

/* Equal replies share an entry; entries are in the order of their first reply. */
static enum status count_sample(struct agent_vote *v, const struct model_call *c, struct error *err)
{
    size_t n = (size_t)c->n_ids;
    struct vote_sample *s;

    for (int32_t i = 0; i < v->n_different; i++) {
        if (same_reply(&v->sample[i], c)) {
            v->sample[i].n_votes++;
            return STATUS_OK;
        }
    }
    if (!mem_grow((void **)&v->sample, (size_t)v->n_different + 1, sizeof(*v->sample)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the samples of a vote");
    s = &v->sample[v->n_different];
    *s = (struct vote_sample){.n_ids = c->n_ids, .n_votes = 1, .finish = c->finish};
    s->ids = mem_alloc(n + 1, sizeof(*s->ids));
    s->logp = mem_alloc(n + 1, sizeof(*s->logp));
    s->logp_sampled = mem_alloc(n + 1, sizeof(*s->logp_sampled));
    v->n_different++;
    if (!s->ids || !s->logp || !s->logp_sampled)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %d tokens", c->n_ids);
    memcpy(s->ids, c->ids, n * sizeof(*s->ids));
    memcpy(s->logp, c->logp, n * sizeof(*s->logp));
    memcpy(s->logp_sampled, c->logp_sampled, n * sizeof(*s->logp_sampled));
    return STATUS_OK;
}

/* Ties: the first one. */
static const struct vote_sample *winner(const struct agent_vote *v)
{
    const struct vote_sample *best = &v->sample[0];

    assert(v->n_different > 0);
    for (int32_t i = 1; i < v->n_different; i++)
        if (v->sample[i].n_votes > best->n_votes)
            best = &v->sample[i];
    return best;
}

void vote_clear(struct agent_vote *v)
{
    for (int32_t i = 0; i < v->n_different; i++) {
        free(v->sample[i].ids);
        free(v->sample[i].logp);
        free(v->sample[i].logp_sampled);
    }
    v->n_different = v->n_asked = 0;
    v->n_ids = 0;
}

enum status vote_count(struct agent *a, bool *more, struct error *err)
{
    struct agent_vote *v = &a->vote;
    int32_t n = a->task.role->votes;
    enum status st = count_sample(v, &a->call, err);

    if (st)
        return st;
    v->n_asked++;
    v->n_ids += a->call.n_ids;
    /* A reply with more than half of the votes cannot lose. */
    *more = v->n_asked < n && 2 * winner(v)->n_votes <= n;
    return STATUS_OK;
}

uint64_t vote_call_id(const struct agent *a, uint64_t call_id)
{
    return a->vote.n_asked == 0 ? call_id : rng_derive(call_id, (uint64_t)a->vote.n_asked);
}

int32_t vote_decide(struct agent *a)
{
    struct agent_vote *v = &a->vote;
    const struct vote_sample *w = winner(v);
    struct model_call *c = &a->call;
    size_t n = (size_t)w->n_ids;
    bool is_last = same_reply(w, c);
    int64_t others = v->n_ids - w->n_ids, extra = v->n_asked - 1;

    memcpy(c->ids, w->ids, n * sizeof(*c->ids));
    memcpy(c->logp, w->logp, n * sizeof(*c->logp));
    memcpy(c->logp_sampled, w->logp_sampled, n * sizeof(*c->logp_sampled));
    c->n_ids = w->n_ids;
    c->finish = w->finish;
    /* The cost of the losing samples; charge() adds the winner's. */
    a->result.tok_in += extra;
    a->result.tok_out += others;
    budget_spend(a->task.scope.budget, others + extra, extra, 0);
    vote_clear(v);
    return is_last ? 0 : (int32_t)n;
}
