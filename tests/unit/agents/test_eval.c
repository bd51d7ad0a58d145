/* test_eval.c - evaluations: controls on their ceilings, records that fit, resume, honest failures.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "agents/eval_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/unit/agents/agent_fixture.h"

#define SEED ENV_SEED_REPORTED

static struct eval_options options(struct store *s, const struct eval_row_spec *row, int32_t n)
{
    return (struct eval_options){.env = env_find("ledger"),
                                 .row = row,
                                 .n_rows = n,
                                 .seed = SEED,
                                 .store = s,
                                 .seams = seams_real()};
}

static void test_wilson_against_known_values(void **state)
{
    /* Newcombe, Statistics in Medicine 17 (1998), table I, method 3. */
    static const struct {
        int64_t k, n;
        double low, high;
    } cases[] = {{81, 263, .2553, .3662},
                 {15, 148, .0624, .1605},
                 {0, 20, 0, .1611},
                 {1, 29, .0061, .1718},
                 {29, 29, .8830, 1}};
    double low, high;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wilson_interval(cases[i].k, cases[i].n, &low, &high);
        assert_true(fabs(low - cases[i].low) < 6e-5);
        assert_true(fabs(high - cases[i].high) < 6e-5);
    }
    wilson_interval(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
}

static void test_scripts_sit_where_they_must(void **state)
{
    static const struct eval_row_spec row[] = {{.horizon = 30, .noise = -1, .episodes = 600},
                                               {.horizon = 10, .noise = .05, .episodes = 300}};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), row, 2);
    struct eval_row r[2];
    char uuid[37];

    o.expert = "plain";
    assert_ok(eval_run(&o, r, uuid, why));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(r[i].n, row[i].episodes);
        assert_true(fabs(r[i].ceiling - pow(i ? .95 : .99, row[i].horizon)) < 1e-9);
        assert_true(r[i].success_low < r[i].ceiling && r[i].ceiling < r[i].success_high);
        assert_true(r[i].recovered == 0);
        assert_true(isnan(r[i].false_alarm));
        assert_true(fabs(r[i].calls_per_step - 3) < 1e-9);
    }
    assert_true(r[0].spec.noise == .01);
    o.expert = "check";
    assert_ok(eval_run(&o, r, uuid, why));
    assert_true(r[0].success > .99);
    assert_true(r[0].recovered > .95);
    assert_true(r[0].detection == 1);
    assert_true(r[0].false_alarm == 0);
    assert_true(r[0].own_slips == 0);
}

static int32_t count_rows(struct store_fixture *f, const char *uuid,
                          bool (*row)(void *ctx, const struct episode_row *e), void *ctx)
{
    struct store_reader *q = NULL;

    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_episodes(q, uuid, NULL, true, row, ctx, why));
    store_reader_close(q);
    return 0;
}

struct records {
    int32_t n_episodes, n_models, n_tools;
    struct env *env; /* replayed along */
    const struct env_ops *ops;
    struct str said, feed;
    struct tokenizer *tokenizer;
    bool is_first;
};

/* Plays the recorded calls again: the prompt of each call is what the environment said. */
static bool check_step(void *ctx, const struct rollout_step *s)
{
    struct records *r = ctx;
    struct env_call call;
    struct env_effect fx;
    struct str delta = STR_INIT, result = STR_INIT;

    if (s->is_tool) {
        r->ops->parse_compact(r->env, str_cstr(&r->said), r->said.len, &call);
        str_clear(&r->feed);
        r->ops->call_compact(r->env, &call, &fx, &r->feed);
        str_put_json_string(&result, str_cstr(&r->feed), r->feed.len);
        assert_string_equal(s->result, str_cstr(&result));
        assert_string_equal(s->name, call.tool < 0 ? "invalid" : r->ops->tools[call.tool].name);
        r->n_tools++;
    } else {
        tokenizer_decode(r->tokenizer, s->tokens.delta, (size_t)s->tokens.n_delta, false, &delta);
        assert_string_equal(str_cstr(&delta), str_cstr(&r->feed));
        str_clear(&r->said);
        tokenizer_decode(r->tokenizer, s->tokens.ids, (size_t)s->tokens.n_ids, false, &r->said);
        assert_int_equal(s->tokens.seed, SEED);
        assert_string_equal(s->tokens.backend, "cpu-fake");
        r->n_models++;
    }
    str_deinit(&delta);
    str_deinit(&result);
    return true;
}

