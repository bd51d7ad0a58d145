/* run_status.h - how a run stands, and the one table of the words for it.
 *
 * The words are what the store keeps and what every list, document and option shows.
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
    RUN_INTERRUPTED, /* running, but no living process holds it; never stored */
    RUN_WAITING,
    /* from here on a run has ended, and only a fork goes on from it */
    RUN_OK,
    RUN_ERROR,
    RUN_TIMEOUT,
    RUN_BUDGET,
    RUN_CANCELLED,
    RUN_REJECTED,
    RUN_STATUS_N
};

const char *run_status_word(enum run_status s);
/* false: no such word. n bytes of text. */
bool run_status_from_word(const char *text, size_t n, enum run_status *out);
bool run_status_is_final(enum run_status s);
/* Ended in a way that a repair may go on from: error, timeout, budget. */
bool run_status_is_repairable(enum run_status s);

/* A set of statuses; 0 stands for all. */
#define RUN_STATUS_BIT(s) (UINT32_C(1) << (s))
#define RUN_STATUS_OPEN                                                                            \
    (RUN_STATUS_BIT(RUN_RUNNING) | RUN_STATUS_BIT(RUN_INTERRUPTED) | RUN_STATUS_BIT(RUN_WAITING))

#endif
