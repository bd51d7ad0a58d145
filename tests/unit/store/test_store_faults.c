/* test_store_faults.c - the disk fills up, a write fails, fsync fails: at every place.
 *
 * A run makes steps and waits for each. The n-th write from the start of the run fails,
 * once or for ever; then the store is opened again on a healthy disk. What was
 * acknowledged is there, nothing is half there, and after the fault nothing was written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/memory.h"

#define N_STEPS 12

struct disk {
    atomic_int left; /* writes until the fault; below 0: none yet asked for */
    atomic_bool armed;
    int error;
    bool for_ever;
    atomic_int n_failed;
};

static int on_write(void *ctx, size_t n)
{
    struct disk *d = ctx;
    int left;

    (void)n;
    if (!atomic_load(&d->armed))
        return 0;
    left = atomic_fetch_sub(&d->left, 1);
    if (left == 1 || (left < 1 && d->for_ever)) {
        atomic_fetch_add(&d->n_failed, 1);
        return d->error;
    }
    return 0;
}

static int on_sync(void *ctx)
{
    return on_write(ctx, 0);
}

/* One step in two transactions: its intent with that before it; result and message. */
static enum status one_step(struct run *r, int k, struct error *err)
{
    struct json *body = jv_int(k);
    char path[32], out[64];

    (void)snprintf(path, sizeof(path), "s%d", k);
    (void)snprintf(out, sizeof(out), "\"result of %d\"", k);
    fixture_intend(r, path, 0, EFFECT_ONCE, "[1,2,3]");
    journal_flush(r);
    fixture_finish(r, path, 0, STEP_OK, out);
    journal_message(r, "thread", "tool", body);
    jv_unref(body);
    return journal_sync(r, err);
}

static void expect_intact(struct store_fixture *f, const char *uuid, int acknowledged)
{
    struct run *r = NULL;
    struct json *messages = NULL;
    struct str report = STR_INIT;
    int n_done = 0;

    fixture_open(f);
    if (store_check(f->store, &report, NULL))
        fail_msg("%s", str_cstr(&report));
    str_deinit(&report);
    assert_ok(run_take(f->store, uuid, &r, why));
    for (int k = 0; k < N_STEPS; k++) {
        struct step_record step;
        char path[32];
        bool found;

        (void)snprintf(path, sizeof(path), "s%d", k);
        assert_ok(journal_find(r, path, &found, &step, why));
        if (k < acknowledged)
            assert_true(found && step.state == STEP_OK);
        n_done += found && step.state == STEP_OK;
        if (found)
            step_record_deinit(&step);
    }
    assert_ok(journal_messages(r, "thread", &messages, why));
    assert_int_equal(jv_size(messages), n_done); /* result and message together or neither */
    jv_unref(messages);
    run_close(r);
    fixture_close(f);
}

static void remove_files(struct store_fixture *f)
{
    static const char *const tail[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < ARRAY_LEN(tail); i++) {
        char name[160];

        (void)snprintf(name, sizeof(name), "%s%s", f->path, tail[i]);
        (void)unlink(name);
    }
}

/* False when the n-th write did not come any more. */
static bool one_fault(struct store_fixture *f, struct disk *d, bool syncs, enum status expected)
{
    struct store_options o = {.durability = STORE_FULL,
                              .write_hook = on_write,
                              .write_hook_ctx = d,
                              .sync_hook = syncs ? on_sync : NULL,
                              .sync_hook_ctx = d};
    struct run *r, *other = NULL;
    int acknowledged = 0;
    char uuid[37];

    if (syncs)
        o.write_hook = NULL;
    r = fixture_run(fixture_open_with(f, o));
    memcpy(uuid, run_uuid(r), sizeof(uuid));
    atomic_store(&d->armed, true);
    for (int k = 0; k < N_STEPS; k++) {
        struct error err = ERROR_INIT;
        enum status st = one_step(r, k, &err);

        if (st == STATUS_OK) {
            assert_int_equal(acknowledged, k); /* nothing is written after a fault */
            acknowledged = k + 1;
        } else {
            assert_int_equal(st, expected);
            assert_true(err.message[0]);
        }
    }
    if (acknowledged < N_STEPS) {
        struct run_spec spec = {.kind = "run", .name = "later"};
        struct error err = ERROR_INIT;

        enum status st = run_create(f->store, &spec, &other, &err);

        if (st == STATUS_OK) /* a full disk is tried again after a second, on a slow machine here */
            assert_int_equal(expected, STATUS_DISK_FULL);
        else
            assert_int_equal(st, expected);
        run_close(other);
    }
    run_close(r);
    fixture_close(f);
    atomic_store(&d->armed, false);
    expect_intact(f, uuid, acknowledged);
    remove_files(f);
    return atomic_load(&d->n_failed) > 0;
}

static void every_place(struct store_fixture *f, int error, bool for_ever, bool syncs,
                        enum status expected, int stride)
{
    bool came = true;
    int n;

    for (n = 1; came; n += stride) {
        struct disk d = {.error = error, .for_ever = for_ever};

        atomic_init(&d.left, n);
        atomic_init(&d.armed, false);
        atomic_init(&d.n_failed, 0);
        came = one_fault(f, &d, syncs, expected);
    }
    assert_true(n > N_STEPS); /* there were so many places to fail at */
}

static void test_disk_full(void **state)
{
    every_place(*state, ENOSPC, true, false, STATUS_DISK_FULL, 3);
}

