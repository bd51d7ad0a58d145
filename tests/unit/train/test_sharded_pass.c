/* test_sharded_pass.c - gradients and log-probs do not depend on threads, recomputation, packing or
 * the instruction set, and are those of a device whose memory the host cannot touch.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/optimizer.h"
#include "models/train/sharded_pass.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/check.h"
#include "tests/support/fake_device.h"
#include "tests/unit/train/tiny_model.h"

#define MAX_LEN 50

struct result {
    float *grad, *logp, *coef;
    double loss;
};

static void free_result(struct result *r)
{
    free(r->grad);
    free(r->logp);
    free(r->coef);
}

static struct result train(const struct weights *w, const struct sequences *s, int32_t n_threads,
                           bool recompute, bool one_gradient)
{
    struct sharded_pass_options o = {.max_len = MAX_LEN,
                                     .training = true,
                                     .recompute = recompute,
                                     .one_gradient = one_gradient,
                                     .group_rows = 48};
    struct result r = {.grad = xcalloc((size_t)weights_n_params(w), sizeof(float)),
                       .logp = xcalloc((size_t)s->n_tokens, sizeof(float)),
                       .coef = xcalloc((size_t)s->n_tokens, sizeof(float))};
    struct sharded_pass_output out = {.logp = r.logp};
    struct sharded_pass *pass = NULL;
    const struct backend *b = weights_backend(w);
    const struct lane alone = {0};
    size_t bytes = (size_t)weights_n_params(w) * sizeof(float);
    float *grad = b->alloc(b->ctx, bytes);

    for (int64_t i = 0; i < s->n_tokens; i++)
        r.coef[i] = (float)(i % 7) - 2.0f;
    assert_ok(pool_new(n_threads, &o.pool, why));
    assert_ok(sharded_pass_new(w, &o, &pass, why));
    /* Twice: leftovers of the first call must not affect the second. */
    assert_ok(sharded_pass_train(pass, w, s, 1.0f, r.coef, &out, grad, why));
    b->zero(&alone, grad, bytes);
    assert_ok(sharded_pass_train(pass, w, s, 1.0f, r.coef, &out, grad, why));
    b->download(&alone, r.grad, grad, bytes);
    b->release(b->ctx, grad);
    r.loss = out.loss;
    sharded_pass_free(pass);
    pool_free(o.pool);
    return r;
}

static void assert_same(const struct weights *w, const struct sequences *s, const struct result *a,
                        const struct result *b)
{
    assert_memory_equal(a->logp, b->logp, (size_t)s->n_tokens * sizeof(float));
    assert_memory_equal(a->grad, b->grad, (size_t)weights_n_params(w) * sizeof(float));
    assert_true(a->loss == b->loss);
}

static void test_threads_recomputation_and_sets_agree(void **state)
{
    static const int32_t n_threads[] = {1, 3};

    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct model_config c = tiny_config(tied);
        struct weights *w = tiny_weights(&c, cpu_backend(CPU_ISA_PLAIN), 8);
        struct sequences s = {0};
        struct result want;

        tiny_batch(&s, &c, 31, 12, MAX_LEN);
        want = train(w, &s, 1, false, false);
        assert_true(want.loss > 0);
        weights_unref(w);
        for (int isa = 0; isa <= (int)cpu_isa_best() + 1; isa++) {
            bool device = isa > (int)cpu_isa_best();

            w = tiny_weights(&c, device ? fake_device() : cpu_backend((enum cpu_isa)isa), 8);
            for (size_t t = 0; t < ARRAY_LEN(n_threads); t++)
                for (int kind = 0; kind < 4; kind++) {
                    struct result got = train(w, &s, n_threads[t], kind & 1, kind & 2);

                    assert_same(w, &s, &want, &got);
                    free_result(&got);
                }
            weights_unref(w);
        }
        free_result(&want);
        sequences_deinit(&s);
    }
}

/* Rank k owns the shards from first_shard[k] up to first_shard[k + 1] (n_ranks + 1): one after
 * another they add to one gradient. */
