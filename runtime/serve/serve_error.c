/* serve_error.c - errors as replies: OpenAI's body below /v1, the command line's elsewhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/openai.h"
#include "runtime/serve/serve_internal.h"

static bool is_v1(const struct http_request *q)
{
    return q && q->path && strncmp(q->path, "/v1/", 4) == 0;
}

/* The word for an error that the server finds before a request reaches its route. */
static const char *word_of(int code)
{
    switch (code) {
    case 401:
        return "invalid_api_key";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_exceeded";
    case 503:
        return "overloaded";
    default:
        return code >= 500 ? "internal_error" : NULL;
    }
}

static void put_v1(int code, const char *message, struct str *out)
{
    struct openai_error e;

    openai_fail(&e, code, word_of(code), NULL, "%s", message);
    openai_error_body(&e, out);
}

void serve_error_body(void *serve, const struct http_request *q, int code, const char *message,
                      struct str *out)
{
    (void)serve;
    if (is_v1(q)) {
        put_v1(code, message, out);
        return;
    }
    str_printf(out, "{\"error\": {\"code\": %d, \"message\": ", code);
    str_put_json_string(out, message, strlen(message));
    str_puts(out, "}}");
}

static int code_of(enum status st)
{
    switch (st) {
    case STATUS_USAGE:
    case STATUS_INVALID:
    case STATUS_CONFIG:
        return 400;
    case STATUS_NOT_FOUND:
        return 404;
    case STATUS_REJECTED:
        return 403;
    case STATUS_LIMIT:
        return 413;
    case STATUS_BUSY:
        return 503;
    case STATUS_TIMEOUT:
        return 504;
    case STATUS_UNSUPPORTED:
        return 501;
    case STATUS_DISK_FULL:
    case STATUS_NO_MEMORY:
        return 507;
    default:
        return 500;
    }
}

void serve_fail(struct http_call *c, const struct error *err)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s%s%s", err->where, err->where[0] ? ": " : "", err->message);
    http_call_fail(c, code_of(err->status), str_cstr(&text));
    str_deinit(&text);
}

void serve_reply_json(struct http_call *c, int code, struct json *adopt_document)
{
    char *text = jv_dump(adopt_document);

    jv_unref(adopt_document);
    http_call_reply_json(c, code, text, strlen(text));
    free(text);
}
