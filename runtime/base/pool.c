/* pool.c - a generation counter that workers watch, and a count of those still busy.
 *
 * pool_run writes the job, then raises the generation; every worker sees every
 * generation once, runs its share (maybe none) and lowers `busy`. Both sides spin
 * briefly, then sleep on the word that they watch; a side that changes a word makes
 * the system call only if there are sleepers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/pool.h"

#include <assert.h>
#include <fenv.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/futex.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/thread.h"

/* A sleeping barrier costs about 19 us, so longer spinning cannot win, and it would
 * starve the tools that share the cores. */
#define SPIN_US       20
#define SPINS_A_CHECK 64
#define THREADS_MAX   1024

struct pool_worker {
    struct pool *pool;
    pthread_t thread;
    int32_t number; /* from 1: the caller is 0 */
};

struct pool {
    int32_t n_threads;
    int32_t n_started; /* of the workers */
    struct pool_worker *workers;

    /* The job: written by pool_run before the generation rises, read after. */
    pool_task fn;
    void *ctx;
    int32_t n_tasks;
    bool stop;
    bool running; /* the caller's own: pool_run does not nest */

    _Alignas(64) _Atomic uint32_t generation;
    _Atomic uint32_t sleepers; /* workers that sleep on generation, or are about to */
    _Alignas(64) _Atomic uint32_t busy;
    _Atomic uint32_t caller_sleeps;
};

static void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spins while *word == value for SPIN_US at most; true when it changed. */
static bool spin_until_not(_Atomic uint32_t *word, uint32_t value)
{
    int64_t until_us = 0;

    for (;;) {
        for (int i = 0; i < SPINS_A_CHECK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value)
                return true;
            spin_pause();
        }
        int64_t now_us = seams_mono_us(seams_real());

        if (until_us == 0)
            until_us = now_us + SPIN_US;
        else if (now_us >= until_us)
            return false;
    }
}

static void run_share(struct pool *p, int32_t worker)
{
    for (int64_t task = worker; task < p->n_tasks; task += p->n_threads)
        p->fn(p->ctx, (int32_t)task, worker);
}

static void wait_for_generation(struct pool *p, uint32_t seen)
{
    if (spin_until_not(&p->generation, seen))
        return;
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->generation) == seen)
        futex_sleep(&p->generation, seen, -1);
    atomic_fetch_sub(&p->sleepers, 1);
}

static void *worker_main(void *arg)
{
    struct pool_worker *w = arg;
    struct pool *p = w->pool;
    uint32_t seen = 0;

    /* Results must not depend on the thread: no rounding mode or flush-to-zero
     * inherited from a host program. */
    fesetenv(FE_DFL_ENV);
    for (;;) {
        wait_for_generation(p, seen);
        seen++;
        if (p->stop)
            return NULL;
        run_share(p, w->number);
        if (atomic_fetch_sub(&p->busy, 1) == 1 && atomic_load(&p->caller_sleeps))
            futex_wake(&p->busy, 1);
    }
}

static void next_generation(struct pool *p)
{
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleepers))
        futex_wake(&p->generation, INT_MAX);
}

static void wait_for_workers(struct pool *p)
{
    uint32_t busy;

    while ((busy = atomic_load(&p->busy)) != 0) {
        if (spin_until_not(&p->busy, busy))
            continue;
        atomic_store(&p->caller_sleeps, 1);
        if (atomic_load(&p->busy) == busy)
            futex_sleep(&p->busy, busy, -1);
        atomic_store(&p->caller_sleeps, 0);
    }
}

enum status pool_new(int32_t n_threads, struct pool **out, struct error *err)
{
    struct pool *p;
    int failed = 0;

    if (n_threads < 1 || n_threads > THREADS_MAX)
        return error_set(err, STATUS_INVALID, "a pool has 1 to %d threads, not %d", THREADS_MAX,
                         (int)n_threads);
    p = mem_aligned_alloc(1, sizeof(*p)); /* the counters have cache lines of their own */
    if (!p)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pool of threads");
    p->n_threads = n_threads;
    p->workers = xcalloc((size_t)n_threads, sizeof(*p->workers));

    for (int32_t i = 1; i < n_threads && !failed; i++) {
        struct pool_worker *w = &p->workers[p->n_started];

        w->pool = p;
        w->number = i;
        failed = thread_start(&w->thread, worker_main, w);
        if (!failed)
            p->n_started++;
    }
    if (failed) {
        pool_free(p);
        return error_errno(err, failed, "starting %d threads", (int)n_threads);
    }
    *out = p;
    return STATUS_OK;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    p->stop = true;
    next_generation(p);
    for (int32_t i = 0; i < p->n_started; i++)
        pthread_join(p->workers[i].thread, NULL);
    free(p->workers);
    mem_aligned_free(p);
}

int32_t pool_n_threads(const struct pool *p)
{
    return p ? p->n_threads : 1;
}

void pool_run(struct pool *p, int32_t n_tasks, pool_task fn, void *ctx)
{
    if (n_tasks <= 0)
        return;
    if (!p || p->n_threads == 1 || n_tasks == 1) {
        for (int32_t task = 0; task < n_tasks; task++)
            fn(ctx, task, 0);
        return;
    }
    assert(!p->running);
    p->running = true;
    p->fn = fn;
    p->ctx = ctx;
    p->n_tasks = n_tasks;
    atomic_store(&p->busy, (uint32_t)p->n_started);
    next_generation(p);
    run_share(p, 0);
    wait_for_workers(p);
    p->running = false;
}