static struct result train_by_ranks(const struct weights *w, const struct sequences *s,
                                    const int32_t *first_shard, int32_t n_ranks, bool one_gradient)
{
    size_t bytes = (size_t)weights_n_params(w) * sizeof(float);
    struct result r = {.grad = xcalloc(1, bytes),
                       .logp = xcalloc((size_t)s->n_tokens, sizeof(float)),
                       .coef = xcalloc((size_t)s->n_tokens, sizeof(float))};
    float *logp = xcalloc((size_t)s->n_tokens, sizeof(float));
    uint8_t *right = xcalloc((size_t)s->n, 1);
    double loss[GRADIENT_SHARDS] = {0};
    const struct backend *b = weights_backend(w);
    const struct lane alone = {0};
    float *grad = b->alloc(b->ctx, bytes);

    for (int64_t i = 0; i < s->n_tokens; i++)
        r.coef[i] = (float)(i % 7) - 2.0f;
    b->zero(&alone, grad, bytes);
    for (int32_t k = 0; k < n_ranks; k++) {
        const struct sharded_pass_options o = {.max_len = MAX_LEN,
                                               .training = true,
                                               .one_gradient = one_gradient,
                                               .group_rows = 48,
                                               .first_shard = first_shard[k],
                                               .n_shards = first_shard[k + 1] - first_shard[k]};
        struct sharded_pass_output out = {.logp = logp, .right = right};
        struct sharded_pass *pass = NULL;

        assert_ok(sharded_pass_new(w, &o, &pass, why));
        assert_ok(sharded_pass_train(pass, w, s, 1.0f, r.coef, &out, grad, why));
        for (int64_t i = 0; i < s->n_tokens; i++) {
            assert_true(logp[i] == 0 || r.logp[i] == 0); /* each token is of one rank */
            r.logp[i] += logp[i];
        }
        for (int32_t i = 0; i < GRADIENT_SHARDS; i++) {
            bool own = i >= first_shard[k] && i < first_shard[k + 1];

            assert_int_equal(out.shard_loss[i] != 0, own);
            loss[i] += out.shard_loss[i];
        }
        sharded_pass_free(pass);
    }
    for (int32_t i = 0; i < GRADIENT_SHARDS; i++)
        r.loss += loss[i];
    b->download(&alone, r.grad, grad, bytes);
    b->release(b->ctx, grad);
    free(logp);
    free(right);
    return r;
}

/* Two and three ranks give the bits of one pass. */
static void test_ranks_own_whole_shards(void **state)
{
    static const int32_t cut[][4] = {{0, 3, GRADIENT_SHARDS}, {0, 1, 5, GRADIENT_SHARDS}};
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, fake_device(), 8);
    struct sequences s = {0};
    struct result want;

    (void)state;
    tiny_batch(&s, &c, 31, 30, MAX_LEN);
    want = train(w, &s, 1, false, false);
    for (int32_t i = 0; i < 4; i++) {
        struct result got = train_by_ranks(w, &s, cut[i / 2], 2 + i / 2, i % 2);

        assert_same(w, &s, &want, &got);
        free_result(&got);
    }
    free_result(&want);
    sequences_deinit(&s);
    weights_unref(w);
}

static void test_shards_that_do_not_exist(void **state)
{
    static const int32_t bad[][2] = {{-1, 2}, {GRADIENT_SHARDS, 0}, {0, -1}, {5, 4}};
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 8);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct sharded_pass_options o = {
            .max_len = MAX_LEN, .first_shard = bad[i][0], .n_shards = bad[i][1]};
        struct sharded_pass *pass = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(sharded_pass_new(w, &o, &pass, &err), STATUS_INVALID);
        assert_null(pass);
    }
    weights_unref(w);
}

static void test_packed_equals_alone(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 9);
    const struct sharded_pass_options o = {.max_len = MAX_LEN, .group_rows = 48};
    struct sequences s = {0}, one = {0};
    struct sharded_pass *pass = NULL;
    struct sharded_pass_output out = {0};
    float *packed, alone[MAX_LEN];

    (void)state;
    tiny_batch(&s, &c, 32, 30, MAX_LEN);
    packed = xcalloc((size_t)s.n_tokens, sizeof(float));
    assert_ok(sharded_pass_new(w, &o, &pass, why));
    out.logp = packed;
    assert_ok(sharded_pass_forward(pass, w, &s, 0.8f, &out, why));
    out.logp = alone;
    for (int32_t i = 0; i < s.n; i++) {
        sequences_clear(&one);
        assert_ok(sequences_add(&one, s.ids + s.start[i], s.train + s.start[i],
                                sequences_length(&s, i), why));
        assert_ok(sharded_pass_forward(pass, w, &one, 0.8f, &out, why));
        assert_memory_equal(alone, packed + s.start[i], (size_t)one.n_tokens * sizeof(float));
    }
    free(packed);
    sharded_pass_free(pass);
    sequences_deinit(&s);
    sequences_deinit(&one);
    weights_unref(w);
}

