/* cpu_parallel.c - cutting an op into ranges for the threads of a lane.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_parallel.h"

#include "runtime/base/pool.h"

struct cut {
    cpu_range_fn fn;
    void *ctx;
    int64_t n;
    int32_t n_tasks;
};

static void run_task(void *ctx, int32_t task, int32_t worker)
{
    const struct cut *c = ctx;
    int64_t share = c->n / c->n_tasks, rest = c->n % c->n_tasks;
    int64_t begin = share * task + (task < rest ? task : rest);

    (void)worker;
    c->fn(c->ctx, begin, begin + share + (task < rest ? 1 : 0));
}

void cpu_for(const struct lane *l, int64_t n, int64_t grain, int32_t per_thread, cpu_range_fn fn,
             void *ctx)
{
    struct cut c = {.fn = fn, .ctx = ctx, .n = n, .n_tasks = 1};
    int64_t most;

    if (n <= 0)
        return;
    if (l->pool) {
        most = (n + grain - 1) / grain;
        c.n_tasks = pool_n_threads(l->pool) * per_thread;
        if (c.n_tasks > most)
            c.n_tasks = (int32_t)most;
    }
    if (c.n_tasks <= 1 || pool_n_threads(l->pool) == 1)
        fn(ctx, 0, n);
    else
        pool_run(l->pool, c.n_tasks, run_task, &c);
}
