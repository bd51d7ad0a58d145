/* test_rollouts.c - what the trainer gets from played groups: chains, credit, masks, order,
 * records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <time.h>

#include "agents/rollouts.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "tests/unit/agents/agent_fixture.h"
#include "tools/environments/env_core.h"

#define GROUPS  3
#define SIZE    4
#define HORIZON 6

struct played_set {
    struct fake_model m;
    struct rollouts_options o;
    struct curriculum c;
    const struct env_ops *env[2];
    struct rollout_request q;
    uint64_t task[GROUPS], fault[GROUPS];
    struct rollout_set set;
};

static void begin(struct played_set *p, fake_policy policy)
{
    *p = (struct played_set){
        .o = {.n_env = 1, .seams = seams_real()},
        .c = {.phase = {{.noise = {.3, .3}, .horizon = HORIZON}}, .n_phases = 1},
        .env = {env_find("ledger"), env_find("ledger_cue")},
        .q = {.update = 7,
              .n_groups = GROUPS,
              .group_size = SIZE,
              .sample_seed = 9,
              .temperature = 1,
              .path = "update[7]"}};
    fake_model_init(&p->m, "compact", policy);
    p->o.model = &p->m.model;
    p->o.env = p->env;
    p->o.curriculum = &p->c;
    for (int32_t g = 0; g < GROUPS; g++) {
        p->task[g] = 1000 + (uint64_t)g;
        p->fault[g] = 50 + 100 * (uint64_t)g;
    }
    p->q.task_seed = p->task;
    p->q.fault_seed = p->fault;
}

static enum status play(struct played_set *p, struct error *err)
{
    struct rollout_source *s = NULL;
    enum status st = rollouts_new(&p->o, &s, err);

    if (!st)
        st = s->play(s->ctx, &p->q, &p->set, err);
    rollouts_free(s);
    return st;
}

static void end(struct played_set *p)
{
    rollout_set_deinit(&p->set);
    fake_model_deinit(&p->m);
}

/* The chain's ids that the model drew (or that it did not), as text. */
static void text_of(const struct played_set *p, int32_t chain, int drawn, struct str *out)
{
    const struct rollout_chain *c = &p->set.chain[chain];

    str_clear(out);
    for (int32_t t = 0; t < c->n; t++)
        if (drawn < 0 || p->set.train[c->first + t] == drawn)
            tokenizer_decode(p->m.tokenizer, p->set.ids + c->first + t, 1, false, out);
}

/* Plays the calls of a member's chains again and compares each step's verdict. */
static void check_member(const struct played_set *p, const struct rollout_member *m)
{
    int32_t task = (p->q.first_group + m->group) % p->o.n_env;
    const struct env_ops *ops = p->env[task];
    struct env_params params = {
        .horizon = HORIZON,
        .noise = p->c.phase[0].noise[task],
        .faults = p->o.faults ? p->o.faults[task] : 0,
        .task_seed = p->task[m->group],
        .fault_seed = p->fault[m->group] + (p->o.shared_faults ? 0 : (uint64_t)m->member)};
    struct env *env = NULL;
    struct env_verdict v;
    struct str text = STR_INIT, said = STR_INIT;
    int32_t calls = 0;

    assert_ok(ops->create(&params, &env, why));
    for (int32_t k = 0; k < m->n_chains; k++) {
        const struct rollout_chain *c = &p->set.chain[m->first_chain + k];
        int32_t before = calls;

        assert_int_equal(c->step, k);
        text_of(p, m->first_chain + k, 1, &text);
        for (char *at = text.data, *stop; (stop = strchr(at, ';')) != NULL; at = stop + 1) {
            struct env_call call;
            struct env_effect fx;

            ops->parse_compact(env, at, (size_t)(stop - at) + 1, &call);
            ops->call_compact(env, &call, &fx, &said);
            calls++;
        }
        assert_int_equal(c->calls, calls - before);
        assert_true(c->step_reward == (ops->step_right(env, k) ? 1 : 0));
    }
    ops->verify(env, &v);
    assert_int_equal(m->calls, calls);
    assert_true(m->reward == (v.success ? 1 : 0));
    assert_int_equal(m->steps, v.steps);
    assert_int_equal(m->counts[ROLLOUTS_RATE_steps_right].of, v.steps_right);
    assert_int_equal(m->counts[ROLLOUTS_RATE_recovered].of, v.recovered);
    assert_int_equal(m->counts[ROLLOUTS_RATE_recovered].per, v.at_risk);
    assert_int_equal(m->counts[ROLLOUTS_RATE_verify].of, v.match_shown + v.mismatch_shown);
    assert_int_equal(m->counts[ROLLOUTS_RATE_verify].per, v.steps);
    ops->free(env);
    str_deinit(&text);
    str_deinit(&said);
}

