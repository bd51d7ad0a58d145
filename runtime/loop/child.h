/* child.h - child processes with pipes.
 *
 * No shell: the program gets argv as it is. It leads a session and a process group of its own,
 * inherits only stdin, stdout and stderr, and default signal handling. All functions and callbacks
 * run on the loop's thread; no callback comes after child_free. The process must ignore SIGPIPE.
 *
 * Two ways to start, one interface. Without a supervisor the program is our own child, for short
 * commands: its group ends with it, but a process that left the group does not, and it outlives a
 * SIGKILL of this process. With a supervisor (supervisor.h) every descendant ends, whatever
 * happens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_CHILD_H
#define TROUPE_RUNTIME_LOOP_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"
#include "runtime/loop/loop.h"
#include "runtime/loop/supervisor.h"

struct child;

struct child_spec {
    const char *const *argv; /* ends with NULL; argv[0] is looked for in the PATH of env */
    const char *const *env;  /* "NAME=VALUE", ends with NULL (child_env.h); NULL: this process's */
    const char *folder;      /* its working folder; NULL: this process's */
    struct supervisor *supervisor; /* NULL: none. It must live longer than the child. */
    size_t errors_max;             /* bytes of standard error that child_errors keeps */
    /* Output of the program: to standard output, or to standard error (is_error). May be NULL; must
     * not free the child. */
    void (*on_output)(void *ctx, bool is_error, const char *bytes, size_t n);
    /* All bytes of child_write are in the pipe, after some had to wait. May be NULL; must not free
     * the child. */
    void (*on_drained)(void *ctx);
    /* The program has ended, and all its output was delivered. code: its exit code; signo: the
     * signal that ended it, else 0. */
    void (*on_exit)(void *ctx, int code, int signo);
    void *ctx;
};

/* Waits until the program runs: about a millisecond (supervisor.h has more). STATUS_NOT_FOUND: the
 * program or the folder does not exist; the message names it. */
MUST_CHECK enum status child_spawn(struct loop *l, const struct child_spec *spec,
                                   struct child **out, struct error *err);

/* Sends bytes to its standard input; they are copied and buffered until it reads them. false: the
 * buffer would exceed CHILD_INPUT_MAX, or the input is closed; nothing is sent. */
#define CHILD_INPUT_MAX ((size_t)64 << 20)
bool child_write(struct child *c, const char *bytes, size_t n);
size_t child_unwritten(const struct child *c); /* bytes that wait; 0: nothing has to wait */
void child_end_input(struct child *c);         /* closes the input after the buffered bytes */

/* No standard output is delivered until child_resume: the program waits when the pipe is full (64
 * KiB), and on_exit waits too. Both are allowed in on_output. Standard error is not affected. */
void child_pause(struct child *c);
void child_resume(struct child *c);

/* The last bytes of standard error, at most errors_max, from the beginning of a line where lines
 * were dropped. Lent until the loop's next turn. */
const char *child_errors(const struct child *c, size_t *n);

/* All three resume the output, may be called again with shorter times, and lead to on_exit. */
/* Asks the group to end (SIGTERM), and ends everything (SIGKILL) after grace_ms. */
void child_stop(struct child *c, int64_t grace_ms);
/* As MCP servers on stdio are ended (2025-11-25, Lifecycle, Shutdown): closes the input after the
 * buffered bytes, child_stop(c, term_ms) if the program has not ended after exit_ms. */
void child_shut_down(struct child *c, int64_t exit_ms, int64_t term_ms);
void child_kill(struct child *c); /* at once */

int child_pid(const struct child *c); /* of the program; 0: it has ended */
/* Inside on_exit: the supervisor or the keeper was killed, and so the program was ended. */
bool child_is_lost(const struct child *c);
/* Inside on_exit: "ended with exit code 3", "was ended by signal 9 (Killed)", for messages. */
void child_put_end(const struct child *c, struct str *out);
/* Ends everything at once, if it still runs, without on_exit. Allowed inside on_exit. With a
 * supervisor the processes end shortly after the call. */
void child_free(struct child *c);

#endif
