/* openai.h - requests and answers of the OpenAI API as documents.
 *
 * A function of documents: no connection, no model. A parameter that is not supported is an error
 * that names it; one that changes nothing (`user`, `metadata`, `store`) is ignored.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_OPENAI_H
#define TROUPE_RUNTIME_SERVE_OPENAI_H

#include "agents/chat_call.h"

/* {"error": {"message", "type", "param", "code"}} */
struct openai_error {
    int http;                /* 400, 404, 429, 500, 503, ... */
    const char *type, *code; /* "invalid_request_error", "model_not_found"; code may be NULL */
    char param[64];          /* "" : null */
    char message[400];
};
/* Appends the body. */
void openai_error_body(const struct openai_error *e, struct str *out);
/* The error for a failed call. */
void openai_error_of(const struct chat_result *r, struct openai_error *out);

enum openai_kind { OPENAI_CHAT, OPENAI_COMPLETIONS };

/* A request; owns its document. */
struct openai_request {
    enum openai_kind kind;
    struct json *document;
    const char *model; /* lent by the document, as all below */
    const struct json *messages, *tools, *schema;
    const struct json *prompt; /* completions: a text, ids, or an array of either */
    const char *tool_choice;
    const char *stop[16];
    int32_t n_stop, n, max_tokens;
    struct sampling sampling;
    bool has_seed, stream, include_usage, logprobs, echo;
    uint64_t seed;
};
/* false: *e says what is wrong. */
bool openai_parse(enum openai_kind kind, const char *body, size_t n, struct openai_request *out,
                  struct openai_error *e);
void openai_request_deinit(struct openai_request *r);

#endif
