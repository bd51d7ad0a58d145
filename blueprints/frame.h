/* frame.h - one step in progress: the frame, the tree of frames, the queue of those to handle.
 *
 * Frames form a tree on the heap, so that nesting costs no C stack. The queue holds frames that
 * have something to do: begin, or end. The pump (runner.c) takes them one after the other on the
 * loop's thread and is the only place where frames are freed; callbacks of tools, agents and timers
 * only store the result and wake the pump.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_FRAME_H
#define TROUPE_BLUEPRINTS_FRAME_H

#include "agents/agent.h"
#include "blueprints/plan.h"
#include "blueprints/replay.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

struct frame;

/* What a kind of step does (node_*.c). */
struct node_ops {
    /* Evaluates what the step reads: a new value, which in_hash covers. */
    enum status (*prepare)(struct frame *f, struct json **in, struct error *err);
    /* The attempt begins. Sooner or later frame_end. */
    void (*begin)(struct frame *f);
    /* A child has ended (with its value or error) and is freed next. NULL: a leaf. */
    void (*child_ended)(struct frame *f, struct frame *child);
    /* A leaf is asked to end early; it still calls frame_end. NULL: a container, whose children
     * are asked. */
    void (*cancel)(struct frame *f);
    /* Checks whether the wait is over; called from time to time while it waits. May be NULL. */
    void (*poll)(struct frame *f);
    /* A person who talks with it wants no more of what it is doing; it goes on with the next
     * message. Only while it is working. May be NULL. */
    void (*cut_short)(struct frame *f);
    /* Frees f->node and all that it opened. NULL: nothing to free. */
    void (*release)(struct frame *f);
};

/* Which state may follow which: frame.c. */
enum frame_state {
    FRAME_QUEUED,      /* its attempt begins when the pump comes to it */
    FRAME_BACKOFF,     /* between two attempts; a timer runs */
    FRAME_WORKING,     /* a call, an agent or children are under way */
    FRAME_WAITING,     /* for an answer or a time; a row in the store has which */
    FRAME_HELD,        /* in a replay: it did not end by itself, so the step around it ends it */
    FRAME_STOPPING,    /* was asked to end early; frame_end follows */
    FRAME_ENDED,       /* has the end of the attempt, which the pump records */
    FRAME_INTERRUPTED, /* stopped because the process ends; a resume begins it again */
    FRAME_N_STATES
};

/* Why a frame was asked to end early. A later reason replaces an earlier one. */
enum frame_stop {
    STOP_NONE,
    STOP_TIMEOUT,  /* its own time-out has passed */
    STOP_CANCEL,   /* the step around it ends: this one counts as cancelled */
    STOP_INTERRUPT /* the process ends: the step does not */
};

/* The state of the attempt in the journal. */
enum frame_record {
    RECORD_NONE,
    RECORD_INTENT, /* of this process */
    RECORD_END     /* it ended earlier: nothing is to be done */
};

/* A cancelled step whose end is recorded by the frame where the cancelling began, in the
 * transaction with its own result: until then it counts as started, and a crash in between runs it
 * again. */
struct cancelled_step {
    struct cancelled_step *next;
    char *path;
    int32_t attempt;
};

struct frame_usage {
    int64_t tok_in, tok_out, steps, calls;
    int64_t cost_nano; /* -1: not known */
};

struct frame {
    struct frame_host *host;
    struct frame *parent; /* NULL: the run itself */
    struct frame *child;  /* the first of a list along next */
    struct frame *next, *prev;
    struct frame *ready_next; /* the queue */
    bool is_queued;
    enum frame_state state; /* changes through frame_set_state alone */
    enum frame_stop stop;

    const struct node_ops *ops;
    void *node;                   /* the node's own */
    const struct plan_step *step; /* NULL: the run itself */
    const struct plan *plan;      /* the one that defines its agents and models */
    char *path;                   /* "" for the run itself */
    int32_t index;                /* in the parent: item, round or branch */
    struct json *vars;            /* the names that this step's own expressions see */
    struct json *inner;           /* those that its children see; NULL: the same */
    int64_t n_items_around;       /* maps and loops around this step */
    int64_t item_around;          /* the index in the innermost of them */

    int32_t attempt, first_attempt; /* the first is above 0 if a repair began the step again */
    int32_t n_again; /* times that this attempt was begun again under its key, after a time-out */
    enum frame_record record;
    bool recovered;           /* an earlier process began it, and its end is not recorded */
    bool was_asking;          /* ... and its tool waited for an answer */
    bool had_ended;           /* ... or it ended, and a repair runs it again */
    struct step_record was;   /* that end; owned */
    bool not_retryable;       /* another attempt would end the same way */
    int64_t retry_after_ms;   /* wait at least this long before another attempt; 0: not given */
    int64_t started_ms;       /* first start of this attempt; wall clock */
    int64_t deadline_ms;      /* wall clock; 0: none. The earliest of this step and those around */
    int64_t ends_ms;          /* its own time-out; wall clock; 0: none */
    int64_t due_ms;           /* while waiting: when it ends by itself; 0: never */
    struct budget budget;     /* where the step has one */
    struct budget *spends;    /* this one's or the nearest around */
    struct loop_timer *timer; /* time-out of the attempt, or the wait before the next */
    char *time_words;         /* the message of a time-out; NULL: the default */
    struct json *in;
    uint8_t in_hash[16];

