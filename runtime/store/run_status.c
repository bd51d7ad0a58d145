/* run_status.c - the status of a run, and its names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/run_status.h"

#include <string.h>

static const char *const words[RUN_STATUS_N] = {
    [RUN_RUNNING] = "running",   [RUN_INTERRUPTED] = "interrupted",
    [RUN_WAITING] = "waiting",   [RUN_OK] = "ok",
    [RUN_ERROR] = "error",       [RUN_TIMEOUT] = "timeout",
    [RUN_BUDGET] = "budget",     [RUN_CANCELLED] = "cancelled",
    [RUN_REJECTED] = "rejected",
};

const char *run_status_word(enum run_status s)
{
    return (unsigned)s < RUN_STATUS_N ? words[s] : "unknown";
}

bool run_status_from_word(const char *text, size_t n, enum run_status *out)
{
    for (int i = 0; i < RUN_STATUS_N; i++) {
        if (strlen(words[i]) == n && memcmp(words[i], text, n) == 0) {
            *out = (enum run_status)i;
            return true;
        }
    }
    return false;
}

bool run_status_is_final(enum run_status s)
{
    return s >= RUN_OK;
}

bool run_status_is_repairable(enum run_status s)
{
    return s == RUN_ERROR || s == RUN_TIMEOUT || s == RUN_BUDGET;
}
