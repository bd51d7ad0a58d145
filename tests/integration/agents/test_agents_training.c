/* test_agents_training.c - model calls during a training on the same engine: each is answered by
 * exactly the weights whose version it records, versions only rise, and the calls do not change the
 * bits of the training.
 *
 * The model is random and writes random tokens until each step reaches its limit of calls, so that
 * verdicts agree; the length of its replies has a cost, so that there is a gradient.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "agents/rollouts.h"
#include "models/train/grpo.h"
#include "models/train/sft.h"
#include "tests/integration/agents/small_engine.h"
#include "tests/unit/store/store_fixture.h"

#define UPDATES 5
#define PROMPT  5
#define REPLY   12
#define TURNS   3 /* calls of a session; some run across a publication */
#define CALLS   3000

struct answer {
    int64_t version;
    int32_t n_context, n_ids;
    int32_t ids[TURNS * (PROMPT + REPLY)]; /* all ids of the session, this reply last */
    float logp[REPLY];
};

/* Another user of the engine: its own sessions, on its own thread. */
struct live {
    struct model *model;
    pthread_t thread;
    atomic_bool stop;
    struct answer *answer; /* (CALLS) */
    int32_t n;
};

struct bench {
    char folder[64], out[80];
    struct weights *start;
    struct engine *engine;
    struct pool *pool;
    struct weights *published[UPDATES + 2]; /* by version, from the start's on */
    int64_t first;
};

static void open_bench(struct bench *b, const char *out)
{
    memset(b, 0, sizeof(*b));
    small_folder(b->folder);
    (void)snprintf(b->out, sizeof(b->out), "%s/%s", b->folder, out);
    b->start = small_weights(.05f);
    b->first = weights_version(b->start);
    b->engine = small_engine(b->start, b->folder, 2);
    b->pool = engine_pool(b->engine);
}

static void shut_bench(struct bench *b)
{
    for (size_t i = 0; i < sizeof(b->published) / sizeof(b->published[0]); i++)
        weights_unref(b->published[i]);
    weights_unref(b->start);
    engine_close(b->engine);
    temp_dir_remove(b->folder);
}

static void publish(void *ctx, struct weights *w)
{
    struct bench *b = ctx;
    int64_t at = weights_version(w) - b->first;

    assert_in_range(at, 0, UPDATES + 1);
    weights_unref(b->published[at]);
    b->published[at] = weights_ref(w);
    engine_publish(b->engine, w);
}

static void exclusive(void *ctx, void (*fn)(void *arg, struct lane lane), void *arg)
{
    const struct bench *b = ctx;

    engine_run_exclusive(b->engine, fn, arg);
}

/* ---- the live side */

static void ask(struct live *l, struct mailbox *box, struct model_session *s, int32_t *ids,
                int32_t *n, int32_t turn)
{
    struct answer *a = &l->answer[l->n];
    int32_t reply[REPLY], id = l->n;
    float logp[REPLY], sampled[REPLY];
    struct model_call c = {.reply = box,
                           .session = s,
                           .keep = *n,
                           .delta = ids + *n,
                           .n_delta = PROMPT,
                           .seed = 77,
                           .call_id = (uint64_t)id,
                           .sampling = SAMPLING_DEFAULT,
                           .max_tokens = REPLY,
                           .priority = 1,
                           .ids = reply,
                           .logp = logp,
                           .logp_sampled = sampled};

    for (int32_t i = 0; i < PROMPT; i++)
        ids[(*n)++] = (7 * id + 31 * i + 5 * turn) % SMALL_VOCAB;
    l->model->ops->start(l->model, &c);
    (void)mailbox_wait(box, -1);
    if (c.status || c.n_ids > REPLY)
        return;
    memcpy(ids + *n, reply, (size_t)c.n_ids * sizeof(*ids));
    a->version = c.policy_version;
    a->n_context = *n;
    a->n_ids = c.n_ids;
    *n += c.n_ids;
    memcpy(a->ids, ids, (size_t)*n * sizeof(*ids));
    memcpy(a->logp, logp, (size_t)c.n_ids * sizeof(*logp));
    l->n++;
}

