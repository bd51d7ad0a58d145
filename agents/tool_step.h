/* tool_step.h - one call of a tool, durably: the one protocol of agents, blueprints and the CLI.
 *
 * Before an `idempotent` or `once` effect its intent is on disk. A `once` effect that may have
 * happened before a crash is never repeated unasked: its tool is asked, and where that cannot tell,
 * a person is (done, repeat, fail), by a question of the store. A tool may ask questions itself
 * while it has the call. At the deadline the call is cancelled, and abandoned when the tool does
 * not end it: what comes later is recorded below the step (PATH/late) and used for nothing.
 *
 * An object is its owner's from tool_step_new to tool_step_free. Everything happens on one thread,
 * the loop's or that of whoever polls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_TOOL_STEP_H
#define TROUPE_AGENTS_TOOL_STEP_H

#include "runtime/loop/loop.h"
#include "runtime/store/journal.h"
#include "tools/tool.h"

enum tool_step_state {
    TOOL_STEP_NEW,
    TOOL_STEP_CHECKING,  /* the tool was asked whether the effect happened */
    TOOL_STEP_UNCERTAIN, /* a person was */
    TOOL_STEP_SAVING,    /* the intent is on its way to the disk */
    TOOL_STEP_CALLING,   /* the tool has the call */
    TOOL_STEP_ASKING,    /* the same, and waits for an answer */
    TOOL_STEP_RESUMING,  /* the answer is there; that it goes on is on its way to the disk */
    TOOL_STEP_ENDED,
};

struct tool_step;

struct tool_step_spec {
    struct tool *tool;      /* a reference is taken, as of arguments */
    struct json *arguments; /* may be NULL */
    struct run *run;        /* NULL: nothing is recorded, and nobody can be asked */
    const char *path;       /* copied; may be NULL without a run */
    int32_t attempt;
    enum effect effect;  /* the tool's, or what the step declares */
    bool records;        /* intends and finishes the step itself; else its owner does */
    bool recovered;      /* it was begun by a process that ended */
    bool was_asking;     /* ... while the tool waited for an answer: it is started again */
    int64_t started_ms;  /* first start, from which a question's time counts; 0: now */
    int64_t deadline_ms; /* the tool is told; its owner stops the step then. 0: none */
    int64_t timeout_ms;  /* of the call, from its start: the step stops by itself. 0: none */
    struct loop *loop;   /* NULL: the owner calls tool_step_poll */
    const struct seams *seams;
    /* Once, perhaps from inside tool_step_start. The step may be freed in it. */
    void (*done)(void *ctx, struct tool_step *s);
    /* It waits for a person's answer, at most until due_ms (0: for ever), or no longer. The step
     * may not be freed in it. May be NULL. */
    void (*asking)(void *ctx, struct tool_step *s, bool asking, int64_t due_ms);
    /* Progress and log lines of the tool. May be NULL. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
};

/* How it ended. Lent until tool_step_free. */
struct tool_step_result {
    enum step_state state; /* ok, error, timeout or cancelled */
    struct json *out;      /* of ok and error: a result's stored form (tool_result.h) */
    const char *error;     /* NULL when ok */
    bool assumed;          /* a person says that it happened; there is no result */
    bool not_retryable;    /* the same arguments would end alike */
    struct error fatal;    /* status set: the store failed, nothing can be said of the call */
};

struct tool_step *tool_step_new(const struct tool_step_spec *spec);
void tool_step_start(struct tool_step *s);
/* Asks for an early end, STEP_CANCELLED or STEP_TIMEOUT, which is how it ends unless the tool has a
 * result yet; `done` follows at the latest after a second, or comes from inside. */
void tool_step_stop(struct tool_step *s, enum step_state why);
/* Looks for answers of other processes; without a loop for deadlines too. */
void tool_step_poll(struct tool_step *s);
/* NULL is fine. One that has not ended is left: `done` never comes. */
void tool_step_free(struct tool_step *s);
bool tool_step_has_ended(const struct tool_step *s);
bool tool_step_is_asking(const struct tool_step *s); /* it waits for a person's answer */
const struct tool_step_result *tool_step_result(const struct tool_step *s); /* after done */

#endif
