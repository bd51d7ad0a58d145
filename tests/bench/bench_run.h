/* bench_run.h - what the benchmarks share: errors end them, and the time of the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_RUN_H
#define TROUPE_TESTS_BENCH_RUN_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/status.h"

static inline void must(enum status st, const struct error *err)
{
    if (!st)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, err->message);
    exit(1);
}

static inline double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
