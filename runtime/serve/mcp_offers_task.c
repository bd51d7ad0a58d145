/* mcp_offers_task.c - runs as tasks of MCP (SEP-2663): tasks/get, tasks/update, tasks/cancel.
 *
 * A task's id is that of its run; the hub seals it for the principal that it gives it to. A
 * question of the run is an input request of its task, a form with one field, `answer`; its key is
 * the path of the question.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/api/troupe_wait.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/base/memory.h"
#include "runtime/base/time_text.h"
#include "runtime/serve/mcp_offers_internal.h"
#include "runtime/store/query.h"

#define POLL_MS 1000

/* ---- what is said of it */

static void put_time(struct str *out, const char *key, int64_t ms)
{
    str_printf(out, ",\"%s\":\"", key);
    time_put_rfc3339(out, ms);
    str_putc(out, '"');
}

static void put_head(struct str *out, const char *uuid, const char *status, int64_t created_ms,
                     int64_t updated_ms)
{
    str_printf(out, "{\"taskId\":\"%s\",\"status\":\"%s\"", uuid, status);
    put_time(out, "createdAt", created_ms);
    put_time(out, "lastUpdatedAt", updated_ms);
    /* Runs are kept until somebody deletes them. */
    str_printf(out, ",\"ttlMs\":null,\"pollIntervalMs\":%d", POLL_MS);
}

void offers_put_task(struct str *out, const struct seams *seams, const char *uuid,
                     const char *status)
{
    int64_t now_ms = seams_wall_ms(seams);

    put_head(out, uuid, status, now_ms, now_ms);
}

static const char *status_of(enum run_status status)
{
    switch (status) {
    case RUN_RUNNING:
    case RUN_INTERRUPTED:
        return "working";
    case RUN_WAITING:
        return "input_required";
    case RUN_CANCELLED:
        return "cancelled";
    default:
        return "completed"; /* also with an error: the result says so */
    }
}

/* {"PATH": {"method": "elicitation/create", "params": ...}} */
static void put_questions(struct str *out, const struct json *waits)
{
    struct json *all = jv_object();

    for (size_t i = 0; i < jv_size(waits); i++) {
        const struct json *w = jv_at(waits, i), *options = jv_get(w, "options");
        struct json *request = jv_object(), *params = jv_object(), *schema = jv_object();
        struct json *properties = jv_object(), *answer = jv_object(), *required = jv_array();
        struct json *words = jv_array();

        for (size_t k = 0; k < jv_size(options); k++) {
            char *text = jv_dump(jv_at(options, k));

            jv_append_adopt(words, jv_string(jv_get_string(jv_at(options, k), text)));
            free(text);
        }
        jv_set_string(answer, "type", "string");
        if (jv_size(words) > 0)
            jv_set_adopt(answer, "enum", jv_ref(words));
        jv_unref(words);
        jv_set_adopt(properties, "answer", answer);
        jv_append_adopt(required, jv_string("answer"));
        jv_set_string(schema, "type", "object");
        jv_set_adopt(schema, "properties", properties);
        jv_set_adopt(schema, "required", required);
        jv_set_string(params, "mode", "form");
        jv_set_string(params, "message", jv_get_string(jv_get(w, "prompt"), ""));
        jv_set_adopt(params, "requestedSchema", schema);
        jv_set_string(request, "method", "elicitation/create");
        jv_set_adopt(request, "params", params);
        jv_set_adopt(all, jv_get_string(jv_get(w, "path"), ""), request);
    }
    str_puts(out, ",\"inputRequests\":");
    jv_write(all, 0, out);
    jv_unref(all);
}

struct task {
    const struct mcp_offers *offers;
    struct str out;
    bool is_ours; /* the run was asked for over MCP */
    enum run_status status;
};

static bool put_run(void *ctx, const struct run_row *r)
{
    struct task *t = ctx;
    int64_t now_ms = seams_wall_ms(t->offers->o.seams);

    t->is_ours = strcmp(jv_get_string(jv_get(r->config, "asked_by"), ""), "mcp") == 0;
    t->status = r->status;
    put_head(&t->out, r->uuid, status_of(r->status), r->created_ms,
             r->ended_ms ? r->ended_ms : now_ms);
    if (r->ended_ms && r->status != RUN_CANCELLED) {
        str_puts(&t->out, ",\"result\":");
        offers_put_result(&t->out, r->status, r->uuid, r->output, r->error);
    }
    return false;
}

