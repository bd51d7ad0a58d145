/* agent.h - an agent at work: perceive, reason, act, as a state machine.
 *
 * agent_start begins; everything else happens in callbacks on the loop's thread (or on the
 * driver's, for episodes): a model call that answers, a tool call that finishes. One struct agent
 * is one conversation; thousands run at once. Each model call is a step `turn:n/model:k`, each tool
 * call a step `turn:n/tool:k:name`, journaled when the scope has a run, recorded into an episode
 * (rollout.h) when the task has a record.
 *
 * perceive: render what came since the last call into delta ids (or messages); reason: one model
 * call; act: the tool calls of its reply, one after the other in the order given.
 *
 * A call that the model got wrong is answered to the model. A model or tool that fails by itself
 * (time-out, server error) ends the agent with that state.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_AGENT_H
#define TROUPE_AGENTS_AGENT_H

#include "agents/scope.h"
#include "models/model.h"
#include "runtime/loop/loop.h"
#include "tools/environments/environment.h"
#include "tools/registry.h"

/* The limit of agents that have neither an environment nor a budget. */
#define AGENT_MAX_MODEL_CALLS 25
/* What the words of an answer that was cut begin with. */
#define AGENT_CUT "length: "

struct agent_host;     /* what all agents of a process share: loop, models' reply box, registry */
struct rollout_writer; /* rollout.h */

struct agent_role {
    const char *name;   /* "planner" */
    const char *prompt; /* system text; may be NULL */
    struct model *model;
    struct tool **tools; /* (n_tools) lent; what this role may call */
    int32_t n_tools;
    struct sampling sampling;
    int32_t max_reply_tokens; /* 0: 512, or the environment's */
    /* Samples of each call, of which the most frequent reply counts (ties: the first); 0 or 1: no
     * vote. Only for models that take ids. */
    int32_t votes;
};

/* Looks on while an environment is played: for credit and clocks. What it learns reaches no
 * prompt. */
struct env_watch {
    void *ctx;
    /* When the instance was made (fx NULL) and after every call on it; may be NULL. */
    void (*saw)(void *ctx, const struct env *e, const struct env_effect *fx);
    int64_t env_us; /* spent in calls on it */
};

/* Everything that is pointed to is lent until done. */
struct agent_task {
    const struct agent_role *role;
    struct scope scope;
    const struct json *input;  /* what the user or the blueprint asks; may be NULL with an env */
    const struct json *schema; /* the answer must fit; NULL: any text */
    bool may_be_cut;           /* an answer that ends at max_tokens is one; else an error */
    int32_t max_model_calls;   /* 0: no limit but the budget's */
    const struct env_ops *env_ops; /* NULL: no environment */
    struct env_params env_params;
    struct rollout_writer *record; /* NULL: none; else begun by the caller */
    struct env_watch *watch;       /* NULL: nobody looks on */
    /* With done's ctx: provisional text of the model call at `path`. NULL: nobody listens. */
    void (*on_text)(void *ctx, const char *path, const char *text, size_t n);
    /* With done's ctx: a call waits for a person's answer, at most until due_ms (0: for ever), or
     * no longer; agent_poll looks whether it is there. NULL: an agent that has to wait ends with
     * STEP_WAITING. */
    void (*on_asking)(void *ctx, bool asking, int64_t due_ms);
};

struct agent_result {
    enum step_state state; /* ok also when the verdict is a failure */
    /* STATUS_CONFIG: what is recorded does not fit what comes out now; nothing may be recorded. */
    struct error err;
    bool not_retryable;     /* of an error: another try would end alike */
    int64_t retry_after_ms; /* of an error: how long to wait at least; 0: not said */
    int64_t cut_at;         /* the answer ended at max_tokens, after so many; 0: it was whole */
    struct json *output;    /* the answer, or {"verdict": {...}} with an environment; lent for the
                             * call of done (jv_ref it to keep it); NULL unless ok */
    bool has_verdict;
    struct env_verdict verdict;
    int64_t turns, calls, tok_in, tok_out;
};

struct agent;
/* The last thing that happens to an agent: it may be freed in here. */
typedef void (*agent_done)(void *ctx, struct agent *a, const struct agent_result *r);

/* Resumes by itself: steps that the journal has are taken from there, environment calls are
 * replayed, and the first open step goes on. done is never called from in here, but from the
 * loop's next turn (or agent_host_poll). */
MUST_CHECK enum status agent_start(struct agent_host *h, const struct agent_task *t,
                                   agent_done done, void *ctx, struct agent **out,
                                   struct error *err);
/* Both still call done, but not from in here: with STEP_CANCELLED, or because the process ends with
 * STEP_STARTED, which is no end: nothing more is recorded, and a resume goes on. */
void agent_cancel(struct agent *a);
void agent_interrupt(struct agent *a);
/* Looks for an answer that another process gave. */
void agent_poll(struct agent *a);
/* After done, in it, or while it waits for an answer; NULL is fine. */
void agent_free(struct agent *a);

struct agent_host_options {
    struct loop *loop;              /* NULL: a driver drains with agent_host_poll */
    struct tool_registry *registry; /* NULL: no tools beside an environment's */
    const struct seams *seams;
};
MUST_CHECK enum status agent_host_new(const struct agent_host_options *o, struct agent_host **out,
                                      struct error *err);
void agent_host_free(struct agent_host *h); /* all agents freed; before the loop */
/* Driver without a loop: waits up to timeout_ms and handles the replies that are there. */
void agent_host_poll(struct agent_host *h, int64_t timeout_ms);

#endif
