/* bench_decode.c - tokens per second of the engine, from calls to replies.
 *
 * The model has random weights (the cost does not depend on them), fp32, and by default the shape
 * of the embedded model. Two loads: decode  every session has one prompt and a long reply (like
 * generate() of other libraries) turns   every session alternates between a delta of a few tokens
 * and a short reply, as agents do
 *
 *   bench_decode [--sessions 1,16,64,256] [--threads 1,2] [--load decode|turns] [--tokens 128]
 *                [--prompt 16] [--hidden 128 --layers 2 --heads 4 --kv-heads 4 --head-dim 32
 *                --ffn 384 --vocab 320] [--temperature 1] [--seconds 2] [--group-rows 0]
 *                [--batch-rows 0] [--prefix-cache] [--json]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "runtime/base/text.h"
#include "tests/bench/bench_run.h"
#include "tests/support/small_qwen3.h"

#define MAX_LIST     16
#define TURN_DELTA   6
#define TURN_REPLY   12
#define TURN_CONTEXT 256

struct bench {
    int64_t sessions[MAX_LIST], threads[MAX_LIST];
    int n_sessions, n_threads;
    bool turns, json, prefix_cache;
    int64_t tokens, prompt, hidden, layers, heads, kv_heads, head_dim, ffn, vocab, group_rows,
        batch_rows;
    double temperature, seconds;
    struct weights *weights;
};

struct client {
    struct model_call call;
    struct model_session *session;
    int32_t *delta;
    int32_t length; /* positions of the session */
    uint64_t calls;
};

struct figures {
    int64_t tokens;
    double seconds, cpu_s; /* of the whole process; less affected by other load on the machine */
    struct engine_stats stats;
};

static void parse_list(const char *text, int64_t *out, int *n)
{
    char *end;

    *n = 0;
    while (*n < MAX_LIST && *text) {
        out[(*n)++] = strtoll(text, &end, 10);
        text = *end == ',' ? end + 1 : end + strlen(end);
    }
}

static bool parse_option(struct bench *b, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *at;
    } numbers[] = {
        {"--tokens", &b->tokens},         {"--prompt", &b->prompt},
        {"--hidden", &b->hidden},         {"--layers", &b->layers},
        {"--heads", &b->heads},           {"--kv-heads", &b->kv_heads},
        {"--head-dim", &b->head_dim},     {"--ffn", &b->ffn},
        {"--vocab", &b->vocab},           {"--group-rows", &b->group_rows},
        {"--batch-rows", &b->batch_rows},
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (!strcmp(name, numbers[i].name))
            return text_to_i64(value, numbers[i].at);
    if (!strcmp(name, "--temperature"))
        return text_to_double(value, &b->temperature);
    if (!strcmp(name, "--seconds"))
        return text_to_double(value, &b->seconds);
    if (!strcmp(name, "--sessions"))
        parse_list(value, b->sessions, &b->n_sessions);
    else if (!strcmp(name, "--threads"))
        parse_list(value, b->threads, &b->n_threads);
    else if (!strcmp(name, "--load"))
        b->turns = !strcmp(value, "turns");
    else
        return false;
    return true;
}

static bool parse(struct bench *b, int argc, char **argv)
{
    *b = (struct bench){.sessions = {1, 16, 64, 256},
                        .n_sessions = 4,
                        .threads = {1, 2},
                        .n_threads = 2,
                        .tokens = 128,
                        .prompt = 16,
                        .hidden = 128,
                        .layers = 2,
                        .heads = 4,
                        .kv_heads = 4,
                        .head_dim = 32,
                        .ffn = 384,
                        .vocab = 320,
                        .temperature = 1,
                        .seconds = 2};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            b->json = true;
            continue;
        }
        if (!strcmp(argv[i], "--prefix-cache")) {
            b->prefix_cache = true;
            continue;
        }
        if (i + 1 == argc || !parse_option(b, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench_decode: unknown option %s\n", argv[i]);
            return false;
        }
        i++;
    }
    return true;
}

