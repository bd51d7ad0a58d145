/* time_text.h - times (RFC 3339) and durations as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_TIME_TEXT_H
#define TROUPE_RUNTIME_BASE_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

/* A date-time of RFC 3339 with its offset, as in 2026-03-01T08:00:00Z or ...T08:00:00.5+01:00, to
 * milliseconds since the epoch; rounded down. False: not a valid date-time. */
bool time_from_rfc3339(const char *s, int64_t *out_ms);
/* UTC; milliseconds only if they are not 0. Years 0 to 9999. */
void time_put_rfc3339(struct str *out, int64_t ms);
/* For people: local time with its offset from UTC, as in 2026-11-28 01:56:16-05:00. */
void time_put_local(struct str *out, int64_t ms);
/* For text_to_duration_ms; uses the largest unit that gives a whole number: "250ms", "90s". */
void duration_put(struct str *out, int64_t ms);

#endif
