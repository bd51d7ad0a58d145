/* process_stats.h - what this process uses, from /proc and getrusage.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_PROCESS_STATS_H
#define TROUPE_RUNTIME_SERVE_PROCESS_STATS_H

#include <stdint.h>

/* 0: not known. */
struct process_stats {
    int64_t resident_bytes, virtual_bytes;
    int64_t open_fds, max_fds;
    int64_t n_threads;
    double cpu_seconds;
    double start_seconds; /* since the epoch */
};
void process_stats(struct process_stats *out);

#endif
