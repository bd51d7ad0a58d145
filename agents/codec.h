/* codec.h - the two languages in which an agent talks with its model.
 *
 * "compact": the environment's own text, ids without messages, for small models trained on it.
 * JSON tool calls: messages through the model's chat template (or as they are, for models that
 * take messages). A codec builds prompts and reads replies; turn_*.c does all else.
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
    void (*end)(struct agent *a); /* also of one whose begin failed */
    /* What came since the last call becomes the tail of a->chain (a->prefix_len marks it), or
     * messages. */
    MUST_CHECK enum status (*perceive)(struct agent *a, struct error *err);
    /* The reply in a->call becomes a->pending, or a->answer. */
    MUST_CHECK enum status (*read_reply)(struct agent *a, struct error *err);
    /* A call's result, for the next perceive. Lent. Not for the compact codec, whose environment
     * writes into a->feed. */
    void (*tell)(struct agent *a, const struct pending_call *p, const struct json *result);
    /* Journals messages that the next intent belongs to (saved: they are in the journal already).
     */
    void (*save_prompt)(struct agent *a, bool saved);
    /* The result of the model's step, small, once the reply was read: new. */
    struct json *(*step_output)(struct agent *a);
    /* The body of the assistant's message: new. NULL: there are no messages. */
    struct json *(*message)(struct agent *a);
    /* Takes it back on replay, before read_reply. */
    MUST_CHECK enum status (*replay_output)(struct agent *a, const struct json *out,
                                            struct error *err);
};
extern const struct codec codec_compact;
extern const struct codec codec_json;

struct agent_host;
void codec_json_forget(struct agent_host *h); /* frees the host's parsed templates */

#endif
