/* test_call_spool.c - rows of calls in the file beside the store: what a killed process leaves, a
 * torn and a damaged record, a full disk, many rows, several processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/base/memory.h"
#include "tests/unit/store/store_fixture.h"

/* How often a row was kept, or failed. */
struct outcome {
    int n_kept, n_failed;
    enum status status;
};

static void settled(void *ctx, enum status status, const struct error *err)
{
    struct outcome *o = ctx;

    o->n_kept += status == STATUS_OK;
    o->n_failed += status != STATUS_OK;
    o->status = status;
    assert_true(status == STATUS_OK || err->message[0]);
}

static void append(struct store *s, const char *target, struct outcome *o)
{
    const struct call_audit_row row = {.at_ms = 1700000000000,
                                       .who = "local",
                                       .server = "files",
                                       .method = "tools/call",
                                       .target = target,
                                       .decision = "allow",
                                       .outcome = "ok",
                                       .effect = EFFECT_ONCE,
                                       .arguments = sha256_of("{}", 2)};

    if (call_audit_append(s, &row, STORE_FULL, o ? settled : NULL, o) && o)
        o->n_kept++;
}

static void append_numbers(struct store *s, int from, int to, struct outcome *o)
{
    for (int i = from; i < to; i++) {
        char target[16];

        (void)snprintf(target, sizeof(target), "%d", i);
        append(s, target, o);
    }
}

static void wait_for(struct store *s, const struct outcome *o, int n)
{
    for (int i = 0; i < 5000 && o->n_kept + o->n_failed < n; i++) {
        store_drain_replies(store_reply_box(s));
        usleep(1000);
    }
    assert_int_equal(o->n_kept + o->n_failed, n);
}

static bool put_target(void *ctx, const struct call_audit_row *row)
{
    str_printf(ctx, "%lld:%s ", (long long)row->id, row->target);
    return true;
}

/* The table's rows as "ID:TARGET "; the chain is sound. */
static void expect_rows(struct store *s, const char *wanted)
{
    struct store_reader *r = NULL;
    struct str text = STR_INIT;

    assert_ok(store_reader_open(s, &r, why));
    assert_ok(call_audit_read(r, 0, put_target, &text, why));
    assert_string_equal(str_cstr(&text), wanted);
    assert_ok(call_audit_check(r, why));
    store_reader_close(r);
    str_deinit(&text);
}

static char *calls_file(const struct store_fixture *f)
{
    return spool_path(f->path, 0);
}

