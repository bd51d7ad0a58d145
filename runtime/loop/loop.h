/* loop.h - the event loop: one thread, based on libuv; nothing on it blocks.
 *
 * The loop owns timers and mailboxes whose mail is handled on its thread. All
 * functions must be called on the loop's thread, except loop_wake and mailbox_post.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_LOOP_H
#define TROUPE_RUNTIME_LOOP_LOOP_H

#include "runtime/base/mailbox.h"
#include "runtime/base/seams.h"
#include "runtime/base/status.h"

struct loop;
struct loop_timer;
struct loop_box;
struct loop_fd;
struct loop_tick;

/* seams NULL: the real ones. */
MUST_CHECK enum status loop_new(const struct seams *seams, struct loop **out, struct error *err);
void loop_free(struct loop *l); /* the owners must have freed all handles */
/* Runs until loop_stop, or until nothing keeps it running. */
void loop_run(struct loop *l);
bool loop_is_running(const struct loop *l); /* then loop_run is not allowed */
void loop_stop(struct loop *l);
void loop_wake(struct loop *l); /* any thread, and signal handlers */

/* A mailbox handled on the loop: the handler gets all mail, oldest first. A box keeps the loop
 * running only while mail is expected, as counted by loop_box_hold. */
struct loop_box *loop_box_new(struct loop *l, void (*handler)(void *ctx, struct mail *all),
                              void *ctx);
void loop_box_free(struct loop_box *b);
struct mailbox *loop_box_mailbox(struct loop_box *b);
void loop_box_hold(struct loop_box *b, int delta);

/* Runs fn on the loop's next turn. */
void loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx);
/* Once, after delay_ms; freeing it cancels. */
struct loop_timer *loop_timer_new(struct loop *l, int64_t delay_ms, void (*fn)(void *ctx),
                                  void *ctx);
/* Repeats, the first time after every_ms (at least 1). It keeps the loop running. */
struct loop_timer *loop_timer_every(struct loop *l, int64_t every_ms, void (*fn)(void *ctx),
                                    void *ctx);
void loop_timer_free(struct loop_timer *t);

/* Watches a descriptor (a pipe, a socket; not a regular file, which is always ready). The caller
 * owns it and frees the watch before closing it. `ready` is a set of loop_ready; on an error or a
 * hang-up all wanted events are ready. A watch that wants events keeps the loop running. */
enum loop_ready { LOOP_READ = 1, LOOP_WRITE = 2 };
MUST_CHECK enum status loop_fd_new(struct loop *l, int fd, void (*fn)(void *ctx, int ready),
                                   void *ctx, struct loop_fd **out, struct error *err);
void loop_fd_want(struct loop_fd *w, int ready); /* 0: nothing for now */
void loop_fd_free(struct loop_fd *w);            /* allowed inside fn */

/* After every turn of the loop, before it waits: journals flush here. */
struct loop_tick *loop_tick_new(struct loop *l, void (*fn)(void *ctx), void *ctx);
void loop_tick_free(struct loop_tick *t);

#endif
