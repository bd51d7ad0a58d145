/* codec.h - the two formats of an agent's prompts and replies.
 *
 * "compact": the environment's own text, ids without messages, for small models trained on it.
 * JSON tool calls: messages through the model's chat template (or as they are, for models that
 * take messages). A codec builds prompts and reads replies; turn_*.c does the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CODEC_H
#define TROUPE_AGENTS_CODEC_H

#include "runtime/base/json.h"
#include "runtime/base/status.h"

struct agent;
struct pending_call;

struct codec {
    bool compact;
    MUST_CHECK enum status (*begin)(struct agent *a, struct error *err);
    void (*end)(struct agent *a); /* also after a failed begin */
    /* Appends what is new since the last call to a->chain (from a->prefix_len on), or to the
     * messages. */
    MUST_CHECK enum status (*perceive)(struct agent *a, struct error *err);
    /* The reply in a->call becomes a->pending, or a->answer. */
    MUST_CHECK enum status (*read_reply)(struct agent *a, struct error *err);
    /* Keeps a call's result (lent) for the next perceive. NULL in the compact codec, whose
     * environment writes to a->feed. */
    void (*add_result)(struct agent *a, const struct pending_call *p, const struct json *result);
    /* A message of the person, for the next perceive, and back to the state before the last such
     * message. NULL in the compact codec, whose agents do not talk. */
    void (*hear)(struct agent *a, const char *text, size_t n);
    void (*unhear)(struct agent *a);
    /* Journals the messages of the next intent (saved: they are in the journal already). */
    void (*save_prompt)(struct agent *a, bool saved);
    /* The result of the model's step, after read_reply: new, small. */
    struct json *(*step_output)(struct agent *a);
    /* The body of the assistant's message: new. NULL: there are no messages. */
    struct json *(*message)(struct agent *a);
    /* Restores it on replay, before read_reply. */
    MUST_CHECK enum status (*replay_output)(struct agent *a, const struct json *out,
                                            struct error *err);
};
extern const struct codec codec_compact;
extern const struct codec codec_json;

#endif
