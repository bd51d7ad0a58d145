/* model.h - the interface between agents and models: engine, remote server or script.
 *
 * A session is the sequence of one conversation. A call appends ids to it and samples a reply. The
 * request owns its mail node. The caller owns every buffer and lends it until the call is done. The
 * answer is posted to `reply` and handled on the thread that drains it. A model that `takes_ids`
 * gets exact token ids (token in, token out). Other models get messages and return text.
 *
 * A session and its calls are used from one thread at a time (a loop's, or a driver's); sessions of
 * one model may belong to different threads. A reply is posted from any thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_MODEL_H
#define TROUPE_MODELS_MODEL_H

#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/mailbox.h"
#include "runtime/base/status.h"
#include "runtime/base/trace_context.h"

struct tokenizer; /* models/formats/tokenizer.h */

enum model_finish {
    FINISH_NONE,   /* not ended */
    FINISH_STOP,   /* a stop token or stop string */
    FINISH_LENGTH, /* max_tokens or the context is full */
    FINISH_CANCELLED,
    FINISH_ERROR,
};
const char *model_finish_name(enum model_finish f); /* "stop", "length", ... */

/* Whose fault a failed call is, where it is not this process that failed. */
enum model_fault {
    MODEL_FAULT_NONE,    /* of this process, or not known: the status says what failed */
    MODEL_FAULT_PROMPT,  /* the prompt does not fit the server's context */
    MODEL_FAULT_REQUEST, /* the server refused what the request asks for */
    MODEL_FAULT_FILTER,  /* the server's content filter */
    MODEL_FAULT_RATE,    /* the server takes no more requests now */
    MODEL_FAULT_SETUP,   /* how this process is set up: key, account, address, name of the model */
    MODEL_FAULT_ANSWER,  /* the server failed, or sent something else than an answer */
    MODEL_FAULT_DOWN,    /* the server cannot be reached, is overloaded, or is not asked now */
    MODEL_FAULT_LATE,    /* the server took too long */
    MODEL_FAULT_N
};

#define SAMPLING_MAX_BIAS 64
struct sampling {
    float temperature;        /* 0: greedy */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    int32_t top_k;            /* 0: off */
    float repetition_penalty; /* 1: off; over prompt and reply */
    int32_t n_bias;
    const int32_t *bias_id; /* (n_bias) lent */
    const float *bias;
};
#define SAMPLING_DEFAULT                                                                           \
    ((struct sampling){.temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f})

struct model;
struct model_session;

/* Tokens of one call. */
struct model_usage {
    int32_t prompt;     /* read: cached or computed */
    int32_t cached;     /* of the prompt, served from pages */
    int32_t completion; /* sampled, reasoning included */
    int32_t reasoning;  /* of the completion */
    bool estimated;     /* the model does not count tokens: model_usage_estimate */
    int64_t cost_nano;  /* 1e-9 dollars; 0: free; -1: not known */
};
/* For models that return only text: a quarter of the bytes, rounded up, of all messages (their
 * content and calls), of the tools and of the reply. */
struct model_usage model_usage_estimate(const struct json *messages, const struct json *tools,
                                        const char *text, const struct json *tool_calls);

