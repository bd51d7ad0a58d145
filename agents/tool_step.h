/* tool_step.h - one durable tool call: the protocol of agents, blueprints and the CLI.
 *
 * The intent of an `idempotent` or `once` effect is on disk before the effect. A `once` effect that
 * may have happened before a crash is never repeated without asking: first the tool is asked, and
 * if it does not know, a person is (done, repeat, fail), by a question in the store. A tool may ask
 * questions itself during the call. At the deadline the call is cancelled, and abandoned if the
 * tool does not finish: a later result is recorded below the step (PATH/late) and not used.
 *
 * The owner has the object from tool_step_new to tool_step_free. Everything happens on one thread,
 * the loop's or the one that polls.
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
    TOOL_STEP_UNCERTAIN, /* a person was asked */
    TOOL_STEP_SAVING,    /* the intent is being written to disk */
    TOOL_STEP_CALLING,   /* the tool is working */
    TOOL_STEP_ASKING,    /* the tool waits for an answer */
    TOOL_STEP_RESUMING,  /* answered; the intent to continue is being written to disk */
    TOOL_STEP_ENDED,
};

struct tool_step;

struct tool_step_spec {
    struct tool *tool;      /* a reference is taken, as of arguments */
    struct json *arguments; /* may be NULL */
    struct run *run;        /* NULL: nothing is recorded, no questions are possible */
    const char *path;       /* copied; may be NULL without a run */
    int32_t attempt;
    enum effect effect;  /* the tool's, or what the step declares */
    bool records;        /* journals intent and finish itself; else its owner does */
    bool recovered;      /* started by a process that has ended */
    bool was_asking;     /* ... while the tool waited for an answer: start it again */
    int64_t started_ms;  /* first start, from which a question's deadline counts; 0: now */
    int64_t deadline_ms; /* for the tool to read; the owner stops the step then. 0: none */
    int64_t timeout_ms;  /* of the call, from its start: the step stops by itself. 0: none */
    struct loop *loop;   /* NULL: the owner calls tool_step_poll */
    const struct seams *seams;
    /* Called once, perhaps from tool_step_start. The step may be freed in it. */
    void (*done)(void *ctx, struct tool_step *s);
    /* The step starts (or stops) waiting for a person's answer, at most until due_ms (0: no limit).
     * The step must not be freed in it. May be NULL. */
    void (*asking)(void *ctx, struct tool_step *s, bool asking, int64_t due_ms);
    /* Progress and log lines of the tool. May be NULL. */
    void (*note)(void *ctx, const char *text);
    void *ctx;
};

/* The result. Lent until tool_step_free. */
struct tool_step_result {
    enum step_state state; /* ok, error, timeout or cancelled */
    struct json *out;      /* of ok and error: a result's stored form (tool_result.h) */
    const char *error;     /* NULL when ok */
    bool assumed;          /* a person said that it happened; there is no result */
    const char *asks;      /* the journal has it as waiting for this answer; NULL: it does not */
    bool not_retryable;    /* the same arguments would fail again */
    struct error fatal;    /* status set: the store failed, the outcome is unknown */
};

struct tool_step *tool_step_new(const struct tool_step_spec *spec);
void tool_step_start(struct tool_step *s);
/* Stops the step with STEP_CANCELLED or STEP_TIMEOUT, unless the tool still returns a result.
 * `done` is called within a second, perhaps from in here. */
void tool_step_stop(struct tool_step *s, enum step_state why);
/* Checks for answers from other processes, and without a loop for deadlines too. */
void tool_step_poll(struct tool_step *s);
/* NULL is fine. A step that has not ended is abandoned: `done` is never called. */
void tool_step_free(struct tool_step *s);
bool tool_step_has_ended(const struct tool_step *s);
bool tool_step_is_asking(const struct tool_step *s); /* it waits for a person's answer */
const struct tool_step_result *tool_step_result(const struct tool_step *s); /* after done */

#endif
