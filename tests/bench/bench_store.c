/* bench_store.c - the cost of a durable step: CPU, fsyncs, bytes.
 *
 *     bench_store [--json] [--dir FOLDER]
 *
 * A turn is two steps, a model call and a tool call. Two transactions make it durable:
 * the first records the result of the model, its tokens, its message and the intent of the
 * tool call, the second the result of the tool, its message, the budget and the intent of
 * the next model call: one flush per step. "waited" waits for each flush, so that steps
 * share none; "running ahead" never waits, like a run with effect `none`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pthread.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/store/journal.h"
#include "runtime/store/path.h"
#include "runtime/store/token_record.h"

#define SLOW_FSYNC_US 6600 /* of a disk with truthful syncs */
#define N_RUNS        64
#define REPLY_TOKENS  200
#define VOCABULARY    151936

/* The most frequent English words, in order; sampled by Zipf's law. */
static const char words[] =
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or "
    "had an they which one you were all her she there would their we him been has when who will no "
    "more if out so said what up its about than into them can only other time new some could these "
    "two may first then do any like my now over such our man me even most made after also did many "
    "off before must well back through years much where your way down should because long each "
    "just "
    "state those people too mr how little good world make very year still see own work men day get "
    "here between both being under never same another know while last might us great old since go "
    "come right used take three himself few house use during without again place around however "
    "home "
    "small found thought went say part once general high upon school every don't does got united "
    "left "
    "number course war until always away something fact water though less public put think almost "
    "hand enough far took head yet government system set better told nothing night end why called "
    "didn't eyes find going look asked later knew point next program city business give group "
    "toward "
    "young days let room president side social given present several order national possible "
    "rather "
    "second face per among form often things looked early white case john become large need big "
    "four "
    "within felt along children saw best church ever least power development light thing seemed "
    "family interest want members mind country area others done turned although open service "
    "certain "
    "kind problem began different door thus help sense means whole matter";

struct text_source {
    const char *word[512];
    int32_t length[512];
    double upto[512]; /* cumulative 1 / rank */
    int32_t n;
    uint64_t at; /* counter of draws */
};

static void text_source_init(struct text_source *t)
{
    double sum = 0;

    t->n = 0;
    t->at = 0;
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, " ");

        sum += 1.0 / (t->n + 2.7);
        t->word[t->n] = p;
        t->length[t->n] = (int32_t)n;
        t->upto[t->n++] = sum;
        p += n + (p[n] == ' ');
    }
}

static uint32_t draw(struct text_source *t)
{
    return rng_philox(11, (uint32_t)t->at++, 0, 0, 0).word[0];
}

/* One word in six is made of syllables: names, terms and numbers, as real text has them. */
static void put_rare(struct text_source *t, struct str *out)
{
    static const char *const syllable[] = {"ba",  "con", "der",  "el",  "fin", "gra", "hel", "in",
                                           "jor", "kel", "lum",  "mer", "nor", "or",  "pra", "qui",
                                           "ran", "sta", "tion", "ur",  "ver", "wil", "xen", "yar"};
    uint32_t n = 2 + draw(t) % 3;

    if (draw(t) % 8 == 0) {
        str_put_i64(out, (int64_t)(draw(t) % 10000));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        str_puts(out, syllable[draw(t) % ARRAY_LEN(syllable)]);
}

static void put_sentence(struct text_source *t, size_t n, struct str *out)
{
    size_t end = out->len + n;
    int32_t since = 0;

    while (out->len < end) {
        double x = rng_unit_float(draw(t)) * t->upto[t->n - 1];
        int32_t i = 0;

        while (t->upto[i] < x)
            i++;
        if (draw(t) % 6 == 0)
            put_rare(t, out);
        else
            str_append(out, t->word[i], (size_t)t->length[i]);
        since++;
        if (since > 6 && draw(t) % 8 == 0) {
            str_puts(out, draw(t) % 3 ? ". " : ", ");
            since = 0;
        } else {
            str_putc(out, ' ');
        }
    }
    out->len = end;
    out->data[end] = '\0';
}

/* ---- one folder, one store */

struct bench {
    char folder[256];
    char path[300];
    struct store *store;
    bool json;
    struct str out; /* the JSON of all figures */
};

static _Noreturn void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "bench_store: %s: %s\n", what, err->message);
    exit(1);
}

