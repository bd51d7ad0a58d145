/* rollouts_chains.c - turns the packed record of an episode into chains of ids and samples.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "agents/rollouts_internal.h"

struct builder {
    const struct played *played;
    struct rollout_set *out;
    int32_t n_calls;   /* calls of the environment so far in the record */
    int32_t last_step; /* of the open chain */
    int64_t version;   /* of the first call; -1: none yet */
    enum status status;
    struct error *err;
};

static int32_t step_now(const struct builder *b)
{
    const struct played *p = b->played;

    return b->n_calls <= p->n_calls ? p->step_after[b->n_calls] : p->n_steps - 1;
}

/* The verdict on the steps of the chain: their mean if there is more than one. */
static void close_chain(struct builder *b)
{
    const struct played *p = b->played;
    struct rollout_chain *c;
    int32_t n = 0, right = 0, end;

    if (b->last_step < 0)
        return;
    c = &b->out->chain[b->out->n_chains - 1];
    for (int32_t i = c->step; i <= b->last_step && i < p->steps_done && i < p->n_steps; i++, n++)
        right += p->step[i].right;
    c->step_reward = n > 0 ? (double)right / n : NAN;
    end = b->last_step + 1 < p->n_steps ? p->step[b->last_step + 1].calls : p->calls;
    c->calls = end - p->step[c->step].calls;
    b->last_step = -1;
}

static enum status open_chain(struct builder *b, const struct token_record *t)
{
    int32_t step = step_now(b), old = b->out->n_chains - 1;
    int64_t from = b->last_step >= 0 ? b->out->chain[old].first : 0;
    enum status st;

    close_chain(b);
    st = rollout_set_open_chain(b->out, step, b->err);
    if (st)
        return st;
    memcpy(b->out->chain[b->out->n_chains - 1].anchor, b->played->step[step].anchor, 16);
    /* Rewritten history: the part that remains was trained in its own chain. Copied token by token,
     * because the array may move. */
    for (int32_t i = 0; i < t->prefix_len && !st; i++) {
        int32_t id = b->out->ids[from + i];

        st = rollout_set_put(b->out, &id, NULL, 1, b->err);
    }
    return st;
}

static bool is_continued(const struct builder *b, const struct token_record *t)
{
    return b->last_step >= 0 && t->parent && t->prefix_len == b->out->chain[b->out->n_chains - 1].n;
}

static enum status check_record(struct builder *b, const struct token_record *t)
{
    if (t->logp_sampled)
        return error_set(
            b->err, STATUS_UNSUPPORTED,
            "%s was sampled with top-k, top-p, penalties or constraints, which training "
            "cannot replay",
            t->path);
    if (b->version >= 0 && b->version != t->policy_version)
        return error_set(b->err, STATUS_INVALID, "%s: the weights changed during the episode",
                         t->path);
    b->version = t->policy_version;
    if (t->parent && b->last_step >= 0 && t->prefix_len > b->out->chain[b->out->n_chains - 1].n)
        return error_set(b->err, STATUS_CORRUPT,
                         "%s continues from token ids that are not recorded", t->path);
    return STATUS_OK;
}

static bool add_step(void *ctx, const struct rollout_step *s)
{
    struct builder *b = ctx;
    const struct token_record *t = &s->tokens;
    enum status st;

    if (s->is_tool) {
        b->n_calls++;
        return true;
    }
    st = check_record(b, t);
    if (!st && !is_continued(b, t))
        st = open_chain(b, t);
    if (!st)
        st = rollout_set_put(b->out, t->delta, NULL, t->n_delta, b->err);
    if (!st)
        st = rollout_set_put(b->out, t->ids, t->logp, t->n_ids, b->err);
    b->status = st;
    if (st)
        return false;
    b->out->n_fed += t->n_delta;
    b->last_step = step_now(b);
    b->out->chain[b->out->n_chains - 1].cut |= t->finish == FINISH_LENGTH;
    return true;
}

static struct rollout_member member_of(const struct played *p)
{
    const struct env_verdict *v = &p->verdict;

    return (struct rollout_member){
        .group = p->group,
        .member = p->member,
        .status = p->status,
        .reward = p->has_verdict ? (v->success ? 1 : 0) : (double)NAN,
        .calls = p->calls,
        .steps = v->steps,
        .counts =
            {
#define RATE(key, label, decimals, of, per) [ROLLOUTS_RATE_##key] = {of, per},
#include "agents/rollout_rates.def"
#undef RATE
            },
    };
}

enum status rollouts_add_chains(const struct played *p, struct rollout_set *out, struct error *err)
{
    struct rollout_member m = member_of(p);
    struct builder b = {.played = p, .out = out, .last_step = -1, .version = -1, .err = err};
    enum status st = rollout_set_add_member(out, &m, err);

    if (st || p->status == ROLLOUT_OUTSIDE)
        return st;
    st = rollout_unpack(str_cstr(&p->record), p->record.len, add_step, &b, err);
    if (!st)
        st = b.status;
    close_chain(&b);
    if (!st && b.version >= 0 && out->policy_version >= 0 && out->policy_version != b.version)
        st = error_set(err, STATUS_INVALID, "the weights changed between the rollouts");
    if (b.version >= 0)
        out->policy_version = b.version;
    return st;
}
