/* bench_grpo.c - one step of GRPO: 256 completions of 64 tokens on prompts of 64, and the update.
 *
 * 16 prompts with 16 completions each, sampled at temperature 1 by the engine from a random model
 * of the embedded model's shape (the text does not change the cost); rewards, group advantages,
 * forward, backward, AdamW, publication. A trainer with its own generation engine does the same in
 * a step without environments. "Shared": each prompt is prefilled once per group.
 *
 *   bench_grpo [--threads 2] [--steps 5] [--prompts 16] [--group 16] [--prompt 64] [--tokens 64]
 *              [--minibatch 256] [--json]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "models/train/credit.h"
#include "models/train/grpo_update.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "tests/bench/bench_run.h"
#include "tests/support/small_qwen3.h"

#define VOCAB 320

struct bench {
    int64_t threads, steps, prompts, group, prompt, tokens, minibatch;
    bool json;
    struct weights *start, *work;
    struct engine *engine;
    struct pool *pool;
    struct optimizer opt;
    struct sharded_pass *pass;
    float *grad;
    struct model_call *call; /* (prompts * group) */
    int32_t *ids;            /* (prompts, prompt) */
    struct mailbox *reply;
    struct rollout_set set;
    double *advantage;
    int64_t step;
};

struct times {
    double rollout, train, cpu;
};

static double now_s(void)
{
    return (double)seams_mono_us(seams_real()) * 1e-6;
}

static struct model_config shape(void)
{
    struct model_config c = small_qwen3(VOCAB);

    c.hidden_size = 128;
    c.intermediate_size = 384;
    c.n_kv_heads = 4;
    c.head_dim = 32;
    c.max_position_embeddings = 1024;
    return c;
}

static void open_bench(struct bench *b, bool shared)
{
    const struct model_config c = shape();
    struct engine_options eo = ENGINE_OPTIONS_DEFAULT;
    struct sharded_pass_options p = {.max_len = (int32_t)(b->prompt + b->tokens), .training = true};
    struct error err = ERROR_INIT;
    int64_t n = b->prompts * b->group;

    must(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 1, &b->start,
                      &err),
         &err);
    eo.model = "random";
    eo.backend = cpu_backend(cpu_isa_best());
    eo.weights = b->start;
    eo.n_threads = (int32_t)b->threads;
    eo.no_prefix_cache = !shared;
    must(engine_open(&eo, &b->engine, &err), &err);
    b->pool = engine_pool(b->engine);
    must(optimizer_init_weights(&b->opt, b->start, &err), &err);
    must(weights_from_flat(b->start, b->opt.master, 0, &b->work, &err), &err);
    p.pool = b->pool;
    must(sharded_pass_new(b->work, &p, &b->pass, &err), &err);
    b->grad = mem_aligned_alloc((size_t)b->opt.n_params, sizeof(float));
    b->advantage = xcalloc((size_t)n, sizeof(*b->advantage));
    b->call = xcalloc((size_t)n, sizeof(*b->call));
    b->ids = xcalloc((size_t)(b->prompts * b->prompt), sizeof(*b->ids));
    b->reply = mailbox_new(NULL, NULL);
    for (int64_t i = 0; i < n; i++) {
        b->call[i].ids = xcalloc((size_t)b->tokens, sizeof(int32_t));
        b->call[i].logp = xcalloc((size_t)b->tokens, sizeof(float));
        b->call[i].logp_sampled = xcalloc((size_t)b->tokens, sizeof(float));
    }
}

static void close_bench(struct bench *b)
{
    for (int64_t i = 0; i < b->prompts * b->group; i++) {
        free(b->call[i].ids);
        free(b->call[i].logp);
        free(b->call[i].logp_sampled);
    }
    free(b->call);
    free(b->ids);
    free(b->advantage);
    rollout_set_deinit(&b->set);
    sharded_pass_free(b->pass);
    mem_aligned_free(b->grad);
    optimizer_deinit(&b->opt);
    engine_close(b->engine);
    mailbox_free(b->reply);
    weights_unref(b->work);
    weights_unref(b->start);
}

static void start_calls(struct bench *b)
{
    struct model *m = engine_model(b->engine);
    struct error err = ERROR_INIT;

    for (int64_t i = 0; i < b->prompts * b->prompt; i++)
        b->ids[i] =
            (int32_t)rng_below(rng_philox((uint64_t)b->step, (uint32_t)i, 0, 0, 0).word[0], VOCAB);
    for (int64_t i = 0; i < b->prompts * b->group; i++) {
        struct model_call *c = &b->call[i];
        int32_t *ids = c->ids;
        float *logp = c->logp, *sampled = c->logp_sampled;

        *c = (struct model_call){.reply = b->reply, .ids = ids, .logp = logp};
        c->logp_sampled = sampled;
        must(m->ops->session_open(m, NULL, &c->session, &err), &err);
        c->delta = b->ids + i / b->group * b->prompt;
        c->n_delta = (int32_t)b->prompt;
        c->seed = 1;
        c->call_id = (uint64_t)(b->step * 100000 + i);
        c->sampling = SAMPLING_DEFAULT;
        c->max_tokens = (int32_t)b->tokens;
        m->ops->start(m, c);
    }
}

