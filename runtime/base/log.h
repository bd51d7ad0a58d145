/* log.h - log messages and progress, on stderr.
 *
 * A log belongs to the app and is passed down. Calls are safe from any thread.
 * A progress line on a terminal is erased before a message and drawn again
 * after it. Secrets are never logged.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_LOG_H
#define TROUPE_RUNTIME_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log;
struct log *log_new(int fd, enum log_level level, bool progress); /* progress false: --quiet */
void log_free(struct log *l);
/* Text for the user, at every level, instead of the progress line. Like a message it is printed
 * without control characters except line ends, and as valid UTF-8. */
void log_text(struct log *l, const char *text, size_t n);
void log_write(struct log *l, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One live line on a terminal; elsewhere a plain line at most every 10 s, the first at once. */
void log_progress(struct log *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Before work whose first moments say nothing: off a terminal the first line comes after 10 s. */
void log_progress_begin(struct log *l);
void log_progress_end(struct log *l);

#endif
