/* codec_json.h - the insides of the JSON codec, shared by codec_json*.c and chat_cache.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CODEC_JSON_H
#define TROUPE_AGENTS_CODEC_JSON_H

#include "agents/agent_state.h"
#include "agents/chat_guard.h"
#include "models/chat/chat_template.h"
#include "models/chat/tool_calls.h"

/* A model's template, parsed once for all agents of a host. */
struct chat_cache {
    struct chat_cache *next;
    const struct model *model;
    struct chat_template *template;
    enum tool_call_format format;
    struct chat_guard guard;
};
MUST_CHECK enum status chat_cache_get(struct agent_host *h, const struct model *m,
                                      const struct chat_cache **out, struct error *err);

#define JSON_MAX_REPAIRS 3 /* of a final answer that does not fit its schema */

struct json_codec {
    struct json *messages, *tools; /* as the OpenAI API has them; tools NULL: none */
    struct json *unsaved;          /* system and user messages that no intent has taken along */
    struct json *said;             /* {content, reasoning?, tool_calls?: [{name, arguments}]} */
    struct json *boundary;         /* the observation that the next context begins with */
    const struct chat_cache *chat; /* NULL: the model takes messages */
    struct str rendered, text;     /* the last prompt and the one being made */
    struct parsed_reply reply;     /* of models that take ids */
    int32_t n_repairs;
};

/* New: {role, content}. Foreign text: special tokens that it spells stay text. */
struct json *json_message(const struct json_codec *c, const char *role, const char *content,
                          size_t n);
/* What an end user or the harness says: into the prompt, and to be journaled. */
void json_add_message(struct json_codec *c, const char *role, const char *content, size_t n);

#define JSON_CALL_ID 48
/* Of pending[i]: the model's own, or one made in `out`. */
const char *json_call_id(const struct agent *a, int32_t i, char out[JSON_CALL_ID]);

/* codec_json_reply.c */
MUST_CHECK enum status codec_json_read_reply(struct agent *a, struct error *err);

#endif
