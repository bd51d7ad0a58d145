/* test_store.c - opening, refusing, copying, cleaning and removing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

static void read_file(const char *path, char **bytes, size_t *n)
{
    assert_ok(file_read(path, (size_t)64 << 20, bytes, n, why));
}

static void expect_refused(struct store_fixture *f, bool read_only, enum status expected,
                           const char *words)
{
    struct store_options o = {.path = f->path, .create = !read_only, .read_only = read_only};
    struct store *s = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(store_open(&o, &s, &err), expected);
    assert_null(s);
    assert_non_null(strstr(err.message, words));
}

static void test_absent(void **state)
{
    struct store_fixture *f = *state;
    struct store_options o = {.path = f->path};
    struct store *s = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(store_open(&o, &s, &err), STATUS_NOT_FOUND);
    expect_refused(f, true, STATUS_NOT_FOUND, "no store");
    assert_false(file_exists(f->path));
}

/* Numbers in the header of an SQLite file, big endian: 60 user_version, 68 application_id. */
static void test_files_of_others_are_untouched(void **state)
{
    static const struct {
        size_t at;
        char value;
        enum status status;
        const char *words;
    } cases[] = {
        {63, 3, STATUS_CONFIG, "newer version"},
        {63, 0, STATUS_CONFIG, "unknown store version"},
        {60, 1, STATUS_CONFIG, "newer version"},
        {71, 'x', STATUS_CONFIG, "another program"},
        {0, 'x', STATUS_CONFIG, "not a SQLite database"},
    };
    struct store_fixture *f = *state;
    char *bytes, *after;
    size_t n, n_after;

    run_close(fixture_run(fixture_open(f)));
    fixture_close(f);
    read_file(f->path, &bytes, &n);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char kept = bytes[cases[i].at];

        bytes[cases[i].at] = cases[i].value;
        temp_put(f->path, bytes, n);
        for (int read_only = 0; read_only < 2; read_only++) {
            expect_refused(f, read_only, cases[i].status, cases[i].words);
            read_file(f->path, &after, &n_after);
            assert_int_equal(n, n_after);
            assert_memory_equal(bytes, after, n);
            free(after);
        }
        bytes[cases[i].at] = kept;
    }
    temp_put(f->path, bytes, n);
    fixture_open(f);
    free(bytes);
}

static void test_read_only(void **state)
{
    struct store_fixture *f = *state;
    struct store_options o = {.path = f->path, .read_only = true};
    struct run *r = fixture_run(fixture_open(f));
    struct store_stats stats;
    struct error err = ERROR_INIT;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    run_close(r);
    fixture_close(f);
    assert_ok(store_open(&o, &f->store, why));
    assert_ok(store_stats(f->store, &stats, why));
    assert_int_equal(stats.n_runs, 1);
    assert_int_equal(run_take(f->store, uuid, &r, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "reading only"));
    assert_int_equal(store_remove_run(f->store, uuid, &err), STATUS_CONFIG);
}

static void make_steps(struct run *r, int n, size_t bytes)
{
    char path[32], *text = malloc(bytes + 3);

    memset(text, 'a', bytes + 2);
    text[0] = text[bytes + 1] = '"';
    text[bytes + 2] = '\0';
    for (int i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "s%d", i);
        (void)snprintf(text + 1, 37, "%.35s", run_uuid(r)); /* another blob for each run */
        text[36] = (char)('0' + i % 10);
        fixture_intend(r, path, 0, EFFECT_NONE, NULL);
        fixture_finish(r, path, 0, STEP_OK, text);
    }
    assert_ok(journal_sync(r, why));
    free(text);
}

