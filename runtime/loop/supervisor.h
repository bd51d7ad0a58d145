/* supervisor.h - the process that makes sure that no child outlives us.
 *
 * A child of a process that dies goes on. So a long-running hub starts children through a
 * supervisor: this program again, executed with a hidden argument. It and its keepers (keeper.h)
 * are subreapers, so all descendants of a job stay known, also after a double fork and setsid.
 *
 *   - the hub ends, also by SIGKILL: every process of every job ends within KEEPER_GRACE_MS and the
 *     time of a few SIGKILLs.
 *   - the program of a job ends, or child_stop or child_free is called: the rest of the job ends.
 *   - a keeper is killed: its program and the rest of the job end; child_is_lost.
 *   - the supervisor is killed: all jobs end; child_is_lost. The next child_spawn starts another
 *     supervisor. That is safe with threads, because posix_spawn runs nothing of ours before exec.
 *
 * What it cannot end: processes of another user (setuid programs, unless we are root), those that
 * another service started on request (containers, units, cron), and those of a program that stops
 * or kills keeper and supervisor together, which every program of the same user may do.
 *
 * Nothing is started before the first child. A supervisor belongs to the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_SUPERVISOR_H
#define TROUPE_RUNTIME_LOOP_SUPERVISOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/log.h"
#include "runtime/base/status.h"

struct supervisor;

/* program: an executable whose main begins with supervisor_is_asked; it is kept. NULL: the one of
 * this process. log: may be NULL; it must live as long. */
struct supervisor *supervisor_new(const char *program, struct log *log);
/* Its children must have been freed. Waits until the process has ended, at most 2 s. */
void supervisor_free(struct supervisor *s);
pid_t supervisor_pid(const struct supervisor *s); /* 0: none was started, or it ended */

/* The first lines of main: `if (supervisor_is_asked(argc, argv)) return supervisor_main();` */
bool supervisor_is_asked(int argc, char **argv);
/* The supervisor's whole life; returns only if it was called by hand, with an exit code. */
int supervisor_main(void);

/* ---- for child.c */

struct supervisor_job {
    const char *const *argv, *const *env; /* both end with NULL */
    int std[3];                           /* lent: the program's ends of the pipes */
    int folder_fd;                        /* lent */
};

/* Waits until the program runs (1 ms; the first time until the supervisor runs, 20 ms), at most
 * SUPERVISOR_WAIT_MS. *socket belongs to the caller: a keeper_order goes in, a keeper_report comes
 * out, and closing it ends the job. */
#define SUPERVISOR_WAIT_MS 5000
MUST_CHECK enum status supervisor_start_job(struct supervisor *s, const struct supervisor_job *job,
                                            int *socket, pid_t *pid, struct error *err);
/* After a job was lost: if the supervisor has ended, takes notice. */
void supervisor_look(struct supervisor *s);

#endif