static void open_store(struct bench *b, enum store_durability d, int (*hook)(void *ctx), void *ctx)
{
    struct error err = ERROR_INIT;
    struct store_options o = {
        .path = b->path, .durability = d, .create = true, .sync_hook = hook, .sync_hook_ctx = ctx};

    if (store_open(&o, &b->store, &err))
        die("opening", &err);
}

static int64_t file_bytes(const char *path)
{
    FILE *f = fopen(path, "rb");
    long n = 0;

    if (f) {
        (void)fseek(f, 0, SEEK_END);
        n = ftell(f);
        (void)fclose(f);
    }
    return n;
}

/* Closes the store, returns the size of its file, and deletes it. */
static int64_t close_store(struct bench *b)
{
    static const char *const tail[] = {"", "-wal", "-shm", ".lock", ".owners", ".calls"};
    int64_t n;

    store_close(b->store);
    b->store = NULL;
    n = file_bytes(b->path);
    for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
        char name[320];

        (void)snprintf(name, sizeof(name), "%s%s", b->path, tail[i]);
        (void)unlink(name);
    }
    return n;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void figure(struct bench *b, const char *key, double value, const char *unit,
                   const char *words_for_it)
{
    if (b->json) {
        str_puts(&b->out, b->out.len ? "," : "");
        str_printf(&b->out, "\"%s\":", key);
        str_put_double(&b->out, value);
    } else {
        (void)printf("%-58s %12.3f %s\n", words_for_it, value, unit);
        (void)fflush(stdout);
    }
}

/* ---- one run with many turns */

enum tokens { NO_TOKENS, SHORT_TOKENS, LONG_TOKENS };

struct maker {
    struct run *run;
    enum effect effect;
    enum tokens tokens;
    size_t reply_bytes; /* 0: a short tool call */
    struct text_source *source;
    struct str thread, turn, model, tool, parent, text;
    int64_t n; /* the turn that is open */
    int32_t *ids;
    float *logp;
    struct json *args, *result, *budget;
};

static struct run *new_run(struct store *s)
{
    struct error err = ERROR_INIT;
    struct json *config = jv_object();
    struct run *r = NULL;

    jv_set_string(config, "blueprint", "bench");
    if (run_create(s, &(struct run_spec){.kind = "run", .name = "bench", .config = config}, &r,
                   &err))
        die("creating a run", &err);
    jv_unref(config);
    return r;
}

static void maker_init(struct maker *m, struct store *s, enum effect effect, enum tokens tokens)
{
    *m = (struct maker){.run = new_run(s), .effect = effect, .tokens = tokens};
    m->thread = m->turn = m->model = m->tool = m->parent = m->text = STR_INIT;
    path_child(&m->thread, NULL, "work");
    m->ids = xcalloc(REPLY_TOKENS, sizeof(*m->ids));
    m->logp = xcalloc(REPLY_TOKENS, sizeof(*m->logp));
    for (int32_t i = 0; i < REPLY_TOKENS; i++) {
        uint32_t word = rng_philox(3, (uint32_t)i, 0, 0, 0).word[0];

        /* Frequent tokens have small ids: the square puts half of them in the lowest quarter. */
        m->ids[i] = (int32_t)(rng_unit_float(word) * rng_unit_float(word) * VOCABULARY);
        m->logp[i] = -rng_unit_float(word ^ 0x55555555);
    }
    m->args = jv_object();
    jv_set_string(m->args, "account", "A-1042");
    jv_set_int(m->args, "amount", 250);
    m->result = jv_object();
    jv_set_string(m->result, "status", "ok");
    jv_set_int(m->result, "balance", 125000);
    m->budget = jv_object();
}

static void maker_deinit(struct maker *m)
{
    run_close(m->run);
    str_deinit(&m->thread);
    str_deinit(&m->turn);
    str_deinit(&m->model);
    str_deinit(&m->tool);
    str_deinit(&m->parent);
    str_deinit(&m->text);
    free(m->ids);
    free(m->logp);
    jv_unref(m->args);
    jv_unref(m->result);
    jv_unref(m->budget);
}

