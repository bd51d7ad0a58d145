/* model.c - code for all models: names, an empty answer, an estimate of tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/model.h"

#include <math.h>
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

bool model_chats(const struct model_info *m)
{
    return !m->codec || strcmp(m->codec, "json") == 0;
}

enum status model_chats_not(const char *name, struct error *err)
{
    enum status st = error_set(
        err, STATUS_CONFIG,
        "model %s knows only the calls of environments; it cannot answer other tasks", name);

    error_hint(err, "give the agent a `model` that can chat: a key of `models`, a folder, "
                    "URL#NAME or script:FILE");
    return st;
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
    c->prompt_ids = NULL;
    c->n_prompt_ids = 0;
    c->policy_version = 0;
    c->usage = (struct model_usage){0};
    c->fault = MODEL_FAULT_NONE;
    c->not_retryable = false;
    c->retry_after_ms = 0;
    c->requests = 0;
    c->queued_us = c->first_us = c->done_us = 0;
    c->cancelled = false;
}

void model_call_clear_text(struct model_call *c)
{
    free(c->text);
    free(c->reasoning);
    jv_unref(c->tool_calls);
    free(c->prompt_ids);
    c->text = c->reasoning = NULL;
    c->tool_calls = NULL;
    c->prompt_ids = NULL;
    c->n_prompt_ids = 0;
}

/* A dollar for a million tokens is 1,000 of 1e-9 dollars for one. */
int64_t model_cost_nano(const struct model_info *info, const struct model_usage *u)
{
    double cached = info->price_cached >= 0 ? info->price_cached : info->price_input, nano;

    if (info->price_input < 0 || info->price_output < 0)
        return -1;
    nano = 1000 * (info->price_input * (u->prompt - u->cached) + cached * u->cached +
                   info->price_output * u->completion);
    return nano < 9e18 ? (int64_t)ceil(nano) : INT64_MAX;
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