static void chains_are_what_was_fed_and_drawn(void **state)
{
    struct played_set p;
    struct str text = STR_INIT;
    int32_t right = 0, chains = 0;

    (void)state;
    begin(&p, policy_dice);
    assert_ok(play(&p, why));
    assert_int_equal(p.set.n_members, GROUPS * SIZE);
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i];

        assert_int_equal(m->group, i / SIZE);
        assert_int_equal(m->member, i % SIZE);
        assert_int_equal(m->status, ROLLOUT_COMPLETED);
        assert_in_range(m->n_chains, 1, HORIZON);
        assert_int_equal(m->n_chains, m->steps); /* fewer where a step passed its cap of calls */
        assert_int_equal(m->first_chain, chains);
        chains += m->n_chains;
        check_member(&p, m);
    }
    assert_int_equal(p.set.n_chains, chains);
    for (int32_t k = 0; k < chains; k++) {
        const struct rollout_chain *c = &p.set.chain[k];

        text_of(&p, k, -1, &text);
        assert_true(strncmp(str_cstr(&text), "ORD", 3) == 0);
        assert_int_equal(text.data[text.len - 1], ';');
        text_of(&p, k, 0, &text);
        assert_null(strchr(str_cstr(&text), ';')); /* what the environment says is never trained */
        assert_int_equal(p.set.train[c->first], 0);
        for (int32_t t = 0; t < c->n; t++)
            assert_true(p.set.train[c->first + t] || p.set.logp[c->first + t] == 0);
        right += c->step_reward == 1;
    }
    assert_true(right > 0 && right < chains); /* both happen, or this proves little */
    assert_true(p.set.rollout_s > 0 && p.set.env_s >= 0 && p.set.env_s < p.set.rollout_s);
    assert_int_equal(p.set.n_fed, p.m.n_fed);
    str_deinit(&text);
    end(&p);
}

static void assert_same(const struct rollout_set *a, const struct rollout_set *b)
{
    assert_int_equal(a->n_members, b->n_members);
    assert_int_equal(a->n_chains, b->n_chains);
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_memory_equal(a->member, b->member, (size_t)a->n_members * sizeof(*a->member));
    assert_memory_equal(a->ids, b->ids, (size_t)a->n_tokens * sizeof(*a->ids));
    assert_memory_equal(a->train, b->train, (size_t)a->n_tokens);
    assert_memory_equal(a->logp, b->logp, (size_t)a->n_tokens * sizeof(*a->logp));
    for (int32_t i = 0; i < a->n_chains; i++)
        assert_true(a->chain[i].first == b->chain[i].first && a->chain[i].n == b->chain[i].n &&
                    a->chain[i].step_reward == b->chain[i].step_reward &&
                    memcmp(a->chain[i].anchor, b->chain[i].anchor, 16) == 0);
}

static void company_changes_no_bit(void **state)
{
    struct played_set alone, many;

    (void)state;
    begin(&alone, policy_dice);
    alone.o.in_flight = 1;
    assert_ok(play(&alone, why));
    begin(&many, policy_dice);
    assert_ok(play(&many, why));
    assert_same(&alone.set, &many.set);
    /* Another path draws other numbers. */
    rollout_set_clear(&many.set);
    many.q.path = "update[7]/refill[1]";
    assert_ok(play(&many, why));
    assert_true(alone.set.n_tokens != many.set.n_tokens ||
                memcmp(alone.set.logp, many.set.logp, (size_t)many.set.n_tokens * 4) != 0);
    end(&alone);
    end(&many);
}