/* A process that leaves rows 0 to n-1 in its file, and is killed. */
static void leave_rows(struct store_fixture *f, int n, enum store_durability durability)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct store_options o = {.path = f->path, .create = true, .durability = durability};
        struct outcome kept = {0};
        struct error err = ERROR_INIT;

        if (store_open(&o, &f->store, &err))
            _exit(1);
        append_numbers(f->store, 0, n, &kept);
        wait_for(f->store, &kept, n);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_killed_process_leaves_its_rows(void **state)
{
    static const enum store_durability both[] = {STORE_NORMAL, STORE_FULL};
    struct store_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        char *path = calls_file(f);
        struct stat info;

        leave_rows(f, 3, both[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_true(info.st_size > 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        fixture_open(f);
        expect_rows(f->store, i == 0 ? "1:0 2:1 3:2 " : "1:0 2:1 3:2 4:0 5:1 6:2 ");
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, 0);
        fixture_close(f);
        free(path);
    }
}

static void copy_file(const char *from, const char *to)
{
    char *bytes;
    size_t n;
    FILE *file;

    assert_ok(file_read(from, SPOOL_BYTES, &bytes, &n, why));
    file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    free(bytes);
}

/* As if the process had died after the commit, before the file was emptied. */
static void rows_that_are_in_the_table_are_not_moved_again(void **state)
{
    struct store_fixture *f = *state;
    char *path = calls_file(f), copy[160];

    (void)snprintf(copy, sizeof(copy), "%s.copy", f->path);
    leave_rows(f, 3, STORE_NORMAL);
    copy_file(path, copy);
    fixture_open(f);
    fixture_close(f);
    copy_file(copy, path);
    fixture_open(f);
    expect_rows(f->store, "1:0 2:1 3:2 ");
    free(path);
}

/* Changes a byte of the record whose target is `mark`, or cuts the file there. */
static void damage(const struct store_fixture *f, const char *mark, bool cut)
{
    char *path = calls_file(f), *bytes, *at;
    size_t n;
    int fd;

    assert_ok(file_read(path, SPOOL_BYTES, &bytes, &n, why));
    at = memmem(bytes, n, mark, strlen(mark));
    assert_non_null(at);
    fd = open(path, O_RDWR);
    *at ^= 1;
    if (cut)
        assert_int_equal(ftruncate(fd, at - bytes), 0);
    else
        assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
    close(fd);
    free(bytes);
    free(path);
}

static void leave_marked(struct store_fixture *f)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct store_options o = {.path = f->path, .create = true, .durability = STORE_NORMAL};
        struct outcome kept = {0};
        struct error err = ERROR_INIT;

        if (store_open(&o, &f->store, &err))
            _exit(1);
        append(f->store, "FIRST", &kept);
        append(f->store, "SECOND", &kept);
        append(f->store, "THIRD", &kept);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_torn_last_record_is_dropped(void **state)
{
    struct store_fixture *f = *state;

    leave_marked(f);
    damage(f, "THIRD", true);
    fixture_open(f);
    expect_rows(f->store, "1:FIRST 2:SECOND ");
}

static void a_damaged_record_before_others_is_an_error_by_name(void **state)
{
    static const char *const marks[] = {"FIRST", "SECOND"};
    struct store_fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        struct store_options o = {.path = f->path};
        struct error err = ERROR_INIT;
        struct str report = STR_INIT;
        struct store *s = NULL;
        char *path = calls_file(f), wanted[64];

        leave_marked(f);
        damage(f, marks[i], false);
        (void)snprintf(wanted, sizeof(wanted), ".calls: record %d is damaged or missing", i + 1);
        assert_int_equal(store_open(&o, &s, &err), STATUS_CORRUPT);
        assert_non_null(strstr(err.message, wanted));
        o.read_only = true;
        assert_ok(store_open(&o, &s, why));
        assert_int_equal(store_check(s, &report, &err), STATUS_CORRUPT);
        assert_non_null(strstr(str_cstr(&report), wanted));
        store_close(s);
        str_deinit(&report);
        assert_int_equal(unlink(path), 0); /* the hint: the store goes on without it */
        free(path);
        fixture_open(f);
        expect_rows(f->store, "");
        fixture_close(f);
    }
}

/* As a power failure leaves them: nothing says that the rest is complete. */
static void after_a_restart_of_the_machine_what_was_not_synced_may_be_missing(void **state)
{
    struct store_fixture *f = *state;
    char *path = calls_file(f);
    int fd;

    leave_marked(f);
    damage(f, "SECOND", false);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "other", 5, 24), 5); /* of the boot_id */
    close(fd);
    fixture_open(f);
    expect_rows(f->store, "1:FIRST 2:THIRD ");
    free(path);
}

