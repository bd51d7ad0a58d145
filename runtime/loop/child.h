/* child.h - a program of its own process, with pipes, ended for certain.
 *
 * No shell: argv is what the program gets. It leads a process group, so that what it starts ends
 * with it. It inherits no descriptor but its three; signals are as a program expects them. All of
 * this is called on the loop's thread, and so are the callbacks; none of them comes after
 * child_free.
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
    const char *folder;      /* to work in; NULL: this process's */
    /* What the program wrote: to standard output, or to standard error (is_error). May be NULL; may
     * not free the child. */
    void (*on_output)(void *ctx, bool is_error, const char *bytes, size_t n);
    /* It has ended, and all that it wrote was handed over: its exit code, or the signal (else 0).
     */
    void (*on_exit)(void *ctx, int code, int signo);
    void *ctx;
};

/* STATUS_NOT_FOUND when there is no such program, with its name. */
MUST_CHECK enum status child_spawn(struct loop *l, const struct child_spec *spec,
                                   struct child **out, struct error *err);
/* Bytes for its standard input, kept until it reads them. false: more than CHILD_INPUT_MAX are kept
 * already, or it reads no more; nothing was taken. */
#define CHILD_INPUT_MAX ((size_t)64 << 20)
bool child_write(struct child *c, const char *bytes, size_t n);
void child_end_input(struct child *c); /* after what was written */
/* Asks the group to end (SIGTERM), and ends it (SIGKILL) after grace_ms. on_exit follows. */
void child_stop(struct child *c, int64_t grace_ms);
int child_pid(const struct child *c);
/* Ends the group at once, if it still runs, without on_exit. Allowed inside on_exit. */
void child_free(struct child *c);

#endif
