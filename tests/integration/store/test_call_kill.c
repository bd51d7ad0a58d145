/* test_call_kill.c - a process that records calls is killed at random moments.
 *
 * Each row has a number as its target. The process writes the number to a pipe when the row is
 * kept. After SIGKILL every acknowledged number has exactly one row, no number has two, and the
 * chain is sound; at most those under way are there without an acknowledgement. Several rows wait
 * at once, the process moves rows into the table all the time, and sometimes it is killed while it
 * opens the store or closes it. TROUPE_KILL_SECONDS and TROUPE_KILL_SEED change the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/text.h"
#include "runtime/store/call_audit.h"
#include "tests/unit/store/store_fixture.h"

#define N_IN_FLIGHT 8

struct worker {
    struct store *store;
    int pipe;
    int64_t next, n_waiting;
    enum store_durability durability; /* of rows; the store has STORE_FULL */
};
struct ack {
    struct worker *w;
    int64_t number;
};

static void kept(void *ctx, enum status status, const struct error *err)
{
    struct ack *a = ctx;

    if (status) {
        (void)fprintf(stderr, "row %lld: %s\n", (long long)a->number, err->message);
        _exit(3);
    }
    if (write(a->w->pipe, &a->number, sizeof(a->number)) != sizeof(a->number))
        _exit(4);
    a->w->n_waiting--;
    free(a);
}

static void append(struct worker *w)
{
    struct ack *a = xmalloc(sizeof(*a));
    char target[24];
    const struct call_audit_row row = {.at_ms = 1700000000000,
                                       .who = "local",
                                       .server = "files",
                                       .method = "tools/call",
                                       .target = target,
                                       .decision = "allow",
                                       .outcome = "ok",
                                       .effect = EFFECT_ONCE};

    *a = (struct ack){w, w->next++};
    (void)snprintf(target, sizeof(target), "%lld", (long long)a->number);
    w->n_waiting++;
    if (call_audit_append(w->store, &row, w->durability, kept, a))
        kept(a, STATUS_OK, NULL);
}

static _Noreturn void live(const struct store_fixture *f, int64_t next, int pipe,
                           enum store_durability durability, bool closes)
{
    struct store_options o = {.path = f->path, .durability = STORE_FULL};
    struct worker w = {.pipe = pipe, .next = next, .durability = durability};
    struct error err = ERROR_INIT;

    for (;;) {
        if (store_open(&o, &w.store, &err)) {
            (void)fprintf(stderr, "child: %s\n", err.message);
            _exit(2);
        }
        for (int i = 0; !closes || i < 50; i++) {
            append(&w);
            usleep(20);
            do
                store_drain_replies(store_reply_box(w.store));
            while (w.n_waiting >= N_IN_FLIGHT);
        }
        store_close(w.store); /* gives the replies that are left */
    }
}

/* seen[k]: the number k was acknowledged. */
static int64_t one_life(const struct store_fixture *f, int64_t next, uint32_t us,
                        enum store_durability durability, bool closes, bool *seen)
{
    int64_t number, n = 0;
    int ends[2], status = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        live(f, next, ends[1], durability, closes);
    }
    close(ends[1]);
    usleep(us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not end by itself */
    while (read(ends[0], &number, sizeof(number)) == sizeof(number)) {
        seen[number] = true;
        n++;
    }
    close(ends[0]);
    return n;
}

struct tally {
    unsigned char *n_rows; /* of each number */
    int64_t max, n;
};

static bool count(void *ctx, const struct call_audit_row *row)
{
    struct tally *t = ctx;
    int64_t number;

    assert_true(text_to_i64(row->target, &number));
    assert_in_range(number, 0, t->max - 1);
    assert_int_equal(row->id, ++t->n);
    t->n_rows[number]++;
    return true;
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t v;

    return text && text_to_i64(text, &v) ? v : otherwise;
}

/* Returns the next number that no row has. */
static int64_t examine(struct store_fixture *f, const bool *seen, int64_t max, int64_t n_kills)
{
    struct tally t = {.n_rows = calloc((size_t)max, 1), .max = max};
    struct store_reader *r = NULL;
    int64_t next = 0, n_without = 0;

    fixture_open(f);
    assert_ok(store_reader_open(f->store, &r, why));
    assert_ok(call_audit_read(r, 0, count, &t, why));
    assert_ok(call_audit_check(r, why));
    for (int64_t i = 0; i < max; i++) {
        if (t.n_rows[i] > 1 || (seen[i] && t.n_rows[i] == 0))
            fail_msg("number %lld has %d rows", (long long)i, t.n_rows[i]);
        n_without += t.n_rows[i] && !seen[i];
        next = t.n_rows[i] ? i + 1 : next;
    }
    assert_true(n_without <= n_kills * (N_IN_FLIGHT + 1)); /* those under way */
    store_reader_close(r);
    fixture_close(f);
    free(t.n_rows);
    return next;
}

static void every_acknowledged_call_has_one_row(void **state)
{
    enum { MAX = 2000000 };
    struct store_fixture *f = *state;
    int64_t seed =
        from_environment("TROUPE_KILL_SEED", (int64_t)(seams_random_u64(seams_real()) >> 1));
    int64_t end =
        seams_mono_us(seams_real()) + from_environment("TROUPE_KILL_SECONDS", 10) * 1000000;
    int64_t next = 0, n_kills = 0, n_acknowledged = 0;
    bool *seen = calloc(MAX, sizeof(*seen));

    print_message("seed %lld\n", (long long)seed);
    fixture_open(f);
    fixture_close(f);
    for (uint32_t i = 0; seams_mono_us(seams_real()) < end; i++) {
        struct rng_block b = rng_philox((uint64_t)seed, i, 0, 0, 0);
        /* Mostly while rows are moved, which begins 100 ms after the first. */
        uint32_t us = b.word[0] % 4 ? 80000 + b.word[1] % 150000 : b.word[1] % 15000;

        n_acknowledged += one_life(f, next, us, b.word[2] % 2 ? STORE_NORMAL : STORE_FULL,
                                   b.word[3] % 4 == 0, seen);
        next = examine(f, seen, MAX, ++n_kills);
    }
    print_message("%lld kills, %lld acknowledged\n", (long long)n_kills, (long long)n_acknowledged);
    assert_true(n_kills >= 10 && n_acknowledged > n_kills);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_acknowledged_call_has_one_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
