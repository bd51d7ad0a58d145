/* model.c - code for all models: names, an empty answer, an estimate of tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/model.h"

#include <stdlib.h>
#include <string.h>

const char *model_finish_name(enum model_finish f)
{
    switch (f) {
    case FINISH_NONE:
        return "none";
    case FINISH_STOP:
        return "stop";
    case FINISH_LENGTH:
        return "length";
    case FINISH_CANCELLED:
        return "cancelled";
    case FINISH_ERROR:
        return "error";
    }
    return "unknown";
}

void model_call_reset(struct model_call *c)
{
    c->status = STATUS_OK;
    error_clear(&c->err);
    c->finish = FINISH_NONE;
    c->n_ids = 0;
    c->processed = false;
    c->text = c->reasoning = NULL;
    c->tool_calls = NULL;
    c->policy_version = 0;
    c->usage = (struct model_usage){0};
    c->not_retryable = false;
    c->retry_after_ms = 0;
    c->queued_us = c->first_us = c->done_us = 0;
    c->cancelled = false;
}

void model_call_clear_text(struct model_call *c)
{
    free(c->text);
    free(c->reasoning);
    jv_unref(c->tool_calls);
    c->text = c->reasoning = NULL;
    c->tool_calls = NULL;
}

static size_t json_bytes(const struct json *v)
{
    struct str text = STR_INIT;
    size_t n;

    if (!v || jv_kind(v) == JV_NULL)
        return 0;
    if (jv_kind(v) == JV_STRING)
        return jv_string_len(v);
    jv_write(v, 0, &text);
    n = text.len;
    str_deinit(&text);
    return n;
}

static int32_t tokens_of(size_t bytes)
{
    size_t n = bytes / 4 + (bytes % 4 != 0);

    return n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

struct model_usage model_usage_estimate(const struct json *messages, const struct json *tools,
                                        const char *text, const struct json *tool_calls)
{
    size_t prompt = json_bytes(tools);

    for (size_t i = 0; i < jv_size(messages); i++) {
        const struct json *m = jv_at(messages, i);

        prompt += json_bytes(jv_get(m, "content")) + json_bytes(jv_get(m, "tool_calls"));
    }
    return (struct model_usage){
        .prompt = tokens_of(prompt),
        .completion = tokens_of((text ? strlen(text) : 0) + json_bytes(tool_calls)),
        .estimated = true};
}
