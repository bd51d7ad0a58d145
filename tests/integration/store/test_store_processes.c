/* test_store_processes.c - several processes use one store, and two try to take one run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "runtime/base/memory.h"

#define N_PROCESSES 3
#define N_STEPS     150
#define N_RACES     25
#define N_CREATIONS 60

/* Runs in a child: its own run, waits for every step, with checkpoints in between. */
static int write_run(const struct store_fixture *f, int me)
{
    struct store_options o = {.path = f->path, .create = true, .durability = STORE_NORMAL};
    struct run_spec spec = {.kind = "run", .name = "many"};
    struct store *s = NULL;
    struct run *r = NULL;
    struct error err = ERROR_INIT;
    char path[48], out[64];

    if (store_open(&o, &s, &err) || run_create(s, &spec, &r, &err))
        goto fail;
    for (int k = 0; k < N_STEPS; k++) {
        (void)snprintf(path, sizeof(path), "s%d", k);
        (void)snprintf(out, sizeof(out), "\"%d of %d\"", k, me);
        fixture_intend(r, path, 0, EFFECT_ONCE, NULL);
        journal_flush(r);
        fixture_finish(r, path, 0, STEP_OK, out);
        if (journal_sync(r, &err))
            goto fail;
        if (k % 50 == 49) { /* closing makes a checkpoint while the others write */
            char uuid[37];

            memcpy(uuid, run_uuid(r), sizeof(uuid));
            run_close(r);
            store_close(s);
            if (store_open(&o, &s, &err) || run_take(s, uuid, &r, &err))
                goto fail;
        }
    }
    run_set_status(r, RUN_OK, NULL, NULL);
    run_close(r);
    store_close(s);
    return 0;

fail:
    (void)fprintf(stderr, "process %d: %s\n", me, err.message);
    return 1;
}

static void expect_exit(pid_t child, int expected)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static bool count_step(void *ctx, const struct step_row *s)
{
    int *n = ctx;

    assert_int_equal(s->seq, *n);
    assert_int_equal(s->state, STEP_OK);
    ++*n;
    return true;
}

struct runs {
    char uuid[N_PROCESSES][37];
    int n;
};

static bool list_run(void *ctx, const struct run_row *r)
{
    struct runs *runs = ctx;

    assert_int_equal(r->status, RUN_OK);
    assert_true(runs->n < N_PROCESSES);
    (void)snprintf(runs->uuid[runs->n++], 37, "%s", r->uuid);
    return true;
}

static void test_processes_share_a_store(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *q;
    struct runs runs = {.n = 0};
    pid_t child[N_PROCESSES];

    for (int i = 0; i < N_PROCESSES; i++) { /* the processes also race to create it */
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0)
            _exit(write_run(f, i));
    }
    for (int i = 0; i < N_PROCESSES; i++)
        expect_exit(child[i], 0);
    assert_ok(store_check(fixture_open(f), &STR_INIT, why));
    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_runs(q, 0, 0, list_run, &runs, why));
    assert_int_equal(runs.n, N_PROCESSES);
    for (int i = 0; i < N_PROCESSES; i++) {
        int n = 0;

        assert_ok(query_steps(q, runs.uuid[i], NULL, -1, false, count_step, &n, why));
        assert_int_equal(n, N_STEPS);
    }
    store_reader_close(q);
}

/* Runs in a child: opens the store, which may not be there yet, when the pipe `go` closes. */
static int open_at_once(const struct store_fixture *f, int go)
{
    struct store_options o = {.path = f->path, .create = true, .durability = STORE_NORMAL};
    struct store *s = NULL;
    struct error err = ERROR_INIT;
    char byte;

    (void)!read(go, &byte, 1);
    if (store_open(&o, &s, &err) == STATUS_OK) {
        store_close(s);
        return 0;
    }
    (void)fprintf(stderr, "%s\n", err.message);
    return 1;
}

/* One creates the store while the others check the file: each finds a store of ours. */
static void test_many_create_a_store(void **state)
{
    struct store_fixture *f = *state;

    for (int round = 0; round < N_CREATIONS; round++) {
        pid_t child[N_PROCESSES];
        int go[2];

        assert_int_equal(pipe(go), 0);
        for (int i = 0; i < N_PROCESSES; i++) {
            child[i] = fork();
            assert_true(child[i] >= 0);
            if (child[i] == 0) {
                close(go[1]);
                _exit(open_at_once(f, go[0]));
            }
        }
        close(go[0]);
        close(go[1]);
        for (int i = 0; i < N_PROCESSES; i++)
            expect_exit(child[i], 0);
        fixture_unlink(f);
    }
}

/* Takes the run when the pipe `go` closes: 0 taken, 75 busy. Holds it until `hold` closes. */
static int try_to_take(const struct store_fixture *f, const char *uuid, int go, int tried, int hold)
{
    struct store_options o = {.path = f->path, .durability = STORE_NORMAL};
    struct store *s = NULL;
    struct run *r = NULL;
    struct error err = ERROR_INIT;
    enum status st = store_open(&o, &s, &err);
    char byte = 'x';

    (void)!read(go, &byte, 1);
    if (st == STATUS_OK)
        st = run_take(s, uuid, &r, &err);
    if (write(tried, &byte, 1) != 1)
        return 9;
    (void)!read(hold, &byte, 1);
    run_close(r);
    store_close(s);
    return st == STATUS_OK ? 0 : st == STATUS_BUSY ? 75 : 1;
}

static void one_race(struct store_fixture *f, const char *uuid)
{
    int go[2], tried[2], hold[2], n_taken = 0, n_busy = 0;
    pid_t child[2];
    char byte;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(tried), 0);
    assert_int_equal(pipe(hold), 0);
    for (int i = 0; i < 2; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            close(go[1]);
            close(hold[1]);
            _exit(try_to_take(f, uuid, go[0], tried[1], hold[0]));
        }
    }
    close(go[1]); /* both start */
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(tried[0], &byte, 1), 1);
    close(hold[1]); /* both have tried: the winner may release the run */
    for (int i = 0; i < 2; i++) {
        int status = 0;

        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status));
        n_taken += WEXITSTATUS(status) == 0;
        n_busy += WEXITSTATUS(status) == 75;
    }
    close(go[0]);
    close(tried[0]);
    close(tried[1]);
    close(hold[0]);
    assert_int_equal(n_taken, 1);
    assert_int_equal(n_busy, 1);
}

static bool see_epoch(void *ctx, const struct run_row *r)
{
    *(int64_t *)ctx = r->epoch;
    return true;
}

static void test_two_resumers_one_wins(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct store_reader *q;
    int64_t epoch = 0;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    fixture_intend(r, "a", 0, EFFECT_NONE, NULL);
    run_close(r);
    fixture_close(f);
    for (int i = 0; i < N_RACES; i++)
        one_race(f, uuid);
    assert_ok(store_reader_open(fixture_open(f), &q, why));
    assert_ok(query_run(q, uuid, see_epoch, &epoch, why));
    assert_int_equal(epoch,
                     1 + N_RACES); /* each successful take counts once, a refused one never */
    store_reader_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_processes_share_a_store),
        STORE_TEST(test_many_create_a_store),
        STORE_TEST(test_two_resumers_one_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
