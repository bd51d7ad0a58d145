/* log.h - log messages and progress, on stderr.
 *
 * A log belongs to the app and is passed down. Calls are safe from any thread.
 * A progress line on a terminal is erased before a message and drawn again
 * after it. Secrets are never logged.
 *
 * In the format LOG_JSON each message is one line, an object with time (RFC 3339, UTC,
 * milliseconds), level, message and the fields that are given; progress is such a line too.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_LOG_H
#define TROUPE_RUNTIME_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_TEXT, LOG_JSON };

/* One more member of a line in JSON; text lines do not have it. */
struct log_field {
    const char *name; /* a constant: "run", "path", "request" */
    const char *text; /* NULL: the number; lent for the call */
    int64_t number;
};

struct log;
struct log *log_new(int fd, enum log_level level, bool progress); /* progress false: --quiet */
void log_free(struct log *l);
void log_set_format(struct log *l, enum log_format format); /* before its first message */
/* Would a message of this level be written? NULL: no. */
bool log_shows(const struct log *l, enum log_level level);
/* Text for the user, whatever the level of the log, instead of the progress line; `level` is that
 * of a line in JSON. Like a message it is printed without control characters except line ends, and
 * as valid UTF-8. run: the one that it is about, or NULL. */
void log_text(struct log *l, enum log_level level, const char *run, const char *text, size_t n);
void log_write(struct log *l, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* About a run, and a step of it; path may be NULL. */
void log_write_run(struct log *l, enum log_level level, const char *run, const char *path,
                   const char *fmt, ...) PRINTF_LIKE(5, 6);
void log_write_fields(struct log *l, enum log_level level, const struct log_field *field,
                      int32_t n_fields, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* One live line on a terminal; elsewhere a plain line at most every 10 s, the first at once. */
void log_progress(struct log *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same about a run and a step of it. */
void log_progress_run(struct log *l, const char *run, const char *path, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Before work whose first moments say nothing: off a terminal the first line comes after 10 s. */
void log_progress_begin(struct log *l);
void log_progress_end(struct log *l);

#endif
