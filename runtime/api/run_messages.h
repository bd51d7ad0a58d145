/* run_messages.h - the conversations of the agents of a run, as a document.
 *
 * Agents have messages when their model takes messages or has a chat template. Agents with the
 * compact codec have only tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_RUN_MESSAGES_H
#define TROUPE_RUNTIME_API_RUN_MESSAGES_H

#include "runtime/base/json.h"
#include "runtime/store/query.h"

/* New: [{"path": of the agent's step, "messages": [{"role": system, user, assistant or tool,
 * "content", "tool_calls", ...}]}]; under: as of query_steps. */
MUST_CHECK enum status run_messages_load(struct store_reader *q, const char *uuid,
                                         const char *under, struct json **out, struct error *err);

#endif
