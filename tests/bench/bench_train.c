/* bench_train.c - one training update of the 0.45 M model: 16 sequences of 256 tokens.
 *
 * Forward, loss, backward, norm, AdamW, new panels: an update of sft_run without data and logs.
 * Prints tokens/s for 1 and 2 threads, and tokens per CPU second, which other load affects
 * less; torch_baseline.py prints the same for PyTorch. Usage: bench_train [SECONDS
 * [SEQUENCES LENGTH]] SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/train/optimizer.h"
#include "models/train/sharded_pass.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "tests/bench/bench_run.h"
#include "tests/support/small_qwen3.h"

struct bench {
    struct weights *weights;
    struct optimizer optimizer;
    struct sharded_pass *pass;
    struct sequences batch;
    struct pool *pool;
    float *grad;
};

static struct model_config small_config(void)
{
    struct model_config c = small_qwen3(320);

    c.hidden_size = 128;
    c.intermediate_size = 368;
    c.n_kv_heads = 4;
    c.head_dim = 32;
    c.max_position_embeddings = 4096;
    return c;
}

static void bench_open(struct bench *b, int32_t n_threads, int32_t n, int32_t length,
                       int32_t group_rows)
{
    const struct model_config c = small_config();
    struct sharded_pass_options o = {
        .max_len = length + 1, .training = true, .group_rows = group_rows};
    struct weights *start = NULL;
    struct error err = ERROR_INIT;
    int32_t *ids = xcalloc((size_t)length + 1, sizeof(*ids));

    memset(b, 0, sizeof(*b));
    must(pool_new(n_threads, &b->pool, &err), &err);
    must(weights_init(cpu_backend(cpu_isa_best()), arch_find("Qwen3ForCausalLM"), &c, 1, &start,
                      &err),
         &err);
    must(optimizer_init_weights(&b->optimizer, start, &err), &err);
    must(weights_from_flat(start, b->optimizer.master, 1, &b->weights, &err), &err);
    weights_unref(start);
    o.pool = b->pool;
    must(sharded_pass_new(b->weights, &o, &b->pass, &err), &err);
    b->grad = mem_aligned_alloc((size_t)weights_n_params(b->weights), sizeof(float));
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = 0; j <= length; j++)
            ids[j] = (int32_t)rng_below(rng_philox(7, (uint32_t)i, (uint32_t)j, 0, 0).word[0], 320);
        must(sequences_add(&b->batch, ids, NULL, length + 1, &err), &err);
    }
    free(ids);
}

static void bench_close(struct bench *b)
{
    sharded_pass_free(b->pass);
    optimizer_deinit(&b->optimizer);
    weights_unref(b->weights);
    sequences_deinit(&b->batch);
    mem_aligned_free(b->grad);
    pool_free(b->pool);
}

static double update(struct bench *b)
{
    struct optimizer_step step = {.lr = 1e-3,
                                  .beta1 = 0.9,
                                  .beta2 = 0.99,
                                  .eps = 1e-8,
                                  .weight_decay = 0.01,
                                  .clip = 1.0,
                                  .scale = 1.0 / (double)b->batch.n_trained};
    struct sharded_pass_output out = {0};
    struct lane lane = {.pool = b->pool};
    double norm;
    struct error err = ERROR_INIT;

    memset(b->grad, 0, (size_t)weights_n_params(b->weights) * sizeof(float));
    must(sharded_pass_train(b->pass, b->weights, &b->batch, 1.0f, NULL, &out, b->grad, &err), &err);
    must(optimizer_step(&b->optimizer, b->pool, &step, b->grad, &norm, &err), &err);
    must(weights_set_flat(b->weights, &lane, b->optimizer.master, 1, &err), &err);
    return out.loss / (double)b->batch.n_trained;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3.0;
    int32_t n = argc > 3 ? (int32_t)strtol(argv[2], NULL, 10) : 16;
    int32_t length = argc > 3 ? (int32_t)strtol(argv[3], NULL, 10) : 256;

    int32_t group_rows = argc > 4 ? (int32_t)strtol(argv[4], NULL, 10) : 0;

    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        struct bench b;
        double loss = 0, best = 0, spent = 0, cpu;
        int64_t n_updates = 0;

        bench_open(&b, n_threads, n, length, group_rows);
        for (int i = 0; i < 3; i++)
            loss = update(&b);
        cpu = cpu_seconds();
        while (spent < seconds) {
            int64_t from = seams_mono_us(seams_real());
            double t, rate;

            loss = update(&b);
            t = (double)(seams_mono_us(seams_real()) - from) * 1e-6;
            rate = (double)b.batch.n_rows / t;
            best = rate > best ? rate : best;
            spent += t;
            n_updates++;
        }
        cpu = cpu_seconds() - cpu;
        printf("train %d x %d, %lld parameters, %d thread%s: %.0f tok/s (best update %.0f), "
               "%.0f tok/CPU-s, loss %.4f\n",
               n, length, (long long)weights_n_params(b.weights), n_threads,
               n_threads > 1 ? "s" : "", (double)(b.batch.n_rows * n_updates) / spent, best,
               (double)(b.batch.n_rows * n_updates) / cpu, loss);
        bench_close(&b);
    }
    return 0;
}