    /* How the attempt ended; STEP_STARTED until then, and when it was interrupted. */
    enum step_state end;
    struct json *out;
    char *error;
    bool error_has_path; /* the text already names its step */
    struct frame_usage used;
    /* What the parent sees; NULL: the step failed. */
    struct json *value;
    struct cancelled_step *cancelled; /* below it, or it itself */
};

/* What all frames of a run share; the runner fills it in and answers. */
struct frame_host_ops {
    void (*wake)(struct frame_host *h); /* there is something in the queue */
    /* The journal cannot be used. The run stops and records nothing more; resume goes on when the
     * cause is removed. */
    void (*fatal)(struct frame_host *h, const struct error *err);
    /* The record does not fit what the blueprint does now. The run stops, its open steps stay as
     * they are, and it ends as `error` with this message: a repair goes on. */
    void (*fail)(struct frame_host *h, const struct error *err);
    void (*on_step)(struct frame_host *h, const struct frame *f, enum step_state state);
    void (*on_text)(struct frame_host *h, const char *path, const char *text, size_t n);
    bool (*wants_text)(struct frame_host *h); /* of the agent that begins */
    const struct agent_role *(*role)(const struct frame_host *h, const struct plan *p,
                                     const struct plan_agent *a);
};
struct frame_host {
    const struct frame_host_ops *ops;
    const struct node_ops *const *nodes; /* by enum plan_kind */
    struct loop *loop;
    const struct seams *seams;
    struct run *run; /* NULL: nothing is done (repair.c) */
    uint64_t seed;   /* of the run */
    struct tool_registry *tools;
    struct agent_host *agents;
    struct run_budget *budget;
    int64_t max_frames;
    bool broken;  /* fatal was called: nothing more is recorded */
    bool at_once; /* every item of a `map` begins at once: nothing is done (repair.c) */
    const struct json *repair;   /* decisions of a repair (step_judge.c), or NULL; lent */
    int64_t repaired_ms;         /* when the run was last repaired; wall clock; 0: never */
    const struct replay *replay; /* the record that it replays, or NULL; lent */
    /* The run was waiting, so the clocks of its waits and of the limits around them went on. */
    bool was_waiting;
    /* frame.c's own. */
    struct frame *ready_first, *ready_last;
    int64_t n_frames; /* made so far */
    /* How many are in each state; WORKING and STOPPING count only leaves. */
    int64_t n_in[FRAME_N_STATES];
};

/* A child of parent for this step; begins when the pump comes to it. */
struct frame *frame_new(struct frame *parent, const struct plan *plan, const struct plan_step *step,
                        const char *path, int32_t index);
/* The frame of the run itself, WORKING; its ops are the caller's. */
struct frame *frame_new_root(struct frame_host *h, const struct plan *plan,
                             const struct node_ops *ops);
void frame_free_tree(struct frame *f);
/* Removes the first of the queue; NULL if it is empty. */
struct frame *frame_take_ready(struct frame_host *h);

/* The attempt has ended. fmt NULL: no message. After frame_interrupt only an ok end counts; any
 * other becomes interrupted. Ignored if the attempt has ended already. */
void frame_end(struct frame *f, enum step_state end, struct json *adopt_out, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void frame_end_error(struct frame *f, enum status status, const struct error *err);
/* As the child did. */
void frame_end_like(struct frame *f, const struct frame *child);

/* These ask f and all frames below it to end; frame_end follows, maybe at once. */
void frame_cancel(struct frame *f);
void frame_time_out(struct frame *f); /* its time-out has passed: it ends as `timeout` */
/* The same, with this message; NULL: the default. */
void frame_time_out_as(struct frame *f, const char *words);
void frame_interrupt(struct frame *f);
void frame_interrupt_all(struct frame *f); /* the run of f */
bool frame_is_stopping(const struct frame *f);

void frame_set_state(struct frame *f, enum frame_state state);
/* Into the queue, to begin its attempt. */
void frame_enqueue_begin(struct frame *f);
void frame_drop_timer(struct frame *f);
void frame_fatal(struct frame *f, const struct error *err);
/* The record of f does not fit: the run ends as `error`. Adds what to do to err. */
void frame_misfit(struct frame *f, const struct error *err);
int64_t frame_now(const struct frame *f); /* wall clock, ms */
/* The prefix of the paths of children: its own path, with the attempt if it is above 0. */
void frame_base(const struct frame *f, struct str *out);
bool frame_is_leaf(const struct frame *f);
/* The end of this attempt (or of the run) in the run that is replayed; NULL: none, or not a replay.
 */
const struct replay_end *frame_replayed(const struct frame *f);
/* A loop whose `until` never held. It ended ok, and only its message records it. */
bool frame_is_exhausted(const struct frame *f);
/* The end of the step as expressions see it; "length" for an answer that was cut, ok or not. */
const char *frame_state_word(const struct frame *f);

#endif
