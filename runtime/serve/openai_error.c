/* openai_error.c - errors in the form of the OpenAI API.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/unicode.h"
#include "runtime/serve/openai_internal.h"

static const char *type_of(int http)
{
    switch (http) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return http < 500 ? "invalid_request_error" : "server_error";
    }
}

bool openai_fail(struct openai_error *e, int http, const char *code, const char *param,
                 const char *fmt, ...)
{
    va_list ap;

    e->http = http;
    e->type = type_of(http);
    e->code = code;
    e->retry_after_ms = 0;
    e->lasts = false;
    (void)snprintf(e->param, sizeof(e->param), "%s", param ? param : "");
    va_start(ap, fmt);
    (void)vsnprintf(e->message, sizeof(e->message), fmt, ap);
    va_end(ap);
    return false;
}

bool openai_wrong_kind(struct openai_error *e, const char *param, const struct json *v,
                       const char *must_be)
{
    if (!v)
        return openai_fail(e, 400, "missing_required_parameter", param, "%s is missing", param);
    return openai_fail(e, 400, "invalid_type", param, "%s must be %s, not a value of type %s",
                       param, must_be, jv_kind_name(jv_kind(v)));
}

bool openai_refuse(struct openai_error *e, const char *param, const char *why)
{
    return openai_fail(e, 400, "unsupported_parameter", param, "%s is not supported: %s", param,
                       why);
}

/* How a failure looks to the caller. text: NULL for an error about what the caller asked for, whose
 * own message is for the caller. */
struct look {
    int http;
    const char *code, *text;
};

/* By whose fault it is. */
static const struct look by_fault[MODEL_FAULT_N] = {
    [MODEL_FAULT_PROMPT] = {400, "context_length_exceeded", NULL},
    [MODEL_FAULT_REQUEST] = {400, "invalid_value", NULL},
    [MODEL_FAULT_FILTER] = {400, "content_filter", NULL},
    [MODEL_FAULT_RATE] = {429, "rate_limit_exceeded",
                          "the model's server takes no more requests now; try again later"},
    [MODEL_FAULT_SETUP] = {502, "upstream_error",
                           "this server cannot use the model's server as it is set up; ask its "
                           "operator"},
    [MODEL_FAULT_ANSWER] = {502, "upstream_error",
                            "the model's server failed, or sent something else than an answer"},
    [MODEL_FAULT_DOWN] = {503, "upstream_unavailable",
                          "the model's server cannot be reached or is overloaded; try again later"},
    [MODEL_FAULT_LATE] = {504, "upstream_timeout", "the model's server took too long"},
};

/* By what failed in this process. */
static const struct look by_status[STATUS_N] = {
    [STATUS_INVALID] = {400, "invalid_value", NULL},
    [STATUS_UNSUPPORTED] = {400, "unsupported_value", NULL},
    [STATUS_BUDGET] = {429, "insufficient_quota", NULL},
    [STATUS_BUSY] = {503, "overloaded", "the server is busy; try again"},
    [STATUS_LIMIT] = {503, "overloaded", "the server has no room for this now; try again"},
    [STATUS_NO_MEMORY] = {503, "overloaded", "the server is out of memory; try again"},
    [STATUS_CANCELLED] = {503, "cancelled", "the request was cancelled"},
    [STATUS_TIMEOUT] = {504, "timeout", "the request took too long"},
    [STATUS_DISK_FULL] = {507, "disk_full", "the disk of the server is full"},
};

static struct look look_of(const struct chat_result *r)
{
    static const struct look otherwise = {500, "internal_error", "the server failed"};

    if (r->fault != MODEL_FAULT_NONE)
        return by_fault[r->fault];
    if (r->status == STATUS_INVALID && r->unfit)
        return (struct look){400, "json_validate_failed", NULL};
    if (r->status == STATUS_LIMIT && r->not_retryable)
        return by_fault[MODEL_FAULT_PROMPT];
    return by_status[r->status].http ? by_status[r->status] : otherwise;
}

void openai_error_of(const struct chat_result *r, const char *instead_id, struct openai_error *out)
{
    struct look l = look_of(r);

    if (r->status == STATUS_LIMIT && r->n_prompt > 0)
        openai_fail(out, 400, "context_length_exceeded", NULL,
                    "this model's maximum context length is %d tokens, but the prompt has %d; "
                    "prompt and reply share the context",
                    (int)r->n_context, (int)r->n_prompt);
    else if (l.text && instead_id)
        openai_fail(out, l.http, l.code, NULL, "%s (request %s)", l.text, instead_id);
    else
        openai_fail(out, l.http, l.code, NULL, "%s", r->err.message);
    if (out->http == 429 || out->http >= 500)
        out->retry_after_ms = r->retry_after_ms;
    out->lasts = out->http >= 500 && r->not_retryable;
}

static void put_text(const char *text, struct str *out)
{
    struct str clean = STR_INIT; /* a message may be cut within a character */

    utf8_clean(text, strlen(text), &clean);
    str_put_json_string(out, str_cstr(&clean), clean.len);
    str_deinit(&clean);
}

static void put_text_or_null(const char *text, struct str *out)
{
    if (text && *text)
        put_text(text, out);
    else
        str_puts(out, "null");
}

void openai_error_body(const struct openai_error *e, struct str *out)
{
    str_puts(out, "{\"error\":{\"message\":");
    put_text(e->message, out);
    str_puts(out, ",\"type\":");
    put_text(e->type, out);
    str_puts(out, ",\"param\":");
    put_text_or_null(e->param, out);
    str_puts(out, ",\"code\":");
    put_text_or_null(e->code, out);
    str_puts(out, "}}");
}