static bool check_episode(void *ctx, const struct episode_row *e)
{
    struct records *r = ctx;
    struct env_params p = {.horizon = 20, .noise = .01, .task_seed = e->seed};
    struct env_verdict v;
    struct eval_after after;
    struct json *verdict = fixture_json(e->verdict), *again;
    char path[64];

    /* Written down so that old records stay readable. */
    p.fault_seed = rng_derive(e->seed, 0x6661756c74U);
    (void)snprintf(path, sizeof(path), "row[0]/episode[%d]", (int)(e->seed - SEED));
    assert_string_equal(e->path, path);
    assert_ok(r->ops->create(&p, &r->env, why));
    str_clear(&r->feed);
    r->ops->observe_compact(r->env, &r->feed);
    assert_ok(rollout_unpack(e->rec, e->rec_bytes, check_step, r, why));
    r->ops->verify(r->env, &v);
    eval_after_of(r->ops, r->env, &after);
    again = eval_verdict_json(&v, &after);
    assert_int_equal(after.wrong + after.right, v.steps - 1);
    assert_true(after.wrong_right + after.right_right <= v.steps_right);
    assert_true(jv_equal(verdict, again));
    assert_int_equal(e->success, v.success);
    assert_int_equal(e->status, STEP_OK);
    jv_unref(again);
    jv_unref(verdict);
    r->ops->free(r->env);
    r->n_episodes++;
    return true;
}

static void test_records_play_again_to_the_same_verdicts(void **state)
{
    static const struct eval_row_spec row = {
        .horizon = 20, .noise = -1, .temperature = 1, .episodes = 40};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct fake_model m;
    struct eval_row r;
    struct records seen = {.ops = env_find("ledger"), .said = STR_INIT, .feed = STR_INIT};
    char uuid[37];

    fake_model_init(&m, "compact", policy_dice);
    o.model = &m.model;
    o.in_flight = 7;
    assert_ok(eval_run(&o, &r, uuid, why));
    assert_int_equal(r.n, 40);
    assert_int_equal(r.n_failed_outside, 0);
    assert_int_equal(r.tok_in, m.n_fed);
    assert_true(r.calls_per_step > 3.2 && r.calls_per_step < 3.8);
    seen.tokenizer = m.tokenizer;
    count_rows(f, uuid, check_episode, &seen);
    assert_int_equal(seen.n_episodes, 40);
    assert_int_equal(seen.n_models, m.n_calls);
    assert_int_equal(seen.n_tools, m.n_calls);
    str_deinit(&seen.said);
    str_deinit(&seen.feed);
    fake_model_deinit(&m);
}

static bool keep_record(void *ctx, const struct episode_row *e)
{
    struct str *all = ctx;

    str_printf(all, "%s %s ", e->path, e->verdict);
    str_append(all, e->rec, e->rec_bytes);
    return true;
}

static void records_of(struct store_fixture *f, const char *uuid, struct str *all)
{
    str_clear(all);
    count_rows(f, uuid, keep_record, all);
    assert_true(all->len > 1000);
}

/* How many are in flight changes the order in which they end, and nothing else. */
static void test_records_do_not_depend_on_company(void **state)
{
    static const struct eval_row_spec row = {
        .horizon = 9, .noise = .1, .temperature = 1, .episodes = 20};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct fake_model m;
    struct eval_row r;
    struct str one = STR_INIT, other = STR_INIT;
    char uuid[37];

    fake_model_init(&m, "compact", policy_dice);
    o.model = &m.model;
    o.in_flight = 1;
    assert_ok(eval_run(&o, &r, uuid, why));
    records_of(f, uuid, &one);
    o.in_flight = 64;
    assert_ok(eval_run(&o, &r, uuid, why));
    records_of(f, uuid, &other);
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);
    str_deinit(&one);
    str_deinit(&other);
    fake_model_deinit(&m);
}

struct interrupter {
    struct fake_model m;
    volatile int flag;
    int32_t after;
};

static void policy_interrupting(struct fake_model *m, const char *context,
                                const struct model_call *c, struct str *out)
{
    struct interrupter *i = (struct interrupter *)(void *)m;

    if (m->n_calls == i->after)
        i->flag = 1;
    policy_dice(m, context, c, out);
}

