/* bench_engine.c - CPU time of a model in the engine, one thread: decoding at positions 128 to 160,
 * and a prompt of 512.
 *
 * Usage: bench_engine MODEL [--rounds N] [--sessions 1,8,32] [--weight-type f32|bf16]. MODEL is a
 * file or a folder. Prints `decode SESSIONS TOK/S` and `prompt 512 TOK/S` of the best round: tokens
 * of a second of CPU time of the whole process, sampling at temperature 1 and both log-probs
 * included. Keys and values are bf16, and there is no prefix cache. llama_baseline.py does the same
 * with llama.cpp. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/bench/bench_run.h"

enum { DECODE_FROM = 128, DECODE_TOKENS = 32, PROMPT = 512, MAX_SESSIONS = 64 };

struct client {
    struct model_call call;
    struct model_session *session;
    int32_t prompt[PROMPT], ids[DECODE_TOKENS];
    float logp[DECODE_TOKENS], logp_sampled[DECODE_TOKENS];
};

static void start(struct model *m, struct mailbox *box, struct client *c, int32_t keep,
                  int32_t n_delta, int32_t max_tokens)
{
    memset(&c->call, 0, sizeof(c->call));
    c->call.reply = box;
    c->call.session = c->session;
    c->call.keep = keep;
    c->call.delta = c->prompt;
    c->call.n_delta = n_delta;
    c->call.seed = 1;
    c->call.sampling = SAMPLING_DEFAULT;
    c->call.max_tokens = max_tokens;
    c->call.ids = c->ids;
    c->call.logp = c->logp;
    c->call.logp_sampled = c->logp_sampled;
    m->ops->start(m, &c->call);
}

/* Seconds of CPU until all n calls are answered. */
static double run(struct model *m, struct mailbox *box, struct client *c, int32_t n, int32_t keep,
                  int32_t n_delta, int32_t max_tokens)
{
    double begin = cpu_seconds();
    int32_t left = n;

    for (int32_t i = 0; i < n; i++)
        start(m, box, &c[i], keep, n_delta, max_tokens);
    while (left > 0)
        for (struct mail *mail = mailbox_wait(box, -1); mail; mail = mail->next)
            left--;
    for (int32_t i = 0; i < n; i++)
        if (c[i].call.status)
            must(c[i].call.status, &c[i].call.err);
    return cpu_seconds() - begin;
}

static void open_sessions(struct model *m, struct client *c, int32_t n)
{
    struct error err = ERROR_INIT;

    for (int32_t i = 0; i < n; i++) {
        must(m->ops->session_open(m, NULL, &c[i].session, &err), &err);
        for (int32_t t = 0; t < PROMPT; t++)
            c[i].prompt[t] = (int32_t)rng_below(
                rng_philox(7, (uint32_t)t, (uint32_t)i, 0, 0).word[0], (uint32_t)m->info.vocab);
    }
}

static void close_sessions(struct model *m, struct client *c, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        m->ops->session_close(m, c[i].session);
}

/* Tokens may end a reply early; the rate is of those that were drawn. */
static double decode_rate(struct model *m, struct mailbox *box, struct client *c, int32_t n)
{
    int64_t tokens = 0;
    double seconds;

    open_sessions(m, c, n);
    (void)run(m, box, c, n, 0, DECODE_FROM, 1);
    seconds = run(m, box, c, n, DECODE_FROM + 1, 0, DECODE_TOKENS);
    for (int32_t i = 0; i < n; i++)
        tokens += c[i].call.n_ids;
    close_sessions(m, c, n);
    return (double)tokens / seconds;
}

static double prompt_rate(struct model *m, struct mailbox *box, struct client *c)
{
    double seconds;

    open_sessions(m, c, 1);
    seconds = run(m, box, c, 1, 0, PROMPT, 1);
    close_sessions(m, c, 1);
    return PROMPT / seconds;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

static void measure(struct model *m, const char *sessions, int rounds)
{
    struct client *c = xcalloc(MAX_SESSIONS, sizeof(*c));
    struct mailbox *box = mailbox_new(NULL, NULL);
    double best = 0;

    for (const char *at = sessions; *at;) {
        char *end;
        int32_t n = (int32_t)strtol(at, &end, 10);

        best = 0;
        for (int i = 0; i < rounds && n > 0 && n <= MAX_SESSIONS; i++)
            best = most(best, decode_rate(m, box, c, n));
        printf("decode %d %.1f\n", n, best);
        at = *end ? end + 1 : end;
    }
    best = 0;
    for (int i = 0; i < rounds; i++)
        best = most(best, prompt_rate(m, box, c));
    printf("prompt %d %.1f\n", PROMPT, best);
    mailbox_free(box);
    free(c);
}

int main(int argc, char **argv)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    const char *sessions = "1,8,32";
    struct error err = ERROR_INIT;
    struct engine *e;
    int rounds = 3;

    o.backend = cpu_backend(cpu_isa_best());
    o.n_threads = 1;
    o.context = 4096;
    o.max_sessions = MAX_SESSIONS;
    o.kv_bytes = (int64_t)1 << 30;
    o.kv_dtype = DTYPE_BF16;
    o.prefill_chunk = o.max_batch_rows = PROMPT;
    o.no_prefix_cache = true;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--sessions") && i + 1 < argc)
            sessions = argv[++i];
        else if (!strcmp(argv[i], "--weight-type") && i + 1 < argc)
            o.weight_dtype = dtype_find(argv[++i]);
        else
            o.model = argv[i];
    }
    if (!o.model) {
        fprintf(stderr, "usage: bench_engine MODEL [--rounds N] [--sessions 1,8,32] [--weight-type "
                        "f32|bf16]\n");
        return 2;
    }
    must(engine_open(&o, &e, &err), &err);
    measure(engine_model(e), sessions, rounds);
    engine_close(e);
    return 0;
}