static void test_disk_full_once(void **state)
{
    every_place(*state, ENOSPC, false, false, STATUS_DISK_FULL, 5);
}

/* What failed stays failed, and what comes when there is room again is written. */
static void test_disk_has_room_again(void **state)
{
    struct store_fixture *f = *state;
    struct disk d = {.error = ENOSPC, .for_ever = true};
    struct store_options o = {
        .durability = STORE_FULL, .write_hook = on_write, .write_hook_ctx = &d};
    struct run_spec spec = {.kind = "run", .name = "later"};
    struct error err = ERROR_INIT;
    struct run *r, *other = NULL;
    char uuid[37];

    atomic_init(&d.left, 1);
    atomic_init(&d.armed, false);
    atomic_init(&d.n_failed, 0);
    r = fixture_run(fixture_open_with(f, o));
    memcpy(uuid, run_uuid(r), sizeof(uuid));
    assert_ok(one_step(r, 0, why));
    atomic_store(&d.armed, true);
    assert_int_equal(one_step(r, 1, &err), STATUS_DISK_FULL);
    assert_int_equal(run_create(f->store, &spec, &other, &err), STATUS_DISK_FULL);
    atomic_store(&d.armed, false);
    for (int i = 0; i < 100 && run_create(f->store, &spec, &other, &err); i++)
        usleep(100000);
    assert_non_null(other);
    assert_ok(one_step(other, 0, why));
    assert_int_equal(one_step(r, 2, &err), STATUS_DISK_FULL); /* its step before this is missing */
    run_close(other);
    run_close(r);
    fixture_close(f);
    expect_intact(f, uuid, 1);
}

static void test_write_error(void **state)
{
    every_place(*state, EIO, true, false, STATUS_IO, 4);
}

static void test_write_error_once(void **state)
{
    every_place(*state, EIO, false, false, STATUS_IO, 5);
}

static void test_sync_error_once(void **state)
{
    every_place(*state, EIO, false, true, STATUS_IO, 1);
}

/* One who writes nothing can ask; a full disk passes, an I/O error does not. */
static void test_a_store_that_takes_no_more_records_says_so(void **state)
{
    static const struct {
        int error;
        enum status status, then;
    } cases[] = {{ENOSPC, STATUS_DISK_FULL, STATUS_OK}, {EIO, STATUS_IO, STATUS_IO}};
    struct store_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct disk d = {.error = cases[i].error};
        struct store_options o = {
            .durability = STORE_FULL, .write_hook = on_write, .write_hook_ctx = &d};
        struct error err = ERROR_INIT;
        struct run *r;

        atomic_init(&d.left, 1);
        atomic_init(&d.armed, false);
        atomic_init(&d.n_failed, 0);
        r = fixture_run(fixture_open_with(f, o));
        assert_int_equal(store_can_record(f->store, &err), STATUS_OK);
        atomic_store(&d.armed, true);
        assert_int_equal(one_step(r, 0, &err), cases[i].status);
        error_clear(&err);
        assert_int_equal(store_can_record(f->store, &err), cases[i].then);
        assert_int_equal(err.status, cases[i].then);
        assert_int_equal(strstr(err.hint, "all acknowledged data is safe") != NULL, i == 1);
        run_close(r);
        fixture_close(f);
    }
}

/* Ends the process at the n-th write or sync; a sync does nothing. */
static int die(void *ctx, size_t n)
{
    int *left = ctx;

    (void)n;
    if (--*left == 0)
        _exit(7);
    return 0;
}

static int die_at_sync(void *ctx)
{
    return die(ctx, 0);
}

/* The process that makes the store dies at the n-th write or sync; false when it was made before
 * that. */
static bool make_and_die(struct store_fixture *f, int n)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct store_options o = {.path = f->path, .create = true};
        struct error err = ERROR_INIT;

        o.write_hook = die;
        o.sync_hook = die_at_sync;
        o.write_hook_ctx = o.sync_hook_ctx = &n;
        _exit(store_open(&o, &f->store, &err) ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 0);
    return WEXITSTATUS(status) == 7;
}

/* With the machine the first sector of a page went that may be undone: true when there was one. */
static bool tear_first_page(const struct store_fixture *f)
{
    static const char zeros[512];
    struct stat info;
    char journal[160];
    FILE *file;

    (void)snprintf(journal, sizeof(journal), "%s-journal", f->path);
    if (stat(f->path, &info) != 0 || info.st_size == 0 || access(journal, F_OK) != 0)
        return false;
    file = fopen(f->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(zeros, sizeof(zeros), 1, file), 1);
    fclose(file);
    return true;
}

static void test_half_made_store_opens(void **state)
{
    struct store_fixture *f = *state;
    int n_torn = 0, n = 1;

    while (make_and_die(f, n)) {
        bool torn = n_torn == 0 && tear_first_page(f); /* the same death once torn, once not */

        run_close(fixture_run(fixture_open(f)));
        assert_ok(store_check(f->store, &STR_INIT, why));
        fixture_close(f);
        fixture_unlink(f);
        n_torn += torn;
        n += !torn;
    }
    assert_true(n > 10 && n_torn == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_disk_full),
        STORE_TEST(test_disk_full_once),
        STORE_TEST(test_disk_has_room_again),
        STORE_TEST(test_write_error),
        STORE_TEST(test_write_error_once),
        STORE_TEST(test_sync_error_once),
        STORE_TEST(test_a_store_that_takes_no_more_records_says_so),
        STORE_TEST(test_half_made_store_opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
