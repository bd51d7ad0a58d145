/* remote_model.h - a model behind an OpenAI-compatible server (chat completions).
 *
 * It takes messages and returns text, reasoning and tool calls; token ids too if the server gives
 * them (vLLM, SGLang, llama-server). Requests stream. What a server promises is checked when the
 * answer is complete: names and arguments of calls, the schema of a reply, ids against text.
 * Everything is on the thread of the client's loop. Models of one server (one origin) share its
 * limits and its circuit (remote_server.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_MODEL_H
#define TROUPE_MODELS_REMOTE_REMOTE_MODEL_H

#include "models/model.h"
#include "models/remote/remote_spec.h"

struct http_client;
struct remote_servers; /* shared by all remote models of a process */

struct remote_servers *remote_servers_new(struct loop *l, struct http_client *client,
                                          const struct seams *seams);
void remote_servers_free(struct remote_servers *s); /* after all models */

/* Copies the specification. Nothing is sent until the first call. `name`: as given with --model. */
MUST_CHECK enum status remote_model_open(struct remote_servers *s, const char *name,
                                         const struct remote_spec *spec, struct model **out,
                                         struct error *err);

#endif
