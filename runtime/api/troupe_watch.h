/* troupe_watch.h - keeps all runs of a store going: deadlines, timers, retries and answers.
 *
 * A watch looks at the store twice a second. It takes what was interrupted, what has an answer, and
 * what is due, and drives some of it at once on the loop of its troupe. A run that waits takes no
 * memory but a few words until then. Runs that another living process holds are left to it, and
 * looked at again. Everything is called on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_WATCH_H
#define TROUPE_RUNTIME_API_TROUPE_WATCH_H

#include "runtime/api/troupe.h"

#define TROUPE_WATCH_AT_ONCE 8

struct troupe_watch;

struct troupe_watch_options {
    int32_t at_once; /* runs driven at a time; 0: TROUPE_WATCH_AT_ONCE */
    /* Of every run; `stay` is not looked at. Its listener's on_end comes each time that a run ends
     * or waits; the run is freed after it. */
    struct troupe_run_options run;
    /* A run cannot go on; it is not tried again by this watch. May be NULL. */
    void (*on_left)(void *ctx, const char *uuid, const struct error *err);
    /* Nothing is open any more but what was left and questions without a deadline. Comes once; the
     * watch may be freed in here. NULL: the watch goes on looking. */
    void (*on_idle)(void *ctx);
    void *ctx;
};
/* The store of t is open. The first look is at the loop's next turn. */
MUST_CHECK enum status troupe_watch_start(struct troupe *t, const struct troupe_watch_options *o,
                                          struct troupe_watch **out, struct error *err);
/* Runs that it drives still end by themselves (troupe_interrupt). NULL is fine. */
void troupe_watch_free(struct troupe_watch *w);

#endif
