/* test_run_lock.c - the lock of a store between processes; descriptors stand for processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/seams.h"
#include "runtime/store/run_lock.h"
#include "tests/unit/store/store_fixture.h"

static int open_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

struct busy {
    const char *path;
    atomic_bool ends;
    atomic_int turns;
};

/* Writes without end: it has the lock nearly always. */
static void *keep_busy(void *arg)
{
    struct busy *b = arg;
    int fd = open(b->path, O_RDWR | O_CLOEXEC);

    while (!atomic_load(&b->ends) && file_lock_take(fd, 1, 2000, NULL) == STATUS_OK) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
        atomic_fetch_add(&b->turns, 1);
        file_lock_release(fd);
    }
    close(fd);
    return NULL;
}

static void who_waits_goes_before_a_process_that_writes_without_end(void **state)
{
    char folder[] = "/tmp/troupe-lock-XXXXXX", path[64];
    struct busy b = {.path = path};
    pthread_t thread;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/lock", folder);
    fd = open_lock(path);
    assert_int_equal(pthread_create(&thread, NULL, keep_busy, &b), 0);
    while (!atomic_load(&b.turns))
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < 30; i++) {
        struct error err = ERROR_INIT;

        if (file_lock_take(fd, 2, 500, &err))
            fail_msg("turn %d: %s", i, err.message);
        file_lock_release(fd);
    }
    atomic_store(&b.ends, true);
    pthread_join(thread, NULL);
    close(fd);
    unlink(path);
    rmdir(folder);
}

static void a_lock_that_is_never_free_names_its_holder(void **state)
{
    char folder[] = "/tmp/troupe-lock-XXXXXX", path[64];
    struct error err = ERROR_INIT;
    int64_t begin;
    int a, b;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/lock", folder);
    a = open_lock(path);
    b = open_lock(path);
    assert_int_equal(file_lock_take(a, 0, 100, NULL), STATUS_OK);
    begin = seams_mono_us(seams_real());
    assert_int_equal(file_lock_take(b, 0, 100, &err), STATUS_BUSY);
    assert_true(seams_mono_us(seams_real()) - begin >= 90000);
    assert_non_null(strstr(err.message, "has been writing to the store since"));
    assert_int_equal(file_lock_take(b, 0, 0, &err), STATUS_BUSY);
    file_lock_release(a);
    assert_int_equal(file_lock_take(b, 0, 0, NULL), STATUS_OK);
    assert_int_equal(file_lock_try(a), EAGAIN);
    close(a);
    close(b);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_goes_before_a_process_that_writes_without_end),
        cmocka_unit_test(a_lock_that_is_never_free_names_its_holder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