/* The policy is a rule: members differ by their faults alone. */
static void faults_are_shared_or_private(void **state)
{
    struct played_set p;
    int32_t n = 0, differ = 0;

    (void)state;
    begin(&p, policy_check);
    p.o.shared_faults = true;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i], *first = &p.set.member[i / SIZE * SIZE];

        check_member(&p, m);
        assert_int_equal(m->calls, first->calls);
        assert_int_equal(m->counts[ROLLOUTS_RATE_recovered].per,
                         first->counts[ROLLOUTS_RATE_recovered].per);
        n += m->counts[ROLLOUTS_RATE_recovered].per;
    }
    assert_true(n > 0);
    p.o.shared_faults = false;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        check_member(&p, &p.set.member[i]);
        differ += p.set.member[i].calls != p.set.member[i / SIZE * SIZE].calls;
    }
    assert_true(differ > 0);
    end(&p);
}

static void equal_states_have_equal_anchors(void **state)
{
    struct played_set p;

    (void)state;
    begin(&p, policy_plain);
    p.c.phase[0].noise[0] = 0;
    assert_ok(play(&p, why));
    for (int32_t k = 0; k < p.set.n_chains; k++) {
        const struct rollout_chain *c = &p.set.chain[k];
        int32_t group = p.set.member[c->member].group;

        for (int32_t l = 0; l < p.set.n_chains; l++) {
            const struct rollout_chain *d = &p.set.chain[l];
            bool same = p.set.member[d->member].group == group && d->step == c->step;

            assert_int_equal(memcmp(c->anchor, d->anchor, 16) == 0, same);
        }
    }
    end(&p);
}

static void failures_outside_are_masked_and_change_nobody_else(void **state)
{
    struct played_set whole, p;
    int32_t n_outside = 0;

    (void)state;
    begin(&whole, policy_dice);
    assert_ok(play(&whole, why));
    begin(&p, policy_dice);
    p.m.fail_at = 40;
    p.m.fail_as = STATUS_TIMEOUT;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i], *w = &whole.set.member[i];

        if (m->status == ROLLOUT_OUTSIDE) {
            n_outside++;
            assert_int_equal(m->n_chains, 0);
            assert_true(isnan(m->reward));
            continue;
        }
        assert_int_equal(m->n_chains, w->n_chains);
        assert_int_equal(m->calls, w->calls);
        assert_memory_equal(p.set.ids + p.set.chain[m->first_chain].first,
                            whole.set.ids + whole.set.chain[w->first_chain].first,
                            (size_t)p.set.chain[m->first_chain].n * 4);
    }
    assert_int_equal(n_outside, 1);
    end(&whole);
    end(&p);
}

/* One episode at a time; from the 40th call on the model never answers. */
static void what_hangs_is_timed_out_and_masked(void **state)
{
    struct played_set p;
    int32_t n_outside = 0, n_whole = 0;

    (void)state;
    begin(&p, policy_dice);
    p.o.in_flight = 1;
    p.o.timeout_ms = 60;
    p.m.hold = 40;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        n_outside += p.set.member[i].status == ROLLOUT_OUTSIDE;
        n_whole += p.set.member[i].status == ROLLOUT_COMPLETED;
    }
    assert_true(n_outside > 0 && n_whole > 0 && n_outside + n_whole == GROUPS * SIZE);
    end(&p);
}

static void what_the_length_ended_is_truncated(void **state)
{
    struct played_set p;
    struct str text = STR_INIT;
    int32_t n = 0;

    (void)state;
    begin(&p, policy_dice);
    p.m.fail_at = 40;
    p.m.fail_as = STATUS_LIMIT; /* as an engine answers when the context is full */
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i];

        if (m->status != ROLLOUT_TRUNCATED)
            continue;
        n++;
        assert_in_range(m->n_chains, 1, HORIZON);
        /* The step that was under way has no verdict. */
        for (int32_t k = m->first_chain; k < m->first_chain + m->n_chains; k++) {
            text_of(&p, k, 1, &text);
            assert_int_equal(isnan(p.set.chain[k].step_reward) != 0,
                             strstr(str_cstr(&text), "NEXT;") == NULL);
        }
        assert_true(isnan(m->reward));
    }
    assert_int_equal(n, 1);
    str_deinit(&text);
    end(&p);
}

static void policy_silent(struct fake_model *m, const char *context, const struct model_call *c,
                          struct str *out)
{
    (void)m;
    (void)context;
    (void)c;
    str_puts(out, "ORDORDORDORDORDORDORDORDORDORD"); /* and never the stop */
}