/* Several times what a file holds; the store's thread is slower than this one. */
static void a_file_is_bounded_and_no_row_is_lost(void **state)
{
    enum { N = 2000, TARGET = 6000 };
    struct store_fixture *f = *state;
    struct outcome kept = {0};
    struct store_reader *r = NULL;
    struct str text = STR_INIT;
    char *path = calls_file(f), *target = calloc(1, TARGET + 1), *large = calloc(1, 100001);
    struct stat info;

    fixture_open(f);
    for (int i = 0; i < N; i++) {
        memset(target, 'a' + i % 26, TARGET - (size_t)(i % 7));
        target[TARGET - i % 7] = '\0';
        append(f->store, target, &kept);
    }
    memset(large, 'x', 100000); /* more than a record may have: straight to the table */
    append(f->store, large, &kept);
    wait_for(f->store, &kept, N + 1);
    assert_int_equal(kept.n_failed, 0);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > 0 && (size_t)info.st_size <= SPOOL_BYTES);
    assert_ok(store_reader_open(f->store, &r, why));
    str_init(&text, (size_t)64 << 20);
    assert_ok(call_audit_read(r, N, put_target, &text, why));
    assert_memory_equal(str_cstr(&text), "2001:", 5);
    assert_null(strstr(str_cstr(&text), "2002:"));
    assert_ok(call_audit_check(r, why));
    store_reader_close(r);
    str_deinit(&text);
    free(path);
    free(target);
    free(large);
}

static void stores_that_are_open_at_once_have_files_of_their_own(void **state)
{
    struct store_fixture *f = *state;
    struct store_options o = {.path = f->path, .durability = STORE_NORMAL};
    struct outcome kept = {0};
    struct store *other = NULL;
    char *second = spool_path(f->path, 1);

    fixture_open(f);
    assert_ok(store_open(&o, &other, why));
    append(f->store, "a", &kept);
    append(other, "b", &kept);
    assert_int_equal(kept.n_kept, 2);
    assert_true(file_exists(second));
    expect_rows(f->store, "1:a ");
    expect_rows(other, "1:a 2:b ");
    store_close(other);
    free(second);
}

/* A damaged file may be deleted (the hint says so): those behind it count as before. */
static void rows_behind_a_file_that_was_deleted_are_moved(void **state)
{
    struct store_fixture *f = *state;
    struct store_options o = {.path = f->path, .read_only = true};
    struct store *look = NULL, *copy = NULL;
    char *path = calls_file(f), *third = spool_path(f->path, 2), to[160];

    leave_rows(f, 3, STORE_NORMAL);
    copy_file(path, third);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(to, sizeof(to), "%s.copy", f->path);
    assert_ok(store_open(&o, &look, why));
    assert_ok(store_backup(look, to, why));
    store_close(look);
    o.path = to;
    assert_ok(store_open(&o, &copy, why));
    expect_rows(copy, "1:0 2:1 3:2 ");
    store_close(copy);
    fixture_open(f);
    expect_rows(f->store, "1:0 2:1 3:2 ");
    free(path);
    free(third);
}

/* Then the store takes no more, and what it has taken is in the table. */
static void a_file_that_is_deleted_in_use_loses_no_row(void **state)
{
    struct store_fixture *f = *state;
    struct outcome o = {0};
    struct str wanted = STR_INIT;
    char *path = calls_file(f);

    fixture_open_with(f, (struct store_options){.durability = STORE_NORMAL});
    append_numbers(f->store, 0, 3, &o);
    assert_int_equal(o.n_kept, 3);
    assert_int_equal(unlink(path), 0);
    for (int i = 3; i < 1000 && o.n_failed == 0; i++) {
        append_numbers(f->store, i, i + 1, &o);
        wait_for(f->store, &o, i + 1);
        usleep(5000);
    }
    assert_int_equal(o.status, STATUS_IO);
    fixture_close(f);
    fixture_open(f);
    for (int i = 0; i < o.n_kept; i++)
        str_printf(&wanted, "%d:%d ", i + 1, i);
    expect_rows(f->store, str_cstr(&wanted));
    str_deinit(&wanted);
    free(path);
}

