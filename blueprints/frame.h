/* frame.h - one step in progress: what the runner_*.c, frame_*.c and node_*.c files share.
 *
 * Frames form a tree on the heap, so that nesting costs no C stack. A queue holds frames that have
 * something to do: begin, or end. The pump takes them one after the other on the loop's thread and
 * is the only place where frames are freed; callbacks of tools, agents and timers only note what
 * came and wake the pump.
 *
 * The journal, per frame: find first, intend before, finish after. Frames that are cancelled
 * because a sibling failed are recorded by the frame where the cancelling began, in the transaction
 * with its own result: until then they count as started, and a crash in between runs them again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_FRAME_H
#define TROUPE_BLUEPRINTS_FRAME_H

#include "blueprints/runner.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

struct frame;

struct node_ops {
    /* Evaluates what the step reads: a new value, which in_hash covers. */
    enum status (*prepare)(struct frame *f, struct json **in, struct error *err);
    /* The attempt begins. Sooner or later frame_end. */
    void (*begin)(struct frame *f);
    /* A child has ended (its value, or why not, is in it) and is freed next. NULL: no children. */
    void (*child_ended)(struct frame *f, struct frame *child);
    /* A leaf is asked to end early; it still calls frame_end. NULL: a container, whose children
     * are asked. */
    void (*cancel)(struct frame *f);
    void (*release)(struct frame *f); /* f->state; NULL: nothing to free */
};
#define KIND(id, word, keys) extern const struct node_ops node_##word##_ops;
#include "blueprints/kinds.def"
#undef KIND

/* A cancelled step whose end is recorded further up. */
struct lost_step {
    struct lost_step *next;
    char *path;
    int32_t attempt;
};

enum frame_event { FRAME_IDLE, FRAME_BEGIN, FRAME_END };

struct frame {
    struct runner *r;
    struct frame *parent; /* NULL: the run itself */
    struct frame *child;  /* the first of a list along next */
    struct frame *next, *prev;
    struct frame *ready_next; /* the queue */
    enum frame_event event;

    const struct node_ops *ops;
    const struct plan_step *step; /* NULL: the run itself */
    const struct plan *plan;      /* whose agents and models are meant */
    char *path;                   /* "" for the run itself */
    int32_t index;                /* in the parent: item, round or branch */
    struct json *vars;            /* the names that this step's own expressions see */
    struct json *inner;           /* those that its children see; NULL: the same */
    int64_t n_items_around;       /* maps and loops around this step */
    int64_t item_around;          /* the index in the innermost of them */

    int32_t attempt;
    int32_t n_again; /* times that this attempt was begun again under its key, after a time-out */
    bool intended;   /* the journal has the intent of this attempt */
    bool recovered;  /* it was begun before and how it ended is not known */
    bool recorded;   /* the end below came from the journal */
    bool hopeless;   /* another attempt would end alike */
    int64_t started_ms;       /* first start of this attempt; wall clock */
    int64_t deadline_ms;      /* wall clock; 0: none. The tightest around */
    struct budget budget;     /* where the step has one */
    struct budget *spends;    /* this one's or the nearest around */
    struct loop_timer *timer; /* time-out of the attempt, or the wait before the next */
    bool cancelled;           /* asked to end by what is around it */
    bool timed_out;           /* asked to end by its own timer */
    bool busy, asking;        /* counted in the runner */
    bool suspended;           /* asks, but nobody here can tell when it is answered */

    struct json *in;
    uint8_t in_hash[16];
    /* How the attempt ended. */
    enum step_state end;
    struct json *out;
    char *error;
    bool error_is_of_child; /* the text names its step already */
    int64_t tok_in, tok_out;
    int64_t spent_steps, spent_calls; /* of the budget, by this attempt */
    /* What the parent sees, set when all is done. */
    bool ok;
    struct json *value;
    struct lost_step *lost;
    struct question *question; /* open, or NULL */
    void *state;               /* the node's */
};

struct role_entry {
    const struct plan *plan;
    const struct plan_agent *agent;
    struct agent_role *role; /* owned; agents hold on to it */
};

struct runner {
    struct runner_host host;
    const struct plan *plan;
    struct run *run;
    runner_done done;
    void *ctx;
    struct json *inputs;
    struct role_entry *role; /* (n_roles) */
    size_t n_roles;
    struct frame *root;
    struct frame *ready_first, *ready_last;
    struct pump *pump; /* a deferred call under way, or NULL */
    struct pump
        *check; /* a question to the store whether it still takes what is written, or NULL */
    bool pumping, ending, told;
    bool spent_more;    /* since the counters were written */
    bool stopped, keep; /* runner_stop, or another process cancelled the run */
    char *time_is_over; /* runner_time_out: its words, else NULL */
    struct error fatal; /* the journal or the blueprint cannot be used: nothing more is written */
    int64_t n_busy, n_asking, n_suspended, n_frames;
    struct budget budget;
    int64_t spent_tokens, spent_steps, spent_calls; /* by steps that have ended */
    int64_t tok_in, tok_out;
    int64_t began_ms, wall_before_ms;
    struct json *open_budgets; /* path -> counters of steps with a budget that are under way */
    struct loop_timer *poll;
    struct loop_tick *tick;
    struct runner_result result;
};

