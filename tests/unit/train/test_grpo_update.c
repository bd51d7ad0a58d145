/* test_grpo_update.c - one update from rollouts: its gradient, its order, what it skips.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/grpo_update.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/check.h"
#include "tests/support/fake_device.h"
#include "tests/unit/train/tiny_model.h"

#define N_CHAINS 24
#define MAX_LEN  12

struct fixture {
    struct pool *pool;
    struct weights *start, *work;
    struct optimizer opt;
    struct sharded_pass *pass;
    float *grad;
    struct sequences seqs;
    struct rollout_set set;
    double advantage[N_CHAINS];
    struct grpo_update_options o;
    struct grpo_update_stats stats;
};

/* Chains of random ids whose recorded log-probs are those of the weights that train. */
static void record(struct fixture *f)
{
    float *logp = xcalloc((size_t)f->seqs.n_tokens, sizeof(*logp));
    struct sharded_pass_output out = {.logp = logp};

    assert_ok(sharded_pass_forward(f->pass, f->work, &f->seqs, f->o.temperature, &out, why));
    for (int32_t i = 0; i < f->seqs.n; i++) {
        struct rollout_member m = {.group = i / 4, .member = i % 4, .reward = i % 2};

        assert_ok(rollout_set_add_member(&f->set, &m, why));
        assert_ok(rollout_set_open_chain(&f->set, 0, why));
        for (int64_t t = f->seqs.start[i]; t < f->seqs.start[i + 1]; t++)
            assert_ok(rollout_set_put(&f->set, f->seqs.ids + t,
                                      f->seqs.train[t] && t > f->seqs.start[i] ? logp + t : NULL, 1,
                                      why));
    }
    free(logp);
}

static void set_up_on(struct fixture *f, const struct backend *b, int32_t n_threads)
{
    struct model_config c = tiny_config(true);
    struct sharded_pass_options p = {.max_len = MAX_LEN, .training = true};

    memset(f, 0, sizeof(*f));
    assert_ok(pool_new(n_threads, &f->pool, why));
    f->start = tiny_weights(&c, b, 40);
    assert_ok(optimizer_init_weights(&f->opt, f->start, why));
    assert_ok(weights_from_flat(f->start, f->opt.master, 1, &f->work, why));
    p.pool = f->pool;
    assert_ok(sharded_pass_new(f->work, &p, &f->pass, why));
    f->grad = b->alloc(b->ctx, (size_t)f->opt.n_params * sizeof(float));
    f->o = (struct grpo_update_options){
        .policy = {.objective = POLICY_PPO, .clip_low = .2, .clip_high = .28},
        .step = {.lr = 1e-2, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .scale = 1},
        .minibatch_chains = N_CHAINS,
        .epochs = 1,
        .temperature = .8f,
        .seed = 3,
    };
    tiny_batch(&f->seqs, &c, 11, N_CHAINS, MAX_LEN);
    record(f);
    for (int32_t i = 0; i < N_CHAINS; i++)
        f->advantage[i] = i % 3 == 0 ? 0 : (i % 2 ? 1 : -.5);
}

static void set_up(struct fixture *f, int32_t n_threads)
{
    set_up_on(f, cpu_backend(cpu_isa_best()), n_threads);
}

static void tear_down(struct fixture *f)
{
    const struct backend *b = f->opt.backend;

    sequences_deinit(&f->seqs);
    rollout_set_deinit(&f->set);
    sharded_pass_free(f->pass);
    b->release(b->ctx, f->grad);
    optimizer_deinit(&f->opt);
    weights_unref(f->work);
    weights_unref(f->start);
    pool_free(f->pool);
}

static enum status update(struct fixture *f, struct error *err)
{
    const struct lane lane = {.pool = f->pool};

    return grpo_update(f->pass, f->work, &f->opt, &lane, f->pool, &f->set, f->advantage, &f->o,
                       f->grad, &f->stats, err);
}