static enum status make_weights(struct bench *b, struct error *err)
{
    struct model_config c = small_qwen3((int32_t)b->vocab);
    const struct arch *a = arch_find(c.architecture);

    c.hidden_size = (int32_t)b->hidden;
    c.intermediate_size = (int32_t)b->ffn;
    c.n_layers = (int32_t)b->layers;
    c.n_heads = (int32_t)b->heads;
    c.n_kv_heads = (int32_t)b->kv_heads;
    c.head_dim = (int32_t)b->head_dim;
    c.max_position_embeddings = 4096;
    return weights_init(cpu_backend(cpu_isa_best()), a, &c, 1, &b->weights, err);
}

/* The next call of a session: a prompt, or the delta of a turn after the existing positions. */
static void begin(const struct bench *b, struct model *m, struct client *k)
{
    struct model_call *c = &k->call;
    int32_t n = (int32_t)b->prompt;

    c->keep = 0;
    if (b->turns) {
        n = TURN_DELTA;
        if (k->length + TURN_DELTA + TURN_REPLY <= TURN_CONTEXT)
            c->keep = k->length;
    }
    for (int32_t i = 0; i < n; i++)
        k->delta[i] = (int32_t)rng_below(
            rng_philox(c->call_id, (uint32_t)k->calls, (uint32_t)i, 7, 0).word[0],
            (uint32_t)b->vocab);
    c->delta = k->delta;
    c->n_delta = n;
    c->seed = k->calls++;
    c->max_tokens = b->turns ? TURN_REPLY : (int32_t)b->tokens;
    m->ops->start(m, c);
}

static enum status open_clients(const struct bench *b, struct model *m, struct mailbox *box,
                                struct client *clients, int64_t n, struct error *err)
{
    for (int64_t i = 0; i < n; i++) {
        struct client *k = &clients[i];
        size_t most = (size_t)(b->tokens > TURN_REPLY ? b->tokens : TURN_REPLY);
        enum status st = m->ops->session_open(m, NULL, &k->session, err);

        if (st)
            return st;
        k->delta = xcalloc((size_t)b->prompt + TURN_DELTA, sizeof(int32_t));
        k->call.reply = box;
        k->call.session = k->session;
        k->call.sampling = SAMPLING_DEFAULT;
        k->call.sampling.temperature = (float)b->temperature;
        k->call.call_id = (uint64_t)i;
        k->call.ids = xcalloc(most, sizeof(int32_t));
        k->call.logp = xcalloc(most, sizeof(float));
        k->call.logp_sampled = xcalloc(most, sizeof(float));
    }
    return STATUS_OK;
}

static void close_clients(struct model *m, struct client *clients, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        m->ops->session_close(m, clients[i].session);
        free(clients[i].delta);
        free(clients[i].call.ids);
        free(clients[i].call.logp);
        free(clients[i].call.logp_sampled);
    }
}

/* Runs for `seconds`; every session calls again as soon as it has its reply. */
static enum status drive(const struct bench *b, struct model *m, struct mailbox *box,
                         struct client *clients, int64_t n, double seconds, struct figures *f,
                         struct error *err)
{
    int64_t start = seams_mono_us(seams_real());
    int64_t until = start + (int64_t)(seconds * 1e6);
    double cpu = cpu_seconds();
    int64_t open = n;
    enum status st = STATUS_OK;

    f->tokens = 0;
    for (int64_t i = 0; i < n; i++)
        begin(b, m, &clients[i]);
    while (open > 0) {
        struct mail *mail = mailbox_wait(box, -1);
        bool more = seams_mono_us(seams_real()) < until;

        while (mail) {
            struct client *k = (struct client *)(void *)mail;

            mail = mail->next;
            if (k->call.status) {
                *err = k->call.err;
                st = k->call.status;
            }
            f->tokens += k->call.n_ids;
            k->length = k->call.keep + k->call.n_delta + k->call.n_ids;
            if (more && !st)
                begin(b, m, k);
            else
                open--;
        }
    }
    f->seconds = (double)(seams_mono_us(seams_real()) - start) / 1e6;
    f->cpu_s = cpu_seconds() - cpu;
    return st;
}

