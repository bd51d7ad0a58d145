/* hub_gate.c - see hub_gate.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_gate.h"

#include "mcp/hub/hub_internal.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

const char *hub_outcome_name(enum hub_outcome o)
{
    static const char *const names[N_HUB_OUTCOMES] = {"ok",    "tool_error", "input",   "task",
                                                      "error", "cancelled",  "timeout", "refused"};

    return names[o];
}

/* Members that are not what the request asks for. */
static bool is_aside(struct json_view key)
{
    return json_view_is(key, "_meta") || json_view_is(key, "inputResponses") ||
           json_view_is(key, "requestState");
}

struct sha256 hub_request_digest(enum mcp_method method, struct json_view params)
{
    struct str text = STR_INIT;
    struct json *value = jv_object();
    struct sha256 digest;

    for (struct json_walk w = json_walk(params); json_walk_next(&w);) {
        struct str key = STR_INIT;

        if (!is_aside(w.key) && json_view_text(w.key, &key))
            jv_set_adopt(value, str_cstr(&key), json_view_value(w.value));
        str_deinit(&key);
    }
    str_printf(&text, "%s\n", mcp_method_facts(method)->name);
    jv_write_canonical(value, &text);
    digest = sha256_of(str_cstr(&text), text.len);
    jv_unref(value);
    str_deinit(&text);
    return digest;
}

/* ---- in */

static enum effect effect_of(const struct mcp_exchange *x, const struct hub_server *s,
                             const char *own)
{
    switch (x->method) {
    case MCP_TOOLS_CALL:
        return hub_source_effect(s->source, own);
    case MCP_TASKS_UPDATE:
    case MCP_TASKS_CANCEL:
        return EFFECT_ONCE;
    default:
        return EFFECT_READ;
    }
}

/* Names were resolved by the view; that it is asked again here is what keeps a new way to a server
 * from passing it by. */
static bool is_visible(const struct hub *h, const struct mcp_caller *c, const struct hub_passage *p,
                       const char *own)
{
    if (p->is_task)
        return hub_sees_server(h, c, p->server);
    if (p->kind == HUB_TOOLS && !hub_source_offers(p->server->source, own))
        return false;
    return hub_sees(h, c, p->server, p->kind, own);
}

/* true: it is kept already. */
static bool put_row(struct hub *h, const struct hub_passage *p, const struct hub_gate_end *e,
                    const char *decision, const char *rule,
                    void (*recorded)(void *arg, const struct error *err), void *arg)
{
    const struct mcp_caller *c = e->x->caller;
    const struct hub_audit_row row = {
        .at_ms = seams_wall_ms(h->o.seams),
        .took_us = seams_mono_us(h->o.seams) - p->began_us,
        .who = c->principal,
        .view = c->view,
        .server = hub_source_name(p->server->source),
        .method = mcp_method_facts(e->x->method)->name,
        .target = e->own,
        .decision = decision,
        .rule = rule,
        .outcome = hub_outcome_name(e->outcome),
        .effect = p->effect,
        .request = hub_request_digest(e->x->method, e->params),
    };

    return h->o.audit.append(h->o.audit.ctx, &row, recorded, arg);
}

enum status hub_gate_enter(struct hub *h, const struct mcp_exchange *x, struct hub_server *s,
                           enum hub_list_kind kind, bool is_task, const char *own,
                           struct hub_passage *p, struct error *err)
{
    const struct hub_gate_end denied = {
        .x = x, .params = x->params, .own = own, .outcome = HUB_OUTCOME_REFUSED};

    *p = (struct hub_passage){.server = s,
                              .kind = kind,
                              .is_task = is_task,
                              .effect = effect_of(x, s, own),
                              .began_us = seams_mono_us(h->o.seams),
                              .number = ++h->n_passed,
                              .bytes_in = x->params.n};
    if (!is_visible(h, x->caller, p, own)) {
        if (h->o.audit.append)
            (void)put_row(h, p, &denied, "deny", "view", NULL, NULL);
        return error_set(err, STATUS_NOT_FOUND, "the view does not show it");
    }
    p->is_in = true;
    return STATUS_OK;
}

/* ---- out */

static void log_call(const struct hub *h, const struct hub_passage *p, const struct hub_gate_end *e)
{
    /* What a client can cause as often as it likes is for those who look for it. */
    enum log_level level = e->outcome == HUB_OUTCOME_TIMEOUT ? LOG_WARN : LOG_DEBUG;
    const char *server = hub_source_name(p->server->source);
    const struct log_field fields[] = {{.name = "server", .text = server},
                                       {.name = "request", .number = p->number}};

    if (log_shows(h->o.log, level))
        log_write_fields(h->o.log, level, fields, ARRAY_LEN(fields),
                         "server %s: request %lld, %s %.100s: %s after %lld ms", server,
                         (long long)p->number, mcp_method_facts(e->x->method)->name, e->own,
                         hub_outcome_name(e->outcome),
                         (long long)(seams_mono_us(h->o.seams) - p->began_us) / 1000);
}

bool hub_gate_leave(struct hub *h, struct hub_passage *p, const struct hub_gate_end *e,
                    void (*recorded)(void *arg, const struct error *err), void *arg)
{
    struct hub_traffic *t = &p->server->traffic;
    bool acts = p->effect >= EFFECT_IDEMPOTENT && e->outcome != HUB_OUTCOME_REFUSED;
    bool waits = acts && recorded && e->outcome != HUB_OUTCOME_CANCELLED;

    p->is_in = false;
    t->outcomes[e->outcome]++;
    t->bytes_in += (int64_t)p->bytes_in;
    t->bytes_out += (int64_t)e->bytes_out;
    log_call(h, p, e);
    if (!h->o.audit.append || (!acts && t->n_sampled++ % HUB_GATE_SAMPLE != 0))
        return false;
    return !put_row(h, p, e, "allow", "", waits ? recorded : NULL, waits ? arg : NULL) && waits;
}
