/* status.c - filling in struct error, and the names of the statuses.
 *
 * Text is formatted into a local buffer first, since an argument may be the old
 * message of the same struct error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/status.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/utf8.h"

/* Copies what fits, and never ends in half a UTF-8 sequence: messages travel on
 * as JSON. */
static void copy_cut(char *to, size_t to_bytes, const char *from)
{
    size_t n = strlen(from);

    if (n >= to_bytes) {
        n = to_bytes - 1;
        while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(to, from, n);
    to[n] = '\0';
}

/* A precision ("%.80s") may have cut a character in the middle of the words, and a damaged file
 * gives any bytes: invalid bytes and control characters become '?'. */
static void make_printable(char *text)
{
    size_t n = strlen(text);
    size_t i = utf8_valid_prefix(text, n);

    while (i < n) {
        text[i++] = '?';
        i += utf8_valid_prefix(text + i, n - i);
    }
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_c1 = c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;

        if (is_c1)
            text[i + 1] = '?';
        if (is_c1 || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
            text[i] = '?';
    }
}

PRINTF_LIKE(3, 0)
static enum status error_vset(struct error *err, enum status status, const char *fmt, va_list ap)
{
    /* Wider than the field, so that copy_cut sees where a sequence was cut. */
    char text[sizeof(err->message) + 8];

    if (!err)
        return status;
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        copy_cut(text, sizeof(text), fmt);
    make_printable(text);
    err->status = status;
    err->where[0] = '\0';
    err->hint[0] = '\0';
    copy_cut(err->message, sizeof(err->message), text);
    return status;
}

enum status error_set(struct error *err, enum status status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(err, status, fmt, ap);
    va_end(ap);
    return status;
}

enum status error_at(struct error *err, enum status status, const char *file, long line,
                     long column, const char *fmt, ...)
{
    char where[sizeof(err->where) + 8];
    va_list ap;

    if (!err)
        return status;
    /* The place may be cut from the front of a long path without harm to the
     * reader, but not its line: hence the precision. */
    if (line <= 0)
        snprintf(where, sizeof(where), "%.255s", file);
    else if (column <= 0)
        snprintf(where, sizeof(where), "%.230s:%ld", file, line);
    else
        snprintf(where, sizeof(where), "%.210s:%ld:%ld", file, line, column);
    va_start(ap, fmt);
    error_vset(err, status, fmt, ap);
    va_end(ap);
    make_printable(where);
    copy_cut(err->where, sizeof(err->where), where);
    return status;
}

static enum status status_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return STATUS_DISK_FULL;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_IO;
    }
}

enum status error_errno(struct error *err, int errnum, const char *fmt, ...)
{
    enum status status = status_of_errno(errnum);
    char text[sizeof(err->message)];
    const char *reason = strerrordesc_np(errnum);
    va_list ap;

    if (!err)
        return status;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    if (reason)
        return error_set(err, status, "%.700s: %s", text, reason);
    return error_set(err, status, "%.700s: error %d", text, errnum);
}

enum status error_as_config(enum status st, struct error *err)
{
    if (st == STATUS_OK || st == STATUS_NO_MEMORY || st == STATUS_CANCELLED)
        return st;
    if (err)
        err->status = STATUS_CONFIG;
    return STATUS_CONFIG;
}

void error_note(struct error *err, const char *fmt, ...)
{
    char note[sizeof(err->message)];
    char text[2 * sizeof(err->message) + 4];
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    if (vsnprintf(note, sizeof(note), fmt, ap) < 0)
        note[0] = '\0';
    va_end(ap);
    snprintf(text, sizeof(text), "%s: %s", note, err->message);
    make_printable(text);
    copy_cut(err->message, sizeof(err->message), text);
}

void error_hint(struct error *err, const char *fmt, ...)
{
    char hint[sizeof(err->hint) + 8];
    va_list ap;

    if (!err)
        return;
    va_start(ap, fmt);
    if (vsnprintf(hint, sizeof(hint), fmt, ap) < 0)
        hint[0] = '\0';
    va_end(ap);
    make_printable(hint);
    copy_cut(err->hint, sizeof(err->hint), hint);
}

void error_clear(struct error *err)
{
    if (!err)
        return;
    err->status = STATUS_OK;
    err->where[0] = '\0';
    err->message[0] = '\0';
    err->hint[0] = '\0';
}

const char *status_name(enum status status)
{
    static const char *const names[STATUS_N] = {
        [STATUS_OK] = "ok",
        [STATUS_FAILED] = "failed",
        [STATUS_USAGE] = "usage",
        [STATUS_INVALID] = "invalid",
        [STATUS_NOT_FOUND] = "not_found",
        [STATUS_NO_MEMORY] = "no_memory",
        [STATUS_IO] = "io",
        [STATUS_DISK_FULL] = "disk_full",
        [STATUS_CORRUPT] = "corrupt",
        [STATUS_BUSY] = "busy",
        [STATUS_CONFIG] = "config",
        [STATUS_UNSUPPORTED] = "unsupported",
        [STATUS_LIMIT] = "limit",
        [STATUS_TIMEOUT] = "timeout",
        [STATUS_CANCELLED] = "cancelled",
        [STATUS_BUDGET] = "budget",
        [STATUS_REJECTED] = "rejected",
        [STATUS_WAITING] = "waiting",
    };

    if ((unsigned)status >= STATUS_N)
        return "unknown";
    return names[status];
}
