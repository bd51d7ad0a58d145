/* run_status.h - the status of a run, and its names.
 *
 * The store, lists, documents and options all use these names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_RUN_STATUS_H
#define TROUPE_RUNTIME_STORE_RUN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum run_status {
    RUN_RUNNING,
    RUN_INTERRUPTED, /* running, but without a live owner; never stored */
    RUN_WAITING,
    /* final statuses: only a fork or a repair continues such a run */
    RUN_OK,
    RUN_ERROR,
    RUN_TIMEOUT,
    RUN_BUDGET,
    RUN_CANCELLED,
    RUN_REJECTED,
    RUN_STATUS_N
};

const char *run_status_word(enum run_status s);
/* n bytes of text; false: an unknown name. */
bool run_status_from_word(const char *text, size_t n, enum run_status *out);
bool run_status_is_final(enum run_status s);
/* Can a repair continue it? Error, timeout and budget. */
bool run_status_is_repairable(enum run_status s);

/* A set of statuses; 0 means all. */
#define RUN_STATUS_BIT(s) (UINT32_C(1) << (s))
#define RUN_STATUS_OPEN                                                                            \
    (RUN_STATUS_BIT(RUN_RUNNING) | RUN_STATUS_BIT(RUN_INTERRUPTED) | RUN_STATUS_BIT(RUN_WAITING))

#endif
