/* child_start.h - one new process, up to its program. For child.c and the keeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_CHILD_START_H
#define TROUPE_RUNTIME_LOOP_CHILD_START_H

#include <stdbool.h>
#include <sys/types.h>

struct child_start {
    char *const *argv, *const *env; /* argv[0] is looked for in the PATH of env */
    int std[3];                     /* become its descriptors 0, 1 and 2; all are above 2 */
    int folder_fd;                  /* its working folder */
    bool dies_with_parent; /* SIGKILL when the calling thread ends: for processes of one thread */
};

/* It leads a session and a group of its own, has no other descriptors, blocks no signal and handles
 * all by default. Waits until its program runs. Returns 0, or the errno of what failed. */
int child_start(const struct child_start *s, pid_t *out);

/* A pipe whose descriptors are closed at exec and above 2. Returns 0 or an errno. */
int child_pipe(int fd[2]);
void child_close_pair(int fd[2]); /* also half of one: -1 is not open */

#endif
