/* futex.c - the futex system call, which glibc does not wrap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void futex_sleep(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_us)
{
    struct timespec ts = {.tv_sec = (time_t)(timeout_us / 1000000),
                          .tv_nsec = (long)(timeout_us % 1000000) * 1000};

    /* Every result means "look again". */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_us < 0 ? NULL : &ts, NULL,
                  0);
}

void futex_wake(_Atomic uint32_t *word, int n_sleepers)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n_sleepers, NULL, NULL, 0);
}
