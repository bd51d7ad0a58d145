/* show_messages.h - the conversations of a run: what each agent was told and what it said.
 *
 * Agents of models that take messages have them, and those of models with a chat template; agents
 * with the compact codec have tokens alone (show --tokens).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_MESSAGES_H
#define TROUPE_RUNTIME_APP_SHOW_MESSAGES_H

#include "runtime/base/json.h"
#include "runtime/store/query.h"

/* New: [{"path": of the agent's step, "messages": [{"role": system, user, assistant or tool,
 * "content", "tool_calls", ...}]}]; under: as of query_steps. */
MUST_CHECK enum status show_load_messages(struct store_reader *q, const char *uuid,
                                          const char *under, struct json **out, struct error *err);
/* The conversation of this step, where it has one, as lines `role: content`. */
void show_put_messages(const struct json *threads, const struct json *step, int indent,
                       struct str *out);

#endif
