/* chat_prompt.h - messages to the ids of a prompt, with the model's own template.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CHAT_PROMPT_H
#define TROUPE_AGENTS_CHAT_PROMPT_H

#include "agents/chat_cache.h"
#include "models/formats/token_ids.h"

struct chat_prompt_spec {
    const struct model *model;   /* takes ids, and has a tokenizer */
    const struct json *messages; /* as the OpenAI API has them */
    const struct json *tools;    /* the same; NULL: none */
    const struct json *schema;   /* the reply must fit it, which the prompt says; NULL: any */
    const struct json *more;     /* more names for the template; NULL: none */
    int64_t deadline_ms;         /* wall clock; 0: none */
};
struct chat_prompt {
    const struct chat_cache *chat; /* lent by the host */
    struct json *tools;            /* guarded, the caller's; NULL: none */
    bool in_reasoning;             /* the prompt opened it */
};
/* Appends the ids. The host parses each template once. On failure `out` holds nothing. */
MUST_CHECK enum status chat_prompt_make(struct agent_host *h, const struct chat_prompt_spec *s,
                                        struct chat_prompt *out, struct token_ids *ids,
                                        struct error *err);

#endif
