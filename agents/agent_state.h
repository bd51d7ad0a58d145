/* agent_state.h - struct agent and its host, for the files of agents/ that drive them.
 *
 * Everything here belongs to one thread: the loop's, or the driver's that polls the host. Only
 * on_token (agent_host.c) runs on the model's thread; it touches nothing but `stream`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_AGENT_STATE_H
#define TROUPE_AGENTS_AGENT_STATE_H

#include <stdatomic.h>

#include "agents/codec.h"
#include "agents/rollout.h"
#include "agents/tool_step.h"
#include "agents/turn.h"
#include "models/formats/token_ids.h"
#include "models/formats/tokenizer.h"

#define AGENT_REPLY_TOKENS 512 /* when neither role nor environment say */

struct chat_cache; /* codec_json.c: a model's template, parsed once */

struct agent_host {
    struct agent_host_options o;
    struct loop_box *box, *stream_box; /* with a loop */
    struct mailbox *reply, *stream;    /* theirs, or the driver's own */
    struct agent *all;                 /* doubly linked */
    struct agent *ready, *ready_last;  /* to be advanced at the next turn or poll */
    int32_t n_ready;
    bool pumping_due;      /* a deferred call is on its way */
    int64_t next_sweep_ms; /* driver: when deadlines are looked at again */
    struct chat_cache *chats;
    struct tokenizer_scratch *scratch; /* of the thread that owns the host */
};

enum agent_state {
    AGENT_BEGIN,     /* nothing was done yet */
    AGENT_PERCEIVE,  /* to build the next prompt */
    AGENT_REASON,    /* the prompt stands; to call the model */
    AGENT_REASONING, /* waits for the model */
    AGENT_ACT,       /* pending[at] is next */
    AGENT_ACTING,    /* waits for `step` */
    AGENT_END,       /* result stands; done is due */
    AGENT_OVER,      /* done was called */
};

/* One call of a reply. */
struct pending_call {
    bool is_env;
    struct env_call env;    /* of the environment's tools */
    struct tool *tool;      /* others */
    const char *name;       /* lent by the codec until the next reply */
    struct json *arguments; /* owned; NULL in the compact codec */
    char *error;            /* owned: words for the model; nothing is executed */
    bool unreadable;        /* not even a call: answered as a user would */
};

/* Tokens on their way to on_text: written by the model's thread, read by ours. */
struct agent_stream {
    struct mail mail;
    _Atomic bool posted;
    _Atomic int32_t n; /* of `id` that stand */
    int32_t *id;       /* (reply_cap) */
    int32_t n_shown;
    struct token_stream text;
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
    bool cancelled, timed_out;
    bool stopped;        /* what was in flight when it was cancelled or timed out was told so */
    int64_t deadline_ms; /* the tightest; 0: none */
    struct loop_timer *timer;

    struct env *env;
    bool env_over; /* done, or capped */
    bool restart;  /* the context begins anew with what came last */

    /* ---- the conversation */
    int64_t turn;
    struct token_ids chain; /* ids of this chain: all prompts and replies so far */
    int32_t prefix_len;     /* of the chain, before this call's delta */
    int32_t session_len;    /* positions of the chain that the session has */
    int32_t n_unsaid;       /* ids of the reply that it has not: another sample won */
    bool new_chain;         /* this call's record has no parent */
    struct str path;        /* of the step at hand, when somebody wants it */
    struct str parent;      /* path of the model call before */
    struct str base;        /* scratch: path of the turn */
    bool wants_paths;
    uint64_t call_base;

    /* ---- reasoning */
    struct model_session *session;
    struct model_call call;
    bool in_flight, answered;
    int32_t reply_cap; /* of ids, logp, logp_sampled */
    int64_t reserved;  /* tokens in the budget for the call in flight */
    struct agent_stream stream;
    struct str reply_text; /* decoded */
    struct agent_vote vote;

    /* ---- acting */
    struct pending_call *pending;
    int32_t n_pending, pending_cap, at;
    struct tool_step *step; /* the call under way, or NULL */
    bool step_done;
    bool asks;           /* it waits for a person's answer */
    struct str feed;     /* compact: what the environment said since the last call */
    struct json *answer; /* the final one, when there is no environment */

    struct agent_result result;
};

/* agent_host.c */
void agent_make_ready(struct agent *a);
void agent_not_ready(struct agent *a);
void agent_stream_flush(struct agent *a); /* shows what is there, then ends the text */
void agent_on_token(struct model_call *c, int32_t id, float logp);
int64_t agent_now_ms(const struct agent *a);

/* turn.c */
void agent_advance(struct agent *a);
/* Ends the agent; err may be NULL. Always false: nothing more to do in this state. */
bool agent_end(struct agent *a, enum status st, const struct error *err);
/* path/turn:n of the current turn into a->base. */
void agent_turn_path(struct agent *a);

/* turn_perceive.c, turn_reason.c, turn_act.c: one move; false when there is nothing to do before
 * something arrives (or the agent ended). */
bool turn_perceive(struct agent *a);
bool turn_reason(struct agent *a);
bool turn_reasoning(struct agent *a);
bool turn_act(struct agent *a);
bool turn_acting(struct agent *a);
void turn_drop_step(struct agent *a); /* the call under way, if there is one, is left */

/* Counts the reply in a->call; *more: it is to be asked for once again. */
MUST_CHECK enum status vote_count(struct agent *a, bool *more, struct error *err);
/* The call id of the next sample. */
uint64_t vote_call_id(const struct agent *a, uint64_t call_id);
/* The winner becomes a->call's reply. Returns how many of its ids the session does not have. */
int32_t vote_decide(struct agent *a);
void vote_clear(struct agent_vote *v); /* keeps its memory for the next call */

/* Room for one more call of a reply, zeroed; the list is emptied by pending_clear. */
struct pending_call *pending_add(struct agent *a);
void pending_clear(struct agent *a);

#endif