static void replies_that_were_cut_are_marked(void **state)
{
    struct played_set p;

    (void)state;
    begin(&p, policy_silent);
    assert_ok(play(&p, why));
    for (int32_t k = 0; k < p.set.n_chains; k++) {
        assert_true(p.set.chain[k].cut);
        assert_true(p.set.chain[k].step_reward == 0);
    }
    for (int32_t i = 0; i < p.set.n_members; i++) {
        assert_int_equal(p.set.member[i].status, ROLLOUT_COMPLETED); /* its own fault */
        assert_true(p.set.member[i].reward == 0);
    }
    end(&p);
}

static void policy_bytes(struct fake_model *m, const char *context, const struct model_call *c,
                         struct str *out)
{
    (void)m;
    (void)context;
    (void)c;
    str_append(out, "G\0\377;", 4); /* a hot sampler writes anything */
}

static void replies_that_are_no_text_are_recorded(void **state)
{
    struct played_set p;

    (void)state;
    begin(&p, policy_bytes);
    assert_ok(play(&p, why));
    assert_int_equal(p.set.n_members, GROUPS * SIZE);
    for (int32_t i = 0; i < p.set.n_members; i++) {
        assert_int_equal(p.set.member[i].status, ROLLOUT_COMPLETED);
        assert_int_equal(p.set.member[i].n_chains, 1); /* the first step passed its cap */
    }
    end(&p);
}

#define SKIP "<tool_call>\n{\"name\": \"next\", \"arguments\": {}}\n</tool_call><|end|>"

static void policy_skips(struct fake_model *m, const char *context, const struct model_call *c,
                         struct str *out)
{
    (void)m;
    (void)context;
    (void)c;
    str_puts(out, SKIP);
}

/* Messages through a template: a step's transcript is a chain here too. */
static void chat_models_give_chains_as_well(void **state)
{
    static const char template_text[] =
        "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content or '' }}{% for c in m.tool_calls "
        "or "
        "[] %}<tool_call>{{ c.function.name }}</tool_call>{% endfor %}<|end|>\n{% endfor %}{% if "
        "add_generation_prompt %}<|bos|>assistant\n{% endif %}";
    struct played_set p;
    struct str text = STR_INIT;

    (void)state;
    begin(&p, policy_skips);
    fake_model_deinit(&p.m);
    fake_model_init(&p.m, NULL, policy_skips);
    p.m.model.info.chat_template = template_text;
    assert_ok(play(&p, why));
    assert_int_equal(p.set.n_chains, GROUPS * SIZE * HORIZON);
    for (int32_t k = 0; k < p.set.n_chains; k++) {
        const struct rollout_chain *c = &p.set.chain[k];

        assert_int_equal(c->step, k % HORIZON);
        assert_int_equal(c->calls, 1);
        assert_true(c->step_reward == 0);
        text_of(&p, k, 1, &text);
        assert_string_equal(str_cstr(&text), SKIP);
        text_of(&p, k, 0, &text);
        assert_non_null(strstr(str_cstr(&text), "\"order\""));
    }
    str_deinit(&text);
    end(&p);
}

static bool count_run(void *ctx, const struct run_row *r)
{
    int64_t *updates = ctx;

    assert_string_equal(r->kind, "train");
    updates[++updates[0]] = jv_get_int(jv_get(r->config, "update"), -1);
    return true;
}

struct seen {
    const struct played_set *p;
    int32_t n, n_refill, n_success;
};

static bool see_episode(void *ctx, const struct episode_row *e)
{
    struct seen *s = ctx;

    assert_true(strncmp(e->path, "update[9]/", 10) == 0);
    s->n++;
    s->n_refill += strstr(e->path, "refill[1]/") != NULL;
    s->n_success += e->success;
    assert_int_equal(e->status, STEP_OK);
    assert_true(e->rec_bytes > 100);
    return true;
}

static bool take_uuid(void *ctx, const struct run_row *r)
{
    (void)snprintf(ctx, 37, "%s", r->uuid);
    return false;
}

