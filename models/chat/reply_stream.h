/* reply_stream.h - a reply while it grows: what is certainly content or reasoning.
 *
 * Text is given as soon as no continuation can make anything else of it. A possible tag, blanks
 * that may be the last ones, and all from the first tool call on are held back. At the end the
 * whole is parsed (tool_calls.h) and the rest is given. All that was given is the content and the
 * reasoning of that parse, byte for byte.
 *
 * A </think> without a start comes too late for a stream: what precedes it is content
 * (REPLY_STARTS_TALKING).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_REPLY_STREAM_H
#define TROUPE_MODELS_CHAT_REPLY_STREAM_H

#include "models/chat/tool_calls.h"

enum reply_part { REPLY_CONTENT, REPLY_REASONING, REPLY_PARTS };

struct reply_stream_spec {
    enum tool_call_format format;
    bool in_reasoning;        /* as prompt_opens_reasoning */
    const struct json *tools; /* as in tool_calls_parse; lent until the end */
    void (*give)(void *ctx, enum reply_part part, const char *text, size_t n);
    void *ctx;
};

struct reply_stream;
struct reply_stream *reply_stream_new(const struct reply_stream_spec *spec);
void reply_stream_free(struct reply_stream *s); /* NULL is fine */
/* Valid UTF-8; no character is cut between two pieces. */
void reply_stream_push(struct reply_stream *s, const char *text, size_t n);
/* True: as far as one can say by now, reasoning goes on. */
bool reply_stream_is_thinking(const struct reply_stream *s);
/* No more text follows; `cut` as in tool_calls_parse. On success *out is the whole reply, and all
 * of it was given. */
MUST_CHECK enum status reply_stream_end(struct reply_stream *s, bool cut, struct parsed_reply *out,
                                        struct error *err);

#endif
