/* test_mapped_file.c - a file that is cut while it is mapped reads as zeros and is marked; no other
 * fault is hidden.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "runtime/base/mapped_file.h"
#include "tests/support/temp_dir.h"

#define PAGES 5

static char dir[64], path[96];
static size_t page;

static int setup(void **state)
{
    (void)state;
    page = (size_t)sysconf(_SC_PAGESIZE);
    temp_dir(dir);
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static struct mapped_file *map_ones(const char *to)
{
    struct mapped_file *m = NULL;
    char *bytes = xmalloc(PAGES * page);

    memset(bytes, 1, PAGES * page);
    temp_put(to, bytes, PAGES * page);
    free(bytes);
    assert_ok(mapped_file_open(to, &m, why));
    return m;
}

static void test_a_whole_file(void **state)
{
    struct mapped_file *m = map_ones(path), *again = NULL;
    struct file_identity a, b;
    const char *bytes = mapped_file_bytes(m);

    (void)state;
    assert_int_equal(mapped_file_size(m), PAGES * page);
    assert_string_equal(mapped_file_name(m), path);
    mapped_file_drop(bytes + 10, 3 * page); /* is read again */
    for (size_t i = 0; i < PAGES * page; i++)
        assert_int_equal(bytes[i], 1);
    mapped_file_drop(dir, sizeof(dir)); /* not of a mapped file */
    assert_int_equal(dir[0], '/');
    assert_ok(mapped_file_check(m, why));
    assert_ok(mapped_file_open(path, &again, why));
    a = mapped_file_identity(m);
    b = mapped_file_identity(again);
    assert_memory_equal(&a, &b, sizeof(a));
    mapped_file_close(again);
    mapped_file_close(m);
    mapped_file_close(NULL);
}

static void test_what_cannot_be_mapped(void **state)
{
    struct mapped_file *m = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    temp_put(path, "", 0);
    assert_int_equal(mapped_file_open(path, &m, &err), STATUS_INVALID);
    assert_int_equal(mapped_file_open(dir, &m, &err), STATUS_INVALID);
    assert_int_equal(mapped_file_open("/nonexistent/file", &m, &err), STATUS_NOT_FOUND);
    assert_null(m);
}

static sigjmp_buf out;

static void other_handler(int signo)
{
    (void)signo;
    siglongjmp(out, 1);
}

/* cmocka has its own handler in each test: ours comes after, in the test. */
static void catch_cuts(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = other_handler;
    sigaction(SIGBUS, &sa, NULL);
    assert_ok(mapped_files_catch_cuts(why));
    assert_ok(mapped_files_catch_cuts(why)); /* is there already */
}

static void test_a_cut_file_reads_as_zeros_and_is_marked(void **state)
{
    char other[128];
    struct mapped_file *m = map_ones(path), *whole;
    const char *bytes = mapped_file_bytes(m);
    uint32_t cuts = mapped_files_cut();
    struct error err = ERROR_INIT;

    (void)state;
    catch_cuts();
    snprintf(other, sizeof(other), "%s/other", dir);
    whole = map_ones(other);
    assert_int_equal(truncate(path, (off_t)page), 0);
    assert_false(mapped_file_is_cut(m)); /* nobody has read there yet, but: */
    assert_int_equal(mapped_file_check(m, &err), STATUS_IO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(bytes[3 * page + 7], 0);
    assert_int_equal(bytes[0], 1);
    assert_true(mapped_file_is_cut(m));
    assert_int_equal(mapped_files_cut(), cuts + 1);
    assert_int_equal(bytes[3 * page + 8], 0); /* the same page: not another fault */
    assert_int_equal(bytes[2 * page], 0);
    assert_int_equal(mapped_files_cut(), cuts + 2);
    assert_false(mapped_file_is_cut(whole));
    assert_ok(mapped_file_check(whole, why));
    mapped_file_close(m);
    m = map_ones(path); /* the place in the table is used again, unmarked */
    assert_false(mapped_file_is_cut(m));
    mapped_file_close(m);
    mapped_file_close(whole);
}

/* Within its last page a shorter file reads as zeros without a fault. */
static void test_a_cut_within_a_page_is_found(void **state)
{
    struct mapped_file *m = map_ones(path);
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(truncate(path, (off_t)(PAGES * page - 10)), 0);
    assert_int_equal(mapped_file_check(m, &err), STATUS_IO);
    assert_int_equal(remove(path), 0);
    temp_put(path, "new", 3); /* another file of the name: the mapped one lives on */
    mapped_file_close(m);
    m = map_ones(path);
    assert_int_equal(remove(path), 0);
    temp_put(path, "new", 3);
    assert_ok(mapped_file_check(m, why));
    mapped_file_close(m);
}

/* A fault elsewhere has the handler that was there before, again and again. */
static void test_other_faults_are_not_hidden(void **state)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    volatile char *p;
    uint32_t cuts = mapped_files_cut();

    (void)state;
    catch_cuts();
    assert_int_equal(ftruncate(fd, (off_t)(2 * page)), 0);
    p = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true((void *)(uintptr_t)p != MAP_FAILED);
    assert_int_equal(ftruncate(fd, 0), 0);
    if (sigsetjmp(out, 1) == 0) {
        (void)p[page];
        fail_msg("no fault");
    }
    assert_int_equal(mapped_files_cut(), cuts);
    munmap((void *)(uintptr_t)p, 2 * page);
    close(fd);
}

static void test_the_table_has_an_end(void **state)
{
    struct mapped_file **m = xcalloc(MAPPED_FILES_MAX, sizeof(struct mapped_file *)), *more;
    struct error err = ERROR_INIT;

    (void)state;
    temp_put(path, "x", 1);
    for (int i = 0; i < MAPPED_FILES_MAX; i++)
        assert_ok(mapped_file_open(path, &m[i], why));
    assert_int_equal(mapped_file_open(path, &more, &err), STATUS_LIMIT);
    mapped_file_close(m[17]);
    assert_ok(mapped_file_open(path, &m[17], why));
    for (int i = 0; i < MAPPED_FILES_MAX; i++)
        mapped_file_close(m[i]);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_file),
        cmocka_unit_test(test_what_cannot_be_mapped),
        cmocka_unit_test(test_a_cut_file_reads_as_zeros_and_is_marked),
        cmocka_unit_test(test_a_cut_within_a_page_is_found),
        cmocka_unit_test(test_the_table_has_an_end),
        cmocka_unit_test(test_other_faults_are_not_hidden),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
