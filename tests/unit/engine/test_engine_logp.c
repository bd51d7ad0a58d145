/* What the rollout recorded equals what the training forward pass computes, bit for bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/train/sft.h"
#include "runtime/base/memory.h"
#include "tests/support/quantised_weights.h"
#include "tests/unit/engine/engine_fixture.h"

static const float temperatures[] = {0, 1, 0.7f, 1.9f};

/* How many recorded log-probs have other bits in training. */
static int differing(struct pool *pool, struct weights *w, const int32_t *prompt, int32_t n_prompt,
                     float temperature, const struct ask *a)
{
    int32_t ids[TINY_CONTEXT];
    float logp[TINY_CONTEXT];
    int32_t n = n_prompt + a->call.n_ids;
    int wrong = 0;

    assert_int_equal(a->call.status, STATUS_OK);
    memcpy(ids, prompt, (size_t)n_prompt * sizeof(*ids));
    memcpy(ids + n_prompt, a->ids, (size_t)a->call.n_ids * sizeof(*ids));
    assert_ok(train_logp(pool, w, ids, n, temperature, logp, why));
    for (int32_t i = 0; i < a->call.n_ids; i++)
        wrong += memcmp(&logp[n_prompt + i], &a->logp[i], sizeof(float)) != 0;
    return wrong;
}

/* N_ASKS replies side by side; returns how many log-probs differ, adds to *n. */
enum { N_ASKS = 8 };
static int round_of(struct bed *b, struct pool *pool, struct weights *w, float temperature,
                    uint64_t seed, int *n)
{
    static int32_t prompt[N_ASKS][100];
    struct ask *a = xcalloc(N_ASKS, sizeof(*a));
    struct model_session *s[N_ASKS];
    int wrong = 0;

    for (int i = 0; i < N_ASKS; i++) {
        random_ids(seed * N_ASKS + (uint64_t)i, 1 + 13 * i, prompt[i]);
        s[i] = bed_session(b);
        ask_init(&a[i], b, s[i], 0, prompt[i], 1 + 13 * i, REPLY_MAX);
        a[i].call.sampling.temperature = temperature;
        a[i].call.sampling.top_k = i % 2 ? 5 : 0; /* logp is over the full vocabulary */
        a[i].call.seed = seed;
        ask_start(&a[i], b);
    }
    bed_wait(b, N_ASKS);
    for (int i = 0; i < N_ASKS; i++) {
        wrong += differing(pool, w, prompt[i], 1 + 13 * i, temperature, &a[i]);
        *n += a[i].call.n_ids;
        bed_end(b, s[i]);
    }
    free(a);
    return wrong;
}

static void rollout_and_training_agree(enum dtype dtype, enum dtype kv, int least)
{
    struct model_config c =
        dtype_is_plain(dtype) ? tiny_config() : quantisable_config(dtype, TINY_VOCAB);
    struct engine_options o;
    struct pool *pool;
    struct weights *w;
    struct bed b;
    int n = 0, wrong = 0;

    c.initializer_range = dtype_is_plain(dtype) ? c.initializer_range : 0.15;
    assert_ok(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 3, &w, why));
    if (dtype != DTYPE_F32)
        w = quantised_weights(w, dtype, cpu_backend(cpu_isa_best()));
    assert_ok(pool_new(2, &pool, why));
    weights_set_kv_dtype(w, kv); /* the engine and training ask the weights */
    o = tiny_options(w);
    o.n_threads = 2;
    o.prefill_chunk = 24;
    bed_open(&b, &o);
    for (uint64_t seed = 0; n < least; seed++)
        for (size_t t = 0; t < ARRAY_LEN(temperatures); t++)
            wrong += round_of(&b, pool, w, temperatures[t], seed, &n);
    bed_close(&b);
    weights_unref(w);
    pool_free(pool);
    print_message("%s: %d of %d log-probs differ\n", dtype_name(dtype), wrong, n);
    assert_int_equal(wrong, 0);
}

static void in_fp32(void **state)
{
    (void)state;
    rollout_and_training_agree(DTYPE_F32, DTYPE_N, 1000);
}

static void in_bf16(void **state)
{
    (void)state;
    rollout_and_training_agree(DTYPE_BF16, DTYPE_N, 1000);
}

static void over_a_quantised_base(void **state)
{
    (void)state;
    rollout_and_training_agree(DTYPE_Q8_0, DTYPE_N, 10000);
    rollout_and_training_agree(DTYPE_Q4_1, DTYPE_N, 10000);
    rollout_and_training_agree(DTYPE_Q4_K, DTYPE_N, 10000);
}

static void with_keys_and_values_in_q8(void **state)
{
    (void)state;
    rollout_and_training_agree(DTYPE_F32, DTYPE_Q8_0, 2000);
    rollout_and_training_agree(DTYPE_Q8_0, DTYPE_Q8_0, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_fp32),
        cmocka_unit_test(in_bf16),
        cmocka_unit_test(over_a_quantised_base),
        cmocka_unit_test(with_keys_and_values_in_q8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
