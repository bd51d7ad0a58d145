/* chat_call_prompt.c - the prompt of a call: messages, a text or ids.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/chat_call_state.h"
#include "agents/chat_prompt.h"
#include "runtime/base/schema.h"

/* Tools, template, ids. */
static enum status prompt_of_messages(struct chat_call *c, struct error *err)
{
    const char *choice = c->spec.tool_choice;
    bool none = choice && strcmp(choice, "none") == 0;
    const struct chat_prompt_spec spec = {.model = c->spec.model,
                                          .messages = c->spec.messages,
                                          .tools = none ? NULL : c->spec.tools,
                                          .schema = c->spec.schema,
                                          .more = c->spec.template_more,
                                          .deadline_ms = c->spec.deadline_ms};
    struct chat_prompt made;
    enum status st;

    if (choice && !none)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine cannot force a tool call (tool_choice \"%.80s\")", choice);
    st = chat_prompt_make(c->host, &spec, &made, &c->prompt, err);
    c->chat = made.chat;
    c->tools = made.tools;
    c->in_reasoning = made.in_reasoning;
    return st;
}

static enum status prompt_of_text(struct chat_call *c, struct error *err)
{
    const struct chat_call_spec *s = &c->spec;

    if (c->spec.schema || c->spec.tools)
        return error_set(err, STATUS_UNSUPPORTED, "a schema and tools need messages");
    if (s->prompt_ids)
        return token_ids_append(&c->prompt, s->prompt_ids, (size_t)s->n_prompt_ids, err);
    return tokenizer_encode(s->model->info.tokenizer, c->host->scratch, s->prompt, s->prompt_bytes,
                            true, &c->prompt, err);
}

enum status chat_call_prompt(struct chat_call *c, struct error *err)
{
    const struct model_info *info = &c->spec.model->info;
    enum status st;

    if (c->spec.schema)
        c->schema = schema_lenient((struct json *)(uintptr_t)c->spec.schema);
    if (!info->takes_ids && !c->spec.messages)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s takes messages; it cannot continue a prompt", info->name);
    if (!info->takes_ids && c->spec.wants_logprobs)
        return error_set(err, STATUS_UNSUPPORTED, "model %s gives no log-probs", info->name);
    if (!info->takes_ids)
        return STATUS_OK;
    if (!info->tokenizer)
        return error_set(err, STATUS_UNSUPPORTED, "model %s has no tokenizer", info->name);
    st = c->spec.messages ? prompt_of_messages(c, err) : prompt_of_text(c, err);
    if (st)
        return st;
    if (c->prompt.n == 0)
        return error_set(err, STATUS_INVALID, "the prompt is empty");
    if (c->prompt.n < (size_t)info->context)
        return STATUS_OK;
    c->result.n_prompt = (int32_t)c->prompt.n;
    c->result.n_context = info->context;
    return error_set(err, STATUS_LIMIT,
                     "the prompt has %zu tokens, but prompt and reply share a context of %d",
                     c->prompt.n, (int)info->context);
}