/* Many sequences of two ids: pages run out before rows do. */
static void test_shortest_sequences(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 10);
    struct sequences s = {0};
    struct result a, b;

    (void)state;
    tiny_batch(&s, &c, 33, 300, 3);
    a = train(w, &s, 1, false, false);
    b = train(w, &s, 2, true, true);
    assert_same(w, &s, &a, &b);
    free_result(&a);
    free_result(&b);
    sequences_deinit(&s);
    weights_unref(w);
}

static void test_too_long_is_refused(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 11);
    const struct sharded_pass_options o = {.max_len = 10};
    struct sharded_pass *pass = NULL;
    struct sharded_pass_output out = {0};
    struct sequences s = {0};
    struct error err = ERROR_INIT;
    int32_t ids[11] = {0};

    (void)state;
    assert_ok(sharded_pass_new(w, &o, &pass, why));
    assert_ok(sequences_add(&s, ids, NULL, 11, why));
    assert_int_equal(sharded_pass_forward(pass, w, &s, 1.0f, &out, &err), STATUS_LIMIT);
    sharded_pass_free(pass);
    sequences_deinit(&s);
    weights_unref(w);
}

/* What the device could not do is an error of the call, whichever shard or sum it was; the next
 * call is as if it had not been. */
static void test_a_device_fails_late(void **state)
{
    static const struct {
        enum backend_op op;
        int64_t nth;
    } cases[] = {
        {BACKEND_OP_EMBED, 1},      {BACKEND_OP_LOGSUMEXP, 7}, {BACKEND_OP_ATTENTION_BACK, 3},
        {BACKEND_OP_EMBED_BACK, 8}, {BACKEND_OP_ADD, 1},       {BACKEND_OP_ADD, 8}};
    struct model_config c = tiny_config(true);
    const struct backend *b = fake_device();
    struct weights *w = tiny_weights(&c, b, 8);
    struct sharded_pass_options o = {.max_len = MAX_LEN, .training = true, .group_rows = 48};
    float *grad = b->alloc(b->ctx, (size_t)weights_n_params(w) * sizeof(float));
    struct sharded_pass *pass = NULL;
    struct sequences s = {0};

    (void)state;
    tiny_batch(&s, &c, 31, 12, MAX_LEN);
    for (int one_gradient = 0; one_gradient < 2; one_gradient++) {
        o.one_gradient = one_gradient;
        assert_ok(pool_new(1 + one_gradient, &o.pool, why));
        assert_ok(sharded_pass_new(w, &o, &pass, why));
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct sharded_pass_output out = {0};
            struct error err = ERROR_INIT;

            fake_device_fail(cases[i].op, cases[i].nth);
            assert_int_equal(sharded_pass_train(pass, w, &s, 1.0f, NULL, &out, grad, &err),
                             STATUS_FAILED);
            assert_non_null(strstr(err.message, backend_op_name(cases[i].op)));
            assert_ok(sharded_pass_train(pass, w, &s, 1.0f, NULL, &out, grad, why));
        }
        sharded_pass_free(pass);
        pool_free(o.pool);
    }
    sequences_deinit(&s);
    b->release(b->ctx, grad);
    weights_unref(w);
    assert_int_equal(fake_device_n_allocations(), 0);
}