static void test_stats_remove_and_gc(void **state)
{
    struct store_fixture *f = *state;
    struct run *a = fixture_run(fixture_open(f)), *b = fixture_run(f->store);
    struct store_stats stats;
    struct error err = ERROR_INIT;
    int64_t n = -1, bytes = -1;
    char uuid[37];

    make_steps(a, 10, 3000);
    make_steps(b, 10, 3000);
    assert_ok(store_stats(f->store, &stats, why));
    assert_int_equal(stats.n_runs, 2);
    assert_int_equal(stats.n_steps, 20);
    assert_int_equal(stats.n_blobs, 21); /* one configuration for both */
    assert_true(stats.blob_plain_bytes > 60000 && stats.blob_stored_bytes < 5000);
    assert_true(stats.commits > 0 && stats.transactions >= stats.commits);
    memcpy(uuid, run_uuid(a), sizeof(uuid));
    assert_int_equal(store_remove_run(f->store, uuid, &err), STATUS_BUSY);
    run_close(a);
    assert_ok(store_gc(f->store, &n, &bytes, why));
    assert_int_equal(n, 0);
    assert_ok(store_remove_run(f->store, uuid, why));
    assert_int_equal(store_remove_run(f->store, uuid, &err), STATUS_NOT_FOUND);
    assert_ok(store_gc(f->store, &n, &bytes, why));
    assert_int_equal(n, 10);
    assert_true(bytes > 0);
    assert_ok(store_stats(f->store, &stats, why));
    assert_int_equal(stats.n_steps, 10);
    assert_int_equal(stats.n_blobs, 11);
    make_steps(b, 1, 100); /* intended again: what is done stays */
    run_close(b);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

/* Freed pages are counted, and given back when that is asked for; what is left stays sound. */
static void test_compact_gives_pages_back(void **state)
{
    struct store_fixture *f = *state;
    struct store *s = fixture_open(f);
    struct run *a = fixture_run(s), *b = fixture_run(s);
    struct store_stats full, freed, small;
    char uuid[37];

    make_steps(b, 10, 3000);
    make_steps(a, 400, 3000);
    memcpy(uuid, run_uuid(a), sizeof(uuid));
    run_close(a);
    assert_ok(store_compact(s, why));
    assert_ok(store_stats(s, &full, why));
    assert_int_equal(full.free_bytes, 0);
    assert_int_equal(full.wal_bytes, 0);
    assert_ok(store_remove_run(s, uuid, why));
    assert_ok(store_gc(s, NULL, NULL, why));
    assert_ok(store_stats(s, &freed, why));
    assert_true(freed.free_bytes > full.file_bytes / 4);
    assert_true(freed.file_bytes >= full.file_bytes);
    assert_ok(store_compact(s, why));
    assert_ok(store_stats(s, &small, why));
    assert_int_equal(small.free_bytes, 0);
    assert_true(small.file_bytes <= full.file_bytes - freed.free_bytes);
    assert_int_equal(small.n_steps, 10);
    make_steps(b, 1, 100);
    run_close(b);
    assert_ok(store_check(s, &STR_INIT, why));
}

static bool count_step(void *ctx, const struct step_row *s)
{
    int *n = ctx;

    assert_int_equal(s->seq, *n);
    ++*n;
    return true;
}

/* Byte 18 of the header: a store under a rollback journal loses its last commit with the power. */
static void expect_wal(const struct store_fixture *f)
{
    char *bytes = NULL;
    size_t n = 0;

    assert_ok(file_read(f->path, (size_t)1 << 30, &bytes, &n, why));
    assert_true(n > 18);
    assert_int_equal(bytes[18], 2);
    free(bytes);
}

static void test_backup_while_written(void **state)
{
    struct store_fixture *f = *state, copy = *f;
    struct run *r = fixture_run(fixture_open(f));
    struct store_reader *q;
    struct error err = ERROR_INIT;
    int n = 0;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    make_steps(r, 200, 2000);
    fixture_intend(r, "last", 0, EFFECT_NONE, NULL);
    journal_flush(r); /* perhaps in the copy, perhaps not */
    (void)snprintf(copy.path, sizeof(copy.path), "%.100s.copy", f->path);
    assert_ok(store_backup(f->store, copy.path, why));
    assert_int_equal(store_backup(f->store, copy.path, &err), STATUS_INVALID);
    make_steps(r, 210, 2000);
    run_close(r);
    copy.store = NULL;
    fixture_open(&copy);
    assert_ok(store_check(copy.store, &STR_INIT, why));
    assert_ok(store_reader_open(copy.store, &q, why));
    assert_ok(query_steps(q, uuid, NULL, -1, false, count_step, &n, why));
    assert_in_range(n, 200, 201);
    store_reader_close(q);
    assert_ok(run_take(copy.store, uuid, &r, why)); /* the copy can be gone on with */
    run_close(r);
    fixture_close(&copy);
    expect_wal(&copy);
    fixture_unlink(&copy);
}

/* A file may grow before the data written to it arrives: then it contains anything. */
static void test_journal_that_did_not_arrive(void **state)
{
    static const char noise[] = "earlier contents of the disk";
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    char name[160], uuid[37];
    FILE *file;

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    run_close(r);
    fixture_close(f);
    (void)snprintf(name, sizeof(name), "%s-journal", f->path);
    file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(noise, sizeof(noise), 1, file), 1);
    fclose(file);
    assert_ok(run_take(fixture_open(f), uuid, &r, why));
    run_close(r);
}

/* Everything is in the one file after a clean end: it can be copied by hand. */
static void test_closed_store_is_one_file(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct store_stats stats;
    char *bytes, uuid[37];
    size_t n;

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    make_steps(r, 50, 1000);
    run_close(r);
    fixture_close(f);
    read_file(f->path, &bytes, &n);
    fixture_open(f);
    assert_ok(store_stats(f->store, &stats, why));
    assert_int_equal(stats.wal_bytes, 0);
    fixture_close(f);
    assert_int_equal(unlink(f->path), 0);
    temp_put(f->path, bytes, n);
    free(bytes);
    assert_ok(run_take(fixture_open(f), uuid, &r, why));
    run_close(r);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_compact_gives_pages_back),      STORE_TEST(test_absent),
        STORE_TEST(test_files_of_others_are_untouched), STORE_TEST(test_read_only),
        STORE_TEST(test_stats_remove_and_gc),           STORE_TEST(test_backup_while_written),
        STORE_TEST(test_journal_that_did_not_arrive),   STORE_TEST(test_closed_store_is_one_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