static void test_resume_plays_only_what_is_missing(void **state)
{
    static const struct eval_row_spec row[] = {
        {.horizon = 9, .noise = .1, .temperature = 1, .episodes = 20},
        {.horizon = 5, .noise = .1, .temperature = 1, .episodes = 10}};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), row, 2);
    struct interrupter i = {.after = 380};
    struct eval_row whole[2], r[2];
    struct str one = STR_INIT, other = STR_INIT;
    struct error err = ERROR_INIT;
    char uuid[37];
    int32_t n_whole;

    fake_model_init(&i.m, "compact", policy_dice);
    o.model = &i.m.model;
    o.in_flight = 4;
    assert_ok(eval_run(&o, whole, uuid, why));
    records_of(f, uuid, &one);
    n_whole = i.m.n_calls;
    i.m.n_calls = 0;
    i.m.policy = policy_interrupting;
    o.interrupted = &i.flag;
    assert_int_equal(eval_run(&o, r, uuid, &err), STATUS_CANCELLED);
    assert_in_range(i.m.n_calls, 380, 390);
    i.flag = 0;
    i.after = -1;
    o.resume = uuid;
    assert_ok(eval_run(&o, r, uuid, why));
    records_of(f, uuid, &other);
    /* What was in flight ran twice: at most 4 episodes of about 32 calls. */
    assert_in_range(i.m.n_calls, n_whole, n_whole + 4 * 60);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(r[k].n, whole[k].n);
        assert_int_equal(r[k].n_success, whole[k].n_success);
        assert_true(r[k].calls_per_step == whole[k].calls_per_step);
    }
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);
    str_deinit(&one);
    str_deinit(&other);
    fake_model_deinit(&i.m);
}

/* An evaluation that was interrupted before its first episode: something to go on with. */
static void begin_eval(struct eval_options o, char uuid[37])
{
    static volatile int at_once = 1;
    struct eval_row ignored[2];
    struct error err = ERROR_INIT;

    o.interrupted = &at_once;
    assert_int_equal(eval_run(&o, ignored, uuid, &err), STATUS_CANCELLED);
}

static void test_resume_refuses_another_question(void **state)
{
    static const struct eval_row_spec row[] = {{.horizon = 9, .noise = .1, .episodes = 2},
                                               {.horizon = 10, .noise = .1, .episodes = 2}};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), row, 1);
    struct fake_model m;
    struct eval_row r;
    struct error err = ERROR_INIT;
    char uuid[37], again[37];

    fake_model_init(&m, "compact", policy_plain);
    o.model = &m.model;
    assert_ok(eval_run(&o, &r, uuid, why));
    o.resume = uuid;
    assert_int_equal(eval_run(&o, &r, again, &err), STATUS_INVALID); /* it has ended */
    o.resume = NULL;
    begin_eval(o, uuid);
    o.resume = uuid;
    m.model.info.hash.byte[3] = 1;
    assert_int_equal(eval_run(&o, &r, again, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "model_hash"));
    m.model.info.hash.byte[3] = 0;
    o.row = row + 1;
    assert_int_equal(eval_run(&o, &r, again, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "rows"));
    o.row = row;
    o.faults = 2;
    assert_int_equal(eval_run(&o, &r, again, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "faults null, not \"value\""));
    o.faults = 0;
    assert_ok(eval_run(&o, &r, again, why)); /* all there: nothing to play */
    assert_int_equal(r.n, 2);
    fake_model_deinit(&m);
}

/* Right three times out of five, by the call's own random numbers; else it ends the order. */
static void policy_unsure(struct fake_model *m, const char *context, const struct model_call *c,
                          struct str *out)
{
    struct rng_block b =
        rng_philox(c->seed, (uint32_t)c->call_id, (uint32_t)(c->call_id >> 32), 1, 0);

    if (b.word[0] % 5 < 3)
        policy_check(m, context, c, out);
    else
        str_printf(out, "CHECKa%02u;", b.word[1] % 100);
}