static void name_turn(struct maker *m)
{
    path_turn(&m->turn, str_cstr(&m->thread), m->n);
    path_model(&m->model, str_cstr(&m->turn), 0);
    path_tool(&m->tool, str_cstr(&m->turn), 0, "post_entry");
}

static void intend_model(struct maker *m)
{
    uint8_t hash[16] = {(uint8_t)m->n};

    name_turn(m);
    journal_intend(
        m->run,
        &(struct step_intent){
            .path = str_cstr(&m->model), .kind = "model", .effect = EFFECT_NONE, .in_hash = hash});
}

static void put_tokens(struct maker *m)
{
    int32_t n = m->tokens == LONG_TOKENS ? REPLY_TOKENS : 24;

    if (m->tokens == NO_TOKENS)
        return;
    journal_tokens(m->run,
                   &(struct token_record){.path = str_cstr(&m->model),
                                          .parent = m->n ? str_cstr(&m->parent) : NULL,
                                          .prefix_len = (int32_t)m->n * 250,
                                          .delta = m->ids,
                                          .n_delta = 24,
                                          .ids = m->ids,
                                          .n_ids = n,
                                          .logp = m->logp,
                                          .policy_version = 1,
                                          .seed = 7,
                                          .call_id = journal_call_id(str_cstr(&m->model), 0),
                                          .temperature = 1,
                                          .top_p = 1});
    str_clear(&m->parent);
    str_puts(&m->parent, str_cstr(&m->model));
}

/* The model replied: records its result and the intent of the tool call. */
static void finish_model(struct maker *m)
{
    struct json *message = jv_object();

    jv_set_string(message, "role", "assistant");
    if (m->reply_bytes) {
        str_clear(&m->text);
        put_sentence(m->source, m->reply_bytes, &m->text);
        jv_set_string(message, "content", str_cstr(&m->text));
    } else {
        jv_set_string(message, "call", "post_entry");
        jv_set_adopt(message, "arguments", jv_ref(m->args));
    }
    journal_finish(m->run, &(struct step_result){.path = str_cstr(&m->model),
                                                 .state = STEP_OK,
                                                 .out = message,
                                                 .tok_in = 24,
                                                 .tok_out = 24});
    put_tokens(m);
    journal_message(m->run, str_cstr(&m->thread), "assistant", message);
    journal_intend(m->run, &(struct step_intent){.path = str_cstr(&m->tool),
                                                 .kind = "tool",
                                                 .name = "post_entry",
                                                 .effect = m->effect,
                                                 .args = m->args});
    jv_unref(message);
}

/* The tool returned: records its result, the budget and the intent of the next model call. */
static void finish_tool(struct maker *m)
{
    journal_finish(m->run, &(struct step_result){
                               .path = str_cstr(&m->tool), .state = STEP_OK, .out = m->result});
    journal_message(m->run, str_cstr(&m->thread), "tool", m->result);
    jv_set_int(m->budget, "steps", m->n * 2 + 2);
    jv_set_int(m->budget, "tokens", m->n * 48);
    run_set_budget(m->run, m->budget);
    m->n++;
    intend_model(m);
}

static void sync_run(struct maker *m)
{
    struct error err = ERROR_INIT;

    if (journal_sync(m->run, &err))
        die("syncing", &err);
}

/* Turns until step `to` (two steps per turn). */
static void make_steps(struct maker *m, int64_t to, bool waited)
{
    while (m->n * 2 < to) {
        finish_model(m);
        journal_flush(m->run);
        if (waited)
            sync_run(m);
        finish_tool(m);
        journal_flush(m->run);
        if (waited)
            sync_run(m);
    }
    sync_run(m);
}

/* CPU microseconds per step between two steps of a run, for the whole process. */
static double cpu_between(struct maker *m, int64_t from, int64_t to, bool waited)
{
    double t0;

    make_steps(m, from, waited);
    t0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
    make_steps(m, to, waited);
    return (seconds(CLOCK_PROCESS_CPUTIME_ID) - t0) * 1e6 / (double)(to - from);
}

