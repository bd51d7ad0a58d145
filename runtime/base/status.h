/* status.h - the one error convention.
 *
 * Whatever can fail returns enum status (0 is ok) and takes struct error *err
 * last. The place that finds the fault fills err; callers may add a note; only
 * an edge (CLI, HTTP, JSON-RPC, tool result) prints or maps it. err may be NULL
 * where the caller does not care for the words.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_STATUS_H
#define TROUPE_RUNTIME_BASE_STATUS_H

#include <stdarg.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))

enum status {
    STATUS_OK = 0,
    STATUS_FAILED,      /* the program or its surroundings (exit 1) */
    STATUS_USAGE,       /* wrong use: option, argument (exit 2) */
    STATUS_INVALID,     /* bad input: a file, a message, an argument of a tool */
    STATUS_NOT_FOUND,   /* a named thing is not there */
    STATUS_NO_MEMORY,   /* host or device memory */
    STATUS_IO,          /* the operating system refused a read or a write */
    STATUS_DISK_FULL,   /* ENOSPC, EDQUOT */
    STATUS_CORRUPT,     /* stored bytes are not what was written */
    STATUS_BUSY,        /* in use elsewhere; try again (exit 75) */
    STATUS_CONFIG,      /* configuration, blueprint or store cannot be used (exit 78) */
    STATUS_UNSUPPORTED, /* well formed, but not something this build can do */
    STATUS_LIMIT,       /* a documented limit was passed (size, depth, pages) */
    STATUS_TIMEOUT,     /* a deadline passed (exit 124) */
    STATUS_CANCELLED,   /* stopped by request */
    STATUS_BUDGET,      /* tokens, steps, calls or wall time are spent */
    STATUS_REJECTED,    /* a human or a rule said no */
    STATUS_WAITING,     /* suspended until an answer comes (exit 4) */
    STATUS_N
};

/* Words and place of one failure. `where` is "FILE:LINE:COLUMN", a path inside a
 * document, or empty. `hint` says what to do about it, or is empty. */
struct error {
    enum status status;
    char where[256];
    char message[768];
    char hint[256];
};

#define ERROR_INIT ((struct error){.status = STATUS_OK})

/* Fill err and return `status`, so that a caller can write
 * `return error_set(err, STATUS_INVALID, "...")`. */
enum status error_set(struct error *err, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same with a place. column 0 leaves the column out; line 0 the line too. */
enum status error_at(struct error *err, enum status status, const char *file, long line,
                     long column, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* From errno: ENOSPC becomes STATUS_DISK_FULL, ENOENT STATUS_NOT_FOUND, ENOMEM
 * STATUS_NO_MEMORY, all else STATUS_IO. The text of errno is appended. */
enum status error_errno(struct error *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* For what reads a configuration: whatever was wrong, and with its words, it cannot be used.
 * STATUS_OK, STATUS_NO_MEMORY and STATUS_CANCELLED stay. */
enum status error_as_config(enum status st, struct error *err);
/* Add context in front: "opening model x: " + message. */
void error_note(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(struct error *err);

const char *status_name(enum status status); /* "ok", "invalid", ... as in JSON "code" */

#endif