static void *work(void *ctx)
{
    struct live *l = ctx;
    struct mailbox *box = mailbox_new(NULL, NULL);

    while (!atomic_load(&l->stop) && l->n + TURNS < CALLS) {
        struct model_session *s = NULL;
        int32_t ids[TURNS * (PROMPT + REPLY)], n = 0;
        struct error err = ERROR_INIT;

        if (l->model->ops->session_open(l->model, NULL, &s, &err))
            break;
        for (int32_t turn = 0; turn < TURNS; turn++)
            ask(l, box, s, ids, &n, turn);
        l->model->ops->session_close(l->model, s);
    }
    mailbox_free(box);
    return NULL;
}

/* ---- the training */

static struct sha256 train(struct bench *b)
{
    const struct env_ops *env = env_find("ledger");
    static const struct curriculum curriculum = {
        .phase = {{.from = 0, .noise = {.2}, .horizon = 2}}, .n_phases = 1};
    struct rollouts_options ro = {.env = &env,
                                  .n_env = 1,
                                  .curriculum = &curriculum,
                                  .model = engine_model(b->engine),
                                  .in_flight = 32,
                                  .seams = seams_real()};
    struct rollout_source *rollouts = NULL;
    struct grpo_options o = {
        .out = b->out,
        .task = "ledger",
        .seed = 4,
        .updates = UPDATES,
        .groups = 3,
        .group_size = 6,
        .credit = {.kind = CREDIT_STEP,
                   .norm = CREDIT_NORM_BATCH,
                   .overlong_max = 60,
                   .overlong_soft = 30},
        .policy = {.objective = POLICY_PPO, .clip_low = .2, .clip_high = .28},
        .minibatch_chains = 8,
        .epochs = 1,
        .learning = {.step = {.lr = 1e-2, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1},
                     .lr_min = 1e-2},
        .max_refills = 3,
        .temperature = 1,
        .max_len = SMALL_CONTEXT,
        .keep_last = 1,
        .publish = publish,
        .exclusive = exclusive,
        .ctx = b,
        .seams = seams_real(),
    };
    struct grpo_result r;
    struct sha256 hash;

    assert_ok(rollouts_new(&ro, &rollouts, why));
    o.rollouts = rollouts;
    assert_ok(grpo_run(b->pool, b->start, &o, &r, why));
    assert_int_equal(r.updates, UPDATES);
    assert_int_equal(r.skipped, 0);
    assert_true(r.largest_first_gap == 0); /* no call of the training used other weights */
    hash = *weights_hash(r.weights);
    weights_unref(r.weights);
    rollouts_free(rollouts);
    return hash;
}

/* Equal bit for bit to the result of the recorded version for these ids. */
static void check_answers(const struct bench *b, const struct live *l)
{
    int32_t n_of[UPDATES + 2] = {0}, n_versions = 0, n_across = 0;
    struct pool *pool = NULL;
    int64_t last = b->first;

    assert_ok(pool_new(2, &pool, why));
    for (int32_t i = 0; i < l->n; i++) {
        const struct answer *a = &l->answer[i];
        int32_t n = a->n_context + a->n_ids;
        float want[TURNS * (PROMPT + REPLY)];

        assert_in_range(a->version, last, b->first + UPDATES);
        n_across += i > 0 && a->version != last && a->n_context > PROMPT;
        last = a->version;
        /* The first few of each version, and all after a publication. */
        if (n_of[a->version - b->first]++ > 20)
            continue;
        assert_ok(train_logp(pool, b->published[a->version - b->first], a->ids, n, 1, want, why));
        assert_memory_equal(want + a->n_context, a->logp, (size_t)a->n_ids * sizeof(*want));
    }
    for (int32_t v = 0; v <= UPDATES; v++)
        n_versions += n_of[v] > 0;
    print_message("%d live calls on %d versions, %d went on over a publication\n", l->n, n_versions,
                  n_across);
    assert_true(n_versions >= 3);
    pool_free(pool);
}

static void test_live_calls_beside_a_training(void **state)
{
    struct bench alone, both;
    struct live live = {.n = 0};
    struct sha256 want, got;

    (void)state;
    open_bench(&alone, "alone");
    want = train(&alone);
    shut_bench(&alone);

    open_bench(&both, "both");
    live.model = engine_model(both.engine);
    live.answer = calloc(CALLS, sizeof(*live.answer));
    assert_non_null(live.answer);
    assert_int_equal(pthread_create(&live.thread, NULL, work, &live), 0);
    got = train(&both);
    atomic_store(&live.stop, true);
    assert_int_equal(pthread_join(live.thread, NULL), 0);
    assert_memory_equal(&want, &got, sizeof(want));
    check_answers(&both, &live);
    free(live.answer);
    shut_bench(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_calls_beside_a_training),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
