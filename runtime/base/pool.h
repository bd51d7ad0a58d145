/* pool.h - worker threads for parallel-for.
 *
 * Tasks are numbered and assigned by number alone (task t runs on worker
 * t % n_threads), so results never depend on timing. The caller is worker 0. A
 * waiting worker spins at most 20 us, then sleeps. pool_run is called from one
 * thread at a time and does not nest.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_POOL_H
#define TROUPE_RUNTIME_BASE_POOL_H

#include <stdint.h>

#include "runtime/base/status.h"

struct pool;
typedef void (*pool_task)(void *ctx, int32_t task, int32_t worker);

MUST_CHECK enum status pool_new(int32_t n_threads, struct pool **out, struct error *err);
void pool_free(struct pool *p);
int32_t pool_n_threads(const struct pool *p); /* a NULL pool has 1 */
/* Runs fn(ctx, 0..n_tasks-1) and returns when all are done. NULL runs inline. */
void pool_run(struct pool *p, int32_t n_tasks, pool_task fn, void *ctx);

#endif