static enum status measure(const struct bench *b, int64_t sessions, int64_t threads,
                           struct figures *f, struct error *err)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    struct client *clients = xcalloc((size_t)sessions, sizeof(*clients));
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct engine *e = NULL;
    struct engine_stats before;
    enum status st;

    o.weights = b->weights;
    o.backend = cpu_backend(cpu_isa_best());
    o.n_threads = (int32_t)threads;
    o.max_sessions = (int32_t)sessions;
    o.context = b->turns ? TURN_CONTEXT + 1 : (int32_t)(b->prompt + b->tokens + 1);
    o.group_rows = (int32_t)b->group_rows;
    o.max_batch_rows = (int32_t)b->batch_rows;
    o.no_prefix_cache =
        !b->prefix_cache; /* nothing repeats here: measures the cost of the lookup */
    st = engine_open(&o, &e, err);
    if (!st)
        st = open_clients(b, engine_model(e), box, clients, sessions, err);
    if (!st)
        st = drive(b, engine_model(e), box, clients, sessions, 0.1, f, err);
    if (!st) {
        engine_stats(e, &before);
        st = drive(b, engine_model(e), box, clients, sessions, b->seconds, f, err);
        engine_stats(e, &f->stats);
        f->stats.forward_us -= before.forward_us;
        f->stats.sample_us -= before.sample_us;
        f->stats.busy_us -= before.busy_us;
        f->stats.rows -= before.rows;
        f->stats.steps -= before.steps;
    }
    if (e)
        close_clients(engine_model(e), clients, sessions);
    engine_close(e);
    mailbox_free(box);
    free(clients);
    return st;
}

static void print(const struct bench *b, int64_t sessions, int64_t threads, const struct figures *f)
{
    const char *load = b->turns ? "turns" : "decode";
    double rate = (double)f->tokens / f->seconds;
    double per_cpu = (double)f->tokens / f->cpu_s;
    double rows = (double)f->stats.rows;
    double forward = (double)f->stats.forward_us / rows;
    double sample = (double)f->stats.sample_us / (double)f->tokens;

    if (b->json)
        printf("{\"bench\": \"decode\", \"load\": \"%s\", \"sessions\": %lld, \"threads\": %lld, "
               "\"tokens_per_s\": %.0f, \"tokens_per_cpu_s\": %.0f, \"rows_per_s\": %.0f, "
               "\"forward_us_per_row\": %.3f, \"sample_us_per_token\": %.3f}\n",
               load, (long long)sessions, (long long)threads, rate, per_cpu, rows / f->seconds,
               forward, sample);
    else
        printf("%-7s %8lld %8lld %12.0f %12.0f %12.0f %10.2f %10.2f\n", load, (long long)sessions,
               (long long)threads, rate, per_cpu, rows / f->seconds, forward, sample);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct error err = ERROR_INIT;

    if (!parse(&b, argc, argv))
        return 2;
    if (make_weights(&b, &err)) {
        fprintf(stderr, "bench_decode: %s\n", err.message);
        return 1;
    }
    if (!b.json)
        printf("%s, %lld parameters\n%-7s %8s %8s %12s %12s %12s %10s %10s\n",
               cpu_backend(cpu_isa_best())->name, (long long)weights_n_params(b.weights), "load",
               "sessions", "threads", "tokens/s", "tokens/CPU-s", "rows/s", "fwd us/row",
               "smp us/tok");
    for (int t = 0; t < b.n_threads; t++)
        for (int s = 0; s < b.n_sessions; s++) {
            struct figures f = {0};

            if (measure(&b, b.sessions[s], b.threads[t], &f, &err)) {
                fprintf(stderr, "bench_decode: %s\n", err.message);
                return 1;
            }
            print(&b, b.sessions[s], b.threads[t], &f);
        }
    weights_unref(b.weights);
    return 0;
}