static void bench_cpu(struct bench *b, bool waited)
{
    double early = 0, late;
    struct maker m;

    open_store(b, STORE_NORMAL, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        maker_init(&m, b->store, EFFECT_NONE, SHORT_TOKENS);
        intend_model(&m);
        early += cpu_between(&m, 50, 250, waited) / 10;
        maker_deinit(&m);
    }
    maker_init(&m, b->store, EFFECT_NONE, SHORT_TOKENS);
    intend_model(&m);
    late = cpu_between(&m, 9000, 11000, waited);
    maker_deinit(&m);
    (void)close_store(b);
    figure(b, waited ? "cpu_us_step_100_waited" : "cpu_us_step_100", early, "us",
           waited ? "CPU a step at NORMAL, at step 100, each waited for"
                  : "CPU a step at NORMAL, at step 100, running ahead");
    figure(b, waited ? "cpu_us_step_10000_waited" : "cpu_us_step_10000", late, "us",
           waited ? "CPU a step at NORMAL, at step 10,000, each waited for"
                  : "CPU a step at NORMAL, at step 10,000, running ahead");
}

/* ---- many runs at FULL */

struct wake {
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool is_set;
};

static void wake_up(void *ctx)
{
    struct wake *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->is_set = true;
    pthread_cond_signal(&w->there);
    pthread_mutex_unlock(&w->lock);
}

static int slow_sync(void *ctx)
{
    (void)ctx;
    usleep(SLOW_FSYNC_US);
    return 0;
}

static int no_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

struct many {
    struct maker maker[N_RUNS];
    int64_t n_steps;
    bool stop;
    int32_t n_waiting;
};

struct one_of_many {
    struct many *all;
    int32_t i;
};

static void tool_may_start(void *ctx, enum status status, const struct error *err);

/* Runs up to the next effect that must not start before its intent is on disk. */
static void go_on(struct one_of_many *o)
{
    struct maker *m = &o->all->maker[o->i];

    finish_model(m);
    o->all->n_waiting++;
    journal_when_durable(m->run, tool_may_start, o);
}

static void tool_may_start(void *ctx, enum status status, const struct error *err)
{
    struct one_of_many *o = ctx;
    struct maker *m = &o->all->maker[o->i];

    if (status)
        die("an intent", err);
    o->all->n_waiting--;
    o->all->n_steps += 2;
    finish_tool(m);
    journal_flush(m->run);
    if (!o->all->stop)
        go_on(o);
}

static void bench_full(struct bench *b)
{
    struct many *all = xcalloc(1, sizeof(*all));
    struct one_of_many one[N_RUNS];
    struct wake w = {.is_set = false};
    struct mailbox *box = mailbox_new(wake_up, &w);
    double t0, cpu, wall = 0;

    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.there, NULL);
    open_store(b, STORE_FULL, slow_sync, NULL);
    store_set_reply_box(b->store, box);
    for (int32_t i = 0; i < N_RUNS; i++)
        maker_init(&all->maker[i], b->store, EFFECT_IDEMPOTENT, SHORT_TOKENS);
    t0 = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int32_t i = 0; i < N_RUNS; i++) {
        one[i] = (struct one_of_many){all, i};
        intend_model(&all->maker[i]);
        go_on(&one[i]);
    }
    while (all->n_waiting > 0) {
        pthread_mutex_lock(&w.lock);
        while (!w.is_set)
            pthread_cond_wait(&w.there, &w.lock);
        w.is_set = false;
        pthread_mutex_unlock(&w.lock);
        store_drain_replies(store_reply_box(b->store));
        wall = seconds(CLOCK_MONOTONIC) - t0;
        all->stop = wall > 4;
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    figure(b, "full_steps_s_64_runs", (double)all->n_steps / wall, "/s",
           "steps/s at FULL, 64 runs, idempotent tool, fsync 6.6 ms");
    figure(b, "full_cpu_us_step", cpu * 1e6 / (double)all->n_steps, "us", "  CPU a step there");
    for (int32_t i = 0; i < N_RUNS; i++)
        maker_deinit(&all->maker[i]);
    (void)close_store(b);
    mailbox_free(box);
    free(all);
}

