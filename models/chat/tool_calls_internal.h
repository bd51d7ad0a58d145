/* tool_calls_internal.h - shared by the two grammars of tool calls.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_TOOL_CALLS_INTERNAL_H
#define TROUPE_MODELS_CHAT_TOOL_CALLS_INTERNAL_H

#include "models/chat/tool_calls.h"
#include "runtime/base/str.h"

#define THINK_OPEN    "<think>"
#define THINK_CLOSE   "</think>"
#define CALL_OPEN     "<tool_call>"
#define CALL_CLOSE    "</tool_call>"
#define FUNCTION_OPEN "<function="

/* A text being read. */
struct call_text {
    const char *p;
    size_t n;
    size_t *visited; /* bytes read so far; a byte read again counts again */
};

/* First place of `what` at or after `from`; n when there is none. */
size_t call_find(const struct call_text *t, const char *what, size_t from);
bool call_at(const struct call_text *t, size_t i, const char *what);
size_t call_skip_space(const struct call_text *t, size_t i);
/* True: a text full of unclosed tags was read too often. The search then counts as failed. */
bool call_is_tiring(const struct call_text *t);
/* The end of a malformed call: after the next `close`, or where the next call opens. */
size_t call_skip_rest(const struct call_text *t, size_t from, const char *close);

enum reply_tag { TAG_THINK, TAG_END_THINK, TAG_CALL, TAG_END_CALL, TAG_FUNCTION, TAG_NONE };
/* The tag at i, of those that the format knows. */
enum reply_tag reply_tag_at(enum tool_call_format format, const struct call_text *t, size_t i);
/* True: what the text has from i on is only the beginning of such a tag. */
bool reply_tag_cut(enum tool_call_format format, const struct call_text *t, size_t i);

/* Each reads one call that starts at `from` and returns where it ends; a malformed one gets an
 * error. `call` is zeroed; its raw text is filled by the caller. */
size_t hermes_read_call(const struct call_text *t, size_t from, struct parsed_call *call);
size_t xml_read_call(const struct call_text *t, size_t from, const struct json *tools,
                     struct parsed_call *call);

/* The declaration of a tool: {"name", "parameters", ...}, or NULL. */
const struct json *call_tool(const struct json *tools, const char *tool);
/* The schema of one of its parameters, or NULL. */
const struct json *call_parameter(const struct json *parameters, const char *key);
/* A text as the value that the schema of its parameter allows, else as a text. */
struct json *call_value(const struct json *parameters, const char *key, const char *p, size_t n);

/* Keeps the first error. The text is for the model. */
void call_error(struct parsed_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
void call_deinit(struct parsed_call *call);

#endif
