/* remote_spec.h - how to reach a remote model: one entry of `models:` in troupe.yaml, or URL#NAME.
 *
 *   models:
 *     strong:
 *       url: https://api.example.com/v1
 *       model: example-large
 *       key: ${env:EXAMPLE_KEY}
 *       price: {input: 3.00, cached: 0.30, output: 15.00}   # dollars for a million tokens
 *       context: 200000
 *
 * The keys are those of struct remote_spec; times have their unit (`first_byte: 90s`). Plain http
 * is for servers on this machine or network (allow_local).
 *
 * A reference to a secret is kept as text here and resolved for each request, so that the value is
 * in no record, log or error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_SPEC_H
#define TROUPE_MODELS_REMOTE_REMOTE_SPEC_H

#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/base/yaml.h"

/* How a server wants reasoning of earlier turns back in assistant messages. */
enum remote_reasoning {
    REMOTE_REASONING_NONE,    /* never sent back */
    REMOTE_REASONING_CONTENT, /* "reasoning_content" */
    REMOTE_REASONING_PLAIN,   /* "reasoning" */
};

/* Who gives token ids, and how they are asked for. llama-server gives those of the answer, but not
 * those of the prompt, so that its calls are recorded as text. */
enum remote_ids {
    REMOTE_IDS_NONE,
    REMOTE_IDS_VLLM,   /* return_token_ids: prompt_token_ids, choices[].token_ids; not streamed
                          with tools, where vLLM loses ids */
    REMOTE_IDS_SGLANG, /* return_token_ids, return_prompt_token_ids; not streamed */
};

struct remote_spec {
    char *url;    /* the base, without "/chat/completions": "http://127.0.0.1:8000/v1" */
    char *model;  /* the name that the server knows */
    char *key;    /* a reference or a text; NULL: none. Sent as "Authorization: Bearer KEY" */
    char *folder; /* of the configuration file: relative ${file:PATH} start here; NULL */
    struct json *headers; /* {name: value}, values may be references; NULL */
    struct json *places;  /* {name: "FILE:LINE:COLUMN"} of the headers, and of the key as
                             "authorization"; NULL: not from a file */
    struct json *body;    /* members added to each request; NULL */
    /* Dollars for a million tokens; below 0: not known. */
    double price_input, price_cached, price_output;
    int32_t context;                /* tokens; 0: not known */
    int32_t max_concurrent;         /* requests at a time to this server; 0: 16 */
    int32_t max_tries;              /* of one call; 0: 4 */
    int64_t first_byte_ms, idle_ms; /* 0: defaults of http_client.h */
    int64_t timeout_ms; /* of one call from its first request, with its tries; 0: 1 hour */
    bool strict_schema; /* send response_format json_schema and strict tools; else only check */
    bool stream;        /* default true */
    bool max_completion_tokens; /* this name instead of max_tokens */
    bool allow_local;           /* addresses on this machine or network; from the URL's host itself:
                                   an address or "localhost" written by the operator is allowed */
    enum remote_reasoning reasoning;
    enum remote_ids ids;
};
void remote_spec_init(struct remote_spec *s); /* all defaults; no url and no model */
void remote_spec_deinit(struct remote_spec *s);
void remote_spec_copy(const struct remote_spec *s, struct remote_spec *out);

/* The most that a call waits by itself for a server that asks it to (Retry-After). */
#define REMOTE_MAX_WAIT_MS 60000

/* "URL#NAME" with all defaults. STATUS_USAGE. */
MUST_CHECK enum status remote_spec_from_name(const char *name, struct remote_spec *out,
                                             struct error *err);
/* One entry of `models:`, without its folder; errors have FILE:LINE:COLUMN. */
MUST_CHECK enum status remote_spec_from_yaml(const struct yaml *y, const struct yaml_node *node,
                                             struct remote_spec *out, struct error *err);

#endif
