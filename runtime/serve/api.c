/* api.c - see api.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/api.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/api/document.h"

static bool is_known(const char *name, size_t length, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(known[i]) == length && strncmp(known[i], name, length) == 0)
            return true;
    return false;
}

/* 400: `what` "NAME" is none of the known ones. */
static bool refuse_name(struct http_call *c, const char *what, const char *name, size_t length,
                        const char *const *known, size_t n)
{
    struct str text = STR_INIT;

    str_printf(&text, "unknown %s \"%.*s\"", what, (int)(length < 80 ? length : 80), name);
    for (size_t i = 0; i < n; i++)
        str_printf(&text, "%s%s", i ? ", " : "; known are ", known[i]);
    http_call_fail(c, 400, str_cstr(&text));
    str_deinit(&text);
    return false;
}

bool api_query(struct http_call *c, const char *const *known, size_t n)
{
    const char *at = http_call_request(c)->query;

    while (*at) {
        size_t pair = strcspn(at, "&"), name = strcspn(at, "&=");

        if (pair > 0 && !is_known(at, name, known, n))
            return refuse_name(c, "parameter", at, name, known, n);
        at += pair + (at[pair] == '&');
    }
    return true;
}

bool api_query_flag(struct http_call *c, const char *name, bool *out)
{
    const char *query = http_call_request(c)->query;
    struct str text = STR_INIT;
    char value[API_TEXT_MAX];

    *out = false;
    if (!http_query_value(query, name, value, sizeof(value)) || strcmp(value, "0") == 0 ||
        strcmp(value, "false") == 0)
        return true;
    *out = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (*out)
        return true;
    str_printf(&text, "%s: expected 1 or 0", name);
    http_call_fail(c, 400, str_cstr(&text));
    str_deinit(&text);
    return false;
}

bool api_body(struct http_call *c, const char *const *known, size_t n, struct json **out)
{
    const struct http_request *q = http_call_request(c);
    struct json *body = NULL, *value;
    struct error err = ERROR_INIT;
    const char *key;

    if (jv_parse(q->body ? q->body : "", (size_t)q->body_bytes, "body", &body, &err)) {
        serve_fail(c, &err);
        return false;
    }
    if (jv_kind(body) != JV_OBJECT) {
        jv_unref(body);
        http_call_fail(c, 400, "the body must be a JSON object");
        return false;
    }
    for (void *it = NULL; (it = jv_next(body, it, &key, &value));)
        if (!is_known(key, strlen(key), known, n)) {
            refuse_name(c, "member", key, strlen(key), known, n);
            jv_unref(body);
            return false;
        }
    *out = body;
    return true;
}

bool api_reader(struct serve *s, struct http_call *c, struct store_reader **out)
{
    struct error err = ERROR_INIT;

    if (!troupe_reader(s->troupe, out, &err))
        return true;
    serve_fail(c, &err);
    return false;
}

bool api_run(struct serve *s, struct http_call *c, const char *id, char uuid[37],
             struct store_reader **q)
{
    struct error err = ERROR_INIT;

    if (!api_reader(s, c, q))
        return false;
    if (!query_resolve_run(*q, id, uuid, &err))
        return true;
    serve_fail(c, &err);
    return false;
}

void api_refuse(struct http_call *c, const struct error *err)
{
    if (err->status == STATUS_INVALID || err->status == STATUS_BUSY)
        http_call_fail(c, 409, err->message);
    else
        serve_fail(c, err);
}

void api_done(struct http_call *c, const char *name, const char *uuid)
{
    struct json *doc = document_new(name);

    jv_set_string(doc, "run", uuid);
    serve_reply_json(c, 200, doc);
}
