/* futex.h - sleeping on a word; only for mailbox.c and pool.c.
 *
 * Linux only, like the program. The word is an ordinary atomic: all ordering comes from the
 * atomic operations around these calls, which ThreadSanitizer understands.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_FUTEX_H
#define TROUPE_RUNTIME_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word == expected, at most timeout_us (-1: for ever). Wakes may be spurious: callers
 * check again. */
void futex_sleep(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_us);
void futex_wake(_Atomic uint32_t *word, int n_sleepers);

#endif
