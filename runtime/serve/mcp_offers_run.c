/* mcp_offers_run.c - a call of a blueprint or an agent: one run of the store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/api/troupe_watch.h"
#include "runtime/base/memory.h"
#include "runtime/serve/mcp_offers_internal.h"

/* ---- the answer */

static void put_text_block(struct str *out, const char *text, size_t n)
{
    str_puts(out, "{\"content\":[{\"type\":\"text\",\"text\":");
    str_put_json_string(out, text, n);
    str_puts(out, "}]");
}

static void put_why(struct str *out, enum run_status status, const char *uuid, const char *error)
{
    struct str text = STR_INIT;

    if (status == RUN_WAITING)
        str_printf(&text,
                   "run %s waits for an answer of a person: `troupe inbox` shows the question, "
                   "`troupe answer` answers it",
                   uuid);
    else if (status == RUN_INTERRUPTED)
        str_printf(&text, "the server stops; it continues run %s when it starts again", uuid);
    else
        str_printf(&text, "run %s: %s%s%s", uuid, run_status_word(status),
                   error && *error ? ": " : "", error ? error : "");
    put_text_block(out, str_cstr(&text), text.len);
    str_deinit(&text);
}

void offers_put_result(struct str *out, enum run_status status, const char *uuid,
                       const struct json *output, const char *error)
{
    struct str text = STR_INIT;

    if (status != RUN_OK) {
        put_why(out, status, uuid, error);
        str_puts(out, ",\"isError\":true}");
        return;
    }
    if (jv_kind(output) == JV_STRING)
        str_append(&text, jv_get_string(output, ""), jv_string_len(output));
    else if (output)
        jv_write(output, 0, &text);
    put_text_block(out, str_cstr(&text), text.len);
    if (jv_kind(output) == JV_OBJECT) {
        str_puts(out, ",\"structuredContent\":");
        jv_write(output, 0, out);
    }
    str_printf(out, ",\"_meta\":{\"troupe/run\":\"%s\"}}", uuid);
    str_deinit(&text);
}

static void on_end(void *ctx, struct troupe_run *run)
{
    struct offers_call *c = ctx;
    const struct troupe_result *r = troupe_run_result(run);
    struct str result = STR_INIT;

    if (c->x && c->x->is_cancelled) {
        mcp_exchange_fail_cancelled(c->x);
    } else if (c->x) {
        offers_put_result(&result, r->status, troupe_run_uuid(run), r->output, r->err.message);
        if (str_ok(&result))
            mcp_exchange_complete(c->x, json_view_str(&result));
        else
            mcp_exchange_fail(c->x, RPC_INTERNAL_ERROR, "no memory for the answer");
    }
    str_deinit(&result);
    troupe_run_free(run);
    offers_call_free(c);
}

static void on_step(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state)
{
    struct offers_call *c = ctx;
    struct str params = STR_INIT, message = STR_INIT;

    (void)r;
    if (!c->x || !c->x->wants_progress || state == STEP_STARTED)
        return;
    str_printf(&message, "%s (%s): %s", path, kind, step_state_name(state));
    str_printf(&params, "{\"progress\":%d,\"message\":", ++c->n_notes);
    str_put_json_string(&params, str_cstr(&message), message.len);
    str_putc(&params, '}');
    mcp_exchange_note(c->x, MCP_PROGRESS, json_view_str(&params));
    str_deinit(&params);
    str_deinit(&message);
}

/* ---- the beginning */

static void refuse(struct offers_call *c, const struct error *err)
{
    struct troupe_run *run = c->run;

    if (c->x)
        mcp_exchange_fail_status(c->x, err);
    offers_call_free(c);
    troupe_run_free(run);
}

/* The run is durable, and this call waits for its end. */
static void on_made(void *ctx, struct troupe_run *run, const struct error *err)
{
    struct offers_call *c = ctx;
    struct error why = ERROR_INIT;

    c->run = run;
    if (!run)
        refuse(c, err);
    else if (troupe_run_start(run, &why))
        refuse(c, &why);
    else if (!c->x || c->x->is_cancelled)
        troupe_run_cancel(run);
}

/* The run is durable, and the watch drives it: a task. A client that has gone has no use for it,
 * but does not know whether it began. */
static void on_task(void *ctx, const char *uuid, const struct error *err)
{
    struct offers_call *c = ctx;
    struct str result = STR_INIT;

    if (!uuid) {
        refuse(c, err);
        return;
    }
    if (c->x) {
        offers_put_task(&result, c->source->offers->o.seams, uuid, "working");
        str_putc(&result, '}');
        mcp_exchange_finish(
            c->x, &(struct mcp_answer){.kind = MCP_TASK, .result = json_view_str(&result)});
    }
    str_deinit(&result);
    offers_call_free(c);
}

void offers_run_start(struct offers_call *c, const struct serve_offer *offer)
{
    const struct mcp_offers_options *o = &c->source->offers->o;
    struct json *more = jv_object();
    struct troupe_run_spec spec = {
        .kind = "run", .plan = offer->plan, .seed = seams_random_u64(o->seams) >> 16, .more = more};
    struct error err = ERROR_INIT;
    enum status st;

    if (!c->arguments)
        c->arguments = jv_object();
    spec.inputs = c->arguments;
    jv_set_string(more, "asked_by", "mcp");
    c->options = *o->run;
    c->options.models_are_defaults = true;
    c->is_task = *o->watch && (c->x->caller->can & MCP_CAN_TASKS);
    if (c->is_task) {
        st = troupe_watch_run_new(*o->watch, &spec, &c->options, on_task, c, &err);
    } else {
        c->options.stay = RUNNER_STAY_WAITS;
        c->options.listener =
            (struct troupe_listener){.ctx = c, .on_step = on_step, .on_end = on_end};
        st = troupe_run_new_later(o->troupe, &spec, &c->options, on_made, c, &err);
    }
    jv_unref(more);
    if (st)
        refuse(c, &err);
}

void offers_run_cancel(struct offers_call *c)
{
    if (c->run)
        troupe_run_cancel(c->run); /* on_end follows */
    else if (!c->is_task && !c->change)
        return; /* on_made cancels it */
    else {
        mcp_exchange_fail_cancelled(c->x);
        offers_call_answered(c);
    }
}
