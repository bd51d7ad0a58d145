/* test_pool.c - every task runs once, on the worker that its number says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fenv.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/check.h"

#define MAX_TASKS 100

struct job {
    int32_t n_threads;
    _Atomic int runs[MAX_TASKS];
    _Atomic int misplaced;
    int plain[MAX_TASKS]; /* no atomics: pool_run itself must order these */
};

static void note(void *ctx, int32_t task, int32_t worker)
{
    struct job *j = ctx;

    atomic_fetch_add(&j->runs[task], 1);
    if (worker != task % j->n_threads)
        atomic_fetch_add(&j->misplaced, 1);
    j->plain[task]++;
}

static void check_pool(struct pool *p, int32_t n_threads)
{
    static const int32_t sizes[] = {0, 1, 2, 3, 7, 64, MAX_TASKS};

    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct job j;

        memset(&j, 0, sizeof(j));
        j.n_threads = n_threads;
        pool_run(p, sizes[s], note, &j);
        pool_run(p, sizes[s], note, &j);
        for (int32_t t = 0; t < MAX_TASKS; t++) {
            assert_int_equal(j.runs[t], t < sizes[s] ? 2 : 0);
            assert_int_equal(j.plain[t], t < sizes[s] ? 2 : 0);
        }
        assert_int_equal(j.misplaced, 0);
    }
}

static void every_task_runs_once_in_its_place(void **state)
{
    (void)state;
    for (int32_t n = 1; n <= 4; n++) {
        struct pool *p = NULL;

        assert_ok(pool_new(n, &p, why));
        assert_int_equal(pool_n_threads(p), n);
        check_pool(p, n);
        pool_free(p);
    }
}

static void no_pool_runs_inline(void **state)
{
    (void)state;
    assert_int_equal(pool_n_threads(NULL), 1);
    check_pool(NULL, 1);
    pool_free(NULL);
}

static void sizes_out_of_range_are_refused(void **state)
{
    struct pool *p = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(pool_new(0, &p, &err), STATUS_INVALID);
    assert_int_equal(pool_new(-1, &p, &err), STATUS_INVALID);
    assert_int_equal(pool_new(100000, &p, &err), STATUS_INVALID);
    mem_fail_after(1);
    assert_int_equal(pool_new(2, &p, &err), STATUS_NO_MEMORY);
    assert_null(p);
}

/* Many short runs, with pauses in which the workers fall asleep. */
static void workers_wake_from_sleep(void **state)
{
    struct timespec pause = {.tv_nsec = 200000};
    struct pool *p = NULL;
    struct job j;

    (void)state;
    assert_int_equal(pool_new(2, &p, NULL), STATUS_OK);
    memset(&j, 0, sizeof(j));
    j.n_threads = 2;
    for (int i = 0; i < 2000; i++) {
        pool_run(p, 2, note, &j);
        if (i % 20 == 0)
            nanosleep(&pause, NULL);
    }
    assert_int_equal(j.plain[0], 2000);
    assert_int_equal(j.plain[1], 2000);
    assert_int_equal(j.misplaced, 0);
    pool_free(p);
}

static void slow(void *ctx, int32_t task, int32_t worker)
{
    struct timespec pause = {.tv_nsec = 3000000};

    (void)worker;
    if (task == 1)
        nanosleep(&pause, NULL);
    ((int *)ctx)[task] = 1;
}

static void the_caller_waits_for_the_slowest(void **state)
{
    struct pool *p = NULL;

    (void)state;
    assert_int_equal(pool_new(2, &p, NULL), STATUS_OK);
    for (int i = 0; i < 10; i++) {
        int done[2] = {0, 0};

        pool_run(p, 2, slow, done);
        assert_int_equal(done[0] + done[1], 2);
    }
    pool_free(p);
}

static void rounding(void *ctx, int32_t task, int32_t worker)
{
    (void)worker;
    ((int *)ctx)[task] = fegetround();
}

static void workers_round_to_nearest_whatever_the_caller_does(void **state)
{
    struct pool *p = NULL;
    int modes[2] = {-1, -1};

    (void)state;
    fesetround(FE_UPWARD);
    assert_int_equal(pool_new(2, &p, NULL), STATUS_OK);
    pool_run(p, 2, rounding, modes);
    fesetround(FE_TONEAREST);
    assert_int_equal(modes[1], FE_TONEAREST);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once_in_its_place),
        cmocka_unit_test(no_pool_runs_inline),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(workers_wake_from_sleep),
        cmocka_unit_test(the_caller_waits_for_the_slowest),
        cmocka_unit_test(workers_round_to_nearest_whatever_the_caller_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
