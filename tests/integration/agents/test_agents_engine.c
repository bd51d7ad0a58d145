/* test_agents_engine.c - agents on the real engine: the records of an evaluation do not depend on
 * other sessions or threads, and equal the training pass bit for bit; a resumed run samples the
 * same tokens as without the interruption.
 *
 * The model is random: its replies have no meaning, but their bits can be compared.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/eval.h"
#include "agents/rollout.h"
#include "models/formats/token_ids.h"
#include "models/train/sft.h"
#include "tests/integration/agents/small_engine.h"
#include "tests/unit/store/store_fixture.h"

struct bench {
    struct weights *weights;
    struct engine *engine;
    char folder[64];
};

static struct model *open_bench(struct bench *b, int32_t n_threads)
{
    if (!b->weights) {
        b->weights = small_weights(.3f);
        small_folder(b->folder);
    }
    b->engine = small_engine(b->weights, b->folder, n_threads);
    return engine_model(b->engine);
}

static void shut_bench(struct bench *b)
{
    temp_dir_remove(b->folder);
    weights_unref(b->weights);
}

static bool keep_record(void *ctx, const struct episode_row *e)
{
    struct str *all = ctx;

    str_printf(all, "%s %s ", e->path, e->verdict);
    str_append(all, e->rec, e->rec_bytes);
    return true;
}

static void evaluate(struct bench *b, struct store *s, int32_t in_flight, int32_t n_threads,
                     char uuid[37], struct str *all)
{
    static const struct eval_row_spec row = {
        .horizon = 3, .noise = .1, .temperature = 1, .episodes = 16};
    struct eval_options o = {.env = env_find("ledger"),
                             .model = open_bench(b, n_threads),
                             .row = &row,
                             .n_rows = 1,
                             .seed = ENV_SEED_REPORTED,
                             .in_flight = in_flight,
                             .store = s,
                             .seams = seams_real()};
    struct eval_row r;
    struct store_reader *q = NULL;

    assert_ok(eval_run(&o, &r, uuid, why));
    assert_int_equal(r.n, 16);
    assert_true(r.tok_out > 500);
    engine_close(b->engine);
    str_clear(all);
    assert_ok(store_reader_open(s, &q, why));
    assert_ok(query_episodes(q, uuid, NULL, true, keep_record, all, why));
    store_reader_close(q);
}

static void test_records_do_not_depend_on_company_or_threads(void **state)
{
    static const int32_t cases[][2] = {{16, 1}, {5, 2}, {64, 2}};
    struct store_fixture *f = *state;
    struct store *s = fixture_open(f);
    struct bench b = {.weights = NULL};
    struct str alone = STR_INIT, other = STR_INIT;
    char uuid[37];

    evaluate(&b, s, 1, 1, uuid, &alone);
    for (size_t i = 0; i < 3; i++) {
        evaluate(&b, s, cases[i][0], cases[i][1], uuid, &other);
        assert_int_equal(alone.len, other.len);
        assert_memory_equal(alone.data, other.data, alone.len);
    }
    str_deinit(&alone);
    str_deinit(&other);
    shut_bench(&b);
}

/* One chain of calls, and its recorded log-probs. */
struct chain {
    struct weights *weights;
    struct pool *pool;
    struct token_ids ids;
    float logp[4096];
    bool sampled[4096];
    int32_t n_chains, n_compared;
};

static void compare_chain(struct chain *c)
{
    float want[4096];
    int32_t n = (int32_t)c->ids.n;

    if (n == 0)
        return;
    assert_ok(train_logp(c->pool, c->weights, c->ids.id, n, 1, want, why));
    for (int32_t i = 0; i < n; i++) {
        if (!c->sampled[i])
            continue;
        assert_memory_equal(&want[i], &c->logp[i], sizeof(want[i]));
        c->n_compared++;
    }
    c->n_chains++;
}

static void extend(struct chain *c, const int32_t *ids, const float *logp, int32_t n)
{
    assert_true(c->ids.n + (size_t)n < 4096);
    for (int32_t i = 0; i < n; i++) {
        c->sampled[c->ids.n] = logp != NULL;
        c->logp[c->ids.n] = logp ? logp[i] : 0;
        assert_ok(token_ids_push(&c->ids, ids[i], why));
    }
}

static bool follow(void *ctx, const struct rollout_step *s)
{
    struct chain *c = ctx;
    const struct token_record *t = &s->tokens;

    if (s->is_tool)
        return true;
    if (!t->parent) {
        compare_chain(c);
        token_ids_clear(&c->ids);
    }
    assert_int_equal(t->prefix_len, c->ids.n);
    extend(c, t->delta, NULL, t->n_delta);
    extend(c, t->ids, t->logp, t->n_ids);
    return true;
}

