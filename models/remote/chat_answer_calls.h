/* chat_answer_calls.h - the tool calls of an answer, put together from deltas.
 *
 * Which call a delta belongs to: by its id, then by its index, then by order. Servers leave out the
 * index, use one index for two calls, give an id late or a new id with each delta. So a delta that
 * names a tool begins a new call where the call that it points to is complete already.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_CHAT_ANSWER_CALLS_H
#define TROUPE_MODELS_REMOTE_CHAT_ANSWER_CALLS_H

#include "models/remote/answer_secrets.h"
#include "runtime/base/json.h"

#define ANSWER_MAX_CALLS      256
#define ANSWER_MAX_CALL_BYTES ((size_t)4 << 20) /* names and arguments of all calls */

struct answer_call;
struct answer_calls {
    struct answer_call *call; /* (n) */
    int32_t n, cap;
    size_t bytes;
};

void answer_calls_deinit(struct answer_calls *a);
/* `deltas`: an array of deltas, or one; null is none. STATUS_LIMIT, STATUS_NO_MEMORY. */
MUST_CHECK enum status answer_calls_add(struct answer_calls *a, const struct json *deltas,
                                        struct error *err);
/* The calls of a whole message: each element is one. */
MUST_CHECK enum status answer_calls_set(struct answer_calls *a, const struct json *calls,
                                        struct error *err);
/* Has every call a name and a whole object of arguments? False without a call, and for one without
 * arguments: more could have come. */
bool answer_calls_are_whole(const struct answer_calls *a);
/* Replaces secrets in all texts of the calls. */
void answer_calls_hide(struct answer_calls *a, const struct answer_secrets *s);
/* [{name, arguments, id?}] of struct model_call, or NULL if there is none. Arguments that are not
 * an object are a string with their text. An id that another call has is left out. */
struct json *answer_calls_take(struct answer_calls *a);

#endif
