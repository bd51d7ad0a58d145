/* api_events.h - streams of events of runs, for all that read them.
 *
 * One look at the store, twice a second, serves all streams, whichever process drives their runs.
 * Everything is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_API_EVENTS_H
#define TROUPE_RUNTIME_SERVE_API_EVENTS_H

#include "runtime/serve/serve_internal.h"

struct api_events;
struct api_events *api_events_new(struct serve *s);
/* After the HTTP server, which ends the streams. NULL is allowed. */
void api_events_free(struct api_events *a);

/* Ends all streams, without a result: their readers go on at another server, or later at this one.
 */
void api_events_end(struct api_events *a);

/* Does anybody read the events of this run? */
bool api_events_has(const struct api_events *a, const char *uuid);
/* Provisional text of a reply; a reader that is slow misses pieces. */
void api_events_text(struct api_events *a, const char *uuid, const char *path, const char *text,
                     size_t n);

#endif