/* Before the first step the ratio is 1, so the gradient of PPO is that of -A logp / tokens. */
static void the_first_gradient_is_the_policy_gradient(void **state)
{
    struct fixture f;
    float *coef, *grad;
    struct sharded_pass_output out = {0};
    int64_t n_tokens = 0;

    (void)state;
    set_up(&f, 1);
    coef = xcalloc((size_t)f.seqs.n_tokens, sizeof(*coef));
    grad = mem_aligned_alloc((size_t)f.opt.n_params, sizeof(*grad));
    for (int32_t i = 0; i < N_CHAINS; i++)
        if (f.advantage[i] != 0)
            n_tokens += f.set.chain[i].n_sampled;
    for (int32_t i = 0; i < N_CHAINS; i++)
        for (int64_t t = f.seqs.start[i]; t < f.seqs.start[i + 1]; t++)
            coef[t] = (float)(f.advantage[i] / (double)n_tokens);
    assert_ok(sharded_pass_train(f.pass, f.work, &f.seqs, f.o.temperature, coef, &out, grad, why));
    assert_ok(update(&f, why));
    assert_int_equal(f.stats.n_chains, N_CHAINS - N_CHAINS / 3);
    assert_int_equal(f.stats.n_without_advantage, N_CHAINS / 3);
    assert_int_equal(f.stats.n_tokens, n_tokens);
    assert_int_equal(f.stats.n_steps, 1);
    assert_true(f.stats.first_gap == 0);
    for (int64_t i = 0; i < f.opt.n_params; i++)
        assert_true(fabs((double)grad[i] - (double)f.grad[i]) < 1e-6);
    mem_aligned_free(grad);
    free(coef);
    tear_down(&f);
}

static struct sha256 hash_on(const struct backend *b, int32_t n_threads,
                             void (*change)(struct fixture *f))
{
    struct fixture f;
    struct sha256 h;

    set_up_on(&f, b, n_threads);
    f.o.minibatch_chains = 5;
    f.o.epochs = 2;
    if (change)
        change(&f);
    assert_ok(update(&f, why));
    h = *weights_hash(f.work);
    tear_down(&f);
    return h;
}

static struct sha256 hash_after(int32_t n_threads, void (*change)(struct fixture *f))
{
    return hash_on(cpu_backend(cpu_isa_best()), n_threads, change);
}

static void another_seed(struct fixture *f)
{
    f->o.seed = 4;
}

static void another_update(struct fixture *f)
{
    f->o.update = 1;
}

static void no_minibatches(struct fixture *f)
{
    f->o.minibatch_chains = N_CHAINS;
}

static void order_follows_from_seed_and_update_alone(void **state)
{
    static void (*const changes[])(struct fixture * f) = {another_seed, another_update,
                                                          no_minibatches};
    struct sha256 one = hash_after(1, NULL), two = hash_after(2, NULL);

    (void)state;
    assert_memory_equal(&one, &two, sizeof(one));
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        two = hash_after(1, changes[i]);
        assert_memory_not_equal(&one, &two, sizeof(one));
    }
}

static void gspo_with_a_reference(struct fixture *f)
{
    f->o.policy.objective = POLICY_GSPO;
    f->o.reference = f->start;
    f->o.policy.kl = POLICY_KL_K3;
    f->o.policy.kl_beta = 1;
}

/* Memory that the host cannot touch: the same weights. */
static void a_device_gives_the_same_weights(void **state)
{
    static void (*const changes[])(struct fixture * f) = {NULL, gspo_with_a_reference};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct sha256 want = hash_after(1, changes[i]), got = hash_on(fake_device(), 2, changes[i]);

        assert_memory_equal(&want, &got, sizeof(want));
    }
    assert_int_equal(fake_device_n_allocations(), 0);
}

static void a_device_that_fails_ends_the_update(void **state)
{
    const enum backend_op ops[] = {BACKEND_OP_SWIGLU_BACK, BACKEND_OP_ADAMW};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        struct error err = ERROR_INIT;
        struct fixture f;

        set_up_on(&f, fake_device(), 2);
        fake_device_fail(ops[i], 5);
        assert_int_equal(update(&f, &err), STATUS_FAILED);
        assert_non_null(strstr(err.message, backend_op_name(ops[i])));
        tear_down(&f);
    }
}

