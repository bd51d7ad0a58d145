/* test_store_kill.c - a process that runs steps is killed many times.
 *
 * A child takes the run and continues it. For each step it writes to a pipe when the step is
 * durable. It is killed with SIGKILL at a random time. After that the run can be taken at once,
 * every acknowledged step exists, seq has no gap, and the transaction that finished a step, stored
 * its message and intended the next step exists completely or not at all. Sometimes the shared
 * index is deleted, as after a restart of the machine, or the log is truncated at a random place,
 * as after a power loss. Then acknowledged steps of this life may be lost; everything else holds.
 * The seed is printed; TROUPE_KILL_SECONDS and TROUPE_KILL_SEED change the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "runtime/base/text.h"

#define N_IN_FLIGHT 4 /* steps that wait for the disk at the same time */

/* ---- the child */

struct worker {
    struct store *store;
    struct run *run;
    int pipe;
    int64_t next;           /* the step whose intent is recorded */
    int64_t n_acknowledged; /* steps acknowledged in this life and before */
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool is_woken;
};

struct ack {
    struct worker *w;
    int64_t step;
};

static void name_step(int64_t k, char out[48])
{
    (void)snprintf(out, 48, "work/turn:%lld/tool:0:act", (long long)k);
}

/* Some values are in the row, some become blobs, some blobs are compressed. */
static struct json *value_of(int64_t k)
{
    struct str s = STR_INIT;
    struct json *v;
    size_t n = (size_t)(k * 97 % 1200);

    str_printf(&s, "result %lld ", (long long)k);
    while (s.len < n)
        str_printf(&s, "%lld ", (long long)(k * (int64_t)s.len % 1000));
    v = jv_string(str_cstr(&s));
    str_deinit(&s);
    return v;
}

static void intend(struct worker *w, int64_t k)
{
    char path[48];

    name_step(k, path);
    fixture_intend(w->run, path, 0, EFFECT_IDEMPOTENT, "{\"x\":1}");
}

static void acknowledge(void *ctx, enum status status, const struct error *err)
{
    struct ack *a = ctx;

    if (status) {
        (void)fprintf(stderr, "step %lld: %s\n", (long long)a->step, err->message);
        _exit(3);
    }
    if (write(a->w->pipe, &a->step, sizeof(a->step)) != sizeof(a->step))
        _exit(4);
    a->w->n_acknowledged = a->step + 1;
    free(a);
}

static void make_step(struct worker *w)
{
    struct json *v = value_of(w->next);
    struct ack *a = xmalloc(sizeof(*a));
    static const int32_t ids[4] = {1, 2, 3, 4};
    static const float logp[4];
    char path[48];

    name_step(w->next, path);
    journal_finish(w->run, &(struct step_result){.path = path, .state = STEP_OK, .out = v});
    journal_tokens(w->run,
                   &(struct token_record){.path = path, .ids = ids, .n_ids = 4, .logp = logp});
    journal_message(w->run, "work", "tool", v);
    jv_unref(v);
    *a = (struct ack){w, w->next};
    intend(w, ++w->next);
    journal_when_durable(w->run, acknowledge, a);
}

static void wake_worker(void *ctx)
{
    struct worker *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->is_woken = true;
    pthread_cond_signal(&w->there);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for_disk(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->is_woken)
        pthread_cond_wait(&w->there, &w->lock);
    w->is_woken = false;
    pthread_mutex_unlock(&w->lock);
    store_drain_replies(store_reply_box(w->store));
}

static _Noreturn void live(const struct store_fixture *f, const char *uuid, int64_t done, int pipe,
                           enum store_durability durability)
{
    struct store_options o = {.path = f->path, .durability = durability};
    struct worker w = {.pipe = pipe, .next = done, .n_acknowledged = done};
    struct error err = ERROR_INIT;

    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.there, NULL);
    if (store_open(&o, &w.store, &err) || run_take(w.store, uuid, &w.run, &err)) {
        (void)fprintf(stderr, "child: %s\n", err.message);
        _exit(2);
    }
    store_set_reply_box(w.store, mailbox_new(wake_worker, &w));
    intend(&w, w.next); /* after a kill the intent exists already; this counts a try */
    for (;;) {
        make_step(&w);
        while (w.next - w.n_acknowledged >= N_IN_FLIGHT)
            wait_for_disk(&w);
    }
}

/* ---- the parent */

struct life {
    int64_t n_done;  /* steps that are finished */
    int64_t n_tries; /* of the step that was open */
};

/* Checks everything that a kill may leave; returns the recorded state. */
static struct life examine(struct store_fixture *f, const char *uuid, int64_t acknowledged)
{
    struct run *r = NULL;
    struct json *messages = NULL;
    struct step_record step;
    struct life life = {0, 0};
    bool found = true;
    char path[48];

