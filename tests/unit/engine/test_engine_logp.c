/* What the rollout recorded equals what the training forward pass computes, bit for bit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/train/sft.h"
#include "runtime/base/memory.h"
#include "tests/unit/engine/engine_fixture.h"

static const float temperatures[] = {0, 1, 0.7f, 1.9f};

static void check(struct pool *pool, struct weights *w, const int32_t *prompt, int32_t n_prompt,
                  float temperature, const struct ask *a)
{
    int32_t ids[TINY_CONTEXT];
    float logp[TINY_CONTEXT];
    int32_t n = n_prompt + a->call.n_ids;

    memcpy(ids, prompt, (size_t)n_prompt * sizeof(*ids));
    memcpy(ids + n_prompt, a->ids, (size_t)a->call.n_ids * sizeof(*ids));
    assert_ok(train_logp(pool, w, ids, n, temperature, logp, why));
    assert_memory_equal(logp + n_prompt, a->logp, (size_t)a->call.n_ids * sizeof(*logp));
}

static void rollout_and_training_agree(enum dtype dtype)
{
    enum { N = 8 };
    struct model_config c = tiny_config();
    struct ask *a = xcalloc(N, sizeof(*a));
    static int32_t prompt[N][100];
    struct model_session *s[N];
    struct engine_options o;
    struct pool *pool;
    struct weights *w;
    struct bed b;

    c.dtype = dtype;
    assert_ok(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 3, &w, why));
    assert_ok(pool_new(2, &pool, why));
    o = tiny_options(w);
    o.n_threads = 2;
    o.prefill_chunk = 24;
    bed_open(&b, &o);
    for (size_t t = 0; t < ARRAY_LEN(temperatures); t++) {
        for (int i = 0; i < N; i++) {
            int32_t n = 1 + 13 * i;

            random_ids((uint64_t)i, n, prompt[i]);
            s[i] = bed_session(&b);
            ask_init(&a[i], &b, s[i], 0, prompt[i], n, 40);
            a[i].call.sampling.temperature = temperatures[t];
            a[i].call.sampling.top_k = i % 2 ? 5 : 0; /* logp is over the full vocabulary */
            a[i].call.seed = t;
            ask_start(&a[i], &b);
        }
        bed_wait(&b, N);
        for (int i = 0; i < N; i++) {
            check(pool, w, prompt[i], 1 + 13 * i, temperatures[t], &a[i]);
            bed_end(&b, s[i]);
        }
    }
    bed_close(&b);
    weights_unref(w);
    pool_free(pool);
    free(a);
}

static void in_fp32(void **state)
{
    (void)state;
    rollout_and_training_agree(DTYPE_F32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_fp32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
