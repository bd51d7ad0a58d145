/* agent.h - an agent at work: perceive, reason, act, as a state machine.
 *
 * agent_start begins; everything else happens in callbacks on the loop's thread (or on the
 * driver's, for episodes): a model call returns, a tool call finishes. One struct agent is one
 * conversation; thousands run at once. Each model call is a step `turn:n/model:k`, each tool call a
 * step `turn:n/tool:k:name`. Steps are journaled if the scope has a run, and recorded into an
 * episode (rollout.h) if the task has a record.
 *
 * perceive: render what is new since the last call into delta ids (or messages); reason: one model
 * call; act: run the tool calls of its reply in order.
 *
 * A wrong call by the model gets an error as its result, and the model goes on. If a model or a
 * tool itself fails (timeout, server error), the agent ends with that state.
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
/* How the error message of a truncated answer begins. */
#define AGENT_CUT "length: "

struct agent_host;     /* shared by all agents of a process: loop, models' reply box, registry */
struct rollout_writer; /* rollout.h */

struct agent_role {
    const char *name;   /* "planner" */
    const char *prompt; /* system text; may be NULL */
    struct model *model;
    struct tool **tools; /* (n_tools) lent; what this role may call */
    int32_t n_tools;
    struct sampling sampling;
    int32_t max_reply_tokens; /* 0: 512, or the environment's */
    /* Majority vote: samples of each call; the most frequent reply wins (ties: the first). 0 or 1:
     * no vote. Only for models that take ids. */
    int32_t votes;
};

/* Observes an environment during an episode, for credit assignment and timing. Nothing from it
 * reaches a prompt. */
struct env_watch {
    void *ctx;
    /* Called when the instance is created (fx NULL) and after every call on it; may be NULL. */
    void (*on_event)(void *ctx, const struct env *e, const struct env_effect *fx);
    int64_t env_us; /* spent in calls on it */
};

/* Everything that is pointed to is lent until done. */
struct agent_task {
    const struct agent_role *role;
    struct scope scope;
    const struct json *input; /* what the user or the blueprint asks; may be NULL with an env */
    /* Earlier messages of the conversation, before the input: a list of {"role": "user" or
     * "assistant", "content": text}; NULL: none. Not with an environment. */
    const struct json *history;
    const struct json *schema;     /* the answer must fit; NULL: any text */
    bool may_be_cut;               /* a truncated answer (max_tokens) is accepted; else an error */
    int32_t max_model_calls;       /* 0: no limit but the budget's */
    const struct env_ops *env_ops; /* NULL: no environment */
    struct env_params env_params;
    struct rollout_writer *record; /* NULL: none; else begun by the caller */
    /* A talk with a person: after each answer the agent asks for the next message (turn_talk.c). An
     * empty one ends it, with the last answer. A failed model call does not: the message is taken
     * back, and the agent asks again. The limit of model calls counts from the last message. Needs
     * a run; not with an environment, a schema or a record. */
    bool talks;
    struct env_watch *watch; /* NULL: no observer */
    /* With done's ctx: streamed text of the model call at `path`. NULL: no streaming. */
    void (*on_text)(void *ctx, const char *path, const char *text, size_t n);
    /* With done's ctx: a call starts (or stops) waiting for a person's answer, at most until due_ms
     * (0: no limit); agent_poll checks for the answer. NULL: an agent that must wait ends with
     * STEP_WAITING. */
    void (*on_asking)(void *ctx, bool asking, int64_t due_ms);
};

struct agent_result {
    enum step_state state; /* also ok if the verdict is a failure */
    /* STATUS_CONFIG: the replay differs from the record; nothing may be recorded. */
    struct error err;
    bool not_retryable;     /* of an error: another try would fail again */
    int64_t retry_after_ms; /* of an error: the least time to wait; 0: not given */
    int64_t cut_at;         /* tokens of a truncated answer; 0: it is complete */
    struct json *output;    /* the answer, or {"verdict": {...}} with an environment; lent until
                             * done returns (jv_ref it to keep it); NULL unless ok */
    bool has_verdict;
    struct env_verdict verdict;
    int64_t turns, calls, tok_in, tok_out;
    int64_t cost_nano; /* of the model calls, 1e-9 dollars; -1: the price of one is not known */
};

struct agent;
/* The last callback of an agent: it may be freed in here. */
typedef void (*agent_done)(void *ctx, struct agent *a, const struct agent_result *r);

/* Resumes by itself: finished steps come from the journal, environment calls are replayed, and the
 * first open step continues. done is never called from in here, but from the loop's next turn (or
 * from agent_host_poll). */
MUST_CHECK enum status agent_start(struct agent_host *h, const struct agent_task *t,
                                   agent_done done, void *ctx, struct agent **out,
                                   struct error *err);
/* Both still call done, but not from in here. agent_cancel: with STEP_CANCELLED. agent_interrupt,
 * for a process that ends: with STEP_STARTED; nothing more is recorded, and a resume continues. */
void agent_cancel(struct agent *a);
void agent_interrupt(struct agent *a);
/* Of a talk: ends what the agent is doing for the last message, and it asks for the next one. A
 * reply stays as far as it came; its tool calls get an error as their result. Nothing happens
 * while it asks, and to other agents. */
void agent_cut_short(struct agent *a);
/* Checks for an answer that another process gave. */
void agent_poll(struct agent *a);
/* After done, in done, or while the agent waits for an answer; NULL is fine. */
void agent_free(struct agent *a);

struct agent_host_options {
    struct loop *loop;              /* NULL: a driver drains with agent_host_poll */
    struct tool_registry *registry; /* NULL: only an environment's tools */
    const struct seams *seams;
    /* Not 0 once the process was asked to end: looked at while a template is rendered, where the
     * loop cannot call agent_interrupt. May be NULL. */
    const volatile int *interrupted;
};
MUST_CHECK enum status agent_host_new(const struct agent_host_options *o, struct agent_host **out,
                                      struct error *err);
void agent_host_free(struct agent_host *h); /* after all agents, before the loop */
/* Driver without a loop: waits up to timeout_ms, then handles the replies that arrived. */
void agent_host_poll(struct agent_host *h, int64_t timeout_ms);

#endif
