/* openai.h - requests and answers of the OpenAI API as documents.
 *
 * A function of documents: no connection, no model. A parameter that is not supported is an error
 * that names it; one that changes nothing (`user`, `metadata`, `store`) is ignored; null is as if
 * it was not given. The list of parameters is openai_params.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_OPENAI_H
#define TROUPE_RUNTIME_SERVE_OPENAI_H

#include "agents/chat_call.h"

#define OPENAI_MAX_STOPS   16
#define OPENAI_MAX_CHOICES 128 /* of one request: n times its prompts */

/* ---- errors: openai_error.c */

/* {"error": {"message", "type", "param", "code"}} */
struct openai_error {
    int http;                /* 400, 404, 429, 500, 503, ... */
    const char *type, *code; /* "invalid_request_error", "model_not_found"; code may be NULL */
    char param[96];          /* "": null */
    char message[400];
    int64_t retry_after_ms; /* 0: not known */
    bool lasts;             /* a 5xx that another try would not change */
};
/* The type follows from http. param and code may be NULL; nothing is known about another try.
 * Always false, for `return`. */
bool openai_fail(struct openai_error *e, int http, const char *code, const char *param,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* 400: the parameter is not supported. */
bool openai_refuse(struct openai_error *e, const char *param, const char *why);
/* The error for a failed call. Its own message may name files, addresses and variables of this
 * server. With `instead_id`, the id of the request, an error that is not about what the caller
 * asked for gets a general message with that id instead; NULL: the caller may see all. */
void openai_error_of(const struct chat_result *r, const char *instead_id, struct openai_error *out);
/* Appends the body. */
void openai_error_body(const struct openai_error *e, struct str *out);

/* ---- requests: openai.c */

enum openai_kind { OPENAI_CHAT = 1, OPENAI_COMPLETIONS = 2 };

/* One prompt of a request for completions: a text or ids. */
struct openai_prompt {
    const char *text; /* NULL: ids */
    size_t text_bytes;
    int32_t *ids;
    int32_t n_ids;
};

/* Owns its document. Texts are lent by it, as all that is pointed to. */
struct openai_request {
    enum openai_kind kind;
    struct json *document;
    const char *model;
    const struct json *messages, *tools, *schema, *template_more;
    struct openai_prompt *prompt; /* (n_prompts) of completions */
    int32_t n_prompts;
    const char *tool_choice; /* as in model.h */
    bool one_call;           /* parallel_tool_calls is false: of several calls the first is given */
    const char *stop[OPENAI_MAX_STOPS];
    int32_t n_stop;
    int32_t n;          /* replies to each prompt */
    int32_t max_tokens; /* 0: not given */
    struct sampling sampling;
    int32_t bias_id[SAMPLING_MAX_BIAS]; /* of sampling, which points here */
    float bias[SAMPLING_MAX_BIAS];
    bool has_seed, stream, include_usage, logprobs, echo;
    uint64_t seed;
    struct json *any_object; /* the schema of response_format json_object */
};
/* false: *e says what is wrong, and there is nothing to deinit. */
bool openai_parse(enum openai_kind kind, const char *body, size_t n, struct openai_request *out,
                  struct openai_error *e);
void openai_request_deinit(struct openai_request *r);

/* ---- answers: openai_answer.c */

/* What all chunks of an answer share. */
struct openai_head {
    enum openai_kind kind;
    char id[48];          /* openai_make_id */
    char fingerprint[16]; /* openai_make_fingerprint; "": null */
    const char *model;
    int64_t created_s;
    bool include_usage; /* in chunks: "usage": null, before the last one */
    struct str chunk;   /* how each chunk begins; empty: openai_chunk makes it each time */
};
/* Of a stream, once all else is set: chunks begin alike, and there is one for each token. */
void openai_head_ready(struct openai_head *h);
void openai_head_deinit(struct openai_head *h);
/* From 128 bits of the caller. */
void openai_make_id(struct openai_head *h, uint64_t high, uint64_t low);
void openai_make_fingerprint(struct openai_head *h, const struct model_info *m);

/* One choice, or a part of it. */
struct openai_choice {
    int32_t index;
    bool begins;                     /* of a chunk: gives the role */
    bool ends;                       /* of a chunk: gives the finish_reason */
    const char *content, *reasoning; /* NULL: none */
    size_t content_bytes, reasoning_bytes;
    const struct json *tool_calls; /* as in chat_result; in a chunk all of them, whole */
    enum model_finish finish;
    bool has_calls; /* finish_reason is "tool_calls" */
    bool one_call;  /* the first of tool_calls, without the others */
    /* Log-probs of the tokens from `from` to `to`; NULL: none. */
    const struct chat_call *tokens;
    int32_t from, to;
    int64_t offset; /* completions: characters of the text before this part */
};
/* A whole choice from the result of a call. */
void openai_choice_of(const struct chat_call *c, int32_t index, bool logprobs,
                      struct openai_choice *out);
/* finish_reason: "stop", "length", "tool_calls". */
const char *openai_finish(enum model_finish f, bool has_calls);
/* Sums up the usage of several choices; the prompt of choices that share it counts once. */
void openai_usage_add(struct model_usage *sum, const struct model_usage *u, bool same_prompt);

/* Appends chat.completion, or text_completion. */
void openai_answer(const struct openai_head *h, const struct openai_choice *choice, int32_t n,
                   const struct model_usage *usage, struct str *out);
/* Appends chat.completion.chunk, or text_completion: the data of one event. */
void openai_chunk(const struct openai_head *h, const struct openai_choice *part, struct str *out);
/* The last chunk with include_usage: no choices. */
void openai_usage_chunk(const struct openai_head *h, const struct model_usage *usage,
                        struct str *out);

#endif
