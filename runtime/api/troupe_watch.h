/* troupe_watch.h - drives all runs of a store, or some: deadlines, timers, retries and answers.
 *
 * A watch looks at the store twice a second. It takes runs that were interrupted, have an answer or
 * are due, and drives several at once on the loop of its troupe. A waiting run needs only a few
 * bytes of memory. Runs that another living process holds are not taken, but looked at again.
 * Everything is called on the loop's thread.
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
    /* Only those that it creates, and those of troupe_watch_adopt: a process of one client leaves
     * the other runs of the store alone. */
    bool only_own;
    /* For every run; `stay` is ignored. Its listener's on_end comes each time that a run ends
     * or waits; the run is freed after it. */
    struct troupe_run_options run;
    /* A run cannot go on; it is not tried again by this watch, except after STATUS_DISK_FULL, of
     * which only the first failure is reported. May be NULL. */
    void (*on_stuck)(void *ctx, const char *uuid, const struct error *err);
    /* Only runs that cannot go on and questions without a deadline are open; or nothing
     * more can be recorded, as `lost` says (store_can_record). Called once; the watch may be freed
     * in here. NULL: the watch goes on. */
    void (*on_idle)(void *ctx, const struct error *lost);
    void *ctx;
};
/* The store of t must be open. The first look is in the next turn of the loop. */
MUST_CHECK enum status troupe_watch_start(struct troupe *t, const struct troupe_watch_options *o,
                                          struct troupe_watch **out, struct error *err);
/* A run is durable: its uuid; or NULL and the error. */
typedef void (*troupe_watch_made)(void *ctx, const char *uuid, const struct error *err);
/* Creates a run without waiting for the disk, and drives it like the others: at once, or as soon as
 * fewer than at_once are driven. `made` is called on the loop; the watch must live until then. An
 * error that is returned is all. o: models and root; the rest is the watch's. */
MUST_CHECK enum status troupe_watch_run_new(struct troupe_watch *w,
                                            const struct troupe_run_spec *spec,
                                            const struct troupe_run_options *o,
                                            troupe_watch_made made, void *ctx, struct error *err);
/* only_own: this run is one of its own from now on. Else nothing. */
void troupe_watch_adopt(struct troupe_watch *w, const char *uuid);
/* Runs that it drives go on (see troupe_interrupt). NULL is allowed. */
void troupe_watch_free(struct troupe_watch *w);

#endif
