/* tool_calls_internal.h - what the two grammars of tool calls share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_TOOL_CALLS_INTERNAL_H
#define TROUPE_MODELS_CHAT_TOOL_CALLS_INTERNAL_H

#include "models/chat/tool_calls.h"
#include "runtime/base/str.h"

#define CALL_OPEN  "<tool_call>"
#define CALL_CLOSE "</tool_call>"

/* A text being read from i on. */
struct call_text {
    const char *p;
    size_t n;
};

/* First place of `what` at or after `from`; n when there is none. */
size_t call_find(const struct call_text *t, const char *what, size_t from);
bool call_at(const struct call_text *t, size_t i, const char *what);
size_t call_skip_space(const struct call_text *t, size_t i);

/* Each reads one call that starts at `from` and returns where it ends; a malformed one gets an
 * error. `call` is zeroed; its raw text is filled by the caller. */
size_t hermes_read_call(const struct call_text *t, size_t from, struct parsed_call *call);
size_t xml_read_call(const struct call_text *t, size_t from, const struct json *tools,
                     struct parsed_call *call);

/* Keeps the first. Words for the model. */
void call_error(struct parsed_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
