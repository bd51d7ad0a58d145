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

/* A call that failed, by what failed. */
static void by_status(const struct chat_result *r, struct openai_error *e)
{
    static const struct {
        int http;
        const char *code;
    } by[STATUS_N] = {
        [STATUS_INVALID] = {400, "invalid_value"},
        [STATUS_UNSUPPORTED] = {400, "unsupported_value"},
        [STATUS_NOT_FOUND] = {404, "not_found"},
        [STATUS_BUDGET] = {429, "insufficient_quota"},
        [STATUS_BUSY] = {429, "rate_limit_exceeded"},
        [STATUS_LIMIT] = {503, "overloaded"},
        [STATUS_NO_MEMORY] = {503, "overloaded"},
        [STATUS_CANCELLED] = {503, "cancelled"},
        [STATUS_TIMEOUT] = {504, "timeout"},
    };
    int http = by[r->status].http;
    const char *code = by[r->status].code;

    if (r->status == STATUS_INVALID && r->unfit)
        code = "json_validate_failed";
    if (r->status == STATUS_LIMIT && r->not_retryable) {
        http = 400;
        code = "context_length_exceeded";
    }
    openai_fail(e, http ? http : 500, code, NULL, "%s", r->err.message);
}

void openai_error_of(const struct chat_result *r, struct openai_error *out)
{
    if (r->status == STATUS_LIMIT && r->n_prompt > 0)
        openai_fail(out, 400, "context_length_exceeded", NULL,
                    "this model's maximum context length is %d tokens, but the prompt has %d; "
                    "prompt and reply share the context",
                    (int)r->n_context, (int)r->n_prompt);
    else
        by_status(r, out);
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
