/* child.h - child processes with pipes.
 *
 * No shell: the program gets argv as it is. It leads a process group, so that the processes that it
 * starts end with it. It inherits only stdin, stdout and stderr, and default signal handling. All
 * functions and callbacks run on the loop's thread; no callback comes after child_free.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_CHILD_H
#define TROUPE_RUNTIME_LOOP_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/loop/loop.h"

struct child;

struct child_spec {
    const char *const *argv; /* ends with NULL; argv[0] is looked for in PATH */
    const char *const *env;  /* "NAME=VALUE", ends with NULL; NULL: this process's */
    const char *folder;      /* its working folder; NULL: this process's */
    /* Output of the program: to standard output, or to standard error (is_error). May be NULL; must
     * not free the child. */
    void (*on_output)(void *ctx, bool is_error, const char *bytes, size_t n);
    /* The program has ended, and all its output was delivered. code: its exit code; signo: the
     * signal that ended it, else 0. */
    void (*on_exit)(void *ctx, int code, int signo);
    void *ctx;
};

/* STATUS_NOT_FOUND: the program does not exist; the message names it. */
MUST_CHECK enum status child_spawn(struct loop *l, const struct child_spec *spec,
                                   struct child **out, struct error *err);
/* Sends bytes to its standard input; they are copied and buffered until it reads them. false: the
 * buffer would exceed CHILD_INPUT_MAX, or the input is closed; nothing is sent. */
#define CHILD_INPUT_MAX ((size_t)64 << 20)
bool child_write(struct child *c, const char *bytes, size_t n);
void child_end_input(struct child *c); /* closes the input after the buffered bytes */
/* Asks the group to end (SIGTERM), and ends it (SIGKILL) after grace_ms. on_exit follows. */
void child_stop(struct child *c, int64_t grace_ms);
int child_pid(const struct child *c);
/* Ends the group at once, if it still runs, without on_exit. Allowed inside on_exit. */
void child_free(struct child *c);

#endif