/* ---- frame.c: the tree and the queue */
/* A child of parent for this step; begins when the pump comes to it. */
struct frame *frame_new(struct frame *parent, const struct plan *plan, const struct plan_step *step,
                        const char *path, int32_t index);
void frame_free_tree(struct frame *f);
void frame_enqueue(struct frame *f, enum frame_event event);
/* The attempt has ended. Takes out over. fmt NULL: no words. */
void frame_end(struct frame *f, enum step_state end, struct json *adopt_out, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void frame_end_error(struct frame *f, enum status status, const struct error *err);
/* As the child did. */
void frame_end_like(struct frame *f, const struct frame *child);
/* Asks it and all below to end: frame_end follows, perhaps at once. */
void frame_cancel(struct frame *f);
/* The same because its own time is over: it ends as `timeout`. */
void frame_time_out(struct frame *f);
void frame_set_busy(struct frame *f, bool busy);
void frame_set_asking(struct frame *f, bool asking);
int64_t frame_now(const struct frame *f); /* wall clock, ms */
/* What stands before the names of children: the path, with the attempt when there is one. */
void frame_base(const struct frame *f, struct str *out);
void frame_drop_timer(struct frame *f);

/* ---- frame_journal.c: begin and end with the journal */
void frame_begin(struct frame *f);
void frame_finish(struct frame *f);
/* The effect of this step: declared, or of what is in it. */
enum effect frame_effect(const struct frame *f);

/* The attempt is over with these words; another one begins at once. */
void frame_begin_again(struct frame *f, const char *why);
/* The step waits for an answer. */
void frame_record_waiting(struct frame *f);
/* It waits for one that only a resume can take up. */
void frame_suspend(struct frame *f);

/* ---- frame_vars.c */
struct json *vars_new(const struct json *inputs);
struct json *vars_copy(const struct json *vars);
/* From here on f may bind names, which its children see. Anew at every attempt. */
void frame_open_scope(struct frame *f);
/* state NULL: only the value. */
void frame_bind(struct frame *f, const char *name, struct json *adopt_value, const char *state);
/* v NULL: null. */
MUST_CHECK enum status vars_eval(const struct json *vars, const struct plan_value *v,
                                 struct json **out, struct error *err);
MUST_CHECK enum status vars_eval_bool(const struct frame *f, const struct json *vars,
                                      const struct plan_value *v, const char *what, bool *out,
                                      struct error *err);

/* ---- block.c: steps one after the other */
struct block {
    const struct plan *plan;
    const struct plan_step *step;
    int32_t n, next;
    struct json *last; /* of the step before, owned */
};
/* Opens a scope in f unless there is one, and begins the first step as child of f. */
void block_begin(struct block *b, struct frame *f, const struct plan *plan,
                 const struct plan_step *step, int32_t n);
/* True: the block is over, and b->last is its value; a failed step has ended f already. */
bool block_child_ended(struct block *b, struct frame *f, struct frame *child);
void block_deinit(struct block *b);

/* ---- group.c: steps at once, joined in order */
struct group {
    int32_t n, next, n_active, limit;
    struct json **value; /* (n) */
    bool failed;
    int32_t failed_index;
    enum step_state failed_end;
    char *failed_error;
    struct frame *(*make)(struct frame *f, int32_t i);
};
void group_begin(struct group *g, struct frame *f, int32_t n, int32_t limit,
                 struct frame *(*make)(struct frame *f, int32_t i));
/* True when all are done and none failed: the values are there. Ends f after a failure. */
bool group_child_ended(struct group *g, struct frame *f, struct frame *child);
void group_deinit(struct group *g);

/* ---- runner_roles.c */
MUST_CHECK enum status runner_make_roles(struct runner *r, const struct plan *p, struct error *err);
const struct agent_role *runner_role(const struct runner *r, const struct plan *p,
                                     const struct plan_agent *a);
void runner_free_roles(struct runner *r);

/* ---- runner_budget.c */
void budget_begin(struct frame *f, const struct plan_budget *limits);
/* What an ended attempt has spent, into the counters of the run's row. */
void budget_settle(struct frame *f);
void budget_close(struct frame *f); /* f has ended */
void budget_write(struct runner *r);
void budget_restore(struct runner *r);

/* ---- runner.c */
void runner_wake(struct runner *r);
/* Stops without another word in the journal: resume goes on once the cause is gone. */
void runner_fatal(struct runner *r, const struct error *err);

/* ---- runner_root.c: the frame of the run itself */
void runner_root_new(struct runner *r);

/* ---- node_human.c, for the question about a `once` effect too */
/* Asks under the frame's path; answered is called once with the answer (lent), or with NULL when
 * the deadline passed. */
void question_ask(struct frame *f, const char *kind, struct json *adopt_prompt, int64_t deadline_ms,
                  void (*answered)(struct frame *f, const struct json *answer));
/* Looks whether another process has answered. */
void question_poll(struct frame *f);
void question_poll_all(struct frame *f); /* f and all below */
void question_end(struct frame *f);

#endif
