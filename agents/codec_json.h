/* codec_json.h - the insides of the JSON codec, shared by codec_json*.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CODEC_JSON_H
#define TROUPE_AGENTS_CODEC_JSON_H

#include "agents/agent_state.h"
#include "agents/chat_cache.h"

#define JSON_MAX_REPAIRS 3 /* of a final answer that does not fit its schema */

struct json_codec {
    struct json *messages, *tools; /* as the OpenAI API has them; tools NULL: none */
    struct json *unsaved;          /* system and user messages that are not journaled yet */
    struct json *said;             /* {content, reasoning?, tool_calls?: [{name, arguments}]} */
    struct json *boundary;         /* the first observation of the next context */
    const struct chat_cache *chat; /* NULL: the model takes messages */
    struct str rendered, text;     /* the last prompt and the next one */
    struct parsed_reply reply;     /* of models that take ids */
    int32_t n_repairs;
    size_t n_unheard; /* of messages, those before the person's last one */
};

/* New: {role, content}. Special tokens in foreign text stay text. */
struct json *json_message(const struct json_codec *c, const char *role, const char *content,
                          size_t n);
/* Adds a message of the user or of the harness to the prompt, and marks it to be journaled. */
void json_add_message(struct json_codec *c, const char *role, const char *content, size_t n);

/* Appends what asks a model for an answer that fits. */
void schema_words(const struct json *schema, struct str *out);
/* The JSON value of a reply, which is all of the text, or what the first code fence in it holds;
 * *from, *n: which part. STATUS_INVALID: there is none, or it does not fit. */
MUST_CHECK enum status json_in_reply(const char *text, const struct json *schema, struct json **out,
                                     const char **from, size_t *n, struct error *err);

#define JSON_CALL_ID 48
/* Of pending[i]: the model's own, or one made in `out`. */
const char *json_call_id(const struct agent *a, int32_t i, char out[JSON_CALL_ID]);

/* codec_json_reply.c */
MUST_CHECK enum status codec_json_read_reply(struct agent *a, struct error *err);

#endif
