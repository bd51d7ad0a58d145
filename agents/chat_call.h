/* chat_call.h - one chat completion on any model: messages in; text, reasoning and tool calls out.
 *
 * For callers that speak messages and want no agent around them (`/v1` of `troupe serve`, sampling
 * for MCP servers). A model that takes ids gets its own template, and its reply is split by its own
 * tool-call form (models/chat); a model that takes messages gets them as they are. Tools are not
 * called here: the calls are the result. Nothing is recorded.
 *
 * Text of the caller never becomes a special token: messages and tools are all foreign text
 * (chat_guard.h). Only `prompt`, which continues a text that the caller rendered, may use them.
 *
 * Everything is on the thread of the host's loop, or of the driver that polls the host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CHAT_CALL_H
#define TROUPE_AGENTS_CHAT_CALL_H

#include "agents/agent.h"

struct chat_call;

enum chat_piece { CHAT_CONTENT, CHAT_REASONING };

/* All that is pointed to is lent until done. */
struct chat_call_spec {
    struct model *model;
    const char *path; /* by which a scripted model chooses its reply; NULL: "" */
    /* Either messages (OpenAI form, checked by the caller), or a text or ids to continue (models
     * that take ids): then the reply is content as it is, without reasoning and calls. */
    const struct json *messages, *tools;
    const char *prompt;
    size_t prompt_bytes;
    bool echo;                 /* of a prompt: the content begins with it */
    const int32_t *prompt_ids; /* (n_prompt_ids) models that take ids */
    int32_t n_prompt_ids;
    const struct json *template_more; /* further variables of the template, or NULL */
    const char *tool_choice;          /* as in model.h; NULL: the model's choice */
    /* The content must fit; NULL: any. A model that takes ids is asked for it in words. The content
     * is held back until it was checked; a code fence around it is dropped. */
    const struct json *schema;
    struct sampling sampling;
    uint64_t seed, call_id;
    int32_t max_tokens;      /* 0: as many as the context has */
    const char *const *stop; /* (n_stop) the reply ends before the first of these */
    int32_t n_stop;
    bool wants_logprobs;
    int32_t priority;
    int64_t deadline_ms;        /* wall clock; 0: none */
    struct trace_context trace; /* the span of the call, or unset */
    void *ctx;
    /* Pieces of the text as they become certain: nothing that may still turn out to be a stop text,
     * a tag or a tool call is given. No character is cut. All pieces together are the content
     * (reasoning) of the result. During the call chat_call_result has the ids and logp of the
     * tokens that were read for it so far. The call may be cancelled in here, but not freed. NULL:
     * no streaming. */
    void (*on_piece)(void *ctx, enum chat_piece kind, const char *text, size_t n);
    /* Once, last; never from in chat_call_start. The call may be freed in here. */
    void (*on_done)(void *ctx, struct chat_call *c);
};

struct chat_result {
    /* STATUS_LIMIT: the prompt does not fit the context (n_prompt, n_context). STATUS_UNSUPPORTED
     * names what the model cannot do. STATUS_INVALID: the request; with `unfit`, the reply. */
    enum status status;
    struct error err;
    bool unfit; /* the content does not fit the schema */
    enum model_finish finish;
    bool has_calls;                  /* the reply has tool calls */
    const char *content, *reasoning; /* NULL: none */
    const struct json *tool_calls;   /* [{id, type, function: {name, arguments: TEXT}}], or NULL */
    struct model_usage usage;
    int32_t n_prompt, n_context; /* of STATUS_LIMIT; 0: not known */
    /* Tokens of the whole reply, of models that take ids; text of one: chat_call_token. */
    const int32_t *ids;
    const float *logp;
    int32_t n_ids;
    int64_t queued_us, first_us, done_us;
    enum model_fault fault; /* of an error */
    bool not_retryable;
    int64_t retry_after_ms;
};

/* STATUS_NO_MEMORY. All else that is wrong is in the result: on_done follows. */
MUST_CHECK enum status chat_call_start(struct agent_host *h, const struct chat_call_spec *spec,
                                       struct chat_call **out, struct error *err);
/* on_done follows with STATUS_CANCELLED; its session is closed then. */
void chat_call_cancel(struct chat_call *c);
void chat_call_free(struct chat_call *c); /* after on_done, or in it; NULL is fine */
const struct chat_result *chat_call_result(const struct chat_call *c);
/* The bytes of token i of the reply (not always whole characters); *n is their number, 0 for a
 * special token, which is not part of the text. Lent. */
const char *chat_call_token(const struct chat_call *c, int32_t i, size_t *n);

#endif
