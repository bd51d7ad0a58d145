/* route_run.c - /api/runs/{run}: shows, cancels and deletes one run, and answers its questions;
 * /api/inbox: the open questions of all runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

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

struct change {
    struct serve *s;
    struct http_call *http; /* NULL: the client has left */
    const char *document;   /* of the reply */
    char uuid[37];
};

static void on_gone(void *ctx)
{
    struct change *g = ctx;

    g->http = NULL;
}

static void on_changed(void *ctx, enum status status, const struct error *err)
{
    struct change *g = ctx;

    if (g->http && status)
        api_refuse(g->http, err);
    else if (g->http)
        api_done(g->http, g->document, g->uuid);
    g->s->n_calls--;
    free(g);
}

/* For on_changed, which must follow. */
static struct change *change_new(struct serve *s, struct http_call *c, const char *document,
                                 const char *uuid)
{
    struct change *g = xcalloc(1, sizeof(*g));

    g->s = s;
    g->http = c;
    g->document = document;
    memcpy(g->uuid, uuid, sizeof(g->uuid));
    s->n_calls++;
    http_call_on_gone(c, on_gone, g);
    return g;
}

void route_run_cancel(struct serve *s, struct http_call *c, const char *const *part)
{
    struct store_reader *q;
    char uuid[37];

    if (api_run(s, c, part[0], uuid, &q))
        store_cancel_later(troupe_store(s->troupe), uuid, on_changed,
                           change_new(s, c, "cancel", uuid));
}

void route_run_delete(struct serve *s, struct http_call *c, const char *const *part)
{
    struct store_reader *q;
    struct str text = STR_INIT;
    char uuid[37];

    if (!api_run(s, c, part[0], uuid, &q))
        return;
    if (!troupe_drives(s->troupe, uuid)) {
        store_remove_run_later(troupe_store(s->troupe), uuid, on_changed,
                               change_new(s, c, "rm", uuid));
        return;
    }
    /* The store cannot tell its own process from another that drives the run. */
    str_printf(&text,
               "run %s is under way in this server; end it first with POST /api/runs/%s/cancel",
               uuid, uuid);
    http_call_fail(c, 409, str_cstr(&text));
    str_deinit(&text);
}

/* A text, or any other value by its JSON text, as on the command line. */
static enum status answer(struct serve *s, struct http_call *c, const char *uuid,
                          const struct json *body, struct error *err)
{
    const struct json *path = jv_get(body, "path"), *value = jv_get(body, "answer");
    struct change *g;
    char *text;
    enum status st;

    if (!value)
        return error_set(err, STATUS_USAGE, "answer: expected a value");
    if (path && jv_kind(path) != JV_STRING)
        return error_set(err, STATUS_USAGE, "path: expected a text");
    g = change_new(s, c, "answer", uuid);
    text = jv_dump(value);
    st = troupe_answer_later(s->troupe, uuid, jv_get_string(path, NULL), jv_get_string(value, text),
                             on_changed, g, err);
    free(text);
    if (st)
        on_changed(g, st, err);
    return STATUS_OK;
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
    if (answer(s, c, uuid, body, &err))
        api_refuse(c, &err);
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