    fixture_open(f);
    assert_ok(run_take(f->store, uuid, &r, why)); /* at once: the lock died with its owner */
    for (;;) {
        struct json *expected = value_of(life.n_done);
        bool done;

        name_step(life.n_done, path);
        assert_ok(journal_find(r, path, &found, &step, why));
        done = found && step.state == STEP_OK;
        if (done)
            assert_true(jv_equal(step.out, expected));
        else if (found)
            life.n_tries = step.tries;
        jv_unref(expected);
        if (found)
            step_record_deinit(&step);
        if (!done)
            break;
        life.n_done++;
    }
    if (life.n_done < acknowledged)
        fail_msg("step %lld was acknowledged, but %lld are there", (long long)acknowledged - 1,
                 (long long)life.n_done);
    if (life.n_done > 0)
        assert_true(found); /* the next intent is in the same transaction as the result */
    assert_ok(journal_messages(r, "work", &messages, why));
    assert_int_equal(jv_size(messages), life.n_done);
    jv_unref(messages);
    run_close(r);
    fixture_close(f);
    return life;
}

/* Forks a child, kills it after `us`, and returns what it acknowledged. */
static int64_t one_life(struct store_fixture *f, const char *uuid, int64_t done, uint32_t us,
                        enum store_durability durability)
{
    int64_t acknowledged = done, step;
    int ends[2], status = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        live(f, uuid, done, ends[1], durability);
    }
    close(ends[1]);
    usleep(us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not end by itself */
    while (read(ends[0], &step, sizeof(step)) == sizeof(step)) {
        assert_int_equal(step, acknowledged); /* in order */
        acknowledged = step + 1;
    }
    close(ends[0]);
    return acknowledged;
}

/* Nothing of this life has been copied from the log yet (it is shorter than the interval between
 * checkpoints), so a log cut anywhere is a state that a power loss at NORMAL can leave. */
static void lose_power(const struct store_fixture *f, bool cut_log, uint32_t chance)
{
    char name[160];
    struct stat info;

    (void)snprintf(name, sizeof(name), "%s-shm", f->path);
    (void)unlink(name);
    (void)snprintf(name, sizeof(name), "%s-wal", f->path);
    if (cut_log && stat(name, &info) == 0)
        assert_int_equal(truncate(name, (off_t)(chance % (uint64_t)(info.st_size + 1))), 0);
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t v;

    return text && text_to_i64(text, &v) ? v : otherwise;
}

static void check_store(struct store_fixture *f)
{
    struct str report = STR_INIT;

    if (store_check(fixture_open(f), &report, NULL))
        fail_msg("%s", str_cstr(&report));
    str_deinit(&report);
    fixture_close(f);
}

/* A long run takes time to examine, so a new one begins. */
static void new_run(struct store_fixture *f, char uuid[37])
{
    struct run *r = fixture_run(fixture_open(f));

    memcpy(uuid, run_uuid(r), 37);
    run_close(r);
    fixture_close(f);
}

static void test_kill(void **state)
{
    struct store_fixture *f = *state;
    int64_t seed =
        from_environment("TROUPE_KILL_SEED", (int64_t)(seams_random_u64(seams_real()) >> 1));
    int64_t end =
        seams_mono_us(seams_real()) + from_environment("TROUPE_KILL_SECONDS", 10) * 1000000;
    int64_t done = 0, total = 0, n_kills = 0, n_lost_acks = 0;
    char uuid[37];

    print_message("seed %lld\n", (long long)seed);
    new_run(f, uuid);
    for (uint32_t i = 0; seams_mono_us(seams_real()) < end; i++) {
        struct rng_block b = rng_philox((uint64_t)seed, i, 0, 0, 0);
        /* Mostly in the middle of work, sometimes while it starts. */
        uint32_t us = b.word[0] % 8 ? 15000 + b.word[1] % 60000 : b.word[1] % 15000;
        int64_t acknowledged =
            one_life(f, uuid, done, us, b.word[2] % 4 ? STORE_NORMAL : STORE_FULL);
        struct life life;

        if (b.word[3] % 4 < 2)
            lose_power(f, b.word[3] % 4 == 0, b.word[1]);
        life = examine(f, uuid, b.word[3] % 4 == 0 ? done : acknowledged);
        n_kills++;
        if (life.n_done > acknowledged)
            n_lost_acks += life.n_done - acknowledged; /* done, but not acknowledged */
        total += life.n_done - done;
        done = life.n_done;
        if (i % 16 == 15)
            check_store(f);
        if (done > 400) {
            new_run(f, uuid);
            done = 0;
        }
    }
    check_store(f);
    print_message("%lld kills, %lld steps, %lld done but not yet acknowledged\n",
                  (long long)n_kills, (long long)total, (long long)n_lost_acks);
    assert_true(n_kills >= 10 && total > n_kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
