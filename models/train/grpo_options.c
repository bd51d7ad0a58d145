/* grpo_options.c - the checks of the options, and which of them a resumed run must repeat.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/train/grpo_trainer.h"

static enum status check_numbers(const struct grpo_options *o, struct error *err)
{
    enum status st;

    if (o->updates < 1 || o->groups < 1 || o->minibatch_chains < 1 || o->epochs < 1 ||
        o->max_chains < 0 || o->max_refills < 0)
        return error_set(err, STATUS_USAGE,
                         "updates, groups, minibatch and epochs must be at least 1");
    if (o->group_size < 2)
        return error_set(err, STATUS_USAGE,
                         "a group of %d has no baseline: at least 2 rollouts per task are needed",
                         o->group_size);
    st = learning_check(&o->learning, err);
    if (st)
        return st;
    if (!(o->temperature > 0))
        return error_set(
            err, STATUS_USAGE,
            "the temperature must be above 0: rollouts that do not differ give no gradient");
    if (!(o->policy.clip_low >= 0) || !(o->policy.clip_high >= 0))
        return error_set(err, STATUS_USAGE, "the clip range must be at least 0");
    return STATUS_OK;
}

enum status grpo_check_options(const struct grpo_options *o, const struct weights *start,
                               struct error *err)
{
    const struct model_config *c = weights_config(start);
    enum status st;

    if (!o->out || !*o->out)
        return error_set(err, STATUS_USAGE, "no output folder is given");
    st = check_numbers(o, err);
    if (st)
        return st;
    if (o->groups < o->rollouts->n_tasks)
        return error_set(err, STATUS_USAGE, "%d groups per update are too few for %d tasks",
                         o->groups, o->rollouts->n_tasks);
    if (o->max_len < 2 || o->max_len > c->max_position_embeddings + 1)
        return error_set(err, STATUS_USAGE, "max_len must be 2 to %d, the limit of the model",
                         c->max_position_embeddings + 1);
    st = weights_check_trainable(start, err);
    if (st)
        return st;
    if (o->log && o->learning.step.lr > 5e-4)
        log_write(o->log, LOG_WARN,
                  "the learning rate is %g: rates above 5e-4 have destroyed skills in GRPO runs; "
                  "watch the probe",
                  o->learning.step.lr);
    return STATUS_OK;
}

/* Values that are stored by number. */
static const char *const norm_names[] = {"group", "batch", NULL};
static const char *const aggregation_names[] = {"token", "sequence", "constant", NULL};
static const char *const kl_names[] = {"none", "k1", "k2", "k3", "k3_nemo", NULL};

static void fix_credit(const struct credit_options *c, struct fixed_options *f)
{
    fixed_put(f, "credit", "credit (--credit)", jv_string(credit_name(c->kind)));
    fixed_put_named(f, "norm", "normalization of advantages (--norm)", (int)c->norm, norm_names);
    fixed_put(f, "advantage", "advantage estimator (--advantage)",
              jv_string(advantage_name(c->advantage)));
    fixed_put(f, "call_cost", "cost of a call (--call-cost)", jv_real(c->call_cost));
    fixed_put(f, "call_target", "target of calls per step (--call-target)",
              jv_real(c->call_target));
    fixed_put(f, "call_price_rate", "rate of the price of calls (--call-price-rate)",
              jv_real(c->call_price_rate));
    fixed_put(f, "gamma", "discount (--gamma)", jv_real(c->gamma));
    fixed_put(f, "gigpo_weight", "weight of equal states (--gigpo-weight)",
              jv_real(c->gigpo_weight));
    fixed_put(f, "drop_agreed", "dropping of agreed verdicts (--train-agreed)",
              jv_bool(c->drop_agreed));
    fixed_put(f, "mask_truncated", "masking of truncated rollouts (--mask-truncated)",
              jv_bool(c->mask_truncated));
    fixed_put(f, "overlong_max", "length of the full penalty (--overlong)",
              jv_int(c->overlong_max));
    fixed_put(f, "overlong_soft", "length where the penalty starts (--overlong)",
              jv_int(c->overlong_soft));
    fixed_put(f, "shuffle", "shuffling of advantages (--shuffle-advantages)", jv_bool(c->shuffle));
}

static void fix_policy(const struct policy_options *p, struct fixed_options *f)
{
    fixed_put(f, "objective", "objective (--objective)",
              jv_string(policy_objective_name(p->objective)));
    fixed_put_named(f, "aggregation", "aggregation of losses (--aggregation)", (int)p->aggregation,
                    aggregation_names);
    fixed_put(f, "clip_low", "lower clip range (--clip-low)", jv_real(p->clip_low));
    fixed_put(f, "clip_high", "upper clip range (--clip-high)", jv_real(p->clip_high));
    fixed_put(f, "dual_clip", "dual clip (--dual-clip)", jv_real(p->dual_clip));
    fixed_put_named(f, "kl", "KL term (--kl)", (int)p->kl, kl_names);
    fixed_put(f, "kl_beta", "weight of the KL term (--kl-beta)", jv_real(p->kl_beta));
    fixed_put(f, "max_completion", "longest chain (--max-len)", jv_int(p->max_completion));
}

void grpo_fix_options(const struct grpo_options *o, const struct weights *start, int64_t schedule,
                      struct fixed_options *f)
{
    char hex[65];

    fixed_init(f);
    sha256_hex(weights_hash(start), hex);
    fixed_put(f, "model", "initial model (--model)", jv_string(hex));
    if (weights_kv_is_asked(start))
        fixed_put(f, "kv_type", "type of keys and values (--kv-type)",
                  jv_string(dtype_name(weights_kv_dtype(start))));
    if (o->tokenizer)
        fixed_put(f, "tokenizer", "tokenizer of the model (--model)", jv_string(o->tokenizer));
    fixed_put(f, "task", "task (--env, --faults, --profile, --no-budget)",
              jv_string(o->task ? o->task : ""));
    fixed_put(f, "seed", "seed (--seed)", jv_int((int64_t)o->seed));
    fixed_put(f, "updates", "number of updates (--updates)", jv_int(schedule));
    fixed_put(f, "groups", "groups per update (--groups)", jv_int(o->groups));
    fixed_put(f, "group_size", "rollouts per group (--group-size)", jv_int(o->group_size));
    if (o->rollouts->fix)
        o->rollouts->fix(o->rollouts->ctx, f);
    fix_credit(&o->credit, f);
    fix_policy(&o->policy, f);
    fixed_put(f, "minibatch", "chains per minibatch (--minibatch)", jv_int(o->minibatch_chains));
    fixed_put(f, "max_chains", "chains per update (--max-chains)", jv_int(o->max_chains));
    fixed_put(f, "epochs", "epochs (--epochs)", jv_int(o->epochs));
    fixed_put(f, "max_refills", "refills (--refills)", jv_int(o->max_refills));
    learning_fix(&o->learning, f);
    fixed_put(f, "temperature", "temperature (--temperature)", jv_real((double)o->temperature));
}

enum status grpo_check_resume(const struct grpo_options *o, const struct weights *start,
                              struct error *err)
{
    struct fixed_options f;
    int64_t schedule = o->updates;
    enum status st = learning_schedule(&o->learning, o->out, &schedule, err);

    if (st)
        return st;
    grpo_fix_options(o, start, schedule, &f);
    st = fixed_compare_newest(o->out, &f, err);
    fixed_deinit(&f);
    return st;
}
