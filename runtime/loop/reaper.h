/* reaper.h - how a subreaper ends its children.
 *
 * A process whose parent ended becomes a child of the nearest subreaper (prctl
 * PR_SET_CHILD_SUBREAPER), also after a double fork and setsid. So a subreaper that kills its
 * children until it has none has ended every descendant. For processes of one thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_REAPER_H
#define TROUPE_RUNTIME_LOOP_REAPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* SIGKILL for the children of this process and for their process groups, except those in `keep`.
 * Returns how many still ran. A child stays a child until this process waits for it, so none of
 * the numbers can belong to another process by now. */
int32_t reaper_kill(const pid_t *keep, int32_t n_keep);

/* A descriptor that is readable when a child has ended (SIGCHLD, which it blocks with all other
 * signals), and its reading. -1: errno. */
int reaper_signals(void);
void reaper_signals_clear(int fd);

#endif
