/* hub_translate.c - a request as its server gets it, and the answer as its client gets it: names,
 * URIs, states, ids of tasks. All else passes as it is, byte for byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "mcp/hub/hub_call.h"
#include "runtime/base/memory.h"

static struct hub_bond bond_of(const struct hub_call *c)
{
    return (struct hub_bond){.principal = c->down->caller->principal,
                             .server = hub_source_name(c->server->source),
                             .request = hub_request_digest(c->down->method, c->params)};
}

/* ---- the request */

/* The server's own state, as a JSON string; empty: there was none. */
static enum status open_state(const struct hub_call *c, struct json_view sealed, struct str *out,
                              unsigned char nonce[HUB_NONCE_BYTES], struct error *err)
{
    struct hub_bond bond = bond_of(c);
    struct str text, inner;
    enum status st;

    str_init(&text, sealed.n + 1);
    str_init(&inner, sealed.n + 1);
    if (json_view_text(sealed, &text))
        st = hub_seal_open(c->hub->seal, &bond, str_cstr(&text), text.len, nonce, &inner, err);
    else
        st = error_set(err, STATUS_INVALID, "requestState must be a string");
    if (!st && inner.len > 0)
        str_put_json_string(out, str_cstr(&inner) + 1, inner.len - 1);
    str_deinit(&text);
    str_deinit(&inner);
    return st;
}

/* The reference of completion/complete, with the server's name or URI. */
static void put_ref(const struct hub_call *c, struct str *out)
{
    struct str name = STR_INIT;

    str_put_json_string(&name, c->own, strlen(c->own));
    json_view_put_changed(out, json_view_get(c->params, "ref"),
                          &(struct json_change){.key = c->kind == HUB_PROMPTS ? "name" : "uri",
                                                .value = json_view_str(&name)},
                          1);
    str_deinit(&name);
}

enum status hub_call_put_params(const struct hub_call *c, struct str *out,
                                unsigned char nonce[HUB_NONCE_BYTES], bool *has_state,
                                struct error *err)
{
    struct json_view sealed = json_view_get(c->params, "requestState");
    struct str target = STR_INIT, state_text = STR_INIT;
    struct json_change changes[2];
    enum status st = sealed.at ? open_state(c, sealed, &state_text, nonce, err) : STATUS_OK;

    *has_state = sealed.at != NULL;
    if (c->down->method == MCP_COMPLETION) {
        put_ref(c, &target);
        changes[0].key = "ref";
    } else {
        str_put_json_string(&target, c->own, strlen(c->own));
        changes[0].key = mcp_method_facts(c->down->method)->name_member;
    }
    changes[0].value = json_view_str(&target);
    changes[1] =
        (struct json_change){.key = "requestState",
                             .value = state_text.len ? json_view_str(&state_text) : JSON_VIEW_NONE};
    if (!st) {
        json_view_put_changed(out, c->params, changes, ARRAY_LEN(changes));
        if (!str_ok(out))
            st = error_set(err, STATUS_LIMIT, "the request is too large");
    }
    str_deinit(&target);
    str_deinit(&state_text);
    return st;
}

struct sha256 hub_call_input_digest(const struct hub_call *c)
{
    struct json *input = json_view_value(json_view_get(c->params, "inputResponses"));
    struct str text = STR_INIT;
    struct sha256 digest;

    jv_write_canonical(input, &text);
    str_putc(&text, '\n');
    json_view_put(&text, c->down->input_errors);
    digest = sha256_of(str_cstr(&text), text.len);
    jv_unref(input);
    str_deinit(&text);
    return digest;
}

/* ---- the answer */

/* A state of the server's becomes a sealed one. The first byte of what is sealed says that there
 * was a state, which may be empty. */
static bool put_input_required(const struct hub_call *c, struct json_view result, struct str *out)
{
    struct json_view own = json_view_get(result, "requestState");
    struct str inner, sealed = STR_INIT, quoted = STR_INIT;
    struct hub_bond bond = bond_of(c);
    bool ok = true;

    str_init(&inner, own.n + 2);
    if (own.at) {
        str_putc(&inner, 's');
        ok = json_view_text(own, &inner) &&
             hub_seal_put(c->hub->seal, &bond, seams_wall_ms(c->hub->o.seams) + c->hub->o.state_ms,
                          str_cstr(&inner), inner.len, &sealed);
        str_put_json_string(&quoted, str_cstr(&sealed), sealed.len);
        json_view_put_changed(
            out, result,
            &(struct json_change){.key = "requestState", .value = json_view_str(&quoted)}, 1);
    } else {
        json_view_put(out, result);
    }
    str_deinit(&inner);
    str_deinit(&sealed);
    str_deinit(&quoted);
    return ok && str_ok(out);
}

static bool put_result(const struct hub_call *c, enum mcp_answer_kind kind, struct json_view result,
                       struct str *out)
{
    enum mcp_method method = c->down->method;
    struct hub_uris uris = hub_uris_for(c->hub, c->down->caller, c->server);

    if (kind == MCP_INPUT_REQUIRED)
        return put_input_required(c, result, out);
    if (kind == MCP_TASK || hub_is_of_task(method))
        return hub_task_put_result(c->hub, c->down->caller, c->server, result,
                                   hub_is_of_task(method) ? c->shown : NULL, &uris, out);
    hub_rewrite_result(method, result, &uris, out);
    return str_ok(out);
}

struct hub_reply *hub_call_translate(const struct hub_call *c, const struct mcp_answer *a)
{
    struct hub_reply *reply = NULL;
    struct mcp_answer own = *a;
    struct str bare, out;

    if (a->kind == MCP_ERROR) {
        own.is_cancelled = false;
        return hub_reply_new(&own);
    }
    str_init(&bare, a->result.n + 16);
    str_init(&out, 4 * a->result.n + (1 << 16));
    if (put_result(c, a->kind, hub_rewrite_meta(a->result, &bare), &out) && str_ok(&bare)) {
        own.result = json_view_str(&out);
        reply = hub_reply_new(&own);
    }
    str_deinit(&bare);
    str_deinit(&out);
    return reply;
}