static void newest_updates_stay_in_the_store(void **state)
{
    struct store_fixture *f = *state;
    struct played_set p;
    struct rollout_source *s = NULL;
    struct store_reader *q = NULL;
    struct seen seen = {.p = &p};
    int64_t updates[8] = {0};
    char uuid[37], path[64];
    int32_t success = 0;

    begin(&p, policy_dice);
    p.o.store = fixture_open(f);
    p.o.keep_updates = 2;
    for (int64_t u = 6; u <= 9; u++) {
        if (u % 2 == 0) { /* the second half by another process, so to say */
            rollouts_free(s);
            s = NULL;
            assert_ok(rollouts_new(&p.o, &s, why));
        }
        p.q.update = u;
        (void)snprintf(path, sizeof(path), "update[%d]", (int)u);
        p.q.path = path;
        assert_ok(s->play(s->ctx, &p.q, &p.set, why));
    }
    for (int32_t i = 0; i < p.set.n_members; i++)
        success += p.set.member[i].reward == 1;
    p.q.path = "update[9]/refill[1]";
    assert_ok(s->play(s->ctx, &p.q, &p.set, why));
    for (int32_t i = 0; i < p.set.n_members; i++)
        success += p.set.member[i].reward == 1;
    rollouts_free(s);
    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_runs(q, 0, 0, count_run, updates, why));
    assert_int_equal(updates[0], 2);
    assert_int_equal(updates[1], 9);
    assert_int_equal(updates[2], 8);
    assert_ok(query_runs(q, 0, 0, take_uuid, uuid, why));
    assert_ok(query_episodes(q, uuid, NULL, true, see_episode, &seen, why));
    store_reader_close(q);
    assert_int_equal(seen.n, 2 * GROUPS * SIZE);
    assert_int_equal(seen.n_refill, GROUPS * SIZE);
    assert_int_equal(seen.n_success, success);
    end(&p);
}

static void wrong_use_is_refused(void **state)
{
    struct played_set p;
    struct fake_model text;
    struct error err = ERROR_INIT;
    volatile int flag = 1;

    (void)state;
    begin(&p, policy_plain);
    p.task[1] = ENV_SEED_VALIDATION;
    assert_int_equal(play(&p, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "2^20"));
    p.task[1] = ENV_SEED_VALIDATION - 1;
    p.c.phase[0].noise[0] = 2; /* no environment can be made: all fail, and the error says so */
    assert_int_not_equal(play(&p, &err), STATUS_OK);
    assert_non_null(strstr(err.message, "noise"));
    p.c.phase[0].noise[0] = .3;
    p.c.phase[0].horizon = 0;
    assert_int_equal(play(&p, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "horizon"));
    p.c.phase[0].horizon = HORIZON;
    p.m.processed = true;
    assert_int_equal(play(&p, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "cannot replay"));
    p.m.processed = false;
    p.o.interrupted = &flag;
    assert_int_equal(play(&p, &err), STATUS_CANCELLED);
    fake_text_model_init(&text, NULL);
    p.o.model = &text.model;
    assert_int_equal(play(&p, &err), STATUS_UNSUPPORTED);
    fake_model_deinit(&text);
    end(&p);
}

/* A world that cannot be made every third time. */
static enum status throws(const struct env_params *p, struct env **out, struct error *err)
{
    if (p->fault_seed % 3 == 0)
        return error_set(err, STATUS_FAILED, "the world fell down");
    return env_find("ledger")->create(p, out, err);
}

static void a_world_that_throws_is_masked(void **state)
{
    struct env_ops thrower = *env_find("ledger");
    struct played_set whole, p;
    struct error err = ERROR_INIT;

    (void)state;
    begin(&whole, policy_dice);
    assert_ok(play(&whole, why));
    begin(&p, policy_dice);
    thrower.create = throws;
    p.env[0] = &thrower;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i];
        bool thrown = (p.fault[m->group] + (uint64_t)m->member) % 3 == 0;

        assert_int_equal(m->status, thrown ? ROLLOUT_OUTSIDE : ROLLOUT_COMPLETED);
        assert_true(thrown ? isnan(m->reward) && m->n_chains == 0
                           : m->calls == whole.set.member[i].calls);
    }
    /* All of them: there is nothing to train on, and the error has the first cause. */
    for (int32_t g = 0; g < GROUPS; g++)
        p.fault[g] = 3;
    p.o.shared_faults = true;
    assert_int_equal(play(&p, &err), STATUS_FAILED);
    assert_non_null(strstr(err.message, "the world fell down"));
    end(&whole);
    end(&p);
}

