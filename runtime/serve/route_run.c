/* route_run.c - /api/runs/{run}: shows, cancels and deletes one run, and answers its questions;
 * /api/inbox: the open questions of all runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/api/document.h"
#include "runtime/api/run_view.h"
#include "runtime/api/troupe_wait.h"
#include "runtime/base/memory.h"
#include "runtime/serve/api.h"

#define INBOX_MOST 1000

void route_run(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char *const known[] = {"tokens", "messages", "path"};
    const char *query = http_call_request(c)->query;
    struct run_view v = {.tokens = false};
    struct store_reader *q;
    char uuid[37], path[API_TEXT_MAX];
    struct error err = ERROR_INIT;
    bool has_path = http_query_value(query, "path", path, sizeof(path));

    if (!api_query(c, known, ARRAY_LEN(known)) || !api_query_flag(c, "tokens", &v.tokens) ||
        !api_query_flag(c, "messages", &v.messages) || !api_run(s, c, part[0], uuid, &q))
        return;
    if (run_view_load(&v, q, uuid, has_path ? path : NULL, -1, &err))
        serve_fail(c, &err);
    else
        serve_reply_json(c, 200, run_view_document(&v));
    run_view_deinit(&v);
}

/* ---- changes: each is durable when it is acknowledged */

static void change(struct serve *s, struct http_call *c, const char *id, const char *document,
                   enum status (*fn)(struct store *store, const char *uuid, struct error *err))
{
    struct store_reader *q;
    struct error err = ERROR_INIT;
    char uuid[37];

    if (!api_run(s, c, id, uuid, &q))
        return;
    if (fn(troupe_store(s->troupe), uuid, &err))
        api_refuse(c, &err);
    else
        api_done(c, document, uuid);
}

void route_run_cancel(struct serve *s, struct http_call *c, const char *const *part)
{
    change(s, c, part[0], "cancel", store_cancel);
}

/* The store cannot tell its own process from another that drives the run. */
static bool is_driven_here(struct serve *s, struct http_call *c, const char *id)
{
    struct store_reader *q;
    struct error ignored = ERROR_INIT;
    struct str text = STR_INIT;
    char uuid[37];

    if (troupe_reader(s->troupe, &q, &ignored) || query_resolve_run(q, id, uuid, &ignored) ||
        !troupe_drives(s->troupe, uuid))
        return false;
    str_printf(&text,
               "run %s is under way in this server; end it first with POST /api/runs/%s/cancel",
               uuid, uuid);
    http_call_fail(c, 409, str_cstr(&text));
    str_deinit(&text);
    return true;
}

void route_run_delete(struct serve *s, struct http_call *c, const char *const *part)
{
    if (!is_driven_here(s, c, part[0]))
        change(s, c, part[0], "rm", store_remove_run);
}

/* A text, or any other value by its JSON text, as on the command line. */
static enum status answer(struct serve *s, const char *uuid, const struct json *body,
                          struct error *err)
{
    const struct json *path = jv_get(body, "path"), *value = jv_get(body, "answer");
    char *text;
    enum status st;

    if (!value)
        return error_set(err, STATUS_USAGE, "answer: expected a value");
    if (path && jv_kind(path) != JV_STRING)
        return error_set(err, STATUS_USAGE, "path: expected a text");
    text = jv_dump(value);
    st = troupe_answer(s->troupe, uuid, jv_get_string(path, NULL), jv_get_string(value, text), err);
    free(text);
    return st;
}

void route_run_answer(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char *const known[] = {"path", "answer"};
    struct json *body;
    struct store_reader *q;
    struct error err = ERROR_INIT;
    char uuid[37];

    if (!api_run(s, c, part[0], uuid, &q) || !api_body(c, known, ARRAY_LEN(known), &body))
        return;
    if (answer(s, uuid, body, &err))
        api_refuse(c, &err);
    else
        api_done(c, "answer", uuid);
    jv_unref(body);
}

void route_inbox(struct serve *s, struct http_call *c, const char *const *part)
{
    struct json *waits, *doc;
    struct error err = ERROR_INIT;

    (void)part;
    if (!api_query(c, NULL, 0))
        return;
    if (troupe_inbox(s->troupe, INBOX_MOST, &waits, &err)) {
        serve_fail(c, &err);
        return;
    }
    doc = document_new("inbox");
    jv_set_adopt(doc, "waits", waits);
    serve_reply_json(c, 200, doc);
}