static void get(struct offers_source *s, struct mcp_exchange *x, const char *uuid)
{
    struct troupe *troupe = s->offers->o.troupe;
    struct task t = {.offers = s->offers, .out = STR_INIT};
    struct store_reader *q;
    struct json *waits = NULL;
    struct error err = ERROR_INIT;
    enum status st = troupe_reader(troupe, &q, &err);

    if (!st)
        st = query_run(q, uuid, put_run, &t, &err);
    if (!st && !t.is_ours)
        st = error_set(&err, STATUS_INVALID, "there is no such task");
    if (!st && t.status == RUN_WAITING)
        st = troupe_waits(troupe, uuid, &waits, &err);
    if (!st && t.status == RUN_WAITING)
        put_questions(&t.out, waits);
    if (!st && *s->offers->o.watch && (RUN_STATUS_BIT(t.status) & RUN_STATUS_OPEN))
        troupe_watch_adopt(*s->offers->o.watch,
                           uuid); /* the process that drove it may have ended */
    str_putc(&t.out, '}');
    if (st)
        mcp_exchange_fail(x, st == STATUS_NOT_FOUND ? RPC_INVALID_PARAMS : (int64_t)rpc_code_of(st),
                          "%s", err.message);
    else
        mcp_exchange_complete(x, json_view_str(&t.out));
    jv_unref(waits);
    str_deinit(&t.out);
}

/* ---- changes: acknowledged when they are durable */

static void finish_change(struct offers_call *c, const struct error *err)
{
    if (c->x && err)
        mcp_exchange_fail_status(c->x, err);
    else if (c->x)
        mcp_exchange_complete(c->x, json_view_of("{}", 2));
    offers_call_free(c);
}

static void on_cancelled(void *ctx, enum status status, const struct error *err)
{
    finish_change(ctx, status ? err : NULL);
}

static void answer_next(struct offers_call *c);

/* A question that was answered before, or is over, takes no answer; the others do. */
static void on_answered(void *ctx, enum status status, const struct error *err)
{
    (void)status;
    (void)err;
    answer_next(ctx);
}

static enum status give(struct offers_call *c, const char *path, const struct json *response,
                        struct error *err)
{
    const struct json *answer = jv_get(jv_get(response, "content"), "answer");
    char *text = jv_dump(answer);
    enum status st = STATUS_INVALID;

    if (strcmp(jv_get_string(jv_get(response, "action"), ""), "accept") == 0 && answer)
        st = troupe_answer_later(c->source->offers->o.troupe, c->change, path,
                                 jv_get_string(answer, text), on_answered, c, err);
    free(text);
    return st;
}

static void answer_next(struct offers_call *c)
{
    const char *key;
    struct json *response;
    struct error ignored = ERROR_INIT;

    while (jv_next(c->left, NULL, &key, &response)) {
        char *path = xstrdup(key);
        struct json *own = jv_ref(response);
        enum status st;

        jv_remove(c->left, path);
        st = give(c, path, own, &ignored);
        jv_unref(own);
        free(path);
        if (!st)
            return; /* on_answered follows */
    }
    finish_change(c, NULL);
}

static void change(struct offers_source *s, struct mcp_exchange *x, const char *uuid)
{
    enum mcp_method method = x->method;
    struct json *responses = json_view_value(json_view_get(x->params, "inputResponses"));
    struct offers_call *c = offers_call_new(s, x);

    c->change = xstrdup(uuid);
    c->left = responses;
    if (method == MCP_TASKS_CANCEL)
        store_cancel_later(troupe_store(s->offers->o.troupe), uuid, on_cancelled, c);
    else
        answer_next(c);
}

void offers_task_start(struct offers_source *s, struct mcp_exchange *x)
{
    struct str id;

    str_init(&id, 64);
    if (!troupe_store(s->offers->o.troupe) ||
        !json_view_text(json_view_get(x->params, "taskId"), &id) || !str_ok(&id))
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "there is no such task");
    else if (x->method == MCP_TASKS_GET)
        get(s, x, str_cstr(&id));
    else
        change(s, x, str_cstr(&id));
    str_deinit(&id);
}