static void collect(struct bench *b)
{
    struct model *m = engine_model(b->engine);
    struct error err = ERROR_INIT;
    int64_t left = b->prompts * b->group;

    while (left > 0)
        for (struct mail *mail = mailbox_wait(b->reply, 100); mail; mail = mail->next)
            left--;
    rollout_set_clear(&b->set);
    for (int64_t i = 0; i < b->prompts * b->group; i++) {
        struct model_call *c = &b->call[i];
        struct rollout_member member = {.group = (int32_t)(i / b->group),
                                        .member = (int32_t)(i % b->group)};

        must(c->status, &c->err);
        for (int32_t t = 0; t < c->n_ids; t++)
            member.reward += c->ids[t] % 2 ? 1. / c->n_ids : 0;
        must(rollout_set_add_member(&b->set, &member, &err), &err);
        must(rollout_set_open_chain(&b->set, 0, &err), &err);
        must(rollout_set_put(&b->set, c->delta, NULL, c->n_delta, &err), &err);
        must(rollout_set_put(&b->set, c->ids, c->logp, c->n_ids, &err), &err);
        m->ops->session_close(m, c->session);
    }
}

static void update(void *arg, struct lane lane)
{
    struct bench *b = arg;
    struct grpo_update_options o = {
        .policy = {.objective = POLICY_PPO, .clip_low = .2, .clip_high = .2},
        .step = {.lr = 1e-6, .beta1 = .9, .beta2 = .999, .eps = 1e-8, .clip = 1, .scale = 1},
        .minibatch_chains = (int32_t)b->minibatch,
        .epochs = 1,
        .temperature = 1,
    };
    struct grpo_update_stats stats;
    struct error err = ERROR_INIT;

    must(grpo_update(b->pass, b->work, &b->opt, &lane, lane.pool, &b->set, b->advantage, &o,
                     b->grad, &stats, &err),
         &err);
    if (stats.first_gap != 0) {
        fprintf(stderr, "bench_grpo: log-probs of rollout and training differ by %g\n",
                stats.first_gap);
        exit(1);
    }
}

static struct times one_step(struct bench *b)
{
    struct credit_options credit = {
        .kind = CREDIT_OUTCOME, .norm = CREDIT_NORM_GROUP, .advantage = ADVANTAGE_TRL};
    struct credit_stats stats;
    struct error err = ERROR_INIT;
    struct weights *served = NULL;
    struct times t;
    double from = now_s(), cpu = cpu_seconds();

    start_calls(b);
    collect(b);
    t.rollout = now_s() - from;
    must(credit_assign(&credit, &b->set, (int32_t)b->prompts, (int32_t)b->group, b->advantage,
                       &stats, &err),
         &err);
    engine_run_exclusive(b->engine, update, b);
    must(weights_from_flat(b->work, b->opt.master, ++b->step, &served, &err), &err);
    engine_publish(b->engine, served);
    weights_unref(served);
    t.train = now_s() - from - t.rollout;
    t.cpu = cpu_seconds() - cpu;
    return t;
}

static void run(const struct bench *asked, bool shared)
{
    struct bench b = *asked;
    struct times best = {1e9, 1e9, 1e9};
    int64_t n = b.prompts * b.group;

    open_bench(&b, shared);
    (void)one_step(&b); /* pages, caches */
    for (int64_t i = 0; i < b.steps; i++) {
        struct times t = one_step(&b);

        if (t.rollout + t.train < best.rollout + best.train)
            best = t;
    }
    printf(
        b.json ? "{\"bench\":\"grpo_step\",\"threads\":%lld,\"completions\":%lld,\"prompt\":%lld,"
                 "\"tokens\":%lld,\"shared_prefix\":%s,\"step_s\":%.4f,\"rollout_s\":%.4f,"
                 "\"train_s\":%.4f,\"cpu_s\":%.4f}\n"
               : "%lld threads, %lld completions, prompt %lld, tokens %lld, shared %-5s: step "
                 "%.3f s = rollout %.3f + training %.3f; %.3f CPU-s\n",
        (long long)b.threads, (long long)n, (long long)b.prompt, (long long)b.tokens,
        shared ? "true" : "false", best.rollout + best.train, best.rollout, best.train, best.cpu);
    fflush(stdout);
    close_bench(&b);
}

static bool parse(struct bench *b, int argc, char **argv)
{
    const struct {
        const char *name;
        int64_t *at;
    } numbers[] = {{"--threads", &b->threads},    {"--steps", &b->steps},
                   {"--prompts", &b->prompts},    {"--group", &b->group},
                   {"--prompt", &b->prompt},      {"--tokens", &b->tokens},
                   {"--minibatch", &b->minibatch}};

    for (int i = 1; i < argc; i++) {
        bool known = strcmp(argv[i], "--json") == 0;

        b->json = b->json || known;
        for (size_t k = 0; k < ARRAY_LEN(numbers) && !known && i + 1 < argc; k++)
            if (strcmp(argv[i], numbers[k].name) == 0) {
                *numbers[k].at = strtoll(argv[++i], NULL, 10);
                known = true;
            }
        if (!known)
            return false;
    }
    return b->group >= 2 && b->prompts >= 1 && b->steps >= 1 && b->prompt >= 1 && b->tokens >= 1;
}

int main(int argc, char **argv)
{
    struct bench b = {.threads = 2,
                      .steps = 5,
                      .prompts = 16,
                      .group = 16,
                      .prompt = 64,
                      .tokens = 64,
                      .minibatch = 256};

    if (!parse(&b, argc, argv)) {
        fprintf(stderr, "usage: bench_grpo [--threads N] [--steps N] [--prompts N] [--group N] "
                        "[--prompt N] [--tokens N] [--minibatch N] [--json]\n");
        return 2;
    }
    run(&b, false);
    run(&b, true);
    return 0;
}
