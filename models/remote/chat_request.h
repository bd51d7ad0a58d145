/* chat_request.h - the body of a chat-completions request, from a call.
 *
 * A function of documents: equal calls give equal bytes. Only members that are needed are sent,
 * since servers refuse what they do not know: sampling only where it differs from the default, but
 * for a server that gives token ids all of it, so that the record says what was sampled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_CHAT_REQUEST_H
#define TROUPE_MODELS_REMOTE_CHAT_REQUEST_H

#include "models/model.h"
#include "models/remote/remote_spec.h"

/* Does it ask for log-probs and token ids? They must be of the whole distribution at the sampling
 * temperature, and servers give them at temperature 1. */
bool chat_request_wants_ids(const struct remote_spec *spec, const struct model_call *c);

/* Appends the body. no_ids: the server refused log-probs. STATUS_UNSUPPORTED, STATUS_INVALID. */
MUST_CHECK enum status chat_request_write(const struct remote_spec *spec,
                                          const struct model_call *c, bool no_ids, struct str *out,
                                          struct error *err);

#endif