static void a_cap_leaves_out_a_part_by_lot(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, 1);
    f.o.max_chains = 10;
    f.o.minibatch_chains = 4;
    assert_ok(update(&f, why));
    assert_int_equal(f.stats.n_chains, 10);
    assert_int_equal(f.stats.n_over_cap, 6);
    assert_int_equal(f.stats.n_steps, 3);
    tear_down(&f);
}

static void recorded_log_probs_that_differ_are_measured(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, 1);
    for (int32_t i = 0; i < N_CHAINS; i++) {
        const struct rollout_chain *c = &f.set.chain[i];
        for (int32_t t = 0; t < c->n; t++)
            if (f.set.train[c->first + t])
                f.set.logp[c->first + t] -= .25f;
    }
    assert_ok(update(&f, why));
    assert_true(fabs(f.stats.first_gap - .25) < 1e-6);
    tear_down(&f);
}

/* With the weights themselves as reference the divergence is 0; once they have moved it is not. */
static void kl_pulls_towards_the_reference(void **state)
{
    struct fixture f;
    double far_without, far_with;

    (void)state;
    for (int with = 0; with < 2; with++) {
        double d = 0;
        float *now;

        set_up(&f, 1);
        f.o.epochs = 6;
        f.o.reference = f.start;
        f.o.policy.kl = POLICY_KL_K3;
        f.o.policy.kl_beta = with ? 20 : 0;
        assert_ok(update(&f, why));
        now = mem_aligned_alloc((size_t)f.opt.n_params, sizeof(*now));
        weights_to_flat(f.start, now);
        for (int64_t i = 0; i < f.opt.n_params; i++)
            d += fabs((double)now[i] - (double)f.opt.master[i]);
        assert_true(with ? f.stats.policy.kl > 0 : f.stats.policy.kl == 0);
        *(with ? &far_with : &far_without) = d;
        mem_aligned_free(now);
        tear_down(&f);
    }
    assert_true(far_with < .9 * far_without);
    set_up(&f, 1);
    f.o.reference = f.start;
    f.o.policy.kl = POLICY_KL_K3;
    f.o.policy.kl_beta = 1;
    assert_ok(update(&f, why));
    assert_true(f.stats.policy.kl == 0);
    tear_down(&f);
}

static void what_is_not_finite_names_its_chains_and_changes_nothing(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    float *before;

    (void)state;
    set_up(&f, 1);
    before = xcalloc((size_t)f.opt.n_params, sizeof(*before));
    memcpy(before, f.opt.master, (size_t)f.opt.n_params * sizeof(*before));
    f.advantage[5] = (double)NAN;
    assert_int_equal(update(&f, &err), STATUS_FAILED);
    assert_non_null(strstr(err.message, "group"));
    assert_memory_equal(before, f.opt.master, (size_t)f.opt.n_params * sizeof(*before));
    assert_int_equal(f.opt.n_steps, 0);
    free(before);
    tear_down(&f);
}

static void nothing_to_learn_is_no_step(void **state)
{
    struct fixture f;
    struct sha256 before;

    (void)state;
    set_up(&f, 1);
    before = *weights_hash(f.work);
    memset(f.advantage, 0, sizeof(f.advantage));
    assert_ok(update(&f, why));
    assert_int_equal(f.stats.n_steps, 0);
    assert_memory_equal(&before, weights_hash(f.work), sizeof(before));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_gradient_is_the_policy_gradient),
        cmocka_unit_test(order_follows_from_seed_and_update_alone),
        cmocka_unit_test(a_device_gives_the_same_weights),
        cmocka_unit_test(a_device_that_fails_ends_the_update),
        cmocka_unit_test(a_cap_leaves_out_a_part_by_lot),
        cmocka_unit_test(recorded_log_probs_that_differ_are_measured),
        cmocka_unit_test(kl_pulls_towards_the_reference),
        cmocka_unit_test(what_is_not_finite_names_its_chains_and_changes_nothing),
        cmocka_unit_test(nothing_to_learn_is_no_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
