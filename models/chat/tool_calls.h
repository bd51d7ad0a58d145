/* tool_calls.h - splits a model's reply into reasoning, content and tool calls.
 *
 * Two grammars cover most families (Hermes JSON: Qwen2.5, Qwen3; XML: Qwen3-Coder,
 * Nemotron 3). A malformed call is never dropped and the parser does
 * not fail: it returns a call with an error text for the model.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_TOOL_CALLS_H
#define TROUPE_MODELS_CHAT_TOOL_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

#define TOOL_CALLS_MAX 128 /* in one reply; the next one is an error of the last */

enum tool_call_format {
    TOOL_CALLS_NONE,   /* only reasoning is split off */
    TOOL_CALLS_HERMES, /* <tool_call>{"name": ..., "arguments": {...}}</tool_call> */
    TOOL_CALLS_XML /* <tool_call><function=N><parameter=K>V</parameter></function></tool_call> */
};

/* All owned by the reply. */
struct parsed_call {
    char *name;             /* "" when it could not be read */
    struct json *arguments; /* an object; NULL when malformed */
    char *error;            /* NULL: well formed; else a message for the model */
    char *raw;              /* the text of the call as written, tags included */
};

struct parsed_reply {
    char *content;   /* without reasoning and calls, blanks at both ends removed; never NULL */
    char *reasoning; /* NULL: none */
    struct parsed_call *call;
    int32_t n_calls;
    size_t visited; /* bytes looked at: a small multiple of the text's, whatever it holds */
};

/* The format that the template describes; HERMES when it describes none. */
enum tool_call_format tool_calls_format_of(const char *chat_template);

/* `in_reasoning`: the prompt ended inside <think>, so the text starts with reasoning. A </think>
 * without a start also ends reasoning. A call inside reasoning is a draft, unless the reasoning
 * never ends: then it is a call. `cut`: the text ends at a limit, so that open reasoning might have
 * gone on, and all of it is reasoning. `tools` (OpenAI form, may be NULL) gives the XML grammar
 * the types of its parameters. Text must be valid UTF-8 (utf8_clean it first). */
MUST_CHECK enum status tool_calls_parse(enum tool_call_format format, const char *text, size_t n,
                                        bool in_reasoning, bool cut, const struct json *tools,
                                        struct parsed_reply *out, struct error *err);
void parsed_reply_deinit(struct parsed_reply *r);

#endif
