/* agent_state.h - struct agent and its host, for the files of agents/ that drive them.
 *
 * Everything here belongs to one thread: the loop's, or the driver's that polls the host. Only
 * on_token and on_text (agent_stream.c) run on the model's thread; they touch nothing but `stream`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_AGENT_STATE_H
#define TROUPE_AGENTS_AGENT_STATE_H

#include "agents/agent.h"
#include "agents/codec.h"
#include "agents/reply_feed.h"
#include "agents/rollout.h"
#include "agents/tool_step.h"
#include "models/formats/token_ids.h"
#include "models/formats/tokenizer.h"

#define AGENT_REPLY_TOKENS 512 /* unless the role or the environment sets it */

struct chat_cache; /* chat_cache.h */
struct chat_call;

/* Who gets a model's reply: the `caller` of each call whose reply comes to the host. */
struct reply_taker {
    void (*take)(struct agent_host *h, struct model_call *c);
};

struct agent_host {
    struct agent_host_options o;
    struct loop_box *box, *stream_box; /* with a loop */
    struct mailbox *reply, *stream;    /* theirs, or the driver's own */
    struct reply_taker agent_takes, chat_call_takes;
    struct agent *all;                /* doubly linked */
    struct chat_call *calls;          /* the same */
    struct agent *ready, *ready_last; /* to be advanced at the next turn or poll */
    int32_t n_ready;
    bool pumping_due;         /* a deferred call is on its way */
    void (*pump)(void *host); /* that call */
    int64_t next_sweep_ms;    /* driver: when deadlines are looked at again */
    struct chat_cache *chats;
    struct tokenizer_scratch *scratch; /* of the thread that owns the host */
};

enum agent_state {
    AGENT_BEGIN,     /* nothing done yet */
    AGENT_PERCEIVE,  /* next: build the prompt */
    AGENT_REASON,    /* the prompt is ready; next: call the model */
    AGENT_REASONING, /* waits for the model */
    AGENT_ACT,       /* pending[at] is next */
    AGENT_ACTING,    /* waits for `step` */
    AGENT_LISTENING, /* of a talk: waits for the next message */
    AGENT_END,       /* the result is ready; next: call done */
    AGENT_OVER,      /* done was called */
};

/* In the order in which one replaces another. */
enum agent_stop {
    AGENT_STOP_NONE,
    AGENT_STOP_TIMEOUT,
    AGENT_STOP_CANCEL,
    AGENT_STOP_INTERRUPT, /* the process ends; a resume continues the agent */
};

/* One call of a reply. */
struct pending_call {
    bool is_env;
    struct env_call env;    /* of the environment's tools */
    struct tool *tool;      /* others */
    const char *name;       /* lent by the codec until the next reply */
    const char *id;         /* the same: the model's own; NULL: it gave none */
    struct json *arguments; /* owned; NULL in the compact codec */
    char *error;            /* owned: the message for the model; nothing is executed */
    bool unreadable;        /* not a call at all: answered with a user message */
};

/* Tokens or text for on_text: written by the model's thread, read by ours. */
struct agent_stream {
    struct reply_feed feed;
    int32_t n_shown;
    struct token_stream text;
    size_t n_shown_bytes; /* of a model that gives text */
    struct str said;      /* the same: what a talk has shown of the reply */
};

/* ---- turn_vote.c: several samples of one call */
struct vote_sample {
    int32_t *ids;
    float *logp, *logp_sampled;
    int32_t n_ids, n_votes;
    enum model_finish finish;
};
struct agent_vote {
    struct vote_sample *sample; /* (n_different) */
    int32_t n_different, n_asked;
    int64_t n_ids; /* of all samples */
};

/* ---- turn_talk.c: an agent that talks with a person */
struct agent_talk {
    int64_t turn;              /* at which the last message was heard */
    bool cut;                  /* the person cut the work on it short */
    char *failed;              /* why there is no answer to it; NULL: nothing failed */
    struct question *question; /* while listening */
    struct json *heard;        /* the next message; NULL: not yet */
    struct error broken;       /* of the question: the store could not be read */
};

struct agent {
    struct agent_host *host;
    struct agent *prev, *next; /* all */
    struct agent *ready_prev, *ready_next;
    bool is_ready, advancing;
    struct agent_task task;
    agent_done done;
    void *ctx;
    const struct codec *codec;
    void *codec_state;
    enum agent_state state;
    enum agent_stop stop; /* why it was asked to end */
    int64_t deadline_ms;  /* the tightest; 0: none */
    struct loop_timer *timer;

    struct env *env;
    bool env_over; /* done, or capped */
    bool restart;  /* the context restarts with the latest text */

    /* ---- the conversation */
    int64_t turn;
    struct token_ids chain; /* ids of this chain: all prompts and replies so far */
    int32_t prefix_len;     /* of the chain, before this call's delta */
    int32_t session_len;    /* positions of the chain that the session has */
    int32_t n_unsaid;       /* ids of the reply that it lacks: another sample won */
    bool new_chain;         /* this call's record has no parent */
    struct str path;        /* of the current step, if wants_paths */
    struct str parent;      /* path of the model call before */
    struct str base;        /* scratch: path of the turn */
    bool wants_paths;
    uint64_t call_base;

    /* ---- reasoning */
    struct model_session *session;
    struct model_call call;
    bool in_flight;
    int32_t reply_cap;     /* of ids, logp, logp_sampled */
    int64_t reserved;      /* tokens in the budget for the call in flight */
    int64_t reserved_nano; /* the same for its cost */
    struct agent_stream stream;
    struct str reply_text; /* decoded */
    struct agent_vote vote;
    struct agent_talk talk; /* if the task talks */

    /* ---- acting */
    struct pending_call *pending;
    int32_t n_pending, pending_cap, at;
    struct tool_step *step; /* the call under way, or NULL */
    bool step_done;
    bool asks;           /* it waits for a person's answer */
    struct str feed;     /* compact: the environment's text since the last call */
    struct json *answer; /* the final one, without an environment */

    struct agent_result result;
};

/* agent_stream.c */
void agent_stream_flush(struct agent *a); /* shows the pending text, then ends it */
void agent_stream_show(struct reply_feed *f);
void agent_on_token(struct model_call *c, int32_t id, float logp);
void agent_on_text(struct model_call *c, const char *text, size_t n);

/* agent_state.c */
void agent_make_ready(struct agent *a);
void agent_not_ready(struct agent *a);
int64_t agent_now_ms(const struct agent *a);
void agent_set_state(struct agent *a, enum agent_state to); /* asserts that it may follow */
/* Was the call at a->path given up for good, so that its step has ended as cancelled? Not when the
 * process ends. *words: why. A resume of the agent makes the call again. */
bool agent_gave_up(const struct agent *a, const char **words);
/* Ends the agent; err may be NULL. Always returns false: there is nothing more to do. */
bool agent_end(struct agent *a, enum status st, const struct error *err);
/* Room for one more call of a reply, zeroed; the list is emptied by pending_clear. */
struct pending_call *pending_add(struct agent *a);
void pending_clear(struct agent *a);

/* agent.c */
/* A later reason replaces an earlier one. */
void agent_stop(struct agent *a, enum agent_stop why);

/* turn.c */
void agent_advance(struct agent *a);

/* chat_call.c */
void chat_call_take_reply(struct agent_host *h, struct model_call *c);
void chat_calls_sweep(struct agent_host *h, int64_t now_ms); /* driver: stops those that are late */

void vote_clear(struct agent_vote *v); /* keeps its memory for the next call */

#endif
