/* remote_model.h - a model behind an OpenAI-compatible server (chat completions).
 *
 * It takes messages and returns text, reasoning and tool calls; token ids too if the server gives
 * them (vLLM, SGLang, llama-server). Requests stream. What a server promises is checked when the
 * answer is complete: arguments of calls, ids and log-probs, lengths; the agent checks names and
 * schemas. Sessions and calls may belong to any thread, as those of other models; the work is done
 * on the thread of the client's loop, which must run (agents without a loop of their own need it on
 * another thread). on_text is called there too. Opening and closing models, and the functions here,
 * belong to the loop's thread. Models of one server (one origin) share its limits and its circuit
 * (remote_server.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_MODEL_H
#define TROUPE_MODELS_REMOTE_REMOTE_MODEL_H

#include "models/model.h"
#include "models/remote/remote_spec.h"

struct http_client;
struct log;
struct loop;
struct seams;
struct remote_servers; /* shared by all remote models of a process */

struct remote_servers *remote_servers_new(struct loop *l, struct http_client *client,
                                          const struct seams *seams);
/* Where the tries of calls are reported, with a warning each; lent. NULL at first: nowhere. */
void remote_servers_log(struct remote_servers *s, struct log *log);
void remote_servers_free(struct remote_servers *s); /* after all models */

/* What one server (one origin) is doing. */
struct remote_server_state {
    const char *origin; /* "https://host:port"; lent */
    int32_t active, waiting;
    int64_t sent, failed; /* requests since the start */
    bool is_open;         /* the circuit: the server is not asked now */
};
void remote_servers_each(const struct remote_servers *s,
                         void (*fn)(void *ctx, const struct remote_server_state *state), void *ctx);

/* Copies the specification. Nothing is sent until the first call. `name`: as given with --model. */
MUST_CHECK enum status remote_model_open(struct remote_servers *s, const char *name,
                                         const struct remote_spec *spec, struct model **out,
                                         struct error *err);

#endif