/* What is acknowledged is in a backup, whichever process has it in its file. */
static void a_backup_has_the_rows_that_are_not_in_the_table_yet(void **state)
{
    struct store_fixture *f = *state;
    struct store_options o = {.path = f->path, .read_only = true};
    struct outcome kept = {0};
    struct store *look = NULL, *copy = NULL;
    char to[160];

    (void)snprintf(to, sizeof(to), "%s.copy", f->path);
    fixture_open(f);
    append(f->store, "a", &kept);
    append(f->store, "b", &kept);
    assert_ok(store_open(&o, &look, why));
    assert_ok(store_backup(look, to, why));
    store_close(look);
    o.path = to;
    assert_ok(store_open(&o, &copy, why));
    expect_rows(copy, "1:a 2:b ");
    store_close(copy);
}

/* ---- faults */

struct disk {
    atomic_int error; /* of every write, and of a sync, with a value of its own */
    atomic_int sync_error, n_syncs;
};

static int on_write(void *ctx, size_t n)
{
    (void)n;
    return atomic_load(&((struct disk *)ctx)->error);
}

static int on_sync(void *ctx)
{
    struct disk *d = ctx;

    atomic_fetch_add(&d->n_syncs, 1);
    return atomic_load(&d->sync_error);
}

static void open_on(struct store_fixture *f, struct disk *d, enum store_durability durability)
{
    atomic_init(&d->error, 0);
    atomic_init(&d->sync_error, 0);
    atomic_init(&d->n_syncs, 0);
    fixture_open_with(f, (struct store_options){.durability = durability,
                                                .write_hook = on_write,
                                                .write_hook_ctx = d,
                                                .sync_hook = on_sync,
                                                .sync_hook_ctx = d});
}

static void a_full_disk_is_an_error_of_that_call_and_passes(void **state)
{
    struct store_fixture *f = *state;
    struct outcome o = {0};
    struct disk d;

    open_on(f, &d, STORE_NORMAL);
    append(f->store, "a", &o);
    assert_int_equal(o.n_kept, 1);
    atomic_store(&d.error, ENOSPC);
    append(f->store, "b", &o);
    wait_for(f->store, &o, 2);
    assert_int_equal(o.status, STATUS_DISK_FULL);
    atomic_store(&d.error, 0);
    append(f->store, "c", &o);
    assert_int_equal(o.n_kept, 2);
    fixture_close(f);
    fixture_open(f);
    expect_rows(f->store, "1:a 2:c ");
}

static void with_full_durability_a_row_waits_for_a_sync(void **state)
{
    struct store_fixture *f = *state;
    struct outcome o = {0};
    struct disk d;

    open_on(f, &d, STORE_FULL);
    append(f->store, "a", &o);
    wait_for(f->store, &o, 1);
    assert_int_equal(o.n_kept, 1);
    assert_true(atomic_load(&d.n_syncs) > 0);
    atomic_store(&d.sync_error, EIO);
    append(f->store, "b", &o);
    wait_for(f->store, &o, 2);
    assert_int_equal(o.status, STATUS_IO);
    append(f->store, "c", &o); /* as after any I/O error */
    wait_for(f->store, &o, 3);
    assert_int_equal(o.status, STATUS_IO);
    assert_int_equal(o.n_kept, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_killed_process_leaves_its_rows),
        STORE_TEST(rows_that_are_in_the_table_are_not_moved_again),
        STORE_TEST(a_torn_last_record_is_dropped),
        STORE_TEST(a_damaged_record_before_others_is_an_error_by_name),
        STORE_TEST(after_a_restart_of_the_machine_what_was_not_synced_may_be_missing),
        STORE_TEST(a_file_is_bounded_and_no_row_is_lost),
        STORE_TEST(stores_that_are_open_at_once_have_files_of_their_own),
        STORE_TEST(rows_behind_a_file_that_was_deleted_are_moved),
        STORE_TEST(a_file_that_is_deleted_in_use_loses_no_row),
        STORE_TEST(a_backup_has_the_rows_that_are_not_in_the_table_yet),
        STORE_TEST(a_full_disk_is_an_error_of_that_call_and_passes),
        STORE_TEST(with_full_durability_a_row_waits_for_a_sync),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