static void test_a_vote_takes_what_most_say(void **state)
{
    static const struct eval_row_spec row = {
        .horizon = 9, .noise = .1, .temperature = 1, .episodes = 30};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct str one = STR_INIT, other = STR_INIT;
    struct error err = ERROR_INIT;
    struct fake_model m;
    struct eval_row alone, vote, again;
    char uuid[37];

    fake_model_init(&m, "compact", policy_unsure);
    o.model = &m.model;
    assert_ok(eval_run(&o, &alone, uuid, why));
    records_of(f, uuid, &one);
    o.votes = 1; /* no vote: the same bits */
    assert_ok(eval_run(&o, &vote, uuid, why));
    records_of(f, uuid, &other);
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);

    o.votes = 9;
    o.in_flight = 1;
    m.n_fed = m.n_calls = 0;
    assert_ok(eval_run(&o, &vote, uuid, why));
    assert_true(alone.success < .3);
    assert_true(vote.success > .9);
    /* Stray replies differ, so that few of nine samples decide: but never fewer than five. */
    assert_true(vote.calls_per_step < 4.6);
    assert_true(m.n_calls > 5 * 4 * 9 * 28 && m.n_calls < 9 * 5 * 9 * 30);
    records_of(f, uuid, &one);
    o.in_flight = 64;
    assert_ok(eval_run(&o, &again, uuid, why));
    records_of(f, uuid, &other);
    assert_int_equal(one.len, other.len);
    assert_memory_equal(one.data, other.data, one.len);

    begin_eval(o, uuid);
    o.resume = uuid;
    o.votes = 5;
    assert_int_equal(eval_run(&o, &again, uuid, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "vote 9, not 5"));
    str_deinit(&one);
    str_deinit(&other);
    fake_model_deinit(&m);
}

static void test_a_vote_needs_chance(void **state)
{
    static const struct eval_row_spec row = {.horizon = 9, .episodes = 3};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct error err = ERROR_INIT;
    struct fake_model m, text;
    struct eval_row r;
    char uuid[37];

    fake_model_init(&m, "compact", policy_plain);
    fake_text_model_init(&text, NULL);
    o.model = &m.model;
    o.votes = 3;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "temperature"));
    o.model = &text.model;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_UNSUPPORTED);
    o.expert = "plain";
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    fake_model_deinit(&m);
    fake_model_deinit(&text);
}

/* A kind met alone is written down, and must be chosen again to go on. */
static void test_a_choice_of_faults_is_recorded(void **state)
{
    static const struct eval_row_spec row = {.horizon = 9, .noise = .3, .episodes = 20};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct error err = ERROR_INIT;
    struct fake_model m;
    struct eval_row all, r;
    struct str rec = STR_INIT;
    char uuid[37], again[37];

    fake_model_init(&m, "compact", policy_plain);
    o.model = &m.model;
    assert_ok(eval_run(&o, &all, uuid, why));
    o.faults = 4;
    assert_ok(eval_run(&o, &r, uuid, why));
    /* Other kinds at the same moments: a policy that never looks fails the same episodes. */
    assert_int_equal(r.n_success, all.n_success);
    assert_true(r.ceiling == all.ceiling);
    begin_eval(o, uuid);
    o.resume = uuid;
    o.faults = 0;
    assert_int_equal(eval_run(&o, &r, again, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "faults \"target\", not null"));
    o.faults = 4;
    assert_ok(eval_run(&o, &r, again, why));
    records_of(f, uuid, &rec); /* they can be read */
    str_deinit(&rec);
    fake_model_deinit(&m);
}

static void test_failures_outside_are_counted_apart(void **state)
{
    static const struct eval_row_spec row = {.horizon = 9, .noise = 0, .episodes = 10};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct fake_model m;
    struct eval_row r;
    char uuid[37];

    fake_model_init(&m, "compact", policy_plain);
    m.fail_at = 50;
    m.fail_as = STATUS_TIMEOUT;
    o.model = &m.model;
    assert_ok(eval_run(&o, &r, uuid, why));
    assert_int_equal(r.n, 9);
    assert_int_equal(r.n_success, 9);
    assert_int_equal(r.n_failed_outside, 1);
    assert_true(r.success == 1);
    fake_model_deinit(&m);
}

static void test_refuses_wrong_use(void **state)
{
    static const struct eval_row_spec row = {.horizon = 9, .episodes = 10};
    static const struct eval_row_spec none = {.horizon = 9, .episodes = 0};
    static const struct eval_row_spec flat = {.horizon = 0, .episodes = 3};
    struct store_fixture *f = *state;
    struct eval_options o = options(fixture_open(f), &row, 1);
    struct error err = ERROR_INIT;
    struct eval_row r;
    char uuid[37];

    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE); /* nobody acts */
    o.expert = "genius";
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "genius"));
    o.expert = "plain";
    o.seed = ENV_SEED_VALIDATION - 1;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "training"));
    o.seed = UINT64_MAX - 3;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    o.seed = ENV_SEED_VALIDATION;
    o.row = &none;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_USAGE);
    o.row = &flat;
    assert_int_equal(eval_run(&o, &r, uuid, &err), STATUS_INVALID);
}