static void test_a_failing_optimiser_step_is_an_error(void **state)
{
    const enum backend_op ops[] = {BACKEND_OP_SUM_SQUARES, BACKEND_OP_ADAMW};
    struct optimizer_step step = {.lr = 1e-2, .beta1 = .9, .beta2 = .99, .eps = 1e-8, .scale = 1};
    struct model_config c = tiny_config(true);
    const struct backend *b = fake_device();
    struct weights *w = tiny_weights(&c, b, 8);
    float *grad = b->alloc(b->ctx, (size_t)weights_n_params(w) * sizeof(float));
    struct optimizer o;
    double norm;

    (void)state;
    assert_ok(optimizer_init_weights(&o, w, why));
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        struct error err = ERROR_INIT;

        fake_device_fail(ops[i], 2);
        assert_int_equal(optimizer_step(&o, NULL, &step, grad, &norm, &err), STATUS_FAILED);
        assert_non_null(strstr(err.message, backend_op_name(ops[i])));
    }
    optimizer_deinit(&o);
    b->release(b->ctx, grad);
    weights_unref(w);
}

/* No memory at any point: an error, and nothing leaks. */
static void test_memory_runs_out(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 12);
    const struct sharded_pass_options o = {.max_len = 10, .training = true};
    bool failed = true;

    (void)state;
    for (uint64_t n = 1; failed && n < 100; n++) {
        struct sharded_pass *pass = NULL;
        struct error err = ERROR_INIT;
        enum status st;

        mem_fail_after(n);
        st = sharded_pass_new(w, &o, &pass, &err);
        mem_fail_after(0);
        failed = st != STATUS_OK;
        if (failed)
            assert_int_equal(st, STATUS_NO_MEMORY);
        sharded_pass_free(pass);
    }
    assert_false(failed);
    weights_unref(w);
}

/* One step by hand from the formula; clipping scales the gradient. */
static void test_adamw_step(void **state)
{
    struct model_config c = tiny_config(true);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 13);
    size_t n = (size_t)weights_n_params(w);
    float *grad = xcalloc(n, sizeof(float)), *was = xcalloc(n, sizeof(float));
    struct optimizer_step step = {.lr = 0.1,
                                  .beta1 = 0.9,
                                  .beta2 = 0.99,
                                  .eps = 1e-8,
                                  .weight_decay = 0.5,
                                  .clip = 1.0,
                                  .scale = 0.5};
    struct optimizer o;
    double norm;

    (void)state;
    assert_ok(optimizer_init_weights(&o, w, why));
    memcpy(was, o.master, n * sizeof(float));
    grad[0] = 6.0f;  /* of the embedding */
    grad[1] = -8.0f; /* norm 10, scaled 5 */
    assert_ok(optimizer_step(&o, NULL, &step, grad, &norm, why));
    assert_true(norm > 4.999 && norm < 5.001);
    /* m/(1-b1) = g, sqrt(v/(1-b2)) = |g|: a first step is lr in the gradient's direction. */
    for (int i = 0; i < 3; i++) {
        double sign = i == 0 ? 1 : i == 1 ? -1 : 0;
        double want = (double)was[i] - 0.1 * (sign + 0.5 * (double)was[i]);
        double got = (double)o.master[i];

        assert_true(got - want < 1e-5 && want - got < 1e-5);
        assert_true((double)o.m[0] > 0.0599 && (double)o.m[0] < 0.0601); /* 0.1 * 6 * 0.5 / 5 */
    }
    for (int32_t i = 0; i < weights_n(w); i++) {
        int64_t j = weights_flat_offset(w, i);
        bool vector = weights_at(w, i)->m.n_out == 1;

        if (i > 0) /* no gradient: only decay moves it, and vectors are not decayed */
            assert_int_equal(vector, o.master[j] == was[j]);
    }
    grad[0] = INFINITY;
    memcpy(was, o.master, n * sizeof(float));
    assert_ok(optimizer_step(&o, NULL, &step, grad, &norm, why));
    assert_false(norm < 1e30);
    assert_memory_equal(was, o.master, n * sizeof(float));
    optimizer_deinit(&o);
    weights_unref(w);
    free(grad);
    free(was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_recomputation_and_sets_agree),
        cmocka_unit_test(test_ranks_own_whole_shards),
        cmocka_unit_test(test_shards_that_do_not_exist),
        cmocka_unit_test(test_packed_equals_alone),
        cmocka_unit_test(test_shortest_sequences),
        cmocka_unit_test(test_too_long_is_refused),
        cmocka_unit_test(test_a_device_fails_late),
        cmocka_unit_test(test_a_failing_optimiser_step_is_an_error),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_adamw_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
