/* chat_answer.h - collects the answer of a chat-completions server, whole or from stream chunks.
 *
 * A function of documents: no network. Servers differ in every detail; the rules here are those of
 * docs/remote-models.md, each with a test on a captured stream:
 * - deltas of a tool call belong together by id, then by index, then by order;
 * - arguments come whole, in parts or as an object; an empty name may come first;
 * - the calls decide how the answer ended, not finish_reason;
 * - `choices` may be null or empty, `usage` may come in any chunk;
 * - an `error` member inside a stream is an error;
 * - a stream ends with finish_reason, [DONE] or the end of the body; one with neither of the first
 *   two was cut off.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_CHAT_ANSWER_H
#define TROUPE_MODELS_REMOTE_CHAT_ANSWER_H

#include "models/model.h"
#include "models/remote/remote_error.h"

#define ANSWER_MAX_TEXT ((size_t)16 << 20) /* of the text, and of the reasoning */

struct chat_answer;
struct chat_answer *chat_answer_new(const struct remote_spec *spec, int32_t max_tokens);
void chat_answer_free(struct chat_answer *a);
/* Before the first event: if the server repeats this secret, asterisks are in its place. Lent. */
void chat_answer_hide(struct chat_answer *a, const char *secret);

/* The data of one event of a stream ("[DONE]" too). New text is added to what chat_answer_news
 * lends. After an error, chat_answer_fault has what it allows. */
MUST_CHECK enum status chat_answer_event(struct chat_answer *a, const char *data, size_t n,
                                         struct error *err);
/* The body of an answer that was not streamed. */
MUST_CHECK enum status chat_answer_body(struct chat_answer *a, const char *body, size_t n,
                                        struct error *err);
/* The text that came since the last call; *n is its length. Without `all`, what
 * may be the beginning of a secret is left for later. Lent until the next event. */
const char *chat_answer_news(struct chat_answer *a, bool all, size_t *n);
/* Is the answer complete, whether or not the stream goes on? A usage may still come until
 * chat_answer_is_done. */
bool chat_answer_is_complete(const struct chat_answer *a);
bool chat_answer_is_done(const struct chat_answer *a); /* [DONE] or a whole body */
/* Of the last error that one of these functions returned. */
const struct remote_fault *chat_answer_fault(const struct chat_answer *a);
/* The end of the stream or body: checks the whole and fills the answer of the call (text,
 * reasoning, tool calls, ids, usage, finish). STATUS_IO: it was cut off; STATUS_FAILED: it does
 * not keep the call's tool_choice. Both may pass. Once. */
MUST_CHECK enum status chat_answer_end(struct chat_answer *a, struct model_call *c,
                                       struct error *err);

#endif