/* 30 of 40 right after a wrong step, 99 of 100 after a right one: errors breed errors. */
static void test_self_conditioning_is_a_difference_with_its_interval(void **state)
{
    struct eval_tally t = {
        .after = {.wrong = 40, .wrong_right = 30, .right = 100, .right_right = 99}};
    struct eval_row r;

    (void)state;
    eval_tally_row(&t, &r);
    assert_true(fabs(r.self_conditioning - (.75 - .99)) < 1e-12);
    /* By hand from the Wilson intervals .5981-.8582 and .9455-.9982. */
    assert_true(fabs(r.self_low + .3921) < 2e-4);
    assert_true(fabs(r.self_high + .1230) < 2e-4);
    t.after.wrong = t.after.wrong_right = 0; /* nothing ever went wrong */
    eval_tally_row(&t, &r);
    assert_true(isnan(r.self_conditioning) && isnan(r.self_low) && isnan(r.self_high));
    assert_true(r.after_right == .99);
}

/* Rows of two temperatures make two fits, and each takes its own rows alone. */
static void test_horizons_by_temperature(void **state)
{
    static const int32_t horizon[] = {10, 30, 100};
    struct eval_row rows[6];
    struct eval_horizons h[6];
    struct json *v;

    (void)state;
    memset(rows, 0, sizeof(rows));
    for (int i = 0; i < 6; i++) {
        rows[i].spec = (struct eval_row_spec){
            .horizon = horizon[i / 2], .noise = .01, .temperature = (float)(i % 2)};
        rows[i].n = 1000000;
        rows[i].n_success = i % 2 ? (int64_t)(1e6 * pow(.99, horizon[i / 2])) : 1000000;
    }
    assert_int_equal(eval_horizons(rows, 6, h), 2);
    assert_true(h[0].temperature == 0 && !h[0].fit.determined);
    assert_true(h[1].temperature == 1 && h[1].fit.determined);
    assert_true(fabs(h[1].fit.weibull.at[0] - 68.97) < .1);
    v = eval_horizons_json(rows, 6);
    assert_int_equal(jv_size(v), 2);
    assert_int_equal(jv_kind(jv_get(jv_at(v, 0), "weibull")), JV_NULL);
    assert_true(jv_get_number(jv_get(jv_at(v, 0), "h50_above"), 0) == 100);
    assert_int_equal(jv_kind(jv_get(jv_at(v, 0), "h50_below")), JV_NULL);
    assert_true(fabs(jv_get_number(jv_get(jv_get(jv_at(v, 1), "weibull"), "k"), 0) - 1) < .01);
    jv_unref(v);
}

static void test_row_as_json(void **state)
{
    struct eval_row r = {.spec = {.horizon = 30, .noise = .01, .temperature = 1},
                         .n = 10,
                         .success = .5,
                         .recovered = (double)NAN};
    struct eval_options o = {.n_rows = 1};
    struct json *v = eval_row_json(&o, &r);
    static const char *const fields[] = {
        "horizon",      "p",       "temperature", "episodes",      "success", "success_low",
        "success_high", "ceiling", "false_alarm", "calls_per_step"};
    char *text = jv_dump(v);

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        assert_non_null(jv_get(v, fields[i]));
    assert_non_null(strstr(text, "\"recovered\":null"));
    free(text);
    jv_unref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson_against_known_values),
        STORE_TEST(test_scripts_sit_where_they_must),
        STORE_TEST(test_records_play_again_to_the_same_verdicts),
        STORE_TEST(test_records_do_not_depend_on_company),
        STORE_TEST(test_resume_plays_only_what_is_missing),
        STORE_TEST(test_resume_refuses_another_question),
        STORE_TEST(test_a_vote_takes_what_most_say),
        STORE_TEST(test_a_vote_needs_chance),
        STORE_TEST(test_a_choice_of_faults_is_recorded),
        STORE_TEST(test_failures_outside_are_counted_apart),
        STORE_TEST(test_refuses_wrong_use),
        cmocka_unit_test(test_self_conditioning_is_a_difference_with_its_interval),
        cmocka_unit_test(test_horizons_by_temperature),
        cmocka_unit_test(test_row_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