static void bench_lone(struct bench *b)
{
    struct error err = ERROR_INIT;
    struct store_stats before, after;
    struct maker m;
    const int64_t n = 2000;

    open_store(b, STORE_FULL, no_sync, NULL);
    maker_init(&m, b->store, EFFECT_IDEMPOTENT, SHORT_TOKENS);
    intend_model(&m);
    sync_run(&m);
    if (store_stats(b->store, &before, &err))
        die("stats", &err);
    make_steps(&m, n, true);
    if (store_stats(b->store, &after, &err))
        die("stats", &err);
    maker_deinit(&m);
    (void)close_store(b);
    figure(b, "fsyncs_step_lone", (double)(after.fsyncs - before.fsyncs) / (double)n, "",
           "fsyncs a step of a lone run at FULL");
}

/* ---- bytes */

static int64_t bytes_of_turns(struct bench *b, int64_t turns, size_t reply_bytes,
                              enum tokens tokens, double *ratio)
{
    struct text_source source;
    struct maker m;

    text_source_init(&source);
    open_store(b, STORE_NORMAL, no_sync, NULL);
    if (turns > 0) {
        maker_init(&m, b->store, EFFECT_NONE, tokens);
        m.reply_bytes = reply_bytes;
        m.source = &source;
        intend_model(&m);
        make_steps(&m, turns * 2, false);
        maker_deinit(&m);
        if (ratio) {
            struct error err = ERROR_INIT;
            struct store_stats stats;

            if (store_stats(b->store, &stats, &err))
                die("stats", &err);
            *ratio = (double)stats.blob_plain_bytes / (double)stats.blob_stored_bytes;
        }
    }
    return close_store(b);
}

static void bench_bytes(struct bench *b)
{
    double ratio = 1;
    int64_t empty = bytes_of_turns(b, 0, 0, NO_TOKENS, NULL);
    int64_t small = bytes_of_turns(b, 200, 1024, NO_TOKENS, &ratio);
    int64_t large = bytes_of_turns(b, 2000, 1024, NO_TOKENS, NULL);
    int64_t with = bytes_of_turns(b, 1000, 0, LONG_TOKENS, NULL);
    int64_t without = bytes_of_turns(b, 1000, 0, NO_TOKENS, NULL);

    figure(b, "bytes_empty", (double)empty, "B", "an empty store");
    figure(b, "zstd_ratio", ratio, "x", "  what zstd makes of one such KB (legal English: 1.85)");
    figure(b, "bytes_over_text_200", (double)small / (200 * 1024.0), "x",
           "200 turns of 1 KB English, whole file over the text");
    figure(b, "bytes_over_text_2000", (double)large / (2000 * 1024.0), "x",
           "2,000 turns of 1 KB English, whole file over the text");
    figure(b, "bytes_2000_over_200", (double)large / (double)small, "x", "2,000 turns over 200");
    figure(b, "token_bytes", (double)(with - without) / (1000.0 * REPLY_TOKENS), "B",
           "token record a sampled token (200 a reply, 24 of delta)");
}

int main(int argc, char **argv)
{
    struct bench b = {.out = STR_INIT};
    const char *dir = "/tmp";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            dir = argv[++i];
        } else {
            (void)fprintf(stderr, "usage: bench_store [--json] [--dir FOLDER]\n");
            return 2;
        }
    }
    (void)snprintf(b.folder, sizeof(b.folder), "%s/bench-store-XXXXXX", dir);
    if (!mkdtemp(b.folder)) {
        perror(b.folder);
        return 1;
    }
    (void)snprintf(b.path, sizeof(b.path), "%s/store.db", b.folder);
    bench_cpu(&b, true);
    bench_cpu(&b, false);
    bench_full(&b);
    bench_lone(&b);
    bench_bytes(&b);
    if (b.json)
        (void)printf("{%s}\n", str_cstr(&b.out));
    str_deinit(&b.out);
    (void)rmdir(b.folder);
    return 0;
}