static bool follow_episode(void *ctx, const struct episode_row *e)
{
    assert_ok(rollout_unpack(e->rec, e->rec_bytes, follow, ctx, why));
    return true;
}

static void test_training_sees_the_recorded_bits(void **state)
{
    struct store_fixture *f = *state;
    struct store *s = fixture_open(f);
    struct bench b = {.weights = NULL};
    struct chain *c = calloc(1, sizeof(*c));
    struct str all = STR_INIT;
    struct store_reader *q = NULL;
    char uuid[37];

    evaluate(&b, s, 7, 2, uuid, &all);
    c->weights = b.weights;
    assert_ok(pool_new(2, &c->pool, why));
    token_ids_init(&c->ids, TOKEN_IDS_MAX_DEFAULT);
    assert_ok(store_reader_open(s, &q, why));
    assert_ok(query_episodes(q, uuid, NULL, true, follow_episode, c, why));
    store_reader_close(q);
    compare_chain(c);
    assert_true(c->n_chains >= 16);
    assert_true(c->n_compared > 500);
    token_ids_deinit(&c->ids);
    pool_free(c->pool);
    free(c);
    str_deinit(&all);
    shut_bench(&b);
}

struct watch {
    struct agent *agent;
    bool over;
    enum step_state state;
};

static void note_end(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct watch *w = ctx;

    w->over = true;
    w->state = r->state;
    agent_free(a);
    w->agent = NULL;
}

static enum step_state play(struct model *m, struct run *run, int32_t cancel_at)
{
    struct agent_host_options ho = {.seams = seams_real()};
    struct agent_host *host = NULL;
    struct agent_role role = {.name = "clerk", .model = m, .sampling = SAMPLING_DEFAULT};
    struct agent_task t = {.role = &role,
                           .scope = {.run = run, .path = "play", .sample_seed = 9},
                           .env_ops = env_find("ledger"),
                           .env_params = {.horizon = 3, .noise = .1, .task_seed = 4}};
    struct watch w = {.over = false};

    assert_ok(agent_host_new(&ho, &host, why));
    assert_ok(agent_start(host, &t, note_end, &w, &w.agent, why));
    for (int32_t i = 1; !w.over; i++) {
        agent_host_poll(host, 50);
        journal_flush(run);
        if (i == cancel_at)
            agent_cancel(w.agent);
    }
    agent_host_free(host);
    return w.state;
}

static bool put_tokens(void *ctx, const struct step_row *s)
{
    struct str *out = ctx;
    const struct token_record *t = s->tokens;

    str_printf(out, "%s %d\n", s->path, (int)s->state);
    for (int32_t i = 0; t && i < t->n_delta; i++)
        str_printf(out, "%d ", t->delta[i]);
    for (int32_t i = 0; t && i < t->n_ids; i++)
        str_printf(out, "%d %a ", t->ids[i], (double)t->logp[i]);
    return true;
}

static void test_a_run_taken_up_again_samples_the_same(void **state)
{
    struct store_fixture *f = *state;
    struct store *s = fixture_open(f);
    struct bench b = {.weights = NULL};
    struct model *m = open_bench(&b, 1);
    struct str text[2] = {STR_INIT, STR_INIT};

    for (int i = 0; i < 2; i++) {
        struct run *run = fixture_run(s);
        struct store_reader *q = NULL;

        if (i == 1) {
            assert_int_equal(play(m, run, 3), STEP_CANCELLED);
            assert_int_equal(play(m, run, 4), STEP_CANCELLED);
        }
        assert_int_equal(play(m, run, 0), STEP_OK);
        assert_ok(journal_sync(run, why));
        assert_ok(store_reader_open(s, &q, why));
        assert_ok(query_steps(q, run_uuid(run), NULL, -1, true, put_tokens, &text[i], why));
        store_reader_close(q);
        run_close(run);
    }
    assert_true(text[0].len > 1000);
    assert_string_equal(str_cstr(&text[0]), str_cstr(&text[1]));
    str_deinit(&text[0]);
    str_deinit(&text[1]);
    engine_close(b.engine);
    shut_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_records_do_not_depend_on_company_or_threads),
        STORE_TEST(test_training_sees_the_recorded_bits),
        STORE_TEST(test_a_run_taken_up_again_samples_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