struct model_call {
    struct mail mail;      /* first: the reply is this mail */
    struct mailbox *reply; /* where it is posted when done */
    /* ---- request */
    struct model_session *session;
    int32_t keep;         /* positions of the session to keep: the prefix length */
    const int32_t *delta; /* ids appended after `keep`; lent until done */
    int32_t n_delta;
    const struct json *messages, *tools; /* for models that take messages */
    const char *path;                    /* of the step: the scripted model chooses by it */
    const char *run;                     /* its id, for messages; lent. NULL: none */
    uint64_t seed, call_id;              /* Philox key and counter with the position */
    struct sampling sampling;
    int32_t max_tokens;
    const int32_t *stop_id; /* in addition to the model's own end ids */
    int32_t n_stop_id;
    const char *const *stop_text; /* the reply ends with it; kept in ids, cut from text */
    int32_t n_stop_text;
    int32_t priority;           /* higher first; live runs above training */
    int64_t deadline_ms;        /* the caller cancels then; some models forward it. 0: none */
    struct trace_context trace; /* the span of the call; a remote model forwards it. Unset: none */
    /* A model that lacks one of these answers STATUS_UNSUPPORTED and names it. */
    const struct json *response_schema; /* the text must fit; NULL: any */
    const char *tool_choice;            /* NULL: the model's; "none", "required" or a tool's name */
    /* Called on the model's thread with each new token when not NULL; must only copy and post. */
    void (*on_token)(struct model_call *c, int32_t id, float logp);
    /* The same for models that return text: called with each new part of it. A model may also give
     * only the whole text, in its answer. */
    void (*on_text)(struct model_call *c, const char *text, size_t n);
    /* ---- answer */
    enum status status;
    struct error err;
    enum model_finish finish;
    int32_t *ids;        /* (cap) the caller's buffers, at least max_tokens each */
    float *logp;         /* full vocabulary at the sampling temperature (at 1 when greedy) */
    float *logp_sampled; /* after processors; only meaningful when `processed` */
    int32_t n_ids;
    bool processed;          /* a processor changed the distribution of some token */
    char *text;              /* models that give text: malloc'd, the caller frees */
    char *reasoning;         /* the same: reasoning that is not part of the text; or NULL */
    struct json *tool_calls; /* the same: [{name, arguments, id?}], new reference or NULL;
                                arguments that are not an object are a string with their text */
    int32_t *prompt_ids;     /* (n_prompt_ids) the same: of the whole prompt, from a model that
                                gives_ids, together with ids and logp; or NULL */
    int32_t n_prompt_ids;
    int64_t policy_version;
    struct model_usage usage;
    enum model_fault fault;               /* of an error */
    bool not_retryable;                   /* of an error: the same call would fail again */
    int64_t retry_after_ms;               /* of an error: the shortest wait; 0: not given */
    int32_t requests;                     /* of a remote model: sent for this call */
    int64_t queued_us, first_us, done_us; /* durations since the start of the call */
    void *caller;                         /* the caller's context */
    void *state;                          /* the model's, while it runs */
    bool cancelled;
};

struct model_info {
    const char *name;    /* as given with --model */
    const char *kind;    /* "engine", "script", "remote" */
    const char *codec;   /* from config.json "troupe".codec; NULL: JSON tool calls */
    const char *backend; /* "cpu-avx512" or NULL */
    bool takes_ids;
    bool gives_ids;    /* of a text model: an answer may have ids; the caller brings buffers */
    bool takes_schema; /* of a text model: response_schema is more than checked */
    /* Dollars for a million tokens; 0: free; below 0: not known. */
    double price_input, price_cached, price_output;
    struct sha256 hash;
    int32_t context, vocab;
    const struct tokenizer *tokenizer; /* NULL for text models */
    const char *chat_template;         /* NULL: the default */
    const char *bos_token, *eos_token; /* what the template calls so; NULL: empty */
    const int32_t *eos_id;
    int32_t n_eos;
};

/* Does it answer messages? One that was trained on environments knows only their calls. */
bool model_chats(const struct model_info *m);
/* The error of a task that needs a model that does: STATUS_CONFIG, with a hint. */
enum status model_chats_not(const char *name, struct error *err);

struct model_session_options {
    const char *adapter; /* a small change of the weights, by name; NULL: none */
};

struct model_ops {
    /* o NULL: all defaults. STATUS_UNSUPPORTED names an option that the model lacks. */
    MUST_CHECK enum status (*session_open)(struct model *m, const struct model_session_options *o,
                                           struct model_session **out, struct error *err);
    /* A second session with the same positions, which shares the pages. */
    MUST_CHECK enum status (*session_fork)(struct model *m, struct model_session *from,
                                           struct model_session **out, struct error *err);
    void (*session_close)(struct model *m, struct model_session *s); /* no call in flight */
    void (*start)(struct model *m, struct model_call *c);  /* never fails: it answers an error */
    void (*cancel)(struct model *m, struct model_call *c); /* still answers */
    void (*close)(struct model *m);
};

struct model {
    const struct model_ops *ops;
    struct model_info info;
};

/* In the record of a reply that had a cost: 1e-9 dollars, which a later price does not change. */
#define MODEL_COST_KEY "cost_nano"
/* The same of a reply that took more than one request: how many. */
#define MODEL_REQUESTS_KEY "requests"

/* What these tokens cost, in 1e-9 dollars, rounded up; -1: the price is not known. */
int64_t model_cost_nano(const struct model_info *info, const struct model_usage *u);

/* A model calls this before it begins a call. Clears the answer. */
void model_call_reset(struct model_call *c);
/* Frees the text, reasoning, tool calls and prompt_ids of the last answer. */
void model_call_clear_text(struct model_call *c);

#endif