/* A tool that hangs for longer than an episode may take: timed out and masked, the rest goes on. */
static void hangs(struct env *e, const struct env_call *c, struct env_effect *fx, struct str *out)
{
    static const struct timespec long_time = {.tv_nsec = 130000000};

    if (e->params.task_seed == 1001 && e->tally.calls == 2)
        (void)nanosleep(&long_time, NULL);
    env_find("ledger")->call_compact(e, c, fx, out);
}

static void a_tool_that_hangs_is_timed_out_and_masked(void **state)
{
    struct env_ops slow = *env_find("ledger");
    struct played_set p;

    (void)state;
    begin(&p, policy_dice);
    slow.call_compact = hangs;
    p.env[0] = &slow;
    p.o.in_flight = 1;
    p.o.timeout_ms = 120;
    assert_ok(play(&p, why));
    for (int32_t i = 0; i < p.set.n_members; i++) {
        const struct rollout_member *m = &p.set.member[i];

        assert_int_equal(m->status, m->group == 1 ? ROLLOUT_OUTSIDE : ROLLOUT_COMPLETED);
        assert_int_equal(isnan(m->reward), m->group == 1); /* never scored 0 */
    }
    end(&p);
}

static void no_groups_at_all_are_refused(void **state)
{
    struct played_set p;
    struct error err = ERROR_INIT;

    (void)state;
    begin(&p, policy_plain);
    p.q.n_groups = 0;
    assert_int_equal(play(&p, &err), STATUS_INVALID);
    p.q.n_groups = GROUPS;
    p.q.group_size = 0;
    assert_int_equal(play(&p, &err), STATUS_INVALID);
    end(&p);
}

/* Group by group another environment, at its own noise; each group is what it is alone. */
static void environments_are_dealt_to_the_groups(void **state)
{
    static const uint32_t faults[] = {0, 4};
    struct played_set alone, mixed;
    struct str text = STR_INIT;
    int32_t n_cue = 0;

    (void)state;
    begin(&alone, policy_check);
    assert_ok(play(&alone, why));
    for (int32_t first = 0; first < 2; first++) {
        begin(&mixed, policy_check);
        mixed.o.n_env = 2;
        mixed.o.faults = faults;
        mixed.c.phase[0].noise[1] = .6;
        mixed.q.first_group = first;
        assert_ok(play(&mixed, why));
        for (int32_t i = 0; i < mixed.set.n_members; i++) {
            const struct rollout_member *m = &mixed.set.member[i], *a = &alone.set.member[i];
            bool cue = (m->group + first) % 2 == 1;

            check_member(&mixed, m);
            text_of(&mixed, m->first_chain, 0, &text);
            /* Orders with a cue end in their class. */
            assert_int_equal(text.data[6] == 'a' || text.data[6] == 'b', cue);
            n_cue += cue;
            if (cue)
                continue;
            assert_int_equal(m->n_chains, a->n_chains);
            assert_int_equal(m->calls, a->calls);
            assert_int_equal(m->counts[ROLLOUTS_RATE_steps_right].of,
                             a->counts[ROLLOUTS_RATE_steps_right].of);
        }
        end(&mixed);
    }
    assert_int_equal(n_cue, GROUPS * SIZE);
    str_deinit(&text);
    end(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_what_was_fed_and_drawn),
        cmocka_unit_test(company_changes_no_bit),
        cmocka_unit_test(faults_are_shared_or_private),
        cmocka_unit_test(environments_are_dealt_to_the_groups),
        cmocka_unit_test(equal_states_have_equal_anchors),
        cmocka_unit_test(failures_outside_are_masked_and_change_nobody_else),
        cmocka_unit_test(a_world_that_throws_is_masked),
        cmocka_unit_test(a_tool_that_hangs_is_timed_out_and_masked),
        cmocka_unit_test(no_groups_at_all_are_refused),
        cmocka_unit_test(what_hangs_is_timed_out_and_masked),
        cmocka_unit_test(what_the_length_ended_is_truncated),
        cmocka_unit_test(replies_that_were_cut_are_marked),
        cmocka_unit_test(replies_that_are_no_text_are_recorded),
        cmocka_unit_test(chat_models_give_chains_as_well),
        STORE_TEST(newest_updates_stay_in_the_store),
        cmocka_unit_test(wrong_use_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
