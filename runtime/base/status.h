/* status.h - the error convention.
 *
 * A function that can fail returns enum status (0 is ok) and takes struct error
 * *err last. The function that detects the error fills err; callers may add a
 * note; only an edge (CLI, HTTP, JSON-RPC, tool result) prints or maps it. err
 * may be NULL when the caller does not need the message.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_STATUS_H
#define TROUPE_RUNTIME_BASE_STATUS_H

#include <stdarg.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))

enum status {
    STATUS_OK = 0,
    STATUS_FAILED,      /* the program or the system failed (exit 1) */
    STATUS_USAGE,       /* usage error: option, argument (exit 2) */
    STATUS_INVALID,     /* invalid input: a file, a message, an argument of a tool */
    STATUS_NOT_FOUND,   /* a named object does not exist */
    STATUS_NO_MEMORY,   /* host or device memory */
    STATUS_IO,          /* a read or a write failed */
    STATUS_DISK_FULL,   /* ENOSPC, EDQUOT */
    STATUS_CORRUPT,     /* stored data is damaged */
    STATUS_BUSY,        /* in use by another process; try again (exit 75) */
    STATUS_CONFIG,      /* configuration, blueprint or store is invalid (exit 78) */
    STATUS_UNSUPPORTED, /* valid, but this build does not support it */
    STATUS_LIMIT,       /* a documented limit was exceeded (size, depth, pages) */
    STATUS_TIMEOUT,     /* a deadline passed (exit 124) */
    STATUS_CANCELLED,   /* stopped by request */
    STATUS_BUDGET,      /* tokens, steps, calls or wall time are used up */
    STATUS_REJECTED,    /* a person or a rule refused */
    STATUS_WAITING,     /* suspended until an answer arrives (exit 4) */
    STATUS_N
};

/* One error. `where` is "FILE:LINE:COLUMN", a path inside a document, or empty.
 * `hint` says what to do about it, or is empty. */
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
/* The same with a place. column 0: without a column; line 0: without a line. */
enum status error_at(struct error *err, enum status status, const char *file, long line,
                     long column, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* From errno: ENOSPC becomes STATUS_DISK_FULL, ENOENT STATUS_NOT_FOUND, ENOMEM
 * STATUS_NO_MEMORY, all else STATUS_IO. The text of errno is appended. */
enum status error_errno(struct error *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* For readers of configuration: turns every error into STATUS_CONFIG and keeps its message.
 * STATUS_OK, STATUS_NO_MEMORY and STATUS_CANCELLED are unchanged. */
enum status error_as_config(enum status st, struct error *err);
/* Puts context before the message: "opening model x: " + message. */
void error_note(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(struct error *err);

const char *status_name(enum status status); /* "ok", "invalid", ... as in JSON "code" */

#endif
