/* mcp_offers_tool.c - a call of a built-in tool. It makes no run; the hub leaves its row.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/tool_step.h"
#include "runtime/loop/loop.h"
#include "runtime/serve/mcp_offers_internal.h"

static void put_value(struct str *out, const struct json *value)
{
    struct str text = STR_INIT;

    if (jv_kind(value) == JV_STRING)
        str_append(&text, jv_get_string(value, ""), jv_string_len(value));
    else
        jv_write(value, 0, &text);
    str_puts(out, "{\"content\":[{\"type\":\"text\",\"text\":");
    str_put_json_string(out, str_cstr(&text), text.len);
    str_puts(out, "}]");
    if (jv_kind(value) == JV_OBJECT) {
        str_puts(out, ",\"structuredContent\":");
        jv_write(value, 0, out);
    }
    str_deinit(&text);
}

static void put_result(struct str *out, const struct tool_step_result *r)
{
    const struct json *content = jv_get(r->out, "$content");

    if (content) {
        str_puts(out, "{\"content\":");
        jv_write(content, 0, out);
    } else {
        put_value(out, r->out);
    }
    str_puts(out, r->state == STEP_OK ? "}" : ",\"isError\":true}");
}

/* The step is freed on another turn: this may be inside its start. */
static void end(void *ctx)
{
    struct offers_call *c = ctx;

    loop_timer_free(c->timer);
    tool_step_free(c->step);
    offers_call_free(c);
}

static void on_done(void *ctx, struct tool_step *s)
{
    struct offers_call *c = ctx;
    const struct tool_step_result *r = tool_step_result(s);
    struct str result = STR_INIT;
    struct loop *loop;
    struct error ignored = ERROR_INIT;

    if (c->x && (r->state == STEP_CANCELLED || c->x->is_cancelled)) {
        mcp_exchange_fail_cancelled(c->x);
    } else if (c->x) {
        put_result(&result, r);
        mcp_exchange_complete(c->x, json_view_str(&result));
    }
    str_deinit(&result);
    offers_call_answered(c);
    if (!troupe_loop(c->source->offers->o.troupe, &loop, &ignored))
        c->timer = loop_timer_new(loop, 0, end, c);
}

void offers_tool_start(struct offers_call *c, struct tool *t)
{
    struct loop *loop;
    struct error err = ERROR_INIT;

    if (troupe_loop(c->source->offers->o.troupe, &loop, &err)) {
        mcp_exchange_fail_status(c->x, &err);
        offers_call_free(c);
        return;
    }
    c->step = tool_step_new(&(struct tool_step_spec){.tool = t,
                                                     .arguments = c->arguments,
                                                     .path = "call",
                                                     .effect = t->effect,
                                                     .loop = loop,
                                                     .seams = c->source->offers->o.seams,
                                                     .done = on_done,
                                                     .ctx = c});
    tool_step_start(c->step);
}

void offers_tool_cancel(struct offers_call *c)
{
    tool_step_stop(c->step, STEP_CANCELLED);
}
